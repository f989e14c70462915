/* Which version of dockerd this is. */
#pragma once

#include <stdint.h>

#include "base/error.h"

/* The version in a Server header, "Docker/20.10.24+dfsg1 (linux)", as a new string; NULL in *ret
 * when the header is another's. */
int version_from_server(const char *server, char **ret, struct error *error);

/* The version in what `dockerd --version` prints, "Docker version 20.10.24+dfsg1, build 5d6db84";
 * NULL in *ret when it is something else. */
int version_from_output(const char *output, char **ret, struct error *error);

/* Runs `binary --version`, without a shell, and takes the version from its output. It is killed at
 * the deadline (CLOCK_MONOTONIC, in microseconds), and when it prints too much. */
int version_ask(const char *binary, uint64_t deadline_us, char **ret, struct error *error);
