/* The canary: the whole of a container that harden starts to see whether containers start, and what
 * they get. It says so in one line and ends well:
 *
 *     harden-canary no_new_privs=1 seccomp=2 uid_map=0:100000:65536 cpu=-1:-1 fsize=-1:-1 ...
 *
 * A container has nothing but this file, so it is static and without a libc; small, because it is a
 * part of harden and goes to the daemon at each apply. -1 is what a limit that is none is to
 * dockerd. core/canary.c reads the line. */
#include <stddef.h>
#include <stdint.h>

#include <sys/syscall.h>

#define AT_FDCWD (-100)
#define PR_GET_SECCOMP 21
#define PR_GET_NO_NEW_PRIVS 39

#if defined(__x86_64__)

__asm__(".globl _start\n"
	"_start:\n"
	"xor %ebp, %ebp\n"
	"and $-16, %rsp\n"
	"call canary\n"
	"hlt\n");

static long call(long number, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
			 : "rcx", "r11", "memory");
	return result;
}

#elif defined(__aarch64__)

__asm__(".globl _start\n"
	"_start:\n"
	"mov x29, #0\n"
	"mov x30, #0\n"
	"bl canary\n");

static long call(long number, long a, long b, long c, long d)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;

	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
	return x0;
}

#else
#error "the canary is not written for this architecture yet: add its _start and system call here"
#endif

/* In the order of their numbers, which is the same on both architectures. */
static const char limits[] = "cpu\0fsize\0data\0stack\0core\0rss\0nproc\0nofile\0memlock\0as\0"
			     "locks\0sigpending\0msgqueue\0nice\0rtprio\0rttime\0";

/* On the stack, so that the program is one segment that nobody can write to. */
struct line {
	char text[1024];
	size_t length;
};

static void add(struct line *line, const char *text)
{
	while (*text)
		line->text[line->length++] = *text++;
}

static void add_number(struct line *line, const char *before, uint64_t number)
{
	char digits[24];
	size_t n = sizeof digits - 1;

	digits[n] = '\0';
	do
		digits[--n] = (char)('0' + number % 10);
	while (number /= 10);
	add(line, before);
	add(line, digits + n);
}

static void add_limit(struct line *line, const char *before, uint64_t number)
{
	if (number == UINT64_MAX) {
		add(line, before);
		add(line, "-1");
	} else {
		add_number(line, before, number);
	}
}

/* The first line of the file, its columns joined. Where there is no /proc, nothing. */
static void add_uid_map(struct line *line)
{
	char text[128] = "";
	long fd = call(SYS_openat, AT_FDCWD, (long)"/proc/self/uid_map", 0, 0);
	long size = fd < 0 ? 0 : call(SYS_read, fd, (long)text, sizeof text - 1, 0);
	const char *separator = " uid_map=";

	for (long i = 0; i < size && text[i] != '\n'; i++) {
		if (text[i] == ' ')
			continue;
		if (i == 0 || text[i - 1] == ' ') {
			add(line, separator);
			separator = ":";
		}
		line->text[line->length++] = text[i];
	}
}

static void add_limits(struct line *line)
{
	long number = 0;

	for (const char *name = limits; *name; number++) {
		uint64_t limit[2] = {0, 0};

		if (call(SYS_prlimit64, 0, number, 0, (long)limit) == 0) {
			add(line, " ");
			add(line, name);
			add_limit(line, "=", limit[0]);
			add_limit(line, ":", limit[1]);
		}
		while (*name++)
			;
	}
}

__attribute__((noreturn, used)) void canary(void)
{
	struct line line;
	long got;

	line.length = 0;
	add(&line, "harden-canary");
	got = call(SYS_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0);
	if (got >= 0)
		add_number(&line, " no_new_privs=", (uint64_t)got);
	got = call(SYS_prctl, PR_GET_SECCOMP, 0, 0, 0);
	if (got >= 0)
		add_number(&line, " seccomp=", (uint64_t)got);
	add_uid_map(&line);
	add_limits(&line);
	add(&line, "\n");
	(void)call(SYS_write, 1, (long)line.text, (long)line.length, 0);
	for (;;)
		(void)call(SYS_exit_group, 0, 0, 0, 0);
}
