/* What the daemon has to do for a plan, and what that does to the containers that run.
 *
 * A restart keeps containers where live-restore is on in the daemon that ends and in the one that
 * starts. It can be switched by a reload (SIGHUP) before or after, unless a reload would do harm.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "core/plan.h"

struct action_question {
	const struct facts *facts;
	const struct plan_options *options;
	const struct configuration *configuration; /* as it is */
	const json_t *intended;                    /* daemon.json as it is to be */
	const struct setting *settings;
	size_t count;
	bool takes_flags; /* out of the unit: what runs has them until it is restarted */
};

struct action_answer {
	enum plan_action action;
	/* Why not by a reload, as a sentence; a constant, or NULL. */
	const char *reason;
	bool release; /* of ACTION_RELOAD_RESTART: live-restore goes off after, not on before */
	bool keeps;   /* live-restore keeps them running */
	bool stops;   /* the running containers are stopped first … */
	bool starts;  /* … and the same ones are started again afterwards */
	/* Containers would be lost, and nobody has consented to that. */
	bool needs_consent;
};

/* Only settings in the state SETTING_CHANGE count. */
void action_decide(const struct action_question *question, struct action_answer *ret);

/* Why a SIGHUP with this daemon.json would do harm to the dockerd that runs on this host, as a
 * sentence; NULL: it would not (facts b.4, b.7, b.10). A constant. */
const char *action_reload_trap(const struct facts *facts, const struct configuration *configuration,
			       const json_t *document);

/* Whether this change is one of those that a restart is needed for. */
bool action_needs_restart(const struct action_question *question,
			  const struct action_answer *answer, const struct setting *setting);

/* Why a change that needs a restart is held, and how to consent; a new string, NULL when out of
 * memory. */
char *action_hold_text(const struct action_question *question, const struct action_answer *answer);

/* Why containers that are to be stopped cannot be: they would not come back. Adds a sentence each.
 * Nothing to add where none are stopped. */
int action_obstacles(const struct action_question *question, const struct action_answer *answer,
		     struct strlist *ret, struct error *error);
