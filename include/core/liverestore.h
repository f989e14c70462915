/* daemon.json with live-restore switched, for the instant of a reload.
 *
 * dockerd takes live-restore over on SIGHUP, but only from a file that names it: a key that is gone
 * keeps its old effect (facts, section c). Switching it without a restart, in either direction, so
 * goes through a file that differs from the one before or after in this member alone. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/strbuf.h"

/* Appends the text, which may be empty, with "live-restore" set; all other bytes stay. -EBADMSG
 * when it is not JSON. */
int live_restore_text(const char *text, size_t length, bool on, struct strbuf *ret,
		      struct error *error);
