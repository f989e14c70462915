/* What is wrong, or without effect, in a daemon.json and a command line, for one version of
 * dockerd. */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"
#include "core/flags.h"

enum finding_kind {
	FINDING_UNKNOWN_KEY, /* no version has it */
	FINDING_FUTURE_KEY,  /* only a newer version has it */
	FINDING_REMOVED_KEY, /* this version no longer has it */
	FINDING_DEPRECATED_KEY,
	FINDING_IGNORED_KEY, /* accepted without a message, does nothing (`default-ulimit`) */
	FINDING_WRAPPED_KEY, /* inside an object that dockerd flattens: may or may not take effect
			      */
	FINDING_WRONG_TYPE,
	FINDING_GIVEN_TWICE, /* as a flag and in the file */
	FINDING_BAD_VALUE,   /* right type, but dockerd or a container start refuses it */
	FINDING_SIDE_EFFECT, /* "validate", "restart": the daemon does something else (facts a.8) */
	FINDING_BAD_FLAG,
	FINDING_ENCODING, /* BOM or blank file on a version that cannot take it */
};

struct finding {
	enum finding_kind kind;
	bool fatal;    /* dockerd will not start with it */
	char *key;     /* the daemon.json key or the flag with dashes; never NULL */
	unsigned line; /* in daemon.json; 0 when it is not about the file */
	unsigned column;
	char *text; /* a sentence or two: what, why, what to do. No position in it */
};

struct findings {
	struct finding *items;
	size_t count;
};

void findings_done(struct findings *findings);
#define cleanup_findings scoped(findings_done)

/* text is daemon.json as it is (length 0 when there is none; exists tells a blank file from no
 * file) and must have passed jsontext_check(); document is the same parsed (daemonjson_read()), or
 * NULL for a blank one. In the order of the file, then of the command line. */
int findings_collect(const char *text, size_t length, bool exists, const json_t *document,
		     const struct flags *flags, struct dockerver version, struct findings *ret,
		     struct error *error);
