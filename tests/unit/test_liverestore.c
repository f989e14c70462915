/* daemon.json with live-restore switched and every other byte as it was. */
#include "harness.h"

#include <errno.h>

#include "core/liverestore.h"

START_TEST(test_text)
{
	static const struct {
		const char *text;
		bool on;
		const char *edited;
	} cases[] = {
		{"", true, "{\n  \"live-restore\": true\n}\n"},
		{"", false, "{\n  \"live-restore\": false\n}\n"},
		{"{}", true, "{\n  \"live-restore\": true\n}"},
		{"{\n\t\"icc\": false\n}", false,
		 "{\n\t\"icc\": false,\n\t\"live-restore\": false\n}"},
		{"{\"live-restore\":true,  \"mtu\": 1.4e3}", false,
		 "{\"live-restore\":false,  \"mtu\": 1.4e3}"},
		{"{ \"live-restore\" : true }", true, "{ \"live-restore\" : true }"},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		cleanup_strbuf struct strbuf out = STRBUF_EMPTY;
		struct error error = ERROR_NONE;

		ck_assert_int_eq(live_restore_text(cases[i].text, strlen(cases[i].text),
						   cases[i].on, &out, &error),
				 0);
		ck_assert_str_eq(out.data, cases[i].edited);
	}
}
END_TEST

START_TEST(test_broken)
{
	cleanup_strbuf struct strbuf out = STRBUF_EMPTY;
	struct error error = ERROR_NONE;

	ck_assert_int_eq(live_restore_text("{,}", 3, true, &out, &error), -EBADMSG);
	ck_assert_uint_eq(out.length, 0);
	ck_assert_uint_eq(error.column, 2);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {test_text, test_broken, NULL};

	return test_main("liverestore", tests);
}
