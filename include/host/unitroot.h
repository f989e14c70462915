/* The unit of a service, read from its files instead of asked of systemd: for an image, or where
 * systemd does not run. */
#pragma once

#include "base/error.h"
#include "core/facts.h"

/* Finds the fragment and the drop-ins below root ("" is this host; NULL: the root of this process
 * is that of an image, see image_enter()) in systemd's own order, and fills what they and the
 * environment files say: known, load_state ("loaded", "masked", "not-found", "bad-setting"),
 * fragment_path, dropin_paths, commands, exec_start, environment, environment_files and texts.
 * Paths are those inside root, but those of files that were read have root in front, as
 * file_read_under() has it. Specifiers of the running system (%b, %v, %a) are known only where root
 * is "". What cannot be read is noted in *unseen. */
int unitroot_read(const char *root, const char *unit, struct unit_facts *ret,
		  struct strlist *unseen, struct error *error);
