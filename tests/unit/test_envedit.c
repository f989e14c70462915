#include "harness.h"

#include <errno.h>

#include "base/strbuf.h"
#include "core/envedit.h"
#include "core/words.h"

/* The words with these numbers are taken out of V; NULL: it cannot be done. */
static const struct {
	const char *text;
	const char *words;
	const char *want;
} rows[] = {
	{"V=a b c", "0", "V=b c"},
	{"V=a b c", "1", "V=a c"},
	{"V=a b c\n", "2", "V=a b\n"},
	{"V=a b c", "012", "V="},
	{"V=a b c", "02", "V=b"},
	{"V=\"a b c\"", "1", "V=\"a c\""},
	{"V='a b c' # no\n", "0", "V='b c' # no\n"},
	{"V=\"a\"", "0", "V=\"\""},
	{"  V = a b \r\nW=a b\r\n", "0", "  V = b \r\nW=a b\r\n"},
	{"V=a b\nV=a b c\n", "0", "V=a b\nV=b c\n"},
	{"# V=a b\n;x\n\nV=a b\nexport V=a\n", "1", "# V=a b\n;x\n\nV=a\nexport V=a\n"},
	{"V=a\\\nb c", "0", "V=\\\nc"},
	{"V=\"a \\\n  b \\\n  c\"\n", "1", "V=\"a\\\n   c\"\n"},
	{"V=\"a \\\n  b \\\n  c\"\n", "2", "V=\"a \\\n  b\\\n\"\n"},
	{"V=a 'b c' \"d e\"", "0", "V=\"'b c' \\\"d e\\\"\""},
	{"V=a 'b c' d", "1", "V=a d"},
	{"V=\"a 'b c' \\\"d e\\\"\"", "1", "V=\"a \\\"d e\\\"\""},
	{"V='a'\" b\"' c'", "1", "V='a'\"\"' c'"},
	{"V=a\tb\tc", "1", "V=a\tc"},
	{"V=\"a \\$b \\q\"", "1", "V=\"a \\q\""},
	{"V=\"a \\q b\"", "1", "V=\"a b\""},
	{"V=a \xC3\xA4 b", "1", "V=a b"},
};

static void find_cuts(const char *value, const char *words, struct envedit_cut *cuts,
		      size_t *ret_count)
{
	const char *cursor = value;
	const char *start;
	const char *end;
	const char *previous = NULL;
	bool kept = false;
	size_t count = 0;

	for (char number = '0';; number++) {
		cleanup_strbuf struct strbuf word = STRBUF_EMPTY;
		if (words_next(&cursor, WORD_VALUE, &word, &start, &end) <= 0)
			break;
		if (strchr(words, number)) {
			const char *next = end + strspn(end, " \t");
			cuts[count].start = (size_t)((kept ? previous : start) - value);
			cuts[count++].end = (size_t)((kept ? end : next) - value);
		} else {
			kept = true;
		}
		previous = end;
	}
	*ret_count = count;
}

START_TEST(test_row)
{
	const char *text = rows[_i].text;
	cleanup_envfile_value struct envfile_value value = {.value = NULL};
	cleanup_strbuf struct strbuf out = STRBUF_EMPTY;
	struct error error = ERROR_NONE;
	struct envedit_cut cuts[8];
	size_t count = 0;

	ck_assert_int_eq(envfile_locate(text, strlen(text), 257, "V", &value, &error), 0);
	ck_assert_ptr_nonnull(value.value);
	find_cuts(value.value, rows[_i].words, cuts, &count);
	ck_assert_int_eq(envedit_cut(text, strlen(text), 257, "V", cuts, count, &out, &error), 0);
	ck_assert_msg(strcmp(out.data, rows[_i].want) == 0, "row %d becomes\n%s", _i, out.data);
}
END_TEST

START_TEST(test_a_variable_that_is_not_set)
{
	cleanup_strbuf struct strbuf out = STRBUF_EMPTY;
	struct error error = ERROR_NONE;

	ck_assert_int_eq(envedit_cut("W=a", 3, 257, "V", NULL, 0, &out, &error), -ENOENT);
	ck_assert_int_eq(envedit_cut("V=\xFF", 3, 257, "V", NULL, 0, &out, &error), -EINVAL);
	ck_assert_ptr_null(out.data);
}
END_TEST

/* Each byte of the value comes from its own bytes of the text. */
START_TEST(test_where_bytes_come_from)
{
	static const char text[] = "A=1\nV= \"a\\\"\\q\" b\\\n'c' \n";
	static const char *const from[] = {"a", "\\\"", "\\", "q", "b", "'", "c", "'"};
	cleanup_envfile_value struct envfile_value value = {.value = NULL};

	ck_assert_int_eq(envfile_locate(text, strlen(text), 252, "V", &value, NULL), 0);
	ck_assert_str_eq(value.value, "a\"\\qb'c'");
	for (size_t i = 0; i < array_size(from); i++) {
		size_t length = value.bytes[i].end - value.bytes[i].start;
		ck_assert_uint_eq(length, i == 2 ? 2 : strlen(from[i]));
		ck_assert_int_eq(strncmp(text + value.bytes[i].start, from[i], strlen(from[i])), 0);
	}
	ck_assert_int_eq(text[value.whole.start - 1], '=');
	ck_assert_int_eq(text[value.whole.end], '\n');
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {test_a_variable_that_is_not_set, test_where_bytes_come_from,
				      NULL};

	return test_main_loop("envedit", tests, test_row, array_size(rows));
}
