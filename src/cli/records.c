#include "cli/records.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/text.h"

void records_done(struct records *records)
{
	for (size_t i = 0; i < records->count; i++)
		txn_done(&records->items[i].txn);
	free(records->items);
	*records = (struct records){.items = NULL};
}

int records_load(const struct store *store, struct records *ret, struct error *error)
{
	cleanup_strlist struct strlist ids = {.items = NULL};
	cleanup_records struct records records = {.items = NULL};

	int r = store_list(store, &ids, error);
	if (r < 0)
		return r;
	records.items = calloc(ids.count + 1, sizeof *records.items);
	if (!records.items)
		return error_set_oom(error);
	for (size_t i = 0; i < ids.count; i++) {
		struct record *record = &records.items[records.count++];
		r = store_load(store, ids.items[i], false, &record->txn, &record->error);
		if (r == 0)
			continue;
		record->txn = (struct txn){.id = strdup(ids.items[i])};
		if (!record->txn.id)
			return error_set_oom(error);
	}
	records_judge(&records);
	*ret = records;
	records = (struct records){.items = NULL};
	return 0;
}

const struct record *records_undone_by(const struct records *records, const char *id)
{
	for (size_t i = 0; i < records->count; i++)
		if (records->items[i].stands && text_equal(records->items[i].txn.of, id))
			return &records->items[i];
	return NULL;
}

/* What undoes something is younger than it, so the youngest is judged first. */
void records_judge(struct records *records)
{
	for (size_t i = 0; i < records->count; i++)
		records->items[i].stands = false;
	for (size_t i = records->count; i > 0; i--) {
		struct record *record = &records->items[i - 1];
		record->stands = !record->error.code && record->txn.state == TXN_COMMITTED &&
				 !records_undone_by(records, record->txn.id);
	}
}

const struct record *records_latest_apply(const struct records *records)
{
	for (size_t i = records->count; i > 0; i--) {
		const struct record *record = &records->items[i - 1];
		/* One that only restarted the daemon has nothing to give back. */
		if (record->stands && record->txn.kind == TXN_APPLY && record->txn.file_count)
			return record;
	}
	return NULL;
}

const struct record *records_find(const struct records *records, const char *id)
{
	for (size_t i = 0; i < records->count; i++)
		if (strcmp(records->items[i].txn.id, id) == 0)
			return &records->items[i];
	return NULL;
}

char *record_what(const struct txn *txn)
{
	char *text = NULL;
	int length = txn->kind == TXN_APPLY
			     ? asprintf(&text, "apply %s", txn->profile ? txn->profile : "")
			     : asprintf(&text, "rollback of %s", txn->of ? txn->of : "?");

	return length < 0 ? NULL : text;
}

void record_time(const char *moment, char ret[RECORD_TIME_SIZE])
{
	struct tm utc = {.tm_isdst = 0};
	struct tm local;
	const char *end = moment ? strptime(moment, "%Y-%m-%dT%H:%M:%SZ", &utc) : NULL;
	time_t seconds = end && !*end ? timegm(&utc) : -1;

	if (seconds != -1 && localtime_r(&seconds, &local) &&
	    strftime(ret, RECORD_TIME_SIZE, "%Y-%m-%d %H:%M:%S", &local))
		return;
	(void)snprintf(ret, RECORD_TIME_SIZE, "%s", moment ? moment : "?");
}
