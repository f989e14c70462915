/* systemd, over the bus, only asked.
 *
 * Over the system bus; where none runs, root asks PID 1 itself, because connecting to a bus that is
 * socket-activated would start it. With $DBUS_SYSTEM_BUS_ADDRESS set, that address is used and no
 * other. */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "core/facts.h"

/* The largest EnvironmentFile= that is read. */
#define ENVIRONMENT_SIZE_MAX ((size_t)1024 * 1024)

/* Asks systemd for all properties of the unit in one call and reads its environment files. A bus
 * that is not there, does not answer by the deadline, or refuses leaves ret->known false, adds a
 * sentence to unseen and returns 0; only -ENOMEM is an error.
 *
 * Whenever the bus answered, load_state and active_state are set; known is true only where
 * load_state is "loaded": of a unit that is not-found, masked or bad-setting the rest says nothing.
 * An environment file that is not there is in the list (FILE_ABSENT) unless its name was a pattern.
 * *bus_calls counts round trips. */
int unit_read(const char *unit, uint64_t deadline_us, struct unit_facts *ret,
	      struct strlist *unseen, unsigned *bus_calls, struct error *error);

/* The unix stream sockets that the unit's socket unit (docker.socket) listens on; none when there
 * is no such unit. */
int unit_read_socket(const char *socket_unit, uint64_t deadline_us, struct strlist *ret_paths,
		     unsigned *bus_calls, struct error *error);

/* Adds the environment files that an EnvironmentFile= names below root ("" is this host): systemd
 * hands out patterns as they are written, and one without a match is no file at all. 0 or -ENOMEM;
 * what cannot be read is noted in *unseen. */
int unit_read_environment_file(const char *root, const char *pattern, bool optional,
			       struct unit_facts *unit, struct strlist *unseen);
