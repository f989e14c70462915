/* dockerd's log lines. */
#pragma once

#include "base/error.h"
#include "base/strlist.h"

/* Picks from a failed start's lines what says why, oldest first, at most `most` of them. What comes
 * first is what dockerd dies of: fatal lines, and plain text, because it prints its last words
 * outside of its log format ("failed to start daemon: …"). Then errors, the latest first; and
 * warnings only where there is nothing else. Lines of its log format ("time=… level=… msg=\"…\"",
 * or JSON) are taken apart: the message, and an `error` behind it. Of a panic the first line is
 * given, without the stacks. The same sentence is given once. Passwords in URLs are masked. */
int dockerlog_reasons(const struct strlist *lines, size_t most, struct strlist *ret,
		      struct error *error);
