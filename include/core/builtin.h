/* The profiles that are compiled into the program, from templates/profiles/. */
#pragma once

#include <stddef.h>

struct builtin_profile {
	const char *name;
	const char *text; /* terminated */
};

/* All of them, the default one first. */
const struct builtin_profile *builtin_profiles(size_t *ret_count);

/* NULL when there is none of that name. */
const struct builtin_profile *builtin_profile_find(const char *name);
