#include "harness.h"

#include "base/xml.h"

static const struct {
	const char *text;
	size_t length;
	const char *written;   /* between tags */
	const char *attribute; /* NULL: the same */
} cases[] = {
	{"plain", 5, "plain", NULL},
	{"", 0, "", NULL},
	{"a < b && \"c\" > 'd'", 18, "a &lt; b &amp;&amp; &quot;c&quot; &gt; 'd'", NULL},
	{"]]>", 3, "]]&gt;", NULL},
	{"a\tb\nc", 5, "a\tb\nc", "a&#9;b&#10;c"},
	{"a\rb", 3, "a\\x0db", NULL},
	{"\x01\x1b[2J", 5, "\\x01\\x1b[2J", NULL},
	{"nul\0in it", 9, "nul\\x00in it", NULL},
	{"\x7f", 1, "\\x7f", NULL},
	{"caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x90\xB3", 14,
	 "caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x90\xB3", NULL},
	{"\xFF\xC3", 2, "\\xff\\xc3", NULL},
	{"\xED\xA0\x80", 3, "\\xed\\xa0\\x80", NULL},
	{"\xEF\xBF\xBE\xEF\xBF\xBF\xEF\xBF\xBD", 9, "\\u{fffe}\\u{ffff}\xEF\xBF\xBD", NULL},
	{"\xE2\x80\xAE", 3, "\\u{202e}", NULL},
};

START_TEST(test_case)
{
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
	cleanup_strbuf struct strbuf attribute = STRBUF_EMPTY;
	const char *expected = cases[_i].attribute ? cases[_i].attribute : cases[_i].written;

	ck_assert_int_eq(xml_add_text(&text, cases[_i].text, cases[_i].length), 0);
	ck_assert_int_eq(xml_add_attribute(&attribute, cases[_i].text, cases[_i].length), 0);
	ck_assert_str_eq(text.data ? text.data : "", cases[_i].written);
	ck_assert_str_eq(attribute.data ? attribute.data : "", expected);
}
END_TEST

START_TEST(test_appends)
{
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;

	ck_assert_int_eq(strbuf_adds(&text, "<b>"), 0);
	ck_assert_int_eq(xml_add_text(&text, "a&b, not this", 3), 0);
	ck_assert_str_eq(text.data, "<b>a&amp;b");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {test_appends, NULL};

	return test_main_loop("xml", tests, test_case, (int)array_size(cases));
}
