/* Reading files that somebody else wrote. */
#pragma once

#include <dirent.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "core/facts.h"

/* The largest daemon.json that is read. Ten megabytes are ordinary; a gigabyte is a mistake. */
#define CONFIG_SIZE_MAX ((size_t)64 * 1024 * 1024)

/* Reads a regular file of at most `limit` bytes through symlinks. Missing: state FILE_ABSENT and
 * return 0; real_path is then where the file would be created, behind a dangling symlink too. Not
 * permitted: FILE_UNREADABLE and return 0. A folder, FIFO, socket or device is refused without
 * opening it (-EISDIR, -EINVAL), a larger file too (-EFBIG), even one that grows or lies about its
 * size; a loop of symlinks is -ELOOP, a file in place of a folder -ENOTDIR. The access time is not
 * touched where that can be avoided. The caller releases *ret with text_file_done(). */
int file_read(const char *path, size_t limit, struct text_file *ret, struct error *error);

/* The same where nobody asks behind which symlinks it is: real_path is path. Finding that out costs
 * a call for each part of the path. */
int file_read_unresolved(const char *path, size_t limit, struct text_file *ret,
			 struct error *error);

/* An absolute path as seen under root ("" is the host itself): a new string, NULL when out of
 * memory. Symlinks are not confined to root. */
char *file_under(const char *root, const char *path);

/* file_under() and file_read() in one; ret->path has root in front. */
int file_read_under(const char *root, const char *path, size_t limit, struct text_file *ret,
		    struct error *error);

#define cleanup_text_file scoped(text_file_done)

static inline void cleanup_closedir_folder(DIR **folder)
{
	if (*folder)
		(void)closedir(*folder);
}
#define cleanup_closedir scoped(cleanup_closedir_folder)
