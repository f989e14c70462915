/* What the unit tests share. */
#pragma once

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* The folder with the cases that are files. */
static inline const char *test_data(void)
{
	const char *path = getenv("HARDEN_TEST_DATA");

	return path ? path : "tests/data";
}

/* The whole file at test_data()/folder/name, terminated; the caller frees it. Fails the test when
 * it cannot be read. */
static inline char *test_file(const char *folder, const char *name, size_t *ret_length)
{
	char path[1024];

	(void)snprintf(path, sizeof path, "%s/%s/%s", test_data(), folder, name);
	cleanup_fclose FILE *file = fopen(path, "rb");
	ck_assert_msg(file != NULL, "cannot open %s", path);

	char *text = NULL;
	size_t size = 0;
	ssize_t length = getdelim(&text, &size, EOF, file);
	if (length < 0) {
		length = 0;
		text = text ? text : malloc(1);
		text[0] = '\0';
	}
	if (ret_length)
		*ret_length = (size_t)length;
	return text;
}

/* Runs a suite and gives the exit status of the program. */
static inline int test_run(Suite *suite)
{
	SRunner *runner = srunner_create(suite);

	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Runs a suite of the functions in `tests`, which ends with NULL, and, unless it is NULL, of `loop`
 * for each index below count. */
static inline int test_main_loop(const char *name, const TTest *const *tests, const TTest *loop,
				 int count)
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create(name);

	tcase_set_timeout(tcase, 120);
	for (; *tests; tests++)
		tcase_add_test(tcase, *tests);
	if (loop)
		tcase_add_loop_test(tcase, loop, 0, count);
	suite_add_tcase(suite, tcase);

	return test_run(suite);
}

static inline int test_main(const char *name, const TTest *const *tests)
{
	return test_main_loop(name, tests, NULL, 0);
}
