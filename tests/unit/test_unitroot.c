#include "tree.h"

#include "base/strbuf.h"
#include "host/unitroot.h"

#define ETC "/etc/systemd/system"
#define RUN "/run/systemd/system"
#define LIB "/usr/lib/systemd/system"

static struct facts read_unit(const char *unit)
{
	struct facts facts = FACTS_EMPTY;
	struct error error = ERROR_NONE;

	int r = unitroot_read(tree_root, unit, &facts.unit, &facts.unseen, &error);
	ck_assert_msg(r == 0, "%s: %s", error.path, error.text);
	return facts;
}

static void check_line(const struct facts *facts, const char *want)
{
	cleanup_strbuf struct strbuf line = STRBUF_EMPTY;

	for (size_t i = 0; i < facts->unit.exec_start.count; i++)
		(void)strbuf_addf(&line, "%s%s", i ? " " : "", facts->unit.exec_start.items[i]);
	ck_assert_str_eq(line.data ? line.data : "", want);
}

START_TEST(the_admin_s_unit_wins)
{
	tree_write(LIB "/docker.service", "[Service]\nExecStart=/bin/x lib\n");
	tree_write(ETC "/docker.service", "[Service]\nExecStart=/bin/x etc\n");
	struct facts facts = read_unit("docker.service");

	ck_assert_str_eq(facts.unit.load_state, "loaded");
	ck_assert_str_eq(facts.unit.fragment_path, ETC "/docker.service");
	check_line(&facts, "/bin/x etc");
	ck_assert(facts.unit.known);
	facts_done(&facts);
}
END_TEST

START_TEST(drop_ins_count_in_the_order_of_their_names)
{
	tree_write(LIB "/docker.service", "[Service]\nExecStart=/bin/x\n");
	tree_write(LIB "/docker.service.d/20.conf", "[Service]\nEnvironment=A=lib\n");
	tree_write(RUN "/docker.service.d/20.conf", "[Service]\nEnvironment=A=run\n");
	tree_write(ETC "/docker.service.d/10.conf", "[Service]\nEnvironment=A=etc B=etc\n");
	tree_write(ETC "/docker.service.d/30.txt", "[Service]\nEnvironment=A=no\n");
	tree_write(ETC "/service.d/20.conf", "[Service]\nEnvironment=A=service\n");
	tree_write(LIB "/service.d/25.conf", "[Service]\nEnvironment=C=service\n");
	struct facts facts = read_unit("docker.service");
	const struct strlist *paths = &facts.unit.dropin_paths;

	ck_assert_uint_eq(paths->count, 3);
	ck_assert_str_eq(paths->items[0], ETC "/docker.service.d/10.conf");
	ck_assert_str_eq(paths->items[1], RUN "/docker.service.d/20.conf");
	ck_assert_str_eq(paths->items[2], LIB "/service.d/25.conf");
	ck_assert_uint_eq(facts.unit.environment.count, 3);
	ck_assert_str_eq(facts.unit.environment.items[0], "A=run");
	ck_assert_uint_eq(facts.unit.text_count, 4);
	facts_done(&facts);
}
END_TEST

START_TEST(masks_take_away)
{
	tree_write(LIB "/docker.service", "[Service]\nExecStart=/bin/x\n");
	tree_write(LIB "/docker.service.d/20.conf", "[Service]\nEnvironment=A=lib\n");
	tree_folder(ETC "/docker.service.d");
	tree_link("/dev/null", ETC "/docker.service.d/20.conf");
	struct facts facts = read_unit("docker.service");

	ck_assert_uint_eq(facts.unit.dropin_paths.count, 0);
	ck_assert_uint_eq(facts.unit.environment.count, 0);
	facts_done(&facts);

	tree_link("/dev/null", ETC "/docker.service");
	facts = read_unit("docker.service");
	ck_assert_str_eq(facts.unit.load_state, "masked");
	ck_assert(!facts.unit.known);
	facts_done(&facts);
}
END_TEST

START_TEST(units_that_do_not_load)
{
	struct facts facts = read_unit("docker.service");

	ck_assert_str_eq(facts.unit.load_state, "not-found");
	ck_assert(!facts.unit.known);
	facts_done(&facts);

	tree_write(LIB "/docker.service", "[Service]\nExecStart=/bin/x a\nExecStart=/bin/x b\n");
	facts = read_unit("docker.service");
	ck_assert_str_eq(facts.unit.load_state, "bad-setting");
	ck_assert(!facts.unit.known);
	ck_assert_uint_eq(facts.unseen.count, 1);
	ck_assert_ptr_nonnull(strstr(facts.unseen.items[0], "more than one ExecStart="));
	facts_done(&facts);
}
END_TEST

START_TEST(environment_files_are_below_the_root)
{
	tree_write(LIB "/docker.service",
		   "[Service]\nExecStart=/bin/x $A\nEnvironmentFile=-/etc/default/docker\n"
		   "EnvironmentFile=-/etc/more/*\nEnvironmentFile=/etc/none\n");
	tree_write("/etc/default/docker", "A=1\n");
	tree_write("/etc/more/b", "B=2\n");
	tree_write("/etc/more/a", "B=1\n");
	struct facts facts = read_unit("docker.service");
	const struct environment_file *files = facts.unit.environment_files;

	ck_assert_uint_eq(facts.unit.environment_file_count, 4);
	ck_assert_str_eq(files[0].file.data, "A=1\n");
	ck_assert(files[0].optional);
	ck_assert_str_eq(files[1].file.data, "B=1\n");
	ck_assert_str_eq(files[2].file.data, "B=2\n");
	ck_assert_int_eq(files[3].file.state, FILE_ABSENT);
	ck_assert(!files[3].optional);
	facts_done(&facts);
}
END_TEST

START_TEST(specifiers_come_from_the_image)
{
	tree_write("/etc/hostname", "image.example.org\n");
	tree_write("/etc/machine-id", "0123456789abcdef0123456789abcdef\n");
	tree_write("/etc/os-release", "ID=debian\nVERSION_ID=\"13\"\n");
	tree_write("/usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-257.so", "");
	tree_write(LIB "/d@.service", "[Service]\nExecStart=/bin/x %H %l %m %o%w %i %b\n");
	struct facts facts = read_unit("d@y.service");

	check_line(&facts,
		   "/bin/x image.example.org image 0123456789abcdef0123456789abcdef debian13 y "
		   "%b");
	ck_assert_uint_eq(facts.unit.systemd_version, 257);
	facts_done(&facts);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		the_admin_s_unit_wins,
		drop_ins_count_in_the_order_of_their_names,
		masks_take_away,
		units_that_do_not_load,
		environment_files_are_below_the_root,
		specifiers_come_from_the_image,
		NULL,
	};

	return tree_main("unitroot", tests);
}
