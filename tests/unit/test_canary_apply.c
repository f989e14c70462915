/* A canary's flight: what dockerd is asked, and what is made of its answers. */
#include "fakedocker.h"

#include <errno.h>
#include <sys/eventfd.h>

#include "apply/canary.h"
#include "base/text.h"
#include "host/clock.h"

#define NAME "/containers/harden-canary-T1"
#define LIST "GET /containers/json?all=1&filters"
#define IMAGES "GET /images/json?filters"
#define IMPORT "POST /images/create?fromSrc=-&repo=harden-canary&tag=T1"
#define CREATE "POST /containers/create?name=harden-canary-T1"
#define ATTACH "POST " NAME "/attach?stream=1&stdout=1"
#define START "POST " NAME "/start"
#define INSPECT "GET " NAME "/json"
#define REMOVE "DELETE " NAME "?force=1&v=1"
#define UNTAG "DELETE /images/harden-canary:T1?force=1"

#define REPORT                                                                                     \
	"\1"                                                                                       \
	"harden-canary no_new_privs=1 seccomp=2 core=1:1\n"
#define ENDED(status)                                                                              \
	"{\"State\": {\"Status\": \"exited\", \"ExitCode\": " status ", \"Error\": \"\"}, "        \
	"\"HostConfig\": {\"Ulimits\": []}}"
#define MESSAGE(text) "{\"message\": \"" text "\"}"

/* Steps that go well. */
#define EMPTY_LISTS                                                                                \
	{LIST, 200, "[]", 0},                                                                      \
	{                                                                                          \
		IMAGES, 200, "[]", 0                                                               \
	}
#define IMPORTED                                                                                   \
	{                                                                                          \
		IMPORT, 200, "{\"status\": \"sha256:1\"}\r\n", 0                                   \
	}
#define CREATED                                                                                    \
	{                                                                                          \
		CREATE, 201, "{\"Id\": \"1\", \"Warnings\": []}", 0                                \
	}
#define ATTACHED                                                                                   \
	{                                                                                          \
		ATTACH, 200, REPORT, 0                                                             \
	}
#define STARTED                                                                                    \
	{                                                                                          \
		START, 204, NULL, 0                                                                \
	}
#define WELL_ENDED                                                                                 \
	{                                                                                          \
		INSPECT, 200, ENDED("0"), 0                                                        \
	}
#define REMOVED                                                                                    \
	{REMOVE, 204, NULL, 0},                                                                    \
	{                                                                                          \
		UNTAG, 200, "[]", 0                                                                \
	}
#define NO_MORE                                                                                    \
	{                                                                                          \
		.request = NULL                                                                    \
	}

static struct error error;
static struct canary canary;
static struct wait waiting;
static struct canary_options canary_options;

static int fly(const struct fake_answer *answers, unsigned milliseconds)
{
	error = ERROR_NONE;
	canary = CANARY_EMPTY;
	waiting.deadline_us = clock_now_us() + (uint64_t)milliseconds * 1000;
	if (!waiting.interrupt_fd)
		waiting.interrupt_fd = -1;
	canary_options.socket_path = fake_docker_path();
	canary_options.id = "T1";
	canary_options.wait = &waiting;
	if (answers)
		fake_docker_start(answers);
	return canary_run(&canary_options, &canary, &error);
}

static void check(enum canary_state state, const char *reason, const char *key)
{
	ck_assert_msg(canary.state == state, "%s: %s", canary_state_name(canary.state),
		      canary.reason ? canary.reason : "-");
	ck_assert_msg(reason ? canary.reason && strstr(canary.reason, reason) : !canary.reason,
		      "%s", canary.reason ? canary.reason : "-");
	ck_assert_msg(text_equal(canary.key, key), "%s", canary.key ? canary.key : "-");
	ck_assert(!canary.left);
}

START_TEST(one_that_ends_well_tells_what_it_got)
{
	static const struct fake_answer answers[] = {
		EMPTY_LISTS, IMPORTED, CREATED, ATTACHED, STARTED, WELL_ENDED, REMOVED, NO_MORE,
	};

	ck_assert_int_eq(fly(answers, 60000), 0);
	check(CANARY_PASSED, NULL, NULL);
	ck_assert_int_eq(canary.saw.no_new_privileges, YES);
	ck_assert_int_eq(canary.saw.seccomp, YES);
	ck_assert_int_ge(canary.took_us, 0);
	ck_assert_uint_eq(json_object_size(canary.saw.limits), 0);
	ck_assert_ptr_nonnull(strstr(fake_docker_log,
				     IMPORT "\n" CREATE "\n" ATTACH "\n" START "\n" INSPECT
					    "\n" REMOVE "\n" UNTAG "\n"));
	canary_done(&canary);
}
END_TEST

/* dockerd's list lags behind; and its report can be lost, which is no failure. */
START_TEST(one_that_takes_its_time_is_waited_for)
{
	static const struct fake_answer answers[] = {
		EMPTY_LISTS,
		IMPORTED,
		CREATED,
		{ATTACH, 500, MESSAGE("no"), 0},
		STARTED,
		{INSPECT, 200, "{\"State\": {\"Status\": \"running\", \"ExitCode\": 0}}", 2},
		WELL_ENDED,
		REMOVED,
		NO_MORE,
	};

	ck_assert_int_eq(fly(answers, 60000), 0);
	check(CANARY_PASSED, NULL, NULL);
	ck_assert_int_eq(canary.saw.no_new_privileges, UNKNOWN);
	ck_assert_ptr_null(canary.saw.limits);
	canary_done(&canary);
}
END_TEST

/* The report came, and then nothing more. */
START_TEST(output_that_does_not_end_is_not_waited_for)
{
	static const struct fake_answer answers[] = {
		EMPTY_LISTS, IMPORTED,
		CREATED,     {ATTACH, 200, "\2harden-canary no_new_privs=1\n", 0},
		STARTED,     WELL_ENDED,
		REMOVED,     NO_MORE,
	};

	ck_assert_int_eq(fly(answers, 10000), 0);
	check(CANARY_PASSED, NULL, NULL);
	canary_done(&canary);
}
END_TEST

/* One step that goes wrong, the others go well. */
static const struct {
	struct fake_answer answer;
	enum canary_state state;
	const char *reason;
	const char *key;
} refusals[] = {
	{{IMPORT, 403, MESSAGE("authorization denied by plugin opa"), 0},
	 CANARY_SKIPPED,
	 "its image could not be imported: authorization denied by plugin",
	 NULL},
	{{IMPORT, 404, "404 page not found", 0}, CANARY_SKIPPED, "dockerd answered 404", NULL},
	{{IMPORT, 500, MESSAGE("write /x: no space left on device"), 0},
	 CANARY_SKIPPED,
	 "no space left",
	 NULL},
	{{IMPORT, 500, MESSAGE("failed to register layer: lchown /x: invalid argument"), 0},
	 CANARY_FAILED,
	 "lchown",
	 "userns-remap"},
	/* Once it has begun, an import answers 200, and says at the end how it went. */
	{{IMPORT, 200,
	  "{\"status\": \"unpacking\"}\r\n{\"errorDetail\": {\"message\": \"lchown x: "
	  "invalid argument\"}, \"error\": \"lchown x: invalid argument\"}\r\n",
	  0},
	 CANARY_FAILED,
	 "lchown",
	 "userns-remap"},
	{{IMPORT, 200,
	  "{\"errorDetail\": {\"message\": \"no space left on device\"}, "
	  "\"error\": \"no space left on device\"}\r\n",
	  0},
	 CANARY_SKIPPED,
	 "no space left",
	 NULL},
	{{CREATE, 400, MESSAGE("unknown or invalid runtime name: gone"), 0},
	 CANARY_FAILED,
	 "a container cannot be created: unknown or invalid runtime name: gone",
	 "default-runtime"},
	/* The image was there a moment ago, so that this is no missing API. */
	{{CREATE, 404, MESSAGE("no such thing"), 0}, CANARY_FAILED, "no such thing", NULL},
	{{CREATE, 403, MESSAGE("authorization denied"), 0}, CANARY_SKIPPED, "denied", NULL},
	{{START, 500,
	  MESSAGE("error setting rlimits for ready process: error setting rlimit type "
		  "7: operation not permitted"),
	  0},
	 CANARY_FAILED,
	 "a container does not start: error setting rlimits",
	 "default-ulimits"},
	{{START, 500, MESSAGE("failed to initialize logging driver: dial tcp 127.0.0.1:1"), 0},
	 CANARY_FAILED,
	 "a container does not start: failed to initialize",
	 "log-driver"},
	{{START, 500, MESSAGE("no available IPv4 addresses on this network's"), 0},
	 CANARY_SKIPPED,
	 "no available IPv4 addresses",
	 NULL},
	{{START, 500, MESSAGE("moved\\u001b[2J cursor"), 0},
	 CANARY_FAILED,
	 "moved\\x1b[2J cursor",
	 NULL},
	{{INSPECT, 200, ENDED("137"), 0}, CANARY_FAILED, "ended with status 137", NULL},
	{{INSPECT, 404, MESSAGE("No such container"), 0}, CANARY_FAILED, "No such", NULL},
};

START_TEST(refusals_fail_it_or_say_nothing)
{
	const struct fake_answer answers[] = {
		refusals[_i].answer, EMPTY_LISTS, IMPORTED, CREATED, ATTACHED, STARTED,
		WELL_ENDED,          REMOVED,     NO_MORE,
	};

	ck_assert_int_eq(fly(answers, 60000), 0);
	check(refusals[_i].state, refusals[_i].reason, refusals[_i].key);
	/* Whatever came of it, it is taken away. */
	ck_assert(text_ends_with(fake_docker_log, REMOVE "\n" UNTAG "\n"));
	canary_done(&canary);
}
END_TEST

/* A log driver that hangs. */
START_TEST(a_start_that_never_ends_is_a_failure)
{
	static const struct fake_answer answers[] = {
		EMPTY_LISTS, IMPORTED, CREATED, ATTACHED, {START, 0, NULL, 0}, REMOVED, NO_MORE,
	};

	ck_assert_int_eq(fly(answers, 300), 0);
	check(CANARY_FAILED, "did not come to an end", NULL);
	canary_done(&canary);
}
END_TEST

START_TEST(an_import_that_never_ends_says_nothing)
{
	static const struct fake_answer answers[] = {
		EMPTY_LISTS,
		{IMPORT, 0, NULL, 0},
		REMOVED,
		NO_MORE,
	};

	ck_assert_int_eq(fly(answers, 300), 0);
	check(CANARY_SKIPPED, "did not answer in time", NULL);
	canary_done(&canary);
}
END_TEST

START_TEST(one_that_never_ends_is_a_failure)
{
	static const struct fake_answer answers[] = {
		EMPTY_LISTS, IMPORTED, CREATED,
		ATTACHED,    STARTED,  {INSPECT, 200, "{\"State\": {\"Status\": \"running\"}}", 0},
		REMOVED,     NO_MORE,
	};

	ck_assert_int_eq(fly(answers, 300), 0);
	check(CANARY_FAILED, "did not do so in time", NULL);
	canary_done(&canary);
}
END_TEST

START_TEST(nobody_at_the_socket_says_nothing)
{
	ck_assert_int_eq(fly(NULL, 300), 0);
	ck_assert_int_eq(canary.state, CANARY_SKIPPED);
	ck_assert(canary.left);
	canary_done(&canary);
}
END_TEST

START_TEST(it_can_be_interrupted_and_is_taken_away)
{
	static const struct fake_answer answers[] = {
		EMPTY_LISTS,
		{IMPORT, 0, NULL, 0},
		REMOVED,
		NO_MORE,
	};

	waiting.interrupt_fd = eventfd(1, EFD_CLOEXEC);
	ck_assert_int_eq(fly(answers, 60000), -ECANCELED);
	ck_assert(text_ends_with(fake_docker_log, REMOVE "\n" UNTAG "\n"));
}
END_TEST

START_TEST(what_an_earlier_one_has_left_goes_first)
{
	static const struct fake_answer answers[] = {
		{LIST, 200,
		 "[{\"Id\": \"2\", \"Labels\": {\"org.harden.canary\": \"OLD\"}}, "
		 "{\"Id\": \"3\", \"Labels\": {\"org.harden.canary\": \"../x\"}}]",
		 0},
		{IMAGES, 200,
		 "[{\"RepoTags\": [\"harden-canary:OLDER\"]}, {\"RepoTags\": "
		 "[\"mine:1\"]}, {\"RepoTags\": null}]",
		 0},
		{"DELETE /containers/harden-canary-OLD?", 204, NULL, 0},
		{"DELETE /images/harden-canary:OLDER?", 200, "[]", 0},
		IMPORTED,
		CREATED,
		ATTACHED,
		STARTED,
		WELL_ENDED,
		REMOVED,
		NO_MORE,
	};

	ck_assert_int_eq(fly(answers, 60000), 0);
	check(CANARY_PASSED, NULL, NULL);
	ck_assert_ptr_nonnull(strstr(fake_docker_log, "DELETE /containers/harden-canary-OLD?"));
	ck_assert_ptr_nonnull(strstr(fake_docker_log, "DELETE /images/harden-canary:OLD?"));
	ck_assert_ptr_nonnull(strstr(fake_docker_log, "DELETE /containers/harden-canary-OLDER?"));
	ck_assert_ptr_nonnull(strstr(fake_docker_log, "DELETE /images/harden-canary:OLDER?"));
	ck_assert_ptr_null(strstr(fake_docker_log, "../x"));
	ck_assert_ptr_null(strstr(fake_docker_log, "mine"));
	canary_done(&canary);
}
END_TEST

START_TEST(one_that_cannot_be_taken_away_is_told)
{
	static const struct fake_answer answers[] = {
		EMPTY_LISTS,
		IMPORTED,
		CREATED,
		ATTACHED,
		STARTED,
		WELL_ENDED,
		{REMOVE, 500, MESSAGE("device busy"), 0},
		REMOVED,
		NO_MORE,
	};

	ck_assert_int_eq(fly(answers, 60000), 0);
	ck_assert_int_eq(canary.state, CANARY_PASSED);
	ck_assert(canary.left);
	/* The image is tried all the same. */
	ck_assert(text_ends_with(fake_docker_log, UNTAG "\n"));
	canary_done(&canary);
}
END_TEST

START_TEST(only_an_id_becomes_part_of_a_path)
{
	static const char *const ids[] = {"", "../x", "a/b", "a?b", "a b"};

	waiting = (struct wait){.deadline_us = clock_now_us() + 1000000, .interrupt_fd = -1};
	for (size_t i = 0; i < array_size(ids); i++) {
		error = ERROR_NONE;
		ck_assert_int_eq(canary_remove(fake_docker_path(), ids[i], &waiting, &error),
				 -EINVAL);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		one_that_ends_well_tells_what_it_got,       one_that_takes_its_time_is_waited_for,
		output_that_does_not_end_is_not_waited_for, a_start_that_never_ends_is_a_failure,
		an_import_that_never_ends_says_nothing,     one_that_never_ends_is_a_failure,
		nobody_at_the_socket_says_nothing,          it_can_be_interrupted_and_is_taken_away,
		what_an_earlier_one_has_left_goes_first,    one_that_cannot_be_taken_away_is_told,
		only_an_id_becomes_part_of_a_path,          NULL,
	};

	return tree_main_loop("canary_apply", tests, refusals_fail_it_or_say_nothing,
			      array_size(refusals));
}
