/* What a canary is made of, what it reports, and what dockerd's words about it mean. */
#include "harness.h"

#include "base/text.h"
#include "core/builtin.h"
#include "core/canary.h"
#include "core/live.h"

static struct error error;

static json_t *json(const char *text)
{
	json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);

	ck_assert_msg(value != NULL, "bad JSON in the test: %s", text);
	return value;
}

/* ---- before ---- */

START_TEST(the_image_has_the_program_and_nothing_else)
{
	struct strbuf tar = STRBUF_EMPTY;
	size_t length = 0;
	const char *program = builtin_canary(&length);

	ck_assert_uint_gt(length, 100);
	ck_assert_uint_lt(length, 2048);
	ck_assert_mem_eq(program, "\177ELF", 4);
	ck_assert_int_eq(canary_image(&tar, &error), 0);
	ck_assert_str_eq(tar.data, "harden-canary");
	ck_assert_mem_eq(tar.data + 512, program, length);
	ck_assert_uint_eq(tar.length, 512 + (length + 511) / 512 * 512 + 1024);
	strbuf_done(&tar);
}
END_TEST

START_TEST(the_container_has_the_daemons_defaults)
{
	char *text = NULL;

	ck_assert_int_eq(canary_container("ID-1", NULL, NULL, &text, &error), 0);
	json_t *body = json(text);
	json_t *wanted = json("{\"Image\": \"harden-canary:ID-1\", \"Cmd\": [\"/harden-canary\"], "
			      "\"Labels\": {\"org.harden.canary\": \"ID-1\"}, \"HostConfig\": {}}");
	ck_assert_msg(json_equal(body, wanted), "%s", text);
	ck_assert(canary_is_entry(body));
	json_decref(body);
	free(text);

	ck_assert_int_eq(canary_container("x", "none", "host", &text, &error), 0);
	body = json(text);
	json_t *host = json("{\"LogConfig\": {\"Type\": \"none\"}, \"NetworkMode\": \"host\"}");
	ck_assert_msg(json_equal(json_object_get(body, "HostConfig"), host), "%s", text);
	json_decref(host);
	json_decref(body);
	json_decref(wanted);
	free(text);
}
END_TEST

START_TEST(a_name_alone_is_no_canary)
{
	json_t *entry = json("{\"Names\": [\"/harden-canary-1\"], \"Labels\": {\"a\": \"b\"}}");

	ck_assert(!canary_is_entry(entry));
	ck_assert(!canary_is_entry(NULL));
	json_decref(entry);
}
END_TEST

/* ---- the report ---- */

/* A frame of the stream; 200 bytes of text at most. */
static void add_frame(struct strbuf *stream, char which, const char *text)
{
	const char header[8] = {which, 0, 0, 0, 0, 0, 0, (char)strlen(text)};

	ck_assert_int_eq(strbuf_add(stream, header, sizeof header), 0);
	ck_assert_int_eq(strbuf_adds(stream, text), 0);
}

static struct canary_facts read_stream(const struct strbuf *stream, const char *inspected)
{
	struct canary_facts facts = CANARY_FACTS_EMPTY;
	json_t *reply = inspected ? json(inspected) : NULL;

	ck_assert_int_eq(canary_read(stream->data ? stream->data : "", stream->length, reply,
				     &facts, &error),
			 0);
	json_decref(reply);
	return facts;
}

#define GIVEN                                                                                      \
	"{\"HostConfig\": {\"Ulimits\": [{\"Name\": \"nofile\", \"Hard\": 9, \"Soft\": 9}, "       \
	"{\"Name\": \"core\", \"Hard\": -1, \"Soft\": 0}]}}"

START_TEST(a_report_is_read_across_frames)
{
	struct strbuf stream = STRBUF_EMPTY;

	add_frame(&stream, 1, "harden-canary no_new_privs=1 sec");
	add_frame(&stream, 2, "noise on standard error\n");
	add_frame(&stream, 1,
		  "comp=2 uid_map=0:100000:65536 cpu=-1:-1 core=0:-1 nofile=5:18446744"
		  "073709551615 future=yes odd\n");
	struct canary_facts facts = read_stream(&stream, GIVEN);
	ck_assert_int_eq(facts.no_new_privileges, YES);
	ck_assert_int_eq(facts.seccomp, YES);
	ck_assert_str_eq(facts.uid_map, "0:100000:65536");
	/* As it came out, not as it was given; and of all limits only those that were given. */
	json_t *limits = json("{\"nofile\": {\"Name\": \"nofile\", \"Soft\": 5, \"Hard\": -1}, "
			      "\"core\": {\"Name\": \"core\", \"Soft\": 0, \"Hard\": -1}}");
	ck_assert(json_equal(facts.limits, limits));

	struct canary_facts copy = CANARY_FACTS_EMPTY;
	ck_assert_int_eq(canary_facts_copy(&facts, &copy, &error), 0);
	canary_facts_done(&facts);
	json_t *document = canary_facts_json(&copy);
	ck_assert(json_is_true(json_object_get(document, "no_new_privileges")));
	ck_assert(json_is_true(json_object_get(document, "seccomp")));
	ck_assert(json_equal(json_object_get(document, "limits"), limits));
	ck_assert_str_eq(json_string_value(json_object_get(document, "uid_map")), "0:100000:65536");
	json_decref(document);
	json_decref(limits);
	canary_facts_done(&copy);
	strbuf_done(&stream);
}
END_TEST

START_TEST(no_limits_given_is_none_and_not_unknown)
{
	struct strbuf stream = STRBUF_EMPTY;

	add_frame(&stream, 1, "harden-canary no_new_privs=0 seccomp=0 nofile=5:6\n");
	struct canary_facts facts = read_stream(&stream, "{\"HostConfig\": {\"Ulimits\": null}}");
	ck_assert_int_eq(facts.no_new_privileges, NO);
	ck_assert_int_eq(facts.seccomp, NO);
	ck_assert_ptr_null(facts.uid_map);
	ck_assert_uint_eq(json_object_size(facts.limits), 0);
	ck_assert_ptr_nonnull(facts.limits);
	canary_facts_done(&facts);
	/* Without the daemon's word for what it meant to give, nobody knows. */
	facts = read_stream(&stream, NULL);
	ck_assert_ptr_null(facts.limits);
	canary_facts_done(&facts);
	strbuf_done(&stream);
}
END_TEST

/* What came through a broken connection is no reason to give up. */
START_TEST(a_spoilt_word_is_passed_over)
{
	struct strbuf stream = STRBUF_EMPTY;

	add_frame(&stream, 1, "harden-canary \xffile=1:2 uid_map=\xff seccomp=2 nofile=5:6\n");
	struct canary_facts facts = read_stream(&stream, GIVEN);
	ck_assert_int_eq(facts.seccomp, YES);
	ck_assert_ptr_null(facts.uid_map);
	ck_assert_uint_eq(json_object_size(facts.limits), 1);
	canary_facts_done(&facts);
	strbuf_done(&stream);
}
END_TEST

static void check_unknown(const struct strbuf *stream)
{
	struct canary_facts facts = read_stream(stream, GIVEN);

	ck_assert_int_eq(facts.no_new_privileges, UNKNOWN);
	ck_assert_int_eq(facts.seccomp, UNKNOWN);
	ck_assert_ptr_null(facts.uid_map);
	ck_assert_ptr_null(facts.limits);
	canary_facts_done(&facts);
}

START_TEST(what_is_no_report_tells_nothing)
{
	struct strbuf stream = STRBUF_EMPTY;

	check_unknown(&stream);
	(void)strbuf_adds(&stream, "short");
	check_unknown(&stream);
	(void)strbuf_adds(&stream, " and then text without any frames, no_new_privs=1");
	check_unknown(&stream);
	strbuf_done(&stream);
	add_frame(&stream, 1, "somebody else no_new_privs=1 nofile=1:1\n");
	check_unknown(&stream);
	strbuf_done(&stream);
	/* A frame that says it is longer than what came. */
	add_frame(&stream, 1, "harden");
	stream.data[7] = 100;
	stream.data[4] = (char)0xff;
	check_unknown(&stream);
	strbuf_done(&stream);
}
END_TEST

/* ---- what is in force ---- */

/* It knows better than the daemon where it got less, and says what an old daemon does not. */
START_TEST(what_it_saw_is_in_force)
{
	static const struct {
		const char *key;
		unsigned major;
		const char *options; /* of /info's SecurityOptions */
		enum tristate no_new_privileges;
		enum tristate seccomp;
		const char *uid_map;
		const char *value; /* NULL: not known */
	} cases[] = {
		{"no-new-privileges", 20, "[]", UNKNOWN, UNKNOWN, NULL, NULL},
		{"no-new-privileges", 20, "[]", YES, UNKNOWN, NULL, "true"},
		{"no-new-privileges", 20, "[]", NO, UNKNOWN, NULL, "false"},
		{"no-new-privileges", 26, "[\"name=no-new-privileges\"]", NO, UNKNOWN, NULL,
		 "false"},
		{"no-new-privileges", 26, "[\"name=no-new-privileges\"]", YES, UNKNOWN, NULL,
		 "true"},
		/* Its unit may give it to the daemon and all that it starts. */
		{"no-new-privileges", 26, "[]", YES, UNKNOWN, NULL, "false"},
		{"seccomp-profile", 26, "[\"name=seccomp,profile=builtin\"]", NO, NO, NULL,
		 "\"unconfined\""},
		{"seccomp-profile", 26, "[\"name=seccomp,profile=builtin\"]", NO, YES, NULL,
		 "\"\""},
		{"seccomp-profile", 26, "[]", NO, NO, NULL, NULL},
		{"userns-remap", 26, "[\"name=userns\"]", NO, NO, "0:0:4294967295", "\"\""},
		{"userns-remap", 26, "[\"name=userns\"]", NO, NO, "0:5000:65536", "\"5000:5000\""},
		{"userns-remap", 26, "[\"name=userns\"]", NO, NO, NULL, "\"5000:5000\""},
		{"userns-remap", 26, "[]", NO, NO, "0:5000:65536", "\"\""},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		struct facts facts = FACTS_EMPTY;
		json_t *wanted = cases[i].value ? json(cases[i].value) : NULL;

		facts.daemon = DAEMON_RUNNING;
		facts.version = (struct dockerver){cases[i].major, 1, 0};
		facts.info = json_pack("{s:s, s:o}", "DockerRootDir", "/var/lib/docker/5000.5000",
				       "SecurityOptions", json(cases[i].options));
		facts.canary.no_new_privileges = cases[i].no_new_privileges;
		facts.canary.seccomp = cases[i].seccomp;
		facts.canary.uid_map = cases[i].uid_map ? strdup(cases[i].uid_map) : NULL;
		json_t *value = live_value(&facts, &cases[i].key, 1);
		ck_assert_msg(wanted ? json_equal(value, wanted) : value == NULL, "case %zu", i);
		json_decref(value);
		json_decref(wanted);
		facts_done(&facts);
	}
}
END_TEST

/* ---- failures ---- */

/* Words that dockerd of these versions said. */
static const struct {
	const char *words;
	const char *key; /* NULL: none */
	bool excused;
} failures[] = {
	{"OCI runtime create failed: container_linux.go:380: starting container process caused: "
	 "process_linux.go:545: container init caused: process_linux.go:508: setting rlimits for "
	 "ready process caused: error setting rlimit type 7: operation not permitted: unknown",
	 "default-ulimits", false},
	{"failed to create task for container: failed to create shim task: OCI runtime create "
	 "failed: runc create failed: unable to start container process: error during container "
	 "init: error setting rlimits for ready process: error setting rlimit type 7: operation "
	 "not permitted: unknown",
	 "default-ulimits", false},
	{"invalid ulimit type: nofil", "default-ulimits", false},
	{"failed to create task for container: failed to initialize logging driver: dial tcp "
	 "127.0.0.1:5514: connect: connection refused",
	 "log-driver", false},
	{"unknown log opt 'max-size' for syslog log driver", "log-opts", false},
	{"unknown or invalid runtime name: gone", "default-runtime", false},
	{"Unknown runtime specified gone", "default-runtime", false},
	{"failed to register layer: lchown /harden-canary: invalid argument", "userns-remap",
	 false},
	{"write /proc/self/uid_map: operation not permitted", "userns-remap", false},
	{"error loading seccomp filter into kernel", "seccomp-profile", false},
	{"something that nobody has seen yet", NULL, false},
	{"write /var/lib/docker/tmp/x: no space left on device", NULL, true},
	{"mkdir /var/lib/docker/overlay2/x: disk quota exceeded", NULL, true},
	{"mkdir /var/lib/docker/overlay2/x: Read-only file system", NULL, true},
	{"no available IPv4 addresses on this network's address pools: bridge (1234)", NULL, true},
	/* Limits may be the cause of these. */
	{"fork/exec: too many open files", NULL, false},
	{"exec: cannot allocate memory", NULL, false},
};

START_TEST(words_point_at_a_setting_or_excuse_it)
{
	const char *key = canary_blame(failures[_i].words);

	ck_assert_msg(text_equal(key, failures[_i].key), "%s: %s", failures[_i].words,
		      key ? key : "none");
	ck_assert_int_eq(canary_is_excused(failures[_i].words), failures[_i].excused);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		the_image_has_the_program_and_nothing_else,
		the_container_has_the_daemons_defaults,
		a_name_alone_is_no_canary,
		a_report_is_read_across_frames,
		no_limits_given_is_none_and_not_unknown,
		a_spoilt_word_is_passed_over,
		what_is_no_report_tells_nothing,
		what_it_saw_is_in_force,
		NULL,
	};

	return test_main_loop("canary", tests, words_point_at_a_setting_or_excuse_it,
			      array_size(failures));
}
