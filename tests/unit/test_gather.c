#include "tree.h"

#include <errno.h>

#include "host/gather.h"

/* Whatever this machine is: only what the options decide is looked at here. Real hosts are for the
 * tests under tests/host. */
static int gather_with_config(const char *name, struct facts *facts, struct error *error)
{
	const struct gather_options options = {
		.unit = "harden-test-no-such.service",
		.config_file = tree_path(name),
		.docker_version = "20.10.24",
		.timeout_seconds = 1,
	};

	*error = ERROR_NONE;
	return gather_facts(&options, facts, error);
}

START_TEST(a_config_of_the_wrong_kind_is_an_error)
{
	struct error error;
	struct facts facts;

	tree_folder("/folder");
	ck_assert_int_eq(gather_with_config("/folder", &facts, &error), -EISDIR);
	ck_assert_str_eq(error.path, tree_path("/folder"));
	ck_assert_int_eq(mkfifo(tree_path("/fifo"), 0600), 0);
	ck_assert_int_eq(gather_with_config("/fifo", &facts, &error), -EINVAL);
	tree_write("/huge", "");
	ck_assert_int_eq(truncate(tree_path("/huge"), (off_t)1 << 30), 0);
	ck_assert_int_eq(gather_with_config("/huge", &facts, &error), -EFBIG);
	tree_link("loop", "/loop");
	ck_assert_int_eq(gather_with_config("/loop", &facts, &error), -ELOOP);
}
END_TEST

START_TEST(a_config_is_read_and_its_mistakes_are_left_to_others)
{
	static const char *const texts[] = {"{\"icc\": false}", "{,}", "[]", "", "\xff\xfe{\0}"};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct error error;
		struct facts facts;

		tree_write("/daemon.json", texts[i]);
		ck_assert_int_eq(gather_with_config("/daemon.json", &facts, &error), 0);
		ck_assert_int_eq(facts.config.state, FILE_READ);
		ck_assert_str_eq(facts.config.data, texts[i]);
		ck_assert_str_eq(facts.config.path, tree_path("/daemon.json"));
		ck_assert_uint_eq(strlen(facts.today), strlen("YYYY-MM-DD"));
		ck_assert_ptr_nonnull(facts.hostname);
		ck_assert_int_eq(facts.as_root, geteuid() == 0);
		facts_done(&facts);
	}
}
END_TEST

START_TEST(files_named_in_the_config_are_looked_at)
{
	struct error error;
	struct facts facts;
	char text[2 * PATH_MAX];
	const struct file_facts *key = NULL;

	tree_write("/key.pem", "");
	ck_assert_int_eq(chmod(tree_path("/key.pem"), 0400), 0);
	(void)snprintf(text, sizeof text, "{\"tlskey\": \"%s\"}", tree_path("/key.pem"));
	tree_write("/daemon.json", text);
	ck_assert_int_eq(gather_with_config("/daemon.json", &facts, &error), 0);
	for (size_t i = 0; i < facts.file_count; i++)
		if (strcmp(facts.files[i].role, "tlskey") == 0)
			key = &facts.files[i];
	ck_assert_ptr_nonnull(key);
	ck_assert_int_eq(key->exists, YES);
	ck_assert_uint_eq(key->mode, 0400);
	facts_done(&facts);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_config_of_the_wrong_kind_is_an_error,
		a_config_is_read_and_its_mistakes_are_left_to_others,
		files_named_in_the_config_are_looked_at,
		NULL,
	};

	return tree_main("gather", tests);
}
