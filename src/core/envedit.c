#include "core/envedit.h"

#include <errno.h>
#include <string.h>

/* What a backslash protects in double quotes. */
#define ESCAPED "\"\\`$"

struct edit {
	const char *text;
	size_t length;
	unsigned version;
	const char *name;
	struct envfile_value old;
	const struct envedit_cut *cuts;
	size_t count;
	struct strbuf wanted; /* the value that is left */
};

static void edit_done(struct edit *edit)
{
	envfile_value_done(&edit->old);
	strbuf_done(&edit->wanted);
}

static int decide_wanted(struct edit *edit)
{
	size_t at = 0;

	for (size_t i = 0; i < edit->count; i++) {
		(void)strbuf_add(&edit->wanted, edit->old.value + at, edit->cuts[i].start - at);
		at = edit->cuts[i].end;
	}
	return strbuf_adds(&edit->wanted, edit->old.value + at);
}

/* A line of a value that held nothing but what was cut is left as white space and a backslash.
 * Where the line before ends in a backslash, too, this one goes: its white space is part of the
 * value, and moves to the next line. Returns where the text goes on. */
static size_t join_empty_line(const struct edit *edit, struct strbuf *out, size_t at)
{
	size_t before = out->length;
	size_t after = at;

	while (before && strchr(" \t", out->data[before - 1]))
		before--;
	while (after < edit->length && strchr(" \t", edit->text[after]))
		after++;
	bool starts_line = before >= 2 && memcmp(out->data + before - 2, "\\\n", 2) == 0;
	bool ends_line = after + 2 <= edit->length && memcmp(edit->text + after, "\\\n", 2) == 0;
	if (!starts_line || !ends_line)
		return at;
	(void)strbuf_add(out, edit->text + at, after - at);
	return after + 2;
}

/* Leaves out the bytes of what is cut, and only those. */
static int cut_bytes(const struct edit *edit, struct strbuf *out)
{
	size_t at = 0;

	for (size_t i = 0; i < edit->count; i++) {
		for (size_t k = edit->cuts[i].start; k < edit->cuts[i].end; k++) {
			const struct envfile_span span = edit->old.bytes[k];
			if (span.start > at)
				(void)strbuf_add(out, edit->text + at, span.start - at);
			at = span.end > at ? span.end : at;
		}
		if (!out->failed)
			at = join_empty_line(edit, out, at);
	}
	return strbuf_add(out, edit->text + at, edit->length - at);
}

/* The whole value anew, in double quotes. */
static int quote_value(const struct edit *edit, struct strbuf *out)
{
	const struct strbuf *value = &edit->wanted;

	(void)strbuf_add(out, edit->text, edit->old.whole.start);
	(void)strbuf_addc(out, '"');
	for (size_t i = 0; i < value->length; i++) {
		if (strchr(ESCAPED, value->data[i]))
			(void)strbuf_addc(out, '\\');
		(void)strbuf_addc(out, value->data[i]);
	}
	(void)strbuf_addc(out, '"');
	return strbuf_add(out, edit->text + edit->old.whole.end,
			  edit->length - edit->old.whole.end);
}

static size_t last_of(const struct strlist *list, const char *name)
{
	size_t length = strlen(name);
	size_t i = list->count;

	while (i-- > 0)
		if (strncmp(list->items[i], name, length) == 0 && list->items[i][length] == '=')
			return i;
	return 0;
}

/* Whether the text means what it is to mean: 0, -EPROTO or -ENOMEM. */
static int check(const struct edit *edit, const struct strbuf *text)
{
	cleanup_strlist struct strlist before = {.items = NULL};
	cleanup_strlist struct strlist after = {.items = NULL};
	const char *data = text->data ? text->data : "";
	struct error ignored = ERROR_NONE;

	int r = envfile_parse_as(edit->text, edit->length, edit->version, &before, &ignored);
	if (r == 0)
		r = envfile_parse_as(data, text->length, edit->version, &after, &ignored);
	if (r < 0)
		return r == -ENOMEM ? r : -EPROTO;
	if (before.count != after.count)
		return -EPROTO;
	size_t changed = last_of(&before, edit->name);
	for (size_t i = 0; i < before.count; i++) {
		const char *item = after.items[i];
		bool same = i != changed ? strcmp(before.items[i], item) == 0
					 : strcmp(item + strlen(edit->name) + 1,
						  edit->wanted.data ? edit->wanted.data : "") == 0;
		if (!same)
			return -EPROTO;
	}
	return 0;
}

static int write_edit(const struct edit *edit, struct strbuf *ret, struct error *error)
{
	static int (*const ways[])(const struct edit *edit, struct strbuf *out) = {cut_bytes,
										   quote_value};

	for (size_t i = 0; i < array_size(ways); i++) {
		cleanup_strbuf struct strbuf out = STRBUF_EMPTY;
		if (ways[i](edit, &out) < 0)
			return error_set_oom(error);
		int r = check(edit, &out);
		if (r == -ENOMEM ||
		    (r == 0 && strbuf_add(ret, out.data ? out.data : "", out.length) < 0))
			return error_set_oom(error);
		if (r == 0)
			return 0;
	}
	return error_set(error, -EPROTO, "edit", NULL,
			 "the value of %s cannot be written in a way that keeps what is left of it",
			 edit->name);
}

int envedit_cut(const char *text, size_t length, unsigned systemd_version, const char *name,
		const struct envedit_cut *cuts, size_t count, struct strbuf *ret,
		struct error *error)
{
	scoped(edit_done) struct edit edit = {
		.text = text,
		.length = length,
		.version = systemd_version,
		.name = name,
		.cuts = cuts,
		.count = count,
	};

	int r = envfile_locate(text, length, systemd_version, name, &edit.old, error);
	if (r < 0)
		return r;
	if (!edit.old.value)
		return error_set(error, -ENOENT, "edit", NULL, "it does not set %s", name);
	if (decide_wanted(&edit) < 0)
		return error_set_oom(error);
	return write_edit(&edit, ret, error);
}
