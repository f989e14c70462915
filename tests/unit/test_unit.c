#include "tree.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <systemd/sd-bus.h>

#include "host/clock.h"
#include "host/unit.h"

/* What becomes of a question when the bus is at `address`. Nothing of it may be an error. */
static void check_unseen(const char *address, unsigned ms, const char *sentence)
{
	struct facts facts = FACTS_EMPTY;
	struct error error = ERROR_NONE;

	ck_assert_int_eq(setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1), 0);
	int r = unit_read("docker.service", clock_now_us() + ms * 1000, &facts.unit, &facts.unseen,
			  &facts.bus_calls, &error);
	ck_assert_int_eq(r, 0);
	ck_assert_int_eq(error.code, 0);
	ck_assert(!facts.unit.known);
	ck_assert_str_eq(facts.unit.name, "docker.service");
	ck_assert_ptr_null(facts.unit.load_state);
	ck_assert_uint_eq(facts.unseen.count, 1);
	ck_assert_msg(strstr(facts.unseen.items[0], sentence) != NULL, "%s", facts.unseen.items[0]);
	ck_assert_ptr_nonnull(strstr(facts.unseen.items[0], "docker.service"));
	facts_done(&facts);
}

static const char *bus_address(void)
{
	static char address[PATH_MAX];

	(void)snprintf(address, sizeof address, "unix:path=%.1000s", tree_path("/bus"));
	return address;
}

typedef void (*behaviour)(int fd);

static void stay_silent(int fd)
{
	(void)fd;
	(void)pause();
}

/* Authentication goes well, and then no message is ever answered. */
static void greet_and_stay_silent(int fd)
{
	static const char hello[] =
		"DATA\r\nOK 0123456789abcdef0123456789abcdef\r\nAGREE_UNIX_FD\r\n";

	(void)send(fd, hello, strlen(hello), MSG_NOSIGNAL);
	(void)pause();
}

static void talk_nonsense(int fd)
{
	(void)send(fd, "220 mail.example.org ESMTP\r\n", 28, MSG_NOSIGNAL);
	(void)pause();
}

static void stream_for_ever(int fd)
{
	while (send(fd, "0123456789", 10, MSG_NOSIGNAL) > 0)
		continue;
}

static void hang_up(int fd)
{
	(void)close(fd);
}

static void start_bus(behaviour behave)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof address.sun_path, "%.100s", tree_path("/bus"));
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
	ck_assert_int_eq(listen(listener, 4), 0);
	if (fork() == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		int fd = accept(listener, NULL, NULL);
		behave(fd);
		_exit(0);
	}
	(void)close(listener);
}

START_TEST(a_bus_that_is_not_there)
{
	check_unseen(bus_address(), 1000, "the system bus is not there");
}
END_TEST

START_TEST(an_address_that_is_none)
{
	check_unseen("nonsense", 1000, "ask systemd about");
}
END_TEST

START_TEST(a_bus_that_accepts_and_stays_silent)
{
	start_bus(stay_silent);
	check_unseen(bus_address(), 30, "did not answer in time");
}
END_TEST

START_TEST(a_bus_that_greets_and_stays_silent)
{
	start_bus(greet_and_stay_silent);
	check_unseen(bus_address(), 30, "did not answer in time");
}
END_TEST

START_TEST(a_bus_that_talks_nonsense)
{
	start_bus(talk_nonsense);
	check_unseen(bus_address(), 300, "ask systemd about");
}
END_TEST

START_TEST(a_bus_that_talks_without_end)
{
	start_bus(stream_for_ever);
	check_unseen(bus_address(), 60000, "ask systemd about");
}
END_TEST

START_TEST(a_bus_that_hangs_up)
{
	start_bus(hang_up);
	check_unseen(bus_address(), 60000, "ask systemd about");
}
END_TEST

START_TEST(a_deadline_in_the_past)
{
	start_bus(stay_silent);
	check_unseen(bus_address(), 0, "did not answer in time");
}
END_TEST

/* ---- a systemd that answers ---- */

/* What the fake says of its unit; changed before it is started. */
static struct {
	const char *load_state;
	const char *environment_file;
	bool wrong_types;
} fake = {.load_state = "loaded"};

static void add_string(sd_bus_message *reply, const char *name, const char *value)
{
	ck_assert_int_ge(sd_bus_message_append(reply, "{sv}", name, "s", value), 0);
}

static void add_exec(sd_bus_message *reply)
{
	ck_assert_int_ge(sd_bus_message_append(
				 reply, "{sv}", "ExecStart", "a(sasbttttuii)", 2, "/bin/true", 1,
				 "/bin/true", 0, (uint64_t)0, (uint64_t)0, (uint64_t)0, (uint64_t)0,
				 0, 0, 0, "/usr/sbin/dockerd", 3, "dockerd", "-H", "$OPTIONS", 0,
				 (uint64_t)0, (uint64_t)0, (uint64_t)0, (uint64_t)0, 0, 0, 0),
			 0);
}

static void add_unit(sd_bus_message *reply)
{
	add_string(reply, "LoadState", fake.load_state);
	add_string(reply, "ActiveState", "active");
	add_string(reply, "SubState", "running");
	add_string(reply, "SomethingNew", "skipped");
	add_string(reply, "FragmentPath", "");
	ck_assert_int_ge(
		sd_bus_message_append(reply, "{sv}", "DropInPaths", "as", 2, "/a.conf", "/b.conf"),
		0);
	ck_assert_int_ge(sd_bus_message_append(reply, "{sv}", "NeedDaemonReload", "b", 1), 0);
	ck_assert_int_ge(sd_bus_message_append(reply, "{sv}", "MainPID", "u", 4711), 0);
	ck_assert_int_ge(sd_bus_message_append(reply, "{sv}", "InvocationID", "ay", 16, 0xab, 1, 2,
					       3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xff),
			 0);
	ck_assert_int_ge(
		sd_bus_message_append(reply, "{sv}", "LimitNOFILE", "t", (uint64_t)UINT64_MAX), 0);
	ck_assert_int_ge(
		sd_bus_message_append(reply, "{sv}", "CapabilityBoundingSet", "t", (uint64_t)0x1ff),
		0);
	ck_assert_int_ge(sd_bus_message_append(reply, "{sv}", "Environment", "as", 1, "A=b c"), 0);
	add_exec(reply);
	if (fake.environment_file)
		ck_assert_int_ge(sd_bus_message_append(reply, "{sv}", "EnvironmentFiles", "a(sb)",
						       1, fake.environment_file, 1),
				 0);
	if (fake.wrong_types)
		ck_assert_int_ge(sd_bus_message_append(reply, "{sv}", "MainPID", "s", "x"), 0);
}

static void add_listen(sd_bus_message *reply)
{
	ck_assert_int_ge(sd_bus_message_append(reply, "v", "a(ss)", 3, "Stream", "/run/other.sock",
					       "Datagram", "/run/no.sock", "Stream", "[::]:2375"),
			 0);
}

static int answer(sd_bus_message *call, void *context, sd_bus_error *bus_error)
{
	sd_bus_message *reply = NULL;

	(void)context;
	(void)bus_error;
	ck_assert_int_ge(sd_bus_message_new_method_return(call, &reply), 0);
	if (sd_bus_message_is_method_call(call, NULL, "Hello")) {
		ck_assert_int_ge(sd_bus_message_append(reply, "s", ":1.1"), 0);
	} else if (sd_bus_message_is_method_call(call, NULL, "Get")) {
		add_listen(reply);
	} else {
		/* The dot is escaped in the paths of units. */
		ck_assert_str_eq(sd_bus_message_get_path(call),
				 "/org/freedesktop/systemd1/unit/docker_2eservice");
		ck_assert_int_ge(sd_bus_message_open_container(reply, 'a', "{sv}"), 0);
		add_unit(reply);
		ck_assert_int_ge(sd_bus_message_close_container(reply), 0);
	}
	ck_assert_int_ge(sd_bus_send(NULL, reply, NULL), 0);
	sd_bus_message_unref(reply);
	return 1;
}

static void be_systemd(int fd)
{
	sd_bus *bus = NULL;

	if (sd_bus_new(&bus) < 0 || sd_bus_set_fd(bus, fd, fd) < 0 ||
	    sd_bus_set_server(bus, 1, (sd_id128_t)SD_ID128_NULL) < 0 ||
	    sd_bus_set_anonymous(bus, 1) < 0 || sd_bus_add_filter(bus, NULL, answer, NULL) < 0 ||
	    sd_bus_start(bus) < 0)
		return;
	for (;;) {
		int r = sd_bus_process(bus, NULL);
		if (r < 0 || (r == 0 && sd_bus_wait(bus, UINT64_MAX) < 0))
			return;
	}
}

static struct facts ask_fake(void)
{
	struct facts facts = FACTS_EMPTY;
	struct error error = ERROR_NONE;

	start_bus(be_systemd);
	ck_assert_int_eq(setenv("DBUS_SYSTEM_BUS_ADDRESS", bus_address(), 1), 0);
	int r = unit_read("docker.service", clock_now_us() + 60000000, &facts.unit, &facts.unseen,
			  &facts.bus_calls, &error);
	ck_assert_int_eq(r, 0);
	ck_assert_uint_eq(facts.bus_calls, 1);
	return facts;
}

START_TEST(a_unit_is_read)
{
	struct facts facts = ask_fake();
	const struct unit_facts *unit = &facts.unit;

	ck_assert_msg(facts.unseen.count == 0, "%s", facts.unseen.items[0]);
	ck_assert(unit->known);
	ck_assert_str_eq(unit->active_state, "active");
	ck_assert_str_eq(unit->sub_state, "running");
	ck_assert_ptr_null(unit->fragment_path);
	ck_assert_uint_eq(unit->dropin_paths.count, 2);
	ck_assert_str_eq(unit->dropin_paths.items[1], "/b.conf");
	ck_assert_uint_eq(unit->exec_start.count, 3);
	ck_assert_str_eq(unit->exec_start.items[0], "dockerd");
	ck_assert_str_eq(unit->exec_start.items[2], "$OPTIONS");
	ck_assert_uint_eq(unit->environment.count, 1);
	ck_assert_str_eq(unit->environment.items[0], "A=b c");
	ck_assert(unit->need_daemon_reload);
	ck_assert_int_eq(unit->main_pid, 4711);
	ck_assert_str_eq(facts.unit.invocation, "ab0102030405060708090a0b0c0d0eff");
	ck_assert_uint_eq(unit->limit_nofile, UINT64_MAX);
	ck_assert_uint_eq(unit->capability_bounding, 0x1ff);
	ck_assert_uint_eq(unit->environment_file_count, 0);
	facts_done(&facts);
}
END_TEST

START_TEST(a_masked_unit_is_not_known)
{
	fake.load_state = "masked";
	struct facts facts = ask_fake();

	ck_assert(!facts.unit.known);
	ck_assert_str_eq(facts.unit.load_state, "masked");
	ck_assert_uint_eq(facts.unseen.count, 0);
	facts_done(&facts);
}
END_TEST

START_TEST(an_answer_of_wrong_types_is_no_answer)
{
	fake.wrong_types = true;
	struct facts facts = ask_fake();

	ck_assert(!facts.unit.known);
	ck_assert_ptr_null(facts.unit.load_state);
	ck_assert_uint_eq(facts.unseen.count, 1);
	ck_assert_ptr_nonnull(strstr(facts.unseen.items[0], "malformed"));
	facts_done(&facts);
}
END_TEST

START_TEST(environment_files_are_read)
{
	char name[PATH_MAX];

	(void)snprintf(name, sizeof name, "%.1000s", tree_path("/etc/default/docker"));
	fake.environment_file = name;
	tree_write("/etc/default/docker", "DOCKER_OPTS=--icc=false\n");
	struct facts facts = ask_fake();

	ck_assert_uint_eq(facts.unit.environment_file_count, 1);
	ck_assert(facts.unit.environment_files[0].optional);
	ck_assert_int_eq(facts.unit.environment_files[0].file.state, FILE_READ);
	ck_assert_str_eq(facts.unit.environment_files[0].file.data, "DOCKER_OPTS=--icc=false\n");
	facts_done(&facts);
}
END_TEST

START_TEST(environment_files_may_be_patterns)
{
	char name[PATH_MAX];

	(void)snprintf(name, sizeof name, "%.1000s", tree_path("/env/*.conf"));
	fake.environment_file = name;
	tree_write("/env/b.conf", "B=1\n");
	tree_write("/env/a.conf", "A=1\n");
	tree_write("/env/c", "C=1\n");
	tree_folder("/env/d.conf");
	struct facts facts = ask_fake();

	ck_assert_uint_eq(facts.unit.environment_file_count, 3);
	ck_assert_str_eq(facts.unit.environment_files[0].file.data, "A=1\n");
	ck_assert_str_eq(facts.unit.environment_files[1].file.data, "B=1\n");
	/* What is no file is listed, and said. */
	ck_assert_int_eq(facts.unit.environment_files[2].file.state, FILE_UNREADABLE);
	ck_assert_uint_eq(facts.unseen.count, 1);
	ck_assert_ptr_nonnull(strstr(facts.unseen.items[0], "folder"));
	facts_done(&facts);
}
END_TEST

START_TEST(environment_files_may_be_missing)
{
	char name[PATH_MAX];

	(void)snprintf(name, sizeof name, "%.1000s", tree_path("/etc/default/docker"));
	fake.environment_file = name;
	struct facts facts = ask_fake();

	ck_assert_uint_eq(facts.unit.environment_file_count, 1);
	ck_assert_int_eq(facts.unit.environment_files[0].file.state, FILE_ABSENT);
	ck_assert_str_eq(facts.unit.environment_files[0].file.path, name);
	ck_assert_uint_eq(facts.unseen.count, 0);
	facts_done(&facts);
}
END_TEST

START_TEST(a_socket_unit_names_its_unix_paths)
{
	struct strlist paths = {.items = NULL};
	unsigned calls = 0;

	start_bus(be_systemd);
	ck_assert_int_eq(setenv("DBUS_SYSTEM_BUS_ADDRESS", bus_address(), 1), 0);
	int r = unit_read_socket("docker.socket", clock_now_us() + 60000000, &paths, &calls, NULL);
	ck_assert_int_eq(r, 0);
	ck_assert_uint_eq(paths.count, 1);
	ck_assert_str_eq(paths.items[0], "/run/other.sock");
	strlist_done(&paths);
}
END_TEST

START_TEST(the_socket_unit_fails_with_an_error)
{
	struct strlist paths = {.items = NULL};
	struct error error = ERROR_NONE;
	unsigned calls = 0;

	ck_assert_int_eq(setenv("DBUS_SYSTEM_BUS_ADDRESS", bus_address(), 1), 0);
	int r = unit_read_socket("docker.socket", clock_now_us() + 1000000, &paths, &calls, &error);
	ck_assert_int_eq(r, -ENOENT);
	ck_assert_int_eq(error.code, r);
	ck_assert_str_eq(error.path, "docker.socket");
	ck_assert_uint_eq(paths.count, 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_bus_that_is_not_there,
		an_address_that_is_none,
		a_bus_that_accepts_and_stays_silent,
		a_bus_that_greets_and_stays_silent,
		a_bus_that_talks_nonsense,
		a_bus_that_talks_without_end,
		a_bus_that_hangs_up,
		a_deadline_in_the_past,
		the_socket_unit_fails_with_an_error,
		a_unit_is_read,
		a_masked_unit_is_not_known,
		an_answer_of_wrong_types_is_no_answer,
		environment_files_are_read,
		environment_files_may_be_patterns,
		environment_files_may_be_missing,
		a_socket_unit_names_its_unix_paths,
		NULL,
	};

	return tree_main("unit", tests);
}
