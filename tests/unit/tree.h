/* A folder for one test, and files in it. Every failure ends the test. */
#pragma once

#include "harness.h"

#include <check.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char tree_root[PATH_MAX / 2];

/* The path of something in the tree; overwritten by the call after the next three. */
static inline const char *tree_path(const char *name)
{
	static char paths[4][2 * PATH_MAX];
	static unsigned turn;
	char *path = paths[turn++ % 4];

	(void)snprintf(path, sizeof paths[0], "%s%s", tree_root, name);
	return path;
}

static inline void tree_setup(void)
{
	const char *base = getenv("TMPDIR");

	(void)snprintf(tree_root, sizeof tree_root, "%s/harden-test-XXXXXX", base ? base : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(tree_root));
}

static inline void tree_remove(const char *path)
{
	DIR *folder = opendir(path);
	const struct dirent *entry;

	while (folder && (entry = readdir(folder))) {
		char child[2 * PATH_MAX];

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if ((size_t)snprintf(child, sizeof child, "%s/%s", path, entry->d_name) >=
		    sizeof child)
			continue;
		if (unlink(child) < 0)
			tree_remove(child);
	}
	if (folder)
		(void)closedir(folder);
	(void)rmdir(path);
}

static inline void tree_teardown(void)
{
	tree_remove(tree_root);
}

/* Makes a folder and all above it; the name begins with "/". */
static inline void tree_folder(const char *name)
{
	char path[2 * PATH_MAX];

	(void)snprintf(path, sizeof path, "%s", tree_path(name));
	for (char *slash = path + strlen(tree_root) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		(void)mkdir(path, 0755);
		*slash = '/';
	}
	(void)mkdir(path, 0755);
	ck_assert_int_eq(access(path, F_OK), 0);
}

static inline void tree_write_bytes(const char *name, const char *bytes, size_t length)
{
	char folder[PATH_MAX];

	(void)snprintf(folder, sizeof folder, "%s", name);
	*strrchr(folder, '/') = '\0';
	if (folder[0])
		tree_folder(folder);
	FILE *file = fopen(tree_path(name), "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(bytes, 1, length, file), length);
	ck_assert_int_eq(fclose(file), 0);
}

static inline void tree_write(const char *name, const char *text)
{
	tree_write_bytes(name, text, strlen(text));
}

static inline void tree_link(const char *target, const char *name)
{
	ck_assert_int_eq(symlink(target, tree_path(name)), 0);
}

/* Runs a suite of one case per function in `tests`, which ends with NULL, and, unless it is NULL,
 * of `loop` for each index below count; each with a tree of its own. */
static inline int tree_main_loop(const char *name, const TTest *const *tests, const TTest *loop,
				 int count)
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create(name);

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, tree_setup, tree_teardown);
	for (; *tests; tests++)
		tcase_add_test(tcase, *tests);
	if (loop)
		tcase_add_loop_test(tcase, loop, 0, count);
	suite_add_tcase(suite, tcase);

	return test_run(suite);
}

static inline int tree_main(const char *name, const TTest *const *tests)
{
	return tree_main_loop(name, tests, NULL, 0);
}
