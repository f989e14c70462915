/* Records of transactions: what is read must be what is written again, whole and safe to use. */
#include "fuzz.h"

#include <jansson.h>

#include "apply/journal.h"
#include "apply/txn.h"
#include "base/text.h"
#include "cli/records.h"

static void check_version(const struct filestate *state)
{
	if (!state->exists)
		return;
	require(state->mode <= 07777 && state->uid != (uid_t)-1 && state->gid != (gid_t)-1);
	require(!state->data);
	for (size_t i = 0; i < state->xattr_count; i++) {
		require(!state->xattrs[i].value == !state->xattrs[i].size);
		require(filestate_xattr(state, state->xattrs[i].name) == &state->xattrs[i]);
		(void)xattr_is_given(state->xattrs[i].name);
	}
	require(filestate_same(state, state));
}

static void check_file(struct txn_file *file)
{
	require(file->path && file->target && file->target[0] == '/');
	if (file->temporary) {
		/* It is renamed over the target. */
		size_t folder = (size_t)(strrchr(file->target, '/') - file->target) + 1;
		require(strncmp(file->temporary, file->target, folder) == 0);
		require(!strchr(file->temporary + folder, '/') && file->temporary[folder]);
	}
	for (enum txn_version version = TXN_BEFORE; version <= TXN_AFTER; version++) {
		check_version(txn_file_version(file, version));
		(void)txn_keeps_bytes(file, version);
	}
}

static void check_containers(const struct txn_containers *list)
{
	for (size_t i = 0; i < list->count; i++)
		require(txn_container_id_is_valid(list->items[i].id) && list->items[i].name);
}

static void check_txn(struct txn *txn)
{
	require(txn_id_is_valid(txn->id) && (!txn->of || txn_id_is_valid(txn->of)));
	require(txn->started && txn->user && txn->unit);
	for (size_t i = 0; i < txn->file_count; i++)
		check_file(&txn->files[i]);
	for (size_t i = 0; i < txn->expectation_count; i++)
		require(txn->expectations[i].key && txn->expectations[i].key[0]);
	check_containers(&txn->running);
	check_containers(&txn->starts);
	(void)txn_data_key(txn);
	(void)txn_is_final(txn);
}

/* What people and the journal are told of it. */
static void check_told(const struct txn *txn)
{
	cleanup_strbuf struct strbuf entry = STRBUF_EMPTY;
	cleanup_free char *what = record_what(txn);
	char moment[RECORD_TIME_SIZE];

	require(what && *what);
	record_time(txn->started, moment);
	require(memchr(moment, '\0', sizeof moment) != NULL);
	for (enum journal_event event = EVENT_APPLY_STARTED; event <= EVENT_RECOVERED; event++) {
		entry.length = 0;
		require(journal_entry(event, txn, txn->error ? txn->error : "done", &entry) == 0);
		require(text_starts_with(entry.data, "MESSAGE"));
		require(entry.data[entry.length - 1] == '\n');
	}
}

/* Written once, it reads as the same, and is written in the same way. */
static void check_written(const struct txn *txn)
{
	cleanup_txn struct txn again = {.id = NULL};
	json_auto_t *first = txn_to_json(txn);
	struct error error = ERROR_NONE;

	require(first != NULL);
	require(txn_from_json(first, "record.json", &again, &error) == 0);
	json_auto_t *second = txn_to_json(&again);
	require(second && json_equal(first, second));
}

/* The same record twice in a list: which of them stand. */
static void check_records(struct txn *txn)
{
	struct record items[2] = {{.txn = *txn}, {.txn = *txn}};
	struct records records = {.items = items, .count = array_size(items)};

	records_judge(&records);
	const struct record *latest = records_latest_apply(&records);
	require(!latest || latest->stands);
	require(records_find(&records, txn->id) != NULL);
	(void)records_undone_by(&records, txn->id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_txn struct txn txn = {.id = NULL};
	struct error error = ERROR_NONE;
	json_auto_t *document =
		json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);

	if (!document)
		return 0;
	int r = txn_from_json(document, "record.json", &txn, &error);
	if (r < 0) {
		require_error(r, &error);
		require(text_equal(error.path, "record.json"));
		require(!txn.id && !txn.files && !txn.unit);
		return 0;
	}
	check_txn(&txn);
	check_told(&txn);
	check_written(&txn);
	check_records(&txn);
	return 0;
}
