/* The whole program on an OS image that the input makes: files are written into a scratch folder in
 * memory, and harden runs on it with --root. Its exit status must be one of those that are
 * documented, its document must be JSON; an apply that fails leaves every file as it was, one that
 * works leaves nothing to do, and a rollback brings every byte back.
 *
 * Built with afl-clang-fast it is a target of AFL++ (`make fuzz-afl`), which runs it in persistent
 * mode; with another compiler it replays the files that it is given (`make check-fuzz`). harden
 * itself runs in a child, because it changes its root directory for good.
 *
 * The input: a byte that chooses the command, one for the state of the files, then texts that end
 * with NUL each: daemon.json, docker.service, a drop-in, the environment file, docker.socket, the
 * version of Docker. Empty ones do not exist. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "base/cleanup.h"
#include "base/strbuf.h"
#include "base/strlist.h"
#include "base/text.h"

#define INPUT_MAX ((size_t)1024 * 1024)
#define STORE "/var/lib/harden"

/* main() of src/cli/main.c. */
int harden_main(int argc, char **argv);

static char root[64];

static void require(bool truth, const char *what)
{
	if (truth)
		return;
	(void)fprintf(stderr, "tree: %s\n", what);
	abort();
}

/* ---- the image ---- */

struct text {
	const char *bytes;
	size_t length;
};

static struct text next_text(struct text *input)
{
	const char *end = input->length ? memchr(input->bytes, '\0', input->length) : NULL;
	struct text text = {input->bytes, end ? (size_t)(end - input->bytes) : input->length};

	input->bytes += text.length + (end != NULL);
	input->length -= text.length + (end != NULL);
	return text;
}

static uint8_t next_byte(struct text *input)
{
	if (!input->length)
		return 0;
	input->length--;
	return (uint8_t)*input->bytes++;
}

static const char *path_in(const char *name)
{
	static char path[512];

	require(snprintf(path, sizeof path, "%s%s", root, name) < (int)sizeof path, "long path");
	return path;
}

static void put(const char *name, struct text text, mode_t mode)
{
	if (!text.length)
		return;
	cleanup_close int fd = open(path_in(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	require(fd >= 0 && write(fd, text.bytes, text.length) == (ssize_t)text.length &&
			fchmod(fd, mode) == 0,
		"cannot write a file");
}

static void puts_text(const char *name, const char *text, mode_t mode)
{
	put(name, (struct text){text, strlen(text)}, mode);
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *walk)
{
	(void)st;
	(void)kind;
	return walk->level ? remove(path) : 0;
}

static void empty_image(void)
{
	(void)nftw(root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void make_folders(void)
{
	static const char *const folders[] = {
		"/etc",         "/etc/docker",
		"/etc/default", "/etc/systemd",
		"/srv",         "/etc/systemd/system",
		"/lib",         "/etc/systemd/system/docker.service.d",
		"/lib/systemd", "/lib/systemd/system",
		"/usr",         "/usr/sbin",
		"/var",         "/var/lib",
		"/dev",         "/var/lib/dpkg",
	};

	for (size_t i = 0; i < array_size(folders); i++)
		require(mkdir(path_in(folders[i]), 0755) == 0, folders[i]);
}

static void put_version(struct text version)
{
	cleanup_strbuf struct strbuf status = STRBUF_EMPTY;

	(void)strbuf_adds(&status, "Package: docker.io\nStatus: install ok installed\nVersion: ");
	(void)strbuf_add(&status, version.bytes, version.length);
	require(strbuf_adds(&status, "\n\n") == 0, "out of memory");
	if (version.length)
		put("/var/lib/dpkg/status", (struct text){status.data, status.length}, 0644);
}

/* Returns the byte that chooses the command. */
static uint8_t make_image(struct text input)
{
	uint8_t command = next_byte(&input);
	uint8_t files = next_byte(&input);
	mode_t mode = files & 1 ? 0600 : files & 2 ? 0666 : 0644;

	empty_image();
	make_folders();
	puts_text("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n", 0644);
	puts_text("/etc/group", "root:x:0:\ndocker:x:101:\n", 0644);
	puts_text("/usr/sbin/dockerd", "#!/bin/false\n", 0755);
	puts_text("/usr/sbin/adduser", "#!/bin/false\n", 0755);
	/* A link keeps pointing, and what it points at is edited. */
	if (files & 4)
		require(symlink("../../srv/daemon.json", path_in("/etc/docker/daemon.json")) == 0,
			"cannot make a link");
	put(files & 4 ? "/srv/daemon.json" : "/etc/docker/daemon.json", next_text(&input), mode);
	put("/lib/systemd/system/docker.service", next_text(&input), 0644);
	put("/etc/systemd/system/docker.service.d/50-site.conf", next_text(&input), mode);
	put("/etc/default/docker", next_text(&input), mode);
	put("/lib/systemd/system/docker.socket", next_text(&input), 0644);
	put_version(next_text(&input));
	return command;
}

/* ---- what is in it ---- */

static struct strbuf *seen;

static void add_content(const char *path, const struct stat *st)
{
	char bytes[4096];
	ssize_t count = 0;

	if (S_ISLNK(st->st_mode)) {
		count = readlink(path, bytes, sizeof bytes);
		require(count >= 0 && strbuf_add(seen, bytes, (size_t)count) == 0, "cannot look");
	} else if (S_ISREG(st->st_mode)) {
		cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
		while ((count = read(fd, bytes, sizeof bytes)) > 0)
			require(strbuf_add(seen, bytes, (size_t)count) == 0, "out of memory");
		require(count == 0, "cannot read");
	}
}

static int look_at(const char *path, const struct stat *st, int kind, struct FTW *walk)
{
	(void)kind;
	(void)walk;
	if (text_starts_with(path + strlen(root), STORE))
		return 0;
	(void)strbuf_addf(seen, "%s %o %u:%u\n", path, st->st_mode, st->st_uid, st->st_gid);
	add_content(path, st);
	return seen->failed;
}

static int by_line(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static struct strlist *names;

static int note_name(const char *path, const struct stat *st, int kind, struct FTW *walk)
{
	(void)st;
	(void)kind;
	(void)walk;
	return strlist_add(names, path);
}

/* All but harden's own records, in an order that does not depend on the file system. */
static void look(struct strbuf *ret)
{
	cleanup_strlist struct strlist list = {.items = NULL};

	names = &list;
	seen = ret;
	require(nftw(root, note_name, 16, FTW_PHYS) == 0, "cannot walk");
	qsort(list.items, list.count, sizeof *list.items, by_line);
	for (size_t i = 0; i < list.count; i++) {
		struct stat st;
		require(lstat(list.items[i], &st) == 0, "cannot look");
		require(look_at(list.items[i], &st, 0, NULL) == 0, "out of memory");
	}
}

/* ---- harden ---- */

/* Runs it, and takes its document; NULL where it has printed nothing. */
static int run(const char *const *arguments, int output, json_t **ret)
{
	char *argv[16] = {"harden", "--root", root, "--json"};
	int argc = 4;
	int status = 0;

	for (; *arguments; arguments++)
		argv[argc++] = (char *)*arguments;
	require(ftruncate(output, 0) == 0 && lseek(output, 0, SEEK_SET) == 0, "no scratch");
	pid_t pid = fork();
	if (pid == 0) {
		/* AFL++ kills who takes too long, and must not leave a harden behind. */
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		int null = open("/dev/null", O_RDWR);
		if (dup2(null, 0) < 0 || dup2(output, 1) < 0 ||
		    (!getenv("HARDEN_FUZZ_SHOW") && dup2(null, 2) < 0))
			_exit(99);
		int result = harden_main(argc, argv);
		(void)fflush(NULL);
		_exit(result);
	}
	require(pid > 0 && waitpid(pid, &status, 0) == pid, "cannot run it");
	require(WIFEXITED(status), "it was killed by a signal");
	require(WEXITSTATUS(status) <= 5, "its exit status is none of those that it has");
	(void)lseek(output, 0, SEEK_SET);
	*ret = json_loadfd(output, JSON_REJECT_DUPLICATES | JSON_DISABLE_EOF_CHECK, NULL);
	require(*ret && json_integer_value(json_object_get(*ret, "schema")) == 1,
		"its document is none");
	return WEXITSTATUS(status);
}

static const char *member(const json_t *document, const char *name)
{
	const char *text = json_string_value(json_object_get(document, name));

	return text ? text : "";
}

static void require_same(const struct strbuf *before, const struct strbuf *after, const char *what)
{
	if (before->length == after->length &&
	    memcmp(before->data, after->data, after->length) == 0)
		return;
	(void)fprintf(stderr, "tree: it was\n%s\ntree: it is\n%s\n", before->data, after->data);
	require(false, what);
}

/* After an apply that worked. */
static void check_applied(const struct strbuf *before, const char *const *apply, int output)
{
	const char *plan[8] = {"plan"};
	const char *const rollback[] = {"rollback", "-y", NULL};
	cleanup_strbuf struct strbuf after = STRBUF_EMPTY;
	json_auto_t *document = NULL;
	json_auto_t *undone = NULL;

	for (size_t i = 1; apply[i + 1]; i++)
		plan[i] = apply[i + 1];
	require(run(plan, output, &document) == 0, "no plan after an apply");
	require(json_array_size(json_object_get(document, "files")) == 0,
		"an apply leaves files to be changed");
	require(run(rollback, output, &undone) == 0, "the rollback failed");
	look(&after);
	require_same(before, &after, "a rollback does not bring back what was");
}

static void check_apply(const char *const *arguments, int output)
{
	cleanup_strbuf struct strbuf before = STRBUF_EMPTY;
	cleanup_strbuf struct strbuf after = STRBUF_EMPTY;
	json_auto_t *document = NULL;

	look(&before);
	int status = run(arguments, output, &document);
	const char *result = member(document, "result");
	bool applied = text_equal(result, "applied") || text_equal(result, "incomplete");

	require(status != 1 && status != 4, "an apply has no such exit status here");
	require(applied == (status == 0 || status == 5) || text_equal(result, "unchanged"),
		"status and result differ");
	if (applied) {
		check_applied(&before, arguments, output);
		return;
	}
	look(&after);
	require_same(&before, &after, "an apply that changes nothing has changed something");
}

/* The commands; those of apply begin with "apply", "-y". */
static const char *const commands[][8] = {
	{"plan"},
	{"check"},
	{"apply", "-y"},
	{"apply", "-y", "--accept", "userns-remap", "--accept", "storage-driver"},
	{"apply", "-y", "--set", "log-opts.tag=x", "--skip", "icc=no"},
	{"apply", "-y", "--profile", "level1", "--only", "userland-proxy"},
};

static void run_on(const char *bytes, size_t length)
{
	uint8_t choice = make_image((struct text){bytes, length});
	const char *const *arguments = commands[choice % array_size(commands)];
	cleanup_close int output = memfd_create("output", MFD_CLOEXEC);
	json_auto_t *document = NULL;

	require(output >= 0, "no scratch");
	if (text_equal(arguments[0], "apply"))
		check_apply(arguments, output);
	else
		(void)run(arguments, output, &document);
}

/* ---- who gives the input ---- */

static void make_root(void)
{
	const char *scratch = getenv("HARDEN_FUZZ_SCRATCH");

	require(snprintf(root, sizeof root, "%s/harden-tree-XXXXXX",
			 scratch ? scratch : "/dev/shm") < (int)sizeof root &&
			mkdtemp(root),
		"no scratch folder");
}

static void remove_root(void)
{
	empty_image();
	(void)rmdir(root);
}

#ifdef __AFL_COMPILER
__AFL_FUZZ_INIT();

int main(void)
{
	__AFL_INIT();
	make_root();
	const unsigned char *bytes = __AFL_FUZZ_TESTCASE_BUF;
	while (__AFL_LOOP(10000))
		run_on((const char *)bytes, (size_t)__AFL_FUZZ_TESTCASE_LEN);
	remove_root();
	return 0;
}
#else
static void replay(const char *path)
{
	cleanup_free char *bytes = malloc(INPUT_MAX);
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = bytes && fd >= 0 ? read(fd, bytes, INPUT_MAX) : -1;

	require(length >= 0, "cannot read the input");
	(void)fprintf(stderr, "tree: %s\n", path);
	run_on(bytes, (size_t)length);
}

int main(int argc, char **argv)
{
	make_root();
	for (int i = 1; i < argc; i++)
		replay(argv[i]);
	remove_root();
	return 0;
}
#endif
