/* Folders of harden's own, taken away with all that is in them. */
#pragma once

#include "base/error.h"

/* Removes a folder and everything below it, symlinks as such; one that is not there is fine. -EBUSY
 * where something is mounted in it: nothing is removed then. */
int tree_discard(const char *path, struct error *error);
