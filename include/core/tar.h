/* Tar archives in memory, as POSIX.1-1988 (ustar) has them: what the Docker API takes as an image.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/strbuf.h"

/* Appends a regular file: owner and group 0, modification time 0. The name has at most 100 bytes
 * and no slash in front: -ENAMETOOLONG. Files of 8 GiB and more are -EFBIG. */
int tar_add_file(struct strbuf *tar, const char *name, mode_t mode, const char *bytes,
		 size_t length, struct error *error);

/* Appends the end of the archive. */
int tar_end(struct strbuf *tar, struct error *error);
