/* The plan: facts + profile + options → what would change, why, and what it would do. No I/O: a
 * plan can be built in a test from literals, and `apply` walks the same value that `plan` shows. */
#pragma once

#include <sys/types.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "core/configuration.h"
#include "core/edits.h"
#include "core/facts.h"
#include "core/options.h"
#include "core/profile.h"
#include "core/request.h"

enum setting_state {
	SETTING_OK,
	SETTING_CHANGE,
	SETTING_HELD,    /* could take something away: needs --accept */
	SETTING_BLOCKED, /* cannot work on this host; the reason names the fix */
	SETTING_SKIPPED, /* left alone: by an option, a waiver, or because it does not apply here */
	SETTING_MANUAL,  /* only the admin can do it */
	/* After an apply a change is one of these. */
	SETTING_APPLIED,
	SETTING_PENDING, /* in the file, not in force */
};

/* Why a setting is left alone. */
enum skip_cause {
	SKIP_DOES_NOT_APPLY, /* as live-restore on a swarm node */
	SKIP_OPTION,         /* --skip */
	SKIP_ONLY,           /* left out by --only */
	SKIP_WAIVER,         /* the profile's */
};

struct setting {
	const struct profile_row *row; /* borrowed from the plan's profile */
	enum setting_state state;
	json_t *current; /* configured for the next start */
	enum value_source source;
	json_t *wanted;
	json_t *in_force; /* NULL: cannot be known */
	enum effect effect;
	char *reason;             /* a sentence or two; NULL when there is nothing to say */
	struct strlist uncovered; /* existing containers that keep their old value */
	bool rewrites; /* a file changes for it; false when only the daemon lags behind */
	enum skip_cause skip_cause; /* of SETTING_SKIPPED */
	const char *waived_until; /* of SKIP_WAIVER; borrowed from the profile, NULL: without end */
};

enum file_action {
	FILE_CREATE,
	FILE_MODIFY,
	FILE_REMOVE,
	FILE_MODE, /* owner or mode only */
};

/* A file as it will be. */
struct planned_file {
	char *path; /* as it is named; a symlink is followed when writing */
	enum file_action action;
	char *before; /* NULL when it does not exist; not masked */
	size_t before_length;
	char *after; /* NULL when it is removed, or only its mode changes */
	size_t after_length;
	uid_t uid;
	gid_t gid;
	mode_t mode;
	char *diff; /* unified, secrets masked */
};

enum plan_action {
	ACTION_NONE,
	ACTION_RELOAD,
	ACTION_RESTART,
	ACTION_RELOAD_RESTART, /* live-restore by a reload first, so that containers stay up */
};

/* A log service that has to listen at an address before dockerd is told to send there. */
struct planned_listener {
	char *unit;    /* "rsyslog.service", restarted for it; NULL: none is needed */
	char *address; /* "tcp://127.0.0.1:514" */
};

struct plan {
	struct profile profile; /* with the rows that --set added */
	struct configuration configuration;
	struct setting *settings; /* in the order of the profile */
	size_t setting_count;
	struct planned_file *files;
	size_t file_count;
	/* The unit's command line once the files are in their places, the program first; empty
	 * where nothing is taken out of it. */
	struct strlist command_line;
	struct planned_listener listener;
	enum plan_action action;
	char *action_reason; /* why not a gentler one; NULL when there is nothing to say */
	bool release;        /* of reload+restart: live-restore goes off after, not on before */
	bool stops;          /* the running containers are stopped before the restart … */
	bool starts;         /* … and the same ones started after it, in the order of `stopped` */
	struct strlist stopped;   /* their names; swarm looks after its tasks itself */
	struct strlist warnings;  /* for people and for JSON */
	struct strlist obstacles; /* why it cannot be carried out, a sentence each */
};

void plan_done(struct plan *plan);
#define cleanup_plan scoped(plan_done)

/* Takes the profile over (it is empty afterwards, on failure too). Errors are about the input:
 * broken JSON in daemon.json, an option that names a setting that does not exist, a value of the
 * wrong type. `facts` must outlive the plan. */
int plan_build(const struct facts *facts, struct profile *profile,
	       const struct plan_options *options, struct plan *ret, struct error *error);

/* Adds an empty file to the plan; NULL when out of memory. */
struct planned_file *plan_add_file(struct plan *plan);

/* Adds a file that is to hold this text: in place of `before`, whose owner and mode it keeps, or
 * new (before is NULL or not FILE_READ), as root's with mode 0644. Copies all; *ret (may be NULL)
 * is borrowed from the plan, and valid until the next file is added. */
int plan_add_text(struct plan *plan, const char *path, const struct text_file *before,
		  const struct strbuf *after, struct planned_file **ret, struct error *error);

/* Whether a setting would move the data root if it were carried out; one that is held counts. What
 * is stored would be out of sight then, and how much that is may be worth asking. */
bool plan_moves_data(const struct plan *plan);

/* Adds to the reasons of such settings how many bytes are stored (-1: that cannot be told). */
int plan_add_size(struct plan *plan, int64_t bytes, struct error *error);

/* The plan without any part of the daemon in it: files only. */
void plan_leave_daemon(struct plan *plan);

/* How many settings are in this state. */
size_t plan_count(const struct plan *plan, enum setting_state state);

/* Names used in JSON documents. */
const char *setting_state_name(enum setting_state state);
const char *effect_name(enum effect effect);
const char *file_action_name(enum file_action action);
const char *plan_action_name(enum plan_action action);
