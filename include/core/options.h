/* dockerd's options, by version: one row for each daemon.json key and command-line flag.
 *
 * Read from the source of moby at every stable tag from 17.12.0 to 29.7.2. To teach harden a new
 * Docker version, add the rows or fill in the `removed` columns here; nothing else needs to know.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "core/dockerver.h"

enum option_type {
	OPTION_BOOL,
	OPTION_INT,
	OPTION_STRING,
	OPTION_LIST,   /* of strings (default-address-pools: of objects) */
	OPTION_MAP,    /* of strings (default-network-opts: of maps of strings) */
	OPTION_OBJECT, /* anything with members of its own: runtimes, features, builder … */
};

/* What has to happen before a changed value is in force. */
enum effect {
	EFFECT_NONE,
	EFFECT_RELOAD,     /* SIGHUP is enough */
	EFFECT_RESTART,    /* at the next start of the daemon */
	EFFECT_CONTAINERS, /* at the next start with no container running (dockerd: "network config
			      will not take effect") */
	EFFECT_DATA,       /* at the next start, and it moves the data root */
};

struct option {
	const char *key;  /* in daemon.json; NULL for a flag that has no key */
	const char *flag; /* long flag without dashes; NULL for a key that has no flag */
	char shorthand;   /* 0 if there is none */
	enum option_type type;
	const char *default_json; /* dockerd's own default as JSON text; NULL: none or computed */
	struct dockerver since;   /* first version that has the key (or the flag, without a key) */
	struct dockerver removed; /* first version that refuses the key; 0 = never */
	struct dockerver flag_since; /* first version that has the flag; 0 = same as since */
	/* First version that refuses the flag; 0 = same as removed. From `removed` until then the
	 * name is still known: dockerd explains the removal, and only when a value is given. */
	struct dockerver flag_removed;
	struct dockerver deprecated;
	struct dockerver ignored_since; /* accepted and ignored from then on */
	struct dockerver reload_since;  /* SIGHUP applies it from this version; 0 = never */
	struct dockerver reload_until;  /* last MAJOR.MINOR where it does; 0 = still */
	struct dockerver merge_since;   /* may be given as flag and in the file; 0 = never */
	const char *note;               /* one short phrase, or NULL */
};

/* Keys that dockerd accepts in the file without a message and does nothing with. */
struct ignored_key {
	const char *key;
	const char *use; /* the key that works instead, NULL if none */
	struct dockerver since;
	struct dockerver until; /* last MAJOR.MINOR; 0 = still */
};

/* The whole table, for listing. */
const struct option *options_table(size_t *ret_count);

/* By daemon.json key or by long flag or by shorthand; NULL when there is none in any version. The
 * version settles which option a flag belongs to where that changed (--host-gateway-ip); whether it
 * has the flag at all is option_has_flag()'s answer. */
const struct option *option_by_key(const char *key);
const struct option *option_by_flag(const char *flag, size_t flag_length, struct dockerver version);
const struct option *option_by_shorthand(char shorthand);

const struct ignored_key *ignored_key_find(const char *key, struct dockerver version);

/* Whether this version takes the key in daemon.json (or the flag on the command line). */
bool option_has_key(const struct option *option, struct dockerver version);
bool option_has_flag(const struct option *option, struct dockerver version);
bool option_reloads(const struct option *option, struct dockerver version);

/* Whether this version knows the key only to refuse it: a value that is not empty stops dockerd. */
bool option_is_withdrawn(const struct option *option, struct dockerver version);

/* Whether the key is accepted but no longer does anything. */
bool option_is_ignored(const struct option *option, struct dockerver version);

/* Whether the option may be given on the command line and in the file at once. */
bool option_merges(const struct option *option, struct dockerver version);

/* What a change of the key needs in this version (facts c, b.2, b.3). */
enum effect option_effect(const struct option *option, struct dockerver version);

/* dockerd's default in this version as a new reference (json_null() where there is none or it is
 * computed), NULL when out of memory. Versions differ for some (ip6tables: true from 27.0). */
json_t *option_default(const struct option *option, struct dockerver version);

/* Whether value has the type that dockerd decodes, members included (a log-opt must be a string);
 * *ret_expected names it ("true or false"). null passes: it leaves the default in place. */
bool option_type_matches(const struct option *option, const json_t *value,
			 const char **ret_expected);

/* The key nearest to an unknown one that this version has, or NULL when none is near. */
const char *option_suggest(const char *key, struct dockerver version);
