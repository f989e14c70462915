#include "apply/wait.h"

#include <errno.h>
#include <poll.h>

#include "base/cleanup.h"
#include "host/clock.h"

#define TICK_US 200000

bool wait_interrupted(const struct wait *wait)
{
	struct pollfd fd = {.fd = wait->interrupt_fd, .events = POLLIN};

	return fd.fd >= 0 && poll(&fd, 1, 0) == 1 && fd.revents & POLLIN;
}

/* Ticks are due at multiples of their interval on the clock, so that many short waits in a row tick
 * as one long one does, and nobody has to remember the last. */
static uint64_t next_tick(const struct wait *wait, uint64_t now)
{
	return wait->tick ? (now / TICK_US + 1) * TICK_US : UINT64_MAX;
}

static uint64_t earliest(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

int wait_for(const struct wait *wait, int fd, short events, uint64_t until_us)
{
	struct pollfd fds[] = {
		{.fd = fd, .events = events},
		{.fd = wait->interrupt_fd, .events = POLLIN},
	};
	uint64_t end = earliest(until_us, wait->deadline_us);
	uint64_t now = clock_now_us();

	if (wait_interrupted(wait))
		return -ECANCELED;
	if (now >= wait->deadline_us)
		return -ETIMEDOUT;
	for (;;) {
		uint64_t tick = next_tick(wait, now);
		int r = poll(fds, array_size(fds), clock_left_ms(earliest(end, tick)));

		if (r < 0 && errno != EINTR)
			return -errno;
		if (r > 0 && fds[1].revents & POLLIN)
			return -ECANCELED;
		/* One that is closed would end every poll() at once. */
		if (r > 0 && fds[1].revents)
			fds[1].fd = -1;
		if (r > 0 && fds[0].revents)
			return 1;
		now = clock_now_us();
		if (now >= tick)
			wait->tick(wait->context);
		if (now >= end)
			return now >= until_us ? 0 : -ETIMEDOUT;
	}
}
