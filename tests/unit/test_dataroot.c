#include "tree.h"

#include "host/dataroot.h"

#define IMAGE(driver, n) "/d/image/" driver "/imagedb/content/sha256/" n

static struct strlist unseen;
static enum tristate swarm;
static struct data_root_facts facts;

static void release(void)
{
	free(facts.path);
	strlist_done(&facts.drivers);
	strlist_done(&unseen);
	facts = (struct data_root_facts){.path = NULL};
}

static void read_root(const char *userns_remap)
{
	struct error error = ERROR_NONE;

	release();
	ck_assert_int_eq(
		dataroot_read(tree_root, "/d", userns_remap, &facts, &swarm, &unseen, &error), 0);
	ck_assert_int_eq(error.code, 0);
	ck_assert(facts.from_disk);
}

static void check_counts(int images, int containers, int volumes)
{
	ck_assert_int_eq(facts.images, images);
	ck_assert_int_eq(facts.containers, containers);
	ck_assert_int_eq(facts.volumes, volumes);
}

START_TEST(no_data_root_holds_nothing)
{
	read_root(NULL);

	check_counts(0, 0, 0);
	ck_assert_int_eq(facts.containers_running, 0);
	ck_assert_int_eq(swarm, NO);
	ck_assert_str_eq(facts.path, "/d");
	ck_assert_uint_eq(unseen.count, 0);
	release();
}
END_TEST

START_TEST(everything_is_counted)
{
	tree_write(IMAGE("overlay2", "aa"), "{}");
	tree_write(IMAGE("overlay2", "bb"), "{}");
	tree_write(IMAGE("vfs", "cc"), "{}");
	tree_folder("/d/containers/c1");
	tree_folder("/d/volumes/v1");
	tree_folder("/d/volumes/v2");
	tree_write("/d/volumes/metadata.db", "");
	tree_write("/d/volumes/backingFsBlockDev", "");
	tree_folder("/d/overlay2/l");
	tree_folder("/d/vfs/dir");
	tree_folder("/d/btrfs");
	tree_folder("/d/swarm");
	tree_folder("/run/docker/runtime-runc/moby/c1");
	tree_folder("/run/docker/runtime-runc/moby-100000.100000/c2");
	tree_folder("/run/docker/runtime-runc/plugins.moby/p1");

	read_root("");
	check_counts(3, 1, 2);
	ck_assert_int_eq(facts.containers_running, 2);
	ck_assert_uint_eq(facts.drivers.count, 2);
	ck_assert_str_eq(facts.drivers.items[0], "overlay2");
	ck_assert_str_eq(facts.drivers.items[1], "vfs");
	ck_assert_int_eq(swarm, NO);

	tree_write("/d/swarm/docker-state.json", "{}");
	read_root("");
	ck_assert_int_eq(swarm, YES);
	release();
}
END_TEST

START_TEST(remapped_data_lies_in_a_folder_of_its_own)
{
	tree_write(IMAGE("overlay2", "outside"), "{}");
	tree_folder("/d/200000.200000/containers/c1");
	tree_folder("/d/200000.200000/overlay2/l");

	/* The only one of that form. */
	read_root("default");
	check_counts(0, 1, 0);
	ck_assert_str_eq(facts.path, "/d/200000.200000");
	ck_assert_uint_eq(facts.drivers.count, 1);

	/* Several: /etc/subuid says which. */
	tree_folder("/d/100000.100000/volumes/v1");
	read_root("default");
	check_counts(-1, -1, -1);
	ck_assert_int_eq(swarm, UNKNOWN);
	ck_assert_uint_eq(unseen.count, 1);

	tree_write("/etc/subuid", "dockremap:100000:65536\n");
	tree_write("/etc/subgid", "dockremap:100000:65536\n");
	read_root("default");
	check_counts(0, 0, 1);
	ck_assert_str_eq(facts.path, "/d/100000.100000");

	/* And off means all that is outside. */
	read_root(NULL);
	check_counts(1, 0, 0);
	release();
}
END_TEST

START_TEST(a_remapped_root_that_was_never_used_holds_nothing)
{
	tree_write(IMAGE("overlay2", "outside"), "{}");
	tree_folder("/d/1.2.3");
	tree_folder("/d/x.1");
	read_root("default");
	check_counts(0, 0, 0);

	/* One of another user is not it. */
	tree_folder("/d/200000.200000/containers/c1");
	tree_write("/etc/subuid", "dockremap:100000:65536\n");
	tree_write("/etc/subgid", "dockremap:100000:65536\n");
	read_root("default");
	check_counts(0, 0, 0);
	release();
}
END_TEST

START_TEST(what_is_not_permitted_stays_unknown)
{
	tree_folder("/d/containers/c1");
	ck_assert_int_eq(chmod(tree_path("/d"), 0), 0);
	ck_assert_int_eq(chmod(tree_root, 0755), 0);
	if (geteuid() == 0)
		ck_assert_int_eq(seteuid(65534), 0);
	read_root(NULL);
	check_counts(-1, -1, -1);
	ck_assert_int_eq(swarm, UNKNOWN);
	ck_assert_uint_eq(unseen.count, 1);
	ck_assert_str_eq(unseen.items[0],
			 "/d: permission denied; run as root to see what it holds");
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(0), 0);
	ck_assert_int_eq(chmod(tree_path("/d"), 0755), 0);
	release();
}
END_TEST

START_TEST(a_file_system_is_judged_by_its_kind)
{
	ck_assert_int_eq(dataroot_overlay2_possible("", "/dev/shm"), YES);
	ck_assert_int_eq(dataroot_overlay2_possible("", "/dev/shm/not/yet/there"), YES);
	ck_assert_int_eq(dataroot_overlay2_possible("", "/proc/not/there"), UNKNOWN);
	ck_assert_int_eq(dataroot_overlay2_possible("", "/not-there"),
			 dataroot_overlay2_possible("", "/"));
}
END_TEST

START_TEST(the_image_store_follows_the_version)
{
	char *overlay2[] = {(char[]){"overlay2"}};
	char *vfs[] = {(char[]){"vfs"}};
	const struct strlist none = {.items = NULL};
	const struct strlist prior = {overlay2, 1};
	const struct strlist only_vfs = {vfs, 1};
	const struct {
		struct image_store_question question;
		enum tristate answer;
	} cases[] = {
		{{{20, 10, 24}, YES, NULL, false, &none}, NO},
		{{{26, 1, 5}, UNKNOWN, NULL, false, &none}, NO},
		{{{26, 1, 5}, YES, NULL, false, &prior}, YES},
		{{{29, 0, 1}, UNKNOWN, NULL, false, &none}, YES},
		{{{29, 0, 1}, UNKNOWN, "overlayfs", false, &none}, YES},
		{{{29, 0, 1}, UNKNOWN, "overlay2", false, &none}, NO},
		{{{29, 0, 1}, UNKNOWN, NULL, false, &prior}, NO},
		{{{29, 0, 1}, UNKNOWN, NULL, false, &only_vfs}, YES},
		{{{29, 0, 1}, NO, NULL, false, &none}, NO},
		{{{29, 0, 1}, YES, NULL, false, &prior}, YES},
		{{{29, 0, 1}, UNKNOWN, NULL, true, &none}, NO},
		{{{0, 0, 0}, UNKNOWN, NULL, false, &none}, UNKNOWN},
		{{{0, 0, 0}, UNKNOWN, NULL, false, &prior}, NO},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		ck_assert_msg(dataroot_image_store(&cases[i].question) == cases[i].answer,
			      "case %zu", i);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		no_data_root_holds_nothing,
		everything_is_counted,
		remapped_data_lies_in_a_folder_of_its_own,
		a_remapped_root_that_was_never_used_holds_nothing,
		what_is_not_permitted_stays_unknown,
		a_file_system_is_judged_by_its_kind,
		the_image_store_follows_the_version,
		NULL,
	};

	return tree_main("dataroot", tests);
}
