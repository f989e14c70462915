/* The only place that writes: every file that harden changes or keeps goes through here. A reader,
 * and a machine that loses power, sees the old file or the new one and nothing in between: a
 * temporary file in the same folder (O_EXCL), owner, mode and extended attributes, fsync, rename,
 * fsync of the folder.
 *
 * Paths are those of the files themselves: the caller has followed symlinks (text_file.real_path).
 * Everything that is reported as done is on the disk. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "apply/filestate.h"
#include "base/error.h"

/* Whether the file at path could be replaced, created or removed; nothing is written. Errors name
 * the obstacle and the way out: an immutable or append-only file or folder (chattr), a file that is
 * a mount point of its own (EBUSY on rename), a read-only file system or mount, no permission.
 * A missing folder is fine when the nearest existing parent could take it. */
int writer_check(const char *path, struct error *error);

/* Creates the temporary file with the state's bytes, owner, mode, extended attributes and, unless
 * it is zero, modification time, and syncs it. On failure nothing is left behind. -EEXIST where
 * there is one already: it is another's. -EINVAL for a state without bytes, which would otherwise
 * become an empty file. */
int writer_stage(const char *temporary, const struct filestate *state, struct error *error);

/* Renames the temporary file over path, which is beside it, and syncs the folder. When the sync
 * fails, the new file is in its place all the same, but a power cut may take it away again. */
int writer_switch(const char *temporary, const char *path, struct error *error);

/* Removes a file or symlink and syncs the folder; one that is not there is fine. */
int writer_remove(const char *path, struct error *error);

/* Gives an existing file or folder the state's owner, mode and extended attributes (those that the
 * state does not have are removed, except for what the kernel gives), and syncs it. These are
 * several steps: who is killed in between leaves some done, and can do it again. */
int writer_set_attributes(const char *path, const struct filestate *state, struct error *error);

/* Creates one folder and syncs its parent; one that exists is fine, whatever its mode. */
int writer_make_folder(const char *path, mode_t mode, struct error *error);

/* Removes a folder if it is empty, and syncs its parent. Not empty, or not there: 0. */
int writer_remove_folder(const char *path, struct error *error);

/* Stages and switches in one: for harden's own files. The temporary file is path with ".new" behind
 * it; one that is left from a crash is replaced. Owner and group are those of the process: root's.
 */
int writer_replace(const char *path, const char *bytes, size_t length, mode_t mode,
		   struct error *error);

/* Creates, or replaces, the symlink at path and syncs the folder. path with ".new" behind it is
 * used on the way. */
int writer_link(const char *target, const char *path, struct error *error);
