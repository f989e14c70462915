/* dockerd's command line, read the way dockerd does (spf13/pflag): --name value, --name=value,
 * -x value, -xvalue, -x=value, grouped boolean shorthands, `--` ends flags. */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"
#include "core/options.h"
#include "core/words.h"

/* One flag as it was given. */
struct flag {
	const struct option *option; /* never NULL */
	char *value;                 /* for a boolean without a value: "true" */
	enum word_origin origin;
	char *variable;    /* the environment variable it came through, or NULL */
	size_t first_word; /* index of its first word in the command line … */
	size_t word_count; /* … and how many words it takes (1 or 2) */
	/* The bytes of its first word that are this flag: all of it, unless the word is a group of
	 * shorthands ("-DH"). The second word is its alone. */
	size_t at;
	size_t length;
};

/* Something about the command line that dockerd will refuse. */
struct flag_problem {
	size_t word; /* index of the word */
	/* The flag that this version does not have, as it was given; option is NULL for any other
	 * problem. Its value and variable are NULL. */
	struct flag gone;
	char *name; /* the flag with its dashes, or "command line"; never a value */
	char *text; /* a sentence */
};

struct flags {
	struct flag *items;
	size_t count;
	struct flag_problem *problems;
	size_t problem_count;
};

void flags_done(struct flags *flags);
#define cleanup_flags scoped(flags_done)

/* Reads the words after the program's name (words->items[0] is the program and is skipped). Unknown
 * flags, flags that this version does not have, missing and malformed values become problems; such
 * a flag is not among the items. No problem quotes a value: it may be a secret. */
int flags_parse(const struct words *words, struct dockerver version, struct flags *ret,
		struct error *error);

/* The value that the flags give an option, as the JSON that daemon.json would hold: the last one
 * for a single value, all of them for lists, one object for maps ("--log-opt a=b", default-ulimit
 * "nofile=1:2" → {"nofile": {"Name": …, "Hard": …, "Soft": …}}). New reference in *ret; NULL in
 * *ret (and return 0) when no flag gives it. *ret_first (may be NULL) is the first flag that does.
 */
int flags_value(const struct flags *flags, const struct option *option, json_t **ret,
		const struct flag **ret_first, struct error *error);

/* The first flag that gives the option, or NULL. */
const struct flag *flags_find(const struct flags *flags, const struct option *option);

/* A boolean as Go's strconv.ParseBool() spells it (1, t, T, TRUE, true, True, 0, …). */
bool flag_parse_bool(const char *text, bool *ret);

/* Whether a resource limit has this name (units.ParseUlimit; setrlimit(2) without "as"). */
bool ulimit_is_known(const char *name);
