/* Keeps secrets out of every output: passwords in URLs (proxies, mirrors) and tokens in log-opts.
 */
#pragma once

#include <stdbool.h>

#include <jansson.h>

#include "base/error.h"
#include "base/strbuf.h"

/* What stands in place of a secret; dockerd itself prints the same for proxies. */
#define MASKED "xxxxx"

/* A copy of value in which every secret is masked; key is the member's name or NULL. NULL when out
 * of memory. */
json_t *mask_json(const char *key, const json_t *value);

/* Appends JSON text with the secrets in its string literals masked and everything else as it is.
 * Text that is not JSON is passed on with URL passwords inside double quotes masked. */
int mask_text(struct strbuf *out, const char *text, size_t length);

/* Appends lines of a unit or of an environment file, or a command line, with what is secret in them
 * masked: passwords in URLs, and what stands behind "…token…=" and the like, up to the end of the
 * word or of its quotes. */
int mask_words(struct strbuf *out, const char *text, size_t length);

/* The unified difference of a file's text before and after (NULL: it does not exist then), as a new
 * string; text that begins with "{" is JSON, any other is lines of words. Secrets are masked on
 * both sides, so that context lines show none either. */
int mask_diff(const char *path, const char *before, size_t before_length, const char *after,
	      size_t after_length, char **ret, struct error *error);
