/* How much disk the daemon says that images and volumes take. */
#include "fakedocker.h"

#include "host/usage.h"

#define ASKED "GET /system/df?type=image&type=volume"

static int64_t ask(void)
{
	struct error error = ERROR_NONE;
	int64_t bytes = 4711;

	ck_assert_int_eq(usage_ask(fake_docker_path(), &bytes, &error), 0);
	ck_assert_int_eq(error.code, 0);
	return bytes;
}

static const struct {
	struct fake_answer answers[2];
	int64_t bytes;
} cases[] = {
	{{{ASKED, 200, "{\"LayersSize\": 1000, \"Volumes\": null}", 0}}, 1000},
	/* From API 1.52 on. */
	{{{ASKED, 200,
	   "{\"ImageUsage\": {\"TotalSize\": 1000}, \"VolumeUsage\": {\"TotalSize\": 20}}", 0}},
	 1020},
	{{{ASKED, 200, "{\"VolumeUsage\": {\"TotalSize\": 20}}", 0}}, 20},
	{{{ASKED, 200, "{\"LayersSize\": 0, \"Volumes\": []}", 0}}, 0},
	/* Larger than 32 bits. */
	{{{ASKED, 200,
	   "{\"LayersSize\": 5000000000, \"Volumes\": [{\"UsageData\": {\"Size\": 70000000000}}, "
	   "{\"UsageData\": {\"Size\": 3}}]}",
	   0}},
	 75000000003},
	/* -1: the volume's driver cannot tell. */
	{{{ASKED, 200,
	   "{\"LayersSize\": 1000, \"Volumes\": [{\"UsageData\": {\"Size\": -1}}, "
	   "{\"UsageData\": {\"Size\": 20}}, {\"UsageData\": null}, {}, "
	   "{\"UsageData\": {\"Size\": -1}}]}",
	   0}},
	 1020},
};

/* A quarter of a second may be too short on a loaded machine: it is asked again. */
START_TEST(sizes_are_summed)
{
	int64_t bytes = -1;

	fake_docker_start(cases[_i].answers);
	for (int i = 0; i < 100 && bytes == -1; i++)
		bytes = ask();
	ck_assert_int_eq(bytes, cases[_i].bytes);
	ck_assert_int_eq(strncmp(fake_docker_log, ASKED "\n", strlen(ASKED "\n")), 0);
}
END_TEST

START_TEST(other_answers_tell_nothing)
{
	static const struct fake_answer answers[] = {
		{ASKED, 500, "{\"LayersSize\": 1000}", 1},
		{ASKED, 404, "{\"LayersSize\": 1000}", 1},
		{ASKED, 200, "{\"LayersSize\": ", 1},
		{ASKED, 200, "{\"Volumes\": [{\"UsageData\": {\"Size\": 20}}]}", 1},
		{ASKED, 200, "{\"LayersSize\": \"1000\"}", 1},
		{ASKED, 200, "[]", 1},
		{ASKED, 0, NULL, 0},
		{.request = NULL},
	};

	fake_docker_start(answers);
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
		ck_assert_int_eq(ask(), -1);
}
END_TEST

START_TEST(where_nobody_listens_nothing_is_told)
{
	int64_t bytes = 4711;

	ck_assert_int_eq(ask(), -1);
	ck_assert_int_eq(usage_ask(NULL, &bytes, NULL), 0);
	ck_assert_int_eq(bytes, -1);
	bytes = 4711;
	ck_assert_int_eq(usage_ask("", &bytes, NULL), 0);
	ck_assert_int_eq(bytes, -1);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		other_answers_tell_nothing,
		where_nobody_listens_nothing_is_told,
		NULL,
	};

	return tree_main_loop("usage", tests, sizes_are_summed, sizeof cases / sizeof *cases);
}
