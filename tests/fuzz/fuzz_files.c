/* Files of a host, in a scratch folder in memory: accounts, package databases, /proc, containers'
 * own files, unit files with all that belongs to them, and harden's own store. The first byte
 * chooses; the contents end with NUL each, the last one at the end. Empty ones do not exist. */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "apply/store.h"
#include "base/text.h"
#include "cli/records.h"
#include "core/unitline.h"
#include "host/account.h"
#include "host/containers.h"
#include "host/package.h"
#include "host/proc.h"
#include "host/unitroot.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define APPLY "20261123T214455Z"
#define ROLLBACK "20261123T214500Z"
#define PROCESS "/proc/600"
#define UNIT "/usr/lib/systemd/system/docker.service"
#define DROPINS "/etc/systemd/system/docker.service.d"

/* ---- the folder ---- */

static char root[64];

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *walk)
{
	(void)st;
	(void)kind;
	(void)walk;
	return remove(path);
}

static void remove_root(void)
{
	(void)nftw(root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void path_in(const char *name, char ret[256])
{
	require(snprintf(ret, 256, "%s%s", root, name) < 256);
}

static void make_folders(void)
{
	static const char *const folders[] = {
		"/etc",
		"/etc/default",
		"/etc/systemd",
		"/etc/systemd/system",
		DROPINS,
		"/usr",
		"/usr/lib",
		"/usr/lib/systemd",
		"/usr/lib/systemd/system",
		"/run",
		"/proc",
		PROCESS,
		PROCESS "/task",
		PROCESS "/task/600",
		"/lib",
		"/lib/modules",
		"/lib/modules/6.1",
		"/var",
		"/var/lib",
		"/var/lib/dpkg",
		"/var/lib/rpm",
		"/var/lib/docker",
		"/var/lib/docker/containers",
		"/var/lib/docker/containers/" ID,
		"/store",
		"/store/applies",
		"/store/applies/" APPLY,
		"/store/applies/" ROLLBACK,
	};

	for (size_t i = 0; i < array_size(folders); i++) {
		char path[256];
		path_in(folders[i], path);
		require(mkdir(path, 0755) == 0);
	}
}

/* tests/fuzz/run gives a folder of its own, and takes it away whatever happens. */
static void make_root(void)
{
	const char *scratch = getenv("HARDEN_FUZZ_SCRATCH");

	require(snprintf(root, sizeof root, "%s/harden-fuzz-XXXXXX",
			 scratch ? scratch : "/dev/shm") < (int)sizeof root);
	require(mkdtemp(root) != NULL);
	(void)atexit(remove_root);
	make_folders();
}

/* Writes the next text of the input. */
static void put(struct input *input, const char *name, bool last)
{
	char path[256];
	size_t length;
	cleanup_free char *text = (last ? input_rest : input_text)(input, &length);

	path_in(name, path);
	if (!length) {
		require(unlink(path) == 0 || errno == ENOENT);
		return;
	}
	cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	require(fd >= 0 && write(fd, text, length) == (ssize_t)length);
}

/* ---- accounts ---- */

static void check_accounts(struct input *input)
{
	cleanup_facts struct facts facts = FACTS_EMPTY;
	struct account_names names;
	struct error error = ERROR_NONE;
	cleanup_free char *name = NULL;
	cleanup_free char *home = NULL;
	uint64_t uid = 0;
	uint64_t gid = 0;
	int64_t group = 0;

	put(input, "/etc/passwd", false);
	put(input, "/etc/group", false);
	put(input, "/etc/subuid", false);
	put(input, "/etc/subgid", false);
	cleanup_free char *value = input_text(input, NULL);
	require(account_read(root, &facts, &error) == 0);
	require(facts.dockremap_user != UNKNOWN && facts.dockremap_ranges != UNKNOWN);
	require(account_names_read(root, &names, &error) == 0);
	cleanup_free char *owner = account_owner(&names, 0, 101);
	require(owner && strchr(owner, ':') && !strchr(owner, '\n'));
	account_names_done(&names);
	require(account_find_group(root, value, &group, &error) == 0 && group >= -1);
	require(account_find_user(root, 1000, &name, &home, &error) == 0 && !name == !home);
	int r = account_remapped_root(root, value, &uid, &gid, &error);
	require(r == 0 || r == -ENOENT);
	require(uid <= 9999999999 && gid <= 9999999999);
}

/* ---- packages ---- */

static void check_packages(struct input *input)
{
	cleanup_free char *version = NULL;
	struct error error = ERROR_NONE;

	put(input, "/var/lib/dpkg/status", false);
	put(input, "/var/lib/rpm/rpmdb.sqlite", true);
	require(package_docker_version(root, &version, &error) == 0);
	require(!version || !strchr(version, '\n'));
}

/* ---- /proc ---- */

static void check_proc(struct input *input)
{
	static const char *const files[] = {"comm", "status", "limits", "cgroup",
					    "task/600/children"};
	cleanup_facts struct facts facts = FACTS_EMPTY;
	cleanup_strlist struct strlist ids = {.items = NULL};
	struct error error = ERROR_NONE;
	struct proc_scan scan;
	enum tristate loaded;

	put(input, "/run/docker.pid", false);
	for (size_t i = 0; i < array_size(files); i++) {
		char name[64];
		(void)snprintf(name, sizeof name, PROCESS "/%s", files[i]);
		put(input, name, false);
	}
	put(input, "/lib/modules/6.1/modules.builtin", false);
	put(input, "/lib/modules/6.1/modules.dep", false);
	put(input, PROCESS "/cmdline", true);
	pid_t pid = proc_pid_from_file(root);
	require(pid == 0 || pid == 600);
	proc_scan(root, &scan);
	require(scan.dockerd == 0 || scan.dockerd == 600);
	require(proc_read(root, 600, &facts.process, &facts.unseen, &error) == 0);
	(void)proc_has_child(root, 600, "docker-proxy");
	require(proc_container_ids(root, &ids, &error) == 0 && ids.count <= 1);
	require(!ids.count || strlen(ids.items[0]) == CONTAINER_ID_LENGTH);
	require(proc_br_netfilter(root, "6.1", &loaded, &error) == 0);
	require(proc_br_netfilter_of_image(root, &loaded, &error) == 0);
}

/* ---- containers ---- */

static void check_containers(struct input *input)
{
	cleanup_facts struct facts facts = FACTS_EMPTY;
	struct error error = ERROR_NONE;
	char path[256];

	put(input, "/var/lib/docker/containers/" ID "/config.v2.json", false);
	put(input, "/var/lib/docker/containers/" ID "/hostconfig.json", false);
	path_in("/var/lib/docker", path);
	facts.data_root.path = strdup(path);
	facts.containers =
		json_pack("[{s:s, s:[s], s:s}]", "Id", ID, "Names", "/web", "State", "running");
	require(facts.data_root.path && facts.containers);
	require(containers_read(&facts, &error) == 0 && facts.container_count == 1);
	const struct container_facts *container = &facts.container_list[0];
	require(!container->log || json_is_object(container->log));
	require(container->known || (!container->log && !container->started_at));
}

/* ---- units ---- */

static void check_unit(struct input *input)
{
	static const char *const states[] = {"loaded", "not-found", "masked", "bad-setting"};
	cleanup_facts struct facts facts = FACTS_EMPTY;
	cleanup_strlist struct strlist environment = {.items = NULL};
	cleanup_words struct words words = {.items = NULL};
	struct error error = ERROR_NONE;
	bool known_state = false;

	put(input, UNIT, false);
	put(input, DROPINS "/10-a.conf", false);
	put(input, DROPINS "/zz-b.conf", false);
	put(input, "/etc/default/docker", false);
	put(input, "/etc/os-release", false);
	put(input, "/etc/machine-id", false);
	put(input, "/etc/hostname", false);
	require(unitroot_read(root, "docker.service", &facts.unit, &facts.unseen, &error) == 0);
	for (size_t i = 0; i < array_size(states); i++)
		known_state |= text_equal(facts.unit.load_state, states[i]);
	require(known_state);
	require(!facts.unit.known || facts.unit.command_count);
	if (!facts.unit.known)
		return;
	int r = unit_environment(&facts.unit, &environment, &error);
	if (r == 0)
		r = unit_expand(&facts.unit, &facts.unit.exec_start, &environment, &words, &error);
	if (r < 0)
		require_error(r, &error);
	/* "@" makes a word of the second, too, which may be a variable that is not set. */
	else
		require(words.count || facts.unit.exec_start.items[0][0] == '$');
}

/* ---- the store ---- */

static void put_link(struct input *input, const char *name)
{
	cleanup_free char *target = input_text(input, NULL);
	char path[256];

	path_in(name, path);
	require(unlink(path) == 0 || errno == ENOENT);
	if (*target)
		require(symlink(target, path) == 0 || errno == ENAMETOOLONG);
}

static void check_records(const struct store *store)
{
	scoped(records_done) struct records records = {.items = NULL};
	cleanup_txn struct txn txn = {.id = NULL};
	struct error error = ERROR_NONE;

	require(records_load(store, &records, &error) == 0);
	require(records.count == 2);
	for (size_t i = 0; i < records.count; i++)
		require(records.items[i].error.code == 0 ||
			(records.items[i].error.text[0] && !records.items[i].stands));
	int r = store_load(store, APPLY, true, &txn, &error);
	if (r < 0)
		require_error(r, &error);
	for (size_t i = 0; r == 0 && i < txn.file_count; i++)
		require(!txn_keeps_bytes(&txn.files[i], TXN_AFTER) || txn.files[i].after.data);
}

static void check_store(struct input *input)
{
	cleanup_store struct store store = STORE_CLOSED;
	cleanup_strlist struct strlist folders = {.items = NULL};
	cleanup_free char *pending = NULL;
	struct error error = ERROR_NONE;
	bool marked = false;
	char path[256];

	put_link(input, "/store/pending");
	put(input, "/store/rehearsal", false);
	put(input, "/store/lock", false);
	put(input, "/store/applies/" APPLY "/record.json", false);
	put(input, "/store/applies/" APPLY "/0.before", false);
	put(input, "/store/applies/" APPLY "/0.after", false);
	put(input, "/store/applies/" ROLLBACK "/record.json", false);
	path_in("/store", path);
	require(store_open(path, &store, &error) == 0);
	int r = store_pending(&store, &pending, &error);
	require(r < 0 || !pending || txn_id_is_valid(pending));
	error = ERROR_NONE;
	require(store_rehearsal(&store, &folders, &marked, &error) == 0);
	require(marked || !folders.count);
	check_records(&store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const checks[])(struct input *) = {
		check_accounts,   check_packages, check_proc,
		check_containers, check_unit,     check_store,
	};
	struct input input = {data, size};

	if (!root[0])
		make_root();
	checks[input_byte(&input) % array_size(checks)](&input);
	return 0;
}
