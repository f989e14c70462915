#include "tree.h"

#include <errno.h>

#include "host/clock.h"
#include "host/version.h"

START_TEST(a_server_header_names_the_version)
{
	static const char *const cases[][2] = {
		{"Docker/20.10.24+dfsg1 (linux)", "20.10.24+dfsg1"},
		{"Docker/29.0.0-rc.1", "29.0.0-rc.1"},
		{"Docker/ (linux)", NULL},
		{"Libpod/5.4.2 (linux)", NULL},
		{"", NULL},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *version;

		ck_assert_int_eq(version_from_server(cases[i][0], &version, NULL), 0);
		ck_assert_pstr_eq(version, cases[i][1]);
		free(version);
	}
}
END_TEST

/* What a script in place of dockerd makes of it. */
static int ask(const char *script, unsigned ms, char **ret, struct error *error)
{
	tree_write("/dockerd", script);
	ck_assert_int_eq(chmod(tree_path("/dockerd"), 0755), 0);
	*ret = NULL;
	*error = ERROR_NONE;
	return version_ask(tree_path("/dockerd"), clock_now_us() + ms * 1000, ret, error);
}

START_TEST(a_binary_is_asked)
{
	struct error error;
	char *version;

	ck_assert_int_eq(ask("#!/bin/sh\n[ \"$*\" = --version ] && echo oops >&2 &&\n"
			     "echo 'Docker version 26.1.5+dfsg1, build a72d7cd'\n",
			     60000, &version, &error),
			 0);
	ck_assert_str_eq(version, "26.1.5+dfsg1");
	free(version);
}
END_TEST

START_TEST(a_binary_gets_a_bare_environment_and_no_input)
{
	struct error error;
	char *version;

	ck_assert_int_eq(setenv("DOCKER_HOST", "tcp://example.org", 1), 0);
	ck_assert_int_eq(ask("#!/bin/sh\nread x && exit\n"
			     "echo \"Docker version ${DOCKER_HOST-1.2.3}, build x\"\n",
			     60000, &version, &error),
			 0);
	ck_assert_str_eq(version, "1.2.3");
	free(version);
}
END_TEST

START_TEST(bad_binaries_end_in_a_sentence)
{
	struct error error;
	char *version;

	ck_assert_int_eq(ask("#!/bin/sh\necho hello\n", 60000, &version, &error), -EBADMSG);
	ck_assert_ptr_nonnull(strstr(error.text, "no version"));
	ck_assert_int_eq(ask("#!/bin/sh\nexit 1\n", 60000, &version, &error), -EBADMSG);
	/* -ENOENT; under valgrind posix_spawn() does not learn of a failed exec. */
	ck_assert_int_lt(ask("#!/nowhere\n", 60000, &version, &error), 0);
	ck_assert_int_eq(ask("#!/bin/sh\nexec sleep 1000\n", 30, &version, &error), -ETIMEDOUT);
	ck_assert_ptr_nonnull(strstr(error.text, "in time"));
	/* Closing the output is not ending. */
	ck_assert_int_eq(ask("#!/bin/sh\nexec sleep 1000 >&-\n", 2000, &version, &error), -EBADMSG);
	ck_assert_int_eq(ask("#!/bin/sh\nexec yes\n", 60000, &version, &error), -EMSGSIZE);
	ck_assert_ptr_null(version);
	ck_assert_str_eq(error.path, tree_path("/dockerd"));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_server_header_names_the_version,
		a_binary_is_asked,
		a_binary_gets_a_bare_environment_and_no_input,
		bad_binaries_end_in_a_sentence,
		NULL,
	};

	return tree_main("version", tests);
}
