/* What belongs to a change of log-driver: the log-opts that the new driver does not take. */
#pragma once

#include "core/judgement.h"

/* Removes the log-opts of daemon.json that the driver will not take: dockerd does not start with
 * one (facts b.6). Options given as flags are out of reach and make the change one for the admin.
 * To be called when the state of log-driver is settled otherwise. */
int judge_log_opts(struct judgement *judgement, struct setting *setting, struct error *error);
