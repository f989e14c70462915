#include "host/command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "host/clock.h"

/* How often to look whether a process that closed its output has gone. */
#define REAP_MS 1

struct ends {
	int input; /* -1: nothing to read */
	int output;
	bool errors;
};

static int spawn_with(posix_spawn_file_actions_t *actions, const struct ends *ends,
		      const char *const *argv, pid_t *ret)
{
	char *const envp[] = {(char[]){"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, NULL};
	int r = ends->input < 0
			? posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null",
							   O_RDONLY, 0)
			: posix_spawn_file_actions_adddup2(actions, ends->input, STDIN_FILENO);

	if (r == 0)
		r = posix_spawn_file_actions_adddup2(actions, ends->output, STDOUT_FILENO);
	if (r == 0 && ends->errors)
		r = posix_spawn_file_actions_adddup2(actions, ends->output, STDERR_FILENO);
	else if (r == 0)
		r = posix_spawn_file_actions_addopen(actions, STDERR_FILENO, "/dev/null", O_WRONLY,
						     0);
	/* posix_spawn() takes an array of non-const strings and leaves them alone. */
	if (r == 0)
		r = posix_spawn(ret, argv[0], actions, NULL, (char *const *)(uintptr_t)argv, envp);
	return -r;
}

/* A file rather than a pipe: nobody has to feed it while the output is read. */
static int make_input(const struct command *command, int *ret)
{
	cleanup_close int fd = -1;
	size_t done = 0;

	*ret = -1;
	if (!command->input)
		return 0;
	fd = memfd_create("input", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (done < command->input_length) {
		ssize_t n = pwrite(fd, command->input + done, command->input_length - done,
				   (off_t)done);
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	*ret = take_fd(fd);
	return 0;
}

/* Starts it; *ret_fd is the end of the pipe to read from. */
static int spawn(const struct command *command, pid_t *ret_pid, int *ret_fd)
{
	posix_spawn_file_actions_t actions;
	cleanup_close int input = -1;
	int pipe_ends[2];

	int r = make_input(command, &input);
	if (r < 0)
		return r;
	if (pipe2(pipe_ends, O_CLOEXEC) < 0)
		return -errno;
	cleanup_close int read_end = pipe_ends[0];
	cleanup_close int write_end = pipe_ends[1];

	r = -posix_spawn_file_actions_init(&actions);
	if (r < 0)
		return r;
	const struct ends ends = {input, write_end, command->errors};
	r = spawn_with(&actions, &ends, command->argv, ret_pid);
	(void)posix_spawn_file_actions_destroy(&actions);
	if (r == 0)
		*ret_fd = take_fd(read_end);
	return r;
}

static int read_output(int fd, size_t limit, uint64_t deadline_us, struct strbuf *output)
{
	size_t start = output->length;

	for (;;) {
		char bytes[1024];
		struct pollfd ready = {.fd = fd, .events = POLLIN};
		int r = poll(&ready, 1, clock_left_ms(deadline_us));
		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return r < 0 ? -errno : -ETIMEDOUT;

		ssize_t n = read(fd, bytes, sizeof bytes);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		if (strbuf_add(output, bytes, (size_t)n) < 0)
			return -ENOMEM;
		if (output->length - start > limit)
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

int command_run(const struct command *command, uint64_t deadline_us, struct strbuf *output,
		int *ret_status)
{
	cleanup_close int fd = -1;
	pid_t pid = 0;

	int r = spawn(command, &pid, &fd);
	if (r < 0)
		return r;
	r = read_output(fd, command->output_max, deadline_us, output);
	int status = reap(pid, deadline_us, r < 0);
	if (r == 0)
		*ret_status = status;
	return r;
}
