#include "tree.h"

#include "host/files.h"

static struct facts facts;

static void survey(const struct files_named *named)
{
	struct error error = ERROR_NONE;

	ck_assert_int_eq(files_read(tree_root, named, &facts, &error), 0);
}

static const struct file_facts missing = {.exists = UNKNOWN};

/* The n-th file with this role. */
static const struct file_facts *find(const char *role, unsigned n)
{
	for (size_t i = 0; i < facts.file_count; i++)
		if (strcmp(facts.files[i].role, role) == 0 && n-- == 0)
			return &facts.files[i];
	return &missing;
}

START_TEST(fixed_places_are_listed_though_absent)
{
	static const char *const roles[] = {"etc-docker", "default-docker", "sysconfig-docker",
					    "docker.sock", "containerd.sock"};

	facts = FACTS_EMPTY;
	survey(&(struct files_named){.config = NULL});
	for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
		ck_assert_ptr_ne(&missing, find(roles[i], 0));
		ck_assert_int_eq(find(roles[i], 0)->exists, NO);
	}
	ck_assert_ptr_eq(&missing, find("docker.service", 0));
	ck_assert_ptr_eq(&missing, find("docker.socket", 0));
	ck_assert_ptr_eq(&missing, find("tlskey", 0));
	ck_assert_uint_eq(facts.unseen.count, 0);
	facts_done(&facts);
}
END_TEST

START_TEST(owner_and_mode_are_read)
{
	facts = FACTS_EMPTY;
	tree_write("/etc/passwd", "root:x:0:0::/root:/bin/sh\n");
	tree_write("/etc/group", "root:x:0:\n");
	tree_write("/lib/systemd/system/docker.service", "");
	tree_write("/usr/lib/systemd/system/docker.socket", "");
	tree_write("/etc/systemd/system/docker.service.d/a.conf", "");
	tree_write("/srv/key.pem", "");
	ck_assert_int_eq(chmod(tree_path("/srv/key.pem"), 0400), 0);
	tree_folder("/etc/docker");
	ck_assert_int_eq(chmod(tree_path("/etc/docker"), 01751), 0);
	facts.unit.known = true;
	facts.unit.fragment_path = strdup("/lib/systemd/system/docker.service");
	ck_assert_int_eq(strlist_add(&facts.unit.dropin_paths,
				     "/etc/systemd/system/docker.service.d/a.conf"),
			 0);
	survey(&(struct files_named){.config = "/etc/docker/daemon.json",
				     .tlskey = "/srv/key.pem"});

	ck_assert_int_eq(find("docker.service", 0)->exists, YES);
	ck_assert_str_eq(find("docker.socket", 0)->path, "/usr/lib/systemd/system/docker.socket");
	ck_assert_int_eq(find("drop-in", 0)->exists, YES);
	ck_assert_uint_eq(find("etc-docker", 0)->mode, 01751);
	ck_assert_uint_eq(find("tlskey", 0)->mode, 0400);
	ck_assert_int_eq(find("daemon.json", 0)->exists, NO);
	if (geteuid() == 0)
		ck_assert_str_eq(find("tlskey", 0)->owner, "root:root");
	facts_done(&facts);
}
END_TEST

START_TEST(masked_units_are_no_files)
{
	facts = FACTS_EMPTY;
	tree_folder("/etc/systemd/system");
	tree_link("/dev/null", "/etc/systemd/system/docker.socket");
	tree_write("/usr/lib/systemd/system/docker.socket", "");
	facts.unit.fragment_path = strdup("/etc/systemd/system/docker.service");
	survey(&(struct files_named){.config = NULL});
	ck_assert_ptr_eq(&missing, find("docker.service", 0));
	ck_assert_ptr_eq(&missing, find("docker.socket", 0));
	facts_done(&facts);
}
END_TEST

START_TEST(certificates_of_all_registries_are_listed)
{
	facts = FACTS_EMPTY;
	tree_write("/etc/docker/certs.d/a:5000/ca.crt", "");
	tree_write("/etc/docker/certs.d/b/client.key", "");
	tree_write("/etc/docker/certs.d/b/client.cert", "");
	tree_write("/etc/docker/certs.d/stray", "");
	survey(&(struct files_named){.config = NULL});
	ck_assert_ptr_ne(&missing, find("certs.d", 2));
	ck_assert_ptr_eq(&missing, find("certs.d", 3));
	ck_assert_uint_eq(facts.unseen.count, 0);
	facts_done(&facts);
}
END_TEST

START_TEST(what_is_something_else_is_no_file)
{
	facts = FACTS_EMPTY;
	tree_folder("/etc/default");
	tree_link("/dev/null", "/etc/default/docker");
	tree_folder("/etc/sysconfig/docker");
	tree_write("/run/docker.sock", "");
	tree_write("/etc/docker", "");
	survey(&(struct files_named){.config = NULL});
	ck_assert_int_eq(find("default-docker", 0)->exists, NO);
	ck_assert_int_eq(find("sysconfig-docker", 0)->exists, NO);
	ck_assert_int_eq(find("docker.sock", 0)->exists, NO);
	ck_assert_int_eq(find("etc-docker", 0)->exists, NO);
	facts_done(&facts);
}
END_TEST

static bool has_path(const char *role, const char *path)
{
	for (size_t i = 0; i < facts.file_count; i++)
		if (strcmp(facts.files[i].role, role) == 0 &&
		    strcmp(facts.files[i].path, path) == 0)
			return facts.files[i].exists == YES;
	return false;
}

START_TEST(what_decides_as_much_is_listed_too)
{
	facts = FACTS_EMPTY;
	tree_write("/etc/docker/certs.d/a/ca.crt", "");
	tree_folder("/etc/docker/certs.d/a/folder");
	tree_write("/etc/systemd/system/docker.socket.d/a.conf", "");
	tree_write("/usr/lib/systemd/system/docker.socket.d/b.conf", "");
	tree_write("/usr/lib/systemd/system/docker.socket.d/README", "");
	tree_write("/etc/docker/env", "");
	tree_write("/etc/default/docker", "");
	facts.unit.environment_files = calloc(2, sizeof *facts.unit.environment_files);
	facts.unit.environment_file_count = 2;
	facts.unit.environment_files[0].file.path = strdup("/etc/default/docker");
	facts.unit.environment_files[1].file.path = strdup("/etc/docker/env");
	survey(&(struct files_named){.config = NULL});
	ck_assert(has_path("etc-docker", "/etc/docker/certs.d"));
	ck_assert(has_path("etc-docker", "/etc/docker/certs.d/a"));
	ck_assert(has_path("certs.d", "/etc/docker/certs.d/a/ca.crt"));
	ck_assert(!has_path("certs.d", "/etc/docker/certs.d/a/folder"));
	ck_assert(has_path("drop-in", "/etc/systemd/system/docker.socket.d/a.conf"));
	ck_assert(has_path("drop-in", "/usr/lib/systemd/system/docker.socket.d/b.conf"));
	ck_assert(!has_path("drop-in", "/usr/lib/systemd/system/docker.socket.d/README"));
	ck_assert(has_path("default-docker", "/etc/docker/env"));
	ck_assert(has_path("default-docker", "/etc/default/docker"));
	ck_assert_ptr_eq(&missing, find("default-docker", 2));
	facts_done(&facts);
}
END_TEST

START_TEST(what_is_not_permitted_is_one_sentence)
{
	facts = FACTS_EMPTY;
	tree_write("/etc/docker/daemon.json", "{}");
	tree_folder("/etc/docker/certs.d/a");
	ck_assert_int_eq(chmod(tree_path("/etc/docker"), 0), 0);
	ck_assert_int_eq(chmod(tree_root, 0755), 0);
	if (geteuid() == 0)
		ck_assert_int_eq(seteuid(65534), 0);
	survey(&(struct files_named){.config = "/etc/docker/daemon.json"});
	ck_assert_int_eq(find("daemon.json", 0)->exists, UNKNOWN);
	ck_assert_int_eq(find("etc-docker", 0)->exists, YES);
	ck_assert_uint_eq(facts.unseen.count, 1);
	ck_assert_str_eq(facts.unseen.items[0],
			 "/etc/docker/daemon.json, /etc/docker/certs.d: permission denied; run as "
			 "root to see owner and mode");
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(0), 0);
	ck_assert_int_eq(chmod(tree_path("/etc/docker"), 0755), 0);
	facts_done(&facts);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		fixed_places_are_listed_though_absent,
		owner_and_mode_are_read,
		masked_units_are_no_files,
		certificates_of_all_registries_are_listed,
		what_is_something_else_is_no_file,
		what_decides_as_much_is_listed_too,
		what_is_not_permitted_is_one_sentence,
		NULL,
	};

	return tree_main("files", tests);
}
