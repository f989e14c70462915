#include "harness.h"

#include "core/dockerlog.h"

#define AT "time=\"2026-09-01T10:00:00.123456789Z\" "

static struct strlist reasons_of(const char *const *lines, size_t most)
{
	struct strlist list = {.items = NULL};
	struct strlist reasons = {.items = NULL};
	struct error error = ERROR_NONE;

	for (; *lines; lines++)
		ck_assert_int_eq(strlist_add(&list, *lines), 0);
	ck_assert_int_eq(dockerlog_reasons(&list, most, &reasons, &error), 0);
	ck_assert_int_eq(error.code, 0);
	strlist_done(&list);
	return reasons;
}

static const struct {
	const char *const lines[8];
	const char *const reasons[4];
} cases[] = {
	{{NULL}, {NULL}},
	{{AT "level=info msg=\"Starting up\"", "", "  ", NULL}, {NULL}},
	/* Plain text is what it says before it exits. */
	{{AT "level=info msg=\"Starting up\"",
	  AT "level=warning msg=\"Unable to find memory controller\"",
	  "failed to start daemon: Error initializing network controller: invalid CIDR address: "
	  "1.2.3.4"},
	 {"failed to start daemon: Error initializing network controller: invalid CIDR address: "
	  "1.2.3.4"}},
	{{"unable to configure the Docker daemon with file /etc/docker/daemon.json: the following "
	  "directives don't match any configuration option: foo"},
	 {"unable to configure the Docker daemon with file /etc/docker/daemon.json: the following "
	  "directives don't match any configuration option: foo"}},
	/* Errors stand beside the last words, in their order; warnings do not. */
	{{AT "level=warning msg=\"a warning\"",
	  AT "level=error msg=\"Failed to GetDriver graph\" driver=zfs home-dir=/var/lib/docker",
	  "failed to start daemon: error initializing graphdriver: driver not supported: zfs"},
	 {"Failed to GetDriver graph",
	  "failed to start daemon: error initializing graphdriver: driver not supported: zfs"}},
	{{AT "level=fatal msg=\"Error starting cluster component: live-restore is incompatible\""},
	 {"Error starting cluster component: live-restore is incompatible"}},
	/* Warnings where there is nothing else. */
	{{AT "level=info msg=\"Starting up\"", AT "level=warning msg=\"Running modprobe failed\"",
	  AT "level=debug msg=\"never mind\""},
	 {"Running modprobe failed"}},
	{{AT "level=warn msg=short"}, {"short"}},
	/* The error is put behind the message, unless it is in there. */
	{{AT "level=error msg=\"cannot listen\" error=\"bind: address in use\" module=api"},
	 {"cannot listen: bind: address in use"}},
	{{AT "level=error msg=\"cannot listen: in use\" error=\"in use\""},
	 {"cannot listen: in use"}},
	{{AT "level=error error=refused"}, {"refused"}},
	{{AT "level=error msg=\"\" error=\"\""}, {NULL}},
	/* Quoted by Go. */
	{{AT "level=error msg=\"say \\\"no\\\" \\\\ to\\ttabs\\nlines, \\u00fcml\\u00e4ut "
	     "\\U0001f433 \\xff\""},
	 {"say \"no\" \\ to tabs lines, \xc3\xbcml\xc3\xa4ut \xf0\x9f\x90\xb3 ?"}},
	{{AT "level=error msg=\"cut in the mid"}, {"cut in the mid"}},
	{{AT "level=error msg=\"cut in a \\"}, {"cut in a \\"}},
	{{AT "level=error msg=\"cut in a \\u00"}, {"cut in a ?"}},
	{{AT "level=error msg=\"\\u0000 \\U00110000 \\uqqqq\""}, {"? ? ?qqqq"}},
	/* The first of a name counts; keys in values do not. */
	{{AT "level=error msg=first msg=second level=info"}, {"first"}},
	{{AT "level=info msg=\"the level=error is not mine\""}, {NULL}},
	{{AT "nonsense level=error =x msg=\"odd\" more="}, {"odd"}},
	/* Of a panic the first line. */
	{{AT "level=error msg=\"before\"", "panic: runtime error: invalid memory address",
	  "[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x5]", "",
	  "goroutine 1 [running]:", "main.main()", "\t/go/src/docker.go:92 +0x5"},
	 {"before", "panic: runtime error: invalid memory address"}},
	{{"fatal error: concurrent map writes", "goroutine 1 [running]:",
	  AT "level=info msg=\"Starting up\"", "failed to start daemon: busy"},
	 {"fatal error: concurrent map writes", "failed to start daemon: busy"}},
	/* After a wrong flag comes a page of help. */
	{{"Status: unknown flag: --frob", "See 'dockerd --help'., Code: 125"},
	 {"Status: unknown flag: --frob"}},
	{{"unknown flag: --frob", "", "Usage:\tdockerd [OPTIONS]",
	  "Options:", "      --icc    Enable inter-container communication", ", Code: 125"},
	 {"unknown flag: --frob"}},
	/* "log-format": "json" */
	{{"{\"level\":\"info\",\"msg\":\"Starting up\",\"time\":\"2026-09-01T10:00:00Z\"}",
	  "{\"level\":\"error\",\"msg\":\"no \\\"way\\\"\",\"error\":\"closed\",\"time\":\"x\"}"},
	 {"no \"way\": closed"}},
	{{"{\"no\": \"level\"}", "{broken", "{\"level\":7}"},
	 {"{\"no\": \"level\"}", "{broken", "{\"level\":7}"}},
	/* Three starts, one reason. */
	{{AT "level=error msg=\"a\"", "failed to start daemon: x",
	  "time=\"2026-09-01T10:00:02Z\" level=error msg=\"a\"", "failed to start daemon: x"},
	 {"a", "failed to start daemon: x"}},
	{{"invalid proxy http://user:secret@proxy.example.org:3128/ given  \r"},
	 {"invalid proxy http://user:xxxxx@proxy.example.org:3128/ given"}},
};

START_TEST(reasons_are_picked)
{
	struct strlist reasons = reasons_of(cases[_i].lines, 3);
	size_t count = 0;

	for (; cases[_i].reasons[count]; count++) {
		ck_assert_uint_gt(reasons.count, count);
		ck_assert_str_eq(reasons.items[count], cases[_i].reasons[count]);
	}
	ck_assert_msg(reasons.count == count, "%d: %s", _i, reasons.items[reasons.count - 1]);
	strlist_done(&reasons);
}
END_TEST

START_TEST(there_is_a_limit)
{
	static const char *const lines[] = {
		"first words",
		AT "level=error msg=\"first error\"",
		"second words",
		AT "level=error msg=\"second error\"",
		AT "level=warning msg=\"a warning\"",
		NULL,
	};
	struct strlist reasons = reasons_of(lines, 1);

	ck_assert_uint_eq(reasons.count, 1);
	ck_assert_str_eq(reasons.items[0], "second words");
	strlist_done(&reasons);

	/* The last words go first, then the latest errors. */
	reasons = reasons_of(lines, 3);
	ck_assert_uint_eq(reasons.count, 3);
	ck_assert_str_eq(reasons.items[0], "first words");
	ck_assert_str_eq(reasons.items[1], "second words");
	ck_assert_str_eq(reasons.items[2], "second error");
	strlist_done(&reasons);

	reasons = reasons_of(lines, 99);
	ck_assert_uint_eq(reasons.count, 4);
	strlist_done(&reasons);

	reasons = reasons_of(lines, 0);
	ck_assert_uint_eq(reasons.count, 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {there_is_a_limit, NULL};

	return test_main_loop("dockerlog", tests, reasons_are_picked, array_size(cases));
}
