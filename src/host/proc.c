#include "host/proc.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <linux/capability.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "host/file.h"

/* Files of /proc about a process: the longest is a command line, which ARG_MAX bounds. */
#define PROC_SIZE_MAX ((size_t)4 * 1024 * 1024)
/* modules.dep of a distribution's kernel has about 600 kB. */
#define MODULES_SIZE_MAX ((size_t)16 * 1024 * 1024)

/* ---- one process ---- */

/* Reads a file of /proc/PID. Unreadable and vanished are not told apart by the caller: a process
 * may go at any moment, and then read() fails with ESRCH. */
static int read_of_process(const char *root, pid_t pid, const char *name, struct text_file *ret)
{
	char path[64];

	(void)snprintf(path, sizeof path, "/proc/%jd/%s", (intmax_t)pid, name);
	int r = file_read_under(root, path, PROC_SIZE_MAX, ret, NULL);
	if (r == 0 && ret->state != FILE_READ) {
		r = ret->state == FILE_ABSENT ? -ENOENT : -EACCES;
		text_file_done(ret);
	}
	return r;
}

static bool process_is_called(const char *root, pid_t pid, const char *name)
{
	cleanup_text_file struct text_file comm = {.path = NULL};

	if (read_of_process(root, pid, "comm", &comm) < 0)
		return false;
	comm.data[strcspn(comm.data, "\n")] = '\0';
	return strcmp(comm.data, name) == 0;
}

/* The text behind "Name:" at the start of a line, or NULL. Borrowed. */
static const char *find_line(const char *text, const char *name)
{
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (text_starts_with(line, name))
			return line + strlen(name) + strspn(line + strlen(name), " \t");
	}
	return NULL;
}

/* A dockerd that has ended serves nobody, even while its parent has not looked after it. */
static bool has_ended(const char *status)
{
	const char *state = find_line(status, "State:");

	return state && (*state == 'Z' || *state == 'X');
}

bool proc_is_dockerd(const char *root, pid_t pid)
{
	cleanup_text_file struct text_file status = {.path = NULL};

	return pid > 0 && process_is_called(root, pid, "dockerd") &&
	       read_of_process(root, pid, "status", &status) == 0 && !has_ended(status.data);
}

static pid_t parse_pid(const char *text)
{
	char *end;

	errno = 0;
	long value = strtol(text, &end, 10);
	if (errno || end == text || value <= 0 || value > INT32_MAX)
		return 0;
	return (pid_t)value;
}

pid_t proc_pid_from_file(const char *root)
{
	cleanup_text_file struct text_file file = {.path = NULL};

	if (file_read_under(root, "/run/docker.pid", 64, &file, NULL) < 0 ||
	    file.state != FILE_READ)
		return 0;
	/* A crash leaves the file behind, and the number may be somebody else's by now. */
	pid_t pid = parse_pid(file.data);
	return proc_is_dockerd(root, pid) ? pid : 0;
}

static int split_argv(const struct text_file *cmdline, struct strlist *argv)
{
	const char *end = cmdline->data + cmdline->length;

	for (const char *word = cmdline->data; word < end; word += strlen(word) + 1)
		if (strlist_add(argv, word) < 0)
			return -ENOMEM;
	return 0;
}

/* "Max open files            1024                 524288               files" */
static uint64_t parse_hard_nofile(const char *limits)
{
	const char *soft = find_line(limits, "Max open files");
	if (!soft)
		return 0;

	const char *hard = soft + strcspn(soft, " \n");
	hard += strspn(hard, " ");
	if (text_starts_with(hard, "unlimited"))
		return UINT64_MAX;
	return isdigit((unsigned char)*hard) ? strtoull(hard, NULL, 10) : 0;
}

static enum tristate parse_cap_sys_resource(const char *status)
{
	const char *mask = find_line(status, "CapEff:");

	if (!mask || !isxdigit((unsigned char)*mask))
		return UNKNOWN;
	return strtoull(mask, NULL, 16) >> CAP_SYS_RESOURCE & 1 ? YES : NO;
}

static int read_process(const char *root, pid_t pid, struct process_facts *process, bool *hidden)
{
	cleanup_text_file struct text_file cmdline = {.path = NULL};
	cleanup_text_file struct text_file limits = {.path = NULL};
	cleanup_text_file struct text_file status = {.path = NULL};

	int r = read_of_process(root, pid, "cmdline", &cmdline);
	if (r == 0)
		r = split_argv(&cmdline, &process->argv);
	if (r == -ENOMEM)
		return r;
	*hidden = r < 0;

	r = read_of_process(root, pid, "limits", &limits);
	if (r == 0)
		process->limit_nofile = parse_hard_nofile(limits.data);
	if (r == -ENOMEM)
		return r;
	*hidden |= r < 0;

	r = read_of_process(root, pid, "status", &status);
	if (r == 0)
		process->has_cap_sys_resource = parse_cap_sys_resource(status.data);
	if (r == -ENOMEM)
		return r;
	*hidden |= r < 0;
	return 0;
}

int proc_read(const char *root, pid_t pid, struct process_facts *ret, struct strlist *unseen,
	      struct error *error)
{
	struct process_facts process = {.pid = pid, .has_cap_sys_resource = UNKNOWN};
	bool hidden;

	int r = read_process(root, pid, &process, &hidden);
	/* dockerd runs on when one of its files could not be read; gone is something else. */
	if (r == 0 && hidden && !proc_is_dockerd(root, pid)) {
		strlist_done(&process.argv);
		process = (struct process_facts){.has_cap_sys_resource = UNKNOWN};
	} else if (r == 0 && hidden) {
		r = strlist_addf(unseen,
				 "/proc/%jd: permission denied; run as root to see how "
				 "dockerd was started and what it may do",
				 (intmax_t)pid);
	}
	if (r < 0) {
		strlist_done(&process.argv);
		return error_set_oom(error);
	}
	*ret = process;
	return 0;
}

/* ---- all processes ---- */

/* "NSpid:" has one number for each PID namespace the process is in, ours first. */
static bool is_nested(const char *status)
{
	const char *pids = find_line(status, "NSpid:");

	if (!pids)
		return false;
	size_t first = strcspn(pids, " \t\n");
	return pids[first] != '\0' && pids[first] != '\n';
}

static void scan_process(const char *root, pid_t pid, struct proc_scan *found)
{
	cleanup_text_file struct text_file status = {.path = NULL};
	bool dockerd = process_is_called(root, pid, "dockerd");

	if (!dockerd && !process_is_called(root, pid, "rootlesskit"))
		return;
	if (read_of_process(root, pid, "status", &status) < 0)
		return;

	/* A Docker that runs inside a container of this host is not this host's. */
	const char *uid = find_line(status.data, "Uid:");
	if (!uid || is_nested(status.data) || has_ended(status.data))
		return;
	uid_t owner = (uid_t)strtoul(uid, NULL, 10);
	if (owner != 0) {
		found->rootless = pid;
		found->rootless_uid = owner;
	} else if (dockerd) {
		found->dockerd = pid;
	}
}

void proc_scan(const char *root, struct proc_scan *ret)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof path, "%s/proc", root);
	cleanup_closedir DIR *folder = opendir(path);
	const struct dirent *entry;

	*ret = (struct proc_scan){.dockerd = 0};
	while (folder && (entry = readdir(folder))) {
		pid_t pid = isdigit((unsigned char)entry->d_name[0]) ? parse_pid(entry->d_name) : 0;
		if (pid)
			scan_process(root, pid, ret);
	}
}

/* ---- children and containers ---- */

/* The numbers in a list, "553 560 ". */
static bool names_child(const char *root, const char *list, const char *name)
{
	char *end;

	for (const char *at = list; *at; at = end + strspn(end, " \n")) {
		long pid = strtol(at, &end, 10);
		if (end == at)
			return false;
		if (pid > 0 && pid <= INT32_MAX && process_is_called(root, (pid_t)pid, name))
			return true;
	}
	return false;
}

enum tristate proc_has_child(const char *root, pid_t pid, const char *name)
{
	char path[PATH_MAX];
	bool seen = false;

	(void)snprintf(path, sizeof path, "%s/proc/%jd/task", root, (intmax_t)pid);
	cleanup_closedir DIR *folder = opendir(path);
	const struct dirent *entry;

	/* A child belongs to the thread that made it. */
	while (folder && (entry = readdir(folder))) {
		cleanup_text_file struct text_file children = {.path = NULL};
		char list[64];

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		(void)snprintf(list, sizeof list, "task/%.20s/children", entry->d_name);
		if (read_of_process(root, pid, list, &children) < 0)
			continue;
		seen = true;
		if (names_child(root, children.data, name))
			return YES;
	}
	return seen ? NO : UNKNOWN;
}

/* The id in the text of a cgroup's path, or NULL: 64 hexadecimal digits behind "/docker/" or
 * "/docker-". Borrowed. */
static const char *find_container_id(const char *text)
{
	static const char prefix[] = "/docker";

	for (const char *at = strstr(text, prefix); at; at = strstr(at + 1, prefix)) {
		const char *id = at + strlen(prefix) + 1;
		if ((id[-1] == '/' || id[-1] == '-') &&
		    strspn(id, "0123456789abcdef") == CONTAINER_ID_LENGTH)
			return id;
	}
	return NULL;
}

static int add_container_id(const char *root, pid_t pid, struct strlist *ids)
{
	cleanup_text_file struct text_file cgroup = {.path = NULL};

	if (read_of_process(root, pid, "cgroup", &cgroup) < 0)
		return 0;
	const char *id = find_container_id(cgroup.data);
	if (!id)
		return 0;
	cleanup_free char *copy = strndup(id, CONTAINER_ID_LENGTH);
	if (!copy)
		return -ENOMEM;
	return strlist_contains(ids, copy) ? 0 : strlist_take(ids, take_ptr(copy));
}

int proc_container_ids(const char *root, struct strlist *ret, struct error *error)
{
	cleanup_strlist struct strlist ids = {.items = NULL};
	char path[PATH_MAX];

	(void)snprintf(path, sizeof path, "%s/proc", root);
	cleanup_closedir DIR *folder = opendir(path);
	const struct dirent *entry;

	if (!folder)
		return error_set_errno(error, errno, "list", path);
	while ((entry = readdir(folder))) {
		pid_t pid = isdigit((unsigned char)entry->d_name[0]) ? parse_pid(entry->d_name) : 0;
		if (pid && add_container_id(root, pid, &ids) < 0)
			return error_set_oom(error);
	}
	*ret = ids;
	ids = (struct strlist){.items = NULL};
	return 0;
}

/* ---- the host ---- */

static bool has_type(const char *root, const char *path, mode_t type)
{
	char full[PATH_MAX];
	struct stat st;

	(void)snprintf(full, sizeof full, "%s%s", root, path);
	return stat(full, &st) == 0 && (st.st_mode & S_IFMT) == type;
}

enum tristate proc_systemd(const char *root)
{
	return has_type(root, "/run/systemd/system", S_IFDIR) ? YES : NO;
}

enum tristate proc_syslog_socket(const char *root)
{
	/* The three places where dockerd's syslog driver looks, in its order. */
	static const char *const paths[] = {"/dev/log", "/var/run/syslog", "/var/run/log"};

	for (size_t i = 0; i < array_size(paths); i++)
		if (has_type(root, paths[i], S_IFSOCK))
			return YES;
	return NO;
}

/* Whether an index of the module tree ("modules.dep") names the module. */
static int index_has_module(const char *folder, const char *index, const char *module,
			    enum tristate *ret, struct error *error)
{
	cleanup_text_file struct text_file file = {.path = NULL};

	int r = file_read_under(folder, index, MODULES_SIZE_MAX, &file, error);
	if (r < 0)
		return r;
	if (file.state == FILE_READ)
		*ret = memmem(file.data, file.length, module, strlen(module)) ? YES : NO;
	return 0;
}

/* Whether the module belongs to this kernel; UNKNOWN without a module tree. */
static int kernel_has_br_netfilter(const char *root, const char *release, enum tristate *ret,
				   struct error *error)
{
	static const char module[] = "/br_netfilter.ko";
	cleanup_free char *modules = file_under(root, "/lib/modules/");
	cleanup_free char *folder = modules ? file_under(modules, release) : NULL;
	enum tristate builtin = UNKNOWN;
	enum tristate loadable = UNKNOWN;

	if (!folder)
		return error_set_oom(error);
	int r = index_has_module(folder, "/modules.builtin", module, &builtin, error);
	if (r == 0)
		r = index_has_module(folder, "/modules.dep", module, &loadable, error);
	if (r == -ENOMEM)
		return r;
	*ret = builtin == YES || loadable == YES           ? YES
	       : builtin == UNKNOWN && loadable == UNKNOWN ? UNKNOWN
							   : NO;
	return 0;
}

int proc_br_netfilter(const char *root, const char *release, enum tristate *ret,
		      struct error *error)
{
	if (has_type(root, "/proc/sys/net/bridge", S_IFDIR)) {
		*ret = YES;
		return 0;
	}

	int r = kernel_has_br_netfilter(root, release, ret, error);
	/* Without a module tree nothing can be loaded that is not loaded already. */
	if (r == 0 && *ret == UNKNOWN)
		*ret = NO;
	return r;
}

int proc_br_netfilter_of_image(const char *root, enum tristate *ret, struct error *error)
{
	cleanup_free char *modules = file_under(root, "/lib/modules");
	const struct dirent *entry;
	int r = 0;

	if (!modules)
		return error_set_oom(error);
	cleanup_closedir DIR *folder = opendir(modules);
	*ret = UNKNOWN;
	while (r == 0 && *ret != YES && folder && (entry = readdir(folder))) {
		enum tristate has = UNKNOWN;
		if (entry->d_name[0] == '.')
			continue;
		r = kernel_has_br_netfilter(root, entry->d_name, &has, error);
		if (has != UNKNOWN)
			*ret = has;
	}
	return r;
}
