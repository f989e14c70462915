#include "tree.h"

#include <endian.h>
#include <errno.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "apply/journal.h"
#include "host/clock.h"

static struct txn_file files[] = {
	{.path = (char[]){"/etc/docker/daemon.json"}},
	{.path = (char[]){"/etc/systemd/system/docker.service.d/99 harden.conf"}},
};

static const struct txn txn = {
	.id = (char[]){"20261123T214455Z"},
	.kind = TXN_ROLLBACK,
	.user = (char[]){"alice"},
	.unit = (char[]){"docker.service"},
	.files = files,
	.file_count = array_size(files),
};

static struct strbuf entry_of(enum journal_event event, const struct txn *of, const char *text)
{
	struct strbuf entry = STRBUF_EMPTY;

	ck_assert_int_eq(journal_entry(event, of, text, &entry), 0);
	return entry;
}

START_TEST(an_entry_has_its_fields)
{
	struct strbuf entry = entry_of(EVENT_ROLLED_BACK, &txn, "as it was = before");

	ck_assert_str_eq(entry.data,
			 "MESSAGE=as it was = before\n"
			 "MESSAGE_ID=30212df30a0d446ab6ca8f774e12cf34\n"
			 "PRIORITY=6\n"
			 "SYSLOG_IDENTIFIER=harden\n"
			 "HARDEN_COMMAND=rollback\n"
			 "HARDEN_ID=20261123T214455Z\n"
			 "HARDEN_USER=alice\n"
			 "HARDEN_UNIT=docker.service\n"
			 "HARDEN_FILES=/etc/docker/daemon.json\n"
			 "HARDEN_FILES=/etc/systemd/system/docker.service.d/99 harden.conf\n");
	strbuf_done(&entry);
}
END_TEST

START_TEST(an_entry_has_a_result_and_a_priority)
{
	static const struct {
		enum journal_event event;
		const char *fields[2];
	} cases[] = {
		{EVENT_PUT_BACK, {"\nPRIORITY=4\n", "\nHARDEN_COMMAND=apply\n"}},
		{EVENT_PUT_BACK_FAILED, {"\nPRIORITY=3\n", "\nHARDEN_RESULT=rolled-back\n"}},
		{EVENT_RECOVERED, {"\nPRIORITY=6\n", "\nHARDEN_COMMAND=recover\n"}},
	};
	const struct txn applied = {
		.id = (char[]){"x"}, .kind = TXN_APPLY, .result = (char[]){"rolled-back"}};

	for (size_t i = 0; i < array_size(cases); i++) {
		struct strbuf entry = entry_of(cases[i].event, &applied, "text");
		ck_assert_ptr_nonnull(strstr(entry.data, cases[i].fields[0]));
		ck_assert_ptr_nonnull(strstr(entry.data, cases[i].fields[1]));
		strbuf_done(&entry);
	}
}
END_TEST

START_TEST(text_may_have_lines)
{
	static const char text[] = "two\nlines\nPRIORITY=0";
	struct strbuf entry = entry_of(EVENT_APPLIED, &txn, text);
	uint64_t length;

	ck_assert_int_eq(memcmp(entry.data, "MESSAGE\n", 8), 0);
	memcpy(&length, entry.data + 8, sizeof length);
	ck_assert_uint_eq(le64toh(length), strlen(text));
	ck_assert_int_eq(memcmp(entry.data + 16, text, strlen(text)), 0);
	ck_assert_int_eq(memcmp(entry.data + 16 + strlen(text), "\nMESSAGE_ID=", 12), 0);
	strbuf_done(&entry);
}
END_TEST

START_TEST(text_may_be_endless)
{
	static char text[1000001];
	struct strbuf entry;

	/* Each is two bytes long; none is cut in the middle. */
	for (size_t i = 0; i < sizeof text - 1; i += 2)
		memcpy(text + i, "\xc3\xbc", 2);
	entry = entry_of(EVENT_APPLIED, &txn, text + 0);
	ck_assert_uint_lt(entry.length, 100000);
	ck_assert_uint_eq(strspn(entry.data + strlen("MESSAGE="), "\xc3\xbc") % 2, 0);
	ck_assert_ptr_nonnull(strstr(entry.data, "\nMESSAGE_ID="));
	strbuf_done(&entry);
}
END_TEST

static int listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void)snprintf(address.sun_path, sizeof address.sun_path, "%.100s", path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	return fd;
}

START_TEST(an_entry_arrives)
{
	struct strbuf entry = entry_of(EVENT_APPLIED, &txn, "text");
	char received[4096];
	int fd = listen_at(tree_path("/journal"));

	ck_assert_int_eq(journal_post(tree_path("/journal"), &entry, 1000000), 0);
	ck_assert_int_eq(recv(fd, received, sizeof received, 0), (ssize_t)entry.length);
	ck_assert_int_eq(memcmp(received, entry.data, entry.length), 0);
	(void)close(fd);
	strbuf_done(&entry);
}
END_TEST

START_TEST(a_journal_that_is_not_there_is_not_waited_for)
{
	struct strbuf entry = entry_of(EVENT_APPLIED, &txn, "text");

	ck_assert_int_eq(journal_post(tree_path("/journal"), &entry, 60000000), -ENOENT);
	(void)close(listen_at(tree_path("/journal")));
	ck_assert_int_eq(journal_post(tree_path("/journal"), &entry, 60000000), -ECONNREFUSED);
	strbuf_done(&entry);
}
END_TEST

START_TEST(a_journal_that_does_not_read_is_not_waited_for_long)
{
	struct strbuf entry = entry_of(EVENT_APPLIED, &txn, "text");
	int fd = listen_at(tree_path("/journal"));
	int r = 0;

	/* Until its queue is full. */
	for (size_t i = 0; r == 0 && i < 100000; i++)
		r = journal_post(tree_path("/journal"), &entry, 0);
	ck_assert_int_eq(r, -ETIMEDOUT);

	uint64_t begin = clock_now_us();
	ck_assert_int_eq(journal_post(tree_path("/journal"), &entry, 50000), -ETIMEDOUT);
	ck_assert_uint_ge(clock_now_us(), begin + 50000);
	ck_assert_uint_lt(clock_now_us(), begin + 10000000);
	(void)close(fd);
	strbuf_done(&entry);
}
END_TEST

START_TEST(a_unit_without_lines_has_none)
{
	struct strlist lines = {.items = NULL};
	struct error error = ERROR_NONE;
	uint64_t begin = clock_now_us();

	int r = journal_read("harden-has-no-such-unit.service", 0, begin + 30000, &lines, &error);
	ck_assert_int_eq(r, 0);
	ck_assert_int_eq(error.code, 0);
	ck_assert_uint_eq(lines.count, 0);
	ck_assert_uint_lt(clock_now_us(), begin + 10000000);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		an_entry_has_its_fields,
		an_entry_has_a_result_and_a_priority,
		text_may_have_lines,
		text_may_be_endless,
		an_entry_arrives,
		a_journal_that_is_not_there_is_not_waited_for,
		a_journal_that_does_not_read_is_not_waited_for_long,
		a_unit_without_lines_has_none,
		NULL,
	};

	return tree_main("journal", tests);
}
