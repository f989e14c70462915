#include "tree.h"

#include <errno.h>

#include "host/account.h"

static struct facts read_accounts(void)
{
	struct facts facts = FACTS_EMPTY;
	struct error error = ERROR_NONE;

	ck_assert_int_eq(account_read(tree_root, &facts, &error), 0);
	return facts;
}

static void tree_program(const char *name)
{
	tree_write(name, "#!/bin/sh\n");
	ck_assert_int_eq(chmod(tree_path(name), 0755), 0);
}

START_TEST(a_bare_tree_has_nothing)
{
	struct facts facts = read_accounts();

	ck_assert_int_eq(facts.dockremap_user, NO);
	ck_assert_int_eq(facts.dockremap_ranges, NO);
	ck_assert_int_eq(facts.can_add_user, NO);
}
END_TEST

START_TEST(the_user_and_both_ranges_count)
{
	tree_write("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\ndockremapper:x:7:7::/:/bin/sh\n");
	ck_assert_int_eq(read_accounts().dockremap_user, NO);

	tree_write("/etc/passwd",
		   "root:x:0:0:root:/root:/bin/sh\ndockremap:x:107:114::/:/bin/false");
	ck_assert_int_eq(read_accounts().dockremap_user, YES);
	ck_assert_int_eq(read_accounts().dockremap_ranges, NO);

	tree_write("/etc/subuid", "alice:100000:65536\ndockremap:165536:65536\n");
	ck_assert_int_eq(read_accounts().dockremap_ranges, NO);

	/* By number, as 20.10 and later read it. */
	tree_write("/etc/subgid", "107:165536:65536\n");
	ck_assert_int_eq(read_accounts().dockremap_ranges, YES);
}
END_TEST

START_TEST(broken_ranges_do_not_count)
{
	static const char *const broken[] = {
		"dockremap\n",          "dockremap:165536\n",
		"dockremap:x:65536\n",  "dockremap:165536:\n",
		"dockremap:165536:0\n", "dockremap:-1:65536\n",
		"#dockremap:1:1\n",     "dockremap:99999999999:65536\n",
	};

	tree_write("/etc/subgid", "dockremap:165536:65536\n");
	for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
		tree_write("/etc/subuid", broken[i]);
		ck_assert_msg(read_accounts().dockremap_ranges == NO, "%s", broken[i]);
	}
}
END_TEST

START_TEST(an_adduser_of_busybox_does_not_count)
{
	tree_program("/bin/busybox");
	tree_folder("/usr/sbin");
	tree_link("../../bin/busybox", "/usr/sbin/adduser");
	ck_assert_int_eq(read_accounts().can_add_user, NO);
	tree_program("/usr/sbin/useradd");
	ck_assert_int_eq(read_accounts().can_add_user, YES);
}
END_TEST

START_TEST(what_cannot_be_run_does_not_count)
{
	tree_write("/usr/sbin/useradd", "#!/bin/sh\n");
	ck_assert_int_eq(chmod(tree_path("/usr/sbin/useradd"), 0644), 0);
	ck_assert_int_eq(read_accounts().can_add_user, NO);
	tree_folder("/usr/bin/adduser");
	ck_assert_int_eq(read_accounts().can_add_user, NO);
}
END_TEST

/* dockerd takes the first in its path, and does not look further when that one is not real. */
START_TEST(the_first_in_the_path_decides)
{
	tree_program("/usr/sbin/useradd");
	tree_program("/usr/local/bin/mine");
	tree_link("mine", "/usr/local/bin/useradd");
	ck_assert_int_eq(read_accounts().can_add_user, NO);
}
END_TEST

START_TEST(owners_have_names_or_numbers)
{
	struct account_names names;

	tree_write("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nbroken line\n::0:\n");
	tree_write("/etc/group", "root:x:0:\ndocker:x:998:alice\n");
	ck_assert_int_eq(account_names_read(tree_root, &names, NULL), 0);
	char *known = account_owner(&names, 0, 998);
	char *unknown = account_owner(&names, 4294967294U, 12);
	ck_assert_str_eq(known, "root:docker");
	ck_assert_str_eq(unknown, "4294967294:12");
	free(known);
	free(unknown);
	account_names_done(&names);
}
END_TEST

START_TEST(users_are_found_by_number)
{
	char *name;
	char *home;

	tree_write("/etc/passwd", "alice:x:1000:1000:Alice,,,:/home/alice:/bin/sh\nbob:x:1001\n");
	ck_assert_int_eq(account_find_user(tree_root, 1000, &name, &home, NULL), 0);
	ck_assert_str_eq(name, "alice");
	ck_assert_str_eq(home, "/home/alice");
	free(name);
	free(home);
	ck_assert_int_eq(account_find_user(tree_root, 1001, &name, &home, NULL), 0);
	ck_assert_str_eq(name, "bob");
	ck_assert_str_eq(home, "");
	free(name);
	free(home);
	ck_assert_int_eq(account_find_user(tree_root, 1002, &name, &home, NULL), 0);
	ck_assert_ptr_null(name);
	ck_assert_ptr_null(home);
}
END_TEST

START_TEST(the_remapped_root_is_the_first_of_the_range)
{
	static const struct {
		const char *value;
		int result;
		uint64_t uid;
		uint64_t gid;
	} cases[] = {
		{"default", 0, 165536, 165537},
		{"dockremap", 0, 165536, 165537},
		{"alice", 0, 100000, 100001},
		{"alice:staff", 0, 100000, 100001},
		{"1000", 0, 100000, 100001},
		{"1000:1000", 0, 100000, 100001},
		{"root", 0, 0, 0},
		{"0", 0, 0, 0},
		{"bob", -ENOENT, 0, 0},
	};

	tree_write("/etc/passwd",
		   "root:x:0:0::/root:\nalice:x:1000:1000::/:\ndockremap:x:107:1::/:\n");
	tree_write("/etc/subuid", "alice:100000:65536\ndockremap:165536:65536\n");
	tree_write("/etc/subgid", "alice:100001:65536\ndockremap:165537:65536\n");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint64_t uid = 0;
		uint64_t gid = 0;
		int r = account_remapped_root(tree_root, cases[i].value, &uid, &gid, NULL);

		ck_assert_msg(r == cases[i].result, "%s: %d", cases[i].value, r);
		ck_assert_uint_eq(uid, cases[i].uid);
		ck_assert_uint_eq(gid, cases[i].gid);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_bare_tree_has_nothing,
		the_user_and_both_ranges_count,
		broken_ranges_do_not_count,
		an_adduser_of_busybox_does_not_count,
		what_cannot_be_run_does_not_count,
		the_first_in_the_path_decides,
		owners_have_names_or_numbers,
		users_are_found_by_number,
		the_remapped_root_is_the_first_of_the_range,
		NULL,
	};

	return tree_main("account", tests);
}
