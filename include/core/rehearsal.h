/* The rehearsal, as far as it can be decided without touching anything: how a throwaway dockerd is
 * started with the candidate configuration, what of it is replaced, and what is left out.
 *
 * Replaced is what would reach the live daemon or its data: the address it listens at, data root,
 * exec root, pid file, containerd and the parent of its cgroups. Left out is what belongs to the
 * host's own network or to the live daemon's plugins; a note says so. Everything else is as it will
 * be, byte for byte. */
#pragma once

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/strbuf.h"
#include "base/strlist.h"
#include "core/configuration.h"
#include "core/facts.h"

/* Fixed names: what a harden that was killed leaves behind is found by them. */
#define REHEARSAL_UNIT "harden-rehearsal.service"
/* systemd does not forget the first one as long as somebody wants to know how it ended. */
#define REHEARSAL_CONTROL_UNIT "harden-rehearsal-control.service"
/* Of the unit and of the containers that it starts, so that both end together. Without a dash: it
 * would be inside of another slice. */
#define REHEARSAL_SLICE "hardenrehearsal.slice"
#define REHEARSAL_FOLDER "/run/harden-rehearsal"
#define REHEARSAL_CONFIG REHEARSAL_FOLDER "/daemon.json"
/* In a folder for root alone: members of the group docker may not be meant to have it. */
#define REHEARSAL_SOCKET REHEARSAL_FOLDER "/api/docker.sock"
#define REHEARSAL_DATA REHEARSAL_FOLDER "/data"
/* Of the folder behind REHEARSAL_DATA, which is on the file system of the real data root. */
#define REHEARSAL_DATA_NAME ".harden-rehearsal"

struct rehearsal_question {
	const struct facts *facts;
	const struct configuration *configuration; /* as it is now */
	const struct strlist *command_line; /* as it will be, the program first; empty: as now */
	const char *text; /* daemon.json as it will be; may be NULL with length 0 */
	size_t length;
	const struct strlist *links;   /* the host's network interfaces */
	const struct strlist *managed; /* plugins that dockerd itself keeps, "NAME:TAG" */
	bool cgroup2;
};

struct rehearsal_script {
	char *obstacle; /* why it cannot be done here, a sentence; NULL, and the rest is filled */
	char *program;
	struct strlist argv;
	struct strlist environment; /* "NAME=value" */
	struct strbuf config;       /* the private copy of daemon.json */
	json_t *document;           /* the candidate, as dockerd reads it */
	char *data_root;            /* the real one, as it will be */
	bool accounts;              /* it needs a user dockremap that the real start would create */
	bool silent; /* its log driver speaks to somebody, so that a container in it must not log */
	char *unheard;           /* why that somebody is known not to be there, a sentence; NULL */
	struct strlist replaced; /* keys whose own value is not rehearsed */
	struct strlist notes;    /* the same as sentences, where it matters to a person */
};

void rehearsal_script_done(struct rehearsal_script *script);
#define cleanup_rehearsal_script scoped(rehearsal_script_done)

int rehearsal_write(const struct rehearsal_question *question, struct rehearsal_script *ret,
		    struct error *error);

/* The same dockerd with nothing but what is replaced anyway: where not even that comes up, a
 * failure says nothing about the candidate. The storage driver is the one in use, since the host
 * may have no other. */
int rehearsal_write_control(const struct rehearsal_script *script, const struct facts *facts,
			    struct rehearsal_script *ret, struct error *error);

/* The key that dockerd's words are about: one that they name, one whose value they name, or one
 * that the wording gives away (dockerd 20.10 to 29). NULL where it cannot be told; otherwise
 * borrowed from the document or a constant. */
const char *rehearsal_cause(const struct strlist *words, json_t *document);

/* The words with the rehearsal's own paths replaced by what they stand for. */
int rehearsal_translate(const struct strlist *words, const struct rehearsal_script *script,
			struct strlist *ret, struct error *error);

/* The tables of accounts that dockerd finds when its user dockremap has been created, without
 * creating it. */
enum account_table {
	ACCOUNT_PASSWD,
	ACCOUNT_GROUP,
	ACCOUNT_SUBUID,
	ACCOUNT_SUBGID,
	ACCOUNT_TABLES,
};

extern const char *const account_table_names[ACCOUNT_TABLES]; /* "passwd", … */

/* Appends the table with dockremap in it: `texts` are those of the host ("" where there is none).
 * Its ids are free ones; the ranges lie behind all others. */
int rehearsal_account(const char *const texts[static ACCOUNT_TABLES], enum account_table table,
		      struct strbuf *ret, struct error *error);
