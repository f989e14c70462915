/* Programs that are run: what they print, how they end, and that none outlives its deadline. */
#include "tree.h"

#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

#include "host/clock.h"
#include "host/command.h"

static struct strbuf output;
static int status;

/* With /bin/sh -c. */
static int run(struct command command, const char *script, unsigned milliseconds)
{
	const char *const argv[] = {"/bin/sh", "-c", script, NULL};

	command.argv = argv;
	if (!command.output_max)
		command.output_max = 1000;
	status = -1;
	output = STRBUF_EMPTY;
	return command_run(&command, clock_now_us() + (uint64_t)milliseconds * 1000, &output,
			   &status);
}

static const struct command own = {.errors = true, .last = true, .group = true};

/* Whether there is a process whose id is in the file. */
static bool is_alive(const char *name)
{
	FILE *file = fopen(tree_path(name), "r");
	int pid = 0;

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fscanf(file, "%d", &pid), 1);
	(void)fclose(file);
	/* It is nobody's child that is waited for, so it may be there as a zombie. */
	char path[64];
	char state = 0;
	(void)snprintf(path, sizeof path, "/proc/%d/stat", pid);
	file = fopen(path, "r");
	if (!file)
		return false;
	int found = fscanf(file, "%*d (%*[^)]) %c", &state);
	(void)fclose(file);
	return found == 1 && state != 'Z';
}

/* A signal that was sent need not have arrived. */
static bool lives(const char *name)
{
	for (int i = 0; i < 1000 && is_alive(name); i++)
		(void)usleep(20000);
	return is_alive(name);
}

/* A script that begins in the folder of this test. */
static const char *here(const char *script)
{
	static char text[3 * PATH_MAX];

	(void)snprintf(text, sizeof text, "cd '%s'; %s", tree_root, script);
	return text;
}

START_TEST(output_and_status_are_taken)
{
	ck_assert_int_eq(run((struct command){.input = "in", .input_length = 2},
			     "cat; echo x; echo y >&2; exit 3", 60000),
			 0);
	ck_assert_str_eq(output.data, "inx\n");
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 3);
	strbuf_done(&output);

	ck_assert_int_eq(run((struct command){.errors = true}, "echo x; echo y >&2", 60000), 0);
	ck_assert_str_eq(output.data, "x\ny\n");
	strbuf_done(&output);

	ck_assert_int_eq(run(own, "echo x; echo y >&2; read line || exit 4", 60000), 0);
	ck_assert_str_eq(output.data, "x\ny\n");
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 4);
	strbuf_done(&output);

	ck_assert_int_eq(run(own, "kill -TERM $$", 60000), 0);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	strbuf_done(&output);
}
END_TEST

START_TEST(too_much_is_cut_or_ends_it)
{
	struct command command = own;

	ck_assert_int_eq(
		run((struct command){.output_max = 10}, "echo 1234567890; sleep 60", 60000),
		-EMSGSIZE);
	strbuf_done(&output);
	command.output_max = 10;
	ck_assert_int_eq(run(command, "seq 100000", 60000), 0);
	ck_assert_str_eq(output.data, "999\n100000\n" + 1);
	strbuf_done(&output);
}
END_TEST

START_TEST(past_the_deadline_all_of_them_are_killed)
{
	ck_assert_int_eq(run((struct command){.errors = true}, "echo x; sleep 60", 200),
			 -ETIMEDOUT);
	ck_assert_str_eq(output.data, "x\n");
	strbuf_done(&output);

	ck_assert_int_eq(run(own,
			     here("sleep 60 & echo $! >child; echo $$ >self; echo x; "
				  "wait"),
			     500),
			 -ETIMEDOUT);
	ck_assert_str_eq(output.data, "x\n");
	ck_assert(!lives("/self"));
	ck_assert(!lives("/child"));
	strbuf_done(&output);

	/* One that ignores signals, and one that prints for ever. */
	ck_assert_int_eq(run(own, "trap '' TERM INT HUP; sleep 60", 200), -ETIMEDOUT);
	strbuf_done(&output);
	ck_assert_int_eq(run(own, "while :; do echo y; done", 200), -ETIMEDOUT);
	strbuf_done(&output);
}
END_TEST

/* It keeps the output open, and is nobody that a status is waited for. */
START_TEST(those_left_in_the_background_are_not_waited_for)
{
	ck_assert_int_eq(run(own, here("sleep 60 & echo $! >child; echo x; exit 5"), 30000), 0);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 5);
	ck_assert_str_eq(output.data, "x\n");
	ck_assert(is_alive("/child"));
	FILE *file = fopen(tree_path("/child"), "r");
	int pid = 0;
	ck_assert_int_eq(fscanf(file, "%d", &pid), 1);
	(void)fclose(file);
	(void)kill(pid, SIGKILL);
	strbuf_done(&output);
}
END_TEST

static unsigned ticks;

static void tick(void *context)
{
	(void)context;
	ticks++;
}

START_TEST(somebody_may_look_on_and_stop_it)
{
	struct command command = own;
	struct command_watch watch = {.interrupt_fd = eventfd(0, EFD_CLOEXEC), .tick = tick};
	const uint64_t one = 1;

	command.watch = &watch;
	ck_assert_int_eq(run(command, "sleep 0.3", 60000), 0);
	ck_assert_uint_gt(ticks, 1);
	strbuf_done(&output);
	ck_assert_int_eq(write(watch.interrupt_fd, &one, sizeof one), sizeof one);
	ck_assert_int_eq(run(command, here("echo $$ >self; sleep 60"), 60000), -ECANCELED);
	strbuf_done(&output);
}
END_TEST

/* What harden blocks and ignores would otherwise be blocked and ignored in the command, too. */
START_TEST(signals_are_as_usual)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	ck_assert_int_eq(sigprocmask(SIG_BLOCK, &set, NULL), 0);
	(void)signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(run(own, "kill -TERM $$; exit 0", 60000), 0);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	strbuf_done(&output);
	ck_assert_int_eq(run((struct command){.errors = true}, "kill -PIPE $$; exit 0", 60000), 0);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
	strbuf_done(&output);
}
END_TEST

START_TEST(the_environment_is_what_is_given)
{
	struct command command = own;
	char *const environment[] = {(char[]){"A=1"}, (char[]){"B=2"}, NULL};

	command.environment = environment;
	ck_assert_int_eq(run(command, "echo $A$B$HOME", 60000), 0);
	ck_assert_str_eq(output.data, "12\n");
	strbuf_done(&output);
	ck_assert_int_eq(run(own, "echo $PATH$HOME", 60000), 0);
	ck_assert_str_eq(output.data, "/usr/sbin:/usr/bin:/sbin:/bin\n");
	strbuf_done(&output);
}
END_TEST

START_TEST(what_does_not_exist_is_an_error)
{
	const char *const argv[] = {"/nowhere/at/all", NULL};
	const struct command command = {.argv = argv, .output_max = 10};

	output = STRBUF_EMPTY;
	int r = command_run(&command, clock_now_us() + 1000000, &output, &status);
	/* Where posix_spawn() cannot tell, as under valgrind, the child does. */
	ck_assert(r == -ENOENT || (r == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 127));
	strbuf_done(&output);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		output_and_status_are_taken,
		too_much_is_cut_or_ends_it,
		past_the_deadline_all_of_them_are_killed,
		those_left_in_the_background_are_not_waited_for,
		somebody_may_look_on_and_stop_it,
		signals_are_as_usual,
		the_environment_is_what_is_given,
		what_does_not_exist_is_an_error,
		NULL,
	};

	return tree_main("command", tests);
}
