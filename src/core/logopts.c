#include "core/logopts.h"

#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

#define V(major, minor)                                                                            \
	{                                                                                          \
		major, minor, 0                                                                    \
	}

struct log_driver {
	const char *name;
	struct dockerver since;
	struct dockerver removed; /* first version without it; 0 = never */
};

/* daemon/logger/<name>/ in moby; etwlogs is left out, as it is for Windows. */
static const struct log_driver drivers[] = {
	{"awslogs", V(17, 12), {0}},  {"fluentd", V(17, 12), {0}},
	{"gcplogs", V(17, 12), {0}},  {"gelf", V(17, 12), {0}},
	{"journald", V(17, 12), {0}}, {"json-file", V(17, 12), {0}},
	{"local", V(18, 9), {0}},     {"logentries", V(17, 12), V(25, 0)},
	{"none", V(17, 12), {0}},     {"splunk", V(17, 12), {0}},
	{"syslog", V(17, 12), {0}},
};

struct log_opt {
	const char *driver; /* "" stands for every driver */
	const char *option;
	struct dockerver since;
	struct dockerver removed;
};

/* The names in each driver's ValidateLogOpt(), read at every stable tag from 17.12.0 to 29.7.2. */
static const struct log_opt options[] = {
	/* daemon/logger/factory.go, and the local cache for drivers that cannot be read back
	 * (daemon/logger/loggerutils/cache) */
	{"", "mode", V(17, 12), {0}},
	{"", "max-buffer-size", V(17, 12), {0}},
	{"", "cache-disabled", V(20, 10), {0}},
	{"", "cache-max-size", V(20, 10), {0}},
	{"", "cache-max-file", V(20, 10), {0}},
	{"", "cache-compress", V(20, 10), {0}},

	{"awslogs", "awslogs-region", V(17, 12), {0}},
	{"awslogs", "awslogs-group", V(17, 12), {0}},
	{"awslogs", "awslogs-stream", V(17, 12), {0}},
	{"awslogs", "awslogs-create-group", V(17, 12), {0}},
	{"awslogs", "awslogs-create-stream", V(29, 0), {0}},
	{"awslogs", "awslogs-datetime-format", V(17, 12), {0}},
	{"awslogs", "awslogs-multiline-pattern", V(17, 12), {0}},
	{"awslogs", "awslogs-credentials-endpoint", V(17, 12), {0}},
	{"awslogs", "awslogs-endpoint", V(18, 9), {0}},
	{"awslogs", "awslogs-force-flush-interval-seconds", V(19, 3), {0}},
	{"awslogs", "awslogs-max-buffered-events", V(19, 3), {0}},
	{"awslogs", "awslogs-format", V(23, 0), {0}},
	{"awslogs", "tag", V(17, 12), {0}},

	{"fluentd", "fluentd-address", V(17, 12), {0}},
	{"fluentd", "fluentd-async", V(20, 10), {0}},
	{"fluentd", "fluentd-async-connect", V(17, 12), V(28, 0)},
	{"fluentd", "fluentd-async-reconnect-interval", V(23, 0), {0}},
	{"fluentd", "fluentd-buffer-limit", V(17, 12), {0}},
	{"fluentd", "fluentd-max-retries", V(17, 12), {0}},
	{"fluentd", "fluentd-read-timeout", V(29, 0), {0}},
	{"fluentd", "fluentd-request-ack", V(20, 10), {0}},
	{"fluentd", "fluentd-retry-wait", V(17, 12), {0}},
	{"fluentd", "fluentd-sub-second-precision", V(17, 12), {0}},
	{"fluentd", "fluentd-write-timeout", V(28, 2), {0}},
	{"fluentd", "env", V(17, 12), {0}},
	{"fluentd", "env-regex", V(17, 12), {0}},
	{"fluentd", "labels", V(17, 12), {0}},
	{"fluentd", "labels-regex", V(20, 10), {0}},
	{"fluentd", "tag", V(17, 12), {0}},

	{"gcplogs", "gcp-project", V(17, 12), {0}},
	{"gcplogs", "gcp-log-cmd", V(17, 12), {0}},
	{"gcplogs", "gcp-meta-zone", V(17, 12), {0}},
	{"gcplogs", "gcp-meta-name", V(17, 12), {0}},
	{"gcplogs", "gcp-meta-id", V(17, 12), {0}},
	{"gcplogs", "env", V(17, 12), {0}},
	{"gcplogs", "env-regex", V(17, 12), {0}},
	{"gcplogs", "labels", V(17, 12), {0}},
	{"gcplogs", "labels-regex", V(20, 10), {0}},

	{"gelf", "gelf-address", V(17, 12), {0}},
	{"gelf", "gelf-compression-level", V(17, 12), {0}},
	{"gelf", "gelf-compression-type", V(17, 12), {0}},
	{"gelf", "gelf-tcp-max-reconnect", V(17, 12), {0}},
	{"gelf", "gelf-tcp-reconnect-delay", V(17, 12), {0}},
	{"gelf", "env", V(17, 12), {0}},
	{"gelf", "env-regex", V(17, 12), {0}},
	{"gelf", "labels", V(17, 12), {0}},
	{"gelf", "labels-regex", V(20, 10), {0}},
	{"gelf", "tag", V(17, 12), {0}},

	{"journald", "env", V(17, 12), {0}},
	{"journald", "env-regex", V(17, 12), {0}},
	{"journald", "labels", V(17, 12), {0}},
	{"journald", "labels-regex", V(20, 10), {0}},
	{"journald", "tag", V(17, 12), {0}},

	{"json-file", "max-file", V(17, 12), {0}},
	{"json-file", "max-size", V(17, 12), {0}},
	{"json-file", "compress", V(18, 4), {0}},
	{"json-file", "env", V(17, 12), {0}},
	{"json-file", "env-regex", V(17, 12), {0}},
	{"json-file", "labels", V(17, 12), {0}},
	{"json-file", "labels-regex", V(20, 10), {0}},
	{"json-file", "tag", V(18, 2), {0}},

	{"local", "max-file", V(18, 9), {0}},
	{"local", "max-size", V(18, 9), {0}},
	{"local", "compress", V(18, 9), {0}},

	{"splunk", "splunk-url", V(17, 12), {0}},
	{"splunk", "splunk-token", V(17, 12), {0}},
	{"splunk", "splunk-source", V(17, 12), {0}},
	{"splunk", "splunk-sourcetype", V(17, 12), {0}},
	{"splunk", "splunk-index", V(17, 12), {0}},
	{"splunk", "splunk-capath", V(17, 12), {0}},
	{"splunk", "splunk-caname", V(17, 12), {0}},
	{"splunk", "splunk-insecureskipverify", V(17, 12), {0}},
	{"splunk", "splunk-format", V(17, 12), {0}},
	{"splunk", "splunk-verify-connection", V(17, 12), {0}},
	{"splunk", "splunk-gzip", V(17, 12), {0}},
	{"splunk", "splunk-gzip-level", V(17, 12), {0}},
	{"splunk", "splunk-index-acknowledgment", V(20, 10), {0}},
	{"splunk", "env", V(17, 12), {0}},
	{"splunk", "env-regex", V(17, 12), {0}},
	{"splunk", "labels", V(17, 12), {0}},
	{"splunk", "labels-regex", V(20, 10), {0}},
	{"splunk", "tag", V(17, 12), {0}},

	{"syslog", "syslog-address", V(17, 12), {0}},
	{"syslog", "syslog-facility", V(17, 12), {0}},
	{"syslog", "syslog-format", V(17, 12), {0}},
	{"syslog", "syslog-tls-ca-cert", V(17, 12), {0}},
	{"syslog", "syslog-tls-cert", V(17, 12), {0}},
	{"syslog", "syslog-tls-key", V(17, 12), {0}},
	{"syslog", "syslog-tls-skip-verify", V(17, 12), {0}},
	{"syslog", "env", V(17, 12), {0}},
	{"syslog", "env-regex", V(17, 12), {0}},
	{"syslog", "labels", V(17, 12), {0}},
	{"syslog", "labels-regex", V(20, 10), {0}},
	{"syslog", "tag", V(17, 12), {0}},
};

static bool is_between(struct dockerver version, struct dockerver since, struct dockerver removed)
{
	return dockerver_compare(version, since) >= 0 &&
	       (!dockerver_known(removed) || dockerver_compare(version, removed) < 0);
}

bool log_driver_is_builtin(const char *driver, struct dockerver version)
{
	for (size_t i = 0; i < array_size(drivers); i++)
		if (strcmp(drivers[i].name, driver) == 0)
			return is_between(version, drivers[i].since, drivers[i].removed);
	return false;
}

bool log_opt_is_accepted(const char *driver, const char *option, struct dockerver version)
{
	/* "none" is not asked at all, and the validator of logentries has a case that any name
	 * satisfies (daemon/logger/logentries/logentries.go, "case key"). */
	if (!log_driver_is_builtin(driver, version) || strcmp(driver, "none") == 0 ||
	    strcmp(driver, "logentries") == 0)
		return true;
	for (size_t i = 0; i < array_size(options); i++) {
		const struct log_opt *row = &options[i];
		if (strcmp(row->option, option) == 0 &&
		    (!*row->driver || strcmp(row->driver, driver) == 0) &&
		    is_between(version, row->since, row->removed))
			return true;
	}
	return false;
}

const char *log_driver_suggest(const char *driver, struct dockerver version)
{
	for (size_t i = 0; i < array_size(drivers); i++)
		if (is_between(version, drivers[i].since, drivers[i].removed) &&
		    text_distance(driver, drivers[i].name) <= 2)
			return drivers[i].name;
	return NULL;
}
