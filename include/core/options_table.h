/* The rows behind core/options.h. Only options.c and its test look in here. */
#pragma once

#include "core/options.h"

struct dated_default {
	const char *key;
	struct dockerver until; /* first version that no longer has this default */
	const char *json;
};

extern const struct option option_rows[];
extern const size_t option_row_count;
extern const struct dated_default dated_defaults[];
extern const size_t dated_default_count;
extern const struct ignored_key ignored_keys[];
extern const size_t ignored_key_count;
