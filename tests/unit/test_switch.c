/* The files of a transaction go to their places and back. */
#include "tree.h"

#include <errno.h>

#include "apply/switch.h"

static struct txn txn;

static void write_file(const char *name, const char *text, mode_t mode)
{
	cleanup_fclose FILE *file = fopen(tree_path(name), "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(chmod(tree_path(name), mode), 0);
}

static void assert_file(const char *name, const char *text, mode_t mode)
{
	cleanup_filestate struct filestate state = {.exists = false};
	struct error error = ERROR_NONE;

	ck_assert_int_eq(filestate_read(tree_path(name), &state, &error), 0);
	ck_assert_int_eq(state.exists, text != NULL);
	if (text) {
		ck_assert_str_eq(state.data, text);
		ck_assert_int_eq(state.mode, mode);
	}
}

static unsigned count_entries(const char *folder)
{
	DIR *stream = opendir(tree_path(folder));
	const struct dirent *entry;
	unsigned count = 0;

	while (stream && (entry = readdir(stream)))
		count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	if (stream)
		(void)closedir(stream);
	return count;
}

/* A file that is there as `before` (NULL: it is not) and is to become `after`. */
static struct txn_file *add(const char *name, const char *before, const char *after, bool config)
{
	struct error error = ERROR_NONE;

	if (before)
		write_file(name, before, 0640);
	txn.files = reallocarray(txn.files, txn.file_count + 1, sizeof *txn.files);
	struct txn_file *file = &txn.files[txn.file_count++];
	*file = (struct txn_file){
		.path = strdup(tree_path(name)),
		.target = strdup(tree_path(name)),
		.temporary = switch_temporary(tree_path(name)),
		.action = !after   ? FILE_REMOVE
			  : before ? FILE_MODIFY
				   : FILE_CREATE,
		.config = config,
	};
	ck_assert_int_eq(filestate_read(tree_path(name), &file->before, &error), 0);
	if (after)
		ck_assert_int_eq(filestate_with_bytes(&file->before, after, strlen(after),
						      &file->after, &error),
				 0);
	return file;
}

static void setup(void)
{
	tree_setup();
	tree_folder("/etc");
	txn = (struct txn){.id = NULL};
}

static void teardown(void)
{
	txn_done(&txn);
	tree_teardown();
}

static void prepare(void)
{
	struct error error = ERROR_NONE;

	ck_assert_int_eq(switch_check(&txn, &error), 0);
	ck_assert_int_eq(switch_prepare(&txn, &error), 0);
}

static void forward(size_t count)
{
	struct error error = ERROR_NONE;

	for (size_t i = 0; i < count; i++)
		ck_assert_int_eq(switch_forward(&txn.files[i], &error), 0);
}

static void back(void)
{
	struct error error = ERROR_NONE;

	ck_assert_int_eq(switch_back(&txn, &error), 0);
}

static void fill(void)
{
	(void)add("/etc/modified", "old\n", "new\n", false);
	(void)add("/etc/removed", "gone\n", NULL, false);
	(void)add("/etc/made/deep/created", NULL, "made\n", false);
	ck_assert_int_eq(strlist_add(&txn.folders, tree_path("/etc/made")), 0);
	ck_assert_int_eq(strlist_add(&txn.folders, tree_path("/etc/made/deep")), 0);
}

static void assert_old(void)
{
	assert_file("/etc/modified", "old\n", 0640);
	assert_file("/etc/removed", "gone\n", 0640);
	ck_assert_uint_eq(count_entries("/etc"), 2);
}

START_TEST(test_forward)
{
	struct error error = ERROR_NONE;

	fill();
	prepare();
	forward(3);
	ck_assert_int_eq(switch_clean(&txn, &error), 0);
	assert_file("/etc/modified", "new\n", 0640);
	assert_file("/etc/removed", NULL, 0);
	assert_file("/etc/made/deep/created", "made\n", 0644);
	ck_assert_uint_eq(count_entries("/etc"), 2);
	ck_assert_uint_eq(count_entries("/etc/made/deep"), 1);
}
END_TEST

/* However far it had got. */
START_TEST(test_back)
{
	struct stat before;
	struct stat after;

	fill();
	ck_assert_int_eq(stat(tree_path("/etc/modified"), &before), 0);
	prepare();
	forward((size_t)_i);
	back();
	assert_old();
	back();
	assert_old();
	/* The very file that was there, so that nothing of it can be lost. */
	ck_assert_int_eq(stat(tree_path("/etc/modified"), &after), 0);
	ck_assert_uint_eq(before.st_ino, after.st_ino);
	ck_assert_uint_eq(after.st_nlink, 1);
}
END_TEST

/* The second name of the old file may be gone, or somebody may have written to it. */
START_TEST(test_back_without_spare)
{
	struct stat before;
	struct stat after;

	fill();
	ck_assert_int_eq(stat(tree_path("/etc/modified"), &before), 0);
	prepare();
	forward(3);
	ck_assert_int_eq(unlink(tree_path("/etc/.removed.harden-old")), 0);
	write_file("/etc/.modified.harden-old", "spoilt\n", 0640);
	back();
	assert_old();
	ck_assert_int_eq(stat(tree_path("/etc/modified"), &after), 0);
	ck_assert_int_eq(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
}
END_TEST

START_TEST(test_folders_of_others_stay)
{
	fill();
	prepare();
	forward(3);
	write_file("/etc/made/foreign", "x", 0600);
	back();
	assert_file("/etc/made/foreign", "x", 0600);
	ck_assert_int_lt(access(tree_path("/etc/made/deep"), F_OK), 0);
}
END_TEST

START_TEST(test_prepare_fails)
{
	struct error error = ERROR_NONE;

	fill();
	/* The temporary file's name is a folder that cannot be taken away. */
	tree_folder("/etc/.removed.harden-old/full");
	ck_assert_int_lt(switch_prepare(&txn, &error), 0);
	ck_assert_str_ne(error.text, "");
	ck_assert_int_eq(rmdir(tree_path("/etc/.removed.harden-old/full")), 0);
	ck_assert_int_eq(rmdir(tree_path("/etc/.removed.harden-old")), 0);
	assert_old();
}
END_TEST

START_TEST(test_mode)
{
	struct txn_file *file = add("/etc/open", "text\n", "text\n", false);
	struct error error = ERROR_NONE;

	file->action = FILE_MODE;
	file->after.mode = 0600;
	prepare();
	forward(1);
	assert_file("/etc/open", "text\n", 0600);
	ck_assert_uint_eq(count_entries("/etc"), 1);
	back();
	assert_file("/etc/open", "text\n", 0640);
	ck_assert_int_eq(switch_clean(&txn, &error), 0);
}
END_TEST

START_TEST(test_step)
{
	const struct txn_file *file =
		add("/etc/daemon.json", "{\"a\": 1}\n", "{\"live-restore\": true}\n", true);
	cleanup_strlist struct strlist edited = {.items = NULL};
	struct error error = ERROR_NONE;
	bool differs = false;
	bool changed = false;

	prepare();
	ck_assert_int_eq(switch_step(file, &file->before, true, &differs, &error), 0);
	ck_assert(differs);
	assert_file("/etc/daemon.json", "{\"a\": 1, \"live-restore\": true}\n", 0640);
	/* A step is nobody's edit. */
	ck_assert_int_eq(switch_examine(&txn, &changed, &edited, &error), 0);
	ck_assert(changed);
	ck_assert_uint_eq(edited.count, 0);

	forward(1);
	assert_file("/etc/daemon.json", "{\"live-restore\": true}\n", 0640);
	ck_assert_int_eq(switch_step(file, &file->after, true, &differs, &error), 0);
	ck_assert(!differs);
	back();
	assert_file("/etc/daemon.json", "{\"a\": 1}\n", 0640);
	ck_assert_uint_eq(count_entries("/etc"), 1);
}
END_TEST

START_TEST(test_examine)
{
	cleanup_strlist struct strlist edited = {.items = NULL};
	struct error error = ERROR_NONE;
	bool changed = true;

	fill();
	prepare();
	ck_assert_int_eq(switch_examine(&txn, &changed, &edited, &error), 0);
	ck_assert(!changed);
	ck_assert_uint_eq(edited.count, 0);
	forward(1);
	write_file("/etc/removed", "by somebody\n", 0640);
	ck_assert_int_eq(switch_examine(&txn, &changed, &edited, &error), 0);
	ck_assert(changed);
	ck_assert_uint_eq(edited.count, 1);
	ck_assert_str_eq(edited.items[0], tree_path("/etc/removed"));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_forward,
		test_back_without_spare,
		test_folders_of_others_stay,
		test_prepare_fails,
		test_mode,
		test_step,
		test_examine,
	};
	Suite *suite = suite_create("switch");
	TCase *tcase = tcase_create("switch");

	tcase_add_checked_fixture(tcase, setup, teardown);
	for (size_t i = 0; i < array_size(tests); i++)
		tcase_add_test(tcase, tests[i]);
	tcase_add_loop_test(tcase, test_back, 0, 4);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}
