#include "harness.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/text.h"
#include "core/words.h"

/* Writes a list as <a><b>, so that a row shows where words begin and end. */
static char *bracketed(const struct strlist *list)
{
	struct strbuf out = STRBUF_EMPTY;

	for (size_t i = 0; i < list->count; i++)
		strbuf_addf(&out, "<%s>", list->items[i]);
	return strbuf_finish(&out);
}

struct split_row {
	const char *line;
	const char *want; /* NULL: refused */
};

static const struct split_row splits[] = {
	{"", ""},
	{" \t\n\r ", ""},
	{"a", "<a>"},
	{"  a  b\tc\n", "<a><b><c>"},
	{"/usr/bin/dockerd -H fd:// $DOCKER_OPTS", "</usr/bin/dockerd><-H><fd://><$DOCKER_OPTS>"},
	{"\"a b\" 'c d'", "<a b><c d>"},
	{"a\"b c\"d", "<ab cd>"},
	{"\"a\"'b'", "<ab>"},
	{"\"\" ''", "<><>"},
	{"a\"\"", "<a>"},
	{"\"it's\" '\"'", "<it's><\">"},
	{"\\\"a\\\"", "<\"a\">"},
	{"\"a\\\"b\"", "<a\"b>"},
	{"'a\\'b'", "<a'b>"}, /* unlike a shell */
	{"a\\sb", "<a b>"},
	{"\\t\\n\\\\", "<\t\n\\>"},
	{"\\a\\b\\f\\r\\v", "<\a\b\f\r\v>"},
	{"\\x41\\x7a", "<Az>"},
	{"\\101\\060", "<A0>"},
	{"\\u00e9\\u20ac", "<\xC3\xA9\xE2\x82\xAC>"},
	{"\\U0001F600", "<\xF0\x9F\x98\x80>"},
	{"\\xe9", "<\xE9>"},
	/* Escapes that systemd does not know, with its warning, stay as they are. */
	{"a\\qb", "<a\\qb>"},
	{"a\\ b", "<a\\ b>"},
	{"\\x4", "<\\x4>"},
	{"\\x00", "<\\x00>"},
	{"\\000", "<\\000>"},
	{"\\400", "<\\400>"},
	{"\\18", "<\\18>"},
	{"\\u12", "<\\u12>"},
	{"\\U00110000", "<\\U00110000>"},
	{"\\U0000d800", "<\\U0000d800>"},
	{"\\ud800", "<\xED\xA0\x80>"}, /* \u does not ask */
	{"\\q\\t", "<\\q\t>"},
	{"a\\", "<a\\>"},
	{"\\$X \\%", "<\\$X><\\%>"},
	{"$$ %% ${A B}", "<$$><%%><${A><B}>"},
	{"a \\; b", "<a><;><b>"},
	{"a \\;", "<a><;>"},
	{"a \\;b", "<a><\\;b>"},
	{"\"\\;\"", "<\\;>"},
	{"a;b ; c", "<a;b><;><c>"},
	{"#a", "<#a>"},
	{"\xC3\xA9 \xFF", "<\xC3\xA9><\xFF>"},
	{"\"", NULL},
	{"a 'b", NULL},
	{"\"a\\\"", NULL},
	{"\"a\\", NULL},
	{"'a\"", NULL},
};

START_TEST(splits_as_execstart)
{
	const struct split_row *row = &splits[_i];
	struct strlist list = {.items = NULL};
	struct error error = ERROR_NONE;

	int r = words_split(row->line, &list, &error);
	if (!row->want) {
		ck_assert_int_eq(r, -EINVAL);
		ck_assert_ptr_null(list.items);
		ck_assert_uint_gt(error.column, 0);
		return;
	}
	ck_assert_int_eq(r, 0);
	char *got = bracketed(&list);
	ck_assert_str_eq(got, row->want);
	free(got);
	strlist_done(&list);
}
END_TEST

START_TEST(names_the_quote)
{
	struct strlist list = {.items = NULL};
	struct error error = ERROR_NONE;

	ck_assert_int_eq(words_split("\xC3\xA9 'x' \"y", &list, &error), -EINVAL);
	ck_assert_uint_eq(error.column, 7);
	ck_assert_ptr_nonnull(strstr(error.text, "(\")"));
}
END_TEST

static const struct split_row values[] = {
	{"", ""},
	{"  ", ""},
	{"-H fd://  --icc=false", "<-H><fd://><--icc=false>"},
	{"--label \"a b\"", "<--label><a b>"},
	{"--label='a b'", "<--label=a b>"},
	{"\"\"", "<>"},
	{"\"a b", "<a b>"}, /* an open quote runs to the end */
	{"'a b\" c", "<a b\" c>"},
	{"a\\ b", "<a b>"},
	{"a\\nb", "<anb>"},
	{"\\\"a\\\"", "<\"a\">"},
	{"\"a\\\"b\"", "<a\"b>"},
	{"a\\", "<a>"},
	{"\\", "<>"},
	{"\\;", "<;>"},
	{"$A ${A} $$", "<$A><${A}><$$>"},
	{"a\nb\rc", "<a><b><c>"},
};

START_TEST(splits_values_loosely)
{
	struct strlist list = {.items = NULL};
	struct error error = ERROR_NONE;

	ck_assert_int_eq(words_split_value(values[_i].line, &list, &error), 0);
	char *got = bracketed(&list);
	ck_assert_str_eq(got, values[_i].want);
	free(got);
	strlist_done(&list);
}
END_TEST

static const char *lookup(const char *name, size_t length, const void *context)
{
	static const char *const variables[][2] = {
		{"OPTS", "-H fd:// \"--label=a b\""},
		{"ONE", "1"},
		{"EMPTY", ""},
		{"BLANK", "  "},
		{"QUOTES", "\"\""},
		{"NEST", "$ONE ${ONE}"},
		{"A_1", "x"},
	};

	(void)context;
	for (size_t i = 0; i < array_size(variables); i++)
		if (strlen(variables[i][0]) == length &&
		    strncmp(variables[i][0], name, length) == 0)
			return variables[i][1];
	return NULL;
}

/* One word of ExecStart=, and what becomes of it. */
static const struct split_row expansions[] = {
	{"plain", "<plain>"},
	{"$OPTS", "<-H@OPTS><fd://@OPTS><--label=a b@OPTS>"},
	{"${OPTS}", "<-H fd:// \"--label=a b\">"},
	{"$ONE", "<1@ONE>"},
	{"$A_1", "<x@A_1>"},
	{"x$ONE", "<x$ONE>"},
	{"x${ONE}y${ONE}", "<x1y1>"},
	{"--h=${ONE}", "<--h=1>"},
	{"$EMPTY", ""},
	{"$BLANK", ""},
	{"$QUOTES", "<@QUOTES>"},
	{"$NEST", "<$ONE@NEST><${ONE}@NEST>"},
	{"${NEST}", "<$ONE ${ONE}>"},
	{"$UNSET", ""},
	{"${UNSET}", "<>"},
	{"a${UNSET}b", "<ab>"},
	{"$ONE/x", ""}, /* all of it is the name */
	{"$ONE$ONE", ""},
	{"$", ""},
	{"${}", "<>"},
	{"$$", "<$>"},
	{"$$ONE", "<$ONE>"},
	{"$$$ONE", "<$$ONE>"},
	{"$$${ONE}", "<$1>"},
	{"a$", "<a$>"},
	{"a$ b", "<a$ b>"},
	{"a$x${ONE}", "<a$x1>"},
	{"${ONE", "<${ONE>"},
	{"${ONE:-2}", "<${ONE:-2}>"},
	{"${ONE:-${ONE}}", "<${ONE:-1}>"},
	{"${ONE:${ONE}", "<${ONE:1>"},
	{"{$ONE}", "<{$ONE}>"},
	{"", "<>"},
};

START_TEST(expands_as_systemd)
{
	struct strlist argv = {.items = NULL};
	struct words words = {.items = NULL};
	struct strbuf got = STRBUF_EMPTY;
	struct error error = ERROR_NONE;

	ck_assert_int_eq(strlist_add(&argv, "/usr/bin/dockerd"), 0);
	ck_assert_int_eq(strlist_add(&argv, expansions[_i].line), 0);
	ck_assert_int_eq(words_expand(&argv, lookup, NULL, &words, &error), 0);
	ck_assert_str_eq(words.items[0].text, "/usr/bin/dockerd");
	strbuf_adds(&got, "");
	for (size_t i = 1; i < words.count; i++) {
		const struct word *word = &words.items[i];
		ck_assert_uint_eq(word->source, 1);
		ck_assert_int_eq(word->origin == WORD_VARIABLE, word->variable != NULL);
		strbuf_addf(&got, "<%s%s%s>", word->text, word->variable ? "@" : "",
			    word->variable ? word->variable : "");
	}
	ck_assert_str_eq(got.data ? got.data : "", expansions[_i].want);
	strbuf_done(&got);
	words_done(&words);
	strlist_done(&argv);
}
END_TEST

static const struct {
	const char *word, *literal, *unexpanded;
} joins[] = {
	{"-H", "-H", "-H"},
	{"", "\"\"", "\"\""},
	{"a b", "\"a b\"", "\"a b\""},
	{"it's", "\"it's\"", "\"it's\""},
	{"say \"x\"", "\"say \\\"x\\\"\"", "\"say \\\"x\\\"\""},
	{"a\\b", "\"a\\\\b\"", "\"a\\\\b\""},
	{"$X", "$$X", "$X"},
	{"$$", "$$$$", "$$"},
	{"${X} y", "\"$${X} y\"", "\"${X} y\""},
	{"50%", "50%%", "50%%"},
	{";", "\";\"", "\";\""},
	{";x", ";x", ";x"},
	{"a\nb", "\"a\\x0ab\"", "\"a\\x0ab\""},
	{"\x01\x7F", "\"\\x01\\x7f\"", "\"\\x01\\x7f\""},
	{"\xC3\xA9", "\xC3\xA9", "\xC3\xA9"},
	{"\xFF", "\"\\xff\"", "\"\\xff\""},
	{"#x", "#x", "#x"},
};

START_TEST(joins_what_systemd_reads_back)
{
	struct strlist list = {.items = NULL};
	struct strbuf out = STRBUF_EMPTY;

	ck_assert_int_eq(strlist_add(&list, joins[_i].word), 0);
	ck_assert_int_eq(words_join(&out, &list), 0);
	ck_assert_str_eq(out.data, joins[_i].literal);
	strbuf_done(&out);
	ck_assert_int_eq(words_join_unexpanded(&out, &list), 0);
	ck_assert_str_eq(out.data, joins[_i].unexpanded);
	strbuf_done(&out);
	strlist_done(&list);
}
END_TEST

/* What systemd does to specifiers: "%%" is a percent sign. Nothing else occurs in joined words. */
static void resolve_specifiers(struct strlist *list)
{
	for (size_t i = 0; i < list->count; i++) {
		char *to = list->items[i];
		for (const char *from = to; *from; from++) {
			if (*from == '%') {
				from++;
				ck_assert_int_eq(*from, '%');
			}
			*to++ = *from;
		}
		*to = '\0';
	}
}

static void random_word(unsigned *seed, char *word)
{
	static const char common[] = " \t\n\"'\\$%;{}=-abcx01u\xC3\xA9\xFF";
	size_t length = (size_t)rand_r(seed) % 9;

	for (size_t i = 0; i < length; i++)
		word[i] = rand_r(seed) % 3 ? common[(size_t)rand_r(seed) % (sizeof common - 1)]
					   : (char)(1 + rand_r(seed) % 255);
	word[length] = '\0';
}

static void assert_same(const struct strlist *a, const struct strlist *b, const char *line)
{
	ck_assert_msg(a->count == b->count, "%s", line);
	for (size_t i = 0; i < a->count; i++)
		ck_assert_msg(strcmp(a->items[i], b->items[i]) == 0, "%s", line);
}

START_TEST(random_words_survive)
{
	unsigned seed = (unsigned)_i;

	for (int round = 0; round < 2000; round++) {
		struct strlist list = {.items = NULL}, back = {.items = NULL};
		struct words words = {.items = NULL};
		struct strbuf line = STRBUF_EMPTY;
		struct error error = ERROR_NONE;

		for (int count = 1 + rand_r(&seed) % 4; count--;) {
			char word[16];
			random_word(&seed, word);
			ck_assert_int_eq(strlist_add(&list, word), 0);
		}
		ck_assert_int_eq(words_join_unexpanded(&line, &list), 0);
		ck_assert(utf8_is_valid(line.data, line.length, NULL));
		ck_assert_int_eq(words_split(line.data, &back, &error), 0);
		resolve_specifiers(&back);
		assert_same(&list, &back, line.data);
		strlist_done(&back);
		strbuf_done(&line);

		ck_assert_int_eq(words_join(&line, &list), 0);
		ck_assert_int_eq(words_split(line.data, &back, &error), 0);
		resolve_specifiers(&back);
		ck_assert_int_eq(words_expand(&back, lookup, NULL, &words, &error), 0);
		ck_assert_uint_eq(words.count, list.count);
		for (size_t i = 0; i < list.count; i++)
			ck_assert_str_eq(words.items[i].text, list.items[i]);
		words_done(&words);
		strlist_done(&back);
		strbuf_done(&line);
		strlist_done(&list);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("words");
	TCase *tests = tcase_create("all");

	tcase_add_loop_test(tests, splits_as_execstart, 0, (int)array_size(splits));
	tcase_add_test(tests, names_the_quote);
	tcase_add_loop_test(tests, splits_values_loosely, 0, (int)array_size(values));
	tcase_add_loop_test(tests, expands_as_systemd, 0, (int)array_size(expansions));
	tcase_add_loop_test(tests, joins_what_systemd_reads_back, 0, (int)array_size(joins));
	tcase_add_loop_test(tests, random_words_survive, 1, 6);
	suite_add_tcase(suite, tests);

	return test_run(suite);
}
