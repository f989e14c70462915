/* stepper [--skip-sync all|N] OUTPUT COMMAND...: runs the command and stops it at the end of each
 * system call that changes a file, a folder or what is on the disk. At each stop one line goes to
 * standard output, "NUMBER NAME", and the command goes on when a line comes back on standard input.
 * The last line is "exit STATUS". What the command itself prints goes to the file OUTPUT.
 *
 * --skip-sync leaves out all syncs, or the Nth: the command believes that they were done.
 *
 * Only the command's own process is followed, not those that it starts. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/ptrace.h>

#define SYSCALL_STOP (SIGTRAP | 0x80)
#define SKIP_ALL (-1L)
#define TROUBLE 125

struct call {
	long number;
	const char *name;
	bool syncs;
};

static const struct call CALLS[] = {
	{SYS_fsync, "fsync", true},
	{SYS_fdatasync, "fdatasync", true},
	{SYS_syncfs, "syncfs", true},
	{SYS_sync, "sync", true},
	{SYS_sync_file_range, "sync_file_range", true},
	{SYS_write, "write", false},
	{SYS_pwrite64, "pwrite64", false},
	{SYS_writev, "writev", false},
	{SYS_pwritev, "pwritev", false},
	{SYS_copy_file_range, "copy_file_range", false},
	{SYS_sendfile, "sendfile", false},
	{SYS_ftruncate, "ftruncate", false},
	{SYS_truncate, "truncate", false},
	{SYS_fallocate, "fallocate", false},
	{SYS_openat, "openat", false},
	{SYS_renameat2, "renameat2", false},
	{SYS_renameat, "renameat", false},
	{SYS_unlinkat, "unlinkat", false},
	{SYS_mkdirat, "mkdirat", false},
	{SYS_symlinkat, "symlinkat", false},
	{SYS_linkat, "linkat", false},
	{SYS_fchmod, "fchmod", false},
	{SYS_fchmodat, "fchmodat", false},
	{SYS_fchown, "fchown", false},
	{SYS_fchownat, "fchownat", false},
	{SYS_fsetxattr, "fsetxattr", false},
	{SYS_setxattr, "setxattr", false},
	{SYS_fremovexattr, "fremovexattr", false},
	{SYS_removexattr, "removexattr", false},
	{SYS_utimensat, "utimensat", false},
#ifdef SYS_rename /* newer machines have only the calls above */
	{SYS_open, "open", false},
	{SYS_creat, "creat", false},
	{SYS_rename, "rename", false},
	{SYS_unlink, "unlink", false},
	{SYS_rmdir, "rmdir", false},
	{SYS_mkdir, "mkdir", false},
	{SYS_symlink, "symlink", false},
	{SYS_link, "link", false},
	{SYS_chmod, "chmod", false},
	{SYS_chown, "chown", false},
#endif
};

struct stepper {
	pid_t pid;
	long skip; /* which sync, counted from 1; SKIP_ALL; 0 none */
	long syncs;
	long stops;
	const struct call *call; /* in which the command is; NULL */
	bool skipping;
};

static void die(const char *what)
{
	(void)fprintf(stderr, "stepper: %s: %s\n", what, strerror(errno));
	exit(TROUBLE);
}

static const struct call *find_call(unsigned long long number, const unsigned long long *arguments)
{
	for (size_t i = 0; i < sizeof(CALLS) / sizeof(*CALLS); i++) {
		if ((unsigned long long)CALLS[i].number != number)
			continue;
		/* Opening counts where it creates. */
		if (CALLS[i].number == SYS_openat && !(arguments[2] & O_CREAT))
			return NULL;
		return &CALLS[i];
	}
	return NULL;
}

#if defined(__x86_64__)
static void set_number(pid_t pid, long number)
{
	size_t offset = offsetof(struct user_regs_struct, orig_rax);

	if (ptrace(PTRACE_POKEUSER, pid, offset, number))
		die("change the call");
}

static void set_result_zero(pid_t pid)
{
	if (ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, rax), 0))
		die("change the result");
}
#elif defined(__aarch64__)
static void set_number(pid_t pid, long number)
{
	int value = (int)number;
	struct iovec part = {&value, sizeof(value)};

	if (ptrace(PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL, &part))
		die("change the call");
}

static void set_result_zero(pid_t pid)
{
	struct user_regs_struct registers;
	struct iovec part = {&registers, sizeof(registers)};

	if (ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &part))
		die("read the registers");
	registers.regs[0] = 0;
	if (ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &part))
		die("change the result");
}
#else
#error "stepper does not know how this machine numbers its system calls"
#endif

/* At the entry of a call. */
static void enter(struct stepper *stepper, const struct ptrace_syscall_info *info)
{
	const unsigned long long *arguments = (const unsigned long long *)info->entry.args;

	stepper->call = find_call(info->entry.nr, arguments);
	stepper->skipping = false;
	if (!stepper->call || !stepper->call->syncs)
		return;
	stepper->syncs++;
	if (stepper->skip != SKIP_ALL && stepper->skip != stepper->syncs)
		return;
	stepper->skipping = true;
	set_number(stepper->pid, -1);
}

/* At its end: the other side looks at the disk. */
static void leave(struct stepper *stepper)
{
	int answer;

	if (!stepper->call)
		return;
	if (stepper->skipping)
		set_result_zero(stepper->pid);
	(void)printf("%ld %s%s\n", ++stepper->stops, stepper->call->name,
		     stepper->skipping ? " (skipped)" : "");
	(void)fflush(stdout);
	stepper->call = NULL;
	do
		answer = getchar();
	while (answer != '\n' && answer != EOF);
	if (answer == EOF)
		exit(TROUBLE); /* the command dies with this process */
}

static void on_syscall(struct stepper *stepper)
{
	struct ptrace_syscall_info info;

	memset(&info, 0, sizeof(info));
	if (ptrace(PTRACE_GET_SYSCALL_INFO, stepper->pid, sizeof(info), &info) < 0)
		die("look at the call");
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
		enter(stepper, &info);
	else if (info.op == PTRACE_SYSCALL_INFO_EXIT)
		leave(stepper);
}

static void start(struct stepper *stepper, const char *output, char **command)
{
	int status;

	stepper->pid = fork();
	if (stepper->pid < 0)
		die("fork");
	if (stepper->pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		int file = open(output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

		if (file < 0 || null < 0)
			die(output);
		if (dup2(null, STDIN_FILENO) < 0 || dup2(file, STDOUT_FILENO) < 0 ||
		    dup2(file, STDERR_FILENO) < 0)
			die("dup2");
		(void)raise(SIGSTOP);
		(void)execvp(command[0], command);
		die(command[0]);
	}
	if (waitpid(stepper->pid, &status, WUNTRACED) < 0 || !WIFSTOPPED(status))
		die("start");
	if (ptrace(PTRACE_SEIZE, stepper->pid, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL))
		die("trace");
	(void)kill(stepper->pid, SIGCONT);
}

/* Lets the command go on until it ends; returns its exit status as a shell would say it. */
static int follow(struct stepper *stepper)
{
	for (;;) {
		int status;
		int signal = 0;

		if (waitpid(stepper->pid, &status, 0) < 0)
			die("wait");
		if (WIFEXITED(status))
			return WEXITSTATUS(status);
		if (WIFSIGNALED(status))
			return 128 + WTERMSIG(status);
		if (WSTOPSIG(status) == SYSCALL_STOP)
			on_syscall(stepper);
		else if (status >> 16 == 0 && WSTOPSIG(status) != SIGTRAP)
			signal = WSTOPSIG(status);
		if (ptrace(PTRACE_SYSCALL, stepper->pid, 0, signal) && errno != ESRCH)
			die("go on");
	}
}

int main(int argc, char **argv)
{
	struct stepper stepper = {0};
	int at = 1;

	if (argc > 2 && !strcmp(argv[at], "--skip-sync")) {
		stepper.skip = strcmp(argv[2], "all") ? strtol(argv[2], NULL, 10) : SKIP_ALL;
		at += 2;
	}
	if (argc - at < 2) {
		(void)fputs("usage: stepper [--skip-sync all|N] OUTPUT COMMAND...\n", stderr);
		return TROUBLE;
	}
	start(&stepper, argv[at], argv + at + 1);
	(void)printf("exit %d\n", follow(&stepper));
	return 0;
}
