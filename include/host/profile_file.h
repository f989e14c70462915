/* Finding profiles: a file by its path, a site's own in /etc/harden/profiles, or a built-in one. */
#pragma once

#include <stddef.h>

#include "base/error.h"
#include "base/strlist.h"
#include "core/profile.h"

/* A name with a slash in it, or one that ends in .json, is a path. Otherwise the site's
 * /etc/harden/profiles/NAME.json comes before the built-in profile of that name. The caller frees
 * *ret_text and *ret_path. Fits profile_loader; context is not used. */
int profile_file_load(const char *name, void *context, char **ret_text, size_t *ret_length,
		      char **ret_path, struct error *error);

/* Loads and reads a profile with all that it extends. */
int profile_file_read(const char *name, struct profile *ret, struct error *error);

/* The names of all profiles, sorted: built in and the site's. */
int profile_file_list(struct strlist *ret, struct error *error);
