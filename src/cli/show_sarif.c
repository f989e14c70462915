/* The audit as SARIF 2.1.0, for code scanning: a rule for each control and a result for each rule.
 */
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "cli/output.h"

#define SCHEMA "https://json.schemastore.org/sarif-2.1.0.json"

/* "file:///etc/docker/daemon.json": what RFC 3986 does not allow in a path is written as %NN. */
static json_t *uri_json(const char *path)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "-._~/";
	cleanup_strbuf struct strbuf uri = STRBUF_EMPTY;

	(void)strbuf_adds(&uri, "file://");
	for (const char *at = path; *at; at++) {
		if (strchr(plain, *at))
			(void)strbuf_addc(&uri, *at);
		else
			(void)strbuf_addf(&uri, "%%%02X", (unsigned char)*at);
	}
	return json_string(uri.data ? uri.data : "");
}

static json_t *message_json(const char *text)
{
	return json_pack("{s:o}", "text", show_text_json(text));
}

static json_t *rule_json(const struct profile_row *row)
{
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:{s:o, s:i}}", "id", row->key, "name",
			 row->key, "shortDescription", message_json(row->title), "fullDescription",
			 message_json(row->why), "help",
			 message_json(row->risk ? row->risk : row->why), "properties", "cis",
			 show_cis_json(row), "level", row->level);
}

/* What a result is to those who read many: level 1 of CIS is what everybody should have. */
static void kind_and_level(const struct check_row *row, const char **ret_kind,
			   const char **ret_level)
{
	*ret_level = "none";
	switch (row->verdict) {
	case VERDICT_PASS:
		*ret_kind = "pass";
		break;
	case VERDICT_MANUAL:
		*ret_kind = "review";
		break;
	case VERDICT_NOT_APPLICABLE:
		*ret_kind = "notApplicable";
		break;
	case VERDICT_WAIVED:
		*ret_kind = "fail";
		*ret_level = "note";
		break;
	case VERDICT_FAIL:
	case VERDICT_COUNT:
	default:
		*ret_kind = "fail";
		*ret_level = row->setting->row->level == 1 ? "error" : "warning";
		break;
	}
}

static json_t *location_json(const struct check_row *row)
{
	json_t *place = json_pack("{s:{s:o}}", "artifactLocation", "uri",
				  uri_json(row->path ? row->path : "/"));

	if (row->line)
		(void)json_object_set_new(place, "region",
					  json_pack("{s:i}", "startLine", (int)row->line));
	return json_pack("[{s:o}]", "physicalLocation", place);
}

static json_t *result_json(const struct check_row *row, size_t index)
{
	const struct setting *setting = row->setting;
	const char *key = setting->row->key;
	const char *kind;
	const char *level;

	kind_and_level(row, &kind, &level);
	json_t *result = json_pack(
		"{s:s, s:i, s:s, s:s, s:o, s:o, s:{s:o, s:o, s:o, s:o}}", "ruleId", key,
		"ruleIndex", (int)index, "kind", kind, "level", level, "message",
		message_json(setting->reason ? setting->reason : setting->row->title), "locations",
		location_json(row), "properties", "file", show_masked_json(key, row->file), "flag",
		show_masked_json(key, row->flag), "inForce", show_masked_json(key, row->in_force),
		"wanted", show_masked_json(key, setting->wanted));
	if (row->verdict == VERDICT_WAIVED)
		(void)json_object_set_new(result, "suppressions",
					  json_pack("[{s:s, s:s, s:o}]", "kind", "external",
						    "status", "accepted", "justification",
						    show_text_json(setting->reason)));
	return result;
}

/* What keeps dockerd from starting, as a rule behind all others. */
static json_t *obstacle_rule_json(void)
{
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:{s:{}, s:i}}", "id", "configuration", "name",
			 "configuration", "shortDescription",
			 message_json("dockerd starts with this configuration"), "fullDescription",
			 message_json("A daemon that does not start protects nobody."), "help",
			 message_json("harden plan says what to do about it."), "properties", "cis",
			 "level", 1);
}

static json_t *obstacle_json(const char *text, const char *path, size_t index)
{
	return json_pack("{s:s, s:i, s:s, s:s, s:o, s:[{s:{s:{s:o}}}], s:{s:n, s:n, s:n, s:n}}",
			 "ruleId", "configuration", "ruleIndex", (int)index, "kind", "fail",
			 "level", "error", "message", message_json(text), "locations",
			 "physicalLocation", "artifactLocation", "uri", uri_json(path),
			 "properties", "file", "flag", "inForce", "wanted");
}

static json_t *tool_json(const struct check *check)
{
	json_t *rules = json_array();

	for (size_t i = 0; i < check->count; i++)
		(void)json_array_append_new(rules, rule_json(check->rows[i].setting->row));
	if (check->obstacles.count)
		(void)json_array_append_new(rules, obstacle_rule_json());
	return json_pack("{s:{s:s, s:s, s:o}}", "driver", "name", "harden", "version",
			 HARDEN_VERSION, "rules", rules);
}

static json_t *invocations_json(const struct check *check)
{
	json_t *notes = json_array();
	time_t now = time(NULL);
	char moment[32] = "1970-01-01T00:00:00Z";
	struct tm utc;

	if (gmtime_r(&now, &utc))
		(void)strftime(moment, sizeof moment, "%Y-%m-%dT%H:%M:%SZ", &utc);
	for (size_t i = 0; i < check->warnings.count; i++)
		(void)json_array_append_new(notes,
					    json_pack("{s:s, s:o}", "level", "note", "message",
						      message_json(check->warnings.items[i])));
	return json_pack("[{s:b, s:s, s:o}]", "executionSuccessful", 1, "endTimeUtc", moment,
			 "toolExecutionNotifications", notes);
}

json_t *show_check_sarif(const struct check *check, const struct plan *plan,
			 const struct facts *facts, const struct options *options)
{
	json_t *results = json_array();

	for (size_t i = 0; i < check->count; i++)
		(void)json_array_append_new(results, result_json(&check->rows[i], i));
	for (size_t i = 0; i < check->obstacles.count; i++)
		(void)json_array_append_new(
			results,
			obstacle_json(check->obstacles.items[i], facts->config.path, check->count));
	return json_pack(
		"{s:s, s:s, s:[{s:o, s:o, s:o, s:{s:s, s:o, s:o, s:o}}]}", "$schema", SCHEMA,
		"version", "2.1.0", "runs", "tool", tool_json(check), "invocations",
		invocations_json(check), "results", results, "properties", "profile",
		plan->profile.name, "benchmark", show_text_json(options->benchmark), "host",
		show_text_json(facts->hostname), "docker", show_text_json(facts->version_text));
}
