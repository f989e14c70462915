#include "host/version.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "host/clock.h"

/* One line is what there should be. */
#define OUTPUT_MAX 1024
/* How often to look whether a process that closed its output has gone. */
#define REAP_MS 1

static int copy_word(const char *text, const char *prefix, const char *end, char **ret,
		     struct error *error)
{
	*ret = NULL;
	if (!text_starts_with(text, prefix))
		return 0;

	const char *word = text + strlen(prefix);
	size_t length = strcspn(word, end);
	if (!length)
		return 0;
	*ret = strndup(word, length);
	return *ret ? 0 : error_set_oom(error);
}

int version_from_server(const char *server, char **ret, struct error *error)
{
	return copy_word(server, "Docker/", " ", ret, error);
}

int version_from_output(const char *output, char **ret, struct error *error)
{
	return copy_word(output, "Docker version ", ", \n", ret, error);
}

/* ---- running it ---- */

static int spawn_with(posix_spawn_file_actions_t *actions, int output, const char *binary,
		      pid_t *ret)
{
	/* posix_spawn() takes arrays of non-const strings and leaves them alone. */
	char *const argv[] = {(char *)(uintptr_t)binary, (char[]){"--version"}, NULL};
	char *const envp[] = {(char[]){"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, NULL};

	int r = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(actions, output, STDOUT_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_addopen(actions, STDERR_FILENO, "/dev/null", O_WRONLY,
						     0);
	if (r == 0)
		r = posix_spawn(ret, binary, actions, NULL, argv, envp);
	return -r;
}

/* Starts `binary --version`; *ret_fd is the end of the pipe to read from. */
static int spawn(const char *binary, pid_t *ret_pid, int *ret_fd)
{
	posix_spawn_file_actions_t actions;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	cleanup_close int read_end = ends[0];
	cleanup_close int write_end = ends[1];

	int r = -posix_spawn_file_actions_init(&actions);
	if (r < 0)
		return r;
	r = spawn_with(&actions, write_end, binary, ret_pid);
	(void)posix_spawn_file_actions_destroy(&actions);
	if (r == 0)
		*ret_fd = take_fd(read_end);
	return r;
}

static int read_output(int fd, uint64_t deadline_us, char output[static OUTPUT_MAX])
{
	size_t length = 0;

	for (;;) {
		struct pollfd ready = {.fd = fd, .events = POLLIN};
		int r = poll(&ready, 1, clock_left_ms(deadline_us));
		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return r < 0 ? -errno : -ETIMEDOUT;

		ssize_t n = read(fd, output + length, OUTPUT_MAX - 1 - length);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		length += (size_t)n;
		output[length] = '\0';
		if (n == 0)
			return 0;
		if (length == OUTPUT_MAX - 1)
			return -EMSGSIZE;
	}
}

/* Waits for the end of the process; one that does not come to it is killed. Returns its status. */
static int reap(pid_t pid, uint64_t deadline_us, bool kill_now)
{
	int status = -1;

	for (;;) {
		bool late = kill_now || clock_now_us() >= deadline_us;
		if (late)
			(void)kill(pid, SIGKILL);
		pid_t gone = waitpid(pid, &status, late ? 0 : WNOHANG);
		if (gone == pid || (gone < 0 && errno != EINTR))
			return status;
		(void)poll(NULL, 0, REAP_MS);
	}
}

int version_ask(const char *binary, uint64_t deadline_us, char **ret, struct error *error)
{
	char output[OUTPUT_MAX] = "";
	cleanup_close int fd = -1;
	char *version = NULL;
	pid_t pid = 0;

	int r = spawn(binary, &pid, &fd);
	if (r < 0)
		return error_set_errno(error, -r, "run", binary);
	r = read_output(fd, deadline_us, output);
	int status = reap(pid, deadline_us, r < 0);
	if (r == -ETIMEDOUT)
		return error_set(error, r, "run", binary, "--version did not end in time");
	if (r < 0)
		return error_set_errno(error, -r, "run", binary);

	r = version_from_output(output, &version, error);
	if (r < 0)
		return r;
	if (!version)
		return error_set(error, -EBADMSG, "run", binary,
				 "--version printed no version (wait status %d)", status);
	*ret = version;
	return 0;
}
