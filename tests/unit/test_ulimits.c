/* The limits that a daemon gives, against those that are configured. */
#include "harness.h"

#include <jansson.h>

#include "core/ulimits.h"

#define NOFILE "{\"Name\": \"nofile\", \"Soft\": 1024, \"Hard\": 2048}"
#define NPROC "{\"Name\": \"nproc\", \"Soft\": 7, \"Hard\": 7}"
#define BOTH "{\"nofile\": " NOFILE ", \"nproc\": " NPROC "}"

static const struct {
	const char *configured;
	const char *in_force;
	bool agree;
} cases[] = {
	{"{}", "{}", true},
	{BOTH, BOTH, true},
	{"{\"nofile\": " NOFILE "}", "{}", false},
	{"{}", "{\"nofile\": " NOFILE "}", false},
	{BOTH, "{\"nofile\": " NOFILE "}", false},
	{"{\"nofile\": " NOFILE "}", BOTH, false},
	{"{\"nofile\": " NOFILE "}", "{\"nproc\": " NPROC "}", false},
	/* An entry is known by its "Name", not by its key. */
	{"{\"files\": " NOFILE ", \"x\": " NPROC "}", BOTH, true},
	{BOTH, "{\"0\": " NOFILE ", \"1\": " NPROC "}", true},
	{"{\"nproc\": " NOFILE ", \"nofile\": " NPROC "}", BOTH, true},
	{"{\"nofile\": " NPROC "}", "{\"nofile\": " NOFILE "}", false},
	{"{\"nofile\": {\"Soft\": 1024, \"Hard\": 2048}}", "{\"nofile\": " NOFILE "}", false},
	/* Members are found in any letter case, as in dockerd. */
	{"{\"nofile\": {\"name\": \"nofile\", \"SOFT\": 1024, \"hard\": 2048}}",
	 "{\"nofile\": " NOFILE "}", true},
	/* The name itself is not. */
	{"{\"nofile\": {\"Name\": \"NOFILE\", \"Soft\": 1024, \"Hard\": 2048}}",
	 "{\"nofile\": " NOFILE "}", false},
	/* Each number counts. */
	{"{\"nofile\": {\"Name\": \"nofile\", \"Soft\": 1023, \"Hard\": 2048}}",
	 "{\"nofile\": " NOFILE "}", false},
	{"{\"nofile\": {\"Name\": \"nofile\", \"Soft\": 1024, \"Hard\": 2047}}",
	 "{\"nofile\": " NOFILE "}", false},
	{"{\"core\": {\"Name\": \"core\", \"Soft\": -1, \"Hard\": -1}}",
	 "{\"core\": {\"Name\": \"core\", \"Soft\": -1, \"Hard\": -1}}", true},
	{"{\"core\": {\"Name\": \"core\", \"Soft\": -1, \"Hard\": -1}}",
	 "{\"core\": {\"Name\": \"core\", \"Soft\": 0, \"Hard\": -1}}", false},
	/* The second of two does not agree. */
	{"{\"nofile\": " NOFILE ", \"nproc\": {\"Name\": \"nproc\", \"Soft\": 7, \"Hard\": 8}}",
	 BOTH, false},
	{"{\"a\": " NOFILE ", \"b\": {}}", BOTH, false},
};

START_TEST(limits_agree)
{
	json_t *configured = json_loads(cases[_i].configured, 0, NULL);
	json_t *in_force = json_loads(cases[_i].in_force, 0, NULL);

	ck_assert_ptr_nonnull(configured);
	ck_assert_ptr_nonnull(in_force);
	ck_assert_int_eq(ulimits_agree(configured, in_force), cases[_i].agree);
	json_decref(configured);
	json_decref(in_force);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {NULL};

	return test_main_loop("ulimits", tests, limits_agree, array_size(cases));
}
