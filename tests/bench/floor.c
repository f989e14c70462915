/* The least a program can do that links the same libraries (the Makefile keeps them in) and asks
 * the daemon one question after another, /info where none are named: what `harden --dry-run` is
 * measured against. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* How many bytes came back; 0 is a failure. */
static size_t ask(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/run/docker.sock"};
	char buffer[16384];
	size_t total = 0;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int length =
		snprintf(buffer, sizeof buffer, "GET %s HTTP/1.0\r\nHost: docker\r\n\r\n", path);

	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) < 0)
		return 0;
	if (length < 0 || send(fd, buffer, (size_t)length, MSG_NOSIGNAL) < 0)
		return 0;
	for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) > 0;)
		total += (size_t)n;
	(void)close(fd);
	return total;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc || i == 1; i++) {
		size_t total = ask(i < argc ? argv[i] : "/info");
		if (!total)
			return 1;
		(void)printf("%zu\n", total);
	}
	return 0;
}
