#include <string.h>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/records.h"
#include "cli/session.h"

/* How it ended. One that has no end was interrupted, or is under way. */
static char *result_text(const struct records *records, const struct record *record)
{
	const struct txn *txn = &record->txn;
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
	const struct record *by =
		txn->state == TXN_COMMITTED ? records_undone_by(records, txn->id) : NULL;

	if (record->error.code)
		(void)strbuf_adds(&text, "cannot be read");
	else if (!txn_is_final(txn))
		(void)strbuf_adds(&text, "not finished: harden recover");
	else
		(void)strbuf_adds(&text, txn->result ? txn->result : txn_state_name(txn->state));
	if (by)
		(void)strbuf_addf(&text, ", undone by %s", by->txn.id);
	return strbuf_finish(&text);
}

struct columns {
	size_t id;
	size_t user;
	size_t what;
};

static void widen(size_t *width, const char *text)
{
	size_t length = utf8_count(text, strlen(text));

	if (length > *width)
		*width = length;
}

static void put_cell(struct strbuf *out, const char *text, size_t width)
{
	cleanup_strbuf struct strbuf clean = STRBUF_EMPTY;

	(void)text_add_printable(&clean, text, strlen(text), false);
	const char *shown = clean.data ? clean.data : "";
	size_t length = utf8_count(shown, strlen(shown));
	(void)strbuf_adds(out, shown);
	(void)strbuf_add_repeated(out, ' ', (length < width ? width - length : 0) + 2);
}

static const char *user_name(const struct txn *txn)
{
	return txn->user ? txn->user : "?";
}

static void put_row(struct strbuf *out, const struct records *records, const struct record *record,
		    const struct columns *columns)
{
	cleanup_free char *what = record->error.code ? NULL : record_what(&record->txn);
	cleanup_free char *result = result_text(records, record);
	cleanup_strbuf struct strbuf clean = STRBUF_EMPTY;
	char time[RECORD_TIME_SIZE];

	record_time(record->txn.started, time);
	put_cell(out, record->txn.id, columns->id);
	put_cell(out, time, strlen("2026-11-23 21:44:55"));
	put_cell(out, user_name(&record->txn), columns->user);
	put_cell(out, what ? what : "?", columns->what);
	(void)text_add_printable(&clean, result ? result : "?", strlen(result ? result : "?"),
				 false);
	(void)strbuf_adds(out, clean.data ? clean.data : "");
	(void)strbuf_addc(out, '\n');
}

static int show_table(const struct records *records)
{
	cleanup_strbuf struct strbuf out = STRBUF_EMPTY;
	struct columns columns = {
		.id = strlen("ID"), .user = strlen("WHO"), .what = strlen("WHAT")};

	if (!records->count)
		(void)strbuf_adds(&out, "Nothing was applied yet.\n");
	for (size_t i = 0; i < records->count; i++) {
		const struct txn *txn = &records->items[i].txn;
		cleanup_free char *what = records->items[i].error.code ? NULL : record_what(txn);
		widen(&columns.id, txn->id);
		widen(&columns.user, user_name(txn));
		widen(&columns.what, what ? what : "");
	}
	if (records->count) {
		put_cell(&out, "ID", columns.id);
		put_cell(&out, "WHEN", strlen("2026-11-23 21:44:55"));
		put_cell(&out, "WHO", columns.user);
		put_cell(&out, "WHAT", columns.what);
		(void)strbuf_adds(&out, "RESULT\n");
	}
	for (size_t i = 0; i < records->count; i++)
		put_row(&out, records, &records->items[i], &columns);
	return !out.failed && output_text(out.data, out.length) ? EXIT_FINE : EXIT_TROUBLE;
}

static json_t *record_json(const struct txn *txn)
{
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:o}", "id", txn->id,
			 "kind", txn_kind_name(txn->kind), "of", show_text_json(txn->of), "started",
			 show_text_json(txn->started), "finished", show_text_json(txn->finished),
			 "user", show_text_json(txn->user), "profile", show_text_json(txn->profile),
			 "state", txn_state_name(txn->state), "result", show_text_json(txn->result),
			 "error", show_text_json(txn->error));
}

static int show_document(const struct records *records, const struct error *error)
{
	char text[sizeof *error];
	json_t *document = document_start("history");
	json_t *applies = json_array();
	bool fine = true;

	for (size_t i = 0; i < records->count; i++)
		if (!records->items[i].error.code)
			fine &= json_array_append_new(applies,
						      record_json(&records->items[i].txn)) == 0;
	fine &= json_object_set_new(document, "applies", applies) == 0;
	if (error->code)
		fine &= json_object_set_new(
				document, "error",
				show_text_json(error_format(error, text, sizeof text))) == 0;
	if (!fine) {
		json_decref(document);
		document = NULL;
	}
	return output_json(document) ? EXIT_FINE : EXIT_TROUBLE;
}

/* Says which records cannot be read; *ret is the first reason. */
static void complain(const struct records *records, struct error *ret)
{
	for (size_t i = 0; i < records->count; i++) {
		const struct error *error = &records->items[i].error;
		if (!error->code)
			continue;
		output_complaint(error);
		if (!ret->code)
			*ret = *error;
	}
}

int command_history(const struct options *options)
{
	cleanup_store struct store store = STORE_CLOSED;
	cleanup_records struct records records = {.items = NULL};
	struct error error = ERROR_NONE;

	if (session_may_read("history", &error) < 0 ||
	    store_open(STORE_FOLDER, &store, &error) < 0 ||
	    records_load(&store, &records, &error) < 0)
		return output_error(options, "history", &error);
	complain(&records, &error);
	int status = options->json ? show_document(&records, &error) : show_table(&records);
	return error.code ? EXIT_TROUBLE : status;
}
