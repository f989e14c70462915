#include "harness.h"

#include <errno.h>

#include <jansson.h>

#include "apply/txn.h"

#define DIGEST "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

/* A record with all that can be in one. */
static const char document_text[] =
	"{\"schema\": 1, \"id\": \"20261123T214455Z-002\", \"kind\": \"rollback\","
	" \"of\": \"20261123T214455Z\", \"state\": \"undoing\", \"result\": \"rolled-back\","
	" \"error\": \"dockerd said \\u201cno\\u201d\", \"started\": \"2026-11-23T21:44:55Z\","
	" \"finished\": \"2026-11-23T21:44:58Z\", \"user\": {\"hex\": \"ff41\"}, \"uid\": 1000,"
	" \"profile\": \"hardened\", \"unit\": \"docker.service\","
	" \"socket\": \"/run/docker.sock\", \"daemon\": \"running\","
	" \"invocation\": \"0123456789abcdef0123456789abcdef\", \"action\": \"reload+restart\","
	" \"units_changed\": true, \"live_restore\": true,"
	" \"listener\": {\"unit\": \"rsyslog.service\", \"address\": \"tcp://[::1]:514\","
	" \"invocation\": null},"
	" \"folders\": [\"/etc/docker\", {\"hex\": \"2fff\"}], \"folders_left\": [\"/etc/old\"],"
	" \"files\": [{\"path\": \"/etc/docker/daemon.json\", \"target\": \"/srv/docker/d.json\","
	" \"temporary\": \"/srv/docker/.d.json.harden-new\", \"action\": \"modify\","
	" \"config\": true,"
	" \"before\": {\"exists\": true, \"folder\": false, \"sha256\": \"" DIGEST "\","
	" \"size\": 3, \"uid\": 0, \"gid\": 4294967294, \"mode\": \"0640\","
	" \"mtime\": {\"seconds\": -5, \"nanoseconds\": 999999999},"
	" \"xattrs\": [{\"name\": \"user.a\", \"value\": \"00ff\"},"
	" {\"name\": \"user.b\", \"value\": \"\"}]},"
	" \"after\": {\"exists\": false}},"
	" {\"path\": \"/etc/docker\", \"target\": \"/etc/docker\", \"temporary\": null,"
	" \"action\": \"mode\", \"config\": false,"
	" \"before\": {\"exists\": true, \"folder\": true, \"uid\": 1, \"gid\": 2,"
	" \"mode\": \"7777\", \"mtime\": {\"seconds\": 0, \"nanoseconds\": 0}, \"xattrs\": []},"
	" \"after\": {\"exists\": false}},"
	" {\"path\": \"/run/docker.sock\", \"target\": \"/run/docker.sock\","
	" \"temporary\": null, \"action\": \"mode\", \"config\": false,"
	" \"before\": {\"exists\": true, \"folder\": false, \"socket\": true, \"uid\": 0,"
	" \"gid\": 5, \"mode\": \"0666\", \"mtime\": {\"seconds\": 0, \"nanoseconds\": 0},"
	" \"xattrs\": []}, \"after\": {\"exists\": false}}],"
	" \"expectations\": [{\"key\": \"icc\", \"before\": null, \"wanted\": {\"a\": [1.5]},"
	" \"effect\": \"containers\"}, {\"key\": \"bip\", \"effect\": \"none\"}],"
	" \"running\": [{\"id\": \"" DIGEST "\", \"name\": \"web\", \"paused\": true}],"
	" \"stops\": true, \"starts\": [{\"id\": \"" DIGEST "\", \"name\": \"web\","
	" \"paused\": false}], \"canary\": true}";

static struct txn txn;
static struct error error;

static json_t *document(void)
{
	json_t *value = json_loads(document_text, JSON_REJECT_DUPLICATES, NULL);

	ck_assert_ptr_nonnull(value);
	return value;
}

static int read_record(const json_t *value)
{
	txn_done(&txn);
	error = ERROR_NONE;
	return txn_from_json(value, "/store/record.json", &txn, &error);
}

START_TEST(every_member_is_read)
{
	json_auto_t *value = document();

	ck_assert_msg(read_record(value) == 0, "%s", error.text);
	ck_assert_str_eq(txn.id, "20261123T214455Z-002");
	ck_assert_int_eq(txn.kind, TXN_ROLLBACK);
	ck_assert_str_eq(txn.of, "20261123T214455Z");
	ck_assert_int_eq(txn.state, TXN_UNDOING);
	ck_assert_str_eq(txn.result, "rolled-back");
	ck_assert_str_eq(txn.error, "dockerd said \xe2\x80\x9cno\xe2\x80\x9d");
	ck_assert_str_eq(txn.started, "2026-11-23T21:44:55Z");
	ck_assert_str_eq(txn.finished, "2026-11-23T21:44:58Z");
	ck_assert_str_eq(txn.user, "\xff"
				   "A");
	ck_assert_uint_eq(txn.uid, 1000);
	ck_assert_str_eq(txn.profile, "hardened");
	ck_assert_str_eq(txn.unit, "docker.service");
	ck_assert_str_eq(txn.socket, "/run/docker.sock");
	ck_assert_int_eq(txn.daemon, DAEMON_RUNNING);
	ck_assert_str_eq(txn.invocation, "0123456789abcdef0123456789abcdef");
	ck_assert_int_eq(txn.action, ACTION_RELOAD_RESTART);
	ck_assert(txn.units_changed);
	ck_assert(txn.live_restore);
	ck_assert_str_eq(txn.listener.unit, "rsyslog.service");
	ck_assert_str_eq(txn.listener.address, "tcp://[::1]:514");
	ck_assert_ptr_null(txn.listener.invocation);
	ck_assert_uint_eq(txn.folders.count, 2);
	ck_assert_str_eq(txn.folders.items[1], "/\xff");
	ck_assert_uint_eq(txn.folders_left.count, 1);
	ck_assert_str_eq(txn.folders_left.items[0], "/etc/old");
	ck_assert_uint_eq(txn.expectation_count, 2);
	ck_assert_str_eq(txn.expectations[0].key, "icc");
	ck_assert(json_is_null(txn.expectations[0].before));
	ck_assert(json_is_object(txn.expectations[0].wanted));
	ck_assert_int_eq(txn.expectations[0].effect, EFFECT_CONTAINERS);
	ck_assert_ptr_null(txn.expectations[1].before);
	ck_assert_ptr_null(txn.expectations[1].wanted);
	ck_assert_int_eq(txn.expectations[1].effect, EFFECT_NONE);
	ck_assert(!txn_is_final(&txn));
}
END_TEST

START_TEST(every_member_of_a_file_is_read)
{
	json_auto_t *value = document();

	ck_assert_int_eq(read_record(value), 0);
	ck_assert_uint_eq(txn.file_count, 3);
	ck_assert(txn.files[2].before.socket);
	const struct txn_file *file = &txn.files[0];
	ck_assert_str_eq(file->path, "/etc/docker/daemon.json");
	ck_assert_str_eq(file->target, "/srv/docker/d.json");
	ck_assert_str_eq(file->temporary, "/srv/docker/.d.json.harden-new");
	ck_assert_int_eq(file->action, FILE_MODIFY);
	ck_assert(file->config);
	ck_assert(!file->after.exists);
	const struct filestate *state = &file->before;
	ck_assert(state->exists);
	ck_assert(!state->folder);
	ck_assert_ptr_null(state->data);
	ck_assert_str_eq(state->sha256, DIGEST);
	ck_assert_uint_eq(state->length, 3);
	ck_assert_uint_eq(state->uid, 0);
	ck_assert_uint_eq(state->gid, 4294967294);
	ck_assert_uint_eq(state->mode, 0640);
	ck_assert_int_eq(state->mtime.tv_sec, -5);
	ck_assert_int_eq(state->mtime.tv_nsec, 999999999);
	ck_assert_uint_eq(state->xattr_count, 2);
	ck_assert_str_eq(state->xattrs[0].name, "user.a");
	ck_assert_uint_eq(state->xattrs[0].size, 2);
	ck_assert_mem_eq(state->xattrs[0].value, "\0\xff", 2);
	ck_assert_uint_eq(state->xattrs[1].size, 0);
	ck_assert_ptr_null(state->xattrs[1].value);
	file = &txn.files[1];
	ck_assert_ptr_null(file->temporary);
	ck_assert_int_eq(file->action, FILE_MODE);
	ck_assert(file->before.folder);
	ck_assert_uint_eq(file->before.mode, 07777);
}
END_TEST

START_TEST(a_record_becomes_the_same_record)
{
	json_auto_t *value = document();

	ck_assert_int_eq(read_record(value), 0);
	json_auto_t *again = txn_to_json(&txn);
	ck_assert_ptr_nonnull(again);
	cleanup_free char *text = json_dumps(again, JSON_INDENT(2));
	ck_assert_msg(json_equal(value, again), "%s", text);
}
END_TEST

START_TEST(what_is_not_known_is_null)
{
	json_auto_t *value = document();
	static const char *const optional[] = {"of",      "result", "error",     "finished",
					       "profile", "socket", "invocation"};

	for (size_t i = 0; i < array_size(optional); i++)
		ck_assert_int_eq(json_object_set_new(value, optional[i], json_null()), 0);
	ck_assert_int_eq(read_record(value), 0);
	ck_assert_ptr_null(txn.of);
	ck_assert_ptr_null(txn.result);
	ck_assert_ptr_null(txn.error);
	ck_assert_ptr_null(txn.finished);
	ck_assert_ptr_null(txn.profile);
	ck_assert_ptr_null(txn.socket);
	ck_assert_ptr_null(txn.invocation);
	json_auto_t *again = txn_to_json(&txn);
	ck_assert(json_equal(value, again));
}
END_TEST

/* ---- spoilt records ---- */

/* A bad value at a place in the record: dots between the keys, numbers for elements. */
static const struct {
	const char *place;
	const char *value; /* JSON; NULL removes the member */
	const char *words; /* in the error */
} damages[] = {
	{"schema", NULL, "schema is missing"},
	{"schema", "\"1\"", "schema is missing, or no number"},
	{"schema", "2", "another version of harden (schema 2)"},
	{"id", "\"../../etc\"", "id is no id"},
	{"id", "\"20261123T214455Z-02\"", "id is no id"},
	{"id", "null", "id is no text"},
	{"of", "\"x\"", "of is no id"},
	{"of", NULL, "of is missing"},
	{"kind", "\"install\"", "kind is none of the words"},
	{"kind", "\"\"", "kind is empty"},
	{"state", "\"done\"", "state is none of the words"},
	{"result", "1", "result is no text"},
	{"error", "\"a\\u0000b\"", "error has a NUL"},
	{"error", "{\"hex\": \"4100\"}", "error has a NUL"},
	{"started", "null", "started is no text"},
	{"user", "{\"hex\": \"f\"}", "user is no hexadecimal text"},
	{"user", "{\"hex\": \"FF\"}", "user is no hexadecimal text"},
	{"user", "{\"hex\": 1}", "user is no hexadecimal text"},
	{"user", "{\"hex\": \"ff\", \"x\": 1}", "user is no text"},
	{"uid", "-1", "uid is no number from 0 to 4294967294"},
	{"uid", "4294967295", "uid is no number"},
	{"uid", "1.0", "uid is no number"},
	{"unit", "\"\"", "unit is empty"},
	{"daemon", "\"dead\"", "daemon is none"},
	{"action", "\"reboot\"", "action is none"},
	{"units_changed", "1", "units_changed is neither true nor false"},
	{"live_restore", "null", "live_restore is neither"},
	{"folders", "{}", "folders is no array"},
	{"folders.1", "\"etc\"", "folders[1] is no absolute path"},
	{"folders.0", "\"/etc/\"", "folders[0] is no absolute path"},
	{"folders_left.0", "7", "folders_left[0] is no text"},
	{"files", "null", "files is no array"},
	{"files.0", "[]", "files[0] is no object"},
	{"files.0.path", "\"\"", "files[0].path is empty"},
	{"files.0.target", "\"/\"", "files[0].target is no absolute path"},
	{"files.0.temporary", "\"/etc/passwd\"", "files[0].temporary is not beside the target"},
	{"files.0.temporary", "\"/srv/docker/x/y\"", "files[0].temporary is not beside"},
	{"files.0.temporary", "\"/srv/docker/d.json\"", "files[0].temporary is not beside"},
	{"running.0.id", "\"../x\"", "running[0].id is no container's id"},
	{"running.0.paused", "1", "running[0].paused is neither"},
	{"starts", "{}", "starts is no array"},
	{"stops", "null", "stops is neither"},
	{"canary", "null", "canary is neither"},
	{"files.0.temporary", "\"\"", "files[0].temporary is no absolute path"},
	{"files.1.action", "\"chmod\"", "files[1].action is none"},
	{"files.0.config", "\"yes\"", "files[0].config is neither"},
	{"files.0.before", "null", "files[0].before is no object"},
	{"files.0.before.exists", "0", "files[0].before.exists is neither"},
	{"files.0.before.exists", "false", "files[0].before.folder does not belong there"},
	{"files.0.before.folder", "true", "files[0].before.sha256 does not belong there"},
	{"files.1.before.folder", "false", "files[1].before.sha256 is missing"},
	{"files.2.before.socket", "1", "files[2].before.socket is neither"},
	{"files.2.before.socket", "false", "files[2].before.sha256 is missing"},
	{"files.2.before.size", "1", "files[2].before.size does not belong there"},
	{"listener", "[]", "listener is no object"},
	{"listener.unit", "\"\"", "listener.unit is empty"},
	{"listener.port", "514", "listener.port does not belong there"},
	{"files.0.before.sha256", "\"abc\"", "files[0].before.sha256 is no SHA-256"},
	{"files.0.before.size", "-1", "files[0].before.size is no number"},
	{"files.0.before.size", "99999999999", "files[0].before.size is no number"},
	{"files.0.before.gid", "true", "files[0].before.gid is no number"},
	{"files.0.before.mode", "\"0999\"", "files[0].before.mode is no octal number"},
	{"files.0.before.mode", "\"17777\"", "files[0].before.mode is no octal number"},
	{"files.0.before.mode", "420", "files[0].before.mode is no text"},
	{"files.0.before.mtime", "5", "files[0].before.mtime is no object"},
	{"files.0.before.mtime.seconds", "\"5\"", "files[0].before.mtime.seconds is no number"},
	{"files.0.before.mtime.nanoseconds", "1000000000", "mtime.nanoseconds is no number"},
	{"files.0.before.xattrs.1.name", "\"user.a\"", "xattrs[1].name is out of order"},
	{"files.0.before.xattrs.0.value", "\"0g\"", "xattrs[0].value is no hexadecimal text"},
	{"files.0.before.xattrs.0.x", "1", "files[0].before.xattrs[0].x does not belong there"},
	{"expectations.0.key", "\"\"", "expectations[0].key is empty"},
	{"expectations.1.effect", "\"magic\"", "expectations[1].effect is none"},
	{"expectations.1.x\\u001b", "1", "expectations[1].x\\x1b does not belong there"},
	{"surprise", "{}", "surprise does not belong there"},
};

/* The container at the place without its last key, and that key. */
static json_t *walk(json_t *value, char *place, const char **ret_last)
{
	char *rest = place;

	for (char *dot; (dot = strchr(rest, '.')); rest = dot + 1) {
		*dot = '\0';
		value = json_is_array(value) ? json_array_get(value, strtoul(rest, NULL, 10))
					     : json_object_get(value, rest);
		ck_assert_ptr_nonnull(value);
	}
	*ret_last = rest;
	return value;
}

START_TEST(damage_is_named)
{
	json_auto_t *value = document();
	char place[64];
	const char *last = NULL;

	/* The one key that cannot be written down as it is. */
	(void)snprintf(place, sizeof place, "%s", damages[_i].place);
	char *escape = strstr(place, "\\u001b");
	if (escape) {
		escape[0] = '\x1b';
		escape[1] = '\0';
	}
	json_t *container = walk(value, place, &last);
	json_t *bad = damages[_i].value ? json_loads(damages[_i].value,
						     JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL)
					: NULL;
	if (json_is_array(container))
		ck_assert_int_eq(json_array_set_new(container, strtoul(last, NULL, 10), bad), 0);
	else if (bad)
		ck_assert_int_eq(json_object_set_new(container, last, bad), 0);
	else
		ck_assert_int_eq(json_object_del(container, last), 0);

	ck_assert_int_lt(read_record(value), 0);
	ck_assert_ptr_null(txn.id);
	ck_assert_str_eq(error.path, "/store/record.json");
	ck_assert_msg(strstr(error.text, damages[_i].words) != NULL, "%s: %s", damages[_i].place,
		      error.text);
}
END_TEST

START_TEST(no_object_no_record)
{
	static const char *const texts[] = {"null", "[]", "1", "\"x\"", "{}"};

	for (size_t i = 0; i < array_size(texts); i++) {
		json_auto_t *value = json_loads(texts[i], JSON_DECODE_ANY, NULL);
		ck_assert_int_eq(read_record(value), -EBADMSG);
	}
	ck_assert_int_eq(read_record(NULL), -EBADMSG);
}
END_TEST

/* Whatever stands in whatever place: an error that is one, or a record that can be written again.
 */
static void try_record(const json_t *value)
{
	int r = read_record(value);

	if (r == 0) {
		json_auto_t *again = txn_to_json(&txn);
		ck_assert_ptr_nonnull(again);
	} else {
		ck_assert_int_eq(error.code, r);
		ck_assert_str_ne(error.text, "");
	}
}

static const char *const replacements[] = {
	"null",       "true",         "0",  "-1",   "1e300", "9223372036854775807", "\"\"",
	"\"x\"",      "\"a\\u0000\"", "[]", "[[]]", "{}",    "{\"hex\": \"00\"}",   "{\"hex\": []}",
	"[null, {}]",
};

static void alter_all(json_t *root, json_t *value);

static void alter_member(json_t *root, json_t *object, const char *key)
{
	json_auto_t *old = json_incref(json_object_get(object, key));

	ck_assert_int_eq(json_object_del(object, key), 0);
	try_record(root);
	for (size_t i = 0; i < array_size(replacements); i++) {
		json_t *other = json_loads(replacements[i], JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
		ck_assert_int_eq(json_object_set_new(object, key, other), 0);
		try_record(root);
	}
	ck_assert_int_eq(json_object_set(object, key, old), 0);
	alter_all(root, old);
}

static void alter_element(json_t *root, json_t *array, size_t index)
{
	json_auto_t *old = json_incref(json_array_get(array, index));

	for (size_t i = 0; i < array_size(replacements); i++) {
		json_t *other = json_loads(replacements[i], JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
		ck_assert_int_eq(json_array_set_new(array, index, other), 0);
		try_record(root);
	}
	ck_assert_int_eq(json_array_set(array, index, old), 0);
	alter_all(root, old);
}

static void alter_all(json_t *root, json_t *value)
{
	const char *keys[64];
	size_t count = 0;
	const char *key;
	json_t *member;

	json_object_foreach (value, key, member)
		keys[count++] = key;
	/* Removing and adding invalidates what iterators point at, names of keys among it. */
	for (size_t i = 0; i < count; i++) {
		keys[i] = strdup(keys[i]);
		ck_assert_ptr_nonnull(keys[i]);
	}
	for (size_t i = 0; i < count; i++) {
		alter_member(root, value, keys[i]);
		free((void *)keys[i]);
	}
	for (size_t i = 0; i < json_array_size(value); i++)
		alter_element(root, value, i);
}

START_TEST(anything_in_any_place_is_survived)
{
	json_auto_t *value = document();
	json_auto_t *same = document();

	alter_all(value, value);
	ck_assert(json_equal(value, same));
	ck_assert_int_eq(read_record(value), 0);
}
END_TEST

/* ---- the small ones ---- */

START_TEST(names)
{
	char name[TXN_BLOB_NAME_SIZE];

	ck_assert_str_eq(txn_kind_name(TXN_APPLY), "apply");
	ck_assert_str_eq(txn_kind_name(TXN_ROLLBACK), "rollback");
	ck_assert_str_eq(txn_state_name(TXN_PREPARED), "prepared");
	ck_assert_str_eq(txn_state_name(TXN_ROLLED_BACK), "rolled-back");
	txn_blob_name(0, TXN_BEFORE, name);
	ck_assert_str_eq(name, "0.before");
	txn_blob_name(17, TXN_AFTER, name);
	ck_assert_str_eq(name, "17.after");
}
END_TEST

START_TEST(ids)
{
	static const char *const good[] = {"20261123T214455Z", "20261123T214455Z-002"};
	static const char *const bad[] = {
		"",
		"20261123T214455",
		"20261123T214455z",
		"2026112XT214455Z",
		"20261123T214455Z-",
		"20261123T214455Z-02",
		".new-20261123T21",
		"20261123T214455Z-0002",
		"../../../../../etc",
	};

	for (size_t i = 0; i < array_size(good); i++)
		ck_assert_msg(txn_id_is_valid(good[i]), "%s", good[i]);
	for (size_t i = 0; i < array_size(bad); i++)
		ck_assert_msg(!txn_id_is_valid(bad[i]), "%s", bad[i]);
}
END_TEST

START_TEST(which_states_are_final)
{
	for (int state = TXN_PREPARED; state <= TXN_ROLLED_BACK; state++) {
		const struct txn one = {.state = (enum txn_state)state};
		ck_assert_int_eq(txn_is_final(&one), state >= TXN_COMMITTED);
	}
}
END_TEST

START_TEST(which_bytes_are_kept)
{
	struct txn_file file = {.action = FILE_MODIFY, .before = {.exists = true}};

	ck_assert(txn_keeps_bytes(&file, TXN_BEFORE));
	ck_assert(!txn_keeps_bytes(&file, TXN_AFTER));
	ck_assert_ptr_eq(txn_file_version(&file, TXN_BEFORE), &file.before);
	ck_assert_ptr_eq(txn_file_version(&file, TXN_AFTER), &file.after);
	file.action = FILE_MODE;
	ck_assert(!txn_keeps_bytes(&file, TXN_BEFORE));
	file.config = true;
	ck_assert(txn_keeps_bytes(&file, TXN_BEFORE));
	file.before.folder = true;
	ck_assert(!txn_keeps_bytes(&file, TXN_BEFORE));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		every_member_is_read,
		every_member_of_a_file_is_read,
		a_record_becomes_the_same_record,
		what_is_not_known_is_null,
		no_object_no_record,
		anything_in_any_place_is_survived,
		names,
		ids,
		which_states_are_final,
		which_bytes_are_kept,
		NULL,
	};

	return test_main_loop("txn", tests, damage_is_named, array_size(damages));
}
