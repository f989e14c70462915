#include "apply/stage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apply/tree.h"
#include "apply/writer.h"
#include "base/text.h"
#include "host/clock.h"
#include "host/file.h"

#define TABLE_SIZE_MAX ((size_t)16 * 1024 * 1024)

void stage_done(struct stage *stage)
{
	free(stage->data);
	stage->data = NULL;
}

/* ---- building ---- */

/* The folder itself, or the nearest one above it: dockerd will make the rest. */
static int nearest_folder(const char *path, char **ret, struct error *error)
{
	cleanup_free char *near = strdup(path);
	struct stat st;

	if (!near)
		return error_set_oom(error);
	while (stat(near, &st) < 0) {
		char *slash = strrchr(near, '/');
		if (errno != ENOENT || !slash)
			return error_set_errno(error, errno, "use data-root", near);
		slash[slash == near] = '\0';
	}
	if (!S_ISDIR(st.st_mode))
		return error_set_errno(error, ENOTDIR, "use data-root", near);
	*ret = realpath(near, NULL);
	return *ret ? 0 : error_set_errno(error, errno, "use data-root", near);
}

static int find_data(const struct rehearsal_script *script, char **ret, struct error *error)
{
	cleanup_free char *near = NULL;
	cleanup_strbuf struct strbuf path = STRBUF_EMPTY;

	if (script->data_root[0] != '/')
		return error_set(error, -EINVAL, "use data-root", script->data_root,
				 "it does not begin with a slash");
	int r = nearest_folder(script->data_root, &near, error);
	if (r < 0)
		return r;
	(void)strbuf_addf(&path, "%s/" REHEARSAL_DATA_NAME, strcmp(near, "/") == 0 ? "" : near);
	*ret = strbuf_finish(&path);
	return *ret ? 0 : error_set_oom(error);
}

/* Its mode is given whatever the umask. */
static int make_folder(const char *path, mode_t mode, struct error *error)
{
	if (mkdir(path, mode) < 0 || chmod(path, mode) < 0)
		return error_set_errno(error, errno, "create", path);
	return 0;
}

static int make_file(const char *path, const char *bytes, size_t length, mode_t mode,
		     struct error *error)
{
	cleanup_close int fd =
		open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0 || fchmod(fd, mode) < 0)
		return error_set_errno(error, errno, "create", path);
	while (length) {
		ssize_t written = write(fd, bytes, length);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return error_set_errno(error, errno, "write", path);
		bytes += written;
		length -= (size_t)written;
	}
	return 0;
}

/* The host's own; "" for one that is not there. */
static int read_table(enum account_table table, char **ret, struct error *error)
{
	cleanup_text_file struct text_file file = {.path = NULL};
	cleanup_strbuf struct strbuf path = STRBUF_EMPTY;

	if (strbuf_addf(&path, "/etc/%s", account_table_names[table]) < 0)
		return error_set_oom(error);
	int r = file_read(path.data, TABLE_SIZE_MAX, &file, error);
	if (r < 0)
		return r;
	*ret = file.data ? take_ptr(file.data) : strdup("");
	return *ret ? 0 : error_set_oom(error);
}

static int make_tables(const char *const texts[static ACCOUNT_TABLES], struct error *error)
{
	int r = make_folder(REHEARSAL_FOLDER "/etc", 0755, error);

	for (int i = 0; r == 0 && i < ACCOUNT_TABLES; i++) {
		cleanup_strbuf struct strbuf path = STRBUF_EMPTY;
		cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
		if (strbuf_addf(&path, REHEARSAL_FOLDER "/etc/%s", account_table_names[i]) < 0)
			return error_set_oom(error);
		r = rehearsal_account(texts, (enum account_table)i, &text, error);
		if (r == 0)
			r = make_file(path.data, text.data, text.length, 0644, error);
	}
	return r;
}

static int make_accounts(struct error *error)
{
	char *texts[ACCOUNT_TABLES] = {NULL};
	int r = 0;

	for (int i = 0; r == 0 && i < ACCOUNT_TABLES; i++)
		r = read_table((enum account_table)i, &texts[i], error);
	if (r == 0)
		r = make_tables((const char *const *)texts, error);
	for (int i = 0; i < ACCOUNT_TABLES; i++)
		free(texts[i]);
	return r;
}

/* A remapped root has to be able to go through them. */
static int make_all(const struct rehearsal_script *script, const char *data, bool *ret_data,
		    struct error *error)
{
	const struct strbuf *config = &script->config;
	int r = make_folder(data, 0711, error);

	*ret_data = r == -EROFS || r == -ENOTDIR;
	if (r == 0)
		r = make_folder(REHEARSAL_FOLDER, 0711, error);
	if (r == 0)
		r = make_folder(REHEARSAL_FOLDER "/api", 0700, error);
	if (r == 0)
		r = make_folder(REHEARSAL_DATA, 0711, error);
	if (r == 0)
		r = make_file(REHEARSAL_CONFIG, config->data ? config->data : "", config->length,
			      0600, error);
	return r == 0 && script->accounts ? make_accounts(error) : r;
}

/* systemd makes a folder to mount something at where there is none, and leaves it. */
static int mark(const struct store *store, const char *data, struct error *error)
{
	static const char *const points[] = {"/run/containerd", "/run/docker"};
	cleanup_strlist struct strlist folders = {.items = NULL};

	if (strlist_add(&folders, data) < 0 || strlist_add(&folders, REHEARSAL_FOLDER) < 0)
		return error_set_oom(error);
	for (size_t i = 0; i < array_size(points); i++)
		if (access(points[i], F_OK) < 0 && strlist_add(&folders, points[i]) < 0)
			return error_set_oom(error);
	return store_mark_rehearsal(store, &folders, error);
}

static int build(const struct store *store, const struct rehearsal_script *script,
		 struct stage *stage, bool *ret_data, struct error *error)
{
	int r = find_data(script, &stage->data, error);

	*ret_data = r == -ENOTDIR || r == -ELOOP;
	if (r < 0)
		return r;
	/* Both are nobody else's: one may have been out of reach when its mark went, as on a disk
	 * that was mounted late. */
	r = tree_discard(stage->data, error);
	if (r == 0)
		r = tree_discard(REHEARSAL_FOLDER, error);
	if (r == 0)
		r = mark(store, stage->data, error);
	return r < 0 ? r : make_all(script, stage->data, ret_data, error);
}

int stage_build(const struct store *store, const struct rehearsal_script *script, struct stage *ret,
		bool *ret_data, struct error *error)
{
	struct stage stage = {.data = NULL};
	int r = build(store, script, &stage, ret_data, error);

	if (r < 0)
		stage_done(&stage);
	else
		*ret = stage;
	return r;
}

/* ---- clearing ---- */

/* How long the last processes may take to be gone for good, once they are killed. */
#define GROUP_US 2000000
#define GROUP_STEP_US 10000

static int remove_empty(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)at;
	if (type == FTW_DP)
		(void)rmdir(path);
	return 0;
}

static bool remove_group(const char *path)
{
	(void)nftw(path, remove_empty, 8, FTW_DEPTH | FTW_PHYS);
	return access(path, F_OK) < 0;
}

/* systemd takes the slice's folder away when it stops it, but not while a killed process is still
 * in it. With its own cgroup driver dockerd makes more of them, in hierarchies of cgroup v1 that
 * systemd does not know of. */
static bool remove_groups(void)
{
	bool gone = remove_group("/sys/fs/cgroup/" REHEARSAL_SLICE);
	cleanup_closedir DIR *folder = opendir("/sys/fs/cgroup");
	const struct dirent *entry;

	while (folder && (entry = readdir(folder))) {
		cleanup_strbuf struct strbuf path = STRBUF_EMPTY;
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		if (strbuf_addf(&path, "/sys/fs/cgroup/%s/" REHEARSAL_SLICE, entry->d_name) == 0)
			gone = remove_group(path.data) && gone;
	}
	return gone;
}

/* One that stays has nothing in it that would run. */
static void clear_groups(const struct wait *wait)
{
	uint64_t end = clock_now_us() + GROUP_US;
	uint64_t now;

	while (!remove_groups() && (now = clock_now_us()) < end)
		if (wait_for(wait, -1, 0, now + GROUP_STEP_US) < 0)
			return;
}

/* The slice goes last and takes with it what started after the first blow. */
int stage_stop(struct manager *manager, const struct wait *wait, struct error *error)
{
	struct unit_moment moment;
	int r = manager_kill(manager, REHEARSAL_SLICE, SIGKILL, wait, error);

	if (r == 0)
		r = manager_unit(manager, REHEARSAL_SLICE, wait, &moment, error);
	if (r == 0 && strcmp(moment.active_state, "inactive") != 0)
		r = manager_run_job(manager, JOB_STOP, REHEARSAL_SLICE, wait, error);
	clear_groups(wait);
	if (r == 0)
		r = manager_reset_failed(manager, REHEARSAL_UNIT, wait, error);
	return r < 0 ? r : manager_reset_failed(manager, REHEARSAL_CONTROL_UNIT, wait, error);
}

/* Only what bears the rehearsal's own names is removed with all that is in it. */
static int remove_folder(const char *path, struct error *error)
{
	const char *name = strrchr(path, '/');

	if (strcmp(path, REHEARSAL_FOLDER) == 0 || text_equal(name, "/" REHEARSAL_DATA_NAME))
		return tree_discard(path, error);
	if (path[0] == '/')
		(void)rmdir(path);
	return 0;
}

int stage_clear(const struct store *store, struct manager *manager, const struct wait *wait,
		struct error *error)
{
	cleanup_strlist struct strlist folders = {.items = NULL};
	bool marked = false;
	int r = store_rehearsal(store, &folders, &marked, error);

	if (r < 0 || !marked)
		return r;
	if (manager)
		r = stage_stop(manager, wait, error);
	if (r == 0)
		r = remove_folder(REHEARSAL_FOLDER, error);
	for (size_t i = 0; r == 0 && i < folders.count; i++)
		r = remove_folder(folders.items[i], error);
	return r < 0 ? r : store_unmark_rehearsal(store, error);
}
