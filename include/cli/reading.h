/* Reading the host, the profile and the options into a plan, the same for plan and apply. */
#pragma once

#include "base/error.h"
#include "cli/options.h"
#include "core/facts.h"
#include "core/plan.h"

/* What the command line wants of a plan; borrowed from the options. */
struct plan_options reading_plan_options(const struct options *options);

/* Fills both. A Docker that is no system service is an error, unless --config-file says which file
 * is meant. With --no-restart the plan does nothing to the daemon. Nothing is changed. */
int reading_plan(const struct options *options, struct facts *ret_facts, struct plan *ret_plan,
		 struct error *error);

/* The facts alone; unit NULL: that of the options. */
int reading_facts(const struct options *options, const char *unit, struct facts *ret,
		  struct error *error);

/* With --root: reads the profile into options->loaded, and makes the image the root of this
 * process. */
int reading_enter(const struct options *options, struct error *error);
