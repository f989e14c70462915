#include "tree.h"

#include <errno.h>
#include <sys/mount.h>

#include "apply/tree.h"

static struct error error;

static void make_file(const char *name)
{
	cleanup_fclose FILE *file = fopen(tree_path(name), "w");

	ck_assert_ptr_nonnull(file);
}

static void make_folder(const char *name)
{
	ck_assert_int_eq(mkdir(tree_path(name), 0700), 0);
}

START_TEST(all_of_it_goes_and_nothing_else)
{
	make_folder("/mine");
	make_folder("/mine/a");
	make_folder("/mine/a/b");
	make_file("/mine/a/b/file");
	make_file("/mine/.hidden");
	make_folder("/mine.too");
	make_folder("/others");
	make_file("/others/file");
	ck_assert_int_eq(symlink("../others", tree_path("/mine/link")), 0);
	ck_assert_int_eq(symlink("nowhere", tree_path("/mine/a/dangling")), 0);
	ck_assert_int_eq(chmod(tree_path("/mine/a"), 0500), 0);
	if (geteuid() != 0)
		ck_assert_int_eq(chmod(tree_path("/mine/a"), 0700), 0);

	ck_assert_int_eq(tree_discard(tree_path("/mine"), &error), 0);
	ck_assert_int_eq(access(tree_path("/mine"), F_OK), -1);
	ck_assert_int_eq(access(tree_path("/others/file"), F_OK), 0);
	ck_assert_int_eq(access(tree_path("/mine.too"), F_OK), 0);
}
END_TEST

START_TEST(what_is_not_there_is_fine)
{
	ck_assert_int_eq(tree_discard(tree_path("/none"), &error), 0);
	ck_assert_int_eq(tree_discard(tree_path("/none/deeper"), &error), 0);
}
END_TEST

START_TEST(a_link_goes_and_not_what_it_leads_to)
{
	make_folder("/others");
	make_file("/others/file");
	ck_assert_int_eq(symlink("others", tree_path("/link")), 0);
	ck_assert_int_eq(tree_discard(tree_path("/link"), &error), 0);
	ck_assert_int_eq(access(tree_path("/link"), F_OK), -1);
	ck_assert_int_eq(access(tree_path("/others/file"), F_OK), 0);
}
END_TEST

/* Whoever may not mount cannot have anything mounted there either. */
START_TEST(what_is_mounted_stays)
{
	make_folder("/mine");
	make_folder("/mine/a mount");
	make_file("/mine/file");
	if (mount("none", tree_path("/mine/a mount"), "tmpfs", 0, NULL) < 0) {
		ck_assert_int_eq(errno, EPERM);
		return;
	}
	int r = tree_discard(tree_path("/mine"), &error);
	ck_assert_int_eq(umount2(tree_path("/mine/a mount"), MNT_DETACH), 0);
	ck_assert_int_eq(r, -EBUSY);
	ck_assert_int_eq(access(tree_path("/mine/file"), F_OK), 0);
	error = ERROR_NONE;
	ck_assert_int_eq(tree_discard(tree_path("/mine"), &error), 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		all_of_it_goes_and_nothing_else,
		what_is_not_there_is_fine,
		a_link_goes_and_not_what_it_leads_to,
		what_is_mounted_stays,
		NULL,
	};

	return tree_main("tree", tests);
}
