/* What systemd says, as sentences for an admin. */
#pragma once

#include <systemd/sd-bus.h>

#include "base/error.h"

/* How a job ended: 0 for "done", else an error of this step and unit. unit_result is the unit's own
 * Result property ("" unknown), which says why where the job only "failed". */
int sentence_job_result(const char *step, const char *unit, const char *result,
			const char *unit_result, struct error *error);

/* Why systemd refused a call; always an error. */
int sentence_refusal(const char *step, const char *unit, const sd_bus_error *refusal,
		     struct error *error);
