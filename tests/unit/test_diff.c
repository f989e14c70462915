#include "harness.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/strbuf.h"
#include "core/diff.h"

static const struct example {
	const char *old;
	const char *new;
	const char *diff;
} examples[] = {
	{"", "", ""},
	{"a\n", "a\n", ""},
	{"", "a\nb\n", "--- old\n+++ new\n@@ -0,0 +1,2 @@\n+a\n+b\n"},
	{"a\nb\n", "", "--- old\n+++ new\n@@ -1,2 +0,0 @@\n-a\n-b\n"},
	{"a\n", "b\n", "--- old\n+++ new\n@@ -1 +1 @@\n-a\n+b\n"},
	/* three lines of context, cut at the ends of the text */
	{"1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nx\n6\n7\n8\n9\n",
	 "--- old\n+++ new\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+x\n 6\n 7\n 8\n"},
	{"1\n2\n3\n", "0\n1\n2\n3\n", "--- old\n+++ new\n@@ -1,3 +1,4 @@\n+0\n 1\n 2\n 3\n"},
	{"1\n2\n3\n4\n5\n", "1\n2\n3\n4\n", "--- old\n+++ new\n@@ -2,4 +2,3 @@\n 2\n 3\n 4\n-5\n"},
	/* six equal lines join two hunks, seven part them */
	{"a\n1\n2\n3\n4\n5\n6\nb\n", "A\n1\n2\n3\n4\n5\n6\nB\n",
	 "--- old\n+++ new\n@@ -1,8 +1,8 @@\n-a\n+A\n 1\n 2\n 3\n 4\n 5\n 6\n-b\n+B\n"},
	{"a\n1\n2\n3\n4\n5\n6\n7\nb\n", "A\n1\n2\n3\n4\n5\n6\n7\nB\n",
	 "--- old\n+++ new\n@@ -1,4 +1,4 @@\n-a\n+A\n 1\n 2\n 3\n"
	 "@@ -6,4 +6,4 @@\n 5\n 6\n 7\n-b\n+B\n"},
	/* the shortest edit, not the whole block */
	{"a\nb\nc\na\nb\nb\na\n", "c\nb\na\nb\na\nc\n",
	 "--- old\n+++ new\n@@ -1,7 +1,6 @@\n-a\n-b\n c\n+b\n a\n b\n-b\n a\n+c\n"},
	/* no newline at the end: of either, of both */
	{"a\nb", "a\nb\n",
	 "--- old\n+++ new\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+b\n"},
	{"a\nb\n", "a\nb",
	 "--- old\n+++ new\n@@ -1,2 +1,2 @@\n a\n-b\n+b\n\\ No newline at end of file\n"},
	{"a\nb", "x\nb",
	 "--- old\n+++ new\n@@ -1,2 +1,2 @@\n-a\n+x\n b\n\\ No newline at end of file\n"},
	{"{}", "{1}",
	 "--- old\n+++ new\n@@ -1 +1 @@\n-{}\n\\ No newline at end of file\n+{1}\n"
	 "\\ No newline at end of file\n"},
	{"a\r\nb\r\n", "a\r\nc\r\n", "--- old\n+++ new\n@@ -1,2 +1,2 @@\n a\r\n-b\r\n+c\r\n"},
	{"a\r\n", "a\n", "--- old\n+++ new\n@@ -1 +1 @@\n-a\r\n+a\n"},
};

static void diff(struct strbuf *out, const char *old, const char *new)
{
	struct error error = ERROR_NONE;

	ck_assert_int_eq(
		diff_unified(out, "old", old, strlen(old), "new", new, strlen(new), &error), 0);
	ck_assert_int_eq(strbuf_add(out, "", 0), 0);
}

START_TEST(shows_changes)
{
	cleanup_strbuf struct strbuf out = STRBUF_EMPTY;

	diff(&out, examples[_i].old, examples[_i].new);
	ck_assert_str_eq(out.data, examples[_i].diff);
}
END_TEST

START_TEST(names_with_spaces_end_in_a_tab)
{
	cleanup_strbuf struct strbuf out = STRBUF_EMPTY;

	ck_assert_int_eq(diff_unified(&out, "/dev/null", "", 0, "/a b", "x\n", 2, NULL), 0);
	ck_assert_str_eq(out.data, "--- /dev/null\n+++ /a b\t\n@@ -0,0 +1 @@\n+x\n");
}
END_TEST

static void write_file(const char *folder, const char *name, const char *text, size_t length)
{
	cleanup_free char *path = NULL;

	ck_assert_int_gt(asprintf(&path, "%s/%s", folder, name), 0);
	FILE *stream = fopen(path, "wb");
	ck_assert_ptr_nonnull(stream);
	ck_assert_uint_eq(fwrite(text, 1, length, stream), length);
	ck_assert_int_eq(fclose(stream), 0);
}

/* Lets patch(1) turn old into new, and cmp(1) compare. */
static void check_patch(const char *folder, const struct strbuf *old, const struct strbuf *new)
{
	cleanup_strbuf struct strbuf out = STRBUF_EMPTY;
	cleanup_free char *command = NULL;

	ck_assert_int_eq(diff_unified(&out, "a/file", old->data, old->length, "b/file", new->data,
				      new->length, NULL),
			 0);
	write_file(folder, "file", old->data, old->length);
	write_file(folder, "want", new->data, new->length);
	write_file(folder, "diff", out.length ? out.data : "", out.length);
	ck_assert_int_gt(
		asprintf(&command,
			 "cd %s && if [ -s diff ]; then patch --binary -s file diff; fi && "
			 "cmp -s file want",
			 folder),
		0);
	ck_assert_msg(system(command) == 0, "not applied:\n%s", out.data);
}

static void add_random_lines(struct strbuf *text, unsigned *seed, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		(void)strbuf_addf(text, "%c%s", 'a' + rand_r(seed) % 4,
				  i + 1 == count && rand_r(seed) % 3 == 0 ? "" : "\n");
	(void)strbuf_add(text, "", 0);
}

START_TEST(is_applied_by_patch)
{
	char folder[] = "/tmp/test_diff.XXXXXX";
	cleanup_free char *command = NULL;
	unsigned seed = 1;

	ck_assert_msg(system("command -v patch >/dev/null") == 0, "patch(1) is needed here");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	for (int i = 0; i < 200; i++) {
		cleanup_strbuf struct strbuf old = STRBUF_EMPTY;
		cleanup_strbuf struct strbuf new = STRBUF_EMPTY;

		add_random_lines(&old, &seed, 1 + (unsigned)rand_r(&seed) % 30);
		add_random_lines(&new, &seed, 1 + (unsigned)rand_r(&seed) % 30);
		check_patch(folder, &old, &new);
	}
	ck_assert_int_gt(asprintf(&command, "rm -r %s", folder), 0);
	ck_assert_int_eq(system(command), 0);
}
END_TEST

static size_t count_lines(const struct strbuf *text, char first)
{
	size_t count = 0;

	for (const char *at = text->data; at && *at; at = strchr(at, '\n') + 1)
		count += *at == first;
	return count;
}

/* Beyond the limit the diff is coarse, but it comes in time and is right. */
START_TEST(is_bounded_for_different_texts)
{
	cleanup_strbuf struct strbuf old = STRBUF_EMPTY;
	cleanup_strbuf struct strbuf new = STRBUF_EMPTY;
	cleanup_strbuf struct strbuf out = STRBUF_EMPTY;

	for (int i = 0; i < 200000; i++) {
		(void)strbuf_addf(&old, "same %d\nold %d\n", i, i);
		(void)strbuf_addf(&new, "same %d\nnew %d\n", i, i);
	}
	diff(&out, old.data, new.data);
	ck_assert_uint_le(count_lines(&out, '-'), 400001);
	ck_assert_uint_ge(count_lines(&out, '-'), 200001);
	/* What was found before the limit is kept: some lines are context. */
	ck_assert_uint_ge(count_lines(&out, ' '), 100);
}
END_TEST

START_TEST(is_quick_for_few_changes)
{
	cleanup_strbuf struct strbuf old = STRBUF_EMPTY;
	cleanup_strbuf struct strbuf new = STRBUF_EMPTY;
	cleanup_strbuf struct strbuf out = STRBUF_EMPTY;

	for (int i = 0; i < 200000; i++) {
		(void)strbuf_addf(&old, "line %d\n", i);
		(void)strbuf_addf(&new, i % 50000 == 7 ? "changed %d\n" : "line %d\n", i);
	}
	diff(&out, old.data, new.data);
	ck_assert_uint_eq(count_lines(&out, '-'), 4 + 1);
	ck_assert_uint_eq(count_lines(&out, '+'), 4 + 1);
	ck_assert_uint_eq(count_lines(&out, '@'), 4);
}
END_TEST

static Suite *diff_suite(void)
{
	Suite *suite = suite_create("diff");
	TCase *tcase = tcase_create("unified");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, shows_changes, 0, array_size(examples));
	tcase_add_test(tcase, names_with_spaces_end_in_a_tab);
	tcase_add_test(tcase, is_applied_by_patch);
	tcase_add_test(tcase, is_bounded_for_different_texts);
	tcase_add_test(tcase, is_quick_for_few_changes);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return test_run(diff_suite());
}
