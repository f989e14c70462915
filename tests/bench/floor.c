/* The least a program can do that links the same libraries (the Makefile keeps them in) and asks
 * the daemon one question: what `harden --dry-run` is measured against. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(void)
{
	static const char request[] = "GET /info HTTP/1.0\r\nHost: docker\r\n\r\n";
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/run/docker.sock"};
	char buffer[16384];
	size_t total = 0;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) < 0)
		return 2;
	if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0)
		return 2;
	for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) > 0;)
		total += (size_t)n;
	(void)close(fd);
	(void)printf("%zu\n", total);
	return total ? 0 : 1;
}
