#include "apply/journal.h"

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>

#include <systemd/sd-id128.h>
#include <systemd/sd-journal.h>

#include "base/cleanup.h"
#include "host/clock.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

/* How long harden waits for a journal that does not read. */
#define POST_US 500000

#define MESSAGE_MAX ((size_t)8 * 1024)
#define ENTRY_MAX ((size_t)64 * 1024) /* a datagram may have 200 kB */

#define LINES_MAX 200
#define LINE_MAX_BYTES 2000
/* How many entries are looked at: those of containers come in between. */
#define SCAN_MAX 20000
/* Between two looks, and for the lines that follow the first. */
#define LOOK_US 50000
#define SETTLE_US 100000

/* ---- what harden did ---- */

/* The ids are for ever: scripts look for them. */
static const struct {
	const char *id;
	int priority;
} events[] = {
	[EVENT_APPLY_STARTED] = {"3a8dc58aae664916a4cebcf1b8ee3aa4", LOG_INFO},
	[EVENT_APPLIED] = {"4e5cddd077964fa39a03fbcb707ad8af", LOG_INFO},
	[EVENT_ROLLBACK_STARTED] = {"f8a2f1acb9ee47718d59d6a84f5a3573", LOG_INFO},
	[EVENT_ROLLED_BACK] = {"30212df30a0d446ab6ca8f774e12cf34", LOG_INFO},
	[EVENT_PUT_BACK] = {"ed67b44a010943f6b5c6458dfa1239bc", LOG_WARNING},
	[EVENT_PUT_BACK_FAILED] = {"ad9f81c5e4d34d168667100702c7985e", LOG_ERR},
	[EVENT_RECOVERED] = {"6a17e85911474a329c5db7ed268d83f9", LOG_INFO},
};

/* The length of text, or, where that is more, at most `most`; a character is not cut in two. */
static size_t cut(const char *text, size_t length, size_t most)
{
	if (length <= most)
		return length;
	while (most && ((unsigned char)text[most] & 0xc0) == 0x80)
		most--;
	return most;
}

/* "NAME=value", or, because that ends at a line feed, "NAME", the length and the value. */
static void add_field(struct strbuf *out, const char *name, const char *value)
{
	if (!value)
		return;
	size_t length = cut(value, strlen(value), MESSAGE_MAX);
	uint64_t size = htole64(length);

	(void)strbuf_adds(out, name);
	if (memchr(value, '\n', length)) {
		(void)strbuf_addc(out, '\n');
		(void)strbuf_add(out, (const char *)&size, sizeof size);
	} else {
		(void)strbuf_addc(out, '=');
	}
	(void)strbuf_add(out, value, length);
	(void)strbuf_addc(out, '\n');
}

int journal_entry(enum journal_event event, const struct txn *txn, const char *text,
		  struct strbuf *ret)
{
	const char *command = event == EVENT_RECOVERED ? "recover" : txn_kind_name(txn->kind);
	char priority[16];

	(void)snprintf(priority, sizeof priority, "%d", events[event].priority);
	add_field(ret, "MESSAGE", text);
	add_field(ret, "MESSAGE_ID", events[event].id);
	add_field(ret, "PRIORITY", priority);
	add_field(ret, "SYSLOG_IDENTIFIER", "harden");
	add_field(ret, "HARDEN_COMMAND", command);
	add_field(ret, "HARDEN_ID", txn->id);
	add_field(ret, "HARDEN_RESULT", txn->result);
	add_field(ret, "HARDEN_USER", txn->user);
	add_field(ret, "HARDEN_UNIT", txn->unit);
	for (size_t i = 0; i < txn->file_count && ret->length < ENTRY_MAX; i++)
		add_field(ret, "HARDEN_FILES", txn->files[i].path);
	return ret->failed ? -ENOMEM : 0;
}

int journal_post(const char *path, const struct strbuf *entry, uint64_t limit_us)
{
	cleanup_close int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	uint64_t deadline = clock_now_us() + limit_us;

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof address.sun_path)
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	/* Connected, so that poll() looks at the other side's queue. */
	if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
		return -errno;
	while (send(fd, entry->data, entry->length, MSG_NOSIGNAL) < 0) {
		struct pollfd room = {.fd = fd, .events = POLLOUT};

		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		if (clock_now_us() >= deadline)
			return -ETIMEDOUT;
		(void)poll(&room, 1, clock_left_ms(deadline));
	}
	return 0;
}

/* sd_journal_send() would wait for a journald that hangs, without a limit and in the middle of a
 * change. The protocol is stable and small, so harden speaks it itself. */
void journal_send(enum journal_event event, const struct txn *txn, const char *text)
{
	cleanup_strbuf struct strbuf entry = STRBUF_EMPTY;

	if (journal_entry(event, txn, text, &entry) == 0)
		(void)journal_post(JOURNAL_SOCKET, &entry, POST_US);
}

/* ---- what dockerd said ---- */

#define cleanup_journal scoped(journal_done)

static void journal_done(sd_journal **journal)
{
	sd_journal_close(*journal);
}

static int add_match(sd_journal *journal, const char *name, const char *value)
{
	char match[512];

	(void)snprintf(match, sizeof match, "%s=%s", name, value);
	return sd_journal_add_match(journal, match, 0);
}

/* What the unit's processes wrote; and, because one that could not become dockerd is often gone
 * before the journal finds out where it belonged, root's errors that speak of the unit. Only this
 * boot: after a clock was set back, older entries may look newer. */
static int add_matches(sd_journal *journal, const char *unit, const char *boot)
{
	int r = add_match(journal, "_SYSTEMD_UNIT", unit);

	if (r >= 0)
		r = add_match(journal, "_BOOT_ID", boot);
	if (r >= 0)
		r = sd_journal_add_disjunction(journal);
	if (r >= 0)
		r = add_match(journal, "UNIT", unit);
	if (r >= 0)
		r = add_match(journal, "PRIORITY", "3");
	if (r >= 0)
		r = add_match(journal, "_UID", "0");
	return r < 0 ? r : add_match(journal, "_BOOT_ID", boot);
}

static int open_journal(const char *unit, sd_journal **ret)
{
	cleanup_journal sd_journal *journal = NULL;
	char boot[SD_ID128_STRING_MAX];
	sd_id128_t id;

	int r = sd_id128_get_boot(&id);
	if (r >= 0)
		r = sd_journal_open(&journal, SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM);
	if (r >= 0)
		r = sd_journal_set_data_threshold(journal, LINE_MAX_BYTES + sizeof "MESSAGE=");
	if (r >= 0)
		r = add_matches(journal, unit, sd_id128_to_string(id, boot));
	if (r < 0)
		return r;
	*ret = take_ptr(journal);
	return 0;
}

/* Whether the entry has the field, with this value unless that is NULL. */
static bool has_field(sd_journal *journal, const char *name, const char *value)
{
	const void *data;
	size_t size;

	if (sd_journal_get_data(journal, name, &data, &size) < 0)
		return false;
	size_t behind = strlen(name) + 1;
	return !value || (size == behind + strlen(value) &&
			  memcmp((const char *)data + behind, value, strlen(value)) == 0);
}

/* With the log driver journald, the lines of containers come from dockerd too. What systemd says of
 * the unit, itself or in the name of a process that is to become dockerd, is of interest where that
 * process reports an error. */
static bool is_wanted(sd_journal *journal)
{
	if (has_field(journal, "CONTAINER_ID", NULL) || has_field(journal, "_PID", "1"))
		return false;
	bool of_systemd =
		has_field(journal, "UNIT", NULL) || has_field(journal, "INVOCATION_ID", NULL);
	return !of_systemd || has_field(journal, "PRIORITY", "3");
}

/* Adds the message of the entry that the journal stands at; one without is passed over. */
static int add_line(sd_journal *journal, struct strlist *lines)
{
	static const char name[] = "MESSAGE=";
	const void *data;
	size_t size;

	if (sd_journal_get_data(journal, "MESSAGE", &data, &size) < 0 || size < strlen(name))
		return 0;
	const char *text = (const char *)data + strlen(name);
	size_t length = size - strlen(name);
	int r = strlist_add_bytes(lines, text, cut(text, length, LINE_MAX_BYTES));
	if (r < 0)
		return r;
	for (char *c = lines->items[lines->count - 1]; *c; c++)
		if (*c == '\n')
			*c = ' ';
	return 0;
}

static void reverse(struct strlist *list)
{
	for (size_t i = 0; i < list->count / 2; i++) {
		char **other = &list->items[list->count - 1 - i];
		char *item = list->items[i];

		list->items[i] = *other;
		*other = item;
	}
}

/* From the end backwards, so that a talkative daemon costs no more than a silent one. */
static int collect(sd_journal *journal, uint64_t since_us, struct strlist *ret)
{
	uint64_t when;

	strlist_done(ret);
	int r = sd_journal_seek_tail(journal);
	for (size_t i = 0; r >= 0 && i < SCAN_MAX && ret->count < LINES_MAX; i++) {
		/* A file that is damaged ends the list. */
		if (sd_journal_previous(journal) <= 0 ||
		    sd_journal_get_realtime_usec(journal, &when) < 0 || when < since_us)
			break;
		if (is_wanted(journal))
			r = add_line(journal, ret);
	}
	reverse(ret);
	return r == -ENOMEM ? r : 0;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Until the moment, or a failure. New files are noticed in here only. */
static void follow(sd_journal *journal, uint64_t until_us, bool until_change)
{
	int r = SD_JOURNAL_NOP;

	while (r >= 0) {
		uint64_t now = clock_now_us();
		if (now >= until_us)
			return;
		r = sd_journal_wait(journal, until_us - now);
		if (until_change && r > SD_JOURNAL_NOP)
			return;
	}
	(void)poll(NULL, 0, clock_left_ms(until_us));
}

int journal_read(const char *unit, uint64_t since_us, uint64_t deadline_us, struct strlist *ret,
		 struct error *error)
{
	cleanup_journal sd_journal *journal = NULL;
	cleanup_strlist struct strlist lines = {.items = NULL};

	int r = open_journal(unit, &journal);
	if (r == -ENOMEM)
		return error_set_oom(error);
	if (r >= 0)
		r = collect(journal, since_us, &lines);
	/* Where nobody writes a journal, nothing will come. */
	bool written = access(JOURNAL_SOCKET, F_OK) == 0;
	while (r == 0 && written && !lines.count && clock_now_us() < deadline_us) {
		follow(journal, earlier(deadline_us, clock_now_us() + LOOK_US), true);
		r = collect(journal, since_us, &lines);
	}
	if (r == 0 && lines.count) {
		follow(journal, earlier(deadline_us, clock_now_us() + SETTLE_US), false);
		r = collect(journal, since_us, &lines);
	}
	if (r == -ENOMEM)
		return error_set_oom(error);
	*ret = lines;
	lines = (struct strlist){.items = NULL};
	return 0;
}
