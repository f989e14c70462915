/* An OS image: a folder with the files of a system that does not run. */
#pragma once

#include "base/error.h"

/* Makes the folder this process's root, for good: from then on every path, and every symbolic link,
 * absolute or with any number of "..", is one inside the image, by the kernel's own rules
 * (chroot(2)).
 *
 * Before that it is looked at, and nothing of it is opened for reading: -ENOTDIR and -ENOENT where
 * it is no folder or holds no system, -EXDEV where a symbolic link on the way to one of harden's
 * files leads out of it (which the kernel would bend back into it, to a place that nobody means),
 * -ENOENT where one of a file to be written leads nowhere. config_file is daemon.json inside the
 * image; NULL: the usual one. -EPERM without the right to change the root. */
int image_enter(const char *folder, const char *config_file, struct error *error);
