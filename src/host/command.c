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
/* How often to look whether one that keeps it open has. */
#define LOOK_US 20000
#define READS_MAX 256

struct ends {
	int input; /* -1: nothing to read */
	int output;
	bool errors;
};

/* What harden blocks and ignores is its own business. */
static int set_attributes(posix_spawnattr_t *attributes, bool group)
{
	int flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
	sigset_t none;
	sigset_t ignored;

	(void)sigemptyset(&none);
	(void)sigemptyset(&ignored);
	(void)sigaddset(&ignored, SIGPIPE);
	if (group)
		flags |= POSIX_SPAWN_SETPGROUP;
	int r = posix_spawnattr_setsigmask(attributes, &none);
	if (r == 0)
		r = posix_spawnattr_setsigdefault(attributes, &ignored);
	if (r == 0)
		r = posix_spawnattr_setpgroup(attributes, 0);
	return r == 0 ? posix_spawnattr_setflags(attributes, (short)flags) : r;
}

static int spawn_with(posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes,
		      const struct ends *ends, const struct command *command, pid_t *ret)
{
	char *const path_only[] = {(char[]){"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, NULL};
	char *const *envp = command->environment ? command->environment : path_only;
	const char *const *argv = command->argv;
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
		r = posix_spawn(ret, argv[0], actions, attributes, (char *const *)(uintptr_t)argv,
				envp);
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
	posix_spawnattr_t attributes;
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
	r = -posix_spawnattr_init(&attributes);
	if (r == 0) {
		r = -set_attributes(&attributes, command->group);
		if (r == 0)
			r = spawn_with(&actions, &attributes, &ends, command, ret_pid);
		(void)posix_spawnattr_destroy(&attributes);
	}
	(void)posix_spawn_file_actions_destroy(&actions);
	if (r == 0)
		*ret_fd = take_fd(read_end);
	return r;
}

/* Keeps what is to be kept. */
static int take_output(const struct command *command, const char *bytes, size_t n, size_t start,
		       struct strbuf *output)
{
	if (strbuf_add(output, bytes, n) < 0)
		return -ENOMEM;
	size_t length = output->length - start;
	if (length <= command->output_max)
		return 0;
	if (!command->last)
		return -EMSGSIZE;
	return strbuf_splice(output, start, length - command->output_max, "", 0);
}

/* One read; 1 at the end of the output. -EAGAIN where there is nothing at the moment. */
static int read_some(const struct command *command, int fd, size_t start, struct strbuf *output)
{
	char bytes[1024];
	ssize_t n = read(fd, bytes, sizeof bytes);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	return n == 0 ? 1 : take_output(command, bytes, (size_t)n, start, output);
}

static int read_output(const struct command *command, int fd, uint64_t deadline_us,
		       struct strbuf *output)
{
	size_t start = output->length;
	int r = 0;

	while (r == 0) {
		struct pollfd ready = {.fd = fd, .events = POLLIN};
		int n = poll(&ready, 1, clock_left_ms(deadline_us));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ETIMEDOUT;
		r = read_some(command, fd, start, output);
	}
	return r < 0 ? r : 0;
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

/* Waits for something to happen, or a little while. */
static int look(const struct command_watch *watch, int fd, uint64_t deadline_us)
{
	struct pollfd fds[] = {
		{.fd = fd, .events = POLLIN},
		{.fd = watch ? watch->interrupt_fd : -1, .events = POLLIN},
	};
	uint64_t soon = clock_now_us() + LOOK_US;

	if (clock_now_us() >= deadline_us)
		return -ETIMEDOUT;
	(void)poll(fds, array_size(fds), clock_left_ms(soon < deadline_us ? soon : deadline_us));
	if (fds[1].revents & POLLIN)
		return -ECANCELED;
	if (watch && watch->tick)
		watch->tick(watch->context);
	return 0;
}

/* Reads what is there; of one that never stops printing not for ever. */
static int drain(const struct command *command, int fd, size_t start, struct strbuf *output,
		 bool *open)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && i < READS_MAX; i++)
		r = read_some(command, fd, start, output);
	*open = r == 0 || r == -EAGAIN;
	return r == -EAGAIN || r == 1 ? 0 : r;
}

/* Whoever it has started may keep the output open for ever, so that its end says nothing. */
static int follow_group(const struct command *command, pid_t pid, int fd, uint64_t deadline_us,
			struct strbuf *output, int *ret_status)
{
	size_t start = output->length;
	bool open = true;
	bool gone = false;
	int r = 0;

	(void)fcntl(fd, F_SETFL, O_NONBLOCK);
	while (r == 0 && !gone) {
		r = look(command->watch, open ? fd : -1, deadline_us);
		gone = r == 0 && waitpid(pid, ret_status, WNOHANG) == pid;
		if (r == 0 && open)
			r = drain(command, fd, start, output, &open);
	}
	if (r < 0)
		(void)kill(-pid, SIGKILL);
	if (!gone)
		(void)reap(pid, 0, true);
	return r;
}

int command_run(const struct command *command, uint64_t deadline_us, struct strbuf *output,
		int *ret_status)
{
	cleanup_close int fd = -1;
	pid_t pid = 0;

	int r = spawn(command, &pid, &fd);
	if (r < 0)
		return r;
	if (command->group)
		return follow_group(command, pid, fd, deadline_us, output, ret_status);
	r = read_output(command, fd, deadline_us, output);
	int status = reap(pid, deadline_us, r < 0);
	if (r == 0)
		*ret_status = status;
	return r;
}
