/* Part of programs that are built to measure coverage. gcov's own way is to write a hundred files
 * when a program ends: it would do so in the tree of a test host or in the image that harden has
 * made its root, lose what is killed, and leave a torn file where that hits it while it writes.
 * Here the counters of all processes of a program are one file that is mapped over them, so they
 * are counted as they run, however they end.
 *
 * The file has the program's name and is, on a host, in COUNTERS_IN_HOST, and elsewhere in
 * COUNTERS. It has to exist; without it nothing is counted. With COUNTERS_DUMP in its environment a
 * program does nothing but write gcov's files from it. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* From counters.ld: whole pages. */
extern char counters_start[];
extern char counters_end[];

void __gcov_dump(void);
void __wrap___gcov_exit(void);
void counters_map(void);

/* What gcov does at the end of a program. */
void __wrap___gcov_exit(void)
{
}

static int open_counters(void)
{
	char program[4096] = "";
	char path[8192];

	if (readlink("/proc/self/exe", program, sizeof program - 1) < 0)
		return -1;
	const char *slash = strrchr(program, '/');
	(void)snprintf(path, sizeof path, "%s%s", COUNTERS_IN_HOST, slash);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0 || errno != ENOENT)
		return fd;
	(void)snprintf(path, sizeof path, "%s%s", COUNTERS, slash);
	return open(path, O_RDWR | O_CLOEXEC);
}

__attribute__((constructor)) void counters_map(void)
{
	size_t size = (size_t)(counters_end - counters_start);
	bool dump = getenv("COUNTERS_DUMP") != NULL;
	/* What is in gcov's files already is added to the counters before they are written. */
	int flags = MAP_FIXED | (dump ? MAP_PRIVATE : MAP_SHARED);
	struct stat st;
	int saved = errno;
	int fd = open_counters();

	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size >= (off_t)size)
		(void)mmap(counters_start, size, PROT_READ | PROT_WRITE, flags, fd, 0);
	if (fd >= 0)
		(void)close(fd);
	errno = saved;
	if (dump) {
		__gcov_dump();
		_exit(0);
	}
}
