/* The audit: what the file, the flags and the running daemon each say of a setting, and a verdict.
 */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"
#include "core/plan.h"

enum verdict {
	VERDICT_PASS,
	VERDICT_FAIL,
	VERDICT_MANUAL, /* what is right only the admin can know: no failure */
	VERDICT_WAIVED, /* by the profile or by --skip */
	VERDICT_NOT_APPLICABLE,
	VERDICT_COUNT,
};

struct check_row {
	const struct setting *setting; /* borrowed from the plan */
	enum verdict verdict;
	json_t *file;     /* as daemon.json has it; NULL: it does not */
	json_t *flag;     /* as the flags of the unit have it; NULL: they do not */
	json_t *in_force; /* as the daemon tells, or owner and mode of a file; NULL: not known */
	const char *path; /* the file to look at; borrowed from the facts */
	unsigned line;    /* where in daemon.json the key stands; 0: it does not */
};

struct check {
	struct check_row
		*rows; /* in the order of the profile, without those that --only leaves out */
	size_t count;
	size_t counts[VERDICT_COUNT];
	struct strlist obstacles; /* why dockerd would not start with what is configured now */
	struct strlist warnings;  /* the plan's, and what is not known to be in force */
};

void check_done(struct check *check);
#define cleanup_check scoped(check_done)

/* Facts and plan must outlive the check. */
int check_build(const struct facts *facts, const struct plan *plan, struct check *ret,
		struct error *error);

/* Whether nothing fails, and dockerd would start. */
bool check_complies(const struct check *check);

/* pass, fail, manual, waived, not-applicable. */
const char *verdict_name(enum verdict verdict);

/* The control's number in this benchmark, "2.2"; benchmark NULL: in the newest that has it, named
 * where that is not the newest of all, "1.1: 2.13". "" where there is none. Returns the buffer. */
#define CHECK_NUMBER_SIZE 32
const char *check_number(const struct profile_row *row, const char *benchmark,
			 char ret[static CHECK_NUMBER_SIZE]);
