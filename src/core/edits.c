#include "core/edits.h"

#include <errno.h>
#include <stdlib.h>

#include "core/daemonjson.h"
#include "core/jsontext.h"

static void edit_done(struct edit *edit)
{
	strlist_done(&edit->path);
	json_decref(edit->value);
}

void edits_done(struct edits *edits)
{
	for (size_t i = 0; i < edits->count; i++)
		edit_done(&edits->items[i]);
	free(edits->items);
	*edits = (struct edits){.items = NULL};
}

static int edits_reserve(struct edits *edits, size_t more, struct error *error)
{
	struct edit *items = reallocarray(edits->items, edits->count + more, sizeof *items);

	if (!items)
		return error_set_oom(error);
	edits->items = items;
	return 0;
}

static int edits_add(struct edits *edits, const char *const *path, size_t count, json_t *value,
		     struct error *error)
{
	struct edit edit = {.value = NULL};

	int r = edits_reserve(edits, 1, error);
	for (size_t i = 0; r == 0 && i < count; i++)
		if (strlist_add(&edit.path, path[i]) < 0)
			r = error_set_oom(error);
	if (r < 0) {
		edit_done(&edit);
		return r;
	}
	edit.value = json_incref(value);
	edits->items[edits->count++] = edit;
	return 0;
}

int edits_set(struct edits *edits, const char *const *path, size_t count, json_t *value,
	      struct error *error)
{
	return edits_add(edits, path, count, value, error);
}

int edits_remove(struct edits *edits, const char *const *path, size_t count, struct error *error)
{
	return edits_add(edits, path, count, NULL, error);
}

int edits_move(struct edits *to, struct edits *from, struct error *error)
{
	if (!from->count)
		return 0;
	int r = edits_reserve(to, from->count, error);
	if (r < 0)
		return r;
	for (size_t i = 0; i < from->count; i++)
		to->items[to->count++] = from->items[i];
	from->count = 0;
	edits_done(from);
	return 0;
}

/* The object that holds the last key of the path; NULL in *ret when a removal has nothing to do. */
static int find_parent(const struct edit *edit, json_t *document, json_t **ret, struct error *error)
{
	json_t *parent = document;

	for (size_t i = 0; i + 1 < edit->path.count; i++) {
		json_t *child = json_object_get(parent, edit->path.items[i]);
		if (!child && !edit->value) {
			*ret = NULL;
			return 0;
		}
		if (!child) {
			child = json_object();
			if (json_object_set_new(parent, edit->path.items[i], child) < 0)
				return error_set_oom(error);
		}
		if (!json_is_object(child))
			return error_set(error, -ENOTDIR, "edit", edit->path.items[i],
					 "this setting is not an object { … }, so it can have no "
					 "member \"%s\"",
					 edit->path.items[i + 1]);
		parent = child;
	}
	*ret = parent;
	return 0;
}

int edits_apply_document(const struct edits *edits, json_t *document, struct error *error)
{
	for (size_t i = 0; i < edits->count; i++) {
		const struct edit *edit = &edits->items[i];
		const char *last = edit->path.items[edit->path.count - 1];
		json_t *parent = NULL;

		int r = find_parent(edit, document, &parent, error);
		if (r < 0)
			return r;
		if (!edit->value) {
			(void)json_object_del(parent, last);
			continue;
		}
		/* A copy, so that a later edit inside it does not reach the edit's own value. */
		if (json_object_set_new(parent, last, json_deep_copy(edit->value)) < 0)
			return error_set_oom(error);
	}
	return 0;
}

int edits_apply_text(const struct edits *edits, struct strbuf *text, const json_t *intended,
		     struct error *error)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < edits->count; i++) {
		const struct edit *edit = &edits->items[i];
		struct jsontext_path path = {
			.keys = (const char *const *)edit->path.items,
			.count = edit->path.count,
		};
		r = edit->value ? jsontext_set(text, &path, edit->value, error)
				: jsontext_remove(text, &path, error);
	}
	if (r < 0)
		return r;

	json_t *result = NULL;
	r = daemonjson_read(text->data ? text->data : "", text->length, &result, error);
	if (r < 0)
		return r;
	bool equal = json_equal(result, intended);
	json_decref(result);
	if (!equal)
		return error_set(error, -EPROTO, "edit", NULL,
				 "the edited text does not mean what was intended; nothing is "
				 "written. This is a fault of harden: please report it");
	return 0;
}
