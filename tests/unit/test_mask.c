/* No output shows a secret. */
#include "harness.h"

#include "core/mask.h"

START_TEST(test_text)
{
	static const struct {
		const char *text;
		const char *masked;
	} cases[] = {
		{"", ""},
		{"{\"icc\": false}", "{\"icc\": false}"},
		{"{\"splunk-token\" : \"abc\", \"a\": \"b\"}",
		 "{\"splunk-token\" : \"xxxxx\", \"a\": \"b\"}"},
		{"{\"http-proxy\": \"http://joe:pw@proxy:3128/\"}",
		 "{\"http-proxy\": \"http://joe:xxxxx@proxy:3128/\"}"},
		{"[\"https:\\/\\/u:p@h\\/x\"]", "[\"https:\\/\\/u:xxxxx@h\\/x\"]"},
		{"[\"https://tokenonly@h\"]", "[\"https://xxxxx@h\"]"},
		{"[\"http://a:b@c http://d:e@f\"]", "[\"http://a:xxxxx@c http://d:xxxxx@f\"]"},
		{"[\"http://u:p@ss@h/\"]", "[\"http://u:xxxxx@h/\"]"},
		{"{\"a-password\": [\"one\", \"two\"]}",
		 "{\"a-password\": [\"xxxxx\", \"xxxxx\"]}"},
		{"{\"syslog-tls-key\": \"/etc/key.pem\"}",
		 "{\"syslog-tls-key\": \"/etc/key.pem\"}"},
		{"{\"mail\": \"a@b\"}", "{\"mail\": \"a@b\"}"},
		{"{\"q\": \"a\\\"b\", \"token\": \"x\\\"y\"}",
		 "{\"q\": \"a\\\"b\", \"token\": \"xxxxx\"}"},
		{"{\"token\": \"unterminated", "{\"token\": \"xxxxx"},
		{"{\"splunk-tok\\u0065n\": \"abc\"}", "{\"splunk-tok\\u0065n\": \"xxxxx\"}"},
		{"[\"\\u0061 http:\\u002f/u:pw@h\"]", "[\"a http://u:xxxxx@h\"]"},
		{"[\"http://u:p\\u0077@h\"]", "[\"http://u:xxxxx@h\"]"},
		{"[\"\\u0061 http://u:pw@h\"]", "[\"\\u0061 http://u:xxxxx@h\"]"},
		{"{\"token\": \"\"}", "{\"token\": \"\"}"},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		cleanup_strbuf struct strbuf out = STRBUF_EMPTY;
		ck_assert_int_eq(mask_text(&out, cases[i].text, strlen(cases[i].text)), 0);
		ck_assert_str_eq(out.data ? out.data : "", cases[i].masked);
	}
}
END_TEST

START_TEST(test_json)
{
	json_t *value = json_loads("{\"proxies\": {\"https-proxy\": \"http://u:p@h\"},"
				   "\"log-opts\": {\"splunk-token\": \"s\", \"tag\": \"t\"},"
				   "\"n\": 1}",
				   0, NULL);
	json_t *expected = json_loads("{\"proxies\": {\"https-proxy\": \"http://u:xxxxx@h\"},"
				      "\"log-opts\": {\"splunk-token\": \"xxxxx\", \"tag\": \"t\"},"
				      "\"n\": 1}",
				      0, NULL);
	json_t *masked = mask_json(NULL, value);

	ck_assert(json_equal(masked, expected));
	json_decref(value);
	json_decref(expected);
	json_decref(masked);
}
END_TEST

START_TEST(test_words)
{
	static const struct {
		const char *text;
		const char *masked;
	} cases[] = {
		{"", ""},
		{"ExecStart=/bin/x --log-opt splunk-token=abc --b",
		 "ExecStart=/bin/x --log-opt splunk-token=xxxxx --b"},
		{"--log-opt=splunk-token=abc", "--log-opt=splunk-token=xxxxx"},
		{"A=\"--x 'my token=a b' c\"", "A=\"--x 'my token=xxxxx\""},
		{"\"--o=token=a b\" c", "\"--o=token=xxxxx\" c"},
		{"PASSWORD=\"a b\" c", "PASSWORD=xxxxx c"},
		{"PASSWORD=a\\ b c", "PASSWORD=xxxxx c"},
		{"TOKEN=\nA=b\n", "TOKEN=\nA=b\n"},
		{"--http-proxy http://u:p@h:1 --https-proxy=https://t@h",
		 "--http-proxy http://u:xxxxx@h:1 --https-proxy=https://xxxxx@h"},
		{"-H fd:// --label a=b@c", "-H fd:// --label a=b@c"},
		{"# token=abc\n", "# token=xxxxx\n"},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		cleanup_strbuf struct strbuf out = STRBUF_EMPTY;
		ck_assert_int_eq(mask_words(&out, cases[i].text, strlen(cases[i].text)), 0);
		ck_assert_str_eq(out.data ? out.data : "", cases[i].masked);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {test_text, test_json, test_words, NULL};

	return test_main("mask", tests);
}
