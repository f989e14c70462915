/* timer ROUNDS COMMAND...: runs the commands in turn, so that whatever else the machine does meets
 * all of them alike. Prints for each run: index, milliseconds, wait status, peak memory in KiB.
 * Statically small, so that its own memory does not show in that of its children. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORDS_MAX 32
#define SETTLE_US 10000

static void run(char *command)
{
	char *words[WORDS_MAX + 1];
	size_t count = 0;
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	for (char *word = strtok(command, " "); word && count < WORDS_MAX; word = strtok(NULL, " "))
		words[count++] = word;
	words[count] = NULL;
	(void)dup2(null, STDOUT_FILENO);
	(void)execvp(words[0], words);
	_exit(127);
}

static double now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

int main(int argc, char **argv)
{
	int rounds = argc > 2 ? atoi(argv[1]) : 0;

	for (int round = 0; round < rounds; round++) {
		for (int i = 2; i < argc; i++) {
			struct rusage usage;
			int status = 0;
			/* What the run before left behind (a bus that says goodbye) is not this
			 * one's. */
			(void)usleep(SETTLE_US);
			double start = now_ms();
			pid_t pid = fork();
			if (pid == 0)
				run(argv[i]);
			if (pid < 0 || wait4(pid, &status, 0, &usage) < 0)
				return 2;
			(void)printf("%d %.3f %d %ld\n", i - 2, now_ms() - start, status,
				     usage.ru_maxrss);
		}
	}
	return 0;
}
