/* Archives byte by byte, as POSIX.1-1988 has them. */
#include "harness.h"

#include <errno.h>

#include "core/tar.h"

#define BLOCK 512

/* The sum that a reader makes: all bytes of the header, its own eight taken as spaces. */
static unsigned long sum_of(const char *header)
{
	unsigned long sum = 8UL * ' ';

	for (size_t i = 0; i < BLOCK; i++)
		if (i < 148 || i >= 156)
			sum += (unsigned char)header[i];
	return sum;
}

START_TEST(a_file_is_a_header_and_its_bytes_in_blocks)
{
	struct strbuf tar = STRBUF_EMPTY;
	struct error error = ERROR_NONE;
	char bytes[BLOCK + 1];

	memset(bytes, 'x', sizeof bytes);
	ck_assert_int_eq(tar_add_file(&tar, "a/program", 0755, bytes, sizeof bytes, &error), 0);
	ck_assert_uint_eq(tar.length, 3 * BLOCK);
	ck_assert_str_eq(tar.data, "a/program");
	ck_assert_str_eq(tar.data + 100, "0000755");
	ck_assert_str_eq(tar.data + 108, "0000000");
	ck_assert_str_eq(tar.data + 116, "0000000");
	ck_assert_str_eq(tar.data + 124, "00000001001");
	ck_assert_str_eq(tar.data + 136, "00000000000");
	ck_assert_uint_eq(strtoul(tar.data + 148, NULL, 8), sum_of(tar.data));
	ck_assert_mem_eq(tar.data + 154, "\0 0", 3);
	ck_assert_mem_eq(tar.data + 257, "ustar\00000", 8);
	ck_assert_mem_eq(tar.data + BLOCK, bytes, sizeof bytes);
	for (size_t i = BLOCK + sizeof bytes; i < tar.length; i++)
		ck_assert_int_eq(tar.data[i], 0);

	ck_assert_int_eq(tar_end(&tar, &error), 0);
	ck_assert_uint_eq(tar.length, 5 * BLOCK);
	strbuf_done(&tar);
}
END_TEST

START_TEST(whole_blocks_and_empty_files_are_not_filled_up)
{
	struct strbuf tar = STRBUF_EMPTY;
	struct error error = ERROR_NONE;
	char bytes[BLOCK] = {0};

	ck_assert_int_eq(tar_add_file(&tar, "empty", 0644, "", 0, &error), 0);
	ck_assert_uint_eq(tar.length, BLOCK);
	ck_assert_int_eq(tar_add_file(&tar, "full", 0644, bytes, sizeof bytes, &error), 0);
	ck_assert_uint_eq(tar.length, 3 * BLOCK);
	strbuf_done(&tar);
}
END_TEST

START_TEST(names_have_at_most_100_bytes)
{
	struct strbuf tar = STRBUF_EMPTY;
	struct error error = ERROR_NONE;
	char name[102];

	memset(name, 'n', sizeof name);
	name[100] = '\0';
	ck_assert_int_eq(tar_add_file(&tar, name, 0644, "", 0, &error), 0);
	ck_assert_mem_eq(tar.data, name, 100);
	ck_assert_str_eq(tar.data + 100, "0000644");
	name[100] = 'n';
	name[101] = '\0';
	ck_assert_int_eq(tar_add_file(&tar, name, 0644, "", 0, &error), -ENAMETOOLONG);
	ck_assert_uint_eq(tar.length, BLOCK);
	strbuf_done(&tar);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_file_is_a_header_and_its_bytes_in_blocks,
		whole_blocks_and_empty_files_are_not_filled_up,
		names_have_at_most_100_bytes,
		NULL,
	};

	return test_main("tar", tests);
}
