#include "tree.h"

#include "host/install.h"

static char unit_name[100];
static struct unit_facts unit;
static struct process_facts process;

static char *recognise(const struct install_clues *clues, enum install_kind *kind)
{
	struct install_clues all = *clues;
	struct error error = ERROR_NONE;
	char *note = NULL;

	all.unit = &unit;
	all.process = &process;
	ck_assert_int_eq(install_recognise(tree_root, &all, kind, &note, &error), 0);
	return note;
}

static void check(const struct install_clues *clues, enum install_kind wanted, const char *part)
{
	enum install_kind kind;
	char *note = recognise(clues, &kind);

	ck_assert_int_eq(kind, wanted);
	if (part)
		ck_assert_msg(note && strstr(note, part) != NULL, "%s", note);
	else
		ck_assert_ptr_null(note);
	free(note);
}

static void have_unit(const char *name)
{
	(void)snprintf(unit_name, sizeof unit_name, "%s", name);
	unit = (struct unit_facts){.known = true, .name = unit_name};
}

START_TEST(a_package_needs_no_note)
{
	check(&(struct install_clues){.dockerd_found = true}, INSTALL_PACKAGE, NULL);
	have_unit("docker.service");
	check(&(struct install_clues){.dockerd_found = true}, INSTALL_PACKAGE, NULL);
	/* Nothing at all is no snap either. */
	unit = (struct unit_facts){.known = false};
	check(&(struct install_clues){.dockerd_found = false}, INSTALL_PACKAGE, NULL);
}
END_TEST

START_TEST(a_snap_is_known_by_its_files_unit_or_process)
{
	static char *argv[] = {NULL};
	char program[] = "/snap/docker/2915/bin/dockerd";

	have_unit("snap.docker.dockerd.service");
	check(&(struct install_clues){.dockerd_found = true}, INSTALL_SNAP, "/var/snap/docker");

	unit = (struct unit_facts){.known = false};
	tree_write("/var/snap/docker/current/config/daemon.json", "{}");
	check(&(struct install_clues){.dockerd_found = false}, INSTALL_SNAP, "snap.docker.dockerd");
	/* Beside a package it is only a left-over. */
	check(&(struct install_clues){.dockerd_found = true}, INSTALL_PACKAGE, NULL);

	argv[0] = program;
	process = (struct process_facts){.pid = 5, .argv = {argv, 1}};
	check(&(struct install_clues){.dockerd_found = true}, INSTALL_SNAP, "snap");
}
END_TEST

START_TEST(a_rootless_daemon_is_known_by_its_process_or_host)
{
	tree_write("/etc/passwd", "alice:x:1000:1000::/home/alice:/bin/sh\n");
	check(&(struct install_clues){.dockerd_found = true,
				      .rootless_runs = true,
				      .rootless_uid = 1000},
	      INSTALL_ROOTLESS, "/home/alice/.config/docker/daemon.json");
	check(&(struct install_clues){.docker_host = "unix:///run/user/1000/docker.sock"},
	      INSTALL_ROOTLESS, "user alice");
	check(&(struct install_clues){.docker_host = "unix:///run/user/1001/docker.sock"},
	      INSTALL_ROOTLESS, "user 1001");
	check(&(struct install_clues){.docker_host = "unix:///run/docker.sock"}, INSTALL_PACKAGE,
	      NULL);
	check(&(struct install_clues){.docker_host = "unix:///run/user/x/docker.sock"},
	      INSTALL_PACKAGE, NULL);
	check(&(struct install_clues){.docker_host = "tcp://10.0.0.1:2376"}, INSTALL_PACKAGE, NULL);
}
END_TEST

START_TEST(beside_a_system_daemon_rootless_is_only_noted)
{
	have_unit("docker.service");
	check(&(struct install_clues){.rootless_runs = true, .rootless_uid = 1000}, INSTALL_PACKAGE,
	      "Beside the system's daemon");
}
END_TEST

START_TEST(dockerd_is_found)
{
	char *path;

	ck_assert_int_eq(install_find_dockerd(tree_root, NULL, &path, NULL), 0);
	ck_assert_ptr_null(path);
	tree_write("/usr/local/bin/dockerd", "");
	ck_assert_int_eq(install_find_dockerd(tree_root, "/opt/dockerd", &path, NULL), 0);
	ck_assert_str_eq(path, "/usr/local/bin/dockerd");
	free(path);
	tree_write("/opt/dockerd", "");
	ck_assert_int_eq(install_find_dockerd(tree_root, "/opt/dockerd", &path, NULL), 0);
	ck_assert_str_eq(path, "/opt/dockerd");
	free(path);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_package_needs_no_note,
		a_snap_is_known_by_its_files_unit_or_process,
		a_rootless_daemon_is_known_by_its_process_or_host,
		beside_a_system_daemon_rootless_is_only_noted,
		dockerd_is_found,
		NULL,
	};

	return tree_main("install", tests);
}
