#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "apply/store.h"

static struct error error;

/* ---- the calls that change something, in place of those in libc ---- */

static char calls[4096]; /* a letter for each, in their order */
static unsigned call_count;
static unsigned fail_at;  /* the call with this number fails; 0: none */
static unsigned crash_at; /* the process is killed instead of it */

static bool call_fails(char letter)
{
	if (call_count < sizeof calls - 1)
		calls[call_count] = letter;
	call_count++;
	/* Another program is killed, because valgrind looks for leaks in one that it sees end. */
	if (call_count == crash_at)
		(void)execl("/bin/sh", "sh", "-c", "kill -KILL $$", (char *)NULL);
	if (call_count != fail_at)
		return false;
	errno = EIO;
	return true;
}

ssize_t write(int fd, const void *bytes, size_t length)
{
	return call_fails('w') ? -1 : syscall(SYS_write, fd, bytes, length);
}

int fsync(int fd)
{
	return call_fails('s') ? -1 : (int)syscall(SYS_fsync, fd);
}

int fchmod(int fd, mode_t mode)
{
	return call_fails('m') ? -1 : (int)syscall(SYS_fchmod, fd, mode);
}

int mkdirat(int fd, const char *name, mode_t mode)
{
	return call_fails('d') ? -1 : (int)syscall(SYS_mkdirat, fd, name, mode);
}

int renameat(int old_fd, const char *old_name, int new_fd, const char *new_name)
{
	return call_fails('r') ? -1
			       : (int)syscall(SYS_renameat2, old_fd, old_name, new_fd, new_name, 0);
}

int unlinkat(int fd, const char *name, int flags)
{
	return call_fails('u') ? -1 : (int)syscall(SYS_unlinkat, fd, name, flags);
}

int unlink(const char *path)
{
	return call_fails('u') ? -1 : (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int symlink(const char *target, const char *path)
{
	return call_fails('l') ? -1 : (int)syscall(SYS_symlinkat, target, AT_FDCWD, path);
}

/* ---- what the tests share ---- */

#define ID "20261123T214455Z"

static struct store open_locked(void)
{
	struct store store = STORE_CLOSED;

	error = ERROR_NONE;
	ck_assert_msg(store_open_locked(tree_path("/store"), "apply", &store, &error) == 0, "%s",
		      error.text);
	return store;
}

static struct filestate bytes_state(const char *bytes, size_t length)
{
	const struct filestate absent = {.exists = false};
	struct filestate state;

	ck_assert_int_eq(filestate_with_bytes(&absent, bytes, length, &state, NULL), 0);
	return state;
}

static struct txn_file file_of(const char *path, enum file_action action)
{
	return (struct txn_file){.path = strdup(path), .target = strdup(path), .action = action};
}

/* A file that is modified, one that is created, one whose mode changes, and a folder. */
static struct txn sample(const char *id)
{
	struct txn txn = {
		.id = strdup(id),
		.started = strdup("2026-11-23T21:44:55Z"),
		.user = strdup("root"),
		.unit = strdup("docker.service"),
		.daemon = DAEMON_RUNNING,
		.files = calloc(4, sizeof *txn.files),
		.file_count = 4,
	};

	ck_assert_ptr_nonnull(txn.files);
	txn.files[0] = file_of("/etc/docker/daemon.json", FILE_MODIFY);
	txn.files[0].config = true;
	txn.files[0].before = bytes_state("{}\0\xff", 4);
	txn.files[0].after = bytes_state("{\"icc\": false}\n", 15);
	txn.files[1] = file_of("/etc/systemd/system/docker.service.d/x.conf", FILE_CREATE);
	txn.files[1].after = bytes_state("", 0);
	txn.files[2] = file_of("/etc/docker/key.pem", FILE_MODE);
	txn.files[2].before = bytes_state("secret", 6);
	txn.files[2].after = bytes_state("secret", 6);
	txn.files[3] = file_of("/etc/docker", FILE_MODE);
	txn.files[3].before = (struct filestate){.exists = true, .folder = true, .mode = 0777};
	txn.files[3].after = (struct filestate){.exists = true, .folder = true, .mode = 0755};
	return txn;
}

static void add_sample(const struct store *store, const char *id)
{
	cleanup_txn struct txn txn = sample(id);

	error = ERROR_NONE;
	ck_assert_msg(store_add(store, &txn, &error) == 0, "%s", error.text);
}

static char *pending(const struct store *store)
{
	char *id = NULL;

	error = ERROR_NONE;
	ck_assert_msg(store_pending(store, &id, &error) == 0, "%s", error.text);
	return id;
}

static unsigned entries(const char *name)
{
	DIR *folder = opendir(tree_path(name));
	unsigned count = 0;

	ck_assert_ptr_nonnull(folder);
	while (readdir(folder))
		count++;
	(void)closedir(folder);
	return count - 2;
}

static bool is_there(const char *name)
{
	struct stat st;

	return lstat(tree_path(name), &st) == 0;
}

static mode_t mode_of(const char *name)
{
	struct stat st;

	ck_assert_int_eq(lstat(tree_path(name), &st), 0);
	return st.st_mode & 07777;
}

/* ---- opening ---- */

START_TEST(no_folder_is_an_empty_store)
{
	cleanup_store struct store store = STORE_CLOSED;
	cleanup_strlist struct strlist list = {.items = NULL};
	cleanup_txn struct txn txn = {.id = NULL};
	char *id = NULL;

	ck_assert_int_eq(store_open(tree_path("/store"), &store, &error), 0);
	ck_assert_ptr_null(pending(&store));
	ck_assert_int_eq(store_list(&store, &list, &error), 0);
	ck_assert_uint_eq(list.count, 0);
	ck_assert_int_eq(store_find(&store, "2", &id, &error), -ENOENT);
	error = ERROR_NONE;
	ck_assert_int_eq(store_load(&store, ID, false, &txn, &error), -ENOENT);
	ck_assert_ptr_nonnull(strstr(error.text, "harden history"));
	ck_assert_int_eq(store_load(&store, "../../etc", false, &txn, &error), -ENOENT);
	ck_assert(!is_there("/store"));
}
END_TEST

START_TEST(folders_are_made_for_root_alone)
{
	(void)umask(0);
	cleanup_store struct store store = STORE_CLOSED;
	ck_assert_int_eq(store_open_locked(tree_path("/var/lib/store"), "apply", &store, &error),
			 0);
	ck_assert_uint_eq(mode_of("/var/lib"), 0755);
	ck_assert_uint_eq(mode_of("/var/lib/store"), 0700);
	ck_assert_uint_eq(mode_of("/var/lib/store/applies"), 0700);
	ck_assert_uint_eq(mode_of("/var/lib/store/lock"), 0600);
	ck_assert_int_ne(fcntl(store.lock_fd, F_GETFD) & FD_CLOEXEC, 0);
	add_sample(&store, ID);
	ck_assert_uint_eq(mode_of("/var/lib/store/applies/" ID), 0700);
	ck_assert_uint_eq(mode_of("/var/lib/store/applies/" ID "/record.json"), 0600);
	ck_assert_uint_eq(mode_of("/var/lib/store/applies/" ID "/0.before"), 0600);
}
END_TEST

START_TEST(a_folder_that_is_open_to_read_is_closed)
{
	tree_folder("/store");
	cleanup_store struct store store = open_locked();
	ck_assert_uint_eq(mode_of("/store"), 0700);
}
END_TEST

static void assert_refused(const char *words)
{
	cleanup_store struct store store = STORE_CLOSED;

	error = ERROR_NONE;
	ck_assert_int_eq(store_open(tree_path("/store"), &store, &error), -EPERM);
	ck_assert_ptr_nonnull(strstr(error.text, words));
	error = ERROR_NONE;
	ck_assert_int_eq(store_open_locked(tree_path("/store"), "apply", &store, &error), -EPERM);
	ck_assert_ptr_nonnull(strstr(error.text, words));
	ck_assert_int_eq(store.lock_fd, -1);
}

START_TEST(a_folder_that_others_can_change_is_refused)
{
	tree_folder("/real");
	tree_link("real", "/store");
	assert_refused("symbolic link");
	ck_assert_int_eq(unlink(tree_path("/store")), 0);
	tree_folder("/store");
	ck_assert_int_eq(chmod(tree_path("/store"), 0720), 0);
	assert_refused("chmod 0700");
	ck_assert_int_eq(chmod(tree_path("/store"), 0700), 0);
	if (geteuid() == 0) {
		ck_assert_int_eq(chown(tree_path("/store"), 1234, 0), 0);
		assert_refused("belongs to user 1234");
	}
	ck_assert_uint_eq(entries("/store"), 0);
}
END_TEST

START_TEST(others_than_root_are_told)
{
	cleanup_store struct store store = STORE_CLOSED;

	if (geteuid() != 0)
		return;
	ck_assert_int_eq(chmod(tree_root, 0755), 0);
	tree_folder("/store");
	ck_assert_int_eq(chmod(tree_path("/store"), 0700), 0);
	ck_assert_int_eq(seteuid(65534), 0);
	int r = store_open(tree_path("/store"), &store, &error);
	ck_assert_int_eq(seteuid(0), 0);
	ck_assert_int_eq(r, -EACCES);
	ck_assert_ptr_nonnull(strstr(error.text, "run harden as root"));
}
END_TEST

/* ---- the lock ---- */

START_TEST(the_second_is_told_who_is_first)
{
	char words[128];

	(void)setenv("SUDO_USER", "alice in chains", 1);
	cleanup_store struct store first = open_locked();
	struct store second = STORE_CLOSED;
	ck_assert_int_eq(store_open_locked(tree_path("/store"), "rollback", &second, &error),
			 -EBUSY);
	(void)snprintf(words, sizeof words,
		       "another harden is at work: harden apply, process %d, started by alice in "
		       "chains at 2",
		       (int)getpid());
	ck_assert_msg(strstr(error.text, words) == error.text, "%s", error.text);
	ck_assert_ptr_nonnull(strstr(error.text, "Z; wait for it to end"));
	ck_assert_str_eq(error.path, tree_path("/store/lock"));

	/* Whoever comes between an old holder and the next one must not be told of the old one. */
	store_done(&first);
	struct stat st;
	ck_assert_int_eq(stat(tree_path("/store/lock"), &st), 0);
	ck_assert_int_eq(st.st_size, 0);
	second = open_locked();
	store_done(&second);
}
END_TEST

/* A child that takes the lock itself, does something with it, and lets the parent go on. */
static pid_t hold_lock(const char *text, unsigned say_after_ms, unsigned hold_ms)
{
	int ready[2];
	char byte = 'x';

	ck_assert_int_eq(pipe(ready), 0);
	pid_t child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		int fd = open(tree_path("/store/lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 || ftruncate(fd, 0) < 0)
			_exit(1);
		(void)syscall(SYS_write, ready[1], "x", 1);
		(void)usleep(say_after_ms * 1000);
		if (pwrite(fd, text, strlen(text), 0) < 0)
			_exit(1);
		(void)usleep(hold_ms * 1000);
		_exit(0);
	}
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	(void)close(ready[0]);
	(void)close(ready[1]);
	return child;
}

static void end_child(pid_t child)
{
	(void)kill(child, SIGKILL);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
}

START_TEST(a_holder_who_is_still_writing_is_waited_for)
{
	cleanup_store struct store store = STORE_CLOSED;

	tree_folder("/store");
	pid_t child = hold_lock("1 apply root 2026-11-23T21:44:55Z\n", 60, 5000);
	int r = store_open_locked(tree_path("/store"), "apply", &store, &error);
	end_child(child);
	ck_assert_int_eq(r, -EBUSY);
	ck_assert_ptr_nonnull(strstr(error.text, "harden apply, process 1, started by root at "
						 "2026-11-23T21:44:55Z; wait"));
}
END_TEST

START_TEST(a_name_that_is_not_the_holders_is_not_told)
{
	static const char *const lines[] = {"",
					    "999999999 apply root 2026-11-23T21:44:55Z\n",
					    "1 apply root 2026",
					    "nonsense\n",
					    "1 2 3\n",
					    "\n"};

	tree_folder("/store");
	for (size_t i = 0; i < array_size(lines); i++) {
		cleanup_store struct store store = STORE_CLOSED;
		pid_t child = hold_lock(lines[i], 0, 5000);

		error = ERROR_NONE;
		int r = store_open_locked(tree_path("/store"), "apply", &store, &error);
		end_child(child);
		ck_assert_int_eq(r, -EBUSY);
		ck_assert_ptr_nonnull(strstr(error.text, "has not said who it is"));
	}
}
END_TEST

START_TEST(a_lock_that_becomes_free_is_taken)
{
	tree_folder("/store");
	pid_t child = hold_lock("", 0, 80);
	cleanup_store struct store store = open_locked();
	ck_assert_int_ge(store.lock_fd, 0);
	end_child(child);
}
END_TEST

START_TEST(a_lock_ends_with_its_process)
{
	tree_folder("/store");
	pid_t child = fork();
	if (child == 0) {
		struct store store = STORE_CLOSED;
		int r = store_open_locked(tree_path("/store"), "apply", &store, NULL);
		/* What it starts does not hold the lock. */
		if (r == 0 && fork() == 0)
			(void)execl("/bin/sleep", "sleep", "2", (char *)NULL);
		(void)usleep(100000);
		_exit(r == 0 ? 0 : 1);
	}
	int status = 0;
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	cleanup_store struct store store = open_locked();
	ck_assert_int_ge(store.lock_fd, 0);
}
END_TEST

START_TEST(of_many_one_gets_the_lock)
{
	enum {
		MANY = 30
	};
	pid_t children[MANY];
	unsigned won = 0;
	unsigned told = 0;

	tree_folder("/store");
	for (unsigned i = 0; i < MANY; i++) {
		children[i] = fork();
		if (children[i] == 0) {
			struct store store = STORE_CLOSED;
			int r = store_open_locked(tree_path("/store"), "apply", &store, &error);
			if (r == 0)
				(void)sleep(2);
			/* The winner may be too slow on a busy machine to be named in time. */
			_exit(r == 0 ? 0 : r == -EBUSY && *error.text ? 2 : 3);
		}
	}
	for (unsigned i = 0; i < MANY; i++) {
		int status = 0;
		ck_assert_int_eq(waitpid(children[i], &status, 0), children[i]);
		won += WIFEXITED(status) && WEXITSTATUS(status) == 0;
		told += WIFEXITED(status) && WEXITSTATUS(status) == 2;
	}
	ck_assert_uint_eq(won, 1);
	ck_assert_uint_eq(told, MANY - 1);
}
END_TEST

/* ---- transactions ---- */

START_TEST(what_is_added_can_be_loaded)
{
	cleanup_store struct store store = open_locked();
	cleanup_txn struct txn txn = {.id = NULL};
	char target[64] = "";

	add_sample(&store, ID);
	cleanup_free char *id = pending(&store);
	ck_assert_str_eq(id, ID);
	ck_assert_int_eq(readlink(tree_path("/store/pending"), target, sizeof target), 24);
	ck_assert_str_eq(target, "applies/" ID);
	ck_assert_uint_eq(entries("/store"), 3);
	ck_assert_uint_eq(entries("/store/applies"), 1);

	ck_assert_int_eq(store_load(&store, ID, true, &txn, &error), 0);
	ck_assert_str_eq(txn.id, ID);
	ck_assert_uint_eq(txn.file_count, 4);
	ck_assert_mem_eq(txn.files[0].before.data, "{}\0\xff", 5);
	ck_assert_uint_eq(txn.files[0].before.length, 4);
	ck_assert_str_eq(txn.files[0].after.data, "{\"icc\": false}\n");
	ck_assert(!txn.files[1].before.exists);
	ck_assert_str_eq(txn.files[1].after.data, "");
	/* Nothing is kept of what only changes its mode. */
	ck_assert_ptr_null(txn.files[2].before.data);
	ck_assert_uint_eq(txn.files[2].before.length, 6);
	ck_assert(!is_there("/store/applies/" ID "/2.before"));
	ck_assert_uint_eq(entries("/store/applies/" ID), 4);

	txn_done(&txn);
	ck_assert_int_eq(store_load(&store, ID, false, &txn, &error), 0);
	ck_assert_ptr_null(txn.files[0].before.data);
	ck_assert_uint_eq(txn.files[0].before.length, 4);
}
END_TEST

START_TEST(nothing_is_marked_before_it_is_on_the_disk)
{
	cleanup_store struct store store = open_locked();
	cleanup_txn struct txn txn = sample(ID);

	memset(calls, 0, sizeof calls);
	call_count = 0;
	ck_assert_int_eq(store_add(&store, &txn, &error), 0);
	/* The folder; three files with bytes, one of which is empty, and the record; the folder
	 * again; the mark; its final name. */
	ck_assert_str_eq(calls, "dmss"
				"wms"
				"wms"
				"ms"
				"wms"
				"s"
				"ulrs"
				"rs");
}
END_TEST

START_TEST(a_record_is_replaced_and_settled)
{
	cleanup_store struct store store = open_locked();
	cleanup_txn struct txn txn = sample(ID);
	cleanup_txn struct txn again = {.id = NULL};

	ck_assert_int_eq(store_add(&store, &txn, &error), 0);
	txn.state = TXN_COMMITTED;
	txn.result = strdup("applied");
	txn.error = strdup("not \xff text");
	ck_assert_int_eq(store_save(&store, &txn, &error), 0);
	ck_assert_int_eq(store_load(&store, ID, true, &again, &error), 0);
	ck_assert_int_eq(again.state, TXN_COMMITTED);
	ck_assert_str_eq(again.result, "applied");
	ck_assert_str_eq(again.error, "not \xff text");
	ck_assert_uint_eq(entries("/store/applies/" ID), 4);

	ck_assert_int_eq(store_settle(&store, &error), 0);
	ck_assert_ptr_null(pending(&store));
	ck_assert(!is_there("/store/pending"));
	ck_assert_int_eq(store_settle(&store, &error), 0);
}
END_TEST

START_TEST(two_cannot_be_pending)
{
	cleanup_store struct store store = open_locked();
	cleanup_txn struct txn txn = sample("20261123T214456Z");

	add_sample(&store, ID);
	ck_assert_int_eq(store_add(&store, &txn, &error), -EEXIST);
	ck_assert_ptr_nonnull(strstr(error.text, "harden recover"));
	ck_assert_int_eq(store_settle(&store, &error), 0);
	error = ERROR_NONE;
	free(txn.id);
	txn.id = strdup(ID);
	ck_assert_int_eq(store_add(&store, &txn, &error), -EEXIST);
	ck_assert_uint_eq(entries("/store/applies"), 1);
	ck_assert_uint_eq(entries("/store/applies/" ID), 4);
	ck_assert_ptr_null(pending(&store));
}
END_TEST

START_TEST(what_could_not_be_read_again_is_not_added)
{
	cleanup_store struct store store = open_locked();
	cleanup_txn struct txn txn = sample(ID);

	free(txn.unit);
	txn.unit = NULL;
	ck_assert_int_eq(store_add(&store, &txn, &error), -EBADMSG);
	txn.unit = strdup("docker.service");
	free(txn.files[0].after.data);
	txn.files[0].after.data = NULL;
	error = ERROR_NONE;
	ck_assert_int_eq(store_add(&store, &txn, &error), -EINVAL);
	free(txn.id);
	txn.id = strdup("../x");
	ck_assert_int_eq(store_add(&store, &txn, &error), -EINVAL);
	ck_assert_uint_eq(entries("/store/applies"), 0);
	ck_assert_ptr_null(pending(&store));
}
END_TEST

START_TEST(a_discarded_one_is_gone)
{
	cleanup_store struct store store = open_locked();
	cleanup_txn struct txn other = sample("20261123T214456Z");
	cleanup_txn struct txn txn = sample(ID);

	ck_assert_int_eq(store_add(&store, &txn, &error), 0);
	/* The mark of another one stays. */
	ck_assert_int_eq(store_discard(&store, &other, &error), 0);
	cleanup_free char *id = pending(&store);
	ck_assert_str_eq(id, ID);
	ck_assert_int_eq(store_discard(&store, &txn, &error), 0);
	ck_assert_uint_eq(entries("/store/applies"), 0);
	ck_assert(!is_there("/store/pending"));
	ck_assert_int_eq(store_discard(&store, &txn, &error), 0);
}
END_TEST

START_TEST(damage_is_named)
{
	static const struct {
		const char *name;
		const char *bytes; /* NULL: the file is removed */
		const char *words;
	} cases[] = {
		{"0.before", "{}\0\xfe",
		 "copy of /etc/docker/daemon.json from before the change is damaged"},
		{"0.after", "", "copy of /etc/docker/daemon.json from after the change is damaged"},
		{"1.after", NULL, "docker.service.d/x.conf from after the change is missing"},
		{"record.json", NULL, "the record is missing"},
		{"record.json", "", "the record is damaged: "},
		{"record.json", "{\"schema\": 1, \"schema\": 1}", "the record is damaged: "},
		{"record.json", "{\"schema\": 1}", "the record is damaged: id is missing"},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		cleanup_store struct store store = open_locked();
		cleanup_txn struct txn txn = sample(ID);
		cleanup_txn struct txn loaded = {.id = NULL};
		char name[128];

		ck_assert_int_eq(store_add(&store, &txn, &error), 0);
		(void)snprintf(name, sizeof name, "/store/applies/" ID "/%s", cases[i].name);
		if (cases[i].bytes)
			tree_write_bytes(name, cases[i].bytes, i == 0 ? 4 : strlen(cases[i].bytes));
		else
			ck_assert_int_eq(unlink(tree_path(name)), 0);
		ck_assert_int_eq(store_load(&store, ID, true, &loaded, &error), -EBADMSG);
		ck_assert_msg(strstr(error.text, cases[i].words) != NULL, "%s", error.text);
		ck_assert_str_eq(error.path, tree_path(name));
		ck_assert_ptr_null(loaded.id);
		error = ERROR_NONE;
		ck_assert_int_eq(store_discard(&store, &txn, &error), 0);
	}
}
END_TEST

START_TEST(a_record_of_another_id_is_damage)
{
	cleanup_store struct store store = open_locked();
	cleanup_txn struct txn txn = {.id = NULL};

	add_sample(&store, ID);
	ck_assert_int_eq(rename(tree_path("/store/applies/" ID),
				tree_path("/store/applies/20261123T214456Z")),
			 0);
	ck_assert_int_eq(store_load(&store, "20261123T214456Z", false, &txn, &error), -EBADMSG);
	ck_assert_ptr_nonnull(strstr(error.text, "its id is " ID));
}
END_TEST

START_TEST(a_mark_that_is_none_is_an_error)
{
	static const char *const targets[] = {"/etc", "applies/", "applies/..", "applies/" ID "/x"};
	cleanup_store struct store store = open_locked();
	char *id = NULL;

	for (size_t i = 0; i < array_size(targets); i++) {
		tree_link(targets[i], "/store/pending");
		error = ERROR_NONE;
		ck_assert_int_eq(store_pending(&store, &id, &error), -EBADMSG);
		ck_assert_ptr_nonnull(strstr(error.text, "/store/applies"));
		ck_assert_int_eq(unlink(tree_path("/store/pending")), 0);
	}
	tree_write("/store/pending", ID);
	error = ERROR_NONE;
	ck_assert_int_eq(store_pending(&store, &id, &error), -EBADMSG);
}
END_TEST

/* ---- ids ---- */

static void assert_new_id(const struct store *store, time_t now, const char *expected)
{
	cleanup_free char *id = NULL;

	error = ERROR_NONE;
	ck_assert_int_eq(store_new_id(store, now, &id, &error), 0);
	ck_assert_str_eq(id, expected);
}

START_TEST(ids_sort_by_time_whatever_the_clock)
{
	const time_t now = 1795470295; /* 2026-11-23 21:44:55 UTC */
	cleanup_store struct store store = open_locked();
	char *id = NULL;

	assert_new_id(&store, now, ID);
	tree_folder("/store/applies/" ID);
	assert_new_id(&store, now, ID "-002");
	assert_new_id(&store, now + 1, "20261123T214456Z");
	assert_new_id(&store, now - 100000, ID "-002");
	tree_folder("/store/applies/" ID "-002");
	assert_new_id(&store, now, ID "-003");
	tree_folder("/store/applies/" ID "-999");
	assert_new_id(&store, now, "20261123T214456Z");
	tree_folder("/store/applies/99991231T235959Z-999");
	ck_assert_int_eq(store_new_id(&store, now, &id, &error), -EOVERFLOW);
	error = ERROR_NONE;
	ck_assert_int_eq(store_new_id(&store, (time_t)1 << 40, &id, &error), -EOVERFLOW);
}
END_TEST

START_TEST(ids_are_listed_and_found)
{
	static const char *const names[] = {ID "-002", "20270101T000000Z", ID, "notes",
					    ".new-20280101T000000Z"};
	cleanup_store struct store store = STORE_CLOSED;
	cleanup_strlist struct strlist list = {.items = NULL};
	char name[64];
	char *id = NULL;

	for (size_t i = 0; i < array_size(names); i++) {
		(void)snprintf(name, sizeof name, "/store/applies/%s", names[i]);
		tree_folder(name);
	}
	ck_assert_int_eq(store_open(tree_path("/store"), &store, &error), 0);
	ck_assert_int_eq(store_list(&store, &list, &error), 0);
	ck_assert_uint_eq(list.count, 3);
	ck_assert_str_eq(list.items[0], ID);
	ck_assert_str_eq(list.items[1], ID "-002");
	ck_assert_str_eq(list.items[2], "20270101T000000Z");

	ck_assert_int_eq(store_find(&store, ID, &id, &error), 0);
	ck_assert_str_eq(id, ID);
	free(id);
	ck_assert_int_eq(store_find(&store, "2027", &id, &error), 0);
	ck_assert_str_eq(id, "20270101T000000Z");
	free(id);
	ck_assert_int_eq(store_find(&store, "202611", &id, &error), -ENOTUNIQ);
	error = ERROR_NONE;
	ck_assert_int_eq(store_find(&store, "notes", &id, &error), -ENOENT);
	ck_assert_str_eq(error.path, "notes");
	ck_assert_int_eq(store_find(&store, "", &id, &error), -ENOENT);
}
END_TEST

/* ---- crashes ---- */

START_TEST(a_rehearsal_is_marked_with_its_folders)
{
	cleanup_store struct store store = open_locked();
	cleanup_strlist struct strlist folders = {.items = NULL};
	cleanup_strlist struct strlist none = {.items = NULL};
	cleanup_strlist struct strlist found = {.items = NULL};
	bool marked = true;

	ck_assert_int_eq(store_rehearsal(&store, &none, &marked, &error), 0);
	ck_assert(!marked);
	ck_assert_int_eq(strlist_add(&folders, "/var/lib/docker/.harden-rehearsal"), 0);
	ck_assert_int_eq(strlist_add(&folders, "/run/containerd"), 0);
	ck_assert_int_eq(store_mark_rehearsal(&store, &folders, &error), 0);
	ck_assert_int_eq(store_rehearsal(&store, &found, &marked, &error), 0);
	ck_assert(marked);
	ck_assert_uint_eq(found.count, 2);
	ck_assert_str_eq(found.items[0], folders.items[0]);
	ck_assert_str_eq(found.items[1], folders.items[1]);
	ck_assert_int_eq(store_unmark_rehearsal(&store, &error), 0);
	ck_assert_int_eq(store_rehearsal(&store, &none, &marked, &error), 0);
	ck_assert(!marked);
}
END_TEST

START_TEST(what_a_crash_left_is_swept)
{
	cleanup_store struct store first = open_locked();

	add_sample(&first, ID);
	store_done(&first);
	tree_write("/store/applies/" ID "/record.json.new", "{");
	tree_write("/store/applies/.new-20261123T214456Z/0.before", "x");
	tree_write("/store/applies/.new-20261123T214456Z/record.json", "x");
	tree_folder("/store/applies/.new-20261123T214457Z");
	tree_link("half", "/store/pending.new");
	tree_write("/store/applies/notes/mine", "x");

	cleanup_store struct store store = open_locked();
	ck_assert_uint_eq(entries("/store/applies"), 2);
	ck_assert_uint_eq(entries("/store/applies/" ID), 4);
	ck_assert_uint_eq(entries("/store"), 3);
	ck_assert(is_there("/store/applies/notes/mine"));
}
END_TEST

/* Runs the step in a process that is killed at its nth call. False when it came to its end. */
static bool crash(unsigned n, int (*step)(void))
{
	pid_t child = fork();

	ck_assert_int_ge(child, 0);
	if (child == 0) {
		crash_at = n;
		call_count = 0;
		_exit(step() == 0 ? 0 : 1);
	}
	int status = 0;
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : status == 0);
	return WIFSIGNALED(status);
}

static int add_step(void)
{
	cleanup_store struct store store = STORE_CLOSED;
	cleanup_txn struct txn txn = sample(ID);

	int r = store_open_locked(tree_path("/store"), "apply", &store, NULL);
	return r < 0 ? r : store_add(&store, &txn, NULL);
}

static int discard_step(void)
{
	cleanup_store struct store store = STORE_CLOSED;
	cleanup_txn struct txn txn = sample(ID);

	int r = store_open_locked(tree_path("/store"), "apply", &store, NULL);
	return r < 0 ? r : store_discard(&store, &txn, NULL);
}

static int save_step(void)
{
	cleanup_store struct store store = STORE_CLOSED;
	cleanup_txn struct txn txn = sample(ID);

	txn.state = TXN_COMMITTED;
	int r = store_open_locked(tree_path("/store"), "apply", &store, NULL);
	if (r == 0)
		r = store_save(&store, &txn, NULL);
	return r < 0 ? r : store_settle(&store, NULL);
}

/* What is there is whole, and marked while there is something to do. */
static void assert_sound(const struct store *store, bool *ret_pending, bool *ret_there)
{
	cleanup_free char *id = pending(store);
	cleanup_strlist struct strlist list = {.items = NULL};
	cleanup_txn struct txn txn = {.id = NULL};

	ck_assert_int_eq(store_list(store, &list, &error), 0);
	ck_assert_uint_eq(entries("/store/applies"), list.count);
	ck_assert_uint_eq(entries("/store"), id ? 3 : 2);
	ck_assert_uint_le(list.count, 1);
	if (list.count) {
		ck_assert_msg(store_load(store, ID, true, &txn, &error) == 0, "%s", error.text);
		ck_assert_uint_eq(entries("/store/applies/" ID), 4);
		ck_assert(id || txn_is_final(&txn));
	}
	*ret_pending = id != NULL;
	*ret_there = list.count != 0;
}

START_TEST(a_crash_while_adding_leaves_all_or_nothing)
{
	unsigned n = 1;
	bool marked = false;
	bool there = false;

	while (crash(n, add_step)) {
		cleanup_store struct store store = open_locked();
		cleanup_txn struct txn txn = sample(ID);

		assert_sound(&store, &marked, &there);
		ck_assert_int_eq(store_discard(&store, &txn, &error), 0);
		n++;
	}
	cleanup_store struct store store = open_locked();
	assert_sound(&store, &marked, &there);
	ck_assert(marked);
	ck_assert_uint_gt(n, 20);
}
END_TEST

START_TEST(a_crash_while_discarding_leaves_all_or_nothing)
{
	unsigned n = 1;
	bool marked = false;
	bool there = false;

	for (bool more = true; more; n++) {
		ck_assert_int_eq(add_step(), 0);
		more = crash(n, discard_step);
		cleanup_store struct store store = open_locked();
		cleanup_txn struct txn txn = sample(ID);
		assert_sound(&store, &marked, &there);
		ck_assert(!there || marked);
		ck_assert_int_eq(store_discard(&store, &txn, &error), 0);
	}
	ck_assert(!there);
	ck_assert_uint_gt(n, 8);
}
END_TEST

START_TEST(a_crash_while_saving_leaves_the_old_or_the_new)
{
	unsigned n = 1;

	for (bool more = true; more; n++) {
		ck_assert_int_eq(add_step(), 0);
		more = crash(n, save_step);
		cleanup_store struct store store = open_locked();
		cleanup_txn struct txn txn = {.id = NULL};
		cleanup_free char *id = pending(&store);

		ck_assert_int_eq(store_load(&store, ID, true, &txn, &error), 0);
		ck_assert(id || txn.state == TXN_COMMITTED);
		ck_assert_uint_eq(entries("/store/applies/" ID), 4);
		ck_assert_int_eq(store_discard(&store, &txn, &error), 0);
	}
	ck_assert_uint_gt(n, 8);
}
END_TEST

START_TEST(a_failure_while_adding_leaves_nothing)
{
	cleanup_store struct store store = open_locked();
	cleanup_txn struct txn txn = sample(ID);
	int r = -1;

	for (unsigned n = 1; r != 0; n++) {
		error = ERROR_NONE;
		call_count = 0;
		fail_at = n;
		r = store_add(&store, &txn, &error);
		fail_at = 0;
		if (r == 0)
			break;
		ck_assert_int_eq(r, -EIO);
		ck_assert_int_eq(error.code, -EIO);
		ck_assert_msg(entries("/store/applies") == 0, "call %u", n);
		ck_assert_uint_eq(entries("/store"), 2);
		ck_assert_uint_lt(n, 100);
	}
	cleanup_free char *id = pending(&store);
	ck_assert_str_eq(id, ID);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		no_folder_is_an_empty_store,
		folders_are_made_for_root_alone,
		a_folder_that_is_open_to_read_is_closed,
		a_folder_that_others_can_change_is_refused,
		others_than_root_are_told,
		the_second_is_told_who_is_first,
		a_holder_who_is_still_writing_is_waited_for,
		a_name_that_is_not_the_holders_is_not_told,
		a_lock_that_becomes_free_is_taken,
		a_lock_ends_with_its_process,
		of_many_one_gets_the_lock,
		what_is_added_can_be_loaded,
		nothing_is_marked_before_it_is_on_the_disk,
		a_record_is_replaced_and_settled,
		two_cannot_be_pending,
		what_could_not_be_read_again_is_not_added,
		a_discarded_one_is_gone,
		damage_is_named,
		a_record_of_another_id_is_damage,
		a_mark_that_is_none_is_an_error,
		ids_sort_by_time_whatever_the_clock,
		ids_are_listed_and_found,
		a_rehearsal_is_marked_with_its_folders,
		what_a_crash_left_is_swept,
		a_crash_while_adding_leaves_all_or_nothing,
		a_crash_while_discarding_leaves_all_or_nothing,
		a_crash_while_saving_leaves_the_old_or_the_new,
		a_failure_while_adding_leaves_nothing,
		NULL,
	};

	return tree_main("store", tests);
}
