/* daemon.json as dockerd understands it. */
#pragma once

#include <jansson.h>

#include "base/error.h"

/* Parses text the way dockerd reads daemon.json: a BOM is skipped, a blank file or `null` is an
 * empty configuration, of a repeated key the last one counts, except that objects repeated at the
 * top level are merged member by member (facts a.7; further down Go replaces the entries of its
 * maps). Top-level arrays and scalars are refused. Errors have line and column and never quote the
 * file's contents beyond a character. *ret is a new reference to an object. -EBADMSG for bad text
 * and for numbers that no int64 or double can hold, -ENOMEM. */
int daemonjson_read(const char *text, size_t length, json_t **ret, struct error *error);
