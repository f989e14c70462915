/* Asks harden's library many small questions at once, for the tests that compare its answers with
 * those of systemd and dockerd.
 *
 *     oracle units UNIT...    the command line of each unit, from the bus and from its files
 *     oracle verdicts         reads lines {"version": "26.1.5", "argv": […], "config": "…" or null}
 * and answers each with what would keep dockerd from starting
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/configuration.h"
#include "core/daemonjson.h"
#include "core/findings.h"
#include "core/jsontext.h"
#include "core/unitline.h"
#include "host/clock.h"
#include "host/unit.h"
#include "host/unitroot.h"

/* Words may hold any bytes: in hexadecimal digits they are one word each, "-" for an empty one. */
static void print_words(const char *unit, const char *source, const struct unit_facts *facts)
{
	cleanup_strlist struct strlist environment = {.items = NULL};
	cleanup_words struct words words = {.items = NULL};
	struct error error = ERROR_NONE;

	(void)printf("%s %s %s", unit, source, facts->load_state ? facts->load_state : "?");
	if (facts->known &&
	    (unit_environment(facts, &environment, &error) < 0 ||
	     unit_expand(facts, &facts->exec_start, &environment, &words, &error) < 0))
		(void)printf(" !%s", error.step);
	for (size_t i = 0; i < words.count; i++) {
		const char *at = words.items[i].text;
		(void)printf(" %s", *at ? "" : "-");
		for (; *at; at++)
			(void)printf("%02x", (unsigned char)*at);
	}
	(void)printf("\n");
}

static int answer_units(char **names)
{
	for (; *names; names++) {
		cleanup_facts struct facts bus = FACTS_EMPTY;
		cleanup_facts struct facts files = FACTS_EMPTY;
		struct error error = ERROR_NONE;

		if (unit_read(*names, clock_now_us() + 5000000, &bus.unit, &bus.unseen,
			      &bus.bus_calls, &error) == 0)
			print_words(*names, "bus", &bus.unit);
		if (unitroot_read("", *names, &files.unit, &files.unseen, &error) == 0)
			print_words(*names, "files", &files.unit);
	}
	return 0;
}

static json_t *collect(const json_t *question)
{
	cleanup_facts struct facts facts = FACTS_EMPTY;
	cleanup_configuration struct configuration configuration = {.document = NULL};
	struct error error = ERROR_NONE;
	json_t *answer = json_array();
	const json_t *argv = json_object_get(question, "argv");
	const char *config = json_string_value(json_object_get(question, "config"));
	char text[sizeof error];

	(void)dockerver_parse(json_string_value(json_object_get(question, "version")),
			      &facts.version);
	for (size_t i = 0; i < json_array_size(argv); i++)
		(void)strlist_add(&facts.process.argv, json_string_value(json_array_get(argv, i)));
	facts.config.path = strdup("daemon.json");
	facts.config.state = config ? FILE_READ : FILE_ABSENT;
	facts.config.data = config ? strdup(config) : NULL;
	facts.config.length = config ? strlen(config) : 0;
	if (configuration_read(&facts, &configuration, &error) < 0) {
		(void)json_array_append_new(answer,
					    json_pack("{s:s, s:s}", "key", "daemon.json", "text",
						      error_format(&error, text, sizeof text)));
		return answer;
	}
	for (size_t i = 0; i < configuration.findings.count; i++) {
		const struct finding *finding = &configuration.findings.items[i];
		if (finding->fatal)
			(void)json_array_append_new(answer,
						    json_pack("{s:s, s:s}", "key", finding->key,
							      "text", finding->text));
	}
	return answer;
}

static int answer_verdicts(void)
{
	char *line = NULL;
	size_t size = 0;
	int status = 0;

	while (status == 0 && getline(&line, &size, stdin) > 0) {
		json_t *question = json_loads(line, 0, NULL);
		json_t *answer = question ? collect(question) : NULL;
		if (!answer || json_dumpf(answer, stdout, JSON_COMPACT) < 0)
			status = 1;
		(void)printf("\n");
		json_decref(answer);
		json_decref(question);
	}
	free(line);
	return status;
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "units") == 0)
		return answer_units(argv + 2);
	if (argc == 2 && strcmp(argv[1], "verdicts") == 0)
		return answer_verdicts();
	(void)fprintf(stderr, "usage: oracle units UNIT... | oracle verdicts\n");
	return 2;
}
