#include "harness.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/cleanup.h"
#include "base/strbuf.h"
#include "core/jsontext.h"

/* A string literal with its length: the texts have NUL bytes in them. */
#define TEXT(literal) .text = (literal), .length = sizeof(literal) - 1

/* --- the checker --------------------------------------------------------------------------- */

static const struct bad_text {
	const char *text;
	size_t length;
	unsigned line;
	unsigned column;
	const char *message;
} bad_texts[] = {
	/* commas */
	{TEXT("{\"a\": 1,}"), 1, 8, "a comma before '}': remove it"},
	{TEXT("{\n  \"a\": 1,\n}\n"), 2, 9, "a comma before '}': remove it"},
	{TEXT("[1, 2, ]"), 1, 6, "a comma before ']': remove it"},
	{TEXT("{,}"), 1, 2, "a member is missing before this ','"},
	{TEXT("{\"a\": 1,, \"b\": 2}"), 1, 9, "a member is missing before this ','"},
	{TEXT("[1,,2]"), 1, 4, "a value is missing before this ','"},
	{TEXT("[,1]"), 1, 2, "a value is missing before this ','"},
	{TEXT("{\n  \"a\": 1\n  \"b\": 2\n}"), 2, 9, "a comma is missing here"},
	{TEXT("[1 2]"), 1, 3, "a comma is missing here"},
	{TEXT("[\"a\" \"b\"]"), 1, 5, "a comma is missing here"},
	{TEXT("{\"a\": {} {}}"), 1, 9, "a comma is missing here"},
	{TEXT("{\"a\": 1; \"b\": 2}"), 1, 8, "expected ',' or '}' here, not ';'"},
	{TEXT("[1: 2]"), 1, 3, "expected ',' or ']' here, not ':'"},
	/* colons and keys */
	{TEXT("{\"a\" 1}"), 1, 5, "a ':' is missing after this key"},
	{TEXT("{\"a\" = 1}"), 1, 6, "write ':' between key and value, not '='"},
	{TEXT("{\"a\"}"), 1, 5, "this key has no value"},
	{TEXT("{\"a\", \"b\": 1}"), 1, 5, "this key has no value"},
	{TEXT("{\"a\":}"), 1, 6, "a value is missing before this '}'"},
	{TEXT("{icc: false}"), 1, 2, "a key needs double quotes (\")"},
	{TEXT("{1: 2}"), 1, 2, "a key needs double quotes (\")"},
	{TEXT("{\"a\": 1, b: 2}"), 1, 10, "a key needs double quotes (\")"},
	{TEXT("{[]: 1}"), 1, 2, "expected a key in double quotes here, not '['"},
	/* quotes */
	{TEXT("{'icc': false}"), 1, 2, "strings need double quotes (\"), not single ones"},
	{TEXT("{\"a\": 'b'}"), 1, 7, "strings need double quotes (\"), not single ones"},
	{TEXT("[`a`]"), 1, 2, "strings need double quotes (\"), not backquotes"},
	{TEXT("{\xE2\x80\x9C"
	      "a\xE2\x80\x9D: 1}"),
	 1, 2, "a typographic quotation mark; write a plain \" instead"},
	/* comments */
	{TEXT("{\n  // no\n  \"a\": 1\n}"), 2, 3,
	 "JSON has no comments; dockerd refuses them: remove it"},
	{TEXT("{\"a\": /* no */ 1}"), 1, 7,
	 "JSON has no comments; dockerd refuses them: remove it"},
	{TEXT("# no\n{}"), 1, 1, "JSON has no comments; dockerd refuses them: remove it"},
	{TEXT("{} // no"), 1, 4, "JSON has no comments; dockerd refuses them: remove it"},
	{TEXT("{\"a\" /* no */: 1}"), 1, 6,
	 "JSON has no comments; dockerd refuses them: remove it"},
	{TEXT("{\"a\": 1 # no\n}"), 1, 9, "JSON has no comments; dockerd refuses them: remove it"},
	/* words */
	{TEXT("{\"a\": True}"), 1, 7, "write true in lower case"},
	{TEXT("[FALSE]"), 1, 2, "write false in lower case"},
	{TEXT("[Null]"), 1, 2, "write null in lower case"},
	{TEXT("[None]"), 1, 2, "JSON has no None: write null"},
	{TEXT("[undefined]"), 1, 2, "JSON has no undefined: write null"},
	{TEXT("[NaN]"), 1, 2, "JSON has no NaN"},
	{TEXT("[-Infinity]"), 1, 2, "JSON has no Infinity"},
	{TEXT("{\"a\": yes}"), 1, 7, "JSON has no yes: write true"},
	{TEXT("{\"a\": off}"), 1, 7, "JSON has no off: write false"},
	{TEXT("{\"log-driver\": syslog}"), 1, 16, "a string needs double quotes (\")"},
	{TEXT("[tru]"), 1, 2, "a string needs double quotes (\")"},
	{TEXT("[trueish]"), 1, 2, "a string needs double quotes (\")"},
	/* numbers */
	{TEXT("[01]"), 1, 2, "a number must not start with 0"},
	{TEXT("[-012]"), 1, 2, "a number must not start with 0"},
	{TEXT("[+1]"), 1, 2, "a number must not start with '+'"},
	{TEXT("[.5]"), 1, 2, "a number must not start with '.': write a 0 before it"},
	{TEXT("[1.]"), 1, 4, "a digit is missing after '.'"},
	{TEXT("[-]"), 1, 3, "a digit is missing after '-'"},
	{TEXT("[1e]"), 1, 4, "a digit is missing after 'e'"},
	{TEXT("[1E+]"), 1, 5, "a digit is missing after '+'"},
	{TEXT("{\"max-size\": 10m}"), 1, 16,
	 "this does not belong to a number or word; a string needs double quotes (\")"},
	{TEXT("[0x10]"), 1, 3,
	 "this does not belong to a number or word; a string needs double quotes (\")"},
	{TEXT("[1.2.3]"), 1, 5,
	 "this does not belong to a number or word; a string needs double quotes (\")"},
	/* strings */
	{TEXT("[\"a\tb\"]"), 1, 4, "a tab inside a string; write \\t instead"},
	{TEXT("{\n \"a: 1,\n \"b\": 2}"), 2, 2, "this string is not closed at the end of its line"},
	{TEXT("[\"a\x01\"]"), 1, 4,
	 "the control character 0x01 inside a string; write \\u0001 instead"},
	{TEXT("[\"\\x41\"]"), 1, 3,
	 "'\\x' is not an escape of JSON; a backslash itself is written \\\\"},
	{TEXT("[\"C:\\docker\"]"), 1, 5,
	 "'\\d' is not an escape of JSON; a backslash itself is written \\\\"},
	{TEXT("[\"\\\n\"]"), 1, 3, "a backslash itself is written \\\\"},
	{TEXT("[\"\\u12g4\"]"), 1, 3, "\\u needs four hexadecimal digits"},
	{TEXT("[\"\\u12"), 1, 3, "\\u needs four hexadecimal digits"},
	{TEXT("[\"\\ud800\"]"), 1, 3,
	 "\\ud800 is half of a surrogate pair; the other half is missing"},
	{TEXT("[\"\\uDC00\"]"), 1, 3,
	 "\\uDC00 is half of a surrogate pair; the other half is missing"},
	{TEXT("[\"\\ud83d\\u0041\"]"), 1, 3,
	 "\\ud83d is half of a surrogate pair; the other half is missing"},
	{TEXT("{\"a\\u0000\": 1}"), 1, 2, "a key must not have a NUL character (\\u0000) in it"},
	{TEXT("[\"\xC3\xA4\", \"\xFF\"]"), 1, 8,
	 "the byte 0xff is not UTF-8; save the file as UTF-8"},
	{TEXT("[\"f\xFCr\"]"), 1, 4, "the byte 0xfc is not UTF-8; save the file as UTF-8"},
	{TEXT("[\"\xED\xA0\x80\"]"), 1, 3, "the byte 0xed is not UTF-8; save the file as UTF-8"},
	/* bytes that have no business here */
	{TEXT("{\"a\": 1}\0"), 1, 9, "a NUL byte: the file is damaged, or it is not text"},
	{TEXT("[\"a\0b\"]"), 1, 4, "a NUL byte: the file is damaged, or it is not text"},
	{TEXT("\0\0\0\0\0\0\0\0"), 1, 1, "a NUL byte: the file is damaged, or it is not text"},
	{TEXT("[\x0B"
	      "1]"),
	 1, 2, "the control character 0x0b stands outside of a string"},
	{TEXT("{\xC2\xA0\"a\": 1}"), 1, 2, "a no-break space; write an ordinary space instead"},
	{TEXT("[1, \xEF\xBB\xBF 2]"), 1, 5,
	 "a byte order mark in the middle of the file; remove it"},
	{TEXT("[\xC3\xA4]"), 1, 2, "a character that is not ASCII stands outside of a string"},
	{TEXT("[\xFF]"), 1, 2, "the byte 0xff is not UTF-8; save the file as UTF-8"},
	{TEXT("{\0\"\0a\0\""), 1, 1, "the file is UTF-16; save it as UTF-8"},
	{TEXT("\0{\0}"), 1, 1, "the file is UTF-16; save it as UTF-8"},
	{TEXT("\xFF\xFE{\0}\0"), 1, 1, "the file is UTF-16; save it as UTF-8"},
	{TEXT("\xFE\xFF\0{\0}"), 1, 1, "the file is UTF-16; save it as UTF-8"},
	{TEXT("\xFF\xFE\0\0{\0\0\0"), 1, 1, "the file is UTF-32; save it as UTF-8"},
	{TEXT("\0\0\0{\0\0\0}"), 1, 1, "the file is UTF-32; save it as UTF-8"},
	{TEXT("<!DOCTYPE html>"), 1, 1, "this is HTML or XML, not JSON"},
	{TEXT("[$]"), 1, 2, "expected a value here, not '$'"},
	/* the end comes too early, or too late */
	{TEXT("{"), 1, 2, "the file ends inside the object that was opened at line 1"},
	{TEXT("{\n\"a\": [\n1,\n"), 4, 1,
	 "the file ends inside the array that was opened at line 2"},
	{TEXT("{\n\"a\": {\n"), 3, 1, "the file ends inside the object that was opened at line 2"},
	{TEXT("{\n\"a\": 1"), 2, 7, "the file ends inside the object that was opened at line 1"},
	{TEXT("{\"a\""), 1, 5, "the file ends inside the object that was opened at line 1"},
	{TEXT("{\"a\":"), 1, 6, "the file ends inside the object that was opened at line 1"},
	{TEXT("{\n\"abc"), 2, 5, "the file ends inside the string that was opened at line 2"},
	{TEXT("{}{}"), 1, 3, "something after the end of the JSON document"},
	{TEXT("{}\n{}"), 2, 1, "something after the end of the JSON document"},
	{TEXT("{} junk"), 1, 4, "something after the end of the JSON document"},
	{TEXT("{},"), 1, 3, "something after the end of the JSON document"},
	{TEXT("icc: false"), 1, 1, "a string needs double quotes (\")"},
	{TEXT("{}}"), 1, 3, "one '}' too many"},
	{TEXT("[1]]"), 1, 4, "one ']' too many"},
	{TEXT("{\n\"a\": [1, 2}\n"), 2, 11, "this '}' does not close the '[' of line 2"},
	{TEXT("{\n\n\"a\": 1]"), 3, 7, "this ']' does not close the '{' of line 1"},
	/* columns count characters, and a byte order mark is none */
	{TEXT("\xEF\xBB\xBF{\"a\": 1,}"), 1, 8, "a comma before '}': remove it"},
	{TEXT("{\"\xC3\xA4\xE2\x82\xAC\": x}"), 1, 8, "a string needs double quotes (\")"},
	{TEXT("{\r\n\t\"a\": x}"), 2, 7, "a string needs double quotes (\")"},
};

START_TEST(refuses)
{
	const struct bad_text *bad = &bad_texts[_i];
	struct error error = ERROR_NONE;

	/* A copy of exactly this size lets the sanitizers see a read past the end. */
	cleanup_free char *text = malloc(bad->length);
	memcpy(text, bad->text, bad->length);

	ck_assert_int_eq(jsontext_check(text, bad->length, &error), -EBADMSG);
	ck_assert_int_eq(error.code, -EBADMSG);
	ck_assert_str_eq(error.text, bad->message);
	ck_assert_uint_eq(error.line, bad->line);
	ck_assert_uint_eq(error.column, bad->column);

	json_t *document = json_loadb(text, bad->length, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	ck_assert_ptr_null(document);
}
END_TEST

static const struct good_text {
	const char *text;
	size_t length;
} good_texts[] = {
	{TEXT("{}")},
	{TEXT(" \r\n\t{ } \n")},
	{TEXT("\xEF\xBB\xBF{\"a\": 1}")},
	{TEXT("null")},
	{TEXT("[]")},
	{TEXT("\"text\"")},
	{TEXT("-0")},
	{TEXT("[0, -0.0, 1E+2, 1e-2, 12.50, 9223372036854775807]")},
	{TEXT("{\"\": \"\"}")},
	{TEXT("{\"a\": true, \"a\": false, \"b\": null}")},
	{TEXT("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\\uD83D\\uDE00\\u0000\"]")},
	{TEXT("[\"\x7F\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\xEF\xBB\xBF\"]")},
	{TEXT("[[[[{\"a\": [[], {}]}]]], [1,2 , 3\n]]")},
	{TEXT("[\"1234567\\n234567\", \"12345678\", \"123456\\\"\"]")},
};

START_TEST(accepts)
{
	const struct good_text *good = &good_texts[_i];
	struct error error = ERROR_NONE;
	size_t bom = (unsigned char)good->text[0] == 0xEF ? 3 : 0;

	ck_assert_int_eq(jsontext_check(good->text, good->length, &error), 0);
	ck_assert_int_eq(error.code, 0);
	json_t *document = json_loadb(good->text + bom, good->length - bom,
				      JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	ck_assert_ptr_nonnull(document);
	json_decref(document);
}
END_TEST

START_TEST(accepts_blank_texts)
{
	static const char *const blanks[] = {"", " ", "\r\n\t ", "\xEF\xBB\xBF", "\xEF\xBB\xBF\n"};

	for (size_t i = 0; i < array_size(blanks); i++) {
		ck_assert_int_eq(jsontext_check(blanks[i], strlen(blanks[i]), NULL), 0);
		ck_assert(jsontext_is_blank(blanks[i], strlen(blanks[i])));
	}
	ck_assert(!jsontext_is_blank(" 1", 2));
	ck_assert(!jsontext_is_blank("\xEF\xBB", 2));
}
END_TEST

/* `depth` arrays around `inner`. */
static char *nest(size_t depth, const char *inner)
{
	struct strbuf text = STRBUF_EMPTY;

	(void)strbuf_add_repeated(&text, '[', depth);
	(void)strbuf_adds(&text, inner);
	(void)strbuf_add_repeated(&text, ']', depth);
	return strbuf_finish(&text);
}

START_TEST(limits_depth_like_jansson)
{
	static const struct {
		size_t depth;
		const char *inner;
		bool accepted;
	} cases[] = {
		{2047, "1", true}, {2048, "", true},    {2048, "1", false},
		{2049, "", false}, {100000, "", false},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		cleanup_free char *text = nest(cases[i].depth, cases[i].inner);
		struct error error = ERROR_NONE;
		int r = jsontext_check(text, strlen(text), &error);
		json_t *document = json_loads(text, 0, NULL);

		ck_assert_int_eq(r, cases[i].accepted ? 0 : -EBADMSG);
		ck_assert_int_eq(document != NULL, cases[i].accepted);
		if (r < 0)
			ck_assert_str_eq(error.text, "nested more than 2048 levels deep");
		json_decref(document);
	}
}
END_TEST

/* Strings are looked at eight bytes at a time: each byte has its turn at each place. */
START_TEST(judges_each_byte_at_each_place)
{
	for (unsigned byte = 0; byte < 256; byte++)
		for (size_t i = 2; i < 22; i++) {
			char text[] = "[\"01234567890123456789\"]";
			size_t length = sizeof text - 1;

			text[i] = (char)byte;
			json_t *document = json_loadb(text, length, 0, NULL);
			ck_assert_msg((jsontext_check(text, length, NULL) == 0) ==
					      (document != NULL),
				      "byte 0x%02x at %zu", byte, i);
			json_decref(document);
		}
}
END_TEST

/* --- reading ------------------------------------------------------------------------------- */

static struct jsontext_path path_of(char *dotted, const char **keys)
{
	size_t count = 0;

	for (char *key = strtok(dotted, "."); key; key = strtok(NULL, "."))
		keys[count++] = key;
	return (struct jsontext_path){.keys = keys, .count = count};
}

START_TEST(finds_values)
{
	static const struct {
		const char *text;
		const char *path;
		const char *value; /* NULL: nothing is found */
	} cases[] = {
		{"{\"a\": 1}", "a", "1"},
		{"{\"a\": 1}", "", "{\"a\": 1}"},
		{" \n[1]\n", "", "[1]"},
		{"\xEF\xBB\xBF {\"a\" : \"x\" }", "a", "\"x\""},
		{"{\"a\": 1}", "b", NULL},
		{"{\"a\": 1}", "a.b", NULL},
		{"[1]", "a", NULL},
		{" ", "", NULL},
		{"{\"a\": {\"b\": [1, {\"c\": 2}]}, \"c\": 3}", "a.b", "[1, {\"c\": 2}]"},
		{"{\"x\": {\"c\": 2}, \"s\": \"}]{\\\"\", \"c\": 3}", "c", "3"},
		{"{\"i\\u0063c\": 1}", "icc", "1"},
		{"{\"\xC3\xA4\": 1, \"\\u00e4\": 2}", "\xC3\xA4", "2"},
		{"{\"\\ud83d\\ude00\": 1}", "\xF0\x9F\x98\x80", "1"},
		/* the last of a repeated key counts */
		{"{\"a\": 1, \"b\": 2, \"a\": 3}", "a", "3"},
		{"{\"a\": {\"x\": 1, \"x\": 2}}", "a.x", "2"},
		/* repeated objects at the top level add up */
		{"{\"a\": {\"x\": 1}, \"a\": {\"y\": 2}}", "a.x", "1"},
		{"{\"a\": {\"x\": 1}, \"a\": {\"x\": 2}, \"a\": {}}", "a.x", "2"},
		{"{\"a\": {\"x\": 1}, \"a\": 5, \"a\": {}}", "a.x", NULL},
		{"{\"a\": {\"x\": 1}, \"a\": 5}", "a.x", NULL},
		{"{\"a\": {\"x\": 1}, \"a\": 5, \"a\": {\"x\": 3}}", "a.x", "3"},
		/* further down they do not */
		{"{\"a\": {\"b\": {\"x\": 1}, \"b\": {}}}", "a.b.x", NULL},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		struct jsontext_member member;
		const char *keys[8];
		cleanup_free char *dotted = strdup(cases[i].path);
		struct jsontext_path path = path_of(dotted, keys);
		size_t length = strlen(cases[i].text);
		bool found = jsontext_find(cases[i].text, length, &path, &member);

		ck_assert_msg(found == (cases[i].value != NULL), "case %zu", i);
		if (!found)
			continue;
		cleanup_free char *value = strndup(cases[i].text + member.value.start,
						   member.value.end - member.value.start);
		ck_assert_str_eq(value, cases[i].value);
	}
}
END_TEST

START_TEST(walks_members_and_elements)
{
	static const char text[] = " { \"a\" : [ 1 ,\"]\",{ } ] ,\n\"b\":{\"c\":[]}}";
	struct jsontext_member member;
	struct jsontext_span element;
	size_t cursor = 0;
	size_t length = strlen(text);

	ck_assert(jsontext_next_member(text, length, 1, &cursor, &member));
	ck_assert(strncmp(text + member.key.start, "\"a\" :", 5) == 0);
	ck_assert_uint_eq(member.object, 1);
	size_t array = member.value.start;
	ck_assert(jsontext_next_member(text, length, 1, &cursor, &member));
	ck_assert(strncmp(text + member.value.start, "{\"c\":[]}}", 9) == 0);
	ck_assert_uint_eq(member.value.end, length - 1);
	ck_assert(!jsontext_next_member(text, length, 1, &cursor, &member));

	static const char *const elements[] = {"1", "\"]\"", "{ }"};
	cursor = 0;
	for (size_t i = 0; i < array_size(elements); i++) {
		ck_assert(jsontext_next_element(text, length, array, &cursor, &element));
		ck_assert_uint_eq(element.end - element.start, strlen(elements[i]));
		ck_assert(strncmp(text + element.start, elements[i], strlen(elements[i])) == 0);
	}
	ck_assert(!jsontext_next_element(text, length, array, &cursor, &element));
}
END_TEST

START_TEST(decodes_strings)
{
	static const struct {
		const char *literal;
		const char *decoded;
	} cases[] = {
		{"\"\"", ""},
		{"\"abc\"", "abc"},
		{"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
		{"\"\\u0041\\u00e4\\u20AC\\uD83D\\uDe00!\"",
		 "A\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80!"},
		{"\"\\u007f\\u07ff\\uffff\"", "\x7F\xDF\xBF\xEF\xBF\xBF"},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		struct jsontext_span span = {0, strlen(cases[i].literal)};
		cleanup_free char *decoded = NULL;
		cleanup_free char *longer = NULL;

		ck_assert_int_eq(jsontext_decode_string(cases[i].literal, span, &decoded, NULL), 0);
		ck_assert_str_eq(decoded, cases[i].decoded);
		ck_assert(jsontext_string_equals(cases[i].literal, span, decoded));
		ck_assert_int_gt(asprintf(&longer, "%sx", decoded), 0);
		ck_assert(!jsontext_string_equals(cases[i].literal, span, longer));
		if (*decoded)
			ck_assert(!jsontext_string_equals(cases[i].literal, span, decoded + 1));
	}
}
END_TEST

START_TEST(refuses_to_decode_nul)
{
	struct jsontext_span span = {2, 12};
	struct error error = ERROR_NONE;
	char *decoded = NULL;

	ck_assert_int_eq(jsontext_decode_string("[\n\"a\\u0000b\"]", span, &decoded, &error),
			 -EBADMSG);
	ck_assert_ptr_null(decoded);
	ck_assert_uint_eq(error.line, 2);
	ck_assert_uint_eq(error.column, 1);
	ck_assert(!jsontext_string_equals("[\n\"a\\u0000b\"]", span, "a"));
}
END_TEST

/* --- editing ------------------------------------------------------------------------------- */

static const char *data_root(void)
{
	const char *root = getenv("HARDEN_TEST_DATA");

	return root ? root : "tests/data";
}

static void read_case_file(const char *name, const char *file, struct strbuf *ret)
{
	cleanup_free char *path = NULL;
	char chunk[4096];

	ck_assert_int_gt(asprintf(&path, "%s/jsontext/%s/%s", data_root(), name, file), 0);
	cleanup_fclose FILE *stream = fopen(path, "rb");
	ck_assert_msg(stream != NULL, "%s: cannot be opened", path);
	for (size_t n; (n = fread(chunk, 1, sizeof chunk, stream)) > 0;)
		ck_assert_int_eq(strbuf_add(ret, chunk, n), 0);
	ck_assert_int_eq(strbuf_add(ret, "", 0), 0);
}

/* One line of an `edit` file: "set a.b JSON" or "remove a.b". */
static int edit_line(struct strbuf *text, const char *line, struct error *error)
{
	cleanup_free char *copy = strdup(line);
	char *verb = strtok(copy, " ");
	char *dotted = strtok(NULL, " ");
	char *json = strtok(NULL, "");
	const char *keys[8];

	ck_assert_ptr_nonnull(dotted);
	struct jsontext_path path = path_of(dotted, keys);
	if (strcmp(verb, "remove") == 0)
		return jsontext_remove(text, &path, error);
	ck_assert_str_eq(verb, "set");
	json_t *value = json_loads(json, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	ck_assert_msg(value != NULL, "not JSON: %s", json);
	int r = jsontext_set(text, &path, value, error);
	json_decref(value);
	return r;
}

static void edit_lines(struct strbuf *text, const char *lines)
{
	cleanup_free char *copy = strdup(lines);
	char *rest = copy;

	for (char *line; (line = strsep(&rest, "\n"));) {
		struct error error = ERROR_NONE;
		if (*line)
			ck_assert_msg(edit_line(text, line, &error) == 0, "%s: %s", line,
				      error.text);
		ck_assert_int_eq(jsontext_check(text->data, text->length, NULL), 0);
	}
}

static void run_case(const char *name)
{
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
	cleanup_strbuf struct strbuf lines = STRBUF_EMPTY;
	cleanup_strbuf struct strbuf expected = STRBUF_EMPTY;

	read_case_file(name, "input", &text);
	read_case_file(name, "edit", &lines);
	read_case_file(name, "expected", &expected);
	edit_lines(&text, lines.data);
	ck_assert_msg(text.length == expected.length &&
			      memcmp(text.data, expected.data, text.length) == 0,
		      "%s:\n%s\ninstead of\n%s", name, text.data, expected.data);

	/* The same once more changes nothing. */
	edit_lines(&text, lines.data);
	ck_assert_msg(strcmp(text.data, expected.data) == 0, "%s is not stable:\n%s", name,
		      text.data);
}

START_TEST(edits_cases)
{
	cleanup_free char *path = NULL;
	size_t count = 0;

	ck_assert_int_gt(asprintf(&path, "%s/jsontext", data_root()), 0);
	DIR *folder = opendir(path);
	ck_assert_msg(folder != NULL, "%s: cannot be opened", path);
	for (const struct dirent *entry; (entry = readdir(folder));) {
		if (entry->d_name[0] == '.')
			continue;
		run_case(entry->d_name);
		count++;
	}
	(void)closedir(folder);
	ck_assert_uint_ge(count, 60);
}
END_TEST

START_TEST(fails_without_touching)
{
	static const struct {
		const char *text;
		const char *edit;
		int code;
		const char *message;
	} cases[] = {
		{"[1]", "set a 1", -ENOTDIR,
		 "the top level is not an object { … }, so it can have no member \"a\""},
		{"\"null\"", "set a 1", -ENOTDIR,
		 "the top level is not an object { … }, so it can have no member \"a\""},
		{"{\"a\": 1}", "set a.b 1", -ENOTDIR,
		 "this setting is not an object { … }, so it can have no member \"b\""},
		{"{\"a\": null}", "set a.b 1", -ENOTDIR,
		 "this setting is not an object { … }, so it can have no member \"b\""},
		{"{\"a\": {\"b\": []}}", "set a.b.c.d 1", -ENOTDIR,
		 "this setting is not an object { … }, so it can have no member \"c\""},
		{"{\"a\": {\"b\": 1}, \"a\": 2}", "set a.b 1", -ENOTDIR,
		 "this setting is not an object { … }, so it can have no member \"b\""},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
		struct error error = ERROR_NONE;

		ck_assert_int_eq(strbuf_adds(&text, cases[i].text), 0);
		ck_assert_int_eq(edit_line(&text, cases[i].edit, &error), cases[i].code);
		ck_assert_str_eq(error.text, cases[i].message);
		ck_assert_str_eq(text.data, cases[i].text);
	}
}
END_TEST

START_TEST(refuses_what_json_cannot_hold)
{
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
	json_t *bad = json_string_nocheck("\xFF");
	const char *good_key[] = {"a"};
	const char *bad_key[] = {"\xFF"};
	struct jsontext_path good_path = {.keys = good_key, .count = 1};
	struct jsontext_path bad_path = {.keys = bad_key, .count = 1};
	struct jsontext_path no_path = {.keys = good_key, .count = 0};

	ck_assert_int_eq(strbuf_adds(&text, "{\"a\": 1}"), 0);
	ck_assert_int_eq(jsontext_set(&text, &good_path, bad, NULL), -EINVAL);
	ck_assert_int_eq(jsontext_set(&text, &bad_path, json_true(), NULL), -EINVAL);
	ck_assert_int_eq(jsontext_set(&text, &no_path, json_true(), NULL), -EINVAL);
	ck_assert_int_eq(jsontext_remove(&text, &no_path, NULL), 0);
	ck_assert_int_eq(jsontext_remove(&text, &bad_path, NULL), 0);
	ck_assert_str_eq(text.data, "{\"a\": 1}");
	json_decref(bad);
}
END_TEST

/* An empty strbuf has no data at all. */
START_TEST(edits_nothing_at_all)
{
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
	struct error error = ERROR_NONE;

	ck_assert_int_eq(edit_line(&text, "remove a.b", &error), 0);
	ck_assert_ptr_null(text.data);
	ck_assert_int_eq(edit_line(&text, "set a.b 1", &error), 0);
	ck_assert_str_eq(text.data, "{\n  \"a\": {\n    \"b\": 1\n  }\n}\n");
}
END_TEST

/* Removing 100,000 occurrences is one pass, not 100,000. */
START_TEST(removes_many_repeated_keys)
{
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
	struct error error = ERROR_NONE;

	(void)strbuf_adds(&text, "{\"b\": 0");
	for (int i = 0; i < 100000; i++)
		(void)strbuf_addf(&text, ",\n\"a\": %d", i);
	(void)strbuf_adds(&text, ",\n\"c\": 1}");
	ck_assert_int_eq(edit_line(&text, "remove a", &error), 0);
	ck_assert_str_eq(text.data, "{\"b\": 0,\n\"c\": 1}");
}
END_TEST

static Suite *jsontext_suite(void)
{
	Suite *suite = suite_create("jsontext");
	TCase *check = tcase_create("check");
	TCase *read = tcase_create("read");
	TCase *edit = tcase_create("edit");

	tcase_add_loop_test(check, refuses, 0, array_size(bad_texts));
	tcase_add_loop_test(check, accepts, 0, array_size(good_texts));
	tcase_add_test(check, accepts_blank_texts);
	tcase_add_test(check, limits_depth_like_jansson);
	tcase_add_test(check, judges_each_byte_at_each_place);
	tcase_add_test(read, finds_values);
	tcase_add_test(read, walks_members_and_elements);
	tcase_add_test(read, decodes_strings);
	tcase_add_test(read, refuses_to_decode_nul);
	tcase_add_test(edit, edits_cases);
	tcase_add_test(edit, fails_without_touching);
	tcase_add_test(edit, refuses_what_json_cannot_hold);
	tcase_add_test(edit, edits_nothing_at_all);
	tcase_add_test(edit, removes_many_repeated_keys);
	suite_add_tcase(suite, check);
	suite_add_tcase(suite, read);
	suite_add_tcase(suite, edit);
	return suite;
}

int main(void)
{
	return test_run(jsontext_suite());
}
