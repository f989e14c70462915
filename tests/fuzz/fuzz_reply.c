/* What dockerd and its containers say, behind HTTP: replies of the API, the canary's report, log
 * lines, versions. The first byte chooses; texts end with NUL, the last one at the end. */
#include "fuzz.h"

#include <errno.h>

#include <jansson.h>

#include "base/text.h"
#include "core/canary.h"
#include "core/containers.h"
#include "core/dockerlog.h"
#include "core/dockerver.h"
#include "core/live.h"
#include "core/options.h"
#include "core/rehearsal.h"
#include "core/ulimits.h"
#include "host/api.h"
#include "host/containers.h"
#include "host/version.h"

static json_t *reply_of(struct input *input)
{
	cleanup_free char *text = input_text(input, NULL);

	return json_loads(text, JSON_DECODE_ANY, NULL);
}

/* ---- the API ---- */

static void check_live(const struct facts *facts)
{
	size_t count = 0;
	const struct option *options = options_table(&count);

	for (size_t i = 0; i < count; i++) {
		const char *path[] = {options[i].key, "nofile"};
		if (!options[i].key)
			continue;
		for (size_t keys = 1; keys <= array_size(path); keys++) {
			json_auto_t *value = live_value(facts, path, keys);
			if (value)
				(void)live_agrees(options[i].key, facts->info, value);
		}
	}
}

static void check_info(struct input *input)
{
	cleanup_facts struct facts facts = FACTS_EMPTY;
	struct error error = ERROR_NONE;
	bool activated = false;

	facts.info = reply_of(input);
	facts.bridge = reply_of(input);
	facts.volumes = reply_of(input);
	facts.default_ulimits = reply_of(input);
	require(api_data_root(&facts, &error) == 0);
	require(facts.data_root.volumes >= -1 && facts.data_root.containerd_store != UNKNOWN);
	check_live(&facts);
	const char *path = api_choose_socket(json_object_get(facts.info, "Hosts"), &activated);
	require(path != NULL);
	(void)ulimits_agree(facts.default_ulimits, facts.info);
}

/* Without a data root that could be looked into: the containers are listed, and not known. */
static void check_list(struct input *input)
{
	cleanup_facts struct facts facts = FACTS_EMPTY;
	cleanup_container_refs struct container_refs up = {.items = NULL};
	struct error error = ERROR_NONE;

	facts.containers = reply_of(input);
	facts.version = (struct dockerver){23, 0, 0};
	facts.data_root.path = strdup("/nowhere/at/all");
	require(facts.data_root.path != NULL);
	for (size_t i = 0; i < json_array_size(facts.containers); i++) {
		const json_t *entry = json_array_get(facts.containers, i);
		(void)container_entry_state(entry);
		(void)container_entry_service(entry);
		(void)container_entry_ended_well(entry);
		(void)canary_is_entry(entry);
	}
	require(containers_read(&facts, &error) == 0);
	require(facts.container_count <= json_array_size(facts.containers));
	require(containers_up(&facts, &up, &error) == 0);
	for (size_t i = 0; i < up.count; i++)
		require(container_is_up(up.items[i]) && !up.items[i]->service);
	for (size_t i = 1; i < up.count; i++)
		require(container_start_compare(up.items[i - 1]->started_at,
						up.items[i]->started_at) <= 0);
	cleanup_free char *names = container_names_text(&up);
	require(names != NULL);
}

/* ---- moments ---- */

static void check_moments(struct input *input)
{
	cleanup_free char *a = input_text(input, NULL);
	cleanup_free char *b = input_text(input, NULL);
	cleanup_free char *c = input_text(input, NULL);
	int ab = container_start_compare(a, b);
	int bc = container_start_compare(b, c);

	require(container_start_compare(a, a) == 0);
	require((ab < 0) == (container_start_compare(b, a) > 0));
	if (ab <= 0 && bc <= 0)
		require(container_start_compare(a, c) <= 0);
}

/* ---- the canary ---- */

static void check_canary(struct input *input)
{
	json_auto_t *inspected = reply_of(input);
	size_t length;
	cleanup_free char *stream = input_rest(input, &length);
	struct canary_facts saw = CANARY_FACTS_EMPTY, copy = CANARY_FACTS_EMPTY;
	struct error error = ERROR_NONE;

	require(canary_read(stream, length, inspected, &saw, &error) == 0);
	require(!saw.limits || json_is_object(saw.limits));
	require(!saw.uid_map || utf8_is_valid(saw.uid_map, strlen(saw.uid_map), NULL));
	require(canary_facts_copy(&saw, &copy, &error) == 0);
	json_auto_t *one = canary_facts_json(&saw);
	json_auto_t *two = canary_facts_json(&copy);
	require(one && two && json_equal(one, two));
	canary_facts_done(&saw);
	canary_facts_done(&copy);
}

/* ---- its words ---- */

static void split_lines(const char *text, struct strlist *ret)
{
	while (*text) {
		size_t length = strcspn(text, "\n");
		require(strlist_add_bytes(ret, text, length) == 0);
		text += length + (text[length] == '\n');
	}
}

/* Each sentence is in one of the lines, as far as it is not taken apart or masked. */
static void check_log(struct input *input)
{
	size_t most = input_byte(input) % 8;
	json_auto_t *document = reply_of(input);
	cleanup_free char *text = input_text(input, NULL);
	cleanup_strlist struct strlist lines = {.items = NULL}, reasons = {.items = NULL};
	cleanup_strlist struct strlist translated = {.items = NULL};
	const struct rehearsal_script script = {.data_root = "/var/lib/docker"};
	struct error error = ERROR_NONE;

	split_lines(text, &lines);
	require(dockerlog_reasons(&lines, most, &reasons, &error) == 0);
	require(reasons.count <= most);
	for (size_t i = 0; i < reasons.count; i++) {
		require(reasons.items[i][0]);
		for (size_t j = 0; j < i; j++)
			require(strcmp(reasons.items[i], reasons.items[j]) != 0);
		(void)canary_blame(reasons.items[i]);
		(void)canary_is_excused(reasons.items[i]);
	}
	const char *cause = rehearsal_cause(&lines, json_is_object(document) ? document : NULL);
	require(!cause || json_object_get(document, cause));
	require(rehearsal_translate(&lines, &script, &translated, &error) == 0);
	require(translated.count == lines.count);
}

/* ---- versions ---- */

static void check_dockerver(const char *text)
{
	struct dockerver version = {1, 2, 3}, again = {0};
	char buffer[DOCKERVER_TEXT_SIZE];

	if (!dockerver_parse(text, &version)) {
		require(version.major == 1 && version.minor == 2 && version.patch == 3);
		return;
	}
	require(dockerver_parse(dockerver_format(version, buffer), &again) ||
		!dockerver_known(version));
	if (dockerver_known(version))
		require(dockerver_compare(version, again) == 0);
}

static void check_version(struct input *input)
{
	cleanup_free char *text = input_text(input, NULL);
	cleanup_free char *server = NULL;
	cleanup_free char *output = NULL;
	struct error error = ERROR_NONE;

	check_dockerver(text);
	require(version_from_server(text, &server, &error) == 0);
	require(version_from_output(text, &output, &error) == 0);
	require(!server || (*server && strstr(text, server)));
	require(!output || (*output && strstr(text, output) && !strchr(output, '\n')));
	if (output)
		check_dockerver(output);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const checks[])(struct input *) = {
		check_info, check_list, check_moments, check_canary, check_log, check_version,
	};
	struct input input = {data, size};

	checks[input_byte(&input) % array_size(checks)](&input);
	return 0;
}
