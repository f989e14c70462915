/* A Docker API made of fixed answers, at the socket fake_docker_path(). It ends with the test. */
#pragma once

#include "tree.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>

/* The first one whose request begins so, and that is not used up, answers. */
struct fake_answer {
	const char *request; /* "GET /info"; NULL ends the list */
	int status;          /* 0: it never answers */
	/* NULL: none; behind a "\1": in a frame of standard output, behind a "\2": likewise, and
	 * the connection stays open */
	const char *body;
	unsigned times; /* so often; 0: always */
};

/* The requests that came, a line each; shared with the test. */
static char *fake_docker_log;
#define FAKE_DOCKER_LOG_SIZE 16384

static inline const char *fake_docker_path(void)
{
	static char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];

	(void)snprintf(path, sizeof path, "%.100s", tree_path("/s"));
	return path;
}

/* Reads what a request carries: who closes before that breaks the connection. */
static inline void fake_docker_hear_body(int fd, const char *request, size_t length)
{
	const char *field = strstr(request, "Content-Length: ");
	const char *body = strstr(request, "\r\n\r\n");
	size_t all = field ? strtoul(field + strlen("Content-Length: "), NULL, 10) : 0;
	size_t got = length - (size_t)(body + 4 - request);
	char bytes[1024];

	while (got < all) {
		ssize_t n = recv(fd, bytes, sizeof bytes, 0);
		if (n <= 0)
			return;
		got += (size_t)n;
	}
}

/* What is asked for, "GET /info"; false when nobody asks. */
static inline bool fake_docker_hear(int fd, char *request, size_t size)
{
	size_t length = 0;

	request[0] = '\0';
	while (!strstr(request, "\r\n\r\n")) {
		ssize_t n = recv(fd, request + length, size - 1 - length, 0);
		if (n <= 0)
			return false;
		length += (size_t)n;
		request[length] = '\0';
	}
	fake_docker_hear_body(fd, request, length);
	char *protocol = strstr(request, " HTTP/");
	if (protocol)
		*protocol = '\0';
	return true;
}

/* Answers, or keeps the connection open and says nothing. */
static inline void fake_docker_answer(int fd, const struct fake_answer *answer)
{
	char head[64];

	if (!answer->status)
		return;
	(void)snprintf(head, sizeof head, "HTTP/1.0 %d So\r\n\r\n", answer->status);
	(void)send(fd, head, strlen(head), MSG_NOSIGNAL);
	if (answer->body && (answer->body[0] == '\1' || answer->body[0] == '\2')) {
		const char frame[8] = {1, 0, 0, 0, 0, 0, 0, (char)strlen(answer->body + 1)};
		(void)send(fd, frame, sizeof frame, MSG_NOSIGNAL);
		(void)send(fd, answer->body + 1, strlen(answer->body + 1), MSG_NOSIGNAL);
	} else if (answer->body)
		(void)send(fd, answer->body, strlen(answer->body), MSG_NOSIGNAL);
	if (!answer->body || answer->body[0] != '\2')
		(void)close(fd);
}

static inline void fake_docker_serve(int listener, const struct fake_answer *answers)
{
	static const struct fake_answer none = {.status = 404, .body = "{}"};
	unsigned used[32] = {0};
	char request[2048];

	for (;;) {
		const struct fake_answer *answer = &none;
		int fd = accept(listener, NULL, NULL);

		if (!fake_docker_hear(fd, request, sizeof request)) {
			(void)close(fd);
			continue;
		}
		size_t length = strlen(fake_docker_log);
		(void)snprintf(fake_docker_log + length, FAKE_DOCKER_LOG_SIZE - length, "%s\n",
			       request);
		for (size_t i = 0; answers[i].request && answer == &none; i++)
			if (strncmp(request, answers[i].request, strlen(answers[i].request)) == 0 &&
			    (!answers[i].times || used[i]++ < answers[i].times))
				answer = &answers[i];
		fake_docker_answer(fd, answer);
	}
}

static inline void fake_docker_start(const struct fake_answer *answers)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	fake_docker_log = mmap(NULL, FAKE_DOCKER_LOG_SIZE, PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(fake_docker_log, MAP_FAILED);
	strcpy(address.sun_path, fake_docker_path());
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
	ck_assert_int_eq(listen(listener, 64), 0);
	if (fork() == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		fake_docker_serve(listener, answers);
	}
	(void)close(listener);
}
