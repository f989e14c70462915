#include "tree.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <systemd/sd-bus.h>

#include "apply/manager.h"
#include "host/bus.h"
#include "host/clock.h"

#define UNIT "docker.service"
#define JOB "/org/freedesktop/systemd1/job/4711"
#define MANAGER SYSTEMD_NAME ".Manager"

/* ---- a systemd on a bus ---- */

/* What the fake does; changed before it is started. */
static struct {
	const char *result;       /* JobRemoved of the job; NULL: it never comes */
	const char *refusal;      /* an error instead of a reply to all but Subscribe and GetAll */
	const char *active_state; /* of the unit */
	const char *unit_result;  /* of the unit */
	const char *wrong_property; /* is an integer */
	const char *hang_up_at;     /* the first connection ends at this call … */
	bool hang_up_after;         /* … once it was answered */
	const char *mute_at;        /* the first connection is silent from this call on */
	unsigned looks_with_job;    /* so many GetAll on a new connection find a job */
	bool new_invocation;        /* what a GetAll on a new connection says */
	bool imposter;              /* somebody else says that the job is done */
	bool other_job;             /* another job of the unit fails before */
	bool socket;                /* the unit has nothing of a service */
	int interrupt_fd;           /* an eventfd, written to a while after a job was queued; 0 */
} fake = {.result = "done", .active_state = "active", .unit_result = "success"};

/* What became of it, seen from the test. */
static struct seen {
	unsigned connections;
	unsigned subscribed;
	unsigned queued;
	unsigned cancelled;
	unsigned reloaded;
	unsigned looks; /* on connections behind the first */
	char member[32];
	char arguments[2][64];
} * seen;

static void append(sd_bus_message *message, const char *types, ...)
{
	va_list arguments;

	va_start(arguments, types);
	ck_assert_int_ge(sd_bus_message_appendv(message, types, arguments), 0);
	va_end(arguments);
}

static void send_from(const char *sender, sd_bus_message *message)
{
	ck_assert_int_ge(sd_bus_message_set_sender(message, sender), 0);
	ck_assert_int_ge(sd_bus_send(NULL, message, NULL), 0);
	sd_bus_message_unref(message);
}

static void remove_job(sd_bus *bus, const char *sender, const char *path, const char *result)
{
	sd_bus_message *signal = NULL;

	ck_assert_int_ge(
		sd_bus_message_new_signal(bus, &signal, SYSTEMD_PATH, MANAGER, "JobRemoved"), 0);
	append(signal, "uoss", 4711, path, UNIT, result);
	send_from(sender, signal);
}

static void queue(sd_bus_message *call, sd_bus_message *reply)
{
	sd_bus *bus = sd_bus_message_get_bus(call);
	const char *unit;
	const char *mode;

	ck_assert_int_ge(sd_bus_message_read(call, "ss", &unit, &mode), 0);
	(void)snprintf(seen->member, sizeof seen->member, "%s", sd_bus_message_get_member(call));
	(void)snprintf(seen->arguments[0], sizeof seen->arguments[0], "%s", unit);
	(void)snprintf(seen->arguments[1], sizeof seen->arguments[1], "%s", mode);
	seen->queued++;
	append(reply, "o", JOB);
	send_from(":1.1", reply);
	if (fake.imposter)
		remove_job(bus, ":1.66", JOB, "done");
	if (fake.other_job)
		remove_job(bus, ":1.1", JOB "2", "failed");
	if (fake.result && !(fake.hang_up_at && fake.hang_up_after))
		remove_job(bus, ":1.1", JOB, fake.result);
	if (fake.interrupt_fd) {
		ck_assert_int_ge(sd_bus_flush(bus), 0);
		(void)sleep(1);
		ck_assert_int_eq(eventfd_write(fake.interrupt_fd, 1), 0);
	}
}

static void add_unit(sd_bus_message *reply)
{
	bool again = seen->connections > 1;
	unsigned char invocation[16] = {0xab, 0xcd, again && fake.new_invocation};
	bool job = again && seen->looks++ < fake.looks_with_job;

	append(reply, "{sv}", "ActiveState", "s", job ? "activating" : fake.active_state);
	append(reply, "{sv}", "SomethingNew", "as", 1, "skipped");
	append(reply, "{sv}", "SubState", "s", "running");
	append(reply, "{sv}", "LoadState", "s", "loaded");
	append(reply, "{sv}", "Job", "(uo)", job ? 4711 : 0, job ? JOB : "/");
	ck_assert_int_ge(sd_bus_message_open_container(reply, 'e', "sv"), 0);
	append(reply, "s", "InvocationID");
	ck_assert_int_ge(sd_bus_message_open_container(reply, 'v', "ay"), 0);
	ck_assert_int_ge(sd_bus_message_append_array(reply, 'y', invocation, sizeof invocation), 0);
	ck_assert_int_ge(sd_bus_message_close_container(reply), 0);
	ck_assert_int_ge(sd_bus_message_close_container(reply), 0);
	if (fake.wrong_property)
		append(reply, "{sv}", fake.wrong_property, "i", 7);
	if (fake.socket)
		return;
	append(reply, "{sv}", "Result", "s", fake.unit_result);
	append(reply, "{sv}", "ReloadResult", "s", "exit-code");
	append(reply, "{sv}", "MainPID", "u", 4242);
}

static void answer_call(sd_bus_message *call, sd_bus_message *reply)
{
	const char *member = sd_bus_message_get_member(call);

	if (strcmp(member, "Hello") == 0)
		append(reply, "s", ":1.7");
	if (strcmp(member, "Subscribe") == 0)
		seen->subscribed++;
	if (strcmp(member, "Reload") == 0)
		seen->reloaded++;
	if (strcmp(member, "Cancel") == 0) {
		ck_assert_str_eq(sd_bus_message_get_path(call), JOB);
		seen->cancelled++;
	}
	if (strcmp(member, "GetAll") == 0) {
		/* The dot is escaped in the paths of units. */
		ck_assert_str_eq(sd_bus_message_get_path(call),
				 "/org/freedesktop/systemd1/unit/docker_2eservice");
		ck_assert_int_ge(sd_bus_message_open_container(reply, 'a', "{sv}"), 0);
		add_unit(reply);
		ck_assert_int_ge(sd_bus_message_close_container(reply), 0);
	}
	if (strlen(member) > 4 && strcmp(member + strlen(member) - 4, "Unit") == 0 &&
	    strcmp(member, "ResetFailedUnit") != 0)
		queue(call, reply);
	else
		send_from(":1.1", reply);
}

static bool is_refused(const char *member)
{
	return fake.refusal && strcmp(member, "Hello") != 0 && strcmp(member, "AddMatch") != 0 &&
	       strcmp(member, "Subscribe") != 0 && strcmp(member, "GetAll") != 0;
}

/* How the connection goes on. */
static enum {
	GOES_ON,
	IS_MUTE,
	HANGS_UP
} state;

static int answer(sd_bus_message *call, void *context, sd_bus_error *error)
{
	const char *member = sd_bus_message_get_member(call);
	bool first = seen->connections == 1;
	sd_bus_message *reply = NULL;

	(void)context;
	(void)error;
	if (first && fake.mute_at && strcmp(member, fake.mute_at) == 0)
		state = IS_MUTE;
	if (first && fake.hang_up_at && strcmp(member, fake.hang_up_at) == 0)
		state = HANGS_UP;
	if (state == IS_MUTE || (state == HANGS_UP && !fake.hang_up_after))
		return 1;
	if (is_refused(member)) {
		ck_assert_int_ge(
			sd_bus_message_new_method_errorf(call, &reply, fake.refusal, "a reason"),
			0);
		send_from(":1.1", reply);
		return 1;
	}
	ck_assert_int_ge(sd_bus_message_new_method_return(call, &reply), 0);
	answer_call(call, reply);
	return 1;
}

static void be_systemd(int fd)
{
	sd_bus *bus = NULL;
	int r = 0;

	state = GOES_ON;
	seen->connections++;
	if (sd_bus_new(&bus) < 0 || sd_bus_set_fd(bus, fd, fd) < 0 ||
	    sd_bus_set_server(bus, 1, (sd_id128_t)SD_ID128_NULL) < 0 ||
	    sd_bus_set_anonymous(bus, 1) < 0 || sd_bus_add_filter(bus, NULL, answer, NULL) < 0 ||
	    sd_bus_start(bus) < 0)
		return;
	while (r >= 0 && state != HANGS_UP) {
		r = sd_bus_process(bus, NULL);
		if (r == 0)
			r = sd_bus_wait(bus, UINT64_MAX);
	}
	sd_bus_flush_close_unref(bus);
}

static const char *bus_address(void)
{
	static char address[PATH_MAX];

	(void)snprintf(address, sizeof address, "unix:path=%.1000s", tree_path("/bus"));
	return address;
}

static pid_t fake_pid;

static int listen_for_bus(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof address.sun_path, "%.100s", tree_path("/bus"));
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
	ck_assert_int_eq(listen(listener, 4), 0);
	ck_assert_int_eq(setenv("DBUS_SYSTEM_BUS_ADDRESS", bus_address(), 1), 0);
	return listener;
}

/* Serves one connection after the other, at most so many. */
static void start_fake(unsigned connections)
{
	int listener = listen_for_bus();

	seen = mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert(seen != MAP_FAILED);
	fake_pid = fork();
	if (fake_pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (unsigned i = 0; i < connections; i++)
			be_systemd(accept(listener, NULL, NULL));
		_exit(0);
	}
	(void)close(listener);
}

/* ---- and one who asks it ---- */

static struct wait wait_ms(unsigned ms)
{
	return (struct wait){.deadline_us = clock_now_us() + ms * 1000, .interrupt_fd = -1};
}

static struct manager *open_fake(unsigned connections)
{
	const struct wait wait = wait_ms(60000);
	struct manager *manager = NULL;
	struct error error = ERROR_NONE;

	start_fake(connections);
	int r = manager_open(&wait, &manager, &error);
	ck_assert_msg(r == 0, "%s", error.text);
	ck_assert_uint_eq(seen->subscribed, 1);
	return manager;
}

/* Runs a job; the code must be this one, and the sentence have these words (NULL: none). */
static void check_job_until(const struct wait *wait, enum unit_job job, unsigned connections,
			    int code, const char *words)
{
	cleanup_manager struct manager *manager = open_fake(connections);
	struct error error = ERROR_NONE;

	int r = manager_run_job(manager, job, UNIT, wait, &error);
	ck_assert_msg(r == code, "%d: %s", r, error.text);
	ck_assert_int_eq(error.code, code);
	if (!code)
		return;
	ck_assert_str_eq(error.path, UNIT);
	ck_assert_msg(strstr(error.text, words) != NULL, "%s", error.text);
}

static void check_job(enum unit_job job, unsigned connections, int code, const char *words)
{
	const struct wait wait = wait_ms(60000);

	check_job_until(&wait, job, connections, code, words);
}

START_TEST(a_job_is_done)
{
	static const char *const members[] = {"StartUnit", "RestartUnit", "ReloadUnit"};
	cleanup_manager struct manager *manager = open_fake(1);
	const struct wait wait = wait_ms(60000);

	for (enum unit_job job = JOB_START; job <= JOB_RELOAD; job++) {
		ck_assert_int_eq(manager_run_job(manager, job, UNIT, &wait, NULL), 0);
		ck_assert_str_eq(seen->member, members[job]);
		ck_assert_str_eq(seen->arguments[0], UNIT);
		ck_assert_str_eq(seen->arguments[1], "replace");
	}
	ck_assert_uint_eq(seen->queued, 3);
	ck_assert_uint_eq(seen->cancelled, 0);
}
END_TEST

START_TEST(a_unit_is_stopped_and_killed)
{
	cleanup_manager struct manager *manager = open_fake(1);
	const struct wait wait = wait_ms(60000);

	ck_assert_int_eq(manager_run_job(manager, JOB_STOP, UNIT, &wait, NULL), 0);
	ck_assert_str_eq(seen->member, "StopUnit");
	ck_assert_int_eq(manager_kill(manager, UNIT, SIGKILL, &wait, NULL), 0);
	ck_assert_str_eq(seen->member, "KillUnit");
	ck_assert_str_eq(seen->arguments[0], UNIT);
	ck_assert_str_eq(seen->arguments[1], "all");
}
END_TEST

START_TEST(a_unit_that_is_not_there_needs_no_kill)
{
	const struct wait wait = wait_ms(60000);

	fake.refusal = SYSTEMD_NAME ".NoSuchUnit";
	cleanup_manager struct manager *manager = open_fake(1);
	ck_assert_int_eq(manager_kill(manager, UNIT, SIGKILL, &wait, NULL), 0);
}
END_TEST

START_TEST(a_kill_that_is_refused_is_an_error)
{
	const struct wait wait = wait_ms(60000);
	struct error error = ERROR_NONE;

	fake.refusal = "org.freedesktop.DBus.Error.AccessDenied";
	cleanup_manager struct manager *manager = open_fake(1);
	ck_assert_int_lt(manager_kill(manager, UNIT, SIGKILL, &wait, &error), 0);
	ck_assert_str_eq(error.path, UNIT);
}
END_TEST

static int add_a_property(sd_bus_message *message, void *context)
{
	unsigned *calls = context;

	(*calls)++;
	return sd_bus_message_append(message, "(sv)", "Type", "s", "notify");
}

/* Starts one; the code must be this one. */
static void check_transient(int code, bool refused)
{
	cleanup_manager struct manager *manager = open_fake(1);
	const struct wait wait = wait_ms(60000);
	unsigned calls = 0;
	const struct transient transient = {
		.unit = UNIT,
		.add_properties = add_a_property,
		.context = &calls,
	};
	struct error error = ERROR_NONE;
	bool was_refused = !refused;

	int r = manager_start_transient(manager, &transient, &wait, &was_refused, &error);
	ck_assert_msg(code ? r < 0 : r == 0, "%d: %s", r, error.text);
	ck_assert(was_refused == refused);
	ck_assert_uint_eq(calls, 1);
}

START_TEST(a_transient_unit_is_started)
{
	check_transient(0, false);
	ck_assert_str_eq(seen->member, "StartTransientUnit");
	ck_assert_str_eq(seen->arguments[0], UNIT);
	ck_assert_str_eq(seen->arguments[1], "fail");
}
END_TEST

START_TEST(a_transient_unit_fails)
{
	fake.result = "failed";
	fake.unit_result = "exit-code";
	check_transient(-EIO, false);
}
END_TEST

START_TEST(a_transient_unit_is_refused)
{
	fake.refusal = SYSTEMD_NAME ".UnitExists";
	check_transient(-EIO, true);
	ck_assert_uint_eq(seen->queued, 0);
}
END_TEST

static const struct {
	enum unit_job job;
	const char *result;
	const char *unit_result;
	int code;
	const char *words;
} results[] = {
	{JOB_RESTART, "failed", "exit-code", -EIO, "ended with an error (exit-code)"},
	{JOB_RESTART, "failed", "start-limit-hit", -EIO, "too often"},
	{JOB_START, "failed", "timeout", -EIO, "TimeoutStartSec"},
	{JOB_START, "failed", "something-new", -EIO, "it failed (something-new)"},
	{JOB_START, "failed", "success", -EIO, "it failed"},
	{JOB_RELOAD, "failed", "success", -EIO, "(exit-code)"}, /* the ReloadResult */
	{JOB_START, "timeout", "success", -ETIME, "longer"},
	{JOB_START, "dependency", "success", -ENOLINK, "needs"},
	{JOB_START, "canceled", "exit-code", -ECANCELED, "cancelled"},
	{JOB_RELOAD, "skipped", "success", -ENOTCONN, "skipped"},
	{JOB_RELOAD, "invalid", "success", -ENOEXEC, "does not support"},
	{JOB_START, "assert", "success", -EPROTO, "condition"},
	{JOB_START, "unsupported", "success", -EOPNOTSUPP, "support"},
	{JOB_START, "collected", "success", -ESTALE, "memory"},
	{JOB_START, "once", "success", -EALREADY, "once"},
	{JOB_START, "frozen", "success", -EDEADLK, "frozen"},
	{JOB_START, "concurrency", "success", -ETOOMANYREFS, "slice"},
	{JOB_START, "unheard-of", "success", -EIO, "\"unheard-of\""},
	{JOB_START, "", "success", -EIO, "ended"},
};

START_TEST(a_job_ends_otherwise)
{
	fake.result = results[_i].result;
	fake.unit_result = results[_i].unit_result;
	check_job(results[_i].job, 1, results[_i].code, results[_i].words);
}
END_TEST

START_TEST(other_jobs_do_not_count)
{
	fake.other_job = true;
	check_job(JOB_RESTART, 1, 0, NULL);
}
END_TEST

START_TEST(other_senders_do_not_count)
{
	fake.imposter = true;
	fake.result = "dependency";
	check_job(JOB_RESTART, 1, -ENOLINK, "needs");
}
END_TEST

START_TEST(a_refused_job_is_a_sentence)
{
	static const struct {
		const char *name;
		int code;
		const char *words;
	} refusals[] = {
		{"org.freedesktop.systemd1.NoSuchUnit", -ENOENT, "no such unit"},
		{"org.freedesktop.systemd1.UnitMasked", -ESHUTDOWN, "unmask"},
		{"org.freedesktop.DBus.Error.AccessDenied", -EACCES, "as root"},
		{"org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", -EACCES, "as root"},
		{"org.freedesktop.systemd1.JobTypeNotApplicable", -ENOEXEC, "not running"},
		{"org.example.Unheard", -EIO, "systemd refused: a reason"},
	};

	for (size_t i = 0; i < array_size(refusals); i++) {
		fake.refusal = refusals[i].name;
		check_job(JOB_START, 1, refusals[i].code, refusals[i].words);
		ck_assert_uint_eq(seen->queued, 0);
		(void)unlink(tree_path("/bus"));
	}
}
END_TEST

START_TEST(a_job_without_end_is_cancelled)
{
	struct wait wait = wait_ms(800);

	fake.result = NULL;
	check_job_until(&wait, JOB_RESTART, 1, -ETIMEDOUT, "cancelled");
	ck_assert_uint_ge(clock_now_us(), wait.deadline_us);
	ck_assert_uint_eq(seen->cancelled, 1);
}
END_TEST

START_TEST(an_interrupted_job_is_cancelled)
{
	struct wait wait = wait_ms(60000);
	uint64_t begin = clock_now_us();

	fake.result = NULL;
	wait.interrupt_fd = fake.interrupt_fd = eventfd(0, EFD_CLOEXEC);
	check_job_until(&wait, JOB_RESTART, 1, -ECANCELED, "interrupted");
	ck_assert_uint_lt(clock_now_us(), begin + 20000000);
	ck_assert_uint_eq(seen->cancelled, 1);
	(void)close(fake.interrupt_fd);
}
END_TEST

/* ---- the bus goes away ---- */

START_TEST(a_job_goes_on_without_the_bus)
{
	fake.hang_up_at = "RestartUnit";
	fake.hang_up_after = true;
	fake.looks_with_job = 2;
	fake.new_invocation = true;
	check_job(JOB_RESTART, 2, 0, NULL);
	ck_assert_uint_eq(seen->connections, 2);
	ck_assert_uint_eq(seen->subscribed, 2);
	ck_assert_uint_eq(seen->queued, 1);
	ck_assert_uint_eq(seen->looks, 3);
}
END_TEST

START_TEST(a_job_fails_without_the_bus)
{
	fake.hang_up_at = "RestartUnit";
	fake.hang_up_after = true;
	fake.looks_with_job = 1;
	fake.new_invocation = true;
	fake.active_state = "failed";
	fake.unit_result = "core-dump";
	check_job(JOB_RESTART, 2, -EIO, "crashed (core-dump)");
	ck_assert_uint_eq(seen->queued, 1);
}
END_TEST

/* Active as before, but it is the same process. */
START_TEST(a_job_vanishes_without_the_bus)
{
	fake.hang_up_at = "RestartUnit";
	fake.hang_up_after = true;
	check_job(JOB_RESTART, 2, -ECANCELED, "cancelled the job");
}
END_TEST

START_TEST(a_call_that_did_not_arrive_is_made_again)
{
	fake.hang_up_at = "RestartUnit";
	check_job(JOB_RESTART, 2, 0, NULL);
	ck_assert_uint_eq(seen->queued, 1);
	ck_assert_uint_eq(seen->connections, 2);
}
END_TEST

START_TEST(a_call_that_arrived_is_not_made_again)
{
	fake.hang_up_at = "RestartUnit";
	fake.looks_with_job = 1;
	fake.new_invocation = true;
	check_job(JOB_RESTART, 2, 0, NULL);
	ck_assert_uint_eq(seen->queued, 0);
}
END_TEST

START_TEST(a_call_whose_work_is_done_is_not_made_again)
{
	fake.hang_up_at = "RestartUnit";
	fake.new_invocation = true;
	check_job(JOB_RESTART, 2, 0, NULL);
	ck_assert_uint_eq(seen->queued, 0);
	ck_assert_uint_eq(seen->looks, 1);
}
END_TEST

START_TEST(a_job_that_was_found_again_is_cancelled)
{
	/* Long enough for a slow machine to find the bus again. */
	struct wait wait = wait_ms(4000);

	fake.hang_up_at = "RestartUnit";
	fake.looks_with_job = 1000;
	check_job_until(&wait, JOB_RESTART, 2, -ETIMEDOUT, "cancelled");
	ck_assert_uint_eq(seen->cancelled, 1);
}
END_TEST

START_TEST(a_bus_that_stays_away)
{
	struct wait wait = wait_ms(300);
	uint64_t begin = clock_now_us();

	fake.hang_up_at = "RestartUnit";
	fake.hang_up_after = true;
	check_job_until(&wait, JOB_RESTART, 1, -ETIMEDOUT, "in time");
	ck_assert_uint_lt(clock_now_us(), begin + 20000000);
}
END_TEST

START_TEST(a_lost_signal_is_noticed)
{
	const struct wait wait = wait_ms(20000);

	fake.result = NULL;
	fake.active_state = "failed";
	fake.unit_result = "exit-code";
	check_job_until(&wait, JOB_RESTART, 1, -EIO, "exit-code");
	ck_assert_uint_lt(clock_now_us(), wait.deadline_us);
}
END_TEST

START_TEST(a_mute_bus_is_left)
{
	const struct wait wait = wait_ms(20000);
	cleanup_manager struct manager *manager = NULL;
	struct unit_moment moment;

	fake.mute_at = "GetAll";
	manager = open_fake(2);
	ck_assert_int_eq(manager_unit(manager, UNIT, &wait, &moment, NULL), 0);
	ck_assert_uint_eq(seen->connections, 2);
}
END_TEST

/* ---- the rest ---- */

START_TEST(systemd_reloads)
{
	const struct wait wait = wait_ms(60000);
	cleanup_manager struct manager *manager = NULL;

	fake.hang_up_at = "Reload";
	manager = open_fake(2);
	ck_assert_int_eq(manager_reload(manager, &wait, NULL), 0);
	ck_assert_uint_eq(seen->reloaded, 1);
	ck_assert_uint_eq(seen->connections, 2);
}
END_TEST

START_TEST(systemd_does_not_reload)
{
	const struct wait wait = wait_ms(60000);
	cleanup_manager struct manager *manager = NULL;
	struct error error = ERROR_NONE;

	fake.refusal = "org.freedesktop.DBus.Error.AccessDenied";
	manager = open_fake(1);
	ck_assert_int_eq(manager_reload(manager, &wait, &error), -EACCES);
	ck_assert_str_eq(error.step, "daemon-reload");
	ck_assert_ptr_nonnull(strstr(error.text, "as root"));
}
END_TEST

START_TEST(a_slow_reload_is_waited_for)
{
	const struct wait wait = wait_ms(2500);
	cleanup_manager struct manager *manager = NULL;
	struct error error = ERROR_NONE;

	fake.mute_at = "Reload";
	manager = open_fake(2);
	ck_assert_int_eq(manager_reload(manager, &wait, &error), -ETIMEDOUT);
	ck_assert_uint_eq(seen->connections, 1);
	ck_assert_ptr_nonnull(strstr(error.text, "in time"));
}
END_TEST

START_TEST(failures_are_forgotten)
{
	const struct wait wait = wait_ms(60000);
	static const struct {
		const char *refusal;
		int code;
	} cases[] = {
		{NULL, 0},
		{"org.freedesktop.systemd1.NoSuchUnit", 0},
		{"org.freedesktop.DBus.Error.AccessDenied", -EACCES},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		cleanup_manager struct manager *manager = NULL;

		fake.refusal = cases[i].refusal;
		manager = open_fake(1);
		ck_assert_int_eq(manager_reset_failed(manager, UNIT, &wait, NULL), cases[i].code);
		(void)unlink(tree_path("/bus"));
	}
}
END_TEST

START_TEST(a_service_at_a_moment)
{
	const struct wait wait = wait_ms(60000);
	cleanup_manager struct manager *manager = open_fake(1);
	struct unit_moment moment;

	ck_assert_int_eq(manager_unit(manager, UNIT, &wait, &moment, NULL), 0);
	ck_assert_str_eq(moment.active_state, "active");
	ck_assert_str_eq(moment.sub_state, "running");
	ck_assert_str_eq(moment.load_state, "loaded");
	ck_assert_str_eq(moment.result, "success");
	ck_assert_str_eq(moment.reload_result, "exit-code");
	ck_assert_str_eq(moment.invocation, "abcd0000000000000000000000000000");
	ck_assert_int_eq(moment.main_pid, 4242);
	ck_assert(!moment.has_job);
}
END_TEST

START_TEST(another_unit_at_a_moment)
{
	const struct wait wait = wait_ms(60000);
	cleanup_manager struct manager *manager = NULL;
	struct unit_moment moment;

	fake.socket = true;
	fake.active_state = "a state with a name that is longer than any state";
	manager = open_fake(1);
	ck_assert_int_eq(manager_unit(manager, UNIT, &wait, &moment, NULL), 0);
	ck_assert_uint_eq(strlen(moment.active_state), sizeof moment.active_state - 1);
	ck_assert_str_eq(moment.result, "");
	ck_assert_int_eq(moment.main_pid, 0);
}
END_TEST

START_TEST(properties_of_wrong_types)
{
	static const char *const names[] = {"ActiveState", "InvocationID", "MainPID", "Job"};
	const struct wait wait = wait_ms(60000);

	for (size_t i = 0; i < array_size(names); i++) {
		cleanup_manager struct manager *manager = NULL;
		struct unit_moment moment;
		struct error error = ERROR_NONE;

		fake.wrong_property = names[i];
		manager = open_fake(1);
		ck_assert_int_lt(manager_unit(manager, UNIT, &wait, &moment, &error), 0);
		ck_assert_msg(strstr(error.text, "malformed") != NULL, "%s", error.text);
		(void)unlink(tree_path("/bus"));
	}
}
END_TEST

START_TEST(a_bus_that_is_not_there)
{
	const struct wait wait = wait_ms(60000);
	struct manager *manager = NULL;
	struct error error = ERROR_NONE;

	ck_assert_int_eq(setenv("DBUS_SYSTEM_BUS_ADDRESS", bus_address(), 1), 0);
	ck_assert_int_eq(manager_open(&wait, &manager, &error), -ENOENT);
	ck_assert_ptr_null(manager);
	ck_assert_ptr_nonnull(strstr(error.text, "can be reached"));
	ck_assert_uint_lt(clock_now_us(), wait.deadline_us);
}
END_TEST

START_TEST(a_bus_that_stays_silent)
{
	const struct wait wait = wait_ms(100);
	struct manager *manager = NULL;
	struct error error = ERROR_NONE;
	int listener = listen_for_bus();

	ck_assert_int_eq(manager_open(&wait, &manager, &error), -ETIMEDOUT);
	ck_assert_ptr_null(manager);
	ck_assert_ptr_nonnull(strstr(error.text, "in time"));
	(void)close(listener);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_job_is_done,
		a_unit_is_stopped_and_killed,
		a_unit_that_is_not_there_needs_no_kill,
		a_kill_that_is_refused_is_an_error,
		a_transient_unit_is_started,
		a_transient_unit_fails,
		a_transient_unit_is_refused,
		other_jobs_do_not_count,
		other_senders_do_not_count,
		a_refused_job_is_a_sentence,
		a_job_without_end_is_cancelled,
		an_interrupted_job_is_cancelled,
		a_job_goes_on_without_the_bus,
		a_job_fails_without_the_bus,
		a_job_vanishes_without_the_bus,
		a_call_that_did_not_arrive_is_made_again,
		a_call_that_arrived_is_not_made_again,
		a_call_whose_work_is_done_is_not_made_again,
		a_job_that_was_found_again_is_cancelled,
		a_bus_that_stays_away,
		a_lost_signal_is_noticed,
		a_mute_bus_is_left,
		systemd_reloads,
		systemd_does_not_reload,
		a_slow_reload_is_waited_for,
		failures_are_forgotten,
		a_service_at_a_moment,
		another_unit_at_a_moment,
		properties_of_wrong_types,
		a_bus_that_is_not_there,
		a_bus_that_stays_silent,
	};
	Suite *suite = suite_create("manager");
	TCase *tcase = tcase_create("manager");

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, tree_setup, tree_teardown);
	for (size_t i = 0; i < array_size(tests); i++)
		tcase_add_test(tcase, tests[i]);
	tcase_add_loop_test(tcase, a_job_ends_otherwise, 0, array_size(results));
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}
