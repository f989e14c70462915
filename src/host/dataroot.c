#include "host/dataroot.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <linux/magic.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "host/account.h"
#include "host/file.h"

/* Not in linux/magic.h. */
#define ZFS_MAGIC 0x2fc12fc1
#define AUFS_MAGIC 0x61756673
#define XFS_MAGIC 0x58465342

/* All that dockerd ever had on Linux, in any version. */
static const char *const graph_drivers[] = {"aufs",    "btrfs",    "devicemapper", "fuse-overlayfs",
					    "overlay", "overlay2", "vfs",          "zfs"};

/* ---- counting in folders ---- */

/* -ENOENT when there is no such folder. O_NOATIME where it is allowed: a look leaves no trace. */
static int open_folder(int at, const char *name, DIR **ret)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
	int fd = openat(at, name, flags | O_NOATIME);

	if (fd < 0 && errno == EPERM)
		fd = openat(at, name, flags);
	if (fd < 0)
		return errno == ENOTDIR ? -ENOENT : -errno;
	DIR *folder = fdopendir(fd);
	if (!folder) {
		int r = -errno;
		cleanup_close_fd(&fd);
		return r;
	}
	*ret = folder;
	return 0;
}

static const struct dirent *next_entry(DIR *folder)
{
	const struct dirent *entry;

	do
		entry = readdir(folder);
	while (entry && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
	return entry;
}

static bool is_folder(DIR *folder, const struct dirent *entry)
{
	struct stat st;

	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type == DT_DIR;
	return fstatat(dirfd(folder), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISDIR(st.st_mode);
}

/* Number of entries, or of folders only; none when there is no such folder. */
static int count_entries(int at, const char *name, bool folders_only, int64_t *ret)
{
	cleanup_closedir DIR *folder = NULL;
	const struct dirent *entry;
	int64_t count = 0;

	int r = open_folder(at, name, &folder);
	if (r < 0 && r != -ENOENT)
		return r;
	while (folder && (entry = next_entry(folder)))
		count += !folders_only || is_folder(folder, entry);
	*ret = count;
	return 0;
}

/* Each graph driver keeps a list of images of its own. */
static int count_images(int at, int64_t *ret)
{
	cleanup_closedir DIR *folder = NULL;
	const struct dirent *entry;
	int64_t total = 0;

	int r = open_folder(at, "image", &folder);
	if (r < 0 && r != -ENOENT)
		return r;
	while (folder && (entry = next_entry(folder))) {
		char name[PATH_MAX];
		int64_t count;

		(void)snprintf(name, sizeof name, "%s/imagedb/content/sha256", entry->d_name);
		r = count_entries(dirfd(folder), name, false, &count);
		if (r < 0)
			return r;
		total += count;
	}
	*ret = total;
	return 0;
}

/* Where runc keeps the state of each running container, dockerd or not: with live-restore they
 * outlive it. */
static int count_running(const char *root, int64_t *ret)
{
	char path[PATH_MAX];
	cleanup_closedir DIR *folder = NULL;
	const struct dirent *entry;
	int64_t total = 0;

	(void)snprintf(path, sizeof path, "%s/run/docker/runtime-runc", root);
	int r = open_folder(AT_FDCWD, path, &folder);
	if (r < 0 && r != -ENOENT)
		return r;
	/* One folder for each namespace: moby, or moby-UID.GID when remapped. */
	while (folder && (entry = next_entry(folder))) {
		int64_t count;

		if (!text_starts_with(entry->d_name, "moby"))
			continue;
		r = count_entries(dirfd(folder), entry->d_name, true, &count);
		if (r < 0)
			return r;
		total += count;
	}
	*ret = total;
	return 0;
}

/* dockerd takes a driver as used when its folder has anything in it. */
static int find_drivers(int at, struct strlist *ret)
{
	for (size_t i = 0; i < array_size(graph_drivers); i++) {
		int64_t count;
		int r = count_entries(at, graph_drivers[i], false, &count);

		if (r == 0 && count)
			r = strlist_add(ret, graph_drivers[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- the folder that is in use ---- */

/* "100000.100000" */
static bool is_remapped_name(const char *name)
{
	size_t uid = strspn(name, "0123456789");
	size_t gid = name[uid] == '.' ? strspn(name + uid + 1, "0123456789") : 0;

	return uid && gid && name[uid + 1 + gid] == '\0';
}

/* Writes the name of the subfolder that userns-remap moves the data root to. Its ids come from
 * /etc/subuid; where those do not say, a single folder of that form must be it. "" when nothing has
 * been stored remapped yet. */
static int find_remapped(const char *root, int at, const char *userns_remap,
			 char ret[static NAME_MAX + 1])
{
	cleanup_closedir DIR *folder = NULL;
	const struct dirent *entry;
	uint64_t uid;
	uint64_t gid;

	int r = account_remapped_root(root, userns_remap, &uid, &gid, NULL);
	if (r < 0 && r != -ENOENT)
		return r;
	bool known = r == 0;
	(void)snprintf(ret, NAME_MAX + 1, "%" PRIu64 ".%" PRIu64, known ? uid : 0, known ? gid : 0);
	if (known && faccessat(at, ret, F_OK, 0) == 0)
		return 0;

	ret[0] = '\0';
	r = open_folder(at, ".", &folder);
	if (r < 0)
		return r;
	while (!known && (entry = next_entry(folder))) {
		if (!is_remapped_name(entry->d_name))
			continue;
		if (ret[0])
			return -EEXIST;
		(void)snprintf(ret, NAME_MAX + 1, "%s", entry->d_name);
	}
	return 0;
}

static int count_all(int at, struct data_root_facts *ret)
{
	int r = count_images(at, &ret->images);

	if (r == 0)
		r = count_entries(at, "containers", true, &ret->containers);
	if (r == 0)
		r = count_entries(at, "volumes", true, &ret->volumes);
	if (r == 0)
		r = find_drivers(at, &ret->drivers);
	return r;
}

/* A data root that is not there, or a remapped one that has not been used, holds nothing. */
static void count_nothing(struct data_root_facts *ret, enum tristate *ret_swarm)
{
	ret->images = 0;
	ret->containers = 0;
	ret->volumes = 0;
	*ret_swarm = NO;
}

/* Opens the folder in use. -ENOENT when it holds nothing yet. */
static int open_active(const char *root, const char *path, const char *userns_remap,
		       struct data_root_facts *facts, DIR **ret)
{
	cleanup_free char *full = file_under(root, path);
	cleanup_closedir DIR *folder = NULL;
	char name[NAME_MAX + 1];

	facts->path = strdup(path);
	if (!full || !facts->path)
		return -ENOMEM;
	int r = open_folder(AT_FDCWD, full, &folder);
	if (r < 0 || !userns_remap || !*userns_remap) {
		*ret = take_ptr(folder);
		return r;
	}

	r = find_remapped(root, dirfd(folder), userns_remap, name);
	if (r < 0)
		return r;
	if (!name[0])
		return -ENOENT;
	cleanup_strbuf struct strbuf active = STRBUF_EMPTY;
	(void)strbuf_addf(&active, "%s/%s", path, name);
	free(facts->path);
	facts->path = strbuf_finish(&active);
	return facts->path ? open_folder(dirfd(folder), name, ret) : -ENOMEM;
}

static int read_active(const char *root, const char *path, const char *userns_remap,
		       struct data_root_facts *facts, enum tristate *ret_swarm)
{
	cleanup_closedir DIR *folder = NULL;

	int r = open_active(root, path, userns_remap, facts, &folder);
	if (r == -ENOENT) {
		count_nothing(facts, ret_swarm);
	} else if (r == 0) {
		r = count_all(dirfd(folder), facts);
		if (r < 0)
			return r;
		/* The file by which dockerd itself knows at start that it is a node of a swarm. */
		*ret_swarm = faccessat(dirfd(folder), "swarm/docker-state.json", F_OK, 0) == 0 ? YES
											       : NO;
	} else {
		return r;
	}
	return count_running(root, &facts->containers_running);
}

int dataroot_read(const char *root, const char *path, const char *userns_remap,
		  struct data_root_facts *ret, enum tristate *ret_swarm, struct strlist *unseen,
		  struct error *error)
{
	struct data_root_facts facts = {
		.images = -1,
		.containers = -1,
		.containers_running = -1,
		.volumes = -1,
		.containerd_store = UNKNOWN,
		.overlay2_possible = UNKNOWN,
		.from_disk = true,
	};
	enum tristate swarm = UNKNOWN;

	int r = read_active(root, path, userns_remap, &facts, &swarm);
	if (r == -EEXIST)
		r = strlist_addf(unseen,
				 "%s has several folders of remapped data roots, and /etc/subuid "
				 "does not say which is in use: what they hold was not counted",
				 path);
	else if (r == -EACCES || r == -EPERM)
		r = strlist_addf(unseen, "%s: permission denied; run as root to see what it holds",
				 path);
	else if (r < 0 && r != -ENOMEM)
		r = strlist_addf(unseen, "%s: what it holds cannot be counted: %s", path,
				 strerror(-r));
	if (r < 0) {
		free(facts.path);
		strlist_done(&facts.drivers);
		return error_set_oom(error);
	}
	*ret = facts;
	*ret_swarm = swarm;
	return 0;
}

/* ---- what could be stored ---- */

/* The lists of moby's overlay2 driver, and of the file systems it is known to work on. XFS that was
 * made without ftype does not, which only a mount would tell; nobody makes it so since 2015. */
static enum tristate carries_overlay2(uint32_t magic)
{
	switch (magic) {
	case AUFS_MAGIC:
	case ECRYPTFS_SUPER_MAGIC:
	case NFS_SUPER_MAGIC:
	case OVERLAYFS_SUPER_MAGIC:
	case ZFS_MAGIC:
		return NO;
	case BTRFS_SUPER_MAGIC:
	case EXT4_SUPER_MAGIC:
	case TMPFS_MAGIC:
	case XFS_MAGIC:
		return YES;
	default:
		return UNKNOWN;
	}
}

enum tristate dataroot_overlay2_possible(const char *root, const char *path)
{
	char nearest[PATH_MAX];
	struct statfs fs;

	if ((size_t)snprintf(nearest, sizeof nearest, "%s%s", root, path) >= sizeof nearest)
		return UNKNOWN;
	while (statfs(nearest, &fs) < 0) {
		char *slash = strrchr(nearest, '/');
		if (errno != ENOENT || !slash || slash[1] == '\0')
			return UNKNOWN;
		/* The parent of "/x" is "/". */
		slash[slash == nearest] = '\0';
	}
	return carries_overlay2((uint32_t)fs.f_type);
}

static bool is_graph_driver(const char *name)
{
	for (size_t i = 0; name && i < array_size(graph_drivers); i++)
		if (strcmp(graph_drivers[i], name) == 0)
			return true;
	return false;
}

/* vfs is what is left after a fallback, so dockerd does not count it. */
static bool has_prior_driver(const struct strlist *drivers)
{
	return drivers->count > (strlist_contains(drivers, "vfs") ? 1 : 0);
}

enum tristate dataroot_image_store(const struct image_store_question *question)
{
	if (!dockerver_known(question->version))
		return has_prior_driver(question->drivers) ? NO : UNKNOWN;
	if (!dockerver_at_least(question->version, 24, 0))
		return NO;
	if (!dockerver_at_least(question->version, 29, 0))
		return question->feature == YES ? YES : NO;
	if (question->remapped)
		return NO;
	if (question->feature != UNKNOWN)
		return question->feature;
	return has_prior_driver(question->drivers) || is_graph_driver(question->storage_driver)
		       ? NO
		       : YES;
}
