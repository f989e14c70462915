#include "apply/txn.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/text.h"
#include "host/file.h"

/* (uid_t)-1 means "leave it" to chown(). */
#define ID_MAX ((json_int_t)UINT32_MAX - 1)

#define NO_INDEX SIZE_MAX

/* A value of the record that is being read. */
struct node {
	const json_t *object;
	const struct node *parent; /* NULL for the record itself */
	const char *name;
	size_t index; /* in the array of that name, or NO_INDEX */
	const char *path;
	struct error *error;
};

static struct node child_of(const struct node *parent, const char *name, size_t index)
{
	return (struct node){.parent = parent,
			     .name = name,
			     .index = index,
			     .path = parent->path,
			     .error = parent->error};
}

/* "files[0].before." */
static void add_where(const struct node *node, struct strbuf *text)
{
	if (!node->parent)
		return;
	add_where(node->parent, text);
	if (text->length)
		(void)strbuf_addc(text, '.');
	(void)strbuf_adds(text, node->name);
	if (node->index != NO_INDEX)
		(void)strbuf_addf(text, "[%zu]", node->index);
}

/* name is a member of the node; NULL: it is about the node itself. */
static int bad(const struct node *node, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int bad(const struct node *node, const char *name, const char *format, ...)
{
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
	va_list arguments;

	add_where(node, &text);
	if (name)
		(void)strbuf_addf(&text, "%s%.64s", text.length ? "." : "", name);
	(void)strbuf_adds(&text, text.length ? " " : "it ");
	va_start(arguments, format);
	(void)strbuf_addv(&text, format, arguments);
	va_end(arguments);
	if (text.failed)
		return error_set_oom(node->error);
	return error_set(node->error, -EBADMSG, "read record", node->path,
			 "the record is damaged: %s", text.data);
}

/* Begins with an object that has no other members than those named. */
static int enter(struct node *node, const json_t *value, const char *const *names, size_t count)
{
	const char *key;
	const json_t *member;

	if (!json_is_object(value))
		return bad(node, NULL, "is no object");
	json_object_foreach ((json_t *)value, key, member) {
		size_t i = 0;
		while (i < count && strcmp(names[i], key) != 0)
			i++;
		if (i == count) {
			cleanup_strbuf struct strbuf shown = STRBUF_EMPTY;
			if (text_add_printable(&shown, key, strlen(key), false) < 0)
				return error_set_oom(node->error);
			return bad(node, shown.data ? shown.data : "\"\"", "does not belong there");
		}
	}
	node->object = value;
	return 0;
}

static int get(const struct node *node, const char *name, const json_t **ret)
{
	const json_t *value = json_object_get(node->object, name);

	if (!value)
		return bad(node, name, "is missing");
	*ret = value;
	return 0;
}

static int get_bool(const struct node *node, const char *name, bool *ret)
{
	const json_t *value = NULL;
	int r = get(node, name, &value);

	if (r == 0 && !json_is_boolean(value))
		r = bad(node, name, "is neither true nor false");
	if (r == 0)
		*ret = json_is_true(value);
	return r;
}

static int get_integer(const struct node *node, const char *name, json_int_t least, json_int_t most,
		       json_int_t *ret)
{
	const json_t *value = NULL;
	int r = get(node, name, &value);

	if (r < 0)
		return r;
	if (!json_is_integer(value) || json_integer_value(value) < least ||
	    json_integer_value(value) > most)
		return bad(node, name,
			   "is no number from %" JSON_INTEGER_FORMAT " to %" JSON_INTEGER_FORMAT,
			   least, most);
	*ret = json_integer_value(value);
	return 0;
}

static int get_id(const struct node *node, const char *name, uint32_t *ret)
{
	json_int_t value = 0;
	int r = get_integer(node, name, 0, ID_MAX, &value);

	if (r == 0)
		*ret = (uint32_t)value;
	return r;
}

static int digit_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* One more byte is allocated, for a terminator. */
static int read_hex(const struct node *node, const char *name, const json_t *value,
		    unsigned char **ret, size_t *ret_length)
{
	const char *digits = json_string_value(value);
	size_t count = json_string_length(value);

	if (!digits || count % 2)
		return bad(node, name, "is no hexadecimal text");
	cleanup_free unsigned char *bytes = calloc(1, count / 2 + 1);
	if (!bytes)
		return error_set_oom(node->error);
	for (size_t i = 0; i < count; i += 2) {
		int high = digit_value(digits[i]);
		int low = digit_value(digits[i + 1]);

		if (high < 0 || low < 0)
			return bad(node, name, "is no hexadecimal text");
		bytes[i / 2] = (unsigned char)(high << 4 | low);
	}
	*ret = take_ptr(bytes);
	*ret_length = count / 2;
	return 0;
}

static int read_text(const struct node *node, const char *name, const json_t *value, char **ret)
{
	const json_t *hex = json_object_size(value) == 1 ? json_object_get(value, "hex") : NULL;
	unsigned char *bytes = NULL;
	size_t length = json_string_length(value);

	if (hex) {
		int r = read_hex(node, name, hex, &bytes, &length);
		if (r < 0)
			return r;
	} else if (!json_is_string(value)) {
		return bad(node, name, "is no text");
	}
	cleanup_free char *text = hex ? (char *)bytes : strdup(json_string_value(value));
	if (!text)
		return error_set_oom(node->error);
	if (strlen(text) != length)
		return bad(node, name, "has a NUL in its text");
	free(*ret);
	*ret = take_ptr(text);
	return 0;
}

static int get_optional_text(const struct node *node, const char *name, char **ret)
{
	const json_t *value = NULL;
	int r = get(node, name, &value);

	return r < 0 || json_is_null(value) ? r : read_text(node, name, value, ret);
}

static int get_text(const struct node *node, const char *name, char **ret)
{
	const json_t *value = NULL;
	int r = get(node, name, &value);

	if (r == 0)
		r = read_text(node, name, value, ret);
	return r == 0 && !**ret ? bad(node, name, "is empty") : r;
}

static int get_choice(const struct node *node, const char *name, const char *const *choices,
		      size_t count, size_t *ret)
{
	cleanup_free char *text = NULL;
	int r = get_text(node, name, &text);

	for (size_t i = 0; r == 0 && i < count; i++) {
		if (strcmp(choices[i], text) == 0) {
			*ret = i;
			return 0;
		}
	}
	return r < 0 ? r : bad(node, name, "is none of the words that are known there");
}

static int get_txn_id(const struct node *node, const char *name, bool optional, char **ret)
{
	int r = optional ? get_optional_text(node, name, ret) : get_text(node, name, ret);

	return r == 0 && *ret && !txn_id_is_valid(*ret) ? bad(node, name, "is no id") : r;
}

/* ---- files of the record ---- */

static int check_path(const struct node *node, const char *name, const char *path)
{
	if (path[0] != '/' || text_ends_with(path, "/"))
		return bad(node, name, "is no absolute path");
	return 0;
}

static int get_path(const struct node *node, const char *name, char **ret)
{
	int r = get_text(node, name, ret);

	return r < 0 ? r : check_path(node, name, *ret);
}

static int get_mode(const struct node *node, mode_t *ret)
{
	cleanup_free char *digits = NULL;
	int r = get_text(node, "mode", &digits);

	if (r < 0)
		return r;
	if (strlen(digits) != 4 || strspn(digits, "01234567") != 4)
		return bad(node, "mode", "is no octal number of four digits");
	*ret = (mode_t)strtoul(digits, NULL, 8);
	return 0;
}

static int get_time(const struct node *node, struct timespec *ret)
{
	static const char *const names[] = {"seconds", "nanoseconds"};
	const json_t *value = NULL;
	json_int_t seconds = 0;
	json_int_t nanoseconds = 0;
	struct node time = child_of(node, "mtime", NO_INDEX);

	int r = get(node, "mtime", &value);
	if (r == 0)
		r = enter(&time, value, names, array_size(names));
	if (r == 0)
		r = get_integer(&time, "seconds", INT64_MIN, INT64_MAX, &seconds);
	if (r == 0)
		r = get_integer(&time, "nanoseconds", 0, 999999999, &nanoseconds);
	if (r == 0)
		*ret = (struct timespec){.tv_sec = (time_t)seconds, .tv_nsec = (long)nanoseconds};
	return r;
}

static int read_xattr(struct node *node, const json_t *value, struct xattr *xattr)
{
	static const char *const names[] = {"name", "value"};
	const json_t *hex = NULL;

	int r = enter(node, value, names, array_size(names));
	if (r == 0)
		r = get_text(node, "name", &xattr->name);
	if (r == 0)
		r = get(node, "value", &hex);
	if (r == 0)
		r = read_hex(node, "value", hex, &xattr->value, &xattr->size);
	if (r == 0 && !xattr->size) {
		free(xattr->value);
		xattr->value = NULL;
	}
	return r;
}

static int get_list(const struct node *node, const char *name, const json_t **ret)
{
	const json_t *value = NULL;
	int r = get(node, name, &value);

	if (r < 0)
		return r;
	if (!json_is_array(value))
		return bad(node, name, "is no array");
	*ret = value;
	return 0;
}

/* An array, and zeroed room for what its elements are read into. */
static int get_array(const struct node *node, const char *name, size_t element_size,
		     const json_t **ret, void *ret_room)
{
	const json_t *value = NULL;
	int r = get_list(node, name, &value);

	if (r < 0)
		return r;
	if (json_array_size(value)) {
		void *room = calloc(json_array_size(value), element_size);
		if (!room)
			return error_set_oom(node->error);
		memcpy(ret_room, &room, sizeof room);
	}
	*ret = value;
	return 0;
}

static int get_xattrs(const struct node *node, struct filestate *state)
{
	const json_t *array = NULL;
	int r = get_array(node, "xattrs", sizeof *state->xattrs, &array, &state->xattrs);

	for (size_t i = 0; r == 0 && i < json_array_size(array); i++) {
		struct node child = child_of(node, "xattrs", i);

		state->xattr_count++;
		r = read_xattr(&child, json_array_get(array, i), &state->xattrs[i]);
		if (r == 0 && i && strcmp(state->xattrs[i - 1].name, state->xattrs[i].name) >= 0)
			r = bad(&child, "name", "is out of order");
	}
	return r;
}

static int get_content(const struct node *node, struct filestate *state)
{
	cleanup_free char *digest = NULL;
	json_int_t size = 0;

	int r = get_text(node, "sha256", &digest);
	if (r < 0)
		return r;
	if (strlen(digest) != SHA256_HEX_SIZE - 1 ||
	    strspn(digest, "0123456789abcdef") != SHA256_HEX_SIZE - 1)
		return bad(node, "sha256", "is no SHA-256 digest");
	memcpy(state->sha256, digest, SHA256_HEX_SIZE);
	r = get_integer(node, "size", 0, (json_int_t)CONFIG_SIZE_MAX, &size);
	state->length = (size_t)size;
	return r;
}

static int get_filestate(const struct node *parent, const char *name, struct filestate *state)
{
	static const char *const absent[] = {"exists"};
	static const char *const folder[] = {"exists", "folder", "uid",   "gid",
					     "mode",   "mtime",  "xattrs"};
	static const char *const socket[] = {"exists", "folder", "socket", "uid",
					     "gid",    "mode",   "mtime",  "xattrs"};
	static const char *const file[] = {"exists", "folder", "uid",    "gid",  "mode",
					   "mtime",  "xattrs", "sha256", "size", "socket"};
	const json_t *value = NULL;
	struct node node = child_of(parent, name, NO_INDEX);

	int r = get(parent, name, &value);
	if (r == 0)
		r = enter(&node, value, file, array_size(file));
	if (r == 0)
		r = get_bool(&node, "exists", &state->exists);
	if (r == 0 && !state->exists)
		return enter(&node, value, absent, array_size(absent));
	if (r == 0)
		r = get_bool(&node, "folder", &state->folder);
	if (r == 0 && state->folder)
		r = enter(&node, value, folder, array_size(folder));
	/* Only of a socket it is there. */
	if (r == 0 && json_object_get(value, "socket"))
		r = get_bool(&node, "socket", &state->socket);
	if (r == 0 && state->socket)
		r = enter(&node, value, socket, array_size(socket));
	if (r == 0 && !state->folder && !state->socket)
		r = get_content(&node, state);
	if (r == 0)
		r = get_id(&node, "uid", &state->uid);
	if (r == 0)
		r = get_id(&node, "gid", &state->gid);
	if (r == 0)
		r = get_mode(&node, &state->mode);
	if (r == 0)
		r = get_time(&node, &state->mtime);
	return r < 0 ? r : get_xattrs(&node, state);
}

static int get_file_action(const struct node *node, enum file_action *ret)
{
	const char *const names[] = {
		[FILE_CREATE] = file_action_name(FILE_CREATE),
		[FILE_MODIFY] = file_action_name(FILE_MODIFY),
		[FILE_REMOVE] = file_action_name(FILE_REMOVE),
		[FILE_MODE] = file_action_name(FILE_MODE),
	};
	size_t index = 0;
	int r = get_choice(node, "action", names, array_size(names), &index);

	if (r == 0)
		*ret = (enum file_action)index;
	return r;
}

/* A temporary file is renamed over its target, which works within a folder. */
static int check_temporary(const struct node *node, const struct txn_file *file)
{
	if (!file->temporary)
		return 0;
	int r = check_path(node, "temporary", file->temporary);
	if (r < 0)
		return r;
	size_t folder = (size_t)(strrchr(file->target, '/') - file->target) + 1;
	bool beside = strncmp(file->target, file->temporary, folder) == 0 &&
		      !strchr(file->temporary + folder, '/') &&
		      strcmp(file->target, file->temporary) != 0;
	return beside ? 0 : bad(node, "temporary", "is not beside the target");
}

static int read_file(struct node *node, const json_t *value, struct txn_file *file)
{
	static const char *const names[] = {"path",   "target", "temporary", "action",
					    "config", "before", "after"};
	int r = enter(node, value, names, array_size(names));

	if (r == 0)
		r = get_text(node, "path", &file->path);
	if (r == 0)
		r = get_path(node, "target", &file->target);
	if (r == 0)
		r = get_optional_text(node, "temporary", &file->temporary);
	if (r == 0)
		r = check_temporary(node, file);
	if (r == 0)
		r = get_file_action(node, &file->action);
	if (r == 0)
		r = get_bool(node, "config", &file->config);
	if (r == 0)
		r = get_filestate(node, "before", &file->before);
	return r < 0 ? r : get_filestate(node, "after", &file->after);
}

static int get_files(const struct node *node, struct txn *txn)
{
	const json_t *array = NULL;
	int r = get_array(node, "files", sizeof *txn->files, &array, &txn->files);

	for (size_t i = 0; r == 0 && i < json_array_size(array); i++) {
		struct node child = child_of(node, "files", i);

		txn->file_count++;
		r = read_file(&child, json_array_get(array, i), &txn->files[i]);
	}
	return r;
}

/* ---- the rest of the record ---- */

static int read_expectation(struct node *node, const json_t *value, struct expectation *expectation)
{
	static const char *const names[] = {"key", "before", "wanted", "effect"};
	const char *const effects[] = {
		[EFFECT_NONE] = effect_name(EFFECT_NONE),
		[EFFECT_RELOAD] = effect_name(EFFECT_RELOAD),
		[EFFECT_RESTART] = effect_name(EFFECT_RESTART),
		[EFFECT_CONTAINERS] = effect_name(EFFECT_CONTAINERS),
		[EFFECT_DATA] = effect_name(EFFECT_DATA),
	};
	size_t index = 0;

	int r = enter(node, value, names, array_size(names));
	if (r == 0)
		r = get_text(node, "key", &expectation->key);
	if (r == 0)
		r = get_choice(node, "effect", effects, array_size(effects), &index);
	if (r < 0)
		return r;
	expectation->effect = (enum effect)index;
	expectation->before = json_incref(json_object_get(value, "before"));
	expectation->wanted = json_incref(json_object_get(value, "wanted"));
	return 0;
}

static int get_expectations(const struct node *node, struct txn *txn)
{
	const json_t *array = NULL;
	int r = get_array(node, "expectations", sizeof *txn->expectations, &array,
			  &txn->expectations);

	for (size_t i = 0; r == 0 && i < json_array_size(array); i++) {
		struct node child = child_of(node, "expectations", i);

		txn->expectation_count++;
		r = read_expectation(&child, json_array_get(array, i), &txn->expectations[i]);
	}
	return r;
}

static int read_container(struct node *node, const json_t *value, struct txn_containers *list)
{
	static const char *const names[] = {"id", "name", "paused"};
	cleanup_free char *id = NULL;
	cleanup_free char *name = NULL;
	bool paused = false;

	int r = enter(node, value, names, array_size(names));
	if (r == 0)
		r = get_text(node, "id", &id);
	if (r == 0 && !txn_container_id_is_valid(id))
		r = bad(node, "id", "is no container's id");
	if (r == 0)
		r = get_text(node, "name", &name);
	if (r == 0)
		r = get_bool(node, "paused", &paused);
	return r < 0 ? r : txn_containers_add(list, id, name, paused, node->error);
}

static int get_containers(const struct node *node, const char *name, struct txn_containers *list)
{
	const json_t *array = NULL;
	int r = get_list(node, name, &array);

	for (size_t i = 0; r == 0 && i < json_array_size(array); i++) {
		struct node child = child_of(node, name, i);

		r = read_container(&child, json_array_get(array, i), list);
	}
	return r;
}

static int get_folders(const struct node *node, const char *name, struct strlist *ret)
{
	const json_t *array = NULL;
	int r = get_list(node, name, &array);

	for (size_t i = 0; r == 0 && i < json_array_size(array); i++) {
		struct node child = child_of(node, name, i);
		cleanup_free char *path = NULL;

		r = read_text(&child, NULL, json_array_get(array, i), &path);
		if (r == 0)
			r = check_path(&child, NULL, path);
		if (r == 0 && strlist_take(ret, take_ptr(path)) < 0)
			r = error_set_oom(node->error);
	}
	return r;
}

static int get_kind(const struct node *node, enum txn_kind *ret)
{
	const char *const names[] = {
		[TXN_APPLY] = txn_kind_name(TXN_APPLY),
		[TXN_ROLLBACK] = txn_kind_name(TXN_ROLLBACK),
	};
	size_t index = 0;
	int r = get_choice(node, "kind", names, array_size(names), &index);

	if (r == 0)
		*ret = (enum txn_kind)index;
	return r;
}

static int get_state(const struct node *node, enum txn_state *ret)
{
	const char *const names[] = {
		[TXN_PREPARED] = txn_state_name(TXN_PREPARED),
		[TXN_SWITCHED] = txn_state_name(TXN_SWITCHED),
		[TXN_RESTARTED] = txn_state_name(TXN_RESTARTED),
		[TXN_UNDOING] = txn_state_name(TXN_UNDOING),
		[TXN_COMMITTED] = txn_state_name(TXN_COMMITTED),
		[TXN_ROLLED_BACK] = txn_state_name(TXN_ROLLED_BACK),
	};
	size_t index = 0;
	int r = get_choice(node, "state", names, array_size(names), &index);

	if (r == 0)
		*ret = (enum txn_state)index;
	return r;
}

static int get_daemon(const struct node *node, enum daemon_state *ret)
{
	const char *const names[] = {
		[DAEMON_ABSENT] = txn_daemon_name(DAEMON_ABSENT),
		[DAEMON_STOPPED] = txn_daemon_name(DAEMON_STOPPED),
		[DAEMON_RUNNING] = txn_daemon_name(DAEMON_RUNNING),
	};
	size_t index = 0;
	int r = get_choice(node, "daemon", names, array_size(names), &index);

	if (r == 0)
		*ret = (enum daemon_state)index;
	return r;
}

static int get_history(const struct node *node, struct txn *txn)
{
	int r = get_txn_id(node, "id", false, &txn->id);
	if (r == 0)
		r = get_kind(node, &txn->kind);
	if (r == 0)
		r = get_txn_id(node, "of", true, &txn->of);
	if (r == 0)
		r = get_state(node, &txn->state);
	if (r == 0)
		r = get_optional_text(node, "result", &txn->result);
	if (r == 0)
		r = get_optional_text(node, "error", &txn->error);
	if (r == 0)
		r = get_text(node, "started", &txn->started);
	if (r == 0)
		r = get_optional_text(node, "finished", &txn->finished);
	if (r == 0)
		r = get_text(node, "user", &txn->user);
	if (r == 0)
		r = get_id(node, "uid", &txn->uid);
	if (r == 0)
		r = get_optional_text(node, "profile", &txn->profile);
	return r;
}

static int get_action(const struct node *node, enum plan_action *ret)
{
	const char *const names[] = {
		[ACTION_NONE] = plan_action_name(ACTION_NONE),
		[ACTION_RELOAD] = plan_action_name(ACTION_RELOAD),
		[ACTION_RESTART] = plan_action_name(ACTION_RESTART),
		[ACTION_RELOAD_RESTART] = plan_action_name(ACTION_RELOAD_RESTART),
	};
	size_t index = 0;
	int r = get_choice(node, "action", names, array_size(names), &index);

	if (r == 0)
		*ret = (enum plan_action)index;
	return r;
}

/* Most have none. */
static int get_listener(const struct node *node, struct txn_listener *ret)
{
	static const char *const names[] = {"unit", "address", "invocation"};
	const json_t *value = json_object_get(node->object, "listener");
	struct node child = child_of(node, "listener", NO_INDEX);

	if (!value)
		return 0;
	int r = enter(&child, value, names, array_size(names));
	if (r == 0)
		r = get_text(&child, "unit", &ret->unit);
	if (r == 0)
		r = get_text(&child, "address", &ret->address);
	return r < 0 ? r : get_optional_text(&child, "invocation", &ret->invocation);
}

static int get_work(const struct node *node, struct txn *txn)
{
	int r = get_text(node, "unit", &txn->unit);
	if (r == 0)
		r = get_optional_text(node, "socket", &txn->socket);
	if (r == 0)
		r = get_daemon(node, &txn->daemon);
	if (r == 0)
		r = get_optional_text(node, "invocation", &txn->invocation);
	if (r == 0)
		r = get_action(node, &txn->action);
	if (r == 0)
		r = get_bool(node, "units_changed", &txn->units_changed);
	if (r == 0)
		r = get_bool(node, "live_restore", &txn->live_restore);
	if (r == 0)
		r = get_listener(node, &txn->listener);
	if (r == 0)
		r = get_folders(node, "folders", &txn->folders);
	if (r == 0)
		r = get_folders(node, "folders_left", &txn->folders_left);
	if (r == 0)
		r = get_files(node, txn);
	if (r == 0)
		r = get_expectations(node, txn);
	if (r == 0)
		r = get_containers(node, "running", &txn->running);
	if (r == 0)
		r = get_bool(node, "stops", &txn->stops);
	if (r == 0)
		r = get_containers(node, "starts", &txn->starts);
	/* Only where there is one. */
	return r < 0 || !json_object_get(node->object, "canary")
		       ? r
		       : get_bool(node, "canary", &txn->canary);
}

/* Another schema has other members, so this comes first. */
static int check_schema(const struct node *node, const json_t *document)
{
	const json_t *schema = json_object_get(document, "schema");

	if (!json_is_object(document))
		return bad(node, NULL, "is no JSON object");
	if (!json_is_integer(schema))
		return bad(node, "schema", "is missing, or no number");
	if (json_integer_value(schema) != TXN_SCHEMA)
		return error_set(node->error, -EPROTONOSUPPORT, "read record", node->path,
				 "it was written by another version of harden (schema "
				 "%" JSON_INTEGER_FORMAT "): use that one",
				 json_integer_value(schema));
	return 0;
}

int txn_from_json(const json_t *document, const char *path, struct txn *ret, struct error *error)
{
	static const char *const names[] = {
		"schema",       "id",      "kind",          "of",           "state",
		"result",       "error",   "started",       "finished",     "user",
		"uid",          "profile", "unit",          "socket",       "daemon",
		"invocation",   "action",  "units_changed", "live_restore", "folders",
		"folders_left", "files",   "expectations",  "listener",     "running",
		"stops",        "starts",  "canary",
	};
	cleanup_txn struct txn txn = {.id = NULL};
	struct node node = {.path = path, .error = error};

	int r = check_schema(&node, document);
	if (r == 0)
		r = enter(&node, document, names, array_size(names));
	if (r == 0)
		r = get_history(&node, &txn);
	if (r == 0)
		r = get_work(&node, &txn);
	if (r < 0)
		return r;
	*ret = txn;
	txn = (struct txn){.id = NULL};
	return 0;
}
