/* Command lines and environment files: what is read must survive being written and read again, and
 * nothing may read beyond its end. The first byte picks the version of dockerd. */
#include "fuzz.h"

#include "base/text.h"
#include "core/envfile.h"
#include "core/flags.h"
#include "core/words.h"

/* "%%" to "%", as systemd resolves it after splitting. */
static void resolve_specifiers(struct strlist *list)
{
	for (size_t i = 0; i < list->count; i++) {
		char *to = list->items[i];
		for (const char *from = to; *from; from++) {
			if (*from == '%')
				require(*++from == '%');
			*to++ = *from;
		}
		*to = '\0';
	}
}

static const char *no_variable(const char *name, size_t length, const void *context)
{
	(void)name;
	(void)length;
	(void)context;
	return NULL;
}

static const char *lookup(const char *name, size_t length, const void *context)
{
	return envlist_get(context, name, length);
}

static void check_join(const struct strlist *words)
{
	cleanup_strbuf struct strbuf line = STRBUF_EMPTY;
	cleanup_strlist struct strlist back = {.items = NULL};
	cleanup_words struct words expanded = {.items = NULL};
	struct error error = ERROR_NONE;

	require(words_join(&line, words) == 0);
	if (!line.data)
		return;
	require(utf8_is_valid(line.data, line.length, NULL) && !strpbrk(line.data, "\n\r"));
	require(words_split(line.data, &back, &error) == 0);
	resolve_specifiers(&back);
	require(words_expand(&back, no_variable, NULL, &expanded, &error) == 0);
	require(expanded.count == words->count);
	for (size_t i = 0; i < words->count; i++)
		require(strcmp(expanded.items[i].text, words->items[i]) == 0);

	strlist_done(&back);
	strbuf_done(&line);
	require(words_join_unexpanded(&line, words) == 0);
	require(words_split(line.data, &back, &error) == 0);
	resolve_specifiers(&back);
	require(strlist_equal(&back, words));
}

static void check_flag(const struct flags *flags, const struct flag *flag,
		       const struct words *words, struct dockerver version)
{
	struct error error = ERROR_NONE;
	const struct flag *first = NULL;
	const char *expected;
	json_t *value = NULL;

	require(option_has_flag(flag->option, version));
	require(flag->word_count >= 1 && flag->word_count <= 2);
	require(flag->first_word >= 1 && flag->first_word + flag->word_count <= words->count);
	require(flags_value(flags, flag->option, &value, &first, &error) == 0);
	require(value && first && first->option == flag->option);
	require(option_type_matches(flag->option, value, &expected));
	json_decref(value);
}

static void check_flags(const struct words *words, struct dockerver version)
{
	cleanup_flags struct flags flags = {.items = NULL};
	struct error error = ERROR_NONE;

	require(flags_parse(words, version, &flags, &error) == 0);
	for (size_t i = 0; i < flags.count && i < 64; i++)
		check_flag(&flags, &flags.items[i], words, version);
	for (size_t i = 0; i < flags.problem_count; i++)
		require(flags.problems[i].word < words->count && *flags.problems[i].name &&
			*flags.problems[i].text);
}

static void check_environment(const struct strlist *list)
{
	for (size_t i = 0; i < list->count; i++) {
		const char *equals = strchr(list->items[i], '=');
		require(equals && equals > list->items[i]);
		require(envlist_get(list, list->items[i], (size_t)(equals - list->items[i])));
		require(utf8_is_valid(list->items[i], strlen(list->items[i]), NULL));
	}
}

/* The text as a command line, with itself as the environment. */
static void check_line(const char *text, const struct strlist *environment,
		       struct dockerver version)
{
	cleanup_strlist struct strlist words = {.items = NULL}, value = {.items = NULL};
	cleanup_words struct words expanded = {.items = NULL};
	struct error error = ERROR_NONE;

	require(words_split_value(text, &value, &error) == 0);
	check_join(&value);
	if (words_split(text, &words, &error) < 0) {
		require(error.column > 0);
		return;
	}
	check_join(&words);
	require(words_expand(&words, lookup, environment, &expanded, &error) == 0);
	for (size_t i = 0; i < expanded.count; i++)
		require(expanded.items[i].source < words.count &&
			(expanded.items[i].origin == WORD_VARIABLE) ==
				(expanded.items[i].variable != NULL));
	if (expanded.count)
		check_flags(&expanded, version);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct dockerver versions[] = {{17, 12, 0}, {20, 10, 24}, {23, 0, 0},
						    {26, 1, 5},  {28, 5, 2},   {29, 7, 2}};
	cleanup_strlist struct strlist environment = {.items = NULL}, newer = {.items = NULL};
	struct error error = ERROR_NONE;

	if (!size)
		return 0;
	struct dockerver version = versions[data[0] % array_size(versions)];
	cleanup_free char *text = malloc(size);
	require(text != NULL);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';

	bool old_reads = envfile_parse(text, size - 1, &environment, &error) == 0;
	error = ERROR_NONE;
	bool new_reads = envfile_parse_as(text, size - 1, 257, &newer, &error) == 0;
	check_environment(&environment);
	check_environment(&newer);
	if (old_reads && new_reads && !memchr(text, '#', size - 1) && !memchr(text, ';', size - 1))
		require(strlist_equal(&environment, &newer));
	check_line(text, &environment, version);
	return 0;
}
