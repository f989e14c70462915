#include "apply/switch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apply/writer.h"
#include "base/strbuf.h"
#include "core/liverestore.h"

#define SUFFIX_NEW "new"
#define SUFFIX_OLD "old"
#define SUFFIX_STEP "step"

/* "/etc/docker/.daemon.json.harden-SUFFIX" */
static char *beside(const char *target, const char *suffix)
{
	cleanup_strbuf struct strbuf path = STRBUF_EMPTY;
	const char *slash = strrchr(target, '/');
	size_t folder = slash ? (size_t)(slash - target) + 1 : 0;

	(void)strbuf_add(&path, target, folder);
	(void)strbuf_addf(&path, ".%s.harden-%s", target + folder, suffix);
	return strbuf_finish(&path);
}

char *switch_temporary(const char *target)
{
	return beside(target, SUFFIX_NEW);
}

/* Whether this file takes its place by a rename. */
static bool is_replaced(const struct txn_file *file)
{
	return file->action != FILE_MODE;
}

int switch_check(const struct txn *txn, struct error *error)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < txn->file_count; i++)
		r = writer_check(txn->files[i].target, error);
	return r;
}

/* ---- temporary files ---- */

static int remove_beside(const struct txn_file *file, const char *suffix, struct error *error)
{
	cleanup_free char *path = beside(file->target, suffix);

	if (!path)
		return error_set_oom(error);
	/* Most are not there, and a folder that is not touched needs no sync. */
	if (access(path, F_OK) < 0 && errno == ENOENT)
		return 0;
	return writer_remove(path, error);
}

static int clean_file(const struct txn_file *file, struct error *error)
{
	static const char *const suffixes[] = {SUFFIX_NEW, SUFFIX_OLD, SUFFIX_STEP};
	int result = 0;

	for (size_t i = 0; is_replaced(file) && i < array_size(suffixes); i++) {
		int r = remove_beside(file, suffixes[i], error);
		result = result < 0 ? result : r;
	}
	return result;
}

int switch_clean(const struct txn *txn, struct error *error)
{
	int result = 0;

	for (size_t i = 0; i < txn->file_count; i++) {
		int r = clean_file(&txn->files[i], error);
		result = result < 0 ? result : r;
	}
	return result;
}

/* A second name for the file that is there keeps it whole, whatever happens to the first. Where the
 * file system has no hard links it is a copy. */
static int keep_old(const struct txn_file *file, struct error *error)
{
	cleanup_free char *spare = beside(file->target, SUFFIX_OLD);

	if (!spare)
		return error_set_oom(error);
	if (link(file->target, spare) == 0)
		return 0;
	return writer_stage(spare, &file->before, error);
}

static int prepare_file(const struct txn_file *file, struct error *error)
{
	int r = clean_file(file, error);

	if (r == 0 && is_replaced(file) && file->before.exists)
		r = keep_old(file, error);
	if (r == 0 && is_replaced(file) && file->after.exists)
		r = writer_stage(file->temporary, &file->after, error);
	return r;
}

static int make_folders(const struct strlist *folders, struct error *error)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < folders->count; i++)
		r = writer_make_folder(folders->items[i], 0755, error);
	return r;
}

static int remove_folders(const struct strlist *folders, struct error *error)
{
	int r = 0;

	for (size_t i = folders->count; r == 0 && i > 0; i--)
		r = writer_remove_folder(folders->items[i - 1], error);
	return r;
}

int switch_prepare(const struct txn *txn, struct error *error)
{
	struct error ignored = ERROR_NONE;
	int r = make_folders(&txn->folders, error);

	for (size_t i = 0; r == 0 && i < txn->file_count; i++)
		r = prepare_file(&txn->files[i], error);
	if (r < 0) {
		(void)switch_clean(txn, &ignored);
		(void)remove_folders(&txn->folders, &ignored);
	}
	return r;
}

/* ---- forward ---- */

int switch_forward(const struct txn_file *file, struct error *error)
{
	if (file->action == FILE_MODE)
		return writer_set_attributes(file->target, &file->after, error);
	if (!file->after.exists)
		return writer_remove(file->target, error);
	/* A step has been in between, or the temporary file has been used already. */
	if (access(file->temporary, F_OK) < 0)
		return switch_exact(file, &file->after, error);
	return writer_switch(file->temporary, file->target, error);
}

int switch_exact(const struct txn_file *config, const struct filestate *state, struct error *error)
{
	cleanup_free char *step = beside(config->target, SUFFIX_STEP);

	if (!step)
		return error_set_oom(error);
	if (!state->exists)
		return writer_remove(config->target, error);
	int r = remove_beside(config, SUFFIX_STEP, error);
	if (r == 0)
		r = writer_stage(step, state, error);
	return r < 0 ? r : writer_switch(step, config->target, error);
}

/* The state with live-restore switched. Owner and mode are those of the transaction's own file
 * where the state is that there is none. */
static int step_state(const struct txn_file *config, const struct filestate *state,
		      bool live_restore, struct filestate *ret, struct error *error)
{
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
	const struct filestate *like = state->exists ? state : &config->after;

	int r = live_restore_text(state->data ? state->data : "", state->length, live_restore,
				  &text, error);
	if (r < 0) {
		error_name_path(error, config->path);
		return r;
	}
	return filestate_with_bytes(like->exists ? like : &config->before, text.data, text.length,
				    ret, error);
}

int switch_step(const struct txn_file *config, const struct filestate *state, bool live_restore,
		bool *ret_differs, struct error *error)
{
	cleanup_filestate struct filestate step = {.exists = false};

	int r = step_state(config, state, live_restore, &step, error);
	if (r == 0 && ret_differs)
		*ret_differs = !filestate_same(&step, state);
	return r < 0 ? r : switch_exact(config, &step, error);
}

int switch_make_folders(const struct txn *txn, struct error *error)
{
	return make_folders(&txn->folders, error);
}

int switch_remove_folders(const struct txn *txn, struct error *error)
{
	return remove_folders(&txn->folders, error);
}

int switch_leave_folders(const struct txn *txn, struct error *error)
{
	return remove_folders(&txn->folders_left, error);
}

/* ---- back ---- */

/* Whether the bytes are those of a step that an interrupted transaction may have left. */
static int is_step(const struct txn_file *file, const struct filestate *current, bool *ret,
		   struct error *error)
{
	const struct filestate *const states[] = {&file->before, &file->after};
	int r = 0;

	*ret = false;
	if (!file->config || !current->exists)
		return 0;
	for (size_t i = 0; r == 0 && !*ret && i < 2 * array_size(states); i++) {
		cleanup_filestate struct filestate step = {.exists = false};
		struct error ignored = ERROR_NONE;

		r = step_state(file, states[i / 2], i % 2 == 0, &step, &ignored);
		if (r == -ENOMEM)
			return error_set_oom(error);
		*ret = r == 0 && filestate_same_content(&step, current);
		r = 0;
	}
	return r;
}

static int examine_file(const struct txn_file *file, bool *changed, struct strlist *edited,
			struct error *error)
{
	cleanup_filestate struct filestate current = {.exists = false};
	bool step = false;

	int r = filestate_read(file->target, &current, error);
	if (r < 0)
		return r;
	if (filestate_same(&current, &file->before))
		return 0;
	*changed = true;
	/* Only owner and mode are harden's there. */
	if (file->action == FILE_MODE || filestate_same_content(&current, &file->before) ||
	    filestate_same_content(&current, &file->after))
		return 0;
	r = is_step(file, &current, &step, error);
	if (r == 0 && !step && strlist_add(edited, file->path) < 0)
		r = error_set_oom(error);
	return r;
}

int switch_examine(const struct txn *txn, bool *ret_changed, struct strlist *ret_edited,
		   struct error *error)
{
	bool changed = false;
	int r = 0;

	for (size_t i = 0; r == 0 && i < txn->file_count; i++)
		r = examine_file(&txn->files[i], &changed, ret_edited, error);
	if (r == 0)
		*ret_changed = changed;
	return r;
}

/* The old file under its second name, if that still is the one. */
static int back_by_spare(const struct txn_file *file, bool *ret_done, struct error *error)
{
	cleanup_filestate struct filestate state = {.exists = false};
	cleanup_free char *spare = beside(file->target, SUFFIX_OLD);
	struct error ignored = ERROR_NONE;

	*ret_done = false;
	if (!spare)
		return error_set_oom(error);
	if (filestate_read(spare, &state, &ignored) < 0 || !filestate_same(&state, &file->before))
		return 0;
	int r = writer_switch(spare, file->target, error);
	*ret_done = r == 0;
	return r;
}

static int back_file(const struct txn_file *file, struct error *error)
{
	cleanup_filestate struct filestate current = {.exists = false};
	bool done = false;

	int r = filestate_read(file->target, &current, error);
	if (r < 0 || filestate_same(&current, &file->before))
		return r;
	if (file->action == FILE_MODE)
		return current.exists ? writer_set_attributes(file->target, &file->before, error)
				      : 0;
	if (!file->before.exists)
		return writer_remove(file->target, error);
	r = back_by_spare(file, &done, error);
	if (r < 0 || done)
		return r;
	return switch_exact(file, &file->before, error);
}

int switch_back(const struct txn *txn, struct error *error)
{
	int result = make_folders(&txn->folders_left, error);

	for (size_t i = txn->file_count; i > 0; i--) {
		int r = back_file(&txn->files[i - 1], error);
		result = result < 0 ? result : r;
	}
	if (result < 0)
		return result;
	result = switch_clean(txn, error);
	return result < 0 ? result : remove_folders(&txn->folders, error);
}
