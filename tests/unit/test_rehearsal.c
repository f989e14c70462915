/* What a rehearsal starts, decided from literals. */
#include "harness.h"

#include "core/daemonjson.h"
#include "core/rehearsal.h"

/* A host and what it would have; words are separated by spaces. */
struct host {
	struct facts facts;
	struct configuration configuration;
	struct strlist command_line;
	struct strlist links;
	struct strlist managed;
	const char *text;
	bool cgroup1;
};

static void add_words(struct strlist *list, const char *words)
{
	cleanup_free char *copy = strdup(words);

	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
		ck_assert_int_eq(strlist_add(list, word), 0);
}

static struct host host_with(const char *flags, const char *text)
{
	struct host host = {.facts = FACTS_EMPTY, .text = text};
	struct facts *facts = &host.facts;
	struct error error = ERROR_NONE;

	facts->as_root = true;
	facts->daemon = DAEMON_RUNNING;
	facts->systemd = YES;
	facts->version = (struct dockerver){26, 1, 5};
	facts->unit.known = true;
	facts->unit.name = strdup("docker.service");
	add_words(&facts->unit.exec_start, "/usr/bin/dockerd -H fd://");
	add_words(&facts->unit.exec_start, flags);
	add_words(&facts->unit.environment, "HTTP_PROXY=http://p:3128 DOCKER_TMPDIR=/big");
	facts->dockremap_user = NO;
	facts->can_add_user = YES;
	ck_assert_int_eq(configuration_read_flags(facts, &host.configuration, &error), 0);
	add_words(&host.links, "lo eth0 br0");
	add_words(&host.managed, "opa:latest logs:2");
	return host;
}

static void host_done(struct host *host)
{
	facts_done(&host->facts);
	configuration_done(&host->configuration);
	strlist_done(&host->command_line);
	strlist_done(&host->links);
	strlist_done(&host->managed);
}

static struct rehearsal_script script_of(const struct host *host)
{
	const struct rehearsal_question question = {
		.facts = &host->facts,
		.configuration = &host->configuration,
		.command_line = &host->command_line,
		.text = host->text,
		.length = strlen(host->text),
		.links = &host->links,
		.managed = &host->managed,
		.cgroup2 = !host->cgroup1,
	};
	struct rehearsal_script script = {.obstacle = NULL};
	struct error error = ERROR_NONE;

	ck_assert_int_eq(rehearsal_write(&question, &script, &error), 0);
	return script;
}

static bool has(const struct rehearsal_script *script, const char *argument)
{
	return strlist_contains(&script->argv, argument);
}

static const struct {
	const char *flags;
	const char *text;
	const char *config;   /* what is left of it */
	const char *argument; /* that is there; NULL */
	const char *without;  /* that no argument begins with; NULL */
	size_t notes;
} cases[] = {
	/* Nothing to replace: not a byte differs. */
	{"", "", "", "--host=unix:///run/harden-rehearsal/api/docker.sock", "--host=fd", 0},
	{"", "{\n\t\"icc\": false\r\n}", "{\n\t\"icc\": false\r\n}", NULL, NULL, 0},
	/* What would reach the live daemon. */
	{"--containerd=/run/containerd/containerd.sock -p /x.pid -g /y --exec-root=/z", "{}", "{}",
	 "--pidfile=/run/harden-rehearsal/docker.pid", "--containerd", 0},
	{"", "{\"data-root\": \"/big\", \"debug\": true}", "{\"debug\": true}",
	 "--data-root=/run/harden-rehearsal/data", "--data-root=/big", 0},
	{"", "{\"x\": {\"pidfile\": \"/p\"}, \"hosts\": [\"tcp://0.0.0.0:2375\"]}", "{\"x\": {}}",
	 NULL, NULL, 0},
	{"--config-file=/srv/d.json", "{}", "{}", "--config-file=/run/harden-rehearsal/daemon.json",
	 "--config-file=/srv", 0},
	/* Everything else stays, and in its group. */
	{"-Dl warn --icc=false --label a=b --label c=d", "{}", "{}", "--label=c=d", NULL, 0},
	{"-Dl warn", "{}", "{}", "--debug=true", NULL, 0},
	{"--nonsense", "{}", "{}", "--nonsense", NULL, 0},
	/* The host's own network. */
	{"", "{\"bridge\": \"br0\", \"fixed-cidr\": \"10.0.0.0/24\"}", "{}", NULL, NULL, 1},
	{"", "{\"bridge\": \"br1\"}", "{\"bridge\": \"br1\"}", NULL, NULL, 0},
	{"", "{\"bridge\": \"none\"}", "{\"bridge\": \"none\"}", NULL, NULL, 0},
	{"", "{\"bridge\": \"br0\", \"bip\": \"10.1.0.1/24\"}",
	 "{\"bridge\": \"br0\", \"bip\": \"10.1.0.1/24\"}", NULL, NULL, 0},
	{"--bridge=br0", "{}", "{}", NULL, "--bridge", 1},
	{"", "{\"metrics-addr\": \"192.0.2.7:9323\"}", "{}", NULL, NULL, 1},
	{"", "{\"metrics-addr\": \"127.0.0.1:9323\"}", "{\"metrics-addr\": \"127.0.0.1:9323\"}",
	 NULL, NULL, 0},
	/* Plugins of the live daemon are not in the rehearsal; those of the host are. */
	{"", "{\"authorization-plugins\": [\"opa\", \"legacy\"]}", "{}",
	 "--authorization-plugin=legacy", "--authorization-plugin=opa", 1},
	{"", "{\"authorization-plugins\": [\"legacy\"]}",
	 "{\"authorization-plugins\": [\"legacy\"]}", NULL, "--authorization-plugin", 0},
	{"", "{\"log-driver\": \"logs:2\", \"log-opts\": {\"a\": \"b\"}}", "{}", NULL, NULL, 1},
	{"", "{\"log-driver\": \"logs\"}", "{\"log-driver\": \"logs\"}", NULL, NULL, 0},
	/* The group matters only where dockerd makes the socket. */
	{"", "{\"group\": \"nobody\"}", "{}", NULL, NULL, 0},
	{"-H unix:///run/d.sock", "{\"group\": \"nobody\"}", "{\"group\": \"nobody\"}", NULL, NULL,
	 0},
	/* Containers are to be where the unit is; dockerd says what it thinks of a bad parent. */
	{"", "{}", "{}", "--cgroup-parent=hardenrehearsal.slice", NULL, 0},
	{"", "{\"cgroup-parent\": \"my.slice\"}", "{}", "--cgroup-parent=hardenrehearsal.slice",
	 NULL, 0},
	{"", "{\"cgroup-parent\": \"mine\"}", "{\"cgroup-parent\": \"mine\"}", NULL,
	 "--cgroup-parent", 0},
	{"", "{\"exec-opts\": [\"native.cgroupdriver=cgroupfs\"], \"cgroup-parent\": \"mine\"}",
	 "{\"exec-opts\": [\"native.cgroupdriver=cgroupfs\"]}",
	 "--cgroup-parent=/hardenrehearsal.slice", NULL, 0},
};

START_TEST(replaces_what_must_be_replaced)
{
	scoped(host_done) struct host host = host_with(cases[_i].flags, cases[_i].text);
	cleanup_rehearsal_script struct rehearsal_script script = script_of(&host);
	const char *without = cases[_i].without;

	ck_assert_ptr_null(script.obstacle);
	ck_assert_str_eq(script.config.data ? script.config.data : "", cases[_i].config);
	ck_assert_str_eq(script.argv.items[0], "/usr/bin/dockerd");
	if (cases[_i].argument)
		ck_assert_msg(has(&script, cases[_i].argument), "no %s", cases[_i].argument);
	for (size_t i = 0; without && i < script.argv.count; i++)
		ck_assert_msg(strncmp(script.argv.items[i], without, strlen(without)) != 0, "%s",
			      script.argv.items[i]);
	ck_assert_uint_eq(script.notes.count, cases[_i].notes);
}
END_TEST

START_TEST(command_line_is_the_one_of_afterwards)
{
	scoped(host_done) struct host host = host_with("--icc=true --debug", "{\"icc\": false}");

	add_words(&host.command_line, "/usr/bin/dockerd -H fd:// --debug");
	cleanup_rehearsal_script struct rehearsal_script script = script_of(&host);
	ck_assert(!has(&script, "--icc=true"));
	ck_assert(has(&script, "--debug=true"));
	ck_assert(strlist_contains(&script.environment, "HTTP_PROXY=http://p:3128"));
	ck_assert(!strlist_contains(&script.environment, "DOCKER_TMPDIR=/big"));
	ck_assert(strlist_contains(&script.environment,
				   "XTABLES_LOCKFILE=/run/harden-rehearsal/xtables.lock"));
}
END_TEST

START_TEST(old_versions_keep_their_key_there)
{
	scoped(host_done) struct host host = host_with("", "{\"debug\": true}");

	host.configuration.version = (struct dockerver){20, 10, 24};
	cleanup_rehearsal_script struct rehearsal_script script = script_of(&host);
	ck_assert_str_eq(script.config.data,
			 "{\"debug\": true, "
			 "\"deprecated-key-path\": \"/run/harden-rehearsal/key.json\"}");

	struct rehearsal_script control = {.obstacle = NULL};
	struct error error = ERROR_NONE;
	host.facts.info = json_pack("{s:s, s:[]}", "Driver", "overlay2", "DriverStatus");
	ck_assert_int_eq(rehearsal_write_control(&script, &host.facts, &control, &error), 0);
	ck_assert(has(&control, "--storage-driver=overlay2"));
	ck_assert(has(&control, "--data-root=/run/harden-rehearsal/data"));
	ck_assert_ptr_nonnull(strstr(control.config.data, "deprecated-key-path"));
	ck_assert_ptr_null(strstr(control.config.data, "debug"));
	rehearsal_script_done(&control);
}
END_TEST

START_TEST(data_root_is_found)
{
	static const struct {
		const char *flags;
		const char *text;
		const char *root;
	} roots[] = {
		{"", "{}", "/var/lib/docker"},
		{"--data-root=/a", "{}", "/a"},
		{"", "{\"data-root\": \"/b\"}", "/b"},
		{"", "{\"data-root\": \"\"}", "/var/lib/docker"},
	};

	for (size_t i = 0; i < array_size(roots); i++) {
		scoped(host_done) struct host host = host_with(roots[i].flags, roots[i].text);
		cleanup_rehearsal_script struct rehearsal_script script = script_of(&host);
		ck_assert_str_eq(script.data_root, roots[i].root);
	}
}
END_TEST

START_TEST(who_logs_to_others_is_silent)
{
	static const struct {
		const char *text;
		bool silent;
	} drivers[] = {
		{"{}", false},
		{"{\"log-driver\": \"local\"}", false},
		{"{\"log-driver\": \"syslog\"}", true},
		{"{\"log-driver\": \"journald\"}", true},
		{"{\"log-driver\": \"foo\"}", false},
	};

	for (size_t i = 0; i < array_size(drivers); i++) {
		scoped(host_done) struct host host = host_with("", drivers[i].text);
		cleanup_rehearsal_script struct rehearsal_script script = script_of(&host);
		ck_assert_msg(script.silent == drivers[i].silent, "%s", drivers[i].text);
	}
}
END_TEST

START_TEST(a_log_that_nobody_takes_is_known)
{
	scoped(host_done) struct host host = host_with(
		"",
		"{\"log-driver\": \"syslog\", \"log-opts\": {\"syslog-address\": \"tcp://h:1\"}}");

	cleanup_rehearsal_script struct rehearsal_script untried = script_of(&host);
	ck_assert_ptr_null(untried.unheard);
	host.facts.syslog.address = strdup("tcp://h:1");
	host.facts.syslog.reason = strdup("connection refused");
	host.facts.syslog.answers = NO;
	cleanup_rehearsal_script struct rehearsal_script nobody = script_of(&host);
	ck_assert_ptr_nonnull(strstr(nobody.unheard, "tcp://h:1: connection refused"));
	host.facts.syslog.rsyslog = RSYSLOG_READY;
	cleanup_rehearsal_script struct rehearsal_script soon = script_of(&host);
	ck_assert_ptr_null(soon.unheard);
	host.facts.syslog.rsyslog = RSYSLOG_ABSENT;
	host.text = "{\"log-driver\": \"journald\"}";
	cleanup_rehearsal_script struct rehearsal_script another = script_of(&host);
	ck_assert_ptr_null(another.unheard);
}
END_TEST

START_TEST(some_hosts_cannot)
{
	static const char *const texts[] = {
		"{\"storage-driver\": \"devicemapper\"}",
		"{\"storage-driver\": \"zfs\"}",
		"{\"storage-opts\": [\"dm.thinpooldev=/dev/mapper/pool\"]}",
	};

	for (size_t i = 0; i < array_size(texts); i++) {
		scoped(host_done) struct host host = host_with("", texts[i]);
		cleanup_rehearsal_script struct rehearsal_script script = script_of(&host);
		ck_assert_ptr_nonnull(script.obstacle);
	}
	scoped(host_done) struct host host = host_with("", "{}");
	host.facts.info = json_pack("{s:s}", "Driver", "zfs");
	cleanup_rehearsal_script struct rehearsal_script in_use = script_of(&host);
	ck_assert_ptr_nonnull(in_use.obstacle);
	json_decref(host.facts.info);
	host.facts.info = NULL;
	host.facts.unit.known = false;
	cleanup_rehearsal_script struct rehearsal_script unknown = script_of(&host);
	ck_assert_ptr_nonnull(unknown.obstacle);
}
END_TEST

START_TEST(accounts_only_where_they_would_be_created)
{
	scoped(host_done) struct host host = host_with("", "{\"userns-remap\": \"default\"}");
	cleanup_rehearsal_script struct rehearsal_script missing = script_of(&host);

	ck_assert(missing.accounts);
	host.facts.dockremap_user = YES;
	cleanup_rehearsal_script struct rehearsal_script there = script_of(&host);
	ck_assert(!there.accounts);
	host.facts.dockremap_user = NO;
	host.text = "{\"userns-remap\": \"admin\"}";
	cleanup_rehearsal_script struct rehearsal_script another = script_of(&host);
	ck_assert(!another.accounts);
}
END_TEST

START_TEST(account_gets_free_ids)
{
	static const char *const texts[ACCOUNT_TABLES] = {
		[ACCOUNT_PASSWD] = "root:x:0:0:root:/root:/bin/sh\nx:x:999:5::/:/bin/false",
		[ACCOUNT_GROUP] = "root:x:0:\ny:x:998:\n",
		[ACCOUNT_SUBUID] = "admin:100000:65536\nother:165536:65536\n",
		[ACCOUNT_SUBGID] = "",
	};
	static const char *const lines[ACCOUNT_TABLES] = {
		[ACCOUNT_PASSWD] = "\ndockremap:x:997:997::/nonexistent:/usr/sbin/nologin\n",
		[ACCOUNT_GROUP] = "\ndockremap:x:997:\n",
		[ACCOUNT_SUBUID] = "\ndockremap:231072:65536\n",
		[ACCOUNT_SUBGID] = "dockremap:100000:65536\n",
	};
	struct error error = ERROR_NONE;

	for (int i = 0; i < ACCOUNT_TABLES; i++) {
		cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
		ck_assert_int_eq(rehearsal_account(texts, (enum account_table)i, &text, &error), 0);
		ck_assert_int_eq(strncmp(text.data, texts[i], strlen(texts[i])), 0);
		ck_assert_str_eq(text.data + text.length - strlen(lines[i]), lines[i]);
	}
}
END_TEST

START_TEST(cause_is_told)
{
	static const struct {
		const char *words;
		const char *text;
		const char *key;
	} causes[] = {
		{"failed to set log opts: unknown log opt 'max-size' for syslog log driver",
		 "{\"log-driver\": \"syslog\", \"log-opts\": {\"max-size\": \"1m\"}}", "log-opts"},
		{"You specified --iptables=false with --icc=false. ICC=false uses iptables to "
		 "function. Please set --icc or --iptables to true.",
		 "{\"iptables\": false, \"icc\": false}", "icc"},
		{"opening seccomp profile (/etc/x.json) failed: no such file or directory",
		 "{\"seccomp-profile\": \"/etc/x.json\"}", "seccomp-profile"},
		{"Error creating default \"bridge\" network: invalid CIDR address: 10.0.0.1/99",
		 "{\"userns-remap\": \"default\", \"bip\": \"10.0.0.1/99\"}", "bip"},
		{"the following directives don't match any configuration option: nonsense",
		 "{\"debug\": true, \"nonsense\": 1}", "nonsense"},
		{"something else went wrong", "{\"debug\": true}", NULL},
		{"a suicide of no-icc", "{\"icc\": false}", NULL},
		{"a key without a name is none", "{\"\": 1}", NULL},
		{"ends with icc", "{\"\": 1, \"icc\": false}", "icc"},
	};

	for (size_t i = 0; i < array_size(causes); i++) {
		cleanup_strlist struct strlist words = {.items = NULL};
		json_auto_t *document = NULL;
		struct error error = ERROR_NONE;
		ck_assert_int_eq(strlist_add(&words, causes[i].words), 0);
		ck_assert_int_eq(
			daemonjson_read(causes[i].text, strlen(causes[i].text), &document, &error),
			0);
		const char *key = rehearsal_cause(&words, document);
		ck_assert_msg(causes[i].key ? key && strcmp(key, causes[i].key) == 0 : !key,
			      "%s: %s", causes[i].words, key ? key : "none");
	}
}
END_TEST

START_TEST(paths_are_translated)
{
	cleanup_strlist struct strlist words = {.items = NULL};
	cleanup_strlist struct strlist said = {.items = NULL};
	struct rehearsal_script script = {.data_root = (char[]){"/srv/docker"}};
	struct error error = ERROR_NONE;

	ck_assert_int_eq(strlist_add(&words, "mkdir /run/harden-rehearsal/data/x: no"), 0);
	ck_assert_int_eq(rehearsal_translate(&words, &script, &said, &error), 0);
	ck_assert_str_eq(said.items[0], "mkdir /srv/docker/x: no");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		command_line_is_the_one_of_afterwards,
		old_versions_keep_their_key_there,
		data_root_is_found,
		who_logs_to_others_is_silent,
		a_log_that_nobody_takes_is_known,
		some_hosts_cannot,
		accounts_only_where_they_would_be_created,
		account_gets_free_ids,
		cause_is_told,
		paths_are_translated,
		NULL,
	};

	return test_main_loop("rehearsal", tests, replaces_what_must_be_replaced,
			      array_size(cases));
}
