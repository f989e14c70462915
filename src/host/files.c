#include "host/files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/cleanup.h"
#include "base/strbuf.h"
#include "base/text.h"
#include "core/unitfile.h"
#include "host/account.h"
#include "host/file.h"

#define DEFAULT_DOCKER "/etc/default/docker"
#define SYSCONFIG_DOCKER "/etc/sysconfig/docker"
#define CERTS "/etc/docker/certs.d"
/* A registry has three files; more than this is not certificates. */
#define CERTS_MAX 4096

/* What is being filled, and with what. */
struct survey {
	const char *root;
	struct facts *facts;
	struct account_names names;
	struct strbuf hidden; /* "a, b": what may not be looked at */
	int result;           /* the first failure; later steps do nothing */
};

static struct file_facts *grow(struct facts *facts)
{
	struct file_facts *files = reallocarray(facts->files, facts->file_count + 1, sizeof *files);

	if (!files)
		return NULL;
	facts->files = files;
	return &files[facts->file_count];
}

static void hide(struct survey *survey, const char *path)
{
	if (survey->hidden.length)
		(void)strbuf_adds(&survey->hidden, ", ");
	if (strbuf_adds(&survey->hidden, path) < 0)
		survey->result = -ENOMEM;
}

/* What stands in its place and is something else, such as a link to /dev/null, is not that file. */
static bool is_of_role(const char *role, mode_t mode)
{
	if (strcmp(role, "docker.sock") == 0 || strcmp(role, "containerd.sock") == 0)
		return S_ISSOCK(mode);
	return strcmp(role, "etc-docker") == 0 ? S_ISDIR(mode) : S_ISREG(mode);
}

/* Of what nobody would want to change that is not asked. */
static bool is_fixed(const char *path, const struct stat *st)
{
	struct statvfs vfs;

	return (st->st_uid || st->st_gid || st->st_mode & 0222) && statvfs(path, &vfs) == 0 &&
	       vfs.f_flag & ST_RDONLY;
}

static int describe(struct survey *survey, struct file_facts *file)
{
	cleanup_free char *full = file_under(survey->root, file->path);
	struct stat st;

	if (!full)
		return -ENOMEM;
	if (stat(full, &st) < 0) {
		file->exists = errno == ENOENT || errno == ENOTDIR ? NO : UNKNOWN;
		if (file->exists == UNKNOWN)
			hide(survey, file->path);
		return 0;
	}
	if (!is_of_role(file->role, st.st_mode)) {
		file->exists = NO;
		return 0;
	}
	file->exists = YES;
	file->fixed = is_fixed(full, &st);
	file->uid = st.st_uid;
	file->gid = st.st_gid;
	file->mode = st.st_mode & 07777;
	file->owner = account_owner(&survey->names, st.st_uid, st.st_gid);
	return file->owner ? 0 : -ENOMEM;
}

/* Adds a file; without a path there is nothing to add. */
static void add(struct survey *survey, const char *role, const char *path)
{
	if (survey->result < 0 || !path)
		return;

	struct file_facts *file = grow(survey->facts);
	if (!file) {
		survey->result = -ENOMEM;
		return;
	}
	*file = (struct file_facts){.role = role, .path = strdup(path), .exists = UNKNOWN};
	survey->result = file->path ? describe(survey, file) : -ENOMEM;
	if (survey->result < 0)
		free(file->path);
	else
		survey->facts->file_count++;
}

/* The first place where systemd finds a unit file; packages put it into the last two. */
static void add_socket_unit(struct survey *survey)
{
	static const char *const paths[] = {
		"/etc/systemd/system/docker.socket",
		"/run/systemd/system/docker.socket",
		"/usr/local/lib/systemd/system/docker.socket",
		"/usr/lib/systemd/system/docker.socket",
		"/lib/systemd/system/docker.socket",
	};

	for (size_t i = 0; i < array_size(paths) && survey->result == 0; i++) {
		cleanup_free char *full = file_under(survey->root, paths[i]);
		struct stat st;

		if (!full)
			survey->result = -ENOMEM;
		else if (stat(full, &st) == 0) {
			/* A masked unit is a link to /dev/null. */
			if (S_ISREG(st.st_mode))
				add(survey, "docker.socket", paths[i]);
			return;
		}
	}
}

/* Calls on_entry for each entry of a folder. A folder that is not there has none. */
static void walk(struct survey *survey, const char *path,
		 void (*on_entry)(struct survey *survey, const char *path))
{
	cleanup_free char *full = file_under(survey->root, path);
	cleanup_closedir DIR *folder = full ? opendir(full) : NULL;
	const struct dirent *entry;

	if (!full)
		survey->result = -ENOMEM;
	else if (!folder && errno != ENOENT && errno != ENOTDIR)
		hide(survey, path);
	while (folder && survey->result == 0 && (entry = readdir(folder))) {
		cleanup_strbuf struct strbuf child = STRBUF_EMPTY;

		if (entry->d_name[0] == '.' || survey->facts->file_count > CERTS_MAX)
			continue;
		if (strbuf_addf(&child, "%s/%s", path, entry->d_name) < 0)
			survey->result = -ENOMEM;
		else
			on_entry(survey, child.data);
	}
}

static bool has_folder(struct survey *survey, const char *path)
{
	cleanup_free char *full = file_under(survey->root, path);
	struct stat st;

	if (!full)
		survey->result = -ENOMEM;
	return full && stat(full, &st) == 0 && S_ISDIR(st.st_mode);
}

static void add_certificate(struct survey *survey, const char *path)
{
	add(survey, "certs.d", path);
}

/* certs.d has a folder for each registry, in which nobody else may put another certificate. */
static void add_registry(struct survey *survey, const char *path)
{
	if (has_folder(survey, path))
		add(survey, "etc-docker", path);
	walk(survey, path, add_certificate);
}

static void add_dropin(struct survey *survey, const char *path)
{
	if (text_ends_with(path, ".conf"))
		add(survey, "drop-in", path);
}

/* Those of the service are known from systemd. */
static void add_socket_dropins(struct survey *survey)
{
	for (size_t i = 0; i < unit_folder_count && survey->result == 0; i++) {
		cleanup_strbuf struct strbuf folder = STRBUF_EMPTY;
		if (strbuf_addf(&folder, "%s/docker.socket.d", unit_folders[i]) < 0)
			survey->result = -ENOMEM;
		else
			walk(survey, folder.data, add_dropin);
	}
}

/* The unit may have others than the two that CIS names; they decide as much. */
static void add_environment(struct survey *survey)
{
	const struct unit_facts *unit = &survey->facts->unit;

	for (size_t i = 0; i < unit->environment_file_count; i++) {
		const char *path = unit->environment_files[i].file.path;
		if (strcmp(path, DEFAULT_DOCKER) != 0 && strcmp(path, SYSCONFIG_DOCKER) != 0)
			add(survey, "default-docker", path);
	}
}

static void add_all(struct survey *survey, const struct files_named *named)
{
	const struct unit_facts *unit = &survey->facts->unit;

	add(survey, "docker.service", unit->known ? unit->fragment_path : NULL);
	add_socket_unit(survey);
	for (size_t i = 0; i < unit->dropin_paths.count; i++)
		add(survey, "drop-in", unit->dropin_paths.items[i]);
	add_socket_dropins(survey);
	add(survey, "etc-docker", "/etc/docker");
	add(survey, "daemon.json", named->config);
	add(survey, "default-docker", DEFAULT_DOCKER);
	add(survey, "sysconfig-docker", SYSCONFIG_DOCKER);
	add_environment(survey);
	if (has_folder(survey, CERTS))
		add(survey, "etc-docker", CERTS);
	walk(survey, CERTS, add_registry);
	add(survey, "tlscacert", named->tlscacert);
	add(survey, "tlscert", named->tlscert);
	add(survey, "tlskey", named->tlskey);
	add(survey, "docker.sock", named->socket ? named->socket : "/run/docker.sock");
	add(survey, "containerd.sock", "/run/containerd/containerd.sock");
}

static void survey_done(struct survey *survey)
{
	account_names_done(&survey->names);
	strbuf_done(&survey->hidden);
}

int files_read(const char *root, const struct files_named *named, struct facts *facts,
	       struct error *error)
{
	scoped(survey_done) struct survey survey = {.root = root, .facts = facts};

	int r = account_names_read(root, &survey.names, error);
	if (r < 0)
		return r;
	add_all(&survey, named);
	if (survey.result == 0 && survey.hidden.length)
		survey.result = strlist_addf(
			&facts->unseen, "%s: permission denied; run as root to see owner and mode",
			survey.hidden.data);
	return survey.result < 0 ? error_set_oom(error) : 0;
}
