/* Takes flags out of the command line of a unit, where they were put: out of the variable of an
 * environment file, or by a drop-in that says ExecStart= or Environment= anew. */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"
#include "base/strbuf.h"
#include "base/strlist.h"
#include "core/configuration.h"
#include "core/facts.h"

/* An environment file as it is to be. */
struct unitedit_file {
	size_t index; /* in environment_files of the unit's facts */
	struct strbuf text;
};

struct unitedit {
	char *obstacle; /* why it cannot be done here, as a sentence; all else is empty then */
	struct strlist words;    /* the command line afterwards, the program first */
	struct strlist left_out; /* names of the flags, with dashes; never a value */
	/* Lines of a drop-in: "ExecStart=", "ExecStart=…", "Environment=…"; empty where none is
	 * needed. */
	struct strlist assignments;
	struct unitedit_file *files;
	size_t file_count;
};

void unitedit_done(struct unitedit *edit);
#define cleanup_unitedit scoped(unitedit_done)

/* Works out how to take these flags (of configuration->flags, or `gone` of its problems) out. What
 * systemd would make of the result is worked out as well: it must be the command line without them
 * and nothing else, or there is an obstacle. */
int unitedit_take_out(const struct unit_facts *unit, const struct configuration *configuration,
		      const struct flag *const *flags, size_t count, struct unitedit *ret,
		      struct error *error);

/* Where the admin put the flag, for messages: "ExecStart=", "the variable DOCKER_OPTS of
 * /etc/default/docker". A new string, NULL when out of memory. */
char *unitedit_place(const struct unit_facts *unit, const struct flag *flag);

/* The drop-in that harden wrote before, where it still is the last one and nobody has written
 * anything else into it; else NULL. */
const struct text_file *unitedit_own_dropin(const struct unit_facts *unit);

/* The path of harden's drop-in for a unit: its own of before, or one that sorts after all the
 * others. A new string, NULL when out of memory. */
char *unitedit_dropin_path(const struct unit_facts *unit);

/* Its text, from the template that is compiled in. */
int unitedit_dropin_text(const struct unitedit *edit, struct strbuf *ret, struct error *error);
