#include "cli/memory.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "cli/options.h"
#include "host/gather.h"

static void say_so(void)
{
	static const char text[] = "harden: out of memory\n";

	(void)!write(STDERR_FILENO, text, sizeof text - 1);
}

static void *or_trouble(size_t size)
{
	void *memory = malloc(size);

	if (!memory) {
		say_so();
		_exit(EXIT_TROUBLE);
	}
	return memory;
}

static bool is_pending(void)
{
	struct stat st;

	return lstat(PENDING_LINK, &st) == 0;
}

static void *or_failure(size_t size)
{
	void *memory = malloc(size);

	if (!memory) {
		say_so();
		_exit(is_pending() ? EXIT_PUT_BACK_FAILED : EXIT_TROUBLE);
	}
	return memory;
}

static int recover(void)
{
	static char name[] = "harden";
	static char command[] = "recover";
	static char *const arguments[] = {name, command, NULL};
	int status = 0;

	/* The lock, among others: the next process takes it. */
	(void)close_range(STDERR_FILENO + 1, ~0U, 0);
	pid_t child = fork();
	if (child == 0) {
		(void)dup2(STDERR_FILENO, STDOUT_FILENO);
		(void)execv("/proc/self/exe", arguments);
		_exit(EXIT_PUT_BACK_FAILED);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		return EXIT_PUT_BACK_FAILED;
	return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_FINE ? EXIT_PUT_BACK
								     : EXIT_PUT_BACK_FAILED;
}

static void *or_recovery(size_t size)
{
	void *memory = malloc(size);

	if (!memory) {
		say_so();
		_exit(is_pending() ? recover() : EXIT_TROUBLE);
	}
	return memory;
}

void memory_end_in_trouble(void)
{
	json_set_alloc_funcs(or_trouble, free);
}

void memory_end_in_failure(void)
{
	json_set_alloc_funcs(or_failure, free);
}

void memory_end_in_recovery(void)
{
	json_set_alloc_funcs(or_recovery, free);
}
