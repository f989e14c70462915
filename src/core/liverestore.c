#include "core/liverestore.h"

#include "core/daemonjson.h"
#include "core/edits.h"

int live_restore_text(const char *text, size_t length, bool on, struct strbuf *ret,
		      struct error *error)
{
	static const char *const path[] = {"live-restore"};
	cleanup_edits struct edits edits = {.items = NULL};
	cleanup_strbuf struct strbuf edited = STRBUF_EMPTY;
	json_auto_t *intended = NULL;
	json_auto_t *value = json_boolean(on);

	int r = daemonjson_read(text, length, &intended, error);
	if (r == 0)
		r = edits_set(&edits, path, 1, value, error);
	if (r == 0)
		r = edits_apply_document(&edits, intended, error);
	if (r == 0 && strbuf_add(&edited, text, length) < 0)
		r = error_set_oom(error);
	if (r == 0)
		r = edits_apply_text(&edits, &edited, intended, error);
	if (r == 0 && strbuf_add(ret, edited.data, edited.length) < 0)
		r = error_set_oom(error);
	return r;
}
