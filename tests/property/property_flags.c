/* Random environment files and units: after flags are taken out, systemd's reading gives exactly
 * the command line without them, every variable that is not theirs stays what it was, and in a file
 * that is edited in place no byte of another assignment changes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "core/configuration.h"
#include "core/envfile.h"
#include "core/unitedit.h"
#include "core/unitfile.h"
#include "core/unitline.h"

static uint64_t state;

static uint64_t draw(uint64_t below)
{
	/* xorshift64* */
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (state * 0x2545F4914F6CDD1DULL >> 33) % below;
}

static const char *pick(const char *const *choices, size_t count)
{
	return choices[draw(count)];
}

static void require(bool truth, const char *what, uint64_t seed)
{
	if (truth)
		return;
	(void)fprintf(stderr, "property_flags: %s (seed %llu)\n", what, (unsigned long long)seed);
	abort();
}

static const char *const flag_words[] = {"--icc=true",
					 "--icc",
					 "-D",
					 "-Dl debug",
					 "--log-level debug",
					 "-linfo",
					 "--label=a=b",
					 "--label 'a=b c'",
					 "--mtu=1400",
					 "--mtu 1400",
					 "--debug",
					 "-D=false",
					 "--label=\"x y\"",
					 "--label \"q=\\\"\"",
					 "--log-opt max-size=1m",
					 "-H fd://"};

/* A value in a way that an environment file may have it. */
static void add_value(struct strbuf *out, const char *value)
{
	switch (draw(4)) {
	case 0:
		(void)strbuf_adds(out, value);
		break;
	case 1:
		(void)strbuf_addc(out, '"');
		for (; *value; value++) {
			if (strchr("\"\\$`", *value))
				(void)strbuf_addc(out, '\\');
			(void)strbuf_addc(out, *value);
			if (*value == ' ' && draw(4) == 0)
				(void)strbuf_adds(out, "\\\n");
		}
		(void)strbuf_addc(out, '"');
		break;
	case 2:
		if (strchr(value, '\'')) {
			(void)strbuf_adds(out, value);
		} else {
			(void)strbuf_addf(out, "'%s'", value);
		}
		break;
	default:
		for (; *value; value++) {
			if (draw(6) == 0 && *value != '\n')
				(void)strbuf_addc(out, '\\');
			(void)strbuf_addc(out, *value);
		}
	}
}

static void draw_flags(struct strbuf *out)
{
	static const char *const gaps[] = {" ", " ", " ", "  ", "\t"};

	for (uint64_t i = draw(6); i-- > 0;)
		(void)strbuf_addf(out, "%s%s", pick(flag_words, array_size(flag_words)),
				  i ? pick(gaps, array_size(gaps)) : "");
}

static char *draw_file(const char *const *names, size_t count)
{
	static const char *const others[] = {"# comment",   "; other", "",
					     "X=1",         "Y='a b'", "no",
					     "# ends \\\\", "Z=a\\ b", "1X=2"};
	struct strbuf out = STRBUF_EMPTY;

	for (uint64_t i = draw(6); i-- > 0;) {
		if (draw(2)) {
			(void)strbuf_adds(&out, pick(others, array_size(others)));
		} else {
			struct strbuf value = STRBUF_EMPTY;
			draw_flags(&value);
			(void)strbuf_addf(&out, "%s%s=", draw(5) ? "" : "  ", pick(names, count));
			add_value(&out, value.data ? value.data : "");
			strbuf_done(&value);
		}
		(void)strbuf_adds(&out, draw(8) ? "\n" : "\r\n");
	}
	return strbuf_finish(&out);
}

static void add_environment_file(struct unit_facts *unit, const char *path, char *text)
{
	unit->environment_files =
		reallocarray(unit->environment_files, unit->environment_file_count + 1,
			     sizeof *unit->environment_files);
	unit->environment_files[unit->environment_file_count++] = (struct environment_file){
		.file = {.path = strdup(path),
			 .real_path = strdup(path),
			 .state = FILE_READ,
			 .data = text,
			 .length = strlen(text)},
		.optional = true,
	};
}

/* The unit as systemd would have it: its texts parsed. */
static bool load(struct facts *facts, const struct unit_text *texts, size_t count)
{
	const struct unit_specifiers specifiers = {.unit = "docker.service"};
	cleanup_unitfile struct unitfile file = {.commands = NULL};
	struct unit_facts *unit = &facts->unit;
	struct error error = ERROR_NONE;

	if (unitfile_parse(texts, count, &specifiers, &file, &error) < 0 || !file.command_count)
		return false;
	strlist_done(&unit->exec_start);
	strlist_done(&unit->environment);
	for (size_t i = 0; i < unit->command_count; i++)
		exec_command_done(&unit->commands[i]);
	free(unit->commands);
	unit->commands = calloc(1, sizeof *unit->commands);
	unit->command_count = 1;
	unit->commands[0] = file.commands[file.command_count - 1].exec;
	file.commands[file.command_count - 1].exec = (struct exec_command){.path = NULL};
	for (size_t i = 0; i < unit->commands[0].argv.count; i++)
		(void)strlist_add(&unit->exec_start, unit->commands[0].argv.items[i]);
	for (size_t i = 0; i < file.environment.count; i++)
		(void)strlist_add(&unit->environment, file.environment.items[i]);
	unit->known = true;
	return true;
}

static void draw_unit(struct strbuf *out)
{
	static const char *const words[] = {"$A",
					    "$B",
					    "${A}",
					    "$UNSET",
					    "--label=%n",
					    "'--label=d=$$x %%'",
					    "-H fd://",
					    "\"--label=q=\\\"\"",
					    "--label=e=\\ ",
					    "--label=f=\\ \n#"};

	(void)strbuf_adds(out, "[Service]\nExecStart=");
	(void)strbuf_adds(out, draw(6) ? "" : "-:");
	(void)strbuf_adds(out, "/usr/bin/dockerd");
	for (uint64_t i = draw(6); i-- > 0;) {
		(void)strbuf_adds(out, draw(6) ? " " : " \\\n  ");
		(void)strbuf_adds(out, draw(2) ? pick(words, array_size(words))
					       : pick(flag_words, array_size(flag_words)));
	}
	(void)strbuf_adds(out, "\n");
	if (draw(2)) {
		struct strbuf value = STRBUF_EMPTY;
		struct strbuf whole = STRBUF_EMPTY;
		draw_flags(&value);
		(void)strbuf_addf(&whole, "%s=%s", draw(2) ? "A" : "B",
				  value.data ? value.data : "");
		(void)strbuf_adds(out, "Environment=");
		words_quote(out, whole.data, "%");
		(void)strbuf_adds(out, "\n");
		strbuf_done(&value);
		strbuf_done(&whole);
	}
}

/* A random half of the flags. */
static const struct flag **draw_taken(const struct flags *flags, size_t *ret_count)
{
	const struct flag **taken = calloc(flags->count + 1, sizeof *taken);

	for (size_t i = 0; i < flags->count; i++)
		if (draw(2))
			taken[(*ret_count)++] = &flags->items[i];
	return taken;
}

/* What the flags say once some are gone: value by value, in order. */
static void check_flags(const struct flags *before, const struct flag *const *taken, size_t count,
			const struct strlist *words, struct dockerver version, uint64_t seed)
{
	struct words list = {.items = calloc(words->count + 1, sizeof *list.items)};
	struct flags after = {.items = NULL};
	size_t k = 0;

	for (; list.count < words->count; list.count++)
		list.items[list.count].text = strdup(words->items[list.count]);
	require(flags_parse(&list, version, &after, NULL) == 0, "flags", seed);
	for (size_t i = 0; i < before->count; i++) {
		bool is_taken = false;
		for (size_t t = 0; t < count; t++)
			is_taken |= taken[t] == &before->items[i];
		if (is_taken)
			continue;
		require(k < after.count && after.items[k].option == before->items[i].option &&
				strcmp(after.items[k].value, before->items[i].value) == 0,
			"another flag has changed", seed);
		k++;
	}
	require(k == after.count, "there is a flag more", seed);
	flags_done(&after);
	words_done(&list);
}

/* Lines of an environment file that were not edited are in the result as they are. */
static void check_file(const struct unit_facts *unit, const struct unitedit_file *file,
		       uint64_t seed)
{
	const struct text_file *old = &unit->environment_files[file->index].file;
	struct strlist before = {.items = NULL};
	struct strlist after = {.items = NULL};

	(void)envfile_parse(old->data, old->length, &before, NULL);
	(void)envfile_parse(file->text.data, file->text.length, &after, NULL);
	require(before.count == after.count, "an assignment is gone", seed);
	for (size_t i = 0; i < before.count; i++)
		if (strncmp(before.items[i], "A=", 2) != 0 &&
		    strncmp(before.items[i], "B=", 2) != 0)
			require(strcmp(before.items[i], after.items[i]) == 0, "a foreign variable",
				seed);
	for (const char *line = old->data; *line;
	     line += strcspn(line, "\n") + (strchr(line, '\n') != NULL)) {
		size_t length = strcspn(line, "\n");
		if (*line == '#' || *line == ';' || *line == 'X' || *line == 'Z')
			require(memmem(file->text.data, file->text.length, line, length) != NULL,
				"a line has changed", seed);
	}
	strlist_done(&before);
	strlist_done(&after);
}

/* Carries the edit out, and reads all of it again. */
static void check_result(struct facts *facts, const struct unitedit *edit, const char *fragment,
			 uint64_t seed)
{
	struct strbuf dropin = STRBUF_EMPTY;
	bool same = false;

	for (size_t i = 0; i < edit->file_count; i++) {
		struct text_file *file = &facts->unit.environment_files[edit->files[i].index].file;
		free(file->data);
		file->data = strdup(edit->files[i].text.data);
		file->length = strlen(file->data);
	}
	require(unitedit_dropin_text(edit, &dropin, NULL) == 0, "text", seed);
	const struct unit_text texts[] = {
		{"/usr/lib/systemd/system/docker.service", fragment, strlen(fragment)},
		{"/etc/systemd/system/docker.service.d/zz-harden.conf", dropin.data, dropin.length},
	};
	require(load(facts, texts, edit->assignments.count ? 2 : 1), "it does not load", seed);
	require(unit_compare(&facts->unit, &edit->words, &same, NULL) == 0 && same,
		"the command line is another", seed);
	strbuf_done(&dropin);
}

/* Returns whether something was taken out. */
static bool run(uint64_t seed)
{
	static const char *const names[] = {"A", "B", "C"};
	struct facts facts = FACTS_EMPTY;
	struct configuration configuration = {.document = NULL};
	struct unitedit edit = {.obstacle = NULL};
	struct strbuf fragment = STRBUF_EMPTY;
	size_t count = 0;
	bool done = false;

	state = seed * 0x9E3779B97F4A7C15ULL + 1;
	draw_unit(&fragment);
	facts.version = (struct dockerver){26, 1, 5};
	for (uint64_t i = draw(3); i-- > 0;)
		add_environment_file(&facts.unit,
				     i ? "/etc/default/docker" : "/etc/sysconfig/docker",
				     draw_file(names, array_size(names)));
	const struct unit_text text = {"/usr/lib/systemd/system/docker.service", fragment.data,
				       fragment.length};
	if (load(&facts, &text, 1) && configuration_read_flags(&facts, &configuration, NULL) == 0 &&
	    !configuration.flags.problem_count) {
		facts.unit.texts = calloc(1, sizeof *facts.unit.texts);
		facts.unit.text_count = 1;
		facts.unit.texts[0] = (struct text_file){.path = strdup(text.path),
							 .state = FILE_READ,
							 .data = strdup(text.text),
							 .length = text.length};
		const struct flag **taken = draw_taken(&configuration.flags, &count);
		require(unitedit_take_out(&facts.unit, &configuration, taken, count, &edit, NULL) ==
				0,
			"failed", seed);
		if (count && !edit.obstacle) {
			check_flags(&configuration.flags, taken, count, &edit.words,
				    configuration.version, seed);
			for (size_t i = 0; i < edit.file_count; i++)
				check_file(&facts.unit, &edit.files[i], seed);
			check_result(&facts, &edit, fragment.data, seed);
			done = true;
		}
		free(taken);
	}
	unitedit_done(&edit);
	configuration_done(&configuration);
	facts_done(&facts);
	strbuf_done(&fragment);
	return done;
}

int main(int argc, char **argv)
{
	uint64_t count =
		argc == 3 && strcmp(argv[1], "--count") == 0 ? strtoull(argv[2], NULL, 10) : 20000;
	uint64_t done = 0;

	if (argc == 3 && strcmp(argv[1], "--seed") == 0)
		return run(strtoull(argv[2], NULL, 10)) ? 0 : 1;
	for (uint64_t seed = 1; seed <= count; seed++)
		done += run(seed);
	(void)printf("property_flags: %llu units, flags taken out of %llu\n",
		     (unsigned long long)count, (unsigned long long)done);
	if (done < count / 8) {
		(void)fprintf(stderr, "property_flags: too few of them\n");
		return 1;
	}
	return 0;
}
