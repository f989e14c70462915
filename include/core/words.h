/* Command lines the way systemd reads them (systemd.service(5), "Command lines"; systemd 252). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/strbuf.h"
#include "base/strlist.h"

/* Splits the command of an ExecStart= line, or the value of Environment=, into words: quotes ("…"
 * and '…') group and are removed, C escapes (\n, \x41, \101, \u00e9 …) are decoded; an escape that
 * systemd does not know stays as it is, backslash included, as systemd only warns of it. A lone
 * `\;` is the word ";". Line continuations, specifiers (%) and prefixes of the program's path
 * (-@:+!) are the caller's. -EINVAL with the column of the quote for an unbalanced one. *ret is set
 * only on success. */
int words_split(const char *line, struct strlist *ret, struct error *error);

/* The looser rule systemd applies to the value of a variable that stands as a word of its own
 * ("$DOCKER_OPTS"): split at white space, quotes group and are removed, an unbalanced quote runs to
 * the end, a backslash makes the next character an ordinary one and goes. */
int words_split_value(const char *value, struct strlist *ret, struct error *error);

/* Appends the line that systemd reads as exactly these words, and in which neither `$` nor `%`
 * means anything: for a restated ExecStart= without variables. Both are doubled; words_split()
 * gives the same words back otherwise. */
int words_join(struct strbuf *out, const struct strlist *words);

/* The same for an argv as systemd hands it out: specifiers resolved, variables not, so that a `$`
 * keeps its meaning ("$DOCKER_OPTS" stays a variable, "$$" a dollar). */
int words_join_unexpanded(struct strbuf *out, const struct strlist *argv);

/* Where a word of the expanded command line comes from. */
enum word_origin {
	WORD_LITERAL,  /* written in ExecStart= */
	WORD_VARIABLE, /* came in through a variable */
};

struct word {
	char *text;
	enum word_origin origin;
	char *variable; /* the variable's name when origin is WORD_VARIABLE */
	size_t source;  /* index in the argv given to words_expand() of the word it comes from */
};

struct words {
	struct word *items;
	size_t count;
};

void words_done(struct words *words);
#define cleanup_words scoped(words_done)

/* Looks up a variable; returns NULL when it is not set. The result is borrowed. */
typedef const char *(*words_lookup)(const char *name, size_t length, const void *context);

/* Expands the variables in an argv as systemd does at start: a word that begins with `$` names a
 * variable with all the rest of it and is replaced by zero or more words; `${NAME}` anywhere else
 * becomes the value as it is; `$$` is a dollar; an unset variable is empty. `${NAME:-x}` and other
 * forms of the shell are left as they are. A word with `${NAME}` in it still is WORD_LITERAL: it
 * stands in ExecStart=. */
int words_expand(const struct strlist *argv, words_lookup lookup, const void *context,
		 struct words *ret, struct error *error);
