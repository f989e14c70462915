/* Rules about storage drivers (facts b.5) and log drivers (facts b.6). */
#include "core/findings_values.h"

#include <string.h>

#include "base/text.h"
#include "core/logopts.h"

static bool is_graph_driver(const char *name, struct dockerver version)
{
	static const struct {
		const char *name;
		struct dockerver since, removed;
	} drivers[] = {
		{"btrfs", {17, 12, 0}, {0}},
		{"fuse-overlayfs", {20, 10, 0}, {0}},
		{"overlay2", {17, 12, 0}, {0}},
		{"vfs", {17, 12, 0}, {0}},
		{"zfs", {17, 12, 0}, {0}},
		{"aufs", {17, 12, 0}, {24, 0, 0}},
		{"overlay", {17, 12, 0}, {24, 0, 0}},
		{"devicemapper", {17, 12, 0}, {25, 0, 0}},
	};

	for (size_t i = 0; i < array_size(drivers); i++)
		if (strcmp(drivers[i].name, name) == 0)
			return dockerver_compare(version, drivers[i].since) >= 0 &&
			       (!dockerver_known(drivers[i].removed) ||
				dockerver_compare(version, drivers[i].removed) < 0);
	return false;
}

static bool was_graph_driver(const char *name)
{
	return is_graph_driver(name, DOCKERVER_OLDEST);
}

/* With the containerd store the name is a snapshotter's, and only containerd knows those. overlay2
 * is none of them; from 29.0 that is noticed at the start. */
static void check_snapshotter(struct collection *collection, const char *key, const char *driver)
{
	bool fails = collection_at_least(collection, 29, 0);

	if (strcmp(driver, "overlay2") == 0)
		collection_report(collection, key, fails,
				  "With the feature containerd-snapshotter, storage-driver names a "
				  "snapshotter, and overlay2 is none%s. Its name there is "
				  "overlayfs; remove the key to get it.",
				  fails ? ", so dockerd will not start" : "");
}

void rule_storage_driver(struct collection *collection, const char *key, const json_t *value)
{
	const char *driver = json_string_value(value);
	int snapshotter = collection_feature(collection, "containerd-snapshotter");
	bool modern = collection_at_least(collection, 29, 0);

	if (!*driver)
		return;
	if (snapshotter == 1 && collection_at_least(collection, 24, 0)) {
		check_snapshotter(collection, key, driver);
		return;
	}
	if (is_graph_driver(driver, collection->version))
		return;
	/* From 29.0 any name may be a snapshotter's, unless graph drivers are forced. Up to 27.5 a
	 * plugin may bring a driver, but only with experimental, and none of a removed name. */
	bool forced = snapshotter == 0 || collection_is_given(collection, "userns-remap");
	bool fatal = modern ? forced
			    : collection_at_least(collection, 28, 0) ||
				      !collection_is_true(collection, "experimental") ||
				      (collection_at_least(collection, 24, 0) &&
				       was_graph_driver(driver));
	if (was_graph_driver(driver))
		collection_report(collection, key, fatal,
				  "The storage driver \"%s\" was removed and is not in dockerd "
				  "%s%s. Move the data to overlay2 with an older version first.",
				  driver, collection->version_text,
				  fatal ? ", which will not start" : "");
	else if (fatal)
		collection_report(collection, key, true,
				  "dockerd %s has no storage driver \"%s\" and will not start.",
				  collection->version_text, driver);
}

static bool is_syslog_facility(const char *facility)
{
	static const char *const names[] = {"kern",     "user",   "mail",   "daemon", "auth",
					    "syslog",   "lpr",    "news",   "uucp",   "cron",
					    "authpriv", "ftp",    "local0", "local1", "local2",
					    "local3",   "local4", "local5", "local6", "local7"};
	char *end;
	long number = strtol(facility, &end, 10);

	return value_is_one_of(facility, names, array_size(names), false) ||
	       (!*end && number >= 0 && number <= 23);
}

static const char *option_text(const json_t *options, const char *name)
{
	const char *text = json_string_value(json_object_get(options, name));

	return text ? text : "";
}

static const char *syslog_problem(const json_t *options)
{
	static const char *const schemes[] = {"udp", "tcp", "tcp+tls", "unix", "unixgram"};
	static const char *const formats[] = {"", "rfc3164", "rfc5424", "rfc5424micro"};
	const char *address = option_text(options, "syslog-address");
	const char *facility = option_text(options, "syslog-facility");

	if (*address && !value_has_scheme(address, schemes, array_size(schemes)))
		return "syslog-address must begin with udp://, tcp://, tcp+tls://, unix:// or "
		       "unixgram://";
	if (*facility && !is_syslog_facility(facility))
		return "syslog-facility is none of syslog's (daemon, local0 to local7, ...)";
	if (!value_is_one_of(option_text(options, "syslog-format"), formats, array_size(formats),
			     false))
		return "syslog-format must be rfc3164, rfc5424 or rfc5424micro";
	return NULL;
}

/* What the driver's own check says of the values, beyond the names. */
static const char *log_opts_problem(const char *driver, const json_t *options)
{
	static const char *const gelf_schemes[] = {"udp", "tcp"};
	const char *mode = option_text(options, "mode");

	if (strcmp(driver, "none") == 0)
		return NULL;
	if (*mode && strcmp(mode, "blocking") != 0 && strcmp(mode, "non-blocking") != 0)
		return "mode must be blocking or non-blocking";
	if (json_object_get(options, "max-buffer-size") && strcmp(mode, "non-blocking") != 0)
		return "max-buffer-size needs mode=non-blocking";
	if (strcmp(driver, "syslog") == 0)
		return syslog_problem(options);
	if (strcmp(driver, "gelf") == 0 &&
	    !value_has_scheme(option_text(options, "gelf-address"), gelf_schemes,
			      array_size(gelf_schemes)))
		return "gelf needs a gelf-address that begins with udp:// or tcp://";
	if (strcmp(driver, "awslogs") == 0 && !*option_text(options, "awslogs-group"))
		return "awslogs needs awslogs-group";
	return NULL;
}

void rule_log_opts(struct collection *collection, const char *key, const json_t *value)
{
	json_t *driver_value = collection_value(collection, "log-driver");
	const char *driver = json_string_value(driver_value);
	size_t complaints = 0;
	const char *name;
	json_t *option;

	if (driver && log_driver_is_builtin(driver, collection->version)) {
		const char *problem =
			json_object_size(value) ? log_opts_problem(driver, value) : NULL;
		json_object_foreach ((json_t *)value, name, option)
			if (!log_opt_is_accepted(driver, name, collection->version) &&
			    complaints++ < COMPLAINTS_MAX)
				collection_report(collection, key, true,
						  "The log driver %s of dockerd %s does not take "
						  "the log-opt \"%s\", so dockerd will not start "
						  "(and --validate does not notice). Remove it, or "
						  "set the log-driver it belongs to.",
						  driver, collection->version_text, name);
		if (problem)
			collection_report(collection, key, true,
					  "In log-opts, %s, or dockerd will not start.", problem);
	}
	json_decref(driver_value);
}

void rule_log_driver(struct collection *collection, const char *key, const json_t *value)
{
	const char *driver = json_string_value(value);

	if (!*driver || log_driver_is_builtin(driver, collection->version))
		return;
	const char *nearest = log_driver_suggest(driver, collection->version);
	bool gone = log_driver_is_builtin(driver, DOCKERVER_OLDEST);
	/* Whether a plugin of that name is there, only the daemon can say. */
	if (gone || nearest)
		collection_report(collection, key, false,
				  "dockerd %s has no log driver \"%s\" of its own%s; without a "
				  "plugin of that name no container can be created, and with "
				  "log-opts set dockerd will not start.%s%s%s",
				  collection->version_text, driver, gone ? " any more" : "",
				  nearest ? " Did you mean \"" : "", nearest ? nearest : "",
				  nearest ? "\"?" : "");
}
