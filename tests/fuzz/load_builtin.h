/* Profiles that a profile may extend, for targets that read no files. */
#pragma once

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "core/builtin.h"

static inline int load_builtin(const char *name, void *context, char **ret_text, size_t *ret_length,
			       char **ret_path, struct error *error)
{
	const struct builtin_profile *builtin = builtin_profile_find(name);

	(void)context;
	if (!builtin)
		return error_set(error, -ENOENT, "read profile", name, "no such profile");
	*ret_text = strdup(builtin->text);
	*ret_path = strdup(name);
	*ret_length = strlen(builtin->text);
	return *ret_text && *ret_path ? 0 : error_set_oom(error);
}
