/* Tables of accounts with a user that is not there yet. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/rehearsal.h"

const char *const account_table_names[ACCOUNT_TABLES] = {
	[ACCOUNT_PASSWD] = "passwd",
	[ACCOUNT_GROUP] = "group",
	[ACCOUNT_SUBUID] = "subuid",
	[ACCOUNT_SUBGID] = "subgid",
};

#define USER "dockremap"

/* System users get ids from here downwards (useradd(8), SYS_UID_MAX). */
#define ID_HIGHEST 999
#define ID_LOWEST 100
/* What useradd gives to the first user, and how many ids dockerd asks for. */
#define RANGE_FIRST UINT64_C(100000)
#define RANGE_SIZE UINT64_C(65536)

/* The field of a line, numbered from 0, as a number; false where it is none. */
static bool field_number(const char *line, unsigned field, uint64_t *ret)
{
	char *end = NULL;

	for (; field > 0; field--) {
		line += strcspn(line, ":\n");
		if (*line != ':')
			return false;
		line++;
	}
	*ret = strtoull(line, &end, 10);
	return end != line && (*end == ':' || *end == '\n' || !*end);
}

static const char *next_line(const char *line)
{
	line += strcspn(line, "\n");
	return *line ? line + 1 : NULL;
}

static bool has_id(const char *text, uint64_t id)
{
	uint64_t number;

	for (const char *line = text; line; line = next_line(line))
		if (field_number(line, 2, &number) && number == id)
			return true;
	return false;
}

/* One that is neither a user's nor a group's. */
static unsigned free_id(const char *const texts[static ACCOUNT_TABLES])
{
	unsigned id = ID_HIGHEST;

	while (id > ID_LOWEST &&
	       (has_id(texts[ACCOUNT_PASSWD], id) || has_id(texts[ACCOUNT_GROUP], id)))
		id--;
	return id;
}

static uint64_t free_range(const char *text)
{
	uint64_t first = RANGE_FIRST;
	uint64_t start;
	uint64_t count;

	for (const char *line = text; line; line = next_line(line))
		if (field_number(line, 1, &start) && field_number(line, 2, &count) &&
		    start + count > first)
			first = start + count;
	return first;
}

int rehearsal_account(const char *const texts[static ACCOUNT_TABLES], enum account_table table,
		      struct strbuf *ret, struct error *error)
{
	const char *text = texts[table];
	size_t length = strlen(text);

	(void)strbuf_adds(ret, text);
	if (length && text[length - 1] != '\n')
		(void)strbuf_addc(ret, '\n');
	if (table == ACCOUNT_PASSWD)
		(void)strbuf_addf(ret, USER ":x:%u:%u::/nonexistent:/usr/sbin/nologin\n",
				  free_id(texts), free_id(texts));
	else if (table == ACCOUNT_GROUP)
		(void)strbuf_addf(ret, USER ":x:%u:\n", free_id(texts));
	else
		(void)strbuf_addf(ret, USER ":%" PRIu64 ":%" PRIu64 "\n", free_range(text),
				  RANGE_SIZE);
	return ret->failed ? error_set_oom(error) : 0;
}
