/* Environment files the way systemd reads them (systemd.exec(5), EnvironmentFile=; systemd 252). */
#pragma once

#include "base/error.h"
#include "base/strlist.h"

/* Appends "NAME=value" to ret for each valid assignment: comments (# and ;), continuation lines,
 * single and double quotes and backslashes as in systemd's parse_env_file_internal(). Lines that
 * systemd would ignore are ignored. CRLF is accepted. -EINVAL, with the line, where systemd refuses
 * the whole file: a NUL byte, or an assignment that is not UTF-8. (A file named with "-" then
 * counts as empty; without it the service does not start.) */
int envfile_parse(const char *text, size_t length, struct strlist *ret, struct error *error);

/* The same for a given version of systemd: before 254 a backslash at the end of a comment makes the
 * next line part of it, from 254 it does not. envfile_parse() follows 252. */
int envfile_parse_as(const char *text, size_t length, unsigned systemd_version, struct strlist *ret,
		     struct error *error);

/* A byte of a value and the bytes of the file that it comes from: its escape belongs to it, quotes
 * and line continuations do not. */
struct envfile_span {
	size_t start;
	size_t end;
};

/* An assignment as it stands in a file. */
struct envfile_value {
	char *value;                /* NULL when the file does not set the variable */
	struct envfile_span *bytes; /* one for each byte of value */
	struct envfile_span whole;  /* from behind the "=" to the end, quotes and all */
};

void envfile_value_done(struct envfile_value *value);
#define cleanup_envfile_value scoped(envfile_value_done)

/* Finds the last assignment to name. Errors are those of envfile_parse_as(). */
int envfile_locate(const char *text, size_t length, unsigned systemd_version, const char *name,
		   struct envfile_value *ret, struct error *error);

/* The value of the last assignment to name in a list of "NAME=value", or NULL. Borrowed. */
const char *envlist_get(const struct strlist *list, const char *name, size_t name_length);
