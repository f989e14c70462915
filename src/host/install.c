#include "host/install.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "host/account.h"

#define SNAP_UNIT "snap.docker.dockerd.service"
#define SNAP_CONFIG "/var/snap/docker/current/config/daemon.json"
#define USER_SOCKETS "unix:///run/user/"

static bool exists(const char *root, const char *path)
{
	char full[PATH_MAX];

	(void)snprintf(full, sizeof full, "%s%s", root, path);
	return access(full, F_OK) == 0;
}

int install_find_dockerd(const char *root, const char *unit_path, char **ret_path,
			 struct error *error)
{
	const char *const candidates[] = {unit_path, "/usr/bin/dockerd", "/usr/sbin/dockerd",
					  "/usr/local/bin/dockerd"};

	for (size_t i = 0; i < array_size(candidates); i++) {
		if (!candidates[i] || !exists(root, candidates[i]))
			continue;
		char *path = strdup(candidates[i]);
		if (!path)
			return error_set_oom(error);
		*ret_path = path;
		return 0;
	}
	*ret_path = NULL;
	return 0;
}

static bool is_snap(const char *root, const struct install_clues *clues)
{
	const struct strlist *argv = &clues->process->argv;

	if (argv->count && text_starts_with(argv->items[0], "/snap/docker/"))
		return true;
	if (clues->unit->known)
		return strcmp(clues->unit->name, SNAP_UNIT) == 0;
	return !clues->dockerd_found &&
	       (exists(root, "/snap/bin/docker") || exists(root, SNAP_CONFIG));
}

static int note_snap(char **ret, struct error *error)
{
	*ret = strdup("Docker is installed as a snap (unit " SNAP_UNIT "). It reads " SNAP_CONFIG
		      ", and its confinement keeps it from /etc/docker.");
	return *ret ? 0 : error_set_oom(error);
}

/* $DOCKER_HOST of a rootless daemon names its user. */
static bool host_of_user(const char *docker_host, uid_t *ret)
{
	if (!docker_host || !text_starts_with(docker_host, USER_SOCKETS))
		return false;

	char *end;
	unsigned long uid = strtoul(docker_host + strlen(USER_SOCKETS), &end, 10);
	if (*end != '/' || uid == 0 || uid >= UINT32_MAX)
		return false;
	*ret = (uid_t)uid;
	return true;
}

static int note_rootless(const char *root, uid_t uid, const char *beginning, char **ret,
			 struct error *error)
{
	cleanup_strbuf struct strbuf note = STRBUF_EMPTY;
	cleanup_free char *name = NULL;
	cleanup_free char *home = NULL;

	int r = account_find_user(root, uid, &name, &home, error);
	if (r < 0)
		return r;
	(void)strbuf_addf(&note, "%s rootless for the user ", beginning);
	if (name)
		(void)strbuf_adds(&note, name);
	else
		(void)strbuf_addf(&note, "%ju", (uintmax_t)uid);
	(void)strbuf_addf(&note,
			  ". That daemon reads %s/.config/docker/daemon.json, is a service of the "
			  "user's own systemd (systemctl --user status docker), and listens at "
			  "/run/user/%ju/docker.sock.",
			  home ? home : "~", (uintmax_t)uid);
	*ret = strbuf_finish(&note);
	return *ret ? 0 : error_set_oom(error);
}

int install_recognise(const char *root, const struct install_clues *clues,
		      enum install_kind *ret_kind, char **ret_note, struct error *error)
{
	uid_t uid = clues->rootless_uid;
	bool rootless = clues->rootless_runs || host_of_user(clues->docker_host, &uid);
	/* The rootless daemon is the same binary, so that alone says nothing. */
	bool system = clues->unit->known || clues->process->pid;
	char *note = NULL;
	int r = 0;

	*ret_kind = INSTALL_PACKAGE;
	if (is_snap(root, clues)) {
		*ret_kind = INSTALL_SNAP;
		r = note_snap(&note, error);
	} else if (rootless && !system) {
		*ret_kind = INSTALL_ROOTLESS;
		r = note_rootless(root, uid, "Docker runs", &note, error);
	} else if (rootless) {
		r = note_rootless(root, uid, "Beside the system's daemon, Docker also runs", &note,
				  error);
	}
	if (r < 0)
		return r;
	*ret_note = note;
	return 0;
}
