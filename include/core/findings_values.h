/* Behind core/findings.h: findings.c looks at keys, types and duplicates, findings_values.c at what
 * the values mean, with the longer rules in findings_lists.c and findings_drivers.c. */
#pragma once

#include "core/findings.h"

/* What a collection works on. Failure to allocate is sticky, as in strbuf: it is asked about once,
 * at the end. */
struct collection {
	const char *text; /* daemon.json */
	size_t length;
	const json_t *document; /* an object, or NULL */
	const struct flags *flags;
	struct dockerver version;
	char version_text[DOCKERVER_TEXT_SIZE];
	struct findings findings;
	bool out_of_memory;
};

/* Where a finding stands; line 0 when it is not about the file. */
struct place {
	unsigned line;
	unsigned column;
};

/* Appends a finding; "%s"-style text. */
void collection_add(struct collection *collection, enum finding_kind kind, bool fatal,
		    const char *key, struct place place, const char *format, ...)
	__attribute__((format(printf, 6, 7)));

static inline bool collection_at_least(const struct collection *collection, unsigned major,
				       unsigned minor)
{
	return dockerver_at_least(collection->version, major, minor);
}

/* Of a list or map, no more entries than this are complained about one by one. */
#define COMPLAINTS_MAX 16

/* What the file says, borrowed; NULL for null, which leaves the default in place. */
json_t *collection_file_value(const struct collection *collection, const char *key);

/* What the key will be at the next start, as a new reference; NULL when out of memory, or when the
 * value has the wrong type, which has been said already. */
json_t *collection_value(struct collection *collection, const char *key);

/* The same as questions. "Given" is a value that is not empty. */
bool collection_is_true(struct collection *collection, const char *key);
bool collection_is_false(struct collection *collection, const char *key);
bool collection_is_given(struct collection *collection, const char *key);

/* Whether features says so: 1 on, 0 off, -1 not mentioned. */
int collection_feature(struct collection *collection, const char *name);

/* Adds a bad value of the key where it is set: with its place in the file, or as the flag. */
void collection_report(struct collection *collection, const char *key, bool fatal,
		       const char *format, ...) __attribute__((format(printf, 4, 5)));

/* A zero, which dockerd fills in from the flags and their defaults; booleans are none (facts a.1).
 */
bool value_is_empty(const json_t *value);

bool value_is_one_of(const char *text, const char *const *choices, size_t count, bool any_case);

/* Whether an address begins with one of the schemes and "://". */
bool value_has_scheme(const char *address, const char *const *schemes, size_t count);

/* A rule: gets the value in force of a key that is set, in the right type. */
typedef void value_rule(struct collection *collection, const char *key, const json_t *value);

/* findings_lists.c */
value_rule rule_exec_opts;
value_rule rule_labels;
value_rule rule_address;
value_rule rule_dns;
value_rule rule_gateway_ips;
value_rule rule_old_gateway_ip;
value_rule rule_dns_search;
value_rule rule_generic_resources;
value_rule rule_hosts;
value_rule rule_mirrors;
value_rule rule_ulimits;
value_rule rule_runtimes;
value_rule rule_default_runtime;
value_rule rule_nri_opts;

/* findings_drivers.c */
value_rule rule_storage_driver;
value_rule rule_log_opts;
value_rule rule_log_driver;

/* Whether TLS, where the file turns it on, has its key pair: from the file itself, or because a
 * flag has turned it on already, with default paths (facts b.8). */
bool tls_has_keys(const struct collection *collection);

/* Adds what is wrong with the values in force: of the file's keys, and of the flags. Findings about
 * the file come first, in the order of the rules, not of the file. */
void collect_value_findings(struct collection *collection);
