#include "host/image.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/strbuf.h"
#include "base/strlist.h"
#include "base/text.h"

/* What the kernel follows before it says ELOOP. */
#define SYMLINKS_MAX 40

#define DAEMON_JSON "/etc/docker/daemon.json"

/* Where harden may write. */
static const char *const written[] = {
	"/etc/docker/certs.d",
	"/etc/default/docker",
	"/etc/sysconfig/docker",
	"/etc/systemd/system/docker.service.d",
	"/etc/systemd/system/docker.socket.d",
	"/var/lib/harden/applies",
	"/var/lib/harden/lock",
};

/* What it only reads; that may lead nowhere, as a masked unit does. */
static const char *const only_read[] = {
	"/etc/systemd/system/docker.service",
	"/etc/systemd/system/docker.socket",
	"/usr/local/lib/systemd/system/docker.service",
	"/usr/lib/systemd/system/docker.service",
	"/lib/systemd/system/docker.service",
	"/etc/passwd",
	"/etc/group",
	"/etc/subuid",
	"/etc/subgid",
	"/var/lib/docker",
	"/var/lib/dpkg/status",
	"/var/lib/rpm",
};

/* A path on its way through the image, one name after the other. */
struct walk {
	int root;
	const char *folder; /* the image's, for messages */
	const char *path;   /* that is walked */
	bool must_lead;     /* a link that leads nowhere is an error */
	struct strbuf done; /* "etc/docker": real folders; "" is the root */
	struct strbuf left; /* "/daemon.json" */
	size_t behind;      /* of it, what comes behind the link that is being followed */
	unsigned links;
	struct error *error;
};

static void walk_done(struct walk *walk)
{
	strbuf_done(&walk->done);
	strbuf_done(&walk->left);
}

static int leads_out(const struct walk *walk, const char *link, const char *target, int code,
		     const char *why)
{
	return error_set(walk->error, code, "enter image", walk->folder,
			 "/%s in it, on the way to %s, is a symbolic link to %s, which %s: correct "
			 "that first",
			 link, walk->path, target, why);
}

/* "..", which at the root is the way out. */
static int go_up(struct walk *walk, const char *link, const char *target)
{
	char *slash;

	if (!walk->done.length)
		return leads_out(walk, link, target, -EXDEV, "leads out of the image");
	slash = strrchr(walk->done.data, '/');
	walk->done.length = slash ? (size_t)(slash - walk->done.data) : 0;
	walk->done.data[walk->done.length] = '\0';
	return 0;
}

/* The link at `at` is replaced by what it says. */
static int follow(struct walk *walk, const char *at, char *link, char *target)
{
	cleanup_strbuf struct strbuf left = STRBUF_EMPTY;
	struct statfs fs;
	cleanup_close int fd = openat(walk->root, at, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	ssize_t length = readlinkat(walk->root, at, target, PATH_MAX - 1);

	if (fd < 0 || length < 0)
		return error_set_errno(walk->error, errno, "enter image", walk->folder);
	target[length] = '\0';
	(void)snprintf(link, PATH_MAX, "%s", at);
	/* The links of /proc lead where no path does. */
	if (fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC)
		return leads_out(walk, link, target, -EXDEV, "is one of /proc's");
	if (++walk->links > SYMLINKS_MAX)
		return leads_out(walk, link, target, -ELOOP, "leads in a circle");
	(void)strbuf_addf(&left, "/%s%s", target, walk->left.data ? walk->left.data : "");
	if (left.failed)
		return error_set_oom(walk->error);
	/* A link in what a link says belongs to that. */
	if (walk->left.length <= walk->behind || walk->links == 1)
		walk->behind = walk->left.length;
	if (target[0] == '/') {
		walk->done.length = 0;
		if (walk->done.data)
			walk->done.data[0] = '\0';
	}
	strbuf_done(&walk->left);
	walk->left = left;
	left = STRBUF_EMPTY;
	return 0;
}

/* Takes the next name off what is left. Returns false at the end. */
static bool next_name(struct walk *walk, char name[NAME_MAX + 1])
{
	size_t start = walk->left.data ? strspn(walk->left.data, "/") : 0;
	size_t length = walk->left.data ? strcspn(walk->left.data + start, "/") : 0;

	if (!length)
		return false;
	(void)snprintf(name, NAME_MAX + 1, "%.*s", (int)length, walk->left.data + start);
	(void)strbuf_splice(&walk->left, 0, start + length, "", 0);
	return true;
}

/* 1 when there is more to walk, 0 at the end. */
static int step(struct walk *walk, char *link, char *target)
{
	cleanup_strbuf struct strbuf at = STRBUF_EMPTY;
	char name[NAME_MAX + 1];
	struct stat st;

	if (!next_name(walk, name))
		return 0;
	if (strcmp(name, ".") == 0)
		return 1;
	if (strcmp(name, "..") == 0) {
		int r = go_up(walk, link, target);
		return r < 0 ? r : 1;
	}
	if (strbuf_addf(&at, "%s%s%s", walk->done.length ? walk->done.data : "",
			walk->done.length ? "/" : "", name) < 0)
		return error_set_oom(walk->error);
	if (fstatat(walk->root, at.data, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT && errno != ENOTDIR)
			return error_set_errno(walk->error, errno, "enter image", walk->folder);
		bool in_link =
			*target && walk->left.length > 0 && walk->left.length >= walk->behind;
		return in_link && walk->must_lead
			       ? leads_out(walk, link, target, -ENOENT, "is not in the image")
			       : 0;
	}
	if (S_ISLNK(st.st_mode)) {
		int r = follow(walk, at.data, link, target);
		return r < 0 ? r : 1;
	}
	strbuf_done(&walk->done);
	walk->done = at;
	at = STRBUF_EMPTY;
	return 1;
}

static int check_path(int root, const char *folder, const char *path, bool must_lead,
		      struct error *error)
{
	scoped(walk_done) struct walk walk = {
		.root = root,
		.folder = folder,
		.path = path,
		.must_lead = must_lead,
		.error = error,
	};
	char link[PATH_MAX] = "";
	char target[PATH_MAX] = "";
	int r = strbuf_addf(&walk.left, "/%s", path) < 0 ? error_set_oom(error) : 1;

	while (r == 1)
		r = step(&walk, link, target);
	return r;
}

static int check_links(int root, const char *folder, const char *config_file, struct error *error)
{
	int r = check_path(root, folder, config_file ? config_file : DAEMON_JSON, true, error);

	for (size_t i = 0; r == 0 && i < array_size(written); i++)
		r = check_path(root, folder, written[i], true, error);
	for (size_t i = 0; r == 0 && i < array_size(only_read); i++)
		r = check_path(root, folder, only_read[i], false, error);
	return r;
}

/* The host itself is no image: its daemon would not hear of what is done. */
static int check_folder(int root, const char *folder, struct error *error)
{
	struct stat image;
	struct stat here;

	if (fstat(root, &image) < 0 || stat("/", &here) < 0)
		return error_set_errno(error, errno, "enter image", folder);
	if (image.st_dev == here.st_dev && image.st_ino == here.st_ino)
		return error_set(error, -EINVAL, "enter image", folder,
				 "this is the host itself: leave --root away, or use --no-restart");
	if (fstatat(root, "etc", &image, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(image.st_mode))
		return error_set(error, -ENOENT, "enter image", folder,
				 "there is no system in it: it has no folder /etc");
	return 0;
}

int image_enter(const char *folder, const char *config_file, struct error *error)
{
	cleanup_close int root = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (root < 0 && errno == ENOTDIR)
		return error_set(error, -ENOTDIR, "enter image", folder,
				 "this is no folder: mount the image, and name the place");
	if (root < 0)
		return error_set_errno(error, errno, "enter image", folder);
	int r = check_folder(root, folder, error);
	if (r == 0)
		r = check_links(root, folder, config_file, error);
	if (r < 0)
		return r;
	if (fchdir(root) < 0)
		return error_set_errno(error, errno, "enter image", folder);
	r = chroot(".") < 0 ? -errno : 0;
	if (r == -EPERM)
		return error_set(error, r, "enter image", folder,
				 "this needs root: run it with sudo, or, for an image of your own, "
				 "with unshare --map-root-user");
	if (r < 0 || chdir("/") < 0)
		return error_set_errno(error, r < 0 ? -r : errno, "enter image", folder);
	return 0;
}
