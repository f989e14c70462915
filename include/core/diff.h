/* Unified differences between two texts. */
#pragma once

#include "base/error.h"
#include "base/strbuf.h"

/* Appends a unified diff (three lines of context, "\ No newline at end of file" where it applies,
 * headers "--- old_name" and "+++ new_name") to out; nothing when the texts are equal. It can be
 * applied by patch(1). CR stays part of its line. Time is near linear in the texts for few changes
 * and bounded for many: past a fixed amount of work the rest is given as one replaced block. */
int diff_unified(struct strbuf *out, const char *old_name, const char *old_text, size_t old_length,
		 const char *new_name, const char *new_text, size_t new_length,
		 struct error *error);
