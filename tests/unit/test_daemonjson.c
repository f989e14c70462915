#include "harness.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/strbuf.h"
#include "core/daemonjson.h"

#define TEXT(literal) .text = (literal), .length = sizeof(literal) - 1

static const struct good {
	const char *text;
	size_t length;
	const char *meaning;
} goods[] = {
	{TEXT(""), "{}"},
	{TEXT(" \r\n"), "{}"},
	{TEXT("\xEF\xBB\xBF"), "{}"},
	{TEXT("null"), "{}"},
	{TEXT("\xEF\xBB\xBFnull\n"), "{}"},
	{TEXT("{}"), "{}"},
	{TEXT("\xEF\xBB\xBF{\"icc\": false}\r\n"), "{\"icc\": false}"},
	{TEXT("{\"a\": {\"b\": [1, 2.5, null, \"x\"]}}"),
	 "{\"a\": {\"b\": [1, 2.5, null, \"x\"]}}"},
	/* the last of a repeated key counts … */
	{TEXT("{\"a\": 1, \"b\": 2, \"a\": 3}"), "{\"a\": 3, \"b\": 2}"},
	{TEXT("{\"a\": [1], \"a\": [2]}"), "{\"a\": [2]}"},
	{TEXT("{\"a\": 1, \"\\u0061\": 2}"), "{\"a\": 2}"},
	/* … except that objects add up */
	{TEXT("{\"a\": {\"x\": 1}, \"a\": {\"y\": 2}}"), "{\"a\": {\"x\": 1, \"y\": 2}}"},
	{TEXT("{\"a\": {\"x\": 1, \"y\": 1}, \"b\": 0, \"a\": {\"y\": 2}, \"a\": {}}"),
	 "{\"a\": {\"x\": 1, \"y\": 2}, \"b\": 0}"},
	{TEXT("\xEF\xBB\xBF {\"a\": {\"x\": 1}, \"a\": {\"y\": 2}}"),
	 "{\"a\": {\"x\": 1, \"y\": 2}}"},
	/* … but neither over another type nor further down */
	{TEXT("{\"a\": {\"x\": 1}, \"a\": null, \"a\": {\"y\": 2}}"), "{\"a\": {\"y\": 2}}"},
	{TEXT("{\"a\": {\"x\": 1}, \"a\": 5}"), "{\"a\": 5}"},
	{TEXT("{\"a\": {\"b\": {\"x\": 1}}, \"a\": {\"b\": {\"y\": 2}}}"),
	 "{\"a\": {\"b\": {\"y\": 2}}}"},
	{TEXT("{\"a\": {\"b\": {\"x\": 1}, \"b\": {\"y\": 2}}}"), "{\"a\": {\"b\": {\"y\": 2}}}"},
};

START_TEST(reads)
{
	const struct good *good = &goods[_i];
	struct error error = ERROR_NONE;
	json_t *document = NULL;
	json_t *meaning = json_loads(good->meaning, 0, NULL);

	ck_assert_int_eq(daemonjson_read(good->text, good->length, &document, &error), 0);
	ck_assert_int_eq(error.code, 0);
	ck_assert(json_equal(document, meaning));
	json_decref(document);
	json_decref(meaning);
}
END_TEST

static const struct bad {
	const char *text;
	size_t length;
	unsigned line;
	unsigned column;
	const char *message;
} bads[] = {
	{TEXT("[]"), 1, 1, "the top level must be an object { … }, not an array"},
	{TEXT("\n \"x\""), 2, 2, "the top level must be an object { … }, not a string"},
	{TEXT("1"), 1, 1, "the top level must be an object { … }, not a number"},
	{TEXT("1.5"), 1, 1, "the top level must be an object { … }, not a number"},
	{TEXT("\xEF\xBB\xBFtrue"), 1, 1, "the top level must be an object { … }, not a boolean"},
	{TEXT("{\n  \"a\": 1,\n}"), 2, 9, "a comma before '}': remove it"},
	{TEXT("{} {}"), 1, 4, "something after the end of the JSON document"},
	{TEXT("{\n  \"\xC3\xA4\": [1, 9223372036854775808]\n}"), 2, 12, "this number is too large"},
	{TEXT("\xEF\xBB\xBF{\"a\": -99999999999999999999}"), 1, 7, "this number is too large"},
	{TEXT("{\"a\": 1e999}"), 1, 7, "this number is too large"},
	{TEXT("1e999"), 1, 1, "this number is too large"},
};

START_TEST(refuses)
{
	const struct bad *bad = &bads[_i];
	struct error error = ERROR_NONE;
	json_t *document = NULL;

	ck_assert_int_eq(daemonjson_read(bad->text, bad->length, &document, &error), -EBADMSG);
	ck_assert_ptr_null(document);
	ck_assert_str_eq(error.text, bad->message);
	ck_assert_uint_eq(error.line, bad->line);
	ck_assert_uint_eq(error.column, bad->column);
}
END_TEST

/* Were anything here quadratic, this would take minutes and run into Check's time limit. */
START_TEST(reads_many_keys)
{
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
	json_t *document = NULL;

	(void)strbuf_adds(&text, "{\"twice\": {\"a\": 1}");
	for (int i = 0; i < 100000; i++)
		(void)strbuf_addf(&text, ",\n  \"key-%d\": {\"value\": \"%d\"}", i, i);
	(void)strbuf_adds(&text, ",\n\"twice\": {\"b\": 2}}\n");

	ck_assert_int_eq(daemonjson_read(text.data, text.length, &document, NULL), 0);
	ck_assert_uint_eq(json_object_size(document), 100001);
	ck_assert_uint_eq(json_object_size(json_object_get(document, "twice")), 2);
	json_decref(document);
}
END_TEST

static Suite *daemonjson_suite(void)
{
	Suite *suite = suite_create("daemonjson");
	TCase *tcase = tcase_create("read");

	tcase_add_loop_test(tcase, reads, 0, array_size(goods));
	tcase_add_loop_test(tcase, refuses, 0, array_size(bads));
	tcase_add_test(tcase, reads_many_keys);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return test_run(daemonjson_suite());
}
