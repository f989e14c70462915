/* base: text, strings, lists, errors. */
#include "harness.h"

#include <errno.h>

#include "base/error.h"
#include "base/strbuf.h"
#include "base/strlist.h"
#include "base/text.h"

START_TEST(test_utf8)
{
	static const struct {
		const char *bytes;
		size_t length;
		bool valid;
		size_t offset;
	} cases[] = {
		{"", 0, true, 0},
		{"plain text, longer than a word", 30, true, 0},
		{"gr\xC3\xBC\xC3\x9F", 6, true, 0},
		{"\xE2\x82\xAC", 3, true, 0},
		{"\xF0\x9F\x90\xB3", 4, true, 0},
		{"\xF4\x8F\xBF\xBF", 4, true, 0},
		{"ab\xC0\x80", 4, false, 2},
		{"12345678\xE0\x80\x80", 11, false, 8},
		{"\xED\xA0\x80", 3, false, 0},
		{"\xF4\x90\x80\x80", 4, false, 0},
		{"\xC3", 1, false, 0},
		{"x\x80", 2, false, 1},
		{"\xFF\xFE", 2, false, 0},
		{"\0", 1, true, 0},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		size_t offset = 0;
		ck_assert_int_eq(utf8_is_valid(cases[i].bytes, cases[i].length, &offset),
				 cases[i].valid);
		ck_assert_uint_eq(offset, cases[i].offset);
	}
}
END_TEST

START_TEST(test_position)
{
	static const struct {
		const char *text;
		size_t offset;
		unsigned line;
		unsigned column;
	} cases[] = {
		{"", 0, 1, 1},
		{"abc", 2, 1, 3},
		{"a\nb", 2, 2, 1},
		{"a\nb", 1, 1, 2},
		{"a\r\nbc\r\nd", 7, 3, 1},
		{"\xC3\xBC"
		 "x",
		 2, 1, 2},
		{"a\n\xC3\xBC\xC3\xBC"
		 "x",
		 6, 2, 3},
		{"ab", 99, 1, 3},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		unsigned line = 0;
		unsigned column = 0;
		text_position(cases[i].text, strlen(cases[i].text), cases[i].offset, &line,
			      &column);
		ck_assert_msg(line == cases[i].line && column == cases[i].column, "%zu: %u:%u", i,
			      line, column);
	}
}
END_TEST

START_TEST(test_printable)
{
	static const struct {
		const char *text;
		bool layout;
		const char *shown;
	} cases[] = {
		{"plain", false, "plain"},
		{"a\033[2Jb", false, "a\\x1b[2Jb"},
		{"a\nb\tc", false, "a\\x0ab\\x09c"},
		{"a\nb\tc", true, "a\nb\tc"},
		{"\xC2\x9B"
		 "1m",
		 true, "\\u{009b}1m"},
		{"\xE2\x80\xAE"
		 "evil",
		 true, "\\u{202e}evil"},
		{"bad\xFF", true, "bad\\xff"},
		{"gr\xC3\xBC\xC3\x9F", false, "gr\xC3\xBC\xC3\x9F"},
		{"\x7F", false, "\\x7f"},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		cleanup_strbuf struct strbuf out = STRBUF_EMPTY;
		ck_assert_int_eq(text_add_printable(&out, cases[i].text, strlen(cases[i].text),
						    cases[i].layout),
				 0);
		ck_assert_str_eq(out.data, cases[i].shown);
	}
}
END_TEST

START_TEST(test_distance)
{
	ck_assert_uint_eq(text_distance("icc", "icc"), 0);
	ck_assert_uint_eq(text_distance("icc", "iccc"), 1);
	ck_assert_uint_eq(text_distance("", "abc"), 3);
	ck_assert_uint_eq(text_distance("kitten", "sitting"), 3);
	ck_assert_uint_gt(text_distance("a", "0123456789012345678901234567890123456789"
					     "012345678901234567890123456789"),
			  60);
}
END_TEST

START_TEST(test_nearest)
{
	static const char *const names[] = {"plan", "play", "profiles"};
	struct text_nearest nearest = TEXT_NEAREST_NONE;
	struct text_nearest none = TEXT_NEAREST_NONE;

	for (size_t i = 0; i < array_size(names); i++) {
		text_nearest_offer(&nearest, "plam", names[i]);
		text_nearest_offer(&none, "recovery", names[i]);
	}
	ck_assert_str_eq(nearest.name, "plan");
	ck_assert_ptr_null(none.name);
}
END_TEST

START_TEST(test_strbuf)
{
	cleanup_strbuf struct strbuf buffer = STRBUF_EMPTY;

	ck_assert_int_eq(strbuf_addf(&buffer, "%s-%d", "a", 7), 0);
	ck_assert_int_eq(strbuf_splice(&buffer, 1, 1, "+++", 3), 0);
	ck_assert_str_eq(buffer.data, "a+++7");
	ck_assert_int_eq(strbuf_splice(&buffer, 0, 4, "", 0), 0);
	ck_assert_str_eq(buffer.data, "7");
	ck_assert_int_eq(strbuf_add_repeated(&buffer, ' ', 3), 0);
	cleanup_free char *text = strbuf_finish(&buffer);
	ck_assert_str_eq(text, "7   ");
	cleanup_free char *empty = strbuf_finish(&buffer);
	ck_assert_str_eq(empty, "");

	/* A request that cannot be met fails, and stays failed. */
	ck_assert_int_eq(strbuf_add_repeated(&buffer, 'x', (size_t)-1 / 2), -ENOMEM);
	ck_assert_int_eq(strbuf_adds(&buffer, "x"), -ENOMEM);
	ck_assert_ptr_null(strbuf_finish(&buffer));
}
END_TEST

START_TEST(test_strlist)
{
	cleanup_strlist struct strlist list = {.items = NULL};

	for (int i = 20; i > 0; i--)
		ck_assert_int_eq(strlist_addf(&list, "item %02d", i), 0);
	ck_assert_uint_eq(list.count, 20);
	strlist_sort(&list);
	ck_assert_str_eq(list.items[0], "item 01");
	ck_assert(strlist_contains(&list, "item 20"));
	ck_assert(!strlist_contains(&list, "item 21"));
	ck_assert_int_eq(strlist_take(&list, NULL), -ENOMEM);
}
END_TEST

START_TEST(test_error)
{
	struct error error = ERROR_NONE;
	char text[2048];

	ck_assert_int_eq(error_set_at(&error, -EBADMSG, "read", "/f", 3, 7, "bad %s", "thing"),
			 -EBADMSG);
	/* The first error is the cause; later ones do not cover it. */
	ck_assert_int_eq(error_set(&error, -EIO, "write", "/g", "other"), -EIO);
	ck_assert_str_eq(error_format(&error, text, sizeof text), "read /f:3:7: bad thing");
	error_name_path(&error, "/h");
	ck_assert_str_eq(error.path, "/f");

	struct error second = ERROR_NONE;
	error_set_errno(&second, ENOENT, "open", NULL);
	error_name_path(&second, "/h");
	ck_assert_str_eq(error_format(&second, text, sizeof text),
			 "open /h: No such file or directory");
	ck_assert_int_eq(error_set(NULL, -EIO, "x", NULL, "y"), -EIO);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {test_utf8,     test_position, test_printable,
				      test_distance, test_nearest,  test_strbuf,
				      test_strlist,  test_error,    NULL};

	return test_main("text", tests);
}
