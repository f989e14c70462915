/* Addresses of logs: read as dockerd reads them, tried for real, and judged. */
#include "harness.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/text.h"
#include "core/builtin.h"
#include "core/plan.h"
#include "core/syslog.h"
#include "host/clock.h"
#include "host/syslog.h"
#include "tree.h"

/* ---- reading ---- */

START_TEST(addresses)
{
	static const struct {
		const char *text;
		enum syslog_transport transport;
		const char *host, *port, *path;
	} rows[] = {
		{"tcp://127.0.0.1:514", SYSLOG_TCP, "127.0.0.1", "514", NULL},
		{"tcp://logs.example.org", SYSLOG_TCP, "logs.example.org", "514", NULL},
		{"TCP://logs.example.org:1/x?y", SYSLOG_TCP, "logs.example.org", "1", NULL},
		{"tcp+tls://[2001:db8::1]", SYSLOG_TCP_TLS, "2001:db8::1", "514", NULL},
		{"tcp+tls://[::1]:6514", SYSLOG_TCP_TLS, "::1", "6514", NULL},
		{"udp://user:word@192.0.2.1:65535", SYSLOG_UDP, "192.0.2.1", "65535", NULL},
		{"udp://", SYSLOG_UDP, "", "514", NULL},
		{"tcp://:601", SYSLOG_TCP, "", "601", NULL},
		{"unix:///dev/log", SYSLOG_UNIX, NULL, NULL, "/dev/log"},
		{"unixgram:///run/a b?c", SYSLOG_UNIXGRAM, NULL, NULL, "/run/a b"},
	};

	for (size_t i = 0; i < array_size(rows); i++) {
		struct syslog_address address = {.host = NULL};
		struct error error = ERROR_NONE;

		ck_assert_msg(syslog_address_parse(rows[i].text, &address, &error) == 0, "%s: %s",
			      rows[i].text, error.text);
		ck_assert_int_eq(address.transport, rows[i].transport);
		ck_assert_pstr_eq(address.host, rows[i].host);
		ck_assert_pstr_eq(address.port, rows[i].port);
		ck_assert_pstr_eq(address.path, rows[i].path);
		syslog_address_done(&address);
	}
}
END_TEST

START_TEST(no_addresses)
{
	static const char *const rows[] = {
		"",           "127.0.0.1:514", "http://x",       "tcp://::1",    "tcp://::1:514",
		"tcp://[::1", "tcp://[::1]x",  "tcp://x:",       "tcp://x:http", "tcp://x:65536",
		"tcp://x:0",  "tcp://x:-1",    "unix://dev:log", "unix://",      "tcp://x:1:2",
	};

	for (size_t i = 0; i < array_size(rows); i++) {
		struct syslog_address address = {.host = NULL};
		struct error error = ERROR_NONE;

		ck_assert_msg(syslog_address_parse(rows[i], &address, &error) == -EINVAL, "%s",
			      rows[i]);
		ck_assert(*error.text);
	}
}
END_TEST

/* ---- trying ---- */

static struct syslog_answer answer_of(const char *text)
{
	struct syslog_address address = {.host = NULL};
	struct syslog_answer answer;
	struct error error = ERROR_NONE;

	ck_assert_int_eq(syslog_address_parse(text, &address, &error), 0);
	ck_assert_int_eq(syslog_try(&address, clock_now_us() + 2000000, &answer, &error), 0);
	syslog_address_done(&address);
	return answer;
}

/* A socket at a free port; *ret_port is it. */
static int bound(int family, int type, unsigned *ret_port)
{
	int fd = socket(family, type, 0);
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr_in four = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	bool is_six = family == AF_INET6;
	socklen_t length = is_six ? sizeof six : sizeof four;
	struct sockaddr *address = is_six ? (void *)&six : (void *)&four;

	ck_assert_int_ge(fd, 0);
	if (bind(fd, address, length) < 0) {
		(void)close(fd);
		return -1;
	}
	ck_assert_int_eq(getsockname(fd, address, &length), 0);
	*ret_port = ntohs(is_six ? six.sin6_port : four.sin_port);
	return fd;
}

static void try_tcp(int family, const char *host)
{
	char text[64];
	unsigned port = 0;
	int fd = bound(family, SOCK_STREAM, &port);

	/* A machine without IPv6. */
	if (fd < 0)
		return;
	(void)snprintf(text, sizeof text, "tcp://%s:%u", host, port);
	struct syslog_answer answer = answer_of(text);
	ck_assert_int_eq(answer.answers, NO);
	ck_assert_msg(strstr(answer.reason, "refused") != NULL, "%s", answer.reason);
	ck_assert_str_eq(answer.host, family == AF_INET6 ? "::1" : "127.0.0.1");
	ck_assert_int_eq(atoi(answer.port), (int)port);

	ck_assert_int_eq(listen(fd, 1), 0);
	answer = answer_of(text);
	ck_assert_int_eq(answer.answers, YES);
	ck_assert_str_eq(answer.host, "");
	(void)close(fd);

	/* Without a listener TLS is none either, but rsyslog's plain input would not help. */
	(void)snprintf(text, sizeof text, "tcp+tls://%s:%u", host, port);
	answer = answer_of(text);
	ck_assert_int_eq(answer.answers, NO);
	ck_assert_str_eq(answer.host, "");
}

START_TEST(tcp)
{
	try_tcp(AF_INET, "127.0.0.1");
	try_tcp(AF_INET, "localhost");
	try_tcp(AF_INET6, "[::1]");
}
END_TEST

START_TEST(udp)
{
	char text[64];
	char byte;
	unsigned port = 0;
	int fd = bound(AF_INET, SOCK_DGRAM, &port);

	(void)snprintf(text, sizeof text, "udp://127.0.0.1:%u", port);
	struct syslog_answer answer = answer_of(text);
	ck_assert_int_eq(answer.answers, UNKNOWN);
	ck_assert(*answer.reason);
	/* Nothing but an empty datagram, which no log service takes for a line. */
	ck_assert_int_eq(recv(fd, &byte, 1, MSG_DONTWAIT), 0);
	(void)close(fd);
	answer = answer_of(text);
	ck_assert_int_eq(answer.answers, NO);
	ck_assert_str_eq(answer.host, "");
}
END_TEST

static int bound_unix(const char *path, int type)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type, 0);

	(void)snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&name, sizeof name), 0);
	return fd;
}

static enum tristate try_path(const char *scheme, const char *name)
{
	char text[PATH_MAX];

	(void)snprintf(text, sizeof text, "%s://%s", scheme, tree_path(name));
	return answer_of(text).answers;
}

START_TEST(unix_sockets)
{
	tree_setup();
	int stream = bound_unix(tree_path("/stream"), SOCK_STREAM);
	int datagram = bound_unix(tree_path("/datagram"), SOCK_DGRAM);

	ck_assert_int_eq(try_path("unix", "/stream"), NO);
	ck_assert_int_eq(listen(stream, 1), 0);
	ck_assert_int_eq(try_path("unix", "/stream"), YES);
	ck_assert_int_eq(try_path("unixgram", "/stream"), NO);
	ck_assert_int_eq(try_path("unixgram", "/datagram"), YES);
	ck_assert_int_eq(try_path("unix", "/datagram"), NO);
	ck_assert_int_eq(try_path("unix", "/nothing"), NO);
	ck_assert_int_eq(try_path("unix", ""), NO);
	(void)close(stream);
	(void)close(datagram);
	ck_assert_int_eq(try_path("unixgram", "/datagram"), NO);
	tree_teardown();
}
END_TEST

START_TEST(names)
{
	const struct syslog_answer answer = answer_of("tcp://nobody.invalid:514");

	ck_assert_int_eq(answer.answers, NO);
	ck_assert_msg(strstr(answer.reason, "name") != NULL, "%s", answer.reason);
	ck_assert_str_eq(answer.host, "");
}
END_TEST

/* ---- the input ---- */

START_TEST(template)
{
	static const char text[] = "# @ADDRESS@\nmodule(load=\"imtcp\")\n"
				   "input(address=\"@ADDRESS@\" port=\"@PORT@\")";
	cleanup_free char *whole = syslog_input_text(text, "::1", "514", true);
	cleanup_free char *without = syslog_input_text(text, "::1", "514", false);

	ck_assert_str_eq(whole, "# ::1\nmodule(load=\"imtcp\")\n"
				"input(address=\"::1\" port=\"514\")");
	ck_assert_str_eq(without, "# ::1\ninput(address=\"::1\" port=\"514\")");
	ck_assert_ptr_nonnull(strstr(builtin_rsyslog_listener(), "port=\"@PORT@\""));
}
END_TEST

/* ---- judging ---- */

#define ADDRESS "tcp://127.0.0.1:514"
#define KEY_ADDRESS "log-opts.syslog-address"

struct host {
	const char *config; /* daemon.json; NULL: none */
	const char *wanted; /* --set log-opts.syslog-address; NULL: not given */
	const char *tried;  /* what must be tried; NULL: nothing */
	enum tristate answers;
	enum rsyslog_state rsyslog;
	const char *input; /* rsyslog's file; NULL: none */
	const char *addition;
	enum setting_state driver, address; /* what must come of it */
	const char *reason;                 /* a part of the driver's */
	const char *file;                   /* rsyslog's file then; NULL: no change */
	bool listener;
};

static void load(const struct host *host, struct facts *facts, struct profile *profile)
{
	const char *text = builtin_profile_find("hardened")->text;
	struct error error = ERROR_NONE;

	*facts = FACTS_EMPTY;
	facts->daemon = DAEMON_STOPPED;
	facts->as_root = true;
	facts->unit.name = strdup("docker.service");
	facts->config.path = strdup("/etc/docker/daemon.json");
	facts->config.real_path = strdup("/etc/docker/daemon.json");
	if (host->config) {
		facts->config.state = FILE_READ;
		facts->config.data = strdup(host->config);
		facts->config.length = strlen(host->config);
		facts->config_document = json_loads(host->config, 0, NULL);
		ck_assert_ptr_nonnull(facts->config_document);
	}
	ck_assert_int_eq(profile_parse(text, strlen(text), "hardened", NULL, NULL, profile, &error),
			 0);
}

static void find(const struct host *host, struct facts *facts, const char *address)
{
	struct syslog_facts *syslog = &facts->syslog;

	syslog->address = strdup(address);
	syslog->answers = host->answers;
	syslog->reason = strdup("Connection refused");
	syslog->rsyslog = host->rsyslog;
	syslog->rsyslog_reason = strdup("it is so");
	syslog->addition = host->addition ? strdup(host->addition) : NULL;
	if (host->input) {
		syslog->input = (struct text_file){.path = strdup(RSYSLOG_INPUT),
						   .state = FILE_READ,
						   .data = strdup(host->input),
						   .length = strlen(host->input),
						   .mode = 0600,
						   .uid = 7};
	}
}

static const struct setting *setting_of(const struct plan *plan, const char *key)
{
	size_t i = 0;

	while (i < plan->setting_count && strcmp(plan->settings[i].row->key, key) != 0)
		i++;
	ck_assert_uint_lt(i, plan->setting_count);
	return &plan->settings[i];
}

static void check_plan(const struct host *host, const struct plan *plan)
{
	const struct setting *driver = setting_of(plan, "log-driver");
	const struct planned_file *file = NULL;

	ck_assert_msg(driver->state == host->driver, "driver %s: %s",
		      setting_state_name(driver->state), driver->reason);
	if (host->wanted) {
		const struct setting *address = setting_of(plan, KEY_ADDRESS);
		ck_assert_msg(address->state == host->address, "address %s: %s",
			      setting_state_name(address->state), address->reason);
	}
	if (host->reason)
		ck_assert_msg(strstr(driver->reason, host->reason) != NULL, "%s", driver->reason);
	for (size_t i = 0; i < plan->file_count; i++)
		if (strcmp(plan->files[i].path, RSYSLOG_INPUT) == 0)
			file = &plan->files[i];
	ck_assert_pstr_eq(file ? file->after : NULL, host->file);
	if (file) {
		ck_assert_uint_eq(file->mode, host->input ? 0600 : 0644);
		ck_assert_uint_eq(file->uid, host->input ? 7 : 0);
	}
	ck_assert(host->listener == (plan->listener.unit != NULL));
	ck_assert_uint_eq(plan->obstacles.count, 0);
}

static const struct host hosts[] = {
	/* Nothing is said of an address. */
	{.driver = SETTING_CHANGE},
	{.config = "{\"log-driver\": \"journald\"}", .driver = SETTING_OK},
	/* The options of another driver are nothing to try. */
	{.config = "{\"log-driver\": \"journald\", \"log-opts\": {\"tag\": \"x\"}}",
	 .driver = SETTING_OK},
	/* Somebody is there. */
	{.wanted = ADDRESS,
	 .tried = ADDRESS,
	 .answers = YES,
	 .driver = SETTING_CHANGE,
	 .address = SETTING_CHANGE},
	/* It cannot be told. */
	{.wanted = "udp://192.0.2.1",
	 .tried = "udp://192.0.2.1",
	 .answers = UNKNOWN,
	 .driver = SETTING_CHANGE,
	 .address = SETTING_CHANGE,
	 .reason = "udp://192.0.2.1: "},
	/* Nobody, and no way to help. */
	{.wanted = ADDRESS,
	 .tried = ADDRESS,
	 .answers = NO,
	 .rsyslog = RSYSLOG_ABSENT,
	 .driver = SETTING_BLOCKED,
	 .address = SETTING_BLOCKED,
	 .reason = "install rsyslog"},
	{.wanted = ADDRESS,
	 .tried = ADDRESS,
	 .answers = NO,
	 .rsyslog = RSYSLOG_STOPPED,
	 .driver = SETTING_BLOCKED,
	 .address = SETTING_BLOCKED,
	 .reason = "enable --now rsyslog"},
	{.wanted = ADDRESS,
	 .tried = ADDRESS,
	 .answers = NO,
	 .rsyslog = RSYSLOG_UNFIT,
	 .driver = SETTING_BLOCKED,
	 .address = SETTING_BLOCKED,
	 .reason = "it is so"},
	{.wanted = "tcp://192.0.2.1",
	 .tried = "tcp://192.0.2.1",
	 .answers = NO,
	 .driver = SETTING_BLOCKED,
	 .address = SETTING_BLOCKED,
	 .reason = "Start the log service there"},
	/* rsyslog is told to. */
	{.wanted = ADDRESS,
	 .tried = ADDRESS,
	 .answers = NO,
	 .rsyslog = RSYSLOG_READY,
	 .addition = "input\n",
	 .driver = SETTING_CHANGE,
	 .address = SETTING_CHANGE,
	 .reason = "before dockerd",
	 .file = "input\n",
	 .listener = true},
	/* What stands in its file stays. */
	{.wanted = ADDRESS,
	 .tried = ADDRESS,
	 .answers = NO,
	 .rsyslog = RSYSLOG_READY,
	 .input = "other",
	 .addition = "input\n",
	 .driver = SETTING_CHANGE,
	 .address = SETTING_CHANGE,
	 .file = "other\ninput\n",
	 .listener = true},
	/* It was told already, and has not read it. */
	{.wanted = ADDRESS,
	 .tried = ADDRESS,
	 .answers = NO,
	 .rsyslog = RSYSLOG_READY,
	 .input = "input\n",
	 .addition = "",
	 .driver = SETTING_CHANGE,
	 .address = SETTING_CHANGE,
	 .listener = true},
	/* The admin's own. */
	{.config = "{\"log-driver\": \"syslog\", \"log-opts\": {\"syslog-address\": \"" ADDRESS
		   "\"}}",
	 .tried = ADDRESS,
	 .answers = YES,
	 .driver = SETTING_OK},
	{.config = "{\"log-driver\": \"syslog\", \"log-opts\": {\"syslog-address\": \"" ADDRESS
		   "\"}}",
	 .tried = ADDRESS,
	 .answers = NO,
	 .rsyslog = RSYSLOG_ABSENT,
	 .driver = SETTING_BLOCKED,
	 .reason = "It is configured, but nobody"},
	{.config = "{\"log-driver\": \"syslog\", \"log-opts\": {\"syslog-address\": \"" ADDRESS
		   "\"}}",
	 .tried = ADDRESS,
	 .answers = NO,
	 .rsyslog = RSYSLOG_READY,
	 .addition = "input\n",
	 .driver = SETTING_CHANGE,
	 .file = "input\n",
	 .listener = true},
	/* A new address that is not there does not break what works. */
	{.config = "{\"log-driver\": \"syslog\", \"log-opts\": {\"syslog-address\": "
		   "\"tcp://192.0.2.7\"}}",
	 .wanted = ADDRESS,
	 .tried = ADDRESS,
	 .answers = NO,
	 .rsyslog = RSYSLOG_ABSENT,
	 .driver = SETTING_OK,
	 .address = SETTING_BLOCKED},
	/* The file has one, and the driver is to become syslog. */
	{.config = "{\"log-opts\": {\"syslog-address\": \"" ADDRESS "\"}}",
	 .tried = ADDRESS,
	 .answers = NO,
	 .rsyslog = RSYSLOG_ABSENT,
	 .driver = SETTING_BLOCKED},
};

START_TEST(plans)
{
	const struct host *host = &hosts[_i];
	cleanup_facts struct facts facts = FACTS_EMPTY;
	cleanup_profile struct profile profile = {.name = NULL};
	cleanup_plan struct plan plan = {.settings = NULL};
	json_auto_t *wanted = host->wanted ? json_string(host->wanted) : NULL;
	struct want want = {.key = (char[]){KEY_ADDRESS}, .value = wanted};
	const struct plan_options options = {.wants = &want, .want_count = wanted ? 1 : 0};
	cleanup_free char *address = NULL;
	struct error error = ERROR_NONE;

	load(host, &facts, &profile);
	ck_assert_int_eq(syslog_address_wanted(&facts, &profile, &options, &address, &error), 0);
	ck_assert_pstr_eq(address, host->tried);
	if (address)
		find(host, &facts, address);
	/* A configuration that is blocked as it is has an obstacle of its own. */
	ck_assert_msg(plan_build(&facts, &profile, &options, &plan, &error) == 0, "%s", error.text);
	if (strstr(host->config ? host->config : "", "{\"log-opts\"") == NULL)
		check_plan(host, &plan);
	else
		ck_assert_int_eq(setting_of(&plan, "log-driver")->state, host->driver);
}
END_TEST

START_TEST(left_alone)
{
	cleanup_facts struct facts facts = FACTS_EMPTY;
	cleanup_profile struct profile profile = {.name = NULL};
	json_auto_t *wanted = json_string(ADDRESS);
	struct want want = {.key = (char[]){KEY_ADDRESS}, .value = wanted};
	struct skip skip = {.key = (char[]){"log-driver"}};
	const struct plan_options options = {
		.wants = &want, .want_count = 1, .skips = &skip, .skip_count = 1};
	cleanup_free char *address = NULL;
	struct error error = ERROR_NONE;

	load(&hosts[0], &facts, &profile);
	ck_assert_int_eq(syslog_address_wanted(&facts, &profile, &options, &address, &error), 0);
	ck_assert_ptr_null(address);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {addresses, no_addresses, tcp,        udp, unix_sockets,
				      names,     template,     left_alone, NULL};

	return test_main_loop("syslog", tests, plans, (int)array_size(hosts));
}
