/* Edits of a configuration: the same list is carried out on the text, which keeps its face, and on
 * the parsed document, which says what the text must mean afterwards. */
#pragma once

#include <jansson.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/strbuf.h"
#include "base/strlist.h"

struct edit {
	struct strlist path; /* keys from the top level */
	json_t *value;       /* NULL removes the member */
};

struct edits {
	struct edit *items;
	size_t count;
};

void edits_done(struct edits *edits);
#define cleanup_edits scoped(edits_done)

/* Both copy the path; edits_set() takes its own reference to value. */
int edits_set(struct edits *edits, const char *const *path, size_t count, json_t *value,
	      struct error *error);
int edits_remove(struct edits *edits, const char *const *path, size_t count, struct error *error);

/* Moves all edits of `from` to the end of `to`. */
int edits_move(struct edits *to, struct edits *from, struct error *error);

/* Carries the edits out on a parsed document, in place. Objects on the way are created. -ENOTDIR
 * when something on the way is not an object. */
int edits_apply_document(const struct edits *edits, json_t *document, struct error *error);

/* Carries them out on the text, then reads it again: it must mean exactly `intended`, else -EPROTO
 * and the caller writes nothing. */
int edits_apply_text(const struct edits *edits, struct strbuf *text, const json_t *intended,
		     struct error *error);
