/* Which log-opts each log driver accepts, by version. dockerd refuses to start with one that the
 * driver does not know, and `dockerd --validate` does not notice (facts b.6). */
#pragma once

#include <stdbool.h>

#include "core/dockerver.h"

/* True for the drivers that are built into dockerd ("none" included). A plugin is not. */
bool log_driver_is_builtin(const char *driver, struct dockerver version);

/* Whether the built-in driver takes the option in this version. The options that every driver takes
 * (mode, max-buffer-size) are among them. True for a driver that is not built in: only the plugin
 * knows. */
bool log_opt_is_accepted(const char *driver, const char *option, struct dockerver version);

/* The built-in driver that a name is likely to mean ("sylog"), or NULL. */
const char *log_driver_suggest(const char *driver, struct dockerver version);
