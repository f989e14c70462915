/* Profiles: what a hardened daemon looks like, as data. One row a setting; the format is strict and
 * every mistake in it is reported with its line, column and what was expected.
 *
 *   { "schema": 1, "name": "site", "title": "…", "extends": "hardened",
 *     "settings": [ { "key": "log-driver", "wanted": "journald" } ],
 *     "omit": [ "userns-remap" ],
 *     "skip": [ { "key": "icc", "reason": "ticket 4711", "until": "2027-01-31" } ] }
 *
 * A row of a key that the extended profile has changes only the members it names. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <jansson.h>

#include "base/cleanup.h"
#include "base/error.h"

/* How a row is judged. A new setting that follows one of these kinds is a new row, not new code. */
enum rule_kind {
	RULE_VALUE,   /* the key has the wanted value, or one that complies */
	RULE_ABSENT,  /* the key is not set, or (with `refuses`) not to one of those values */
	RULE_PRESENT, /* the key has some value; which one only the admin can know */
	RULE_WITHOUT, /* no item of the list starts with one of `refuses` */
	RULE_ULIMITS, /* default-ulimits: what the admin has, if valid, else the wanted entries */
	RULE_STORAGE_DRIVER, /* never hides what is stored */
	RULE_TLS_HOSTS,      /* TCP listeners only with tlsverify */
	RULE_FILE,           /* owner and mode of files on the host */
};

/* What a difference becomes. */
enum otherwise {
	OTHERWISE_CHANGE, /* changed */
	OTHERWISE_HOLD,   /* changed with --accept: it could take something away */
	OTHERWISE_MANUAL, /* shown; only the admin can do it */
};

/* Preconditions on the host; without them the change cannot work. */
enum need {
	NEED_BR_NETFILTER = 1 << 0,  /* the kernel module is loaded or can be */
	NEED_IPTABLES = 1 << 1,      /* dockerd may write iptables rules */
	NEED_NO_SWARM = 1 << 2,      /* not a swarm node; else the row is skipped */
	NEED_SYSLOG_SOCKET = 1 << 3, /* someone listens on /dev/log, unless syslog-address is set */
};

/* The versions of the CIS Docker Benchmark that numbers are given for. */
#define CIS_BENCHMARKS 4
extern const char *const cis_benchmarks[CIS_BENCHMARKS]; /* "1.1", "1.6", "1.7", "1.8" */

struct profile_row {
	char *key;
	char *title;
	char *why;
	char *risk; /* NULL when applying it risks nothing */
	enum rule_kind rule;
	json_t *wanted;          /* json_null() for rules that want no particular value */
	json_t *complies;        /* array of other values that are as good, or NULL */
	bool non_empty_complies; /* "complies": "non-empty" */
	json_t *refuses;         /* array of values (or prefixes) that never comply, or NULL */
	bool has_cis; /* the row has the member, if only to say that there is no number */
	char *cis[CIS_BENCHMARKS]; /* its number in each, NULL where there is none */
	int level;                 /* of CIS: 1 or 2; 0 when CIS has no such control */
	unsigned needs;            /* enum need, or'ed */
	enum otherwise otherwise;
	char *consequence; /* with OTHERWISE_HOLD: what would be taken away */
	char *role;        /* RULE_FILE: which file (struct file_facts) */
	char *owner;       /* RULE_FILE: "root:root" */
	mode_t mode;       /* RULE_FILE: the most permissive mode that complies */
};

/* A waiver. */
struct profile_skip {
	char *key;
	char *reason;
	char *until; /* YYYY-MM-DD, the last day it holds; NULL: without end */
};

struct profile {
	char *name;
	char *title;
	char *extends; /* NULL when it stands alone */
	struct profile_row *rows;
	size_t row_count;
	struct profile_skip *skips;
	size_t skip_count;
};

void profile_done(struct profile *profile);
#define cleanup_profile scoped(profile_done)

/* Finds the text of the profile that another one extends. Sets *ret_text (the caller frees it),
 * *ret_length and *ret_path (name for messages, the caller frees it). */
typedef int (*profile_loader)(const char *name, void *context, char **ret_text, size_t *ret_length,
			      char **ret_path, struct error *error);

/* Reads a profile and all that it extends. path names it in errors. *ret is set only on success. */
int profile_parse(const char *text, size_t length, const char *path, profile_loader loader,
		  void *context, struct profile *ret, struct error *error);

/* NULL when the profile has no such row. */
const struct profile_row *profile_find(const struct profile *profile, const char *key);

/* The row's CIS number in a benchmark version ("1.6"), or NULL. Borrowed. */
const char *profile_row_cis(const struct profile_row *row, const char *benchmark);

/* True for a well-formed date YYYY-MM-DD that exists in the calendar. */
bool profile_date_is_valid(const char *date);
