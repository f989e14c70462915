#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "host/file.h"

static struct text_file file;
static struct error error;

static int read_named(const char *name, size_t limit)
{
	text_file_done(&file);
	error = ERROR_NONE;
	return file_read(tree_path(name), limit, &file, &error);
}

START_TEST(reads_bytes_and_attributes)
{
	static const char bytes[] = "one\0two\n";

	tree_write_bytes("/a", bytes, sizeof bytes - 1);
	ck_assert_int_eq(chmod(tree_path("/a"), 0640), 0);
	ck_assert_int_eq(read_named("/a", 100), 0);
	ck_assert_int_eq(file.state, FILE_READ);
	ck_assert_uint_eq(file.length, sizeof bytes - 1);
	ck_assert_mem_eq(file.data, bytes, sizeof bytes);
	ck_assert_uint_eq(file.mode, 0640);
	ck_assert_uint_eq(file.uid, geteuid());
	ck_assert_str_eq(file.path, tree_path("/a"));
}
END_TEST

START_TEST(an_empty_file_has_no_bytes)
{
	tree_write("/a", "");
	ck_assert_int_eq(read_named("/a", 100), 0);
	ck_assert_int_eq(file.state, FILE_READ);
	ck_assert_uint_eq(file.length, 0);
	ck_assert_str_eq(file.data, "");
}
END_TEST

START_TEST(a_missing_file_is_no_error)
{
	ck_assert_int_eq(read_named("/a", 100), 0);
	ck_assert_int_eq(file.state, FILE_ABSENT);
	ck_assert_ptr_null(file.data);
	ck_assert_str_eq(file.real_path, tree_path("/a"));
	/* Nor is a folder that is missing. */
	ck_assert_int_eq(read_named("/none/of/this", 100), 0);
	ck_assert_int_eq(file.state, FILE_ABSENT);
}
END_TEST

START_TEST(symlinks_are_followed_and_named)
{
	tree_write("/real/a", "x");
	tree_link("real/a", "/link");
	tree_link("link", "/link2");
	ck_assert_int_eq(read_named("/link2", 100), 0);
	ck_assert_str_eq(file.data, "x");
	ck_assert_str_eq(file.path, tree_path("/link2"));
	ck_assert_str_eq(file.real_path, tree_path("/real/a"));
}
END_TEST

START_TEST(a_dangling_symlink_says_where_the_file_would_be)
{
	tree_folder("/real");
	tree_link("real", "/folder");
	tree_link("folder/new", "/link");
	ck_assert_int_eq(read_named("/link", 100), 0);
	ck_assert_int_eq(file.state, FILE_ABSENT);
	ck_assert_str_eq(file.real_path, tree_path("/real/new"));
	/* An absolute one as well. */
	tree_link(tree_path("/folder/other"), "/link2");
	ck_assert_int_eq(read_named("/link2", 100), 0);
	ck_assert_str_eq(file.real_path, tree_path("/real/other"));
}
END_TEST

START_TEST(a_loop_of_symlinks_is_refused)
{
	tree_link("b", "/a");
	tree_link("a", "/b");
	ck_assert_int_eq(read_named("/a", 100), -ELOOP);
	ck_assert_str_eq(error.path, tree_path("/a"));
	ck_assert_ptr_nonnull(strstr(error.text, "circle"));
}
END_TEST

START_TEST(a_folder_is_refused)
{
	tree_folder("/a");
	ck_assert_int_eq(read_named("/a", 100), -EISDIR);
	ck_assert_ptr_nonnull(strstr(error.text, "folder"));
}
END_TEST

START_TEST(a_file_as_folder_is_refused)
{
	tree_write("/a", "");
	ck_assert_int_eq(read_named("/a/b", 100), -ENOTDIR);
}
END_TEST

/* Without a writer, open() of a FIFO would wait for ever. */
START_TEST(a_fifo_is_refused_without_waiting)
{
	ck_assert_int_eq(mkfifo(tree_path("/a"), 0600), 0);
	ck_assert_int_eq(read_named("/a", 100), -EINVAL);
	ck_assert_ptr_nonnull(strstr(error.text, "FIFO"));
}
END_TEST

START_TEST(a_socket_is_refused)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)snprintf(address.sun_path, sizeof address.sun_path, "%.100s", tree_path("/a"));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	ck_assert_int_eq(read_named("/a", 100), -EINVAL);
	ck_assert_ptr_nonnull(strstr(error.text, "socket"));
	(void)close(fd);
}
END_TEST

START_TEST(a_device_is_refused)
{
	error = ERROR_NONE;
	ck_assert_int_eq(file_read("/dev/zero", 100, &file, &error), -EINVAL);
	ck_assert_ptr_nonnull(strstr(error.text, "device"));
}
END_TEST

START_TEST(the_limit_is_exact)
{
	tree_write("/a", "12345");
	ck_assert_int_eq(read_named("/a", 5), 0);
	ck_assert_str_eq(file.data, "12345");
	ck_assert_int_eq(read_named("/a", 4), -EFBIG);
	ck_assert_ptr_nonnull(strstr(error.text, "5 bytes"));
	tree_write("/b", "");
	ck_assert_int_eq(read_named("/b", 0), 0);
}
END_TEST

START_TEST(a_huge_file_is_refused_unread)
{
	tree_write("/a", "");
	ck_assert_int_eq(truncate(tree_path("/a"), (off_t)1 << 30), 0);
	ck_assert_int_eq(read_named("/a", CONFIG_SIZE_MAX), -EFBIG);
}
END_TEST

/* Files of /proc say that they are empty. */
START_TEST(a_file_that_claims_no_size_is_read_to_its_end)
{
	error = ERROR_NONE;
	ck_assert_int_eq(file_read("/proc/self/status", 1 << 20, &file, &error), 0);
	ck_assert_int_eq(file.state, FILE_READ);
	ck_assert_uint_gt(file.length, 100);
	ck_assert_uint_eq(file.length, strlen(file.data));
	text_file_done(&file);
	ck_assert_int_eq(file_read("/proc/self/status", 100, &file, &error), -EFBIG);
}
END_TEST

START_TEST(the_access_time_stays)
{
	const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 2000}};
	struct stat st;

	tree_write("/a", "x");
	ck_assert_int_eq(utimensat(AT_FDCWD, tree_path("/a"), old, 0), 0);
	ck_assert_int_eq(read_named("/a", 100), 0);
	ck_assert_int_eq(stat(tree_path("/a"), &st), 0);
	ck_assert_int_eq(st.st_atim.tv_sec, 1000);
}
END_TEST

/* Check runs each test in a child, so giving up root here stays here. */
START_TEST(what_is_not_permitted_is_a_state)
{
	tree_write("/a", "x");
	tree_write("/shut/b", "x");
	ck_assert_int_eq(chmod(tree_path("/a"), 0), 0);
	ck_assert_int_eq(chmod(tree_path("/shut"), 0), 0);
	ck_assert_int_eq(chmod(tree_root, 0755), 0);
	if (geteuid() == 0)
		ck_assert_int_eq(seteuid(65534), 0);
	ck_assert_int_eq(read_named("/a", 100), 0);
	ck_assert_int_eq(file.state, FILE_UNREADABLE);
	ck_assert_ptr_null(file.data);
	ck_assert_ptr_nonnull(file.real_path);
	ck_assert_int_eq(read_named("/shut/b", 100), 0);
	ck_assert_int_eq(file.state, FILE_UNREADABLE);
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(0), 0);
	ck_assert_int_eq(chmod(tree_path("/shut"), 0755), 0);
}
END_TEST

/* O_NOATIME is refused to those who do not own the file; it is read all the same. */
START_TEST(the_file_of_somebody_else_is_read)
{
	if (geteuid() != 0)
		return;
	tree_write("/a", "x");
	ck_assert_int_eq(chmod(tree_root, 0755), 0);
	ck_assert_int_eq(chmod(tree_path("/a"), 0644), 0);
	ck_assert_int_eq(seteuid(65534), 0);
	ck_assert_int_eq(read_named("/a", 100), 0);
	ck_assert_int_eq(file.state, FILE_READ);
	ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

START_TEST(outputs_stay_untouched_on_failure)
{
	struct text_file untouched = {.length = 7};

	tree_folder("/a");
	ck_assert_int_eq(file_read(tree_path("/a"), 100, &untouched, NULL), -EISDIR);
	ck_assert_uint_eq(untouched.length, 7);
	ck_assert_ptr_null(untouched.path);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		reads_bytes_and_attributes,
		an_empty_file_has_no_bytes,
		a_missing_file_is_no_error,
		symlinks_are_followed_and_named,
		a_dangling_symlink_says_where_the_file_would_be,
		a_loop_of_symlinks_is_refused,
		a_folder_is_refused,
		a_file_as_folder_is_refused,
		a_fifo_is_refused_without_waiting,
		a_socket_is_refused,
		a_device_is_refused,
		the_limit_is_exact,
		a_huge_file_is_refused_unread,
		a_file_that_claims_no_size_is_read_to_its_end,
		the_access_time_stays,
		what_is_not_permitted_is_a_state,
		the_file_of_somebody_else_is_read,
		outputs_stay_untouched_on_failure,
		NULL,
	};

	return tree_main("file", tests);
}
