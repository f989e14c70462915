/* The profile reader: whatever the bytes are, it ends in a profile that is whole, or in an error
 * that says something and stands inside the text. */
#include "fuzz.h"

#include "core/profile.h"
#include "load_builtin.h"

static unsigned count_lines(const uint8_t *data, size_t size)
{
	unsigned lines = 1;

	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n';
	return lines;
}

static void check_profile(const struct profile *profile)
{
	if (!profile->name)
		abort();
	for (size_t i = 0; i < profile->row_count; i++) {
		const struct profile_row *row = &profile->rows[i];
		if (!row->key || !row->title || !row->why || !row->has_cis || !row->wanted)
			abort();
		if (profile_find(profile, row->key) != row)
			abort();
	}
	for (size_t i = 0; i < profile->skip_count; i++)
		if (!profile->skips[i].key || !profile->skips[i].reason)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_profile struct profile profile = {.name = NULL};
	struct error error = ERROR_NONE;

	int r = profile_parse((const char *)data, size, "fuzz", load_builtin, NULL, &profile,
			      &error);
	if (r == 0)
		check_profile(&profile);
	else if (!error.text[0] || error.code >= 0 || error.line > count_lines(data, size))
		abort();
	return 0;
}
