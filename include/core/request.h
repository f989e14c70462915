/* What the caller of the program asked for, on top of a profile. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/strlist.h"

struct want {
	char *key;     /* "icc", or a path: "log-opts.syslog-address" */
	json_t *value; /* json_null(): not set at all */
};

struct skip {
	char *key;
	char *reason; /* NULL: none given */
};

/* In `accept`: consent to a restart of the daemon that stops running containers. */
#define ACCEPT_RESTART "restart"

struct plan_options {
	const struct want *wants;
	size_t want_count;
	const struct skip *skips;
	size_t skip_count;
	struct strlist only;     /* empty: every setting */
	struct strlist accept;   /* consent to held changes; ACCEPT_RESTART is none's key */
	bool restart_containers; /* stop and start them, so that network settings take effect */
};
