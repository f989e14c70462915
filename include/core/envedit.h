/* Edits of environment files: words are taken out of a variable's value, and every other byte stays
 * as it is, comments, quotes and order with it. */
#pragma once

#include "base/error.h"
#include "base/strbuf.h"
#include "core/envfile.h"

/* A range of bytes of a value. */
struct envedit_cut {
	size_t start;
	size_t end;
};

/* Appends the file's text without these ranges (ascending, apart from each other) of the last value
 * of the variable. Where the quotes of what is left would then mean something else, the value is
 * written in new ones. The result is read again: it must give every variable what it was before,
 * and this one what is left, else -EPROTO. -ENOENT when the file does not set the variable. */
int envedit_cut(const char *text, size_t length, unsigned systemd_version, const char *name,
		const struct envedit_cut *cuts, size_t count, struct strbuf *ret,
		struct error *error);
