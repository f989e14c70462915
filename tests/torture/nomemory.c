/* An allocator that says no once. With LD_PRELOAD it counts a program's allocations, fails number
 * $NO_MEMORY_AT of them, and says in $NO_MEMORY_COUNT (a file) how many there were. What the
 * program starts itself is left alone. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);

static unsigned long count;
static unsigned long fail_at;
static const char *count_file;

__attribute__((constructor)) static void begin(void)
{
	const char *at = getenv("NO_MEMORY_AT");

	fail_at = at ? strtoul(at, NULL, 10) : 0;
	count_file = getenv("NO_MEMORY_COUNT");
	(void)unsetenv("LD_PRELOAD");
	count = 0;
}

__attribute__((destructor)) static void end(void)
{
	char text[32];
	int fd = count_file ? open(count_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
	int length = snprintf(text, sizeof text, "%lu\n", count);

	if (fd < 0)
		return;
	(void)!write(fd, text, (size_t)length);
	(void)close(fd);
}

static bool refuse(void)
{
	if (++count != fail_at)
		return false;
	errno = ENOMEM;
	return true;
}

void *malloc(size_t size)
{
	return refuse() ? NULL : __libc_malloc(size);
}

void *calloc(size_t number, size_t size)
{
	return refuse() ? NULL : __libc_calloc(number, size);
}

void *realloc(void *memory, size_t size)
{
	return refuse() ? NULL : __libc_realloc(memory, size);
}
