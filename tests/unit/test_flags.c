#include "harness.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/text.h"
#include "core/flags.h"

/* A command line as words; "@NAME:word" came in through the variable NAME. */
static struct words words_of(const char *line)
{
	struct strlist list = {.items = NULL};
	struct error error = ERROR_NONE;
	struct words words = {.items = NULL};

	ck_assert_int_eq(words_split(line, &list, &error), 0);
	words.items = calloc(list.count + 1, sizeof *words.items);
	words.items[words.count++].text = strdup("/usr/bin/dockerd");
	for (size_t i = 0; i < list.count; i++) {
		struct word *word = &words.items[words.count++];
		char *colon = strchr(list.items[i], ':');
		bool variable = list.items[i][0] == '@' && colon;
		*word = (struct word){
			.text = strdup(variable ? colon + 1 : list.items[i]),
			.origin = variable ? WORD_VARIABLE : WORD_LITERAL,
			.variable = variable ? strndup(list.items[i] + 1,
						       (size_t)(colon - list.items[i] - 1))
					     : NULL,
		};
	}
	strlist_done(&list);
	return words;
}

static struct flags parse(const char *line, const char *version_text)
{
	struct words words = words_of(line);
	struct flags flags = {.items = NULL};
	struct error error = ERROR_NONE;
	struct dockerver version;

	ck_assert(dockerver_parse(version_text, &version));
	ck_assert_int_eq(flags_parse(&words, version, &flags, &error), 0);
	words_done(&words);
	return flags;
}

struct flag_row {
	const char *line;
	const char *version;
	const char *want; /* flag=value[first+count] … !word:name for a problem */
};

static const struct flag_row rows[] = {
	{"", "28.5", ""},
	{"-H fd://", "28.5", "host=fd://[1+2] "},
	{"-Hfd://", "28.5", "host=fd://[1+1] "},
	{"-H=fd://", "28.5", "host=fd://[1+1] "},
	{"--node-generic-resource gpu=1", "28.5", "node-generic-resource=gpu=1[1+2] "},
	{"--node-generic-resource gpu", "28.5", "!1:--node-generic-resource "},
	{"--node-generic-resource a=b=c", "28.5", "!1:--node-generic-resource "},
	{"--host fd://", "28.5", "host=fd://[1+2] "},
	{"--host=fd://", "28.5", "host=fd://[1+1] "},
	{"--host=", "28.5", "host=[1+1] "},
	{"-H=", "28.5", "host==[1+1] "}, /* pflag wants something behind the sign */
	{"--label a=b", "28.5", "label=a=b[1+2] "},
	{"--label=a=b", "28.5", "label=a=b[1+1] "},
	{"-H -x", "28.5", "host=-x[1+2] "}, /* a value may look like a flag */
	{"--label --debug", "28.5", "label=--debug[1+2] "},
	{"-D", "28.5", "debug=true[1+1] "},
	{"--debug", "28.5", "debug=true[1+1] "},
	{"--debug=false", "28.5", "debug=false[1+1] "},
	{"-D=false", "28.5", "debug=false[1+1] "},
	{"-DH unix:///x", "28.5", "debug=true[1+1] host=unix:///x[1+2] "},
	{"-DHunix:///x", "28.5", "debug=true[1+1] host=unix:///x[1+1] "},
	{"-Dl warn", "28.5", "debug=true[1+1] log-level=warn[1+2] "},
	{"-D --icc=F --mtu 1500", "28.5", "debug=true[1+1] icc=F[2+1] mtu=1500[3+2] "},
	{"--icc=1 --icc=T --icc=TRUE --icc=0", "28.5",
	 "icc=1[1+1] icc=T[2+1] icc=TRUE[3+1] icc=0[4+1] "},
	{"--mtu=0x5dc", "28.5", "mtu=0x5dc[1+1] "},
	{"--mtu=1_500", "28.5", "mtu=1_500[1+1] "},
	{"--oom-score-adjust -500", "20.10", "oom-score-adjust=-500[1+2] "},
	{"@OPTS:--icc=false", "28.5", "icc=false@OPTS[1+1] "},
	{"@OPTS:-H @OPTS:fd://", "28.5", "host=fd://@OPTS[1+2] "},
	{"--config-file /x --validate", "28.5", "config-file=/x[1+2] validate=true[3+1] "},
	{"-v -h", "28.5", "version=true[1+1] help=true[2+1] "},
	{"-g /x -p y -s overlay2 -G docker -b none", "20.10",
	 "graph=/x[1+2] pidfile=y[3+2] storage-driver=overlay2[5+2] group=docker[7+2] "
	 "bridge=none[9+2] "},
	{"--host-gateway-ip 1.1.1.1", "27.5", "host-gateway-ip=1.1.1.1[1+2] "},
	{"--", "28.5", ""},
	/* what dockerd refuses */
	{"--icc false", "28.5", "icc=true[1+1] !2:--icc "},
	{"--icc no", "28.5", "icc=true[1+1] !2:command line "},
	{"-D false", "28.5", "debug=true[1+1] !2:--debug "},
	{"--icc=no", "28.5", "!1:--icc "},
	{"--icc=", "28.5", "!1:--icc "},
	{"--icc=tRUE", "28.5", "!1:--icc "},
	{"-D=", "28.5", "debug=true[1+1] !1:-= "},
	{"--mtu=x", "28.5", "!1:--mtu "},
	{"--mtu=", "28.5", "!1:--mtu "},
	{"--mtu=08", "28.5", "!1:--mtu "},
	{"--mtu=1__5", "28.5", "!1:--mtu "},
	{"--mtu=99999999999999999999", "28.5", "!1:--mtu "},
	{"--mtu", "28.5", "!1:--mtu "},
	{"-H", "28.5", "!1:-H "},
	{"--foo", "28.5", "!1:--foo "},
	{"--foo=bar --debug", "28.5", "!1:--foo debug=true[2+1] "},
	{"--registry-mirror:http://u:pw@h", "28.5", "!1:--registry-mirror… "},
	{"--fóo", "28.5", "!1:--f… "},
	{"--foo bar --debug", "28.5", "!1:--foo debug=true[3+1] "},
	{"-z", "28.5", "!1:-z "},
	{"-Dz", "28.5", "debug=true[1+1] !1:-z "},
	{"---debug", "28.5", "!1:command line "},
	{"--=x", "28.5", "!1:command line "},
	{"x", "28.5", "!1:command line "},
	{"-", "28.5", "!1:command line "},
	{"-- --debug", "28.5", "!2:command line "},
	{"--graph /x", "28.5", "!1:--graph "},
	{"-g /x", "28.5", "!1:-g "},
	{"--cluster-store x", "23.0", "cluster-store=x[1+2] "},
	{"--cluster-store x", "24.0", "!1:--cluster-store "},
	{"--feature cdi", "27.2", "!1:--feature "},
	{"--feature cdi", "27.3", "feature=cdi[1+2] "},
	{"--feature cdi=x", "27.3", "!1:--feature "},
	{"--validate", "20.10", "!1:--validate "},
	{"--default-ulimit nofile=5:4", "28.5", "!1:--default-ulimit "},
	{"--default-ulimit nofile", "28.5", "!1:--default-ulimit "},
	{"--default-ulimit files=5", "28.5", "!1:--default-ulimit "},
	{"--default-ulimit nofile=5:6:7", "28.5", "!1:--default-ulimit "},
	{"--default-ulimit nofile=-1:5", "28.5", "!1:--default-ulimit "},
	{"--default-ulimit nofile=5:-1", "28.5", "default-ulimit=nofile=5:-1[1+2] "},
	{"--add-runtime x", "28.5", "!1:--add-runtime "},
	{"--add-runtime x=", "28.5", "!1:--add-runtime "},
	{"--add-runtime x=/a --add-runtime X=/b", "28.5",
	 "add-runtime=x=/a[1+2] !3:--add-runtime "},
	{"--default-address-pool base=10.0.0.0/8", "28.5",
	 "default-address-pool=base=10.0.0.0/8[1+2] "},
	{"--default-address-pool size=x", "28.5", "!1:--default-address-pool "},
	{"--default-network-opt bridge=x", "28.5", "!1:--default-network-opt "},
	{"--ip localhost", "28.5", "!1:--ip "},
};

static void add_flag_text(struct strbuf *out, const struct flag *flag)
{
	strbuf_addf(out, "%s=%s%s%s[%zu+%zu] ", flag->option->flag, flag->value,
		    flag->variable ? "@" : "", flag->variable ? flag->variable : "",
		    flag->first_word, flag->word_count);
	ck_assert_int_eq(flag->origin == WORD_VARIABLE, flag->variable != NULL);
}

START_TEST(reads_as_pflag)
{
	struct flags flags = parse(rows[_i].line, rows[_i].version);
	struct strbuf got = STRBUF_EMPTY;
	size_t f = 0, p = 0;

	/* In the order of the words; a flag before a problem of the same word. */
	while (f < flags.count || p < flags.problem_count) {
		if (p == flags.problem_count ||
		    (f < flags.count && flags.items[f].first_word <= flags.problems[p].word)) {
			add_flag_text(&got, &flags.items[f++]);
		} else {
			ck_assert_uint_gt(strlen(flags.problems[p].text), 20);
			strbuf_addf(&got, "!%zu:%s ", flags.problems[p].word,
				    flags.problems[p].name);
			p++;
		}
	}
	ck_assert_str_eq(got.data ? got.data : "", rows[_i].want);
	strbuf_done(&got);
	flags_done(&flags);
}
END_TEST

static const struct {
	const char *line, *key, *json;
} values[] = {
	{"--icc=false", "icc", "false"},
	{"--icc=false --icc", "icc", "true"},
	{"--mtu=1400 --mtu=0x5dc", "mtu", "1500"},
	{"--mtu=0b11", "mtu", "3"},
	{"--mtu=010", "mtu", "8"},
	{"--mtu=-5", "mtu", "-5"},
	{"-l warn", "log-level", "\"warn\""},
	{"-H a -Hb --host=c", "hosts", "[\"a\", \"b\", \"c\"]"},
	{"--label a=b --label c=d", "labels", "[\"a=b\", \"c=d\"]"},
	{"--log-opt a=b --log-opt c=d=e --log-opt f", "log-opts",
	 "{\"a\": \"b\", \"c\": \"d=e\", \"f\": \"\"}"},
	{"--log-opt a=b --log-opt a=c", "log-opts", "{\"a\": \"c\"}"},
	{"--default-ulimit nofile=1024:2048 --default-ulimit nproc=5", "default-ulimits",
	 "{\"nofile\": {\"Name\": \"nofile\", \"Soft\": 1024, \"Hard\": 2048},"
	 " \"nproc\": {\"Name\": \"nproc\", \"Soft\": 5, \"Hard\": 5}}"},
	{"--add-runtime Crun=/usr/bin/crun", "runtimes",
	 "{\"crun\": {\"path\": \"/usr/bin/crun\"}}"},
	{"--default-address-pool base=10.0.0.0/8,size=24", "default-address-pools",
	 "[{\"base\": \"10.0.0.0/8\", \"size\": 24}]"},
	{"--default-network-opt bridge=a=b --default-network-opt bridge=c=d=e",
	 "default-network-opts", "{\"bridge\": {\"a\": \"b\", \"c\": \"d=e\"}}"},
	{"--feature cdi --feature x=false", "features", "{\"cdi\": true, \"x\": false}"},
	{"--nri-opts enable,socket-path=/x", "nri-opts",
	 "{\"enable\": true, \"socket-path\": \"/x\"}"},
	{"--storage-opt dm.basesize=20G", "storage-opts", "[\"dm.basesize=20G\"]"},
	{"--host-gateway-ip 1.1.1.1", "host-gateway-ips", "[\"1.1.1.1\"]"},
	{"--label a=\\xff", "labels", "[\"a=\xEF\xBF\xBD\"]"},
	{"--debug", "icc", NULL},
};

START_TEST(values_as_daemon_json_would_hold_them)
{
	struct flags flags = parse(values[_i].line, "29.7");
	struct error error = ERROR_NONE;
	const struct flag *first = NULL;
	json_t *got = NULL;

	ck_assert_uint_eq(flags.problem_count, 0);
	ck_assert_int_eq(flags_value(&flags, option_by_key(values[_i].key), &got, &first, &error),
			 0);
	if (values[_i].json) {
		json_t *want = json_loads(values[_i].json, JSON_DECODE_ANY, NULL);
		const char *expected;
		ck_assert_ptr_nonnull(want);
		ck_assert(json_equal(got, want));
		ck_assert(option_type_matches(first->option, got, &expected));
		ck_assert_ptr_eq(first, &flags.items[0]);
		json_decref(want);
	} else {
		ck_assert_ptr_null(got);
		ck_assert_ptr_null(first);
	}
	json_decref(got);
	flags_done(&flags);
}
END_TEST

START_TEST(problems_keep_secrets)
{
	struct flags flags = parse("--htp-proxy=http://u:secret@x --add-runtime secret secret "
				   "--mtu secret -zsecret --icc=secret",
				   "28.5");

	ck_assert_uint_eq(flags.problem_count, 6);
	for (size_t i = 0; i < flags.problem_count; i++) {
		ck_assert_ptr_null(strstr(flags.problems[i].text, "secret"));
		ck_assert_ptr_null(strstr(flags.problems[i].name, "secret"));
	}
	flags_done(&flags);
}
END_TEST

/* Which bytes of a word are the flag's, and where one that is gone stands. */
START_TEST(flags_know_their_bytes)
{
	struct flags flags = parse("-DH fd:// --mtu=1 -Dldebug -D=false", "28.5");
	static const struct {
		size_t word, count, at, length;
	} want[] = {{1, 1, 1, 1}, {1, 2, 2, 1}, {3, 1, 0, 7},
		    {4, 1, 1, 1}, {4, 1, 2, 6}, {5, 1, 1, 7}};

	ck_assert_uint_eq(flags.count, array_size(want));
	for (size_t i = 0; i < array_size(want); i++) {
		ck_assert_uint_eq(flags.items[i].first_word, want[i].word);
		ck_assert_uint_eq(flags.items[i].word_count, want[i].count);
		ck_assert_uint_eq(flags.items[i].at, want[i].at);
		ck_assert_uint_eq(flags.items[i].length, want[i].length);
	}
	flags_done(&flags);

	flags = parse("--icc --cluster-store x --nonsense", "28.5");
	ck_assert_uint_eq(flags.problem_count, 2);
	ck_assert_str_eq(flags.problems[0].gone.option->flag, "cluster-store");
	ck_assert_uint_eq(flags.problems[0].gone.first_word, 2);
	ck_assert_uint_eq(flags.problems[0].gone.word_count, 2);
	ck_assert_ptr_null(flags.problems[1].gone.option);
	flags_done(&flags);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("flags");
	TCase *tests = tcase_create("all");

	tcase_add_loop_test(tests, reads_as_pflag, 0, (int)array_size(rows));
	tcase_add_loop_test(tests, values_as_daemon_json_would_hold_them, 0,
			    (int)array_size(values));
	tcase_add_test(tests, problems_keep_secrets);
	tcase_add_test(tests, flags_know_their_bytes);
	suite_add_tcase(suite, tests);

	return test_run(suite);
}
