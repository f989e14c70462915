#include "harness.h"

#include <check.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "core/logopts.h"

static struct dockerver version_of(const char *text)
{
	struct dockerver version;

	ck_assert(dockerver_parse(text, &version));
	return version;
}

START_TEST(drivers)
{
	static const struct {
		const char *driver, *version;
		bool want;
	} rows[] = {
		{"json-file", "17.12", true},
		{"syslog", "29.7", true},
		{"journald", "17.12", true},
		{"local", "18.06", false},
		{"local", "18.09", true},
		{"logentries", "24.0.9", true},
		{"logentries", "25.0", false},
		{"none", "29.7", true},
		{"etwlogs", "29.7", false},
		{"loki", "29.7", false},
		{"grafana/loki-docker-driver:latest", "29.7", false},
		{"", "29.7", false},
		{"Syslog", "29.7", false},
	};

	for (size_t i = 0; i < array_size(rows); i++)
		ck_assert_msg(log_driver_is_builtin(rows[i].driver, version_of(rows[i].version)) ==
				      rows[i].want,
			      "%s %s", rows[i].driver, rows[i].version);
}
END_TEST

START_TEST(options)
{
	static const struct {
		const char *driver, *option, *version;
		bool want;
	} rows[] = {
		{"json-file", "max-size", "17.12", true},
		{"json-file", "max-file", "29.7", true},
		{"json-file", "tag", "18.01", false},
		{"json-file", "tag", "18.02", true},
		{"json-file", "compress", "18.03.1", false},
		{"json-file", "compress", "18.04", true},
		{"json-file", "labels-regex", "19.03.15", false},
		{"json-file", "labels-regex", "20.10", true},
		{"json-file", "syslog-address", "29.7", false},
		{"json-file", "Max-Size", "29.7", false},
		{"local", "max-size", "20.10", true},
		{"local", "tag", "29.7", false},
		{"local", "env", "29.7", false},
		{"syslog", "syslog-address", "17.12", true},
		{"syslog", "syslog-tls-skip-verify", "29.7", true},
		{"syslog", "syslog-format", "17.12", true},
		{"syslog", "labels-regex", "19.03", false},
		{"syslog", "max-size", "29.7", false},
		{"syslog", "max-file", "20.10", false},
		{"journald", "tag", "20.10", true},
		{"journald", "max-size", "20.10", false},
		{"gelf", "gelf-tcp-max-reconnect", "17.12", true},
		{"gelf", "tag", "29.7", true},
		{"fluentd", "fluentd-async", "19.03", false},
		{"fluentd", "fluentd-async", "20.10", true},
		{"fluentd", "fluentd-async-connect", "27.5.1", true},
		{"fluentd", "fluentd-async-connect", "28.0", false},
		{"fluentd", "fluentd-async-reconnect-interval", "20.10.27", false},
		{"fluentd", "fluentd-async-reconnect-interval", "23.0", true},
		{"fluentd", "fluentd-write-timeout", "28.1", false},
		{"fluentd", "fluentd-write-timeout", "28.2", true},
		{"fluentd", "fluentd-read-timeout", "28.5", false},
		{"fluentd", "fluentd-read-timeout", "29.0", true},
		{"splunk", "splunk-index-acknowledgment", "19.03", false},
		{"splunk", "splunk-index-acknowledgment", "20.10", true},
		{"splunk", "splunk-gzip", "17.12", true},
		{"awslogs", "awslogs-endpoint", "18.06", false},
		{"awslogs", "awslogs-endpoint", "18.09", true},
		{"awslogs", "awslogs-max-buffered-events", "19.03", true},
		{"awslogs", "awslogs-format", "20.10", false},
		{"awslogs", "awslogs-create-stream", "28.5.2", false},
		{"awslogs", "awslogs-create-stream", "29.0", true},
		{"awslogs", "env", "29.7", false},
		{"gcplogs", "gcp-project", "17.12", true},
		{"gcplogs", "tag", "29.7", false},
		{"logentries", "anything", "24.0", true},
		{"none", "anything", "29.7", true},
		/* every built-in driver */
		{"syslog", "mode", "17.12", true},
		{"json-file", "max-buffer-size", "29.7", true},
		{"syslog", "cache-disabled", "19.03", false},
		{"syslog", "cache-disabled", "20.10", true},
		{"fluentd", "cache-max-file", "29.7", true},
		{"json-file", "cache-compress", "29.7", true},
		{"syslog", "", "29.7", false},
		/* only the plugin knows */
		{"loki", "loki-url", "29.7", true},
		{"logentries", "x", "25.0", true},
	};

	for (size_t i = 0; i < array_size(rows); i++)
		ck_assert_msg(log_opt_is_accepted(rows[i].driver, rows[i].option,
						  version_of(rows[i].version)) == rows[i].want,
			      "%s %s %s", rows[i].driver, rows[i].option, rows[i].version);
}
END_TEST

START_TEST(suggestions)
{
	const struct dockerver version = version_of("28.5");

	ck_assert(text_equal(log_driver_suggest("sylog", version), "syslog"));
	ck_assert(text_equal(log_driver_suggest("json_file", version), "json-file"));
	ck_assert(text_equal(log_driver_suggest("journal", version), "journald"));
	ck_assert_ptr_null(log_driver_suggest("loki", version));
	ck_assert_ptr_null(log_driver_suggest("grafana/loki-docker-driver:latest", version));
	ck_assert_ptr_null(log_driver_suggest("logentrie", version));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("logopts");
	TCase *tests = tcase_create("all");

	tcase_add_test(tests, drivers);
	tcase_add_test(tests, options);
	tcase_add_test(tests, suggestions);
	suite_add_tcase(suite, tests);

	return test_run(suite);
}
