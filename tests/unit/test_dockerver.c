#include "harness.h"

#include <check.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "core/dockerver.h"

START_TEST(parses_what_docker_and_distributions_write)
{
	static const struct {
		const char *text;
		struct dockerver want;
	} rows[] = {
		{"20.10", {20, 10, 0}},
		{"20.10.24", {20, 10, 24}},
		{"v20.10.24", {20, 10, 24}},
		{"20.10.24+dfsg1", {20, 10, 24}},
		{"18.06.3-ce", {18, 6, 3}},
		{"29.0.0-rc.1", {29, 0, 0}},
		{"28.5.2+dfsg4-1ubuntu3~24.04", {28, 5, 2}},
		{"24.0~1", {24, 0, 0}},
		{"17.12.1-ce", {17, 12, 1}},
	};

	struct dockerver version = {1, 2, 3};
	ck_assert(dockerver_parse(rows[_i].text, &version));
	ck_assert_int_eq(dockerver_compare(version, rows[_i].want), 0);
	ck_assert_uint_eq(array_size(rows), 9);
}
END_TEST

START_TEST(refuses_the_rest)
{
	static const char *const rows[] = {
		"",          "v",
		"20",        "20.",
		".10",       "20.10.",
		"20.10.x",   "20.10 ",
		" 20.10",    "20.10.2.1",
		"-1.0",      "+20.10",
		"20.-1",     "dev",
		"vv20.10",   "20,10",
		"0.0",       "0.1.2",
		"99999.1",   "20.123456",
		"20.10.24x", "20.10.24, build 297e128",
	};
	struct dockerver version = {1, 2, 3};

	ck_assert_uint_eq(array_size(rows), 22);
	ck_assert(!dockerver_parse(rows[_i], &version));
	ck_assert_uint_eq(version.major * 100 + version.minor * 10 + version.patch, 123);
}
END_TEST

START_TEST(orders_by_each_part)
{
	static const struct dockerver ascending[] = {
		{17, 12, 0}, {17, 12, 1}, {18, 1, 0},   {18, 9, 0}, {19, 3, 8},
		{20, 10, 0}, {20, 10, 9}, {20, 10, 24}, {28, 5, 2}, {29, 0, 0},
	};

	for (size_t a = 0; a < array_size(ascending); a++)
		for (size_t b = 0; b < array_size(ascending); b++) {
			int order = dockerver_compare(ascending[a], ascending[b]);
			ck_assert_int_eq((order > 0) - (order < 0), (a > b) - (a < b));
		}
	ck_assert(dockerver_at_least((struct dockerver){23, 0, 0}, 23, 0));
	ck_assert(!dockerver_at_least((struct dockerver){20, 10, 24}, 23, 0));
	ck_assert(!dockerver_known((struct dockerver){0, 0, 0}));
}
END_TEST

START_TEST(writes_it_as_docker_does)
{
	char buffer[DOCKERVER_TEXT_SIZE];

	ck_assert_str_eq(dockerver_format((struct dockerver){18, 9, 1}, buffer), "18.09.1");
	ck_assert_str_eq(dockerver_format((struct dockerver){20, 10, 24}, buffer), "20.10.24");
	ck_assert_str_eq(dockerver_format((struct dockerver){28, 5, 2}, buffer), "28.5.2");
	ck_assert_str_eq(dockerver_format((struct dockerver){9999, 9999, 9999}, buffer),
			 "9999.9999.9999");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dockerver");
	TCase *tests = tcase_create("all");

	tcase_add_loop_test(tests, parses_what_docker_and_distributions_write, 0, 9);
	tcase_add_loop_test(tests, refuses_the_rest, 0, 22);
	tcase_add_test(tests, orders_by_each_part);
	tcase_add_test(tests, writes_it_as_docker_does);
	suite_add_tcase(suite, tests);

	return test_run(suite);
}
