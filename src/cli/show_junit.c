/* The audit as JUnit XML: one suite, a case for each control. Valid for the schemas of Jenkins'
 * xunit plugin and of the older one by windyroad, which wants elements and attributes that others
 * leave out. */
#include <string.h>
#include <time.h>

#include "base/xml.h"
#include "cli/output.h"

static void add_attribute(struct strbuf *out, const char *name, const char *value)
{
	(void)strbuf_addf(out, " %s=\"", name);
	(void)xml_add_attribute(out, value, strlen(value));
	(void)strbuf_addc(out, '"');
}

static void add_property(struct strbuf *out, const char *name, const char *value)
{
	(void)strbuf_adds(out, "      <property");
	add_attribute(out, "name", name);
	add_attribute(out, "value", value);
	(void)strbuf_adds(out, "/>\n");
}

static void add_value(struct strbuf *out, const char *label, const char *key, const json_t *value)
{
	cleanup_free char *text = value ? show_value_text(key, value) : NULL;

	const char *shown = text ? text : "-";

	(void)strbuf_addf(out, "%s: ", label);
	(void)xml_add_text(out, shown, strlen(shown));
	(void)strbuf_addc(out, '\n');
}

static void add_failure(struct strbuf *out, const struct check_row *row)
{
	const struct setting *setting = row->setting;
	const char *key = setting->row->key;

	(void)strbuf_adds(out, "      <failure type=\"difference\"");
	add_attribute(out, "message", setting->reason ? setting->reason : setting->row->title);
	(void)strbuf_adds(out, ">");
	add_value(out, "file", key, row->file);
	add_value(out, "flags", key, row->flag);
	add_value(out, "in force", key, row->in_force);
	add_value(out, "wanted", key, setting->wanted);
	(void)strbuf_adds(out, "</failure>\n");
}

static void add_case(struct strbuf *out, const struct check_row *row, const struct plan *plan,
		     const struct options *options)
{
	const struct setting *setting = row->setting;
	char number[CHECK_NUMBER_SIZE];
	cleanup_strbuf struct strbuf name = STRBUF_EMPTY;
	cleanup_strbuf struct strbuf suite = STRBUF_EMPTY;

	(void)check_number(setting->row, options->benchmark, number);
	(void)strbuf_addf(&name, "%s%s%s", number, *number ? " " : "", setting->row->key);
	(void)strbuf_addf(&suite, "harden.%s", plan->profile.name);
	(void)strbuf_adds(out, "    <testcase");
	add_attribute(out, "classname", suite.data ? suite.data : "");
	add_attribute(out, "name", name.data ? name.data : "");
	(void)strbuf_adds(out, " time=\"0\"");
	if (row->verdict == VERDICT_PASS) {
		(void)strbuf_adds(out, "/>\n");
		return;
	}
	(void)strbuf_adds(out, ">\n");
	if (row->verdict == VERDICT_FAIL) {
		add_failure(out, row);
	} else {
		(void)strbuf_adds(out, "      <skipped");
		add_attribute(out, "message",
			      setting->reason ? setting->reason : verdict_name(row->verdict));
		(void)strbuf_adds(out, "/>\n");
	}
	(void)strbuf_adds(out, "    </testcase>\n");
}

/* What keeps dockerd from starting is a failure, whatever the controls say. */
static void add_obstacle(struct strbuf *out, const char *text, const struct plan *plan)
{
	cleanup_strbuf struct strbuf suite = STRBUF_EMPTY;

	(void)strbuf_addf(&suite, "harden.%s", plan->profile.name);
	(void)strbuf_adds(out, "    <testcase");
	add_attribute(out, "classname", suite.data ? suite.data : "");
	(void)strbuf_adds(out,
			  " name=\"configuration\" time=\"0\">\n      <failure type=\"obstacle\"");
	add_attribute(out, "message", text);
	(void)strbuf_adds(out, "></failure>\n    </testcase>\n");
}

int show_check_junit(struct strbuf *out, const struct check *check, const struct plan *plan,
		     const struct facts *facts, const struct options *options)
{
	size_t obstacles = check->obstacles.count;
	size_t failing = check->counts[VERDICT_FAIL];
	size_t skipped = check->count - failing - check->counts[VERDICT_PASS];
	time_t now = time(NULL);
	char moment[32] = "1970-01-01T00:00:00";
	struct tm utc;

	if (gmtime_r(&now, &utc))
		(void)strftime(moment, sizeof moment, "%Y-%m-%dT%H:%M:%S", &utc);
	(void)strbuf_addf(
		out,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<testsuites>\n"
		"  <testsuite id=\"0\" package=\"harden\" name=\"harden\" tests=\"%zu\""
		" failures=\"%zu\" errors=\"0\" skipped=\"%zu\" time=\"0\" timestamp=\"%s\"",
		check->count + obstacles, failing + obstacles, skipped, moment);
	add_attribute(out, "hostname", facts->hostname ? facts->hostname : "localhost");
	(void)strbuf_adds(out, ">\n    <properties>\n");
	add_property(out, "harden", HARDEN_VERSION);
	add_property(out, "profile", plan->profile.name);
	add_property(out, "docker", facts->version_text ? facts->version_text : "unknown");
	for (size_t i = 0; i < check->warnings.count; i++)
		add_property(out, "warning", check->warnings.items[i]);
	(void)strbuf_adds(out, "    </properties>\n");
	for (size_t i = 0; i < obstacles; i++)
		add_obstacle(out, check->obstacles.items[i], plan);
	for (size_t i = 0; i < check->count; i++)
		add_case(out, &check->rows[i], plan, options);
	(void)strbuf_adds(out, "    <system-out></system-out>\n    <system-err></system-err>\n"
			       "  </testsuite>\n</testsuites>\n");
	return out->failed ? -1 : 0;
}
