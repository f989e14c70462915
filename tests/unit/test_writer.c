#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "apply/writer.h"

static struct error error;

/* ---- the calls that write, in place of those in libc ---- */

static char calls[4096]; /* a letter for each, in their order */
static size_t call_count;
static unsigned fail_after; /* the call with this number fails; 0: none */
static int fail_with;
static size_t write_most; /* a write takes no more bytes than that; 0: any number */
static bool interrupted;  /* every second write is interrupted by a signal */
static int close_code;    /* what the file system says at the end of writing; 0: fine */
static bool forgetful;    /* the file system takes a mode and does not keep it */

static bool call_fails(char letter)
{
	if (call_count < sizeof calls - 1)
		calls[call_count++] = letter;
	calls[call_count] = '\0';
	if (call_count != fail_after)
		return false;
	errno = fail_with;
	return true;
}

static void calls_reset(void)
{
	call_count = 0;
	calls[0] = '\0';
	error = ERROR_NONE;
}

ssize_t write(int fd, const void *bytes, size_t length)
{
	static bool odd;

	/* The test's own files and Check's messages come along here too. */
	if (interrupted && (odd = !odd)) {
		errno = EINTR;
		return -1;
	}
	if (call_fails('w'))
		return -1;
	return syscall(SYS_write, fd, bytes,
		       write_most && write_most < length ? write_most : length);
}

int fchown(int fd, uid_t uid, gid_t gid)
{
	return call_fails('o') ? -1 : (int)syscall(SYS_fchown, fd, uid, gid);
}

int fchmod(int fd, mode_t mode)
{
	return call_fails('m') ? -1 : forgetful ? 0 : (int)syscall(SYS_fchmod, fd, mode);
}

int fsetxattr(int fd, const char *name, const void *value, size_t size, int flags)
{
	return call_fails('x') ? -1 : (int)syscall(SYS_fsetxattr, fd, name, value, size, flags);
}

int futimens(int fd, const struct timespec times[2])
{
	return call_fails('t') ? -1 : (int)syscall(SYS_utimensat, fd, NULL, times, 0);
}

int fsync(int fd)
{
	return call_fails('s') ? -1 : (int)syscall(SYS_fsync, fd);
}

int close(int fd)
{
	bool written = (fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY;
	int r = (int)syscall(SYS_close, fd);

	if (!written || !close_code)
		return r;
	errno = close_code;
	return -1;
}

int renameat(int old_fd, const char *old_name, int new_fd, const char *new_name)
{
	return call_fails('r') ? -1
			       : (int)syscall(SYS_renameat2, old_fd, old_name, new_fd, new_name, 0);
}

/* ---- what the tests share ---- */

static void read_state(const char *name, struct filestate *ret)
{
	struct error why = ERROR_NONE;

	ck_assert_msg(filestate_read(tree_path(name), ret, &why) == 0, "%s", why.text);
}

static struct filestate plain(const char *bytes)
{
	return (struct filestate){.exists = true,
				  .data = (char *)bytes,
				  .length = strlen(bytes),
				  .uid = geteuid(),
				  .gid = getegid(),
				  .mode = 0644};
}

static void assert_text(const char *name, const char *text)
{
	cleanup_filestate struct filestate state = {.exists = false};

	read_state(name, &state);
	ck_assert(state.exists);
	ck_assert_str_eq(state.data, text);
}

static void assert_absent(const char *name)
{
	struct stat st;

	ck_assert_int_eq(lstat(tree_path(name), &st), -1);
	ck_assert_int_eq(errno, ENOENT);
}

/* How many things are in the tree's folder. */
static unsigned entries(void)
{
	DIR *folder = opendir(tree_root);
	unsigned count = 0;

	ck_assert_ptr_nonnull(folder);
	while (readdir(folder))
		count++;
	(void)closedir(folder);
	return count - 2;
}

static bool is_root(const char *what)
{
	if (geteuid() == 0)
		return true;
	(void)fprintf(stderr, "writer: not tested without being root: %s\n", what);
	return false;
}

/* A mount namespace of the test's own, where that is allowed. */
static bool own_mounts(const char *what)
{
	if (geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
	    mount("", "/", "", MS_REC | MS_PRIVATE, NULL) == 0)
		return true;
	(void)fprintf(stderr, "writer: not tested, nothing can be mounted here: %s\n", what);
	return false;
}

/* ---- staging ---- */

START_TEST(a_staged_file_has_everything)
{
	cleanup_filestate struct filestate from = {.exists = false};
	cleanup_filestate struct filestate to = {.exists = false};
	char path[PATH_MAX];

	tree_write_bytes("/a", "x\0y\n", 4);
	(void)snprintf(path, sizeof path, "%s", tree_path("/a"));
	if (geteuid() == 0)
		ck_assert_int_eq(chown(path, 1234, 4321), 0);
	ck_assert_int_eq(chmod(path, 04751), 0);
	if (setxattr(path, "user.harden", "v\0w", 3, 0) < 0 ||
	    setxattr(path, "user.empty", "", 0, 0) < 0)
		(void)fprintf(stderr, "writer: user.* attributes are not supported here\n");
	const struct timespec times[2] = {{.tv_sec = 5}, {.tv_sec = 1234567, .tv_nsec = 89}};
	ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);

	read_state("/a", &from);
	ck_assert_int_eq(writer_stage(tree_path("/.a.new"), &from, &error), 0);
	read_state("/.a.new", &to);
	ck_assert(filestate_same(&from, &to));
	ck_assert_mem_eq(to.data, "x\0y\n", 5);
	ck_assert_uint_eq(to.xattr_count, from.xattr_count);
	ck_assert_int_eq(to.mtime.tv_sec, 1234567);
	ck_assert_int_eq(to.mtime.tv_nsec, from.mtime.tv_nsec);
}
END_TEST

START_TEST(the_sync_is_the_last_thing)
{
	const struct filestate state = plain("x");

	calls_reset();
	ck_assert_int_eq(writer_stage(tree_path("/.a.new"), &state, &error), 0);
	ck_assert_str_eq(calls, "wms");
	calls_reset();
	ck_assert_int_eq(writer_switch(tree_path("/.a.new"), tree_path("/a"), &error), 0);
	ck_assert_str_eq(calls, "rs");
	calls_reset();
	ck_assert_int_eq(writer_remove(tree_path("/a"), &error), 0);
	ck_assert_str_eq(calls, "s");
}
END_TEST

/* POSIX access control lists as the kernel has them in an attribute: version 2, then tag,
 * permissions and id of each entry. */
struct acl {
	uint32_t version;
	struct {
		uint16_t tag;
		uint16_t permissions;
		uint32_t id;
	} entries[5];
};

/* user::rw-, user:1234:rw-, group::r--, mask::rw-, other::--- */
static const struct acl acl = {
	2,
	{{1, 6, UINT32_MAX},
	 {2, 6, 1234},
	 {4, 4, UINT32_MAX},
	 {16, 6, UINT32_MAX},
	 {32, 0, UINT32_MAX}},
};

static bool set_acl(const char *name, const char *attribute)
{
	if (setxattr(tree_path(name), attribute, &acl, sizeof acl, 0) == 0)
		return true;
	(void)fprintf(stderr, "writer: access control lists are not supported here\n");
	return false;
}

START_TEST(an_access_control_list_is_kept)
{
	cleanup_filestate struct filestate from = {.exists = false};
	cleanup_filestate struct filestate to = {.exists = false};

	tree_write("/a", "x");
	if (!set_acl("/a", "system.posix_acl_access"))
		return;
	read_state("/a", &from);
	ck_assert_uint_eq(from.xattr_count, 1);
	ck_assert_uint_eq(from.mode, 0660);
	ck_assert_int_eq(writer_stage(tree_path("/b"), &from, &error), 0);
	read_state("/b", &to);
	ck_assert(filestate_same(&from, &to));
	ck_assert_uint_eq(to.xattr_count, 1);
}
END_TEST

START_TEST(an_access_control_list_is_not_inherited)
{
	cleanup_filestate struct filestate to = {.exists = false};
	const struct filestate state = plain("x");

	tree_folder("/folder");
	if (!set_acl("/folder", "system.posix_acl_default"))
		return;
	tree_write("/folder/ordinary", "");
	read_state("/folder/ordinary", &to);
	ck_assert_uint_eq(to.xattr_count, 1);
	filestate_done(&to);

	ck_assert_int_eq(writer_stage(tree_path("/folder/a"), &state, &error), 0);
	read_state("/folder/a", &to);
	ck_assert_uint_eq(to.xattr_count, 0);
	ck_assert_uint_eq(to.mode, 0644);
}
END_TEST

START_TEST(what_stands_there_is_not_touched)
{
	const struct filestate state = plain("new");

	tree_write("/.a.new", "another's");
	ck_assert_int_eq(writer_stage(tree_path("/.a.new"), &state, &error), -EEXIST);
	assert_text("/.a.new", "another's");

	/* Nor is a link followed. */
	tree_link("victim", "/link");
	error = ERROR_NONE;
	ck_assert_int_eq(writer_stage(tree_path("/link"), &state, &error), -EEXIST);
	assert_absent("/victim");
}
END_TEST

START_TEST(no_file_is_made_of_unknown_bytes)
{
	const struct filestate absent = {.exists = false};
	const struct filestate folder = {.exists = true, .folder = true};
	struct filestate unknown = plain("x");

	unknown.data = NULL;
	ck_assert_int_eq(writer_stage(tree_path("/a"), &absent, &error), -EINVAL);
	ck_assert_int_eq(writer_stage(tree_path("/a"), &folder, &error), -EINVAL);
	ck_assert_int_eq(writer_stage(tree_path("/a"), &unknown, &error), -EINVAL);
	ck_assert_uint_eq(entries(), 0);
	error = ERROR_NONE;
	const struct filestate state = plain("x");
	ck_assert_int_eq(writer_stage(tree_path("/none/a"), &state, &error), -ENOENT);
	ck_assert_str_eq(error.path, tree_path("/none/a"));
}
END_TEST

START_TEST(short_and_interrupted_writes_go_on)
{
	const struct filestate state = plain("0123456789");

	write_most = 3;
	interrupted = true;
	calls_reset();
	ck_assert_int_eq(writer_stage(tree_path("/a"), &state, &error), 0);
	interrupted = false;
	write_most = 0;
	ck_assert_int_eq(strspn(calls, "w"), 4);
	assert_text("/a", "0123456789");
}
END_TEST

START_TEST(each_call_that_fails_leaves_nothing_behind)
{
	static const int codes[] = {EIO, ENOSPC, EROFS, EPERM, EDQUOT, ENOMEM};
	struct filestate state = plain("x");
	struct xattr xattr = {(char *)"user.x", (unsigned char *)"v", 1};
	int r = -1;

	tree_write("/probe", "");
	if (setxattr(tree_path("/probe"), "user.x", "v", 1, 0) == 0) {
		state.xattrs = &xattr;
		state.xattr_count = 1;
	}
	if (geteuid() == 0)
		state.uid = 1234;
	state.mtime.tv_sec = 1;
	for (unsigned n = 1; r != 0; n++) {
		for (size_t i = 0; i < array_size(codes); i++) {
			calls_reset();
			fail_after = n;
			fail_with = codes[i];
			r = writer_stage(tree_path("/a"), &state, &error);
			fail_after = 0;
			if (r == 0)
				break;
			ck_assert_int_eq(r, -codes[i]);
			ck_assert_int_eq(error.code, r);
			ck_assert_str_eq(error.path, tree_path("/a"));
			ck_assert_str_ne(error.text, "");
			assert_absent("/a");
		}
		ck_assert_uint_lt(n, 20);
	}
	ck_assert_str_eq(calls, state.uid == 1234 && state.xattrs ? "womxts" : calls);
	assert_text("/a", "x");
}
END_TEST

START_TEST(errors_that_come_late_are_errors)
{
	const struct filestate state = plain("x");

	close_code = EIO;
	ck_assert_int_eq(writer_stage(tree_path("/a"), &state, &error), -EIO);
	ck_assert_uint_eq(entries(), 0);
	close_code = EINTR;
	ck_assert_int_eq(writer_stage(tree_path("/a"), &state, &error), 0);
	close_code = 0;
}
END_TEST

START_TEST(a_mode_that_does_not_stay_is_an_error)
{
	const struct filestate state = plain("x");

	forgetful = true;
	ck_assert_int_eq(writer_stage(tree_path("/a"), &state, &error), -EIO);
	forgetful = false;
	ck_assert_ptr_nonnull(strstr(error.text, "does not keep"));
	ck_assert_uint_eq(entries(), 0);
}
END_TEST

/* Runs a test in a process of its own, whose user namespace has nobody but root. */
START_TEST(an_owner_who_does_not_exist_here_is_an_error)
{
	struct filestate state = plain("x");

	if (!is_root("foreign owners"))
		return;
	state.uid = 1234;
	pid_t child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		if (unshare(CLONE_NEWUSER) < 0)
			_exit(77);
		int fd = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
		if (fd < 0 || syscall(SYS_write, fd, "0 0 1", 5) != 5)
			_exit(77);
		int r = writer_stage(tree_path("/a"), &state, &error);
		bool fine = (r == -EINVAL || r == -EPERM) && strstr(error.text, "user 1234");
		_exit(fine ? 0 : 1);
	}
	int status = 0;
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		(void)fprintf(stderr, "writer: not tested: no user namespaces here\n");
	else
		ck_assert_int_eq(WEXITSTATUS(status), 0);
	ck_assert_uint_eq(entries(), 0);
}
END_TEST

START_TEST(a_full_disk_is_a_sentence)
{
	cleanup_free char *bytes = calloc(1, 1000001);
	struct filestate state = plain("");

	ck_assert_ptr_nonnull(bytes);
	tree_folder("/disk");
	if (!own_mounts("a full disk"))
		return;
	ck_assert_int_eq(mount("tmpfs", tree_path("/disk"), "tmpfs", 0, "size=64k"), 0);
	state.data = bytes;
	state.length = 1000000;
	ck_assert_int_eq(writer_stage(tree_path("/disk/a"), &state, &error), -ENOSPC);
	ck_assert_ptr_nonnull(strstr(error.text, "no space is left"));
	assert_absent("/disk/a");
	ck_assert_int_eq(umount(tree_path("/disk")), 0);
}
END_TEST

START_TEST(attributes_that_cannot_be_kept_are_an_error)
{
	struct xattr xattr = {(char *)"user.x", (unsigned char *)"v", 1};
	struct filestate state = plain("x");

	tree_folder("/disk");
	if (!own_mounts("a file system without attributes"))
		return;
	ck_assert_int_eq(mount("ramfs", tree_path("/disk"), "ramfs", 0, ""), 0);
	ck_assert_int_eq(writer_stage(tree_path("/disk/b"), &state, &error), 0);
	state.xattrs = &xattr;
	state.xattr_count = 1;
	ck_assert_int_eq(writer_stage(tree_path("/disk/a"), &state, &error), -ENOTSUP);
	ck_assert_ptr_nonnull(strstr(error.text, "user.x"));
	assert_absent("/disk/a");
	ck_assert_int_eq(umount(tree_path("/disk")), 0);
}
END_TEST

/* ---- switching and removing ---- */

START_TEST(a_switch_replaces_the_file)
{
	const struct filestate state = plain("new");

	tree_write("/a", "old");
	ck_assert_int_eq(writer_stage(tree_path("/.a.new"), &state, &error), 0);
	assert_text("/a", "old");
	ck_assert_int_eq(writer_switch(tree_path("/.a.new"), tree_path("/a"), &error), 0);
	assert_text("/a", "new");
	assert_absent("/.a.new");
	ck_assert_int_eq(writer_switch(tree_path("/.a.new"), tree_path("/a"), &error), -ENOENT);
	assert_text("/a", "new");
}
END_TEST

START_TEST(a_switch_is_within_one_folder)
{
	tree_write("/one/a", "new");
	tree_write("/two/a", "old");
	ck_assert_int_eq(writer_switch(tree_path("/one/a"), tree_path("/two/a"), &error), -EXDEV);
	assert_text("/two/a", "old");
}
END_TEST

START_TEST(a_sync_of_the_folder_that_fails_is_an_error)
{
	tree_write("/.a.new", "new");
	calls_reset();
	fail_after = 2;
	fail_with = EIO;
	ck_assert_int_eq(writer_switch(tree_path("/.a.new"), tree_path("/a"), &error), -EIO);
	ck_assert_str_eq(error.step, "sync");
	calls_reset();
	fail_after = 1;
	ck_assert_int_eq(writer_remove(tree_path("/a"), &error), -EIO);
	calls_reset();
	ck_assert_int_eq(writer_make_folder(tree_path("/f"), 0755, &error), -EIO);
	assert_absent("/f");
	fail_after = 0;
}
END_TEST

START_TEST(removing_twice_is_fine_and_durable)
{
	tree_write("/a", "");
	tree_link("nowhere", "/link");
	ck_assert_int_eq(writer_remove(tree_path("/a"), &error), 0);
	ck_assert_int_eq(writer_remove(tree_path("/link"), &error), 0);
	ck_assert_uint_eq(entries(), 0);
	calls_reset();
	ck_assert_int_eq(writer_remove(tree_path("/a"), &error), 0);
	ck_assert_str_eq(calls, "s");
	ck_assert_int_eq(writer_remove(tree_path("/none/a"), &error), 0);
	tree_folder("/folder");
	ck_assert_int_eq(writer_remove(tree_path("/folder"), &error), -EISDIR);
	ck_assert_uint_eq(entries(), 1);
}
END_TEST

/* ---- attributes ---- */

START_TEST(attributes_of_what_exists_are_set)
{
	cleanup_filestate struct filestate wanted = {.exists = false};
	cleanup_filestate struct filestate now = {.exists = false};

	tree_write("/a", "x");
	ck_assert_int_eq(chmod(tree_path("/a"), 0640), 0);
	bool xattrs = setxattr(tree_path("/a"), "user.x", "v", 1, 0) == 0;
	read_state("/a", &wanted);

	if (geteuid() == 0)
		ck_assert_int_eq(chown(tree_path("/a"), 1234, 4321), 0);
	ck_assert_int_eq(chmod(tree_path("/a"), 0777), 0);
	if (xattrs) {
		ck_assert_int_eq(setxattr(tree_path("/a"), "user.x", "changed", 7, 0), 0);
		ck_assert_int_eq(setxattr(tree_path("/a"), "user.extra", "1", 1, 0), 0);
		(void)set_acl("/a", "system.posix_acl_access");
	}
	calls_reset();
	ck_assert_int_eq(writer_set_attributes(tree_path("/a"), &wanted, &error), 0);
	ck_assert_int_eq(calls[call_count - 1], 's');
	read_state("/a", &now);
	ck_assert(filestate_same(&wanted, &now));
	ck_assert_str_eq(now.data, "x");
}
END_TEST

START_TEST(attributes_of_a_folder_are_set)
{
	cleanup_filestate struct filestate state = {.exists = false};

	tree_folder("/a");
	read_state("/a", &state);
	state.mode = 01700;
	ck_assert_int_eq(writer_set_attributes(tree_path("/a"), &state, &error), 0);
	filestate_done(&state);
	read_state("/a", &state);
	ck_assert_uint_eq(state.mode, 01700);
}
END_TEST

START_TEST(attributes_of_something_else_are_left_alone)
{
	const struct filestate file = plain("");
	const struct filestate absent = {.exists = false};
	struct filestate folder = plain("");

	folder.folder = true;
	tree_folder("/folder");
	tree_write("/file", "");
	tree_link("file", "/link");
	ck_assert_int_eq(writer_set_attributes(tree_path("/none"), &file, &error), -ENOENT);
	ck_assert_int_eq(writer_set_attributes(tree_path("/link"), &file, &error), -ELOOP);
	ck_assert_int_eq(writer_set_attributes(tree_path("/folder"), &file, &error), -EINVAL);
	ck_assert_int_eq(writer_set_attributes(tree_path("/file"), &folder, &error), -ENOTDIR);
	ck_assert_int_eq(writer_set_attributes(tree_path("/file"), &absent, &error), -EINVAL);
}
END_TEST

/* ---- folders ---- */

START_TEST(a_folder_has_its_mode_whatever_the_umask)
{
	cleanup_filestate struct filestate state = {.exists = false};

	(void)umask(0077);
	calls_reset();
	ck_assert_int_eq(writer_make_folder(tree_path("/a"), 0755, &error), 0);
	ck_assert_str_eq(calls, "mss");
	read_state("/a", &state);
	ck_assert(state.folder);
	ck_assert_uint_eq(state.mode, 0755);
	calls_reset();
	ck_assert_int_eq(writer_make_folder(tree_path("/a"), 0700, &error), 0);
	ck_assert_str_eq(calls, "s");
	ck_assert_int_eq(writer_make_folder(tree_path("/none/a"), 0700, &error), -ENOENT);
	tree_write("/file", "");
	ck_assert_int_eq(writer_make_folder(tree_path("/file"), 0700, &error), -ENOTDIR);
	tree_link("nowhere", "/link");
	ck_assert_int_eq(writer_make_folder(tree_path("/link"), 0700, &error), -ENOTDIR);
}
END_TEST

START_TEST(only_empty_folders_are_removed)
{
	tree_write("/a/b", "");
	ck_assert_int_eq(writer_remove_folder(tree_path("/a"), &error), 0);
	assert_text("/a/b", "");
	ck_assert_int_eq(writer_remove(tree_path("/a/b"), &error), 0);
	calls_reset();
	ck_assert_int_eq(writer_remove_folder(tree_path("/a"), &error), 0);
	ck_assert_str_eq(calls, "s");
	assert_absent("/a");
	ck_assert_int_eq(writer_remove_folder(tree_path("/a"), &error), 0);
}
END_TEST

/* ---- harden's own ---- */

START_TEST(what_a_crash_left_is_replaced)
{
	cleanup_filestate struct filestate state = {.exists = false};

	tree_write("/a", "old");
	tree_write("/a.new", "half of it");
	tree_write("/victim", "another's");
	calls_reset();
	ck_assert_int_eq(writer_replace(tree_path("/a"), "n\0w", 3, 0600, &error), 0);
	ck_assert_str_eq(calls, "wmsrs");
	read_state("/a", &state);
	ck_assert_mem_eq(state.data, "n\0w", 4);
	ck_assert_uint_eq(state.mode, 0600);
	ck_assert_uint_eq(state.uid, geteuid());
	assert_absent("/a.new");
	tree_link("victim", "/a.new");
	ck_assert_int_eq(writer_replace(tree_path("/a"), "", 0, 0600, &error), 0);
	assert_text("/a", "");
	assert_text("/victim", "another's");
}
END_TEST

START_TEST(a_replacement_that_fails_leaves_the_old)
{
	tree_write("/a", "old");
	for (unsigned n = 1; n <= 4; n++) {
		calls_reset();
		fail_after = n;
		fail_with = EIO;
		ck_assert_int_eq(writer_replace(tree_path("/a"), "new", 3, 0600, &error), -EIO);
		fail_after = 0;
		assert_text("/a", "old");
		ck_assert_uint_eq(entries(), 1);
	}
}
END_TEST

START_TEST(a_link_is_made_and_replaced)
{
	char target[64] = "";

	tree_link("half", "/link.new");
	calls_reset();
	ck_assert_int_eq(writer_link("one", tree_path("/link"), &error), 0);
	ck_assert_str_eq(calls, "rs");
	ck_assert_int_eq(writer_link("two", tree_path("/link"), &error), 0);
	ck_assert_int_eq(readlink(tree_path("/link"), target, sizeof target), 3);
	ck_assert_str_eq(target, "two");
	ck_assert_uint_eq(entries(), 1);
	calls_reset();
	fail_after = 1;
	fail_with = EIO;
	ck_assert_int_eq(writer_link("three", tree_path("/link"), &error), -EIO);
	fail_after = 0;
	ck_assert_uint_eq(entries(), 1);
}
END_TEST

/* ---- checks ---- */

static int check_named(const char *name)
{
	error = ERROR_NONE;
	return writer_check(tree_path(name), &error);
}

START_TEST(ordinary_files_and_folders_pass)
{
	tree_write("/a", "");
	tree_folder("/folder");
	ck_assert_int_eq(check_named("/a"), 0);
	ck_assert_int_eq(check_named("/new"), 0);
	ck_assert_int_eq(check_named("/folder"), 0);
	ck_assert_int_eq(check_named("/none/of/this"), 0);
	ck_assert_uint_eq(entries(), 2);
}
END_TEST

START_TEST(a_socket_has_owner_and_mode)
{
	cleanup_filestate struct filestate state = {.exists = false};
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	struct stat st;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)snprintf(name.sun_path, sizeof name.sun_path, "%s", tree_path("/socket"));
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&name, sizeof name), 0);
	ck_assert_int_eq(chmod(name.sun_path, 0666), 0);
	ck_assert_int_eq(check_named("/socket"), 0);
	ck_assert_int_eq(filestate_read(name.sun_path, &state, &error), 0);
	ck_assert(state.exists && state.socket && !state.folder);
	ck_assert_uint_eq(state.mode, 0666);
	ck_assert_ptr_null(state.data);
	state.mode = 0640;
	ck_assert_msg(writer_set_attributes(name.sun_path, &state, &error) == 0, "%s", error.text);
	ck_assert_int_eq(stat(name.sun_path, &st), 0);
	ck_assert_uint_eq(st.st_mode, S_IFSOCK | 0640);

	/* What has taken its place is left alone. */
	ck_assert_int_eq(unlink(name.sun_path), 0);
	tree_write("/socket", "");
	ck_assert_int_eq(writer_set_attributes(name.sun_path, &state, &error), -ENOTSOCK);
	(void)close(fd);
}
END_TEST

START_TEST(other_kinds_do_not_pass)
{
	tree_write("/a", "");
	tree_link("a", "/link");
	ck_assert_int_eq(mkfifo(tree_path("/fifo"), 0600), 0);
	ck_assert_int_eq(check_named("/link"), -ELOOP);
	ck_assert_int_eq(check_named("/fifo"), -EINVAL);
	ck_assert_int_eq(check_named("/a/b"), -ENOTDIR);
	ck_assert_ptr_nonnull(strstr(error.text, tree_path("/a")));
	ck_assert_int_eq(check_named("/a/b/c"), -ENOTDIR);
}
END_TEST

static bool set_flags(const char *name, int flags)
{
	int fd = open(tree_path(name), O_RDONLY | O_CLOEXEC);
	/* It is declared with a long and takes an int; valgrind looks at the long. */
	int words[2] = {flags, 0};

	ck_assert_int_ge(fd, 0);
	int r = ioctl(fd, FS_IOC_SETFLAGS, words);
	(void)close(fd);
	if (r == 0)
		return true;
	(void)fprintf(stderr, "writer: not tested, chattr does not work here: %s\n",
		      strerror(errno));
	return false;
}

START_TEST(what_is_immutable_is_named_with_the_way_out)
{
	char advice[PATH_MAX + 64];

	tree_write("/folder/a", "");
	if (!set_flags("/folder/a", FS_IMMUTABLE_FL))
		return;
	int r = check_named("/folder/a");
	ck_assert(set_flags("/folder/a", 0));
	ck_assert_int_eq(r, -EPERM);
	(void)snprintf(advice, sizeof advice, "the file is immutable; run `chattr -i %s` first",
		       tree_path("/folder/a"));
	ck_assert_str_eq(error.text, advice);

	ck_assert(set_flags("/folder/a", FS_APPEND_FL));
	r = check_named("/folder/a");
	ck_assert(set_flags("/folder/a", 0));
	ck_assert_int_eq(r, -EPERM);
	ck_assert_ptr_nonnull(strstr(error.text, "the file is append-only; run `chattr -a "));

	ck_assert(set_flags("/folder", FS_IMMUTABLE_FL));
	r = check_named("/folder/a");
	int r_new = check_named("/folder/new/one");
	int r_folder = check_named("/folder");
	ck_assert(set_flags("/folder", 0));
	ck_assert_int_eq(r, -EPERM);
	ck_assert_int_eq(r_new, -EPERM);
	ck_assert_int_eq(r_folder, -EPERM);
	(void)snprintf(advice, sizeof advice, "the folder is immutable; run `chattr -i %s` first",
		       tree_path("/folder"));
	ck_assert_str_eq(error.text, advice);
	ck_assert_int_eq(check_named("/folder/a"), 0);
}
END_TEST

START_TEST(mounts_are_in_the_way)
{
	tree_write("/a", "");
	tree_write("/b", "");
	tree_write("/folder/a", "");
	if (!own_mounts("bind mounts"))
		return;
	ck_assert_int_eq(mount(tree_path("/b"), tree_path("/a"), "", MS_BIND, NULL), 0);
	ck_assert_int_eq(mount(tree_path("/folder"), tree_path("/folder"), "", MS_BIND, NULL), 0);
	ck_assert_int_eq(check_named("/a"), -EBUSY);
	ck_assert_ptr_nonnull(strstr(error.text, "umount "));
	/* A folder that is one is no obstacle, unless it is read-only. */
	ck_assert_int_eq(check_named("/folder/a"), 0);
	ck_assert_int_eq(check_named("/folder"), 0);
	ck_assert_int_eq(
		mount("", tree_path("/folder"), "", MS_BIND | MS_REMOUNT | MS_RDONLY, NULL), 0);
	ck_assert_int_eq(check_named("/folder/a"), -EROFS);
	ck_assert_ptr_nonnull(strstr(error.text, "read-only"));
	ck_assert_int_eq(check_named("/folder"), -EROFS);
	ck_assert_int_eq(check_named("/folder/new/one"), -EROFS);

	/* What happens to one who did not ask. */
	tree_write("/.a.new", "");
	error = ERROR_NONE;
	ck_assert_int_eq(writer_switch(tree_path("/.a.new"), tree_path("/a"), &error), -EBUSY);
	ck_assert_ptr_nonnull(strstr(error.text, "mounted on it"));
	ck_assert_int_eq(umount(tree_path("/a")), 0);
	ck_assert_int_eq(umount(tree_path("/folder")), 0);
}
END_TEST

START_TEST(others_than_root_are_told)
{
	if (!is_root("permissions"))
		return;
	tree_write("/a", "");
	ck_assert_int_eq(chmod(tree_root, 0755), 0);
	ck_assert_int_eq(seteuid(65534), 0);
	int r = check_named("/a");
	ck_assert_int_eq(seteuid(0), 0);
	ck_assert_int_eq(r, -EACCES);
	ck_assert_ptr_nonnull(strstr(error.text, "run harden as root"));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_staged_file_has_everything,
		the_sync_is_the_last_thing,
		an_access_control_list_is_kept,
		an_access_control_list_is_not_inherited,
		what_stands_there_is_not_touched,
		no_file_is_made_of_unknown_bytes,
		short_and_interrupted_writes_go_on,
		each_call_that_fails_leaves_nothing_behind,
		errors_that_come_late_are_errors,
		a_mode_that_does_not_stay_is_an_error,
		an_owner_who_does_not_exist_here_is_an_error,
		a_full_disk_is_a_sentence,
		attributes_that_cannot_be_kept_are_an_error,
		a_switch_replaces_the_file,
		a_switch_is_within_one_folder,
		a_sync_of_the_folder_that_fails_is_an_error,
		removing_twice_is_fine_and_durable,
		attributes_of_what_exists_are_set,
		attributes_of_a_folder_are_set,
		attributes_of_something_else_are_left_alone,
		a_folder_has_its_mode_whatever_the_umask,
		only_empty_folders_are_removed,
		what_a_crash_left_is_replaced,
		a_replacement_that_fails_leaves_the_old,
		a_link_is_made_and_replaced,
		ordinary_files_and_folders_pass,
		a_socket_has_owner_and_mode,
		other_kinds_do_not_pass,
		what_is_immutable_is_named_with_the_way_out,
		mounts_are_in_the_way,
		others_than_root_are_told,
		NULL,
	};

	return tree_main("writer", tests);
}
