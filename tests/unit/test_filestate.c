#include "tree.h"

#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/xattr.h>

#include "apply/filestate.h"

static struct filestate state;
static struct error error;

/* How often the file is touched in the middle of being read, and which. */
static unsigned touches;
static const char *touched;

/* In place of the one in libc: somebody else changes the file between two steps of the reader. */
ssize_t flistxattr(int fd, char *list, size_t size)
{
	if (touches && !size) {
		touches--;
		ck_assert_int_eq(chmod(touched, touches % 2 ? 0600 : 0640), 0);
	}
	return syscall(SYS_flistxattr, fd, list, size);
}

static int read_named(const char *name)
{
	filestate_done(&state);
	error = ERROR_NONE;
	return filestate_read(tree_path(name), &state, &error);
}

/* False, and a word about it, where the file system of the tests has no attributes of users. */
static bool set_xattr(const char *name, const char *attribute, const void *value, size_t size)
{
	if (setxattr(tree_path(name), attribute, value, size, 0) == 0)
		return true;
	ck_assert_int_eq(errno, ENOTSUP);
	(void)fprintf(stderr, "filestate: not tested: %s is not supported here\n", attribute);
	return false;
}

START_TEST(reads_bytes_and_attributes)
{
	static const char bytes[] = "one\0two\n";
	const struct timeval times[2] = {{.tv_sec = 5}, {.tv_sec = 1234567, .tv_usec = 89}};

	tree_write_bytes("/a", bytes, sizeof bytes - 1);
	ck_assert_int_eq(chmod(tree_path("/a"), 04751), 0);
	ck_assert_int_eq(utimes(tree_path("/a"), times), 0);
	ck_assert_int_eq(read_named("/a"), 0);
	ck_assert(state.exists);
	ck_assert(!state.folder);
	ck_assert_uint_eq(state.length, sizeof bytes - 1);
	ck_assert_mem_eq(state.data, bytes, sizeof bytes);
	ck_assert_str_eq(state.sha256,
			 "ad0f1540efd4a12d29bd1c82b6af50cb98bb243acfed5a993d57a2d6f9c0d2e0");
	ck_assert_uint_eq(state.uid, geteuid());
	ck_assert_uint_eq(state.gid, getegid());
	ck_assert_uint_eq(state.mode, 04751);
	ck_assert_int_eq(state.mtime.tv_sec, 1234567);
	ck_assert_int_eq(state.mtime.tv_nsec, 89000);
}
END_TEST

START_TEST(extended_attributes_are_sorted_bytes)
{
	tree_write("/a", "x");
	if (!set_xattr("/a", "user.b", "v\0w", 3))
		return;
	ck_assert(set_xattr("/a", "user.c", "", 0));
	ck_assert(set_xattr("/a", "user.a", "1", 1));
	ck_assert_int_eq(read_named("/a"), 0);
	ck_assert_uint_eq(state.xattr_count, 3);
	ck_assert_str_eq(state.xattrs[0].name, "user.a");
	ck_assert_str_eq(state.xattrs[1].name, "user.b");
	ck_assert_uint_eq(state.xattrs[1].size, 3);
	ck_assert_mem_eq(state.xattrs[1].value, "v\0w", 3);
	ck_assert_str_eq(state.xattrs[2].name, "user.c");
	ck_assert_uint_eq(state.xattrs[2].size, 0);
	ck_assert_ptr_null(state.xattrs[2].value);
	ck_assert_ptr_eq(filestate_xattr(&state, "user.b"), &state.xattrs[1]);
	ck_assert_ptr_null(filestate_xattr(&state, "user.d"));
}
END_TEST

START_TEST(a_file_system_without_attributes_gives_none)
{
	error = ERROR_NONE;
	ck_assert_int_eq(filestate_read("/proc/version", &state, &error), 0);
	ck_assert(state.exists);
	ck_assert_uint_gt(state.length, 0);
	ck_assert_uint_eq(state.xattr_count, 0);
}
END_TEST

START_TEST(nothing_there_is_no_error)
{
	ck_assert_int_eq(read_named("/a"), 0);
	ck_assert(!state.exists);
	ck_assert_int_eq(read_named("/none/of/this"), 0);
	ck_assert(!state.exists);
	tree_link("nowhere", "/link");
	ck_assert_int_eq(read_named("/link"), 0);
	ck_assert(!state.exists);
}
END_TEST

START_TEST(symlinks_are_followed)
{
	tree_write("/real", "x");
	ck_assert_int_eq(chmod(tree_path("/real"), 0604), 0);
	tree_link("real", "/link");
	ck_assert_int_eq(read_named("/link"), 0);
	ck_assert_str_eq(state.data, "x");
	ck_assert_uint_eq(state.mode, 0604);
}
END_TEST

START_TEST(a_folder_has_attributes_only)
{
	tree_folder("/a");
	ck_assert_int_eq(chmod(tree_path("/a"), 01750), 0);
	ck_assert_int_eq(read_named("/a"), 0);
	ck_assert(state.exists);
	ck_assert(state.folder);
	ck_assert_ptr_null(state.data);
	ck_assert_str_eq(state.sha256, "");
	ck_assert_uint_eq(state.mode, 01750);
}
END_TEST

START_TEST(other_kinds_are_refused)
{
	ck_assert_int_eq(mkfifo(tree_path("/a"), 0600), 0);
	ck_assert_int_eq(read_named("/a"), -EINVAL);
	ck_assert_ptr_nonnull(strstr(error.text, "FIFO"));
	tree_link("loop", "/loop");
	ck_assert_int_eq(read_named("/loop"), -ELOOP);
	tree_write("/file", "");
	ck_assert_int_eq(read_named("/file/below"), -ENOTDIR);
}
END_TEST

START_TEST(what_may_not_be_read_is_an_error)
{
	tree_write("/closed/a", "x");
	tree_write("/a", "x");
	ck_assert_int_eq(chmod(tree_path("/a"), 0), 0);
	ck_assert_int_eq(chmod(tree_path("/closed"), 0), 0);
	ck_assert_int_eq(chmod(tree_root, 0755), 0);
	bool root = geteuid() == 0;
	if (root)
		ck_assert_int_eq(seteuid(65534), 0);
	ck_assert_int_eq(read_named("/a"), -EACCES);
	ck_assert_ptr_nonnull(strstr(error.text, "as root"));
	ck_assert_str_eq(error.path, tree_path("/a"));
	ck_assert_int_eq(read_named("/closed/a"), -EACCES);
	if (root)
		ck_assert_int_eq(seteuid(0), 0);
	ck_assert_int_eq(chmod(tree_path("/closed"), 0700), 0);
}
END_TEST

START_TEST(a_file_that_changes_is_read_again)
{
	char path[PATH_MAX];

	tree_write("/a", "x");
	(void)snprintf(path, sizeof path, "%s", tree_path("/a"));
	touched = path;
	touches = 3;
	ck_assert_int_eq(read_named("/a"), 0);
	ck_assert_uint_eq(touches, 0);
	ck_assert_uint_eq(state.mode, 0640);
	ck_assert_str_eq(state.data, "x");

	touches = UINT32_MAX;
	ck_assert_int_eq(read_named("/a"), -EAGAIN);
	touches = 0;
	ck_assert_ptr_nonnull(strstr(error.text, "changes it all the time"));
	ck_assert(!state.exists);
}
END_TEST

/* A file with two attributes, which nobody has to support. */
static struct filestate sample(void)
{
	struct filestate from = {.exists = true, .uid = 1, .gid = 2, .mode = 0640, .mtime = {3, 4}};
	struct filestate result;

	ck_assert_int_eq(filestate_with_bytes(&from, "a\0b", 3, &result, NULL), 0);
	result.xattrs = calloc(2, sizeof *result.xattrs);
	ck_assert_ptr_nonnull(result.xattrs);
	result.xattr_count = 2;
	result.xattrs[0] = (struct xattr){.name = strdup("security.selinux"),
					  .value = (unsigned char *)strdup("label"),
					  .size = 5};
	result.xattrs[1] = (struct xattr){.name = strdup("user.x")};
	return result;
}

START_TEST(a_copy_is_deep_and_the_same)
{
	cleanup_filestate struct filestate from = sample();
	cleanup_filestate struct filestate copy = {.exists = false};

	from.mtime = (struct timespec){3, 4};
	ck_assert_int_eq(filestate_copy(&from, &copy, NULL), 0);
	ck_assert(filestate_same(&from, &copy));
	ck_assert_ptr_ne(copy.data, from.data);
	ck_assert_mem_eq(copy.data, "a\0b", 4);
	ck_assert_ptr_ne(copy.xattrs, from.xattrs);
	ck_assert_str_eq(copy.xattrs[0].name, "security.selinux");
	ck_assert_mem_eq(copy.xattrs[0].value, "label", 5);
	ck_assert_ptr_null(copy.xattrs[1].value);
	ck_assert_int_eq(copy.mtime.tv_nsec, 4);
	ck_assert_str_eq(copy.sha256, from.sha256);

	/* Without bytes there is still their hash. */
	free(from.data);
	from.data = NULL;
	filestate_done(&copy);
	ck_assert_int_eq(filestate_copy(&from, &copy, NULL), 0);
	ck_assert_ptr_null(copy.data);
	ck_assert(filestate_same(&from, &copy));
}
END_TEST

START_TEST(other_bytes_keep_the_attributes)
{
	cleanup_filestate struct filestate from = sample();
	cleanup_filestate struct filestate other = {.exists = false};

	ck_assert_int_eq(filestate_with_bytes(&from, "new", 3, &other, NULL), 0);
	ck_assert(other.exists);
	ck_assert_str_eq(other.data, "new");
	ck_assert_uint_eq(other.length, 3);
	ck_assert_uint_eq(other.uid, 1);
	ck_assert_uint_eq(other.gid, 2);
	ck_assert_uint_eq(other.mode, 0640);
	ck_assert_uint_eq(other.xattr_count, 2);
	ck_assert_int_eq(other.mtime.tv_sec, 0);
	ck_assert_int_eq(other.mtime.tv_nsec, 0);
	ck_assert(!filestate_same_content(&from, &other));
}
END_TEST

START_TEST(a_new_file_is_roots)
{
	const struct filestate absent = {.exists = false};
	const struct filestate folder = {.exists = true, .folder = true};
	cleanup_filestate struct filestate new = {.exists = false};

	ck_assert_int_eq(filestate_with_bytes(&absent, "", 0, &new, NULL), 0);
	ck_assert(new.exists);
	ck_assert_str_eq(new.data, "");
	ck_assert_uint_eq(new.uid, 0);
	ck_assert_uint_eq(new.gid, 0);
	ck_assert_uint_eq(new.mode, 0644);
	ck_assert_uint_eq(new.xattr_count, 0);
	ck_assert_int_eq(filestate_with_bytes(&folder, "", 0, &state, NULL), -EISDIR);
}
END_TEST

START_TEST(what_makes_two_files_differ)
{
	cleanup_filestate struct filestate a = sample();
	cleanup_filestate struct filestate b = sample();

	ck_assert(filestate_same(&a, &b));
	b.mtime.tv_sec++;
	ck_assert(filestate_same(&a, &b));
	b.uid++;
	ck_assert(filestate_same_content(&a, &b));
	ck_assert(!filestate_same(&a, &b));
	b.uid = a.uid;
	b.gid++;
	ck_assert(!filestate_same(&a, &b));
	b.gid = a.gid;
	b.mode ^= 1;
	ck_assert(!filestate_same(&a, &b));
	b.mode = a.mode;
	b.sha256[0] ^= 1;
	ck_assert(!filestate_same(&a, &b));
	ck_assert(!filestate_same_content(&a, &b));
	b.sha256[0] ^= 1;
	ck_assert(filestate_same(&a, &b));

	const struct filestate absent = {.exists = false};
	const struct filestate folder = {.exists = true, .folder = true};
	ck_assert(filestate_same(&absent, &absent));
	ck_assert(!filestate_same(&absent, &a));
	ck_assert(!filestate_same_content(&a, &absent));
	ck_assert(!filestate_same_content(&a, &folder));
	ck_assert(filestate_same_content(&folder, &folder));
}
END_TEST

START_TEST(attributes_make_a_difference_unless_the_kernel_gave_them)
{
	cleanup_filestate struct filestate a = sample();
	cleanup_filestate struct filestate b = sample();

	/* Only one has the ordinary attribute. */
	b.xattr_count = 1;
	ck_assert(!filestate_same(&a, &b));
	ck_assert(!filestate_same(&b, &a));
	b.xattr_count = 2;
	b.xattrs[1].name[5] = 'y';
	ck_assert(!filestate_same(&a, &b));
	b.xattrs[1].name[5] = 'x';
	ck_assert(filestate_same(&a, &b));

	/* A label that both have counts, one that only one of them has does not. */
	b.xattrs[0].value[0] = 'L';
	ck_assert(!filestate_same(&a, &b));
	b.xattrs[0].value[0] = 'l';
	b.xattrs[0].size--;
	ck_assert(!filestate_same(&a, &b));
	b.xattrs[0].size++;
	free(b.xattrs[0].name);
	free(b.xattrs[0].value);
	b.xattrs[0] = b.xattrs[1];
	b.xattr_count = 1;
	ck_assert(filestate_same(&a, &b));
	ck_assert(filestate_same(&b, &a));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		reads_bytes_and_attributes,
		extended_attributes_are_sorted_bytes,
		a_file_system_without_attributes_gives_none,
		nothing_there_is_no_error,
		symlinks_are_followed,
		a_folder_has_attributes_only,
		other_kinds_are_refused,
		what_may_not_be_read_is_an_error,
		a_file_that_changes_is_read_again,
		a_copy_is_deep_and_the_same,
		other_bytes_keep_the_attributes,
		a_new_file_is_roots,
		what_makes_two_files_differ,
		attributes_make_a_difference_unless_the_kernel_gave_them,
		NULL,
	};

	return tree_main("filestate", tests);
}
