/* Where a rehearsal takes place: its folders and files, its unit, and the mark by which the next
 * harden finds what one that was killed has left. */
#pragma once

#include <stdbool.h>

#include "apply/manager.h"
#include "apply/store.h"
#include "core/rehearsal.h"

struct stage {
	char *data; /* the folder behind REHEARSAL_DATA, on the file system of the data root */
};

void stage_done(struct stage *stage);
#define cleanup_stage scoped(stage_done)

/* Makes the mark, then folders and files. True in *ret_data when it is the data root that it fails
 * at, in a way that dockerd would fail too: it is a file, or on a read-only file system. */
int stage_build(const struct store *store, const struct rehearsal_script *script, struct stage *ret,
		bool *ret_data, struct error *error);

/* Kills all that runs there and has systemd forget it. */
int stage_stop(struct manager *manager, const struct wait *wait, struct error *error);

/* Takes everything away, units, folders and mark; where no mark is, there is nothing to do. The
 * manager may be NULL where systemd cannot be asked: then only files are removed. */
int stage_clear(const struct store *store, struct manager *manager, const struct wait *wait,
		struct error *error);
