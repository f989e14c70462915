/* Containers, stopped and started: what dockerd is told, and what becomes of its answers. */
#include "fakedocker.h"

#include <errno.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "apply/containers.h"

#define HEX16 "0123456789abcdef"
#define ID(n) HEX16 HEX16 HEX16 "0123456789abcde" n

#define STOP(n) "POST /containers/" ID(n) "/stop"
#define START(n) "POST /containers/" ID(n) "/start"
#define PAUSE(n) "POST /containers/" ID(n) "/pause"
#define LIST "GET /containers/json"
#define LIST_ALL "GET /containers/json?all=1"

/* Entries of the list. */
#define ENTRY(n, state) "{\"Id\": \"" ID(n) "\", \"Names\": [\"/" n "\"], \"State\": \"" state "\"}"
#define ENDED(n, status)                                                                           \
	"{\"Id\": \"" ID(n) "\", \"State\": \"exited\", \"Status\": \"Exited (" status ") "        \
			    "3 seconds ago\"}"
#define TASK(n)                                                                                    \
	"{\"Id\": \"" ID(n) "\", \"State\": \"running\", \"Labels\": "                             \
			    "{\"com.docker.swarm.service.name\": \"shop\"}}"

#define NO_MORE                                                                                    \
	{                                                                                          \
		.request = NULL                                                                    \
	}

static struct daemon daemon_fake;
static struct error error;
static struct strlist gone;

static struct txn_container a = {.id = (char[]){ID("a")}, .name = (char[]){"web"}};
static struct txn_container b = {.id = (char[]){ID("b")}, .name = (char[]){"db"}};
static struct txn_container c = {.id = (char[]){ID("c")}, .name = (char[]){"cache"}};

/* The containers a, b and c, or the first of them. */
static struct txn_containers some(size_t count)
{
	static struct txn_container items[3];

	items[0] = a;
	items[1] = b;
	items[2] = c;
	return (struct txn_containers){items, count};
}

static void begin(const struct fake_answer *answers, unsigned timeout_seconds)
{
	error = ERROR_NONE;
	daemon_fake = (struct daemon){
		.socket_path = fake_docker_path(),
		.timeout_seconds = timeout_seconds,
		.interrupt_fd = -1,
	};
	fake_docker_start(answers);
}

/* Somebody wants to stop. */
static void interrupt(void)
{
	daemon_fake.interrupt_fd = eventfd(1, EFD_CLOEXEC);
	ck_assert_int_ge(daemon_fake.interrupt_fd, 0);
}

static int stop(size_t count)
{
	const struct txn_containers which = some(count);

	return containers_stop(&daemon_fake, &which, &error);
}

static int start(size_t count, bool lost_only)
{
	const struct txn_containers which = some(count);

	return containers_start(&daemon_fake, &which, lost_only, &gone, &error);
}

static void check_error(int code, const char *step, const char *path, const char *text)
{
	ck_assert_int_eq(error.code, code);
	ck_assert_str_eq(error.step, step);
	ck_assert_str_eq(error.path, path);
	ck_assert_msg(strstr(error.text, text) != NULL, "%s", error.text);
}

/* ---- stopping ---- */

START_TEST(all_are_stopped_and_waited_for)
{
	/* 304: it is so already. 404: it is gone, which is as good. */
	static const struct fake_answer answers[] = {
		{STOP("a"), 204, NULL, 0},
		{STOP("b"), 304, NULL, 0},
		{STOP("c"), 404, "{\"message\": \"No such container\"}", 0},
		{LIST, 200, "[" ENTRY("a", "running") ", " ENTRY("b", "paused") "]", 1},
		{LIST, 200, "[" ENTRY("b", "restarting") "]", 1},
		{LIST, 200, "[" ENTRY("a", "exited") ", " TASK("f") "]", 0},
		NO_MORE,
	};

	begin(answers, 60);
	ck_assert_int_eq(stop(3), 0);
	ck_assert_int_eq(error.code, 0);
	ck_assert_str_eq(fake_docker_log, STOP("a") "\n" STOP("b") "\n" STOP(
						  "c") "\n" LIST "\n" LIST "\n" LIST "\n");
}
END_TEST

START_TEST(what_cannot_be_stopped_is_said_in_dockerds_words)
{
	static const struct fake_answer answers[] = {
		{STOP("a"), 204, NULL, 0},
		{STOP("b"), 500, "{\"message\": \"cannot kill it\"}", 0},
		{STOP("c"), 500, "nonsense", 0},
		NO_MORE,
	};

	begin(answers, 60);
	ck_assert_int_eq(stop(3), -EIO);
	check_error(-EIO, "stop", "db", "dockerd answered 500: cannot kill it");
	/* The others were told all the same, and then nobody waits. */
	ck_assert_str_eq(fake_docker_log, STOP("a") "\n" STOP("b") "\n" STOP("c") "\n");
}
END_TEST

START_TEST(an_error_without_words_is_one_too)
{
	static const struct fake_answer answers[] = {
		{STOP("a"), 500, "nonsense", 0},
		NO_MORE,
	};

	begin(answers, 60);
	ck_assert_int_eq(stop(1), -EIO);
	ck_assert_str_eq(error.text, "dockerd answered 500");
}
END_TEST

START_TEST(no_answer_is_not_waited_for_without_end)
{
	static const struct fake_answer answers[] = {
		{STOP("a"), 0, NULL, 0},
		{STOP("b"), 204, NULL, 0},
		NO_MORE,
	};

	begin(answers, 1);
	ck_assert_int_eq(stop(2), -ETIMEDOUT);
	check_error(-ETIMEDOUT, "stop", "web", "did not answer in time");
	/* The next one was told, though a slow machine may hear it only now. */
	while (strcmp(fake_docker_log, STOP("a") "\n" STOP("b") "\n") != 0)
		(void)usleep(1000);
}
END_TEST

START_TEST(one_that_stays_up_is_not_waited_for_without_end)
{
	static const struct fake_answer answers[] = {
		{STOP("a"), 204, NULL, 0},
		{LIST, 200, "[" ENTRY("a", "running") "]", 0},
		NO_MORE,
	};

	begin(answers, 1);
	ck_assert_int_eq(stop(1), -ETIMEDOUT);
	check_error(-ETIMEDOUT, "stop containers", "", "still running after 1 seconds");
}
END_TEST

START_TEST(one_that_was_started_in_the_meantime_is_busy)
{
	static const struct fake_answer answers[] = {
		{STOP("a"), 204, NULL, 0},
		{LIST, 200,
		 "[" TASK("f") ", " ENTRY("a", "running") ", " ENTRY("e", "exited") ", " ENTRY(
			 "d", "running") "]",
		 0},
		NO_MORE,
	};

	begin(answers, 60);
	ck_assert_int_eq(stop(1), -EBUSY);
	ck_assert_int_eq(error.code, -EBUSY);
	ck_assert_ptr_nonnull(strchr(error.path, 'd'));
	ck_assert_ptr_nonnull(strstr(error.text, "started in the meantime"));
}
END_TEST

/* Nobody is told anything, but it is made sure that none is up. */
START_TEST(none_to_stop_is_looked_at)
{
	static const struct fake_answer answers[] = {
		{LIST, 200, "[]", 1},
		{LIST, 200, "[" ENTRY("a", "paused") "]", 0},
		NO_MORE,
	};

	begin(answers, 60);
	ck_assert_int_eq(stop(0), 0);
	ck_assert_str_eq(fake_docker_log, LIST "\n");
	ck_assert_int_eq(stop(0), -EBUSY);
}
END_TEST

START_TEST(a_list_that_is_none_is_an_error)
{
	static const struct fake_answer answers[] = {
		{STOP("a"), 204, NULL, 0},
		{LIST, 200, "{}", 1},
		{LIST, 200, "[", 1},
		{LIST, 500, "{\"message\": \"no list\"}", 1},
		NO_MORE,
	};

	begin(answers, 60);
	ck_assert_int_eq(stop(1), -EBADMSG);
	error = ERROR_NONE;
	ck_assert_int_eq(stop(1), -EBADMSG);
	error = ERROR_NONE;
	ck_assert_int_eq(stop(1), -EIO);
	check_error(-EIO, "list", "containers", "dockerd answered 500: no list");
}
END_TEST

START_TEST(stopping_can_be_interrupted)
{
	static const struct fake_answer answers[] = {
		{STOP("a"), 0, NULL, 0},
		{STOP("b"), 204, NULL, 0},
		NO_MORE,
	};

	begin(answers, 60);
	interrupt();
	ck_assert_int_eq(stop(2), -ECANCELED);
	ck_assert_str_eq(error.text, "interrupted");
	(void)close(daemon_fake.interrupt_fd);
}
END_TEST

START_TEST(waiting_until_they_are_down_can_be_interrupted)
{
	static const struct fake_answer answers[] = {
		{LIST, 200, "[" ENTRY("a", "running") "]", 0},
		{STOP("a"), 204, NULL, 0},
		NO_MORE,
	};

	begin(answers, 60);
	interrupt();
	ck_assert_int_eq(stop(1), -ECANCELED);
	(void)close(daemon_fake.interrupt_fd);
}
END_TEST

START_TEST(where_nobody_listens_nothing_is_stopped)
{
	static const struct fake_answer answers[] = {NO_MORE};

	begin(answers, 60);
	ck_assert_int_eq(unlink(daemon_fake.socket_path), 0);
	ck_assert_int_eq(stop(2), -ENOENT);
	ck_assert_str_eq(error.path, "web");
}
END_TEST

/* ---- starting ---- */

START_TEST(those_that_are_down_are_started_in_order)
{
	static const struct fake_answer answers[] = {
		{LIST_ALL, 200,
		 "[" ENDED("c", "0") ", " ENTRY("b", "created") ", " ENDED("a", "137") "]", 0},
		{START("a"), 204, NULL, 0},
		{START("b"), 304, NULL, 0},
		{START("c"), 204, NULL, 0},
		NO_MORE,
	};

	begin(answers, 60);
	ck_assert_int_eq(start(3, false), 0);
	ck_assert_str_eq(fake_docker_log,
			 LIST_ALL "\n" START("a") "\n" START("b") "\n" START("c") "\n");
	ck_assert_uint_eq(gone.count, 0);
}
END_TEST

START_TEST(those_that_are_up_are_left_alone)
{
	static const struct fake_answer answers[] = {
		{LIST_ALL, 200,
		 "[" ENTRY("a", "running") ", " ENTRY("b", "restarting") ", " ENTRY("c",
										    "paused") "]",
		 0},
		NO_MORE,
	};

	begin(answers, 60);
	ck_assert_int_eq(start(3, false), 0);
	ck_assert_str_eq(fake_docker_log, LIST_ALL "\n");
	ck_assert_uint_eq(gone.count, 0);
}
END_TEST

START_TEST(those_that_were_paused_are_paused_again)
{
	static const struct fake_answer answers[] = {
		{LIST_ALL, 200,
		 "[" ENTRY("a", "exited") ", " ENTRY("b", "running") ", " ENTRY("c", "paused") "]",
		 0},
		{START("a"), 204, NULL, 0},
		{PAUSE("a"), 204, NULL, 0},
		{PAUSE("b"), 204, NULL, 0},
		NO_MORE,
	};

	a.paused = b.paused = c.paused = true;
	begin(answers, 60);
	ck_assert_int_eq(start(3, false), 0);
	ck_assert_str_eq(fake_docker_log,
			 LIST_ALL "\n" START("a") "\n" PAUSE("a") "\n" PAUSE("b") "\n");
	ck_assert_uint_eq(gone.count, 0);
}
END_TEST

/* One is not in the list, one goes between the list and its start, and one before its pause. */
START_TEST(those_that_are_gone_are_named)
{
	static const struct fake_answer answers[] = {
		{LIST_ALL, 200, "[" ENTRY("b", "exited") ", " ENTRY("c", "exited") "]", 0},
		{START("b"), 404, "{\"message\": \"No such container\"}", 0},
		{START("c"), 204, NULL, 0},
		{PAUSE("c"), 404, "{\"message\": \"No such container\"}", 0},
		NO_MORE,
	};

	b.paused = c.paused = true;
	begin(answers, 60);
	ck_assert_int_eq(start(3, false), 0);
	ck_assert_int_eq(error.code, 0);
	ck_assert_str_eq(fake_docker_log,
			 LIST_ALL "\n" START("b") "\n" START("c") "\n" PAUSE("c") "\n");
	ck_assert_uint_eq(gone.count, 3);
	ck_assert_str_eq(gone.items[0], "web");
	ck_assert_str_eq(gone.items[1], "db");
	ck_assert_str_eq(gone.items[2], "cache");
	strlist_done(&gone);
}
END_TEST

START_TEST(one_that_has_ended_well_was_not_lost)
{
	static const struct fake_answer answers[] = {
		{LIST_ALL, 200,
		 "[" ENDED("a", "0") ", " ENDED("b", "137") ", " ENTRY("c", "created") "]", 0},
		{"POST /", 204, NULL, 0},
		NO_MORE,
	};

	begin(answers, 60);
	ck_assert_int_eq(start(3, true), 0);
	ck_assert_str_eq(fake_docker_log, LIST_ALL "\n" START("b") "\n" START("c") "\n");
	ck_assert_uint_eq(gone.count, 0);
}
END_TEST

/* The next ones may need it. */
START_TEST(one_that_does_not_start_ends_it)
{
	static const struct fake_answer answers[] = {
		{LIST_ALL, 200, "[" ENTRY("b", "exited") ", " ENTRY("c", "exited") "]", 0},
		{START("b"), 500, "{\"message\": \"port is already allocated\"}", 0},
		NO_MORE,
	};

	begin(answers, 60);
	ck_assert_int_eq(start(3, false), -EIO);
	check_error(-EIO, "start", "db", "dockerd answered 500: port is already allocated");
	ck_assert_str_eq(fake_docker_log, LIST_ALL "\n" START("b") "\n");
	ck_assert_uint_eq(gone.count, 1);
	strlist_done(&gone);
}
END_TEST

START_TEST(a_start_is_not_waited_for_without_end)
{
	static const struct fake_answer answers[] = {
		{LIST_ALL, 200, "[" ENTRY("a", "exited") "]", 0},
		{START("a"), 0, NULL, 0},
		NO_MORE,
	};

	begin(answers, 1);
	ck_assert_int_eq(start(1, false), -ETIMEDOUT);
	check_error(-ETIMEDOUT, "start", "web", "did not answer in time");
}
END_TEST

START_TEST(none_to_start_asks_nobody)
{
	static const struct fake_answer answers[] = {NO_MORE};

	begin(answers, 60);
	ck_assert_int_eq(start(0, false), 0);
	ck_assert_str_eq(fake_docker_log, "");
}
END_TEST

/* ---- tasks ---- */

START_TEST(tasks_are_waited_for)
{
	static const struct fake_answer answers[] = {
		{LIST, 200, "[]", 1},
		{LIST, 200, "[" TASK("a") ", " ENTRY("b", "running") "]", 1},
		{LIST, 200, "[" TASK("a") ", " TASK("b") ", " TASK("c") "]", 0},
		NO_MORE,
	};

	begin(answers, 60);
	ck_assert(containers_wait_tasks(&daemon_fake, 2));
	ck_assert_str_eq(fake_docker_log, LIST "\n" LIST "\n" LIST "\n");
	ck_assert(containers_wait_tasks(&daemon_fake, 3));
}
END_TEST

START_TEST(tasks_are_not_waited_for_without_end)
{
	static const struct fake_answer answers[] = {
		{LIST, 200, "[" TASK("a") ", " ENTRY("b", "running") "]", 0},
		NO_MORE,
	};

	begin(answers, 1);
	ck_assert(!containers_wait_tasks(&daemon_fake, 2));
	daemon_fake.timeout_seconds = 60;
	interrupt();
	ck_assert(!containers_wait_tasks(&daemon_fake, 2));
	(void)close(daemon_fake.interrupt_fd);
}
END_TEST

START_TEST(tasks_that_cannot_be_seen_are_not_there)
{
	static const struct fake_answer answers[] = {
		{LIST, 500, NULL, 0},
		NO_MORE,
	};

	begin(answers, 60);
	ck_assert(!containers_wait_tasks(&daemon_fake, 1));
}
END_TEST

/* ---- processes that nobody knows ---- */

/* The tree's /proc becomes that of this process; others do not see it. Returns 0 or errno. */
static int enter_proc_of_tree(void)
{
	if (unshare(CLONE_NEWNS) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return errno;
	if (mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount(tree_path("/proc"), "/proc", "none", MS_BIND, NULL) < 0)
		return errno;
	return 0;
}

/* What was found in a process of its own. */
static struct orphans {
	int entered; /* 0, or errno */
	int result;
	struct error error;
} * orphans;

/* What the daemon knew before. */
static struct container_facts known_list[] = {
	{.id = (char *)ID("a"), .name = (char *)"web"},
	{.id = (char *)ID("b"), .name = (char *)"db"},
};
static const struct facts known = {.container_list = known_list, .container_count = 2};

/* False where this process may not have a /proc of its own, which is a failure in CI. */
static bool check_orphans(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		orphans->entered = enter_proc_of_tree();
		orphans->error = ERROR_NONE;
		if (!orphans->entered)
			orphans->result =
				containers_check_orphans(&daemon_fake, &known, &orphans->error);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	if (!orphans->entered)
		return true;
	(void)fprintf(stderr, "orphans are not tested: a mount namespace: %s\n",
		      strerror(orphans->entered));
	ck_assert_ptr_null(getenv("CI"));
	return false;
}

START_TEST(processes_that_the_daemon_does_not_know_are_orphans)
{
	static const struct fake_answer answers[] = {
		{LIST_ALL, 200, "[" ENTRY("a", "running") ", " ENTRY("b", "running") "]", 1},
		{LIST_ALL, 200, "[" ENTRY("b", "running") "]", 1},
		{LIST_ALL, 200, "[]", 1},
		{LIST_ALL, 500, "{\"message\": \"no list\"}", 0},
		NO_MORE,
	};

	orphans = mmap(NULL, sizeof *orphans, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	ck_assert_ptr_ne(orphans, MAP_FAILED);
	tree_write("/proc/1/cgroup", "0::/init.scope\n");
	tree_write("/proc/12/cgroup", "0::/system.slice/docker-" ID("a") ".scope\n");
	/* Another daemon's. */
	tree_write("/proc/14/cgroup", "0::/user.slice/docker-" ID("c") ".scope\n");
	tree_write("/proc/13/cgroup", "0::/system.slice/docker-" ID("a") ".scope\n");
	begin(answers, 60);
	if (!check_orphans())
		return;
	ck_assert_int_eq(orphans->result, 0);
	ck_assert(check_orphans());
	ck_assert_int_eq(orphans->result, -EIO);
	ck_assert_str_eq(orphans->error.step, "prove");
	ck_assert_str_eq(orphans->error.path, "web");
	ck_assert_str_eq(orphans->error.text,
			 "its processes run on, and the daemon does not know it");
	tree_write("/proc/12/cgroup", "0::/system.slice/docker.service\n");
	tree_write("/proc/13/cgroup", "0::/system.slice/docker.service\n");
	ck_assert(check_orphans());
	ck_assert_int_eq(orphans->result, 0);
	ck_assert(check_orphans());
	ck_assert_int_eq(orphans->result, -EIO);
	ck_assert_str_eq(orphans->error.step, "list");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		all_are_stopped_and_waited_for,
		what_cannot_be_stopped_is_said_in_dockerds_words,
		an_error_without_words_is_one_too,
		no_answer_is_not_waited_for_without_end,
		one_that_stays_up_is_not_waited_for_without_end,
		one_that_was_started_in_the_meantime_is_busy,
		none_to_stop_is_looked_at,
		a_list_that_is_none_is_an_error,
		stopping_can_be_interrupted,
		waiting_until_they_are_down_can_be_interrupted,
		where_nobody_listens_nothing_is_stopped,
		those_that_are_down_are_started_in_order,
		those_that_are_up_are_left_alone,
		those_that_were_paused_are_paused_again,
		those_that_are_gone_are_named,
		one_that_has_ended_well_was_not_lost,
		one_that_does_not_start_ends_it,
		a_start_is_not_waited_for_without_end,
		none_to_start_asks_nobody,
		tasks_are_waited_for,
		tasks_are_not_waited_for_without_end,
		tasks_that_cannot_be_seen_are_not_there,
		processes_that_the_daemon_does_not_know_are_orphans,
		NULL,
	};

	return tree_main("containers_apply", tests);
}
