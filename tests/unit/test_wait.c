#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "apply/wait.h"
#include "host/clock.h"

static int fd_with(unsigned value)
{
	int fd = eventfd(value, EFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static struct wait wait_ms(unsigned ms)
{
	return (struct wait){.deadline_us = clock_now_us() + ms * 1000, .interrupt_fd = -1};
}

static void count(void *context)
{
	(*(unsigned *)context)++;
}

START_TEST(a_moment_comes)
{
	const struct wait wait = wait_ms(60000);
	uint64_t begin = clock_now_us();

	ck_assert_int_eq(wait_for(&wait, -1, 0, begin + 30000), 0);
	ck_assert_uint_ge(clock_now_us(), begin + 30000);
	ck_assert_uint_lt(clock_now_us(), begin + 10000000);
}
END_TEST

START_TEST(a_moment_that_has_passed_is_not_waited_for)
{
	const struct wait wait = wait_ms(60000);
	uint64_t begin = clock_now_us();

	ck_assert_int_eq(wait_for(&wait, -1, 0, 0), 0);
	ck_assert_uint_lt(clock_now_us(), begin + 10000000);
}
END_TEST

START_TEST(the_deadline_passes)
{
	const struct wait wait = wait_ms(30);

	ck_assert_int_eq(wait_for(&wait, -1, 0, UINT64_MAX), -ETIMEDOUT);
	ck_assert_uint_ge(clock_now_us(), wait.deadline_us);
	/* From then on a moment cannot come. */
	ck_assert_int_eq(wait_for(&wait, -1, 0, 0), -ETIMEDOUT);
}
END_TEST

START_TEST(a_moment_behind_the_deadline_does_not_come)
{
	const struct wait wait = wait_ms(30);

	ck_assert_int_eq(wait_for(&wait, -1, 0, wait.deadline_us + 60000000), -ETIMEDOUT);
}
END_TEST

START_TEST(a_file_is_ready)
{
	const struct wait wait = wait_ms(60000);
	int fd = fd_with(1);

	ck_assert_int_eq(wait_for(&wait, fd, POLLIN, UINT64_MAX), 1);
	(void)close(fd);
}
END_TEST

START_TEST(a_file_that_is_not_ready_is_waited_for)
{
	const struct wait wait = wait_ms(30);
	int fd = fd_with(0);

	ck_assert_int_eq(wait_for(&wait, fd, POLLIN, UINT64_MAX), -ETIMEDOUT);
	(void)close(fd);
}
END_TEST

START_TEST(a_file_that_hangs_up_is_ready)
{
	const struct wait wait = wait_ms(60000);
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	(void)close(ends[1]);
	ck_assert_int_eq(wait_for(&wait, ends[0], POLLIN, UINT64_MAX), 1);
	(void)close(ends[0]);
}
END_TEST

START_TEST(a_ready_file_does_not_hold_a_loop)
{
	const struct wait wait = wait_ms(30);
	int fd = fd_with(1);
	int r;

	while ((r = wait_for(&wait, fd, POLLIN, UINT64_MAX)) == 1)
		continue;
	ck_assert_int_eq(r, -ETIMEDOUT);
	(void)close(fd);
}
END_TEST

START_TEST(somebody_wants_to_stop)
{
	struct wait wait = wait_ms(60000);
	int fd = fd_with(1);

	ck_assert(!wait_interrupted(&wait));
	wait.interrupt_fd = fd_with(0);
	ck_assert(!wait_interrupted(&wait));
	ck_assert_int_eq(eventfd_write(wait.interrupt_fd, 1), 0);
	ck_assert_int_eq(wait_for(&wait, fd, POLLIN, UINT64_MAX), -ECANCELED);
	/* It stays so. */
	ck_assert_int_eq(wait_for(&wait, -1, 0, 0), -ECANCELED);
	ck_assert(wait_interrupted(&wait));
	(void)close(wait.interrupt_fd);
	(void)close(fd);
}
END_TEST

/* What SIGALRM writes to. */
static int alarm_fd;

static void on_alarm(int number)
{
	(void)number;
	(void)eventfd_write(alarm_fd, 1);
}

START_TEST(somebody_wants_to_stop_in_the_middle)
{
	struct wait wait = wait_ms(60000);
	uint64_t begin = clock_now_us();

	alarm_fd = wait.interrupt_fd = fd_with(0);
	(void)signal(SIGALRM, on_alarm);
	(void)ualarm(30000, 0);
	ck_assert_int_eq(wait_for(&wait, -1, 0, UINT64_MAX), -ECANCELED);
	ck_assert_uint_lt(clock_now_us(), begin + 10000000);
	(void)close(alarm_fd);
}
END_TEST

/* A broken way out is none, and does not make the loop spin. */
START_TEST(a_closed_way_out_is_none)
{
	struct wait wait = wait_ms(50);
	unsigned ticks = 0;

	wait.interrupt_fd = fd_with(1);
	(void)close(wait.interrupt_fd);
	wait.tick = count;
	wait.context = &ticks;
	ck_assert_int_eq(wait_for(&wait, -1, 0, UINT64_MAX), -ETIMEDOUT);
	ck_assert(!wait_interrupted(&wait));
	ck_assert_uint_le(ticks, 2);
}
END_TEST

START_TEST(it_ticks_in_one_long_wait)
{
	unsigned ticks = 0;
	struct wait wait = wait_ms(1000);

	wait.tick = count;
	wait.context = &ticks;
	ck_assert_int_eq(wait_for(&wait, -1, 0, UINT64_MAX), -ETIMEDOUT);
	ck_assert_uint_ge(ticks, 3);
	ck_assert_uint_le(ticks, 6);
}
END_TEST

START_TEST(it_ticks_in_many_short_waits)
{
	unsigned ticks = 0;
	struct wait wait = wait_ms(1000);
	int r;

	wait.tick = count;
	wait.context = &ticks;
	while ((r = wait_for(&wait, -1, 0, clock_now_us() + 7000)) == 0)
		continue;
	ck_assert_int_eq(r, -ETIMEDOUT);
	ck_assert_uint_ge(ticks, 3);
	ck_assert_uint_le(ticks, 6);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_moment_comes,
		a_moment_that_has_passed_is_not_waited_for,
		the_deadline_passes,
		a_moment_behind_the_deadline_does_not_come,
		a_file_is_ready,
		a_file_that_is_not_ready_is_waited_for,
		a_file_that_hangs_up_is_ready,
		a_ready_file_does_not_hold_a_loop,
		somebody_wants_to_stop,
		somebody_wants_to_stop_in_the_middle,
		a_closed_way_out_is_none,
		it_ticks_in_one_long_wait,
		it_ticks_in_many_short_waits,
		NULL,
	};

	return test_main("wait", tests);
}
