#include "apply/txn.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/text.h"

const char *txn_kind_name(enum txn_kind kind)
{
	static const char *const names[] = {
		[TXN_APPLY] = "apply",
		[TXN_ROLLBACK] = "rollback",
	};

	return names[kind];
}

const char *txn_state_name(enum txn_state state)
{
	static const char *const names[] = {
		[TXN_PREPARED] = "prepared",   [TXN_SWITCHED] = "switched",
		[TXN_RESTARTED] = "restarted", [TXN_UNDOING] = "undoing",
		[TXN_COMMITTED] = "committed", [TXN_ROLLED_BACK] = "rolled-back",
	};

	return names[state];
}

const char *txn_daemon_name(enum daemon_state daemon)
{
	static const char *const names[] = {
		[DAEMON_ABSENT] = "absent",
		[DAEMON_STOPPED] = "stopped",
		[DAEMON_RUNNING] = "running",
	};

	return names[daemon];
}

int txn_time_text(time_t moment, char **ret, struct error *error)
{
	char text[sizeof "YYYY-MM-DDTHH:MM:SSZ and some years more"];
	struct tm utc;

	if (!gmtime_r(&moment, &utc) || !strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc))
		return error_set(error, -EOVERFLOW, "ask for", "the date", "it is out of range");
	char *copy = strdup(text);
	if (!copy)
		return error_set_oom(error);
	*ret = copy;
	return 0;
}

const char *txn_data_key(const struct txn *txn)
{
	for (size_t i = 0; i < txn->expectation_count; i++)
		if (txn->expectations[i].effect == EFFECT_DATA)
			return txn->expectations[i].key;
	return NULL;
}

bool txn_is_final(const struct txn *txn)
{
	return txn->state == TXN_COMMITTED || txn->state == TXN_ROLLED_BACK;
}

bool txn_id_is_valid(const char *id)
{
	static const char form[] = "ddddddddTddddddZ-ddd";
	size_t length = strlen(id);

	if (length != strlen(form) && length != strlen(form) - strlen("-ddd"))
		return false;
	for (size_t i = 0; i < length; i++) {
		bool fits = form[i] == 'd' ? id[i] >= '0' && id[i] <= '9' : id[i] == form[i];
		if (!fits)
			return false;
	}
	return true;
}

void txn_blob_name(size_t file, enum txn_version version, char ret[TXN_BLOB_NAME_SIZE])
{
	(void)snprintf(ret, TXN_BLOB_NAME_SIZE, "%zu.%s", file,
		       version == TXN_BEFORE ? "before" : "after");
}

struct filestate *txn_file_version(struct txn_file *file, enum txn_version version)
{
	return version == TXN_BEFORE ? &file->before : &file->after;
}

bool txn_keeps_bytes(const struct txn_file *file, enum txn_version version)
{
	const struct filestate *state = version == TXN_BEFORE ? &file->before : &file->after;

	return state->exists && !state->folder && !state->socket &&
	       (file->action != FILE_MODE || file->config);
}

static void txn_file_done(struct txn_file *file)
{
	free(file->path);
	free(file->target);
	free(file->temporary);
	filestate_done(&file->before);
	filestate_done(&file->after);
}

static void expectation_done(struct expectation *expectation)
{
	free(expectation->key);
	json_decref(expectation->before);
	json_decref(expectation->wanted);
}

static void containers_done(struct txn_containers *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->items[i].id);
		free(list->items[i].name);
	}
	free(list->items);
	*list = (struct txn_containers){.items = NULL};
}

int txn_containers_add(struct txn_containers *list, const char *id, const char *name, bool paused,
		       struct error *error)
{
	struct txn_container *items = reallocarray(list->items, list->count + 1, sizeof *items);

	if (!items)
		return error_set_oom(error);
	list->items = items;
	struct txn_container *container = &items[list->count++];
	*container = (struct txn_container){
		.id = strdup(id),
		.name = strdup(name),
		.paused = paused,
	};
	return container->id && container->name ? 0 : error_set_oom(error);
}

int txn_containers_copy(const struct txn_containers *from, struct txn_containers *to,
			struct error *error)
{
	struct txn_containers copy = {.items = NULL};
	int r = 0;

	for (size_t i = 0; r == 0 && i < from->count; i++)
		r = txn_containers_add(&copy, from->items[i].id, from->items[i].name,
				       from->items[i].paused, error);
	if (r < 0) {
		containers_done(&copy);
		return r;
	}
	containers_done(to);
	*to = copy;
	return 0;
}

bool txn_container_id_is_valid(const char *id)
{
	return strlen(id) == CONTAINER_ID_LENGTH &&
	       strspn(id, "0123456789abcdef") == CONTAINER_ID_LENGTH;
}

void txn_done(struct txn *txn)
{
	free(txn->id);
	free(txn->of);
	free(txn->result);
	free(txn->error);
	free(txn->started);
	free(txn->finished);
	free(txn->user);
	free(txn->profile);
	free(txn->unit);
	free(txn->socket);
	free(txn->invocation);
	strlist_done(&txn->command_line);
	free(txn->listener.unit);
	free(txn->listener.address);
	free(txn->listener.invocation);
	strlist_done(&txn->folders);
	strlist_done(&txn->folders_left);
	for (size_t i = 0; i < txn->file_count; i++)
		txn_file_done(&txn->files[i]);
	free(txn->files);
	for (size_t i = 0; i < txn->expectation_count; i++)
		expectation_done(&txn->expectations[i]);
	free(txn->expectations);
	containers_done(&txn->running);
	containers_done(&txn->starts);
	*txn = (struct txn){.id = NULL};
}

/* ---- to JSON ---- */

/* json_object_set_new() takes NULL for a value as a failure, so that each value may be made in
 * place. */
static int put(json_t *object, const char *name, json_t *value)
{
	return json_object_set_new(object, name, value) < 0 ? -ENOMEM : 0;
}

static json_t *hex_json(const void *bytes, size_t length)
{
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
	const unsigned char *byte = bytes;

	for (size_t i = 0; i < length; i++)
		(void)strbuf_addf(&text, "%02x", byte[i]);
	cleanup_free char *digits = strbuf_finish(&text);
	return digits ? json_string(digits) : NULL;
}

/* Names of files are bytes, and so are other programs' messages. */
static json_t *text_json(const char *text)
{
	if (!text)
		return json_null();
	if (utf8_is_valid(text, strlen(text), NULL))
		return json_string(text);

	json_auto_t *object = json_object();
	if (put(object, "hex", hex_json(text, strlen(text))) < 0)
		return NULL;
	return take_ptr(object);
}

static json_t *list_json(const struct strlist *list)
{
	json_auto_t *array = json_array();

	for (size_t i = 0; i < list->count; i++)
		if (json_array_append_new(array, text_json(list->items[i])) < 0)
			return NULL;
	return take_ptr(array);
}

static json_t *xattrs_json(const struct filestate *state)
{
	json_auto_t *array = json_array();

	for (size_t i = 0; i < state->xattr_count; i++) {
		const struct xattr *xattr = &state->xattrs[i];
		json_auto_t *object = json_object();

		if (put(object, "name", text_json(xattr->name)) < 0 ||
		    put(object, "value", hex_json(xattr->value, xattr->size)) < 0 ||
		    json_array_append(array, object) < 0)
			return NULL;
	}
	return take_ptr(array);
}

static json_t *mode_json(mode_t mode)
{
	char digits[16];

	(void)snprintf(digits, sizeof digits, "%04o", (unsigned)(mode & 07777));
	return json_string(digits);
}

static json_t *time_json(struct timespec time)
{
	json_auto_t *object = json_object();

	if (put(object, "seconds", json_integer((json_int_t)time.tv_sec)) < 0 ||
	    put(object, "nanoseconds", json_integer((json_int_t)time.tv_nsec)) < 0)
		return NULL;
	return take_ptr(object);
}

static json_t *filestate_json(const struct filestate *state)
{
	json_auto_t *object = json_object();
	int r = put(object, "exists", json_boolean(state->exists));

	if (r == 0 && !state->exists)
		return take_ptr(object);
	if (r == 0)
		r = put(object, "folder", json_boolean(state->folder));
	if (r == 0 && state->socket)
		r = put(object, "socket", json_true());
	if (r == 0 && !state->folder && !state->socket)
		r = put(object, "sha256", json_string(state->sha256));
	if (r == 0 && !state->folder && !state->socket)
		r = put(object, "size", json_integer((json_int_t)state->length));
	if (r == 0)
		r = put(object, "uid", json_integer(state->uid));
	if (r == 0)
		r = put(object, "gid", json_integer(state->gid));
	if (r == 0)
		r = put(object, "mode", mode_json(state->mode));
	if (r == 0)
		r = put(object, "mtime", time_json(state->mtime));
	if (r == 0)
		r = put(object, "xattrs", xattrs_json(state));
	return r < 0 ? NULL : take_ptr(object);
}

static json_t *file_json(const struct txn_file *file)
{
	json_auto_t *object = json_object();
	int r = put(object, "path", text_json(file->path));

	if (r == 0)
		r = put(object, "target", text_json(file->target));
	if (r == 0)
		r = put(object, "temporary", text_json(file->temporary));
	if (r == 0)
		r = put(object, "action", text_json(file_action_name(file->action)));
	if (r == 0)
		r = put(object, "config", json_boolean(file->config));
	if (r == 0)
		r = put(object, "before", filestate_json(&file->before));
	if (r == 0)
		r = put(object, "after", filestate_json(&file->after));
	return r < 0 ? NULL : take_ptr(object);
}

static json_t *files_json(const struct txn *txn)
{
	json_auto_t *array = json_array();

	for (size_t i = 0; i < txn->file_count; i++)
		if (json_array_append_new(array, file_json(&txn->files[i])) < 0)
			return NULL;
	return take_ptr(array);
}

/* A value that is not known is left out: null is a value. */
static json_t *expectation_json(const struct expectation *expectation)
{
	json_auto_t *object = json_object();
	int r = put(object, "key", text_json(expectation->key));

	if (r == 0 && expectation->before)
		r = put(object, "before", json_incref(expectation->before));
	if (r == 0 && expectation->wanted)
		r = put(object, "wanted", json_incref(expectation->wanted));
	if (r == 0)
		r = put(object, "effect", text_json(effect_name(expectation->effect)));
	return r < 0 ? NULL : take_ptr(object);
}

static json_t *expectations_json(const struct txn *txn)
{
	json_auto_t *array = json_array();

	for (size_t i = 0; i < txn->expectation_count; i++)
		if (json_array_append_new(array, expectation_json(&txn->expectations[i])) < 0)
			return NULL;
	return take_ptr(array);
}

static json_t *listener_json(const struct txn_listener *listener)
{
	json_auto_t *object = json_object();
	int r = put(object, "unit", text_json(listener->unit));

	if (r == 0)
		r = put(object, "address", text_json(listener->address));
	if (r == 0)
		r = put(object, "invocation", text_json(listener->invocation));
	return r < 0 ? NULL : take_ptr(object);
}

static json_t *containers_json(const struct txn_containers *list)
{
	json_auto_t *array = json_array();

	for (size_t i = 0; i < list->count; i++) {
		const struct txn_container *container = &list->items[i];
		json_auto_t *object = json_object();

		if (put(object, "id", text_json(container->id)) < 0 ||
		    put(object, "name", text_json(container->name)) < 0 ||
		    put(object, "paused", json_boolean(container->paused)) < 0 ||
		    json_array_append(array, object) < 0)
			return NULL;
	}
	return take_ptr(array);
}

static int put_history(json_t *object, const struct txn *txn)
{
	int r = put(object, "schema", json_integer(TXN_SCHEMA));

	if (r == 0)
		r = put(object, "id", text_json(txn->id));
	if (r == 0)
		r = put(object, "kind", text_json(txn_kind_name(txn->kind)));
	if (r == 0)
		r = put(object, "of", text_json(txn->of));
	if (r == 0)
		r = put(object, "state", text_json(txn_state_name(txn->state)));
	if (r == 0)
		r = put(object, "result", text_json(txn->result));
	if (r == 0)
		r = put(object, "error", text_json(txn->error));
	if (r == 0)
		r = put(object, "started", text_json(txn->started));
	if (r == 0)
		r = put(object, "finished", text_json(txn->finished));
	if (r == 0)
		r = put(object, "user", text_json(txn->user));
	if (r == 0)
		r = put(object, "uid", json_integer(txn->uid));
	if (r == 0)
		r = put(object, "profile", text_json(txn->profile));
	return r;
}

static int put_work(json_t *object, const struct txn *txn)
{
	int r = put(object, "unit", text_json(txn->unit));

	if (r == 0)
		r = put(object, "socket", text_json(txn->socket));
	if (r == 0)
		r = put(object, "daemon", text_json(txn_daemon_name(txn->daemon)));
	if (r == 0)
		r = put(object, "invocation", text_json(txn->invocation));
	if (r == 0)
		r = put(object, "action", text_json(plan_action_name(txn->action)));
	if (r == 0)
		r = put(object, "units_changed", json_boolean(txn->units_changed));
	if (r == 0)
		r = put(object, "live_restore", json_boolean(txn->live_restore));
	if (r == 0 && txn->listener.unit)
		r = put(object, "listener", listener_json(&txn->listener));
	if (r == 0)
		r = put(object, "folders", list_json(&txn->folders));
	if (r == 0)
		r = put(object, "folders_left", list_json(&txn->folders_left));
	if (r == 0)
		r = put(object, "files", files_json(txn));
	if (r == 0)
		r = put(object, "expectations", expectations_json(txn));
	if (r == 0)
		r = put(object, "running", containers_json(&txn->running));
	if (r == 0)
		r = put(object, "stops", json_boolean(txn->stops));
	if (r == 0)
		r = put(object, "starts", containers_json(&txn->starts));
	if (r == 0 && txn->canary)
		r = put(object, "canary", json_true());
	return r;
}

json_t *txn_to_json(const struct txn *txn)
{
	json_auto_t *object = json_object();

	if (put_history(object, txn) < 0 || put_work(object, txn) < 0)
		return NULL;
	return take_ptr(object);
}
