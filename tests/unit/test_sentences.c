#include "harness.h"

#include <errno.h>

#include "apply/sentences.h"

static struct error error;

START_TEST(a_job_that_is_done_is_no_error)
{
	error = ERROR_NONE;
	ck_assert_int_eq(sentence_job_result("restart", "docker.service", "done", "", NULL), 0);
	ck_assert_int_eq(
		sentence_job_result("restart", "docker.service", "done", "exit-code", &error), 0);
	ck_assert_int_eq(error.code, 0);
}
END_TEST

/* How a job ended, what the unit says of itself, and the sentence. */
static const struct {
	const char *job;
	const char *unit;
	int code;
	const char *words;
} job_cases[] = {
	{"failed", "", -EIO, "it failed"},
	{"failed", NULL, -EIO, "it failed"},
	{"failed", "success", -EIO, "it failed"},
	{"failed", "exit-code", -EIO, "it failed: a process of it ended with an error (exit-code)"},
	{"failed", "start-limit-hit", -EIO,
	 "it failed: it was started too often within a short time (start-limit-hit)"},
	{"failed", "timeout", -EIO,
	 "it failed: it took longer than the unit allows (TimeoutStartSec=) (timeout)"},
	{"failed", "of-another-time", -EIO, "it failed (of-another-time)"},
	{"timeout", "", -ETIME, "the job took longer than the unit allows (JobTimeoutSec=)"},
	/* The unit is not the cause. */
	{"canceled", "exit-code", -ECANCELED,
	 "somebody cancelled the job, or put another one in its place"},
	{"dependency", "exit-code", -ENOLINK,
	 "a unit that it needs failed; see systemctl --failed"},
	{"of-another-time", "", -EIO, "systemd ended the job with \"of-another-time\""},
};

START_TEST(a_job_result_is_a_sentence)
{
	for (size_t i = 0; i < array_size(job_cases); i++) {
		error = ERROR_NONE;
		int r = sentence_job_result("restart", "docker.service", job_cases[i].job,
					    job_cases[i].unit, &error);
		ck_assert_int_eq(r, job_cases[i].code);
		ck_assert_int_eq(error.code, job_cases[i].code);
		ck_assert_str_eq(error.text, job_cases[i].words);
	}
}
END_TEST

static const struct {
	sd_bus_error refusal;
	int code;
	const char *words;
} refusal_cases[] = {
	{{SD_BUS_ERROR_ACCESS_DENIED, "Access denied", 0},
	 -EACCES,
	 "systemd does not let this user do that; run harden as root"},
	{{"org.freedesktop.systemd1.NoSuchUnit", "Unit x not found.", 0},
	 -ENOENT,
	 "systemd knows no such unit"},
	{{"org.freedesktop.systemd1.UnitMasked", NULL, 0},
	 -ESHUTDOWN,
	 "the unit is masked, so systemd does not start it; systemctl unmask lifts that"},
	{{"org.freedesktop.DBus.Error.FileNotFound", "gone", 0}, -ENOENT, "systemd refused: gone"},
	{{"org.example.Odd", "as it says", 0}, -EIO, "systemd refused: as it says"},
	{{"org.example.Odd", NULL, 0}, -EIO, "systemd refused: org.example.Odd"},
};

START_TEST(a_refusal_is_a_sentence)
{
	for (size_t i = 0; i < array_size(refusal_cases); i++) {
		error = ERROR_NONE;
		int r = sentence_refusal("restart", "docker.service", &refusal_cases[i].refusal,
					 &error);
		ck_assert_int_eq(r, refusal_cases[i].code);
		ck_assert_str_eq(error.text, refusal_cases[i].words);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_job_that_is_done_is_no_error,
		a_job_result_is_a_sentence,
		a_refusal_is_a_sentence,
		NULL,
	};

	return test_main("sentences", tests);
}
