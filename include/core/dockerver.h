/* Versions of dockerd. Since 17.03 they read YEAR.MONTH[.PATCH], later MAJOR.MINOR.PATCH, with
 * distribution suffixes ("20.10.24+dfsg1", "18.06.3-ce", "29.0.0-rc.1"). */
#pragma once

#include <stdbool.h>

struct dockerver {
	unsigned major; /* 0 means: not known */
	unsigned minor;
	unsigned patch;
};

/* The newest version that the options table describes; assumed where nothing can be found out. */
#define DOCKERVER_NEWEST ((struct dockerver){29, 7, 2})
#define DOCKERVER_OLDEST ((struct dockerver){17, 12, 0})

/* Parses "20.10", "v20.10.24", "20.10.24+dfsg1", "18.06.3-ce". Returns false for anything else and
 * leaves *ret alone. */
bool dockerver_parse(const char *text, struct dockerver *ret);

/* <0, 0, >0 as a is older, the same or newer. */
int dockerver_compare(struct dockerver a, struct dockerver b);

static inline bool dockerver_at_least(struct dockerver version, unsigned major, unsigned minor)
{
	return dockerver_compare(version, (struct dockerver){major, minor, 0}) >= 0;
}

static inline bool dockerver_known(struct dockerver version)
{
	return version.major != 0;
}

#define DOCKERVER_TEXT_SIZE 32

/* Writes "20.10.24" into buffer and returns it. */
const char *dockerver_format(struct dockerver version, char buffer[static DOCKERVER_TEXT_SIZE]);
