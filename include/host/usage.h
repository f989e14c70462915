/* How much disk the daemon's images and volumes take. */
#pragma once

#include <stdint.h>

#include "base/error.h"

/* Asks GET /system/df, without containers and build cache where the daemon can leave them out (from
 * 23.0). *ret is bytes; -1 where the daemon does not tell within a quarter of a second, which a
 * large volume may take. Only for a daemon that runs. */
int usage_ask(const char *socket_path, int64_t *ret, struct error *error);
