/* What the running daemon really enforces, as far as it tells. Never taken from a file. */
#pragma once

#include "core/facts.h"

/* The value in force at path (a daemon.json key, then keys inside it) as a new reference, or NULL
 * where the daemon does not say. Sources: GET /info and the options of the network "bridge".
 *
 * userns-remap is "" when off, else "UID:GID" of the remapped root: the daemon does not tell the
 * name it was given. seccomp-profile is "" for dockerd's own filter, "unconfined", or the file's
 * name. */
json_t *live_value(const struct facts *facts, const char *const *path, size_t count);

/* Whether in_force is what `configured` asks for. True for keys where the two are spelled
 * differently and agree in meaning (userns-remap). */
bool live_agrees(const char *key, const json_t *configured, const json_t *in_force);
