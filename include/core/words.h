/* Command lines the way systemd reads them (systemd.service(5), "Command lines"; systemd 252). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/strbuf.h"
#include "base/strlist.h"

/* Splits the command of an ExecStart= line into words: quotes ("…"
 * and '…') group and are removed, C escapes (\n, \x41, \101, \u00e9 …) are decoded; an escape that
 * systemd does not know stays as it is, backslash included, as systemd only warns of it. A lone
 * `\;` is the word ";". Line continuations, specifiers (%) and prefixes of the program's path
 * (-@:+!) are the caller's. -EINVAL with the column of the quote for an unbalanced one. *ret is set
 * only on success. */
int words_split(const char *line, struct strlist *ret, struct error *error);

/* How a word is taken off a text. */
enum word_rule {
	WORD_COMMAND,     /* ExecStart=: escapes are decoded, unknown ones stay as they are */
	WORD_ENVIRONMENT, /* Environment=: the same, but an unknown escape is an error */
	WORD_VALUE,       /* a variable's value: see words_split_value() */
};

/* Takes the next word off *cursor: 1 and *ret_start and *ret_end (where its raw text begins and
 * ends) when there is one, 0 at the end, -EINVAL where systemd would stop (*cursor then is at the
 * quote or backslash that is wrong). Appends the word to `word`. A lone ";" and "\;" are words like
 * any other here. */
int words_next(const char **cursor, enum word_rule rule, struct strbuf *word,
	       const char **ret_start, const char **ret_end);

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
	size_t part;    /* which word of the variable's value it is, from 0 */
};

struct words {
	struct word *items;
	size_t count;
};

void words_done(struct words *words);
#define cleanup_words scoped(words_done)

/* Appends one word so that systemd reads it as exactly this one: quoted where needed, and each
 * character of `doubled` ("$%" in ExecStart=, "%" in Environment=) twice. */
void words_quote(struct strbuf *out, const char *word, const char *doubled);

/* Looks up a variable; returns NULL when it is not set. The result is borrowed. */
typedef const char *(*words_lookup)(const char *name, size_t length, const void *context);

/* Expands the variables in an argv as systemd does at start: a word that begins with `$` names a
 * variable with all the rest of it and is replaced by zero or more words; `${NAME}` anywhere else
 * becomes the value as it is; `$$` is a dollar; an unset variable is empty. `${NAME:-x}` and other
 * forms of the shell are left as they are. A word with `${NAME}` in it still is WORD_LITERAL: it
 * stands in ExecStart=. */
int words_expand(const struct strlist *argv, words_lookup lookup, const void *context,
		 struct words *ret, struct error *error);
