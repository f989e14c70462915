/* docker.socket: who may talk to dockerd is decided by what systemd gives the socket when it opens
 * it (CIS 3.15, 3.16). */
#pragma once

#include "core/judgement.h"
#include "core/unitfile.h"

/* The role of the API's socket among the files. */
#define ROLE_DOCKER_SOCK "docker.sock"

/* What is in a socket unit that decides about it. */
struct socket_unit {
	struct strlist streams; /* ListenStream= that are paths */
	mode_t mode;            /* systemd's own default is 0666 */
	char *user;             /* NULL: none is named, which is root */
	char *group;            /* NULL: the user's */
};

void socket_unit_done(struct socket_unit *unit);
#define cleanup_socket_unit scoped(socket_unit_done)

/* Reads the fragment and the drop-ins in the order in which they count: of each setting the last
 * one stays. What systemd ignores with a warning is ignored. -ENOMEM. */
int socket_unit_parse(const struct unit_text *texts, size_t count, struct socket_unit *ret);

/* "/var/run/docker.sock" and "/run/docker.sock" are one. */
bool socket_paths_equal(const char *a, const char *b);

/* Judges the row of the socket: what is there now, and what the unit will open. */
int judge_socket(struct judgement *judgement, struct setting *setting, struct error *error);

/* Whether the unit would open the socket with more rights than the row allows, or for others. */
bool socket_unit_complies(const struct socket_unit_facts *unit, const struct profile_row *row);

/* Adds harden's drop-in to the plan, for a row that is to be changed and whose unit is not as it
 * has to be. */
int socket_unit_plan(const struct facts *facts, const struct profile_row *row, struct plan *plan,
		     struct error *error);
