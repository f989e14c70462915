#include "apply/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apply/writer.h"
#include "base/strbuf.h"
#include "base/text.h"
#include "host/account.h"
#include "host/file.h"

#define NEW_PREFIX ".new-"
#define RECORD "record.json"
#define RECORD_SIZE_MAX ((size_t)64 * 1024 * 1024)

/* The winner of the lock says who it is a moment after it has won. */
#define HOLDER_WAIT_MS 200
#define HOLDER_STEP_MS 10

#define LAST_NUMBER 999

void store_done(struct store *store)
{
	/* Nobody should read the name of one who has left. */
	if (store->lock_fd >= 0 && ftruncate(store->lock_fd, 0) < 0)
		(void)0;
	if (store->lock_fd >= 0)
		(void)close(store->lock_fd);
	free(store->folder);
	*store = STORE_CLOSED;
}

static char *path_in(const struct store *store, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* A path below the store's folder; NULL when out of memory. */
static char *path_in(const struct store *store, const char *format, ...)
{
	cleanup_strbuf struct strbuf path = STRBUF_EMPTY;
	va_list arguments;

	(void)strbuf_addf(&path, "%s/", store->folder);
	va_start(arguments, format);
	(void)strbuf_addv(&path, format, arguments);
	va_end(arguments);
	return strbuf_finish(&path);
}

/* ---- opening ---- */

/* Opens the folder for its checks, with *ret_fd -1 where there is none. */
static int open_folder(const char *folder, int *ret_fd, struct error *error)
{
	cleanup_close int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	*ret_fd = -1;
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 && (errno == ELOOP || errno == ENOTDIR))
		return error_set(error, -EPERM, "open", folder,
				 "this has to be a folder and no symbolic link: move it away");
	if (fd < 0 && errno == EACCES)
		return error_set(error, -EACCES, "open", folder,
				 "only root may look into it: run harden as root");
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_set_errno(error, errno, "open", folder);
	if (st.st_uid != geteuid())
		return error_set(error, -EPERM, "open", folder,
				 "it belongs to user %u and not to the one that runs harden: what "
				 "is in it cannot be trusted; move it away",
				 st.st_uid);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return error_set(error, -EPERM, "open", folder,
				 "others than its owner may write in it (mode %04o), so what is in "
				 "it cannot be trusted; look at it, then run `chmod 0700 %s`",
				 st.st_mode & 07777, folder);
	*ret_fd = take_fd(fd);
	return 0;
}

int store_open(const char *folder, struct store *ret, struct error *error)
{
	cleanup_close int fd = -1;
	int r = open_folder(folder, &fd, error);

	if (r < 0)
		return r;
	struct store store = {.folder = strdup(folder), .lock_fd = -1};
	if (!store.folder)
		return error_set_oom(error);
	*ret = store;
	return 0;
}

/* The folders above are ordinary ones; in an image there may be none yet. */
static int make_parents(const char *folder, struct error *error)
{
	cleanup_free char *path = strdup(folder);
	int r = 0;

	if (!path)
		return error_set_oom(error);
	for (char *slash = strchr(path + 1, '/'); r == 0 && slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (access(path, F_OK) < 0)
			r = writer_make_folder(path, 0755, error);
		*slash = '/';
	}
	return r;
}

/* Also what exists is made again, which syncs the folder that it is in: whoever made it may have
 * been killed before that. */
static int make_folders(const struct store *store, struct error *error)
{
	cleanup_free char *applies = path_in(store, "applies");
	cleanup_close int fd = -1;
	struct stat st;

	if (!applies)
		return error_set_oom(error);
	int r = make_parents(store->folder, error);
	if (r == 0)
		r = writer_make_folder(store->folder, 0700, error);
	if (r == 0)
		r = open_folder(store->folder, &fd, error);
	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0 || ((st.st_mode & 07777) != 0700 && fchmod(fd, 0700) < 0))
		return error_set_errno(error, errno, "set mode of", store->folder);
	return writer_make_folder(applies, 0700, error);
}

/* ---- the lock ---- */

#define TIME_SIZE sizeof "YYYY-MM-DDTHH:MM:SSZ and more for years to come"

/* Who is at the keyboard: behind sudo it is not root. */
static char *user_name(void)
{
	const char *sudo = secure_getenv("SUDO_USER");
	cleanup_free char *name = NULL;
	cleanup_free char *home = NULL;
	cleanup_strbuf struct strbuf number = STRBUF_EMPTY;
	struct error ignored = ERROR_NONE;

	if (sudo && *sudo && !strpbrk(sudo, "\r\n"))
		return strdup(sudo);
	if (account_find_user("", getuid(), &name, &home, &ignored) == 0 && name && *name)
		return take_ptr(name);
	(void)strbuf_addf(&number, "%u", getuid());
	return strbuf_finish(&number);
}

static int write_holder(int fd, const char *path, const char *command, struct error *error)
{
	cleanup_free char *user = user_name();
	cleanup_strbuf struct strbuf line = STRBUF_EMPTY;
	char moment[TIME_SIZE] = "";
	time_t now = time(NULL);
	struct tm utc;

	if (!user)
		return error_set_oom(error);
	if (gmtime_r(&now, &utc))
		(void)strftime(moment, sizeof moment, "%Y-%m-%dT%H:%M:%SZ", &utc);
	if (strbuf_addf(&line, "%d %s %s %s\n", (int)getpid(), command, user, moment) < 0)
		return error_set_oom(error);
	/* In one write, so that who reads it sees all of it or none. */
	if (ftruncate(fd, 0) < 0)
		return error_set_errno(error, errno, "write", path);
	ssize_t n = pwrite(fd, line.data, line.length, 0);
	if (n < 0 || (size_t)n != line.length)
		return error_set_errno(error, n < 0 ? errno : ENOSPC, "write", path);
	return 0;
}

/* The four parts of the line; false when it is not complete, or left by a process that is gone. */
static bool parse_holder(char *line, const char *parts[4])
{
	char *end = strchr(line, '\n');
	char *command = strchr(line, ' ');
	char *user = command ? strchr(command + 1, ' ') : NULL;
	char *moment = NULL;

	if (!end || !user)
		return false;
	*end = '\0';
	/* Names of users may have spaces; the other parts have none. */
	moment = strrchr(user + 1, ' ');
	if (!moment)
		return false;
	*command = *user = *moment = '\0';
	parts[0] = line;
	parts[1] = command + 1;
	parts[2] = user + 1;
	parts[3] = moment + 1;

	long pid = strtol(line, NULL, 10);
	return pid > 0 && pid <= INT_MAX && (kill((pid_t)pid, 0) == 0 || errno != ESRCH);
}

/* -EBUSY, and an error that names the holder if it has said who it is. */
static int try_lock(int fd, const char *path, struct error *error)
{
	const char *parts[4];
	char line[512];

	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK)
		return error_set_errno(error, errno, "lock", path);
	ssize_t n = pread(fd, line, sizeof line - 1, 0);
	line[n > 0 ? n : 0] = '\0';
	if (!parse_holder(line, parts))
		return -EBUSY;
	return error_set(error, -EBUSY, "lock", path,
			 "another harden is at work: harden %s, process %s, started by %s at %s; "
			 "wait for it to end",
			 parts[1], parts[0], parts[2], parts[3]);
}

/* Waits for the holder's name only, not for the lock; who finds it free meanwhile may have it. */
static int lock_or_name(int fd, const char *path, struct error *error)
{
	const struct timespec step = {.tv_nsec = HOLDER_STEP_MS * 1000000L};
	struct error why = ERROR_NONE;
	int r = try_lock(fd, path, &why);

	for (unsigned waited = 0; r == -EBUSY && !why.code && waited < HOLDER_WAIT_MS;
	     waited += HOLDER_STEP_MS) {
		(void)nanosleep(&step, NULL);
		r = try_lock(fd, path, &why);
	}
	if (r < 0 && !why.code)
		return error_set(error, r, "lock", path,
				 "another harden is at work, which has not said who it is; wait "
				 "for it to end");
	return r < 0 ? error_set(error, r, "lock", path, "%s", why.text) : 0;
}

static int take_lock(struct store *store, const char *command, struct error *error)
{
	cleanup_free char *path = path_in(store, "lock");

	if (!path)
		return error_set_oom(error);
	cleanup_close int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_set_errno(error, errno, "lock", path);
	int r = lock_or_name(fd, path, error);
	if (r == 0)
		r = write_holder(fd, path, command, error);
	if (r == 0)
		store->lock_fd = take_fd(fd);
	return r;
}

/* ---- what a crash has left ---- */

/* A folder of files, none of which is a folder. */
static int remove_tree(const char *path, struct error *error)
{
	cleanup_closedir DIR *folder = opendir(path);
	const struct dirent *entry;

	if (!folder && errno == ENOENT)
		return 0;
	if (!folder)
		return error_set_errno(error, errno, "remove", path);
	while ((entry = readdir(folder))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (unlinkat(dirfd(folder), entry->d_name, 0) < 0 && errno != ENOENT)
			return error_set_errno(error, errno, "remove", path);
	}
	return writer_remove_folder(path, error);
}

/* What cannot be swept harms nobody, and is tried again the next time. */
static void sweep_entry(const struct store *store, const char *name)
{
	struct error ignored = ERROR_NONE;

	if (text_starts_with(name, NEW_PREFIX)) {
		cleanup_free char *path = path_in(store, "applies/%s", name);
		if (path)
			(void)remove_tree(path, &ignored);
	} else if (txn_id_is_valid(name)) {
		cleanup_free char *path = path_in(store, "applies/%s/" RECORD ".new", name);
		if (path)
			(void)unlink(path);
	}
}

static void sweep(const struct store *store)
{
	cleanup_free char *applies = path_in(store, "applies");
	cleanup_free char *mark = path_in(store, "pending.new");
	cleanup_free char *rehearsal = path_in(store, "rehearsal.new");
	cleanup_closedir DIR *folder = applies ? opendir(applies) : NULL;
	const struct dirent *entry;

	if (mark)
		(void)unlink(mark);
	if (rehearsal)
		(void)unlink(rehearsal);
	while (folder && (entry = readdir(folder)))
		sweep_entry(store, entry->d_name);
}

int store_open_locked(const char *folder, const char *command, struct store *ret,
		      struct error *error)
{
	cleanup_store struct store store = {.folder = strdup(folder), .lock_fd = -1};

	if (!store.folder)
		return error_set_oom(error);
	int r = make_folders(&store, error);
	if (r == 0)
		r = take_lock(&store, command, error);
	if (r < 0)
		return r;
	sweep(&store);
	*ret = store;
	store = STORE_CLOSED;
	return 0;
}

/* ---- ids ---- */

int store_list(const struct store *store, struct strlist *ret, struct error *error)
{
	cleanup_free char *applies = path_in(store, "applies");
	cleanup_strlist struct strlist list = {.items = NULL};

	if (!applies)
		return error_set_oom(error);
	cleanup_closedir DIR *folder = opendir(applies);
	if (!folder && errno != ENOENT)
		return error_set_errno(error, errno, "read", applies);
	while (folder) {
		errno = 0;
		const struct dirent *entry = readdir(folder);
		if (!entry && errno)
			return error_set_errno(error, errno, "read", applies);
		if (!entry)
			break;
		if (txn_id_is_valid(entry->d_name) && strlist_add(&list, entry->d_name) < 0)
			return error_set_oom(error);
	}
	strlist_sort(&list);
	*ret = list;
	list = (struct strlist){.items = NULL};
	return 0;
}

#define STAMP_FORMAT "%Y%m%dT%H%M%SZ"
#define STAMP_LENGTH (sizeof "YYYYmmddTHHMMSSZ" - 1)

static int stamp(time_t time, char ret[STAMP_LENGTH + 1], struct error *error)
{
	struct tm utc;

	if (gmtime_r(&time, &utc) && utc.tm_year >= -900 && utc.tm_year <= 8099 &&
	    strftime(ret, STAMP_LENGTH + 1, STAMP_FORMAT, &utc) == STAMP_LENGTH)
		return 0;
	return error_set(error, -EOVERFLOW, "make an id", NULL,
			 "the clock shows an impossible year; set it first");
}

/* The second after the one that an id begins with. */
static int stamp_after(const char *id, char ret[STAMP_LENGTH + 1], struct error *error)
{
	struct tm utc = {.tm_year = 0};

	if (!strptime(id, STAMP_FORMAT, &utc))
		return error_set(error, -EBADMSG, "make an id", id,
				 "this apply was at an impossible time; move its folder away");
	return stamp(timegm(&utc) + 1, ret, error);
}

int store_new_id(const struct store *store, time_t now, char **ret, struct error *error)
{
	cleanup_strlist struct strlist list = {.items = NULL};
	cleanup_strbuf struct strbuf id = STRBUF_EMPTY;
	char text[STAMP_LENGTH + 1];

	int r = stamp(now, text, error);
	if (r == 0)
		r = store_list(store, &list, error);
	if (r < 0)
		return r;

	const char *last = list.count ? list.items[list.count - 1] : "";
	long number = 1;
	if (strlen(last) > STAMP_LENGTH)
		number = strtol(last + STAMP_LENGTH + 1, NULL, 10);

	if (strcmp(text, last) > 0) {
		(void)strbuf_adds(&id, text);
	} else if (number < LAST_NUMBER) {
		(void)strbuf_addf(&id, "%.*s-%03ld", (int)STAMP_LENGTH, last, number + 1);
	} else {
		r = stamp_after(last, text, error);
		(void)strbuf_adds(&id, text);
	}
	if (r < 0)
		return r;
	char *result = strbuf_finish(&id);
	if (!result)
		return error_set_oom(error);
	*ret = result;
	return 0;
}

int store_pending(const struct store *store, char **ret, struct error *error)
{
	static const char prefix[] = "applies/";
	cleanup_free char *mark = path_in(store, "pending");
	char target[128];

	if (!mark)
		return error_set_oom(error);
	ssize_t length = readlink(mark, target, sizeof target - 1);
	if (length < 0 && errno == ENOENT) {
		*ret = NULL;
		return 0;
	}
	if (length < 0 && errno != EINVAL)
		return error_set_errno(error, errno, "read", mark);
	target[length > 0 ? length : 0] = '\0';
	if (!text_starts_with(target, prefix) || !txn_id_is_valid(target + strlen(prefix)))
		return error_set(error, -EBADMSG, "read", mark,
				 "this should be a symbolic link to the apply that is pending, as "
				 "%sID; look into %s/applies for it",
				 prefix, store->folder);
	char *id = strdup(target + strlen(prefix));
	if (!id)
		return error_set_oom(error);
	*ret = id;
	return 0;
}

/* ---- rehearsals ---- */

/* Nobody writes more than a few lines. */
#define REHEARSAL_SIZE_MAX ((size_t)64 * 1024)

int store_mark_rehearsal(const struct store *store, const struct strlist *folders,
			 struct error *error)
{
	cleanup_free char *mark = path_in(store, "rehearsal");
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;

	for (size_t i = 0; i < folders->count; i++)
		(void)strbuf_addf(&text, "%s\n", folders->items[i]);
	if (!mark || text.failed)
		return error_set_oom(error);
	return writer_replace(mark, text.data ? text.data : "", text.length, 0600, error);
}

int store_rehearsal(const struct store *store, struct strlist *ret_folders, bool *ret_marked,
		    struct error *error)
{
	cleanup_free char *mark = path_in(store, "rehearsal");
	cleanup_text_file struct text_file file = {.path = NULL};
	cleanup_strlist struct strlist folders = {.items = NULL};

	if (!mark)
		return error_set_oom(error);
	int r = file_read(mark, REHEARSAL_SIZE_MAX, &file, error);
	if (r < 0)
		return r;
	for (const char *line = file.data; line && *line;) {
		size_t length = strcspn(line, "\n");
		if (length && strlist_add_bytes(&folders, line, length) < 0)
			return error_set_oom(error);
		line += length + (line[length] == '\n');
	}
	*ret_marked = file.state != FILE_ABSENT;
	*ret_folders = folders;
	folders = (struct strlist){.items = NULL};
	return 0;
}

int store_unmark_rehearsal(const struct store *store, struct error *error)
{
	cleanup_free char *mark = path_in(store, "rehearsal");

	return mark ? writer_remove(mark, error) : error_set_oom(error);
}

int store_find(const struct store *store, const char *prefix, char **ret, struct error *error)
{
	cleanup_strlist struct strlist list = {.items = NULL};
	const char *found = NULL;
	size_t count = 0;

	int r = store_list(store, &list, error);
	if (r < 0)
		return r;
	for (size_t i = 0; i < list.count; i++) {
		if (!*prefix || !text_starts_with(list.items[i], prefix))
			continue;
		found = list.items[i];
		count++;
		/* The list is sorted: the exact one comes first. */
		if (strcmp(found, prefix) == 0)
			break;
	}
	if (count == 0)
		return error_set(error, -ENOENT, "find apply", prefix,
				 "there is no such apply; `harden history` lists them");
	if (count > 1)
		return error_set(error, -ENOTUNIQ, "find apply", prefix,
				 "%zu applies begin like this; `harden history` lists them", count);
	char *id = strdup(found);
	if (!id)
		return error_set_oom(error);
	*ret = id;
	return 0;
}

/* ---- writing ---- */

/* Ends with a newline: people read it too. NULL when out of memory. */
static char *record_text(const struct txn *txn)
{
	json_auto_t *document = txn_to_json(txn);
	cleanup_free char *text = document ? json_dumps(document, JSON_INDENT(2)) : NULL;
	cleanup_strbuf struct strbuf lines = STRBUF_EMPTY;

	if (!text || strbuf_addf(&lines, "%s\n", text) < 0)
		return NULL;
	return strbuf_finish(&lines);
}

static int parse_record(const char *text, size_t length, const char *path, struct txn *ret,
			struct error *error)
{
	json_error_t json_error = {.line = 0};
	json_auto_t *document =
		json_loadb(text, length, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &json_error);

	if (!document && json_error_code(&json_error) == json_error_out_of_memory)
		return error_set_oom(error);
	if (!document)
		return error_set_at(error, -EBADMSG, "read record", path,
				    json_error.line > 0 ? (unsigned)json_error.line : 1,
				    json_error.column > 0 ? (unsigned)json_error.column : 1,
				    "the record is damaged: %s", json_error.text);
	return txn_from_json(document, path, ret, error);
}

/* A record that cannot be read again would be no help after a crash. */
static int check_text(const char *text, const char *path, struct error *error)
{
	cleanup_txn struct txn again = {.id = NULL};
	struct error why = ERROR_NONE;

	int r = parse_record(text, strlen(text), path, &again, &why);
	return r < 0 ? error_set(error, r, "keep", path, "it could not be read again: %s", why.text)
		     : 0;
}

static int write_own(const char *path, const char *bytes, size_t length, struct error *error)
{
	const struct filestate state = {.exists = true,
					.data = (char *)bytes,
					.length = length,
					.uid = geteuid(),
					.gid = getegid(),
					.mode = 0600};

	return writer_stage(path, &state, error);
}

static int write_blob(const char *folder, const struct txn *txn, size_t index,
		      enum txn_version version, struct error *error)
{
	struct txn_file *file = &txn->files[index];
	const struct filestate *state = txn_file_version(file, version);
	cleanup_strbuf struct strbuf path = STRBUF_EMPTY;
	char name[TXN_BLOB_NAME_SIZE];

	if (!txn_keeps_bytes(file, version))
		return 0;
	if (!state->data)
		return error_set(error, -EINVAL, "keep", file->path,
				 "the bytes of this file are not known");
	txn_blob_name(index, version, name);
	if (strbuf_addf(&path, "%s/%s", folder, name) < 0)
		return error_set_oom(error);
	return write_own(path.data, state->data, state->length, error);
}

static int sync_folder(const char *path, struct error *error)
{
	cleanup_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return error_set_errno(error, errno, "sync", path);
	return 0;
}

/* All of a transaction, in a folder that nobody looks into yet. */
static int fill_folder(const char *folder, const struct txn *txn, struct error *error)
{
	cleanup_strbuf struct strbuf path = STRBUF_EMPTY;
	cleanup_free char *text = record_text(txn);

	if (!text || strbuf_addf(&path, "%s/" RECORD, folder) < 0)
		return error_set_oom(error);
	int r = check_text(text, path.data, error);
	if (r == 0)
		r = writer_make_folder(folder, 0700, error);
	for (size_t i = 0; r == 0 && i < txn->file_count; i++) {
		r = write_blob(folder, txn, i, TXN_BEFORE, error);
		if (r == 0)
			r = write_blob(folder, txn, i, TXN_AFTER, error);
	}
	if (r == 0)
		r = write_own(path.data, text, strlen(text), error);
	return r < 0 ? r : sync_folder(folder, error);
}

static int mark_pending(const struct store *store, const char *id, struct error *error)
{
	cleanup_free char *mark = path_in(store, "pending");
	cleanup_strbuf struct strbuf target = STRBUF_EMPTY;

	if (!mark || strbuf_addf(&target, "applies/%s", id) < 0)
		return error_set_oom(error);
	return writer_link(target.data, mark, error);
}

static int check_new(const struct store *store, const struct txn *txn, struct error *error)
{
	cleanup_free char *pending = NULL;

	if (!txn->id || !txn_id_is_valid(txn->id))
		return error_set(error, -EINVAL, "keep", store->folder, "\"%s\" is no id",
				 txn->id ? txn->id : "");
	int r = store_pending(store, &pending, error);
	if (r == 0 && pending)
		r = error_set(error, -EEXIST, "keep", store->folder,
			      "%s was interrupted and is still pending; run `harden recover` first",
			      pending);
	return r;
}

int store_add(const struct store *store, const struct txn *txn, struct error *error)
{
	struct error ignored = ERROR_NONE;

	int r = check_new(store, txn, error);
	if (r < 0)
		return r;
	cleanup_free char *fresh = path_in(store, "applies/" NEW_PREFIX "%s", txn->id);
	cleanup_free char *final = path_in(store, "applies/%s", txn->id);
	if (!fresh || !final)
		return error_set_oom(error);

	if (access(final, F_OK) == 0)
		return error_set(error, -EEXIST, "keep", final, "there is such an apply already");
	r = remove_tree(fresh, error);
	if (r == 0)
		r = fill_folder(fresh, txn, error);
	/* The mark comes first: a record that is there without one would be of something that never
	 * began and looks as if it were still under way. */
	if (r == 0)
		r = mark_pending(store, txn->id, error);
	if (r == 0)
		r = writer_switch(fresh, final, error);
	if (r < 0)
		(void)store_discard(store, txn, &ignored);
	return r;
}

int store_save(const struct store *store, const struct txn *txn, struct error *error)
{
	cleanup_free char *path = path_in(store, "applies/%s/" RECORD, txn->id);
	cleanup_free char *text = record_text(txn);

	if (!path || !text)
		return error_set_oom(error);
	return writer_replace(path, text, strlen(text), 0600, error);
}

int store_settle(const struct store *store, struct error *error)
{
	cleanup_free char *mark = path_in(store, "pending");

	return mark ? writer_remove(mark, error) : error_set_oom(error);
}

/* The other way round: the whole transaction goes at once, by its name, then the mark. */
int store_discard(const struct store *store, const struct txn *txn, struct error *error)
{
	cleanup_free char *fresh = path_in(store, "applies/" NEW_PREFIX "%s", txn->id);
	cleanup_free char *final = path_in(store, "applies/%s", txn->id);
	cleanup_free char *pending = NULL;
	int r = 0;

	if (!fresh || !final)
		return error_set_oom(error);
	if (access(final, F_OK) == 0) {
		r = remove_tree(fresh, error);
		if (r == 0)
			r = writer_switch(final, fresh, error);
	}
	if (r == 0)
		r = store_pending(store, &pending, error);
	if (r == 0 && pending && strcmp(pending, txn->id) == 0)
		r = store_settle(store, error);
	return r < 0 ? r : remove_tree(fresh, error);
}

/* ---- reading ---- */

static int load_blob(const char *folder, struct txn *txn, size_t index, enum txn_version version,
		     struct error *error)
{
	struct txn_file *file = &txn->files[index];
	struct filestate *state = txn_file_version(file, version);
	cleanup_strbuf struct strbuf path = STRBUF_EMPTY;
	cleanup_text_file struct text_file blob = {.path = NULL};
	char name[TXN_BLOB_NAME_SIZE];
	char digest[SHA256_HEX_SIZE] = "";

	if (!txn_keeps_bytes(file, version))
		return 0;
	txn_blob_name(index, version, name);
	if (strbuf_addf(&path, "%s/%s", folder, name) < 0)
		return error_set_oom(error);
	int r = file_read(path.data, CONFIG_SIZE_MAX, &blob, error);
	if (r < 0)
		return r;
	if (blob.state != FILE_READ)
		return error_set(error, -EBADMSG, "read", path.data,
				 "the copy of %s from %s the change is %s", file->path,
				 version == TXN_BEFORE ? "before" : "after",
				 blob.state == FILE_ABSENT ? "missing" : "not readable");
	sha256_hex(blob.data, blob.length, digest);
	if (blob.length != state->length || strcmp(digest, state->sha256) != 0)
		return error_set(error, -EBADMSG, "read", path.data,
				 "the copy of %s from %s the change is damaged: its bytes are not "
				 "those that "
				 "were kept",
				 file->path, version == TXN_BEFORE ? "before" : "after");
	state->data = take_ptr(blob.data);
	return 0;
}

static int load_record(const char *folder, const char *id, struct txn *ret, struct error *error)
{
	cleanup_strbuf struct strbuf path = STRBUF_EMPTY;
	cleanup_text_file struct text_file record = {.path = NULL};
	cleanup_txn struct txn txn = {.id = NULL};

	if (strbuf_addf(&path, "%s/" RECORD, folder) < 0)
		return error_set_oom(error);
	int r = file_read(path.data, RECORD_SIZE_MAX, &record, error);
	if (r < 0)
		return r;
	if (record.state == FILE_ABSENT && access(folder, F_OK) < 0)
		return error_set(error, -ENOENT, "find apply", id,
				 "there is no such apply; `harden history` lists them");
	if (record.state != FILE_READ)
		return error_set(error, -EBADMSG, "read record", path.data, "the record is %s",
				 record.state == FILE_ABSENT ? "missing" : "not readable");
	r = parse_record(record.data, record.length, path.data, &txn, error);
	if (r < 0)
		return r;
	if (strcmp(txn.id, id) != 0)
		return error_set(error, -EBADMSG, "read record", path.data,
				 "the record is damaged: its id is %s", txn.id);
	*ret = txn;
	txn = (struct txn){.id = NULL};
	return 0;
}

int store_load(const struct store *store, const char *id, bool bytes, struct txn *ret,
	       struct error *error)
{
	cleanup_txn struct txn txn = {.id = NULL};

	if (!txn_id_is_valid(id))
		return error_set(error, -ENOENT, "find apply", id,
				 "there is no such apply; `harden history` lists them");
	cleanup_free char *folder = path_in(store, "applies/%s", id);
	if (!folder)
		return error_set_oom(error);
	int r = load_record(folder, id, &txn, error);
	for (size_t i = 0; bytes && r == 0 && i < txn.file_count; i++) {
		r = load_blob(folder, &txn, i, TXN_BEFORE, error);
		if (r == 0)
			r = load_blob(folder, &txn, i, TXN_AFTER, error);
	}
	if (r < 0)
		return r;
	*ret = txn;
	txn = (struct txn){.id = NULL};
	return 0;
}
