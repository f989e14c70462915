/* The transactions that were recorded, for history and for choosing what to roll back. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "apply/store.h"
#include "apply/txn.h"
#include "base/cleanup.h"
#include "base/error.h"

struct record {
	struct txn txn;     /* without the bytes of files; only the id where it cannot be read */
	struct error error; /* code is 0 unless it cannot be read */
	bool stands;        /* what it did is in force, as far as harden's own records tell */
};

struct records {
	struct record *items; /* oldest first */
	size_t count;
};

void records_done(struct records *records);
#define cleanup_records scoped(records_done)

/* Reads all of them. One that is spoilt is no reason not to know the others. */
int records_load(const struct store *store, struct records *ret, struct error *error);

/* Sets `stands` of each: a committed transaction stands unless a later one undid it and itself
 * stands. An apply that was rolled back does not; when the rollback is rolled back, it does again.
 */
void records_judge(struct records *records);

/* The latest apply that stands and has changed a file; NULL when there is none. */
const struct record *records_latest_apply(const struct records *records);

/* The one that stands and undid this one; NULL when there is none. */
const struct record *records_undone_by(const struct records *records, const char *id);

const struct record *records_find(const struct records *records, const char *id);

/* "apply hardened" or "rollback of ID", as a new string; NULL when out of memory. */
char *record_what(const struct txn *txn);

/* A moment of a record ("2026-11-23T21:44:55Z") in local time, "2026-11-23 22:44:55". */
#define RECORD_TIME_SIZE 32
void record_time(const char *moment, char ret[RECORD_TIME_SIZE]);
