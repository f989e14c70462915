/* The socket unit of dockerd: asked of systemd, or read from its files where that does not run. */
#pragma once

#include "base/error.h"
#include "core/facts.h"
#include "core/profile.h"

/* Fills facts->socket_unit, where it matters: the API's socket is not as the profile's row for it
 * wants it, or the facts are those of an image, which has none yet. */
int socket_unit_read(struct facts *facts, const struct profile *profile, struct error *error);
