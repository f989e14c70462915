#include "apply/sentences.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"

struct sentence {
	const char *word;
	int code;
	const char *text;
};

static const struct sentence *find(const struct sentence *sentences, size_t count, const char *word)
{
	for (size_t i = 0; word && i < count; i++)
		if (strcmp(sentences[i].word, word) == 0)
			return &sentences[i];
	return NULL;
}

/* The codes are those that systemctl gives, as far as it tells them apart. */
static const struct sentence job_results[] = {
	{"canceled", -ECANCELED, "somebody cancelled the job, or put another one in its place"},
	{"timeout", -ETIME, "the job took longer than the unit allows (JobTimeoutSec=)"},
	{"failed", -EIO, "it failed"},
	{"dependency", -ENOLINK, "a unit that it needs failed; see systemctl --failed"},
	{"skipped", -ENOTCONN, "systemd skipped it, because the unit is not running"},
	{"invalid", -ENOEXEC, "the unit does not support that, or is not running"},
	{"assert", -EPROTO, "a condition that the unit insists on (Assert...=) does not hold"},
	{"unsupported", -EOPNOTSUPP, "systemd does not support such units on this host"},
	{"collected", -ESTALE, "systemd dropped the unit from memory before the job could run"},
	{"once", -EALREADY, "the unit may start only once in a boot, and it has"},
	{"frozen", -EDEADLK, "the unit is frozen; systemctl thaw wakes it up"},
	{"concurrency", -ETOOMANYREFS, "its slice already has as many units as it may have"},
};

static const struct sentence unit_results[] = {
	{"start-limit-hit", 0, "it was started too often within a short time"},
	{"service-start-limit-hit", 0, "its service was started too often within a short time"},
	{"trigger-limit-hit", 0, "it was triggered too often within a short time"},
	{"exit-code", 0, "a process of it ended with an error"},
	{"signal", 0, "a process of it was killed by a signal"},
	{"core-dump", 0, "a process of it crashed"},
	{"timeout", 0, "it took longer than the unit allows (TimeoutStartSec=)"},
	{"watchdog", 0, "it stopped giving signs of life (WatchdogSec=)"},
	{"resources", 0,
	 "systemd could not set up what the unit asks for, such as a file, user or limit"},
	{"protocol", 0, "it did not report to systemd in the way that the unit's Type= asks for"},
	{"oom-kill", 0, "the kernel killed a process of it, because memory ran out"},
	{"exec-condition", 0, "its ExecCondition= said no"},
};

int sentence_job_result(const char *step, const char *unit, const char *result,
			const char *unit_result, struct error *error)
{
	if (strcmp(result, "done") == 0)
		return 0;

	const struct sentence *job = find(job_results, array_size(job_results), result);
	if (!job)
		return error_set(error, -EIO, step, unit, "systemd ended the job with \"%s\"",
				 result);
	/* Of other results the unit is not the cause. */
	if (job->code != -EIO || !unit_result || !*unit_result ||
	    strcmp(unit_result, "success") == 0)
		return error_set(error, job->code, step, unit, "%s", job->text);

	const struct sentence *why = find(unit_results, array_size(unit_results), unit_result);
	if (!why)
		return error_set(error, job->code, step, unit, "%s (%s)", job->text, unit_result);
	return error_set(error, job->code, step, unit, "%s: %s (%s)", job->text, why->text,
			 unit_result);
}

#define NOT_ALLOWED "systemd does not let this user do that; run harden as root"

static const struct sentence refusals[] = {
	{SD_BUS_ERROR_ACCESS_DENIED, -EACCES, NOT_ALLOWED},
	{SD_BUS_ERROR_AUTH_FAILED, -EACCES, NOT_ALLOWED},
	{SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED, -EACCES, NOT_ALLOWED},
	{"org.freedesktop.systemd1.NoSuchUnit", -ENOENT, "systemd knows no such unit"},
	{"org.freedesktop.systemd1.UnitMasked", -ESHUTDOWN,
	 "the unit is masked, so systemd does not start it; systemctl unmask lifts that"},
	{"org.freedesktop.systemd1.BadUnitSetting", -ENOEXEC,
	 "the unit has a setting that systemd does not accept; see systemd-analyze verify"},
	{"org.freedesktop.systemd1.LoadFailed", -EIO,
	 "systemd could not read the unit's files; see systemctl status"},
	{"org.freedesktop.systemd1.UnitError", -EIO,
	 "systemd could not read the unit's files; see systemctl status"},
	{"org.freedesktop.systemd1.JobTypeNotApplicable", -ENOEXEC,
	 "the unit does not support that, or is not running"},
	{"org.freedesktop.systemd1.OnlyByDependency", -EPERM,
	 "the unit does not allow that by hand (RefuseManualStart=)"},
	{"org.freedesktop.systemd1.TransactionIsDestructive", -EDEADLK,
	 "it conflicts with what systemd is doing: the host may be shutting down"},
	{"org.freedesktop.systemd1.ShuttingDown", -ESHUTDOWN, "the host is shutting down"},
};

int sentence_refusal(const char *step, const char *unit, const sd_bus_error *refusal,
		     struct error *error)
{
	const struct sentence *known = find(refusals, array_size(refusals), refusal->name);

	if (known)
		return error_set(error, known->code, step, unit, "%s", known->text);
	int code = -sd_bus_error_get_errno(refusal);
	return error_set(error, code < 0 ? code : -EIO, step, unit, "systemd refused: %s",
			 refusal->message ? refusal->message : refusal->name);
}
