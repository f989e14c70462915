#include "harness.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "core/envfile.h"

static const struct {
	const char *text;
	const char *want; /* <NAME=value>… */
} rows[] = {
	{"", ""},
	{"A=b", "<A=b>"},
	{"A=b\n", "<A=b>"},
	{"A=b\nC=d\n", "<A=b><C=d>"},
	{"A=b\r\nC=d\r\n", "<A=b><C=d>"},
	{"A=b\rC=d", "<A=b><C=d>"},
	{"\n\n  A=b", "<A=b>"},
	{"A=1\nA=2\n", "<A=1><A=2>"},
	/* comments */
	{"# A=b\n; C=d\nE=f", "<E=f>"},
	{"  # A=b\nC=d", "<C=d>"},
	{"A=b # c", "<A=b # c>"},
	{"# a \\\nA=b\nC=d", "<C=d>"}, /* 252: the comment goes on */
	{"# a \\b\nA=b", "<A=b>"},
	{"# a \\\r\nA=b", "<A=b>"},
	/* names */
	{"A =b", "<A=b>"},
	{"A\t = b", "<A=b>"},
	{"A B=c", ""},
	{"export A=b", ""},
	{"1A=b", ""},
	{"_A1=b", "<_A1=b>"},
	{"A-B=c", ""},
	{"=b", ""},
	{"A\nB=c", "<B=c>"},
	{"A", ""},
	{"A.=b\nC=d", "<C=d>"},
	/* plain values */
	{"A=", "<A=>"},
	{"A=\n", "<A=>"},
	{"A=   b  c  \n", "<A=b  c>"},
	{"A==b=", "<A==b=>"},
	{"A=b'c\"d", "<A=b'c\"d>"},
	{"A=b \"c d\"", "<A=b \"c d\">"},
	{"A=$B ${C} `d`", "<A=$B ${C} `d`>"},
	/* backslash outside quotes */
	{"A=b\\\nc", "<A=bc>"},
	{"A=b \\\n  c", "<A=b   c>"},
	{"A=\\\nb", "<A=b>"},
	{"A=b  \\\n", "<A=b  >"}, /* space before a backslash is not at the end */
	{"A=b \\\n \nC=d", "<A=b ><C=d>"},
	{"A=b\\nc", "<A=bnc>"},
	{"A=b\\\\c", "<A=b\\c>"},
	{"A=b\\ ", "<A=b >"},
	{"A=b\\ \n", "<A=b >"},
	{"A=b\\", "<A=b>"},
	{"A=\\\"b\\\"", "<A=\"b\">"},
	{"A=b\\\r\nc", "<A=b>"}, /* the backslash takes the CR, the LF ends the line */
	/* quotes */
	{"A=\"b c\"", "<A=b c>"},
	{"A='b c'", "<A=b c>"},
	{"A=\" b \"", "<A= b >"},
	{"A=' b '  \n", "<A= b >"},
	{"A=\"b\"\"c\"", "<A=bc>"},
	{"A=\"b\" 'c'", "<A=bc>"},
	{"A=\"b\" c  d ", "<A=bc  d>"},
	{"A=\"b \" c ", "<A=b c>"},
	{"A=''", "<A=>"},
	{"A=\"b\nc\"", "<A=b\nc>"},
	{"A='b\\\nc'", "<A=b\\\nc>"},
	{"A=\"b\\\nc\"", "<A=bc>"},
	{"A=\"b\\\"c\\$d\\`e\\\\f\"", "<A=b\"c$d`e\\f>"},
	{"A=\"b\\nc\\'\"", "<A=b\\nc\\'>"},
	{"A='b\\c'", "<A=b\\c>"},
	{"A=\"b", "<A=b>"},
	{"A='b\nC=d\n", "<A=b\nC=d\n>"},
	{"A=\"b\\", "<A=b>"},
	{"A=\"# b\" # c", "<A=# b# c>"},
	/* what packages ship */
	{"DOCKER_OPTS=\"--dns 8.8.8.8 --dns 8.8.4.4\"\n",
	 "<DOCKER_OPTS=--dns 8.8.8.8 --dns 8.8.4.4>"},
	{"OPTIONS='--selinux-enabled --log-driver=journald'\n",
	 "<OPTIONS=--selinux-enabled --log-driver=journald>"},
	{"A=\xC3\xA9", "<A=\xC3\xA9>"},
	{"A=b\x01 c", "<A=b\x01 c>"},
};

static char *bracketed(const struct strlist *list)
{
	struct strbuf out = STRBUF_EMPTY;

	for (size_t i = 0; i < list->count; i++)
		strbuf_addf(&out, "<%s>", list->items[i]);
	return strbuf_finish(&out);
}

START_TEST(reads_as_systemd)
{
	struct strlist list = {.items = NULL};
	struct error error = ERROR_NONE;

	ck_assert_int_eq(envfile_parse(rows[_i].text, strlen(rows[_i].text), &list, &error), 0);
	char *got = bracketed(&list);
	ck_assert_str_eq(got, rows[_i].want);
	free(got);
	strlist_done(&list);
}
END_TEST

START_TEST(comments_end_with_the_line_from_254)
{
	static const char text[] = "# a \\\nA=b\nC=d";
	struct strlist list = {.items = NULL};
	struct error error = ERROR_NONE;

	ck_assert_int_eq(envfile_parse_as(text, strlen(text), 253, &list, &error), 0);
	ck_assert_uint_eq(list.count, 1);
	strlist_done(&list);
	ck_assert_int_eq(envfile_parse_as(text, strlen(text), 254, &list, &error), 0);
	ck_assert_uint_eq(list.count, 2);
	ck_assert_str_eq(list.items[0], "A=b");
	strlist_done(&list);
}
END_TEST

START_TEST(refuses_the_whole_file)
{
	static const struct {
		const char *text;
		size_t length;
		unsigned line;
	} bad[] = {
		{"A=b\nC=\xFF\n", 8, 2}, {"A=b\n\xFF=c\n", 8, 2}, {"A=b\0C=d", 7, 1}, {"\0", 1, 1}};

	for (size_t i = 0; i < array_size(bad); i++) {
		struct strlist list = {.items = NULL};
		struct error error = ERROR_NONE;
		ck_assert_int_eq(envfile_parse(bad[i].text, bad[i].length, &list, &error), -EINVAL);
		ck_assert_uint_eq(list.count, 0);
		ck_assert_uint_eq(error.line, bad[i].line);
	}
	/* In a comment nobody looks. */
	struct strlist list = {.items = NULL};
	struct error error = ERROR_NONE;
	ck_assert_int_eq(envfile_parse("# \xFF\nA=b", 7, &list, &error), 0);
	ck_assert_uint_eq(list.count, 1);
	strlist_done(&list);
}
END_TEST

START_TEST(appends_and_the_last_one_counts)
{
	struct strlist list = {.items = NULL};
	struct error error = ERROR_NONE;

	ck_assert_int_eq(strlist_add(&list, "A=0"), 0);
	ck_assert_int_eq(strlist_add(&list, "AB=x"), 0);
	ck_assert_int_eq(envfile_parse("A=1\nA=2", 7, &list, &error), 0);
	ck_assert_uint_eq(list.count, 4);
	ck_assert_str_eq(envlist_get(&list, "A", 1), "2");
	ck_assert_str_eq(envlist_get(&list, "ABC", 2), "x");
	ck_assert_ptr_null(envlist_get(&list, "B", 1));
	ck_assert_ptr_null(envlist_get(&list, "ABC", 3));
	strlist_done(&list);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("envfile");
	TCase *tests = tcase_create("all");

	tcase_add_loop_test(tests, reads_as_systemd, 0, (int)array_size(rows));
	tcase_add_test(tests, comments_end_with_the_line_from_254);
	tcase_add_test(tests, refuses_the_whole_file);
	tcase_add_test(tests, appends_and_the_last_one_counts);
	suite_add_tcase(suite, tests);

	return test_run(suite);
}
