#include "tree.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "host/clock.h"
#include "host/http.h"

#define KILO 1024
#define MEGA (1024 * 1024)

/* ---- the parser ---- */

struct reply_case {
	const char *text;
	int result;       /* of feeding all of it, with the end of the connection */
	int status;       /* when result is 0 */
	const char *body; /* when result is 0; else a part of the error's sentence */
};

#define OK "HTTP/1.0 200 OK\r\n"
#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

static const struct reply_case reply_cases[] = {
	/* How a body is delimited. */
	{OK "\r\n", 0, 200, ""},
	{OK "\r\nto the end", 0, 200, "to the end"},
	{OK "Content-Length: 4\r\n\r\nbody", 0, 200, "body"},
	{OK "content-length:4 \t\r\n\r\nbody and more", 0, 200, "body"},
	{OK "Content-Length: 0\r\n\r\n", 0, 200, ""},
	{"HTTP/1.1 204 No Content\r\n\r\n", 0, 204, ""},
	{"HTTP/1.1 404 Not Found\r\n\r\n{}", 0, 404, "{}"},
	{"HTTP/1.1 500\r\n\r\n", 0, 500, ""},
	{"HTTP/1.0 200 OK\n\nbare line feeds", 0, 200, "bare line feeds"},
	{OK "Transfer-Encoding: identity\r\n\r\nx", 0, 200, "x"},
	{CHUNKED "0\r\n\r\n", 0, 200, ""},
	{CHUNKED "3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n", 0, 200, "abc0123456789"},
	{CHUNKED "3;name=value\r\nabc\r\n00\r\nTrailer: x\r\n\r\nmore", 0, 200, "abc"},
	{CHUNKED "00003\nabc\n0\n\n", 0, 200, "abc"},
	/* Nonsense. */
	{"SSH-2.0-OpenSSH_9.2\r\n", -EBADMSG, 0, "does not begin"},
	{"{}", -EBADMSG, 0, "does not begin"},
	{"HTTP/2 200 OK\r\n\r\n", -EBADMSG, 0, "does not begin"},
	{"HTTP/1.0 OK\r\n\r\n", -EBADMSG, 0, "status line"},
	{"HTTP/1.0 2000 OK\r\n\r\n", -EBADMSG, 0, "status line"},
	{"HTTP/1.0\r\n\r\n", -EBADMSG, 0, "status line"},
	{"HTTP/1.1 101 Switching\r\n\r\n", -EBADMSG, 0, "its status"},
	{"HTTP/1.1 999 ?\r\n\r\n", -EBADMSG, 0, "its status"},
	{OK "no colon\r\n\r\n", -EBADMSG, 0, "no name"},
	{OK ": x\r\n\r\n", -EBADMSG, 0, "no name"},
	{OK "A: b\r\n folded\r\n\r\n", -EBADMSG, 0, "no name"},
	{OK "Content-Length: -1\r\n\r\n", -EBADMSG, 0, "Content-Length"},
	{OK "Content-Length:\r\n\r\n", -EBADMSG, 0, "Content-Length"},
	{OK "Content-Length: 99999999999999999999\r\n\r\n", -EBADMSG, 0, "Content-Length"},
	{OK "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", -EBADMSG, 0, "two different"},
	{OK "Transfer-Encoding: gzip, chunked\r\n\r\n", -EBADMSG, 0, "Transfer-Encoding"},
	{CHUNKED "x\r\n", -EBADMSG, 0, "size of a chunk"},
	{CHUNKED "\r\n", -EBADMSG, 0, "size of a chunk"},
	{CHUNKED "3x\r\n", -EBADMSG, 0, "size of a chunk"},
	{CHUNKED "10000000000000000\r\n", -EBADMSG, 0, "size of a chunk"},
	{CHUNKED "3\r\nabcd\r\n", -EBADMSG, 0, "longer than its size"},
	/* Too early an end. */
	{"", -EPIPE, 0, "without an answer"},
	{"HTTP/1", -EPIPE, 0, "middle"},
	{OK, -EPIPE, 0, "middle"},
	{OK "Content-Length: 4\r\n\r\nbod", -EPIPE, 0, "middle"},
	{CHUNKED "3\r\nabc\r\n", -EPIPE, 0, "middle"},
	{CHUNKED "3\r\nabc\r\n0\r\n", -EPIPE, 0, "middle"},
	/* Too much: the limit of these cases is 1000 bytes. */
	{OK "Content-Length: 1000\r\n\r\n", -EMSGSIZE, 0, "1000 bytes"},
	{CHUNKED "FFFFFFFFFFFFFFFF\r\n", -EMSGSIZE, 0, "1000 bytes"},
};

static int feed_in_pieces(struct http_reply *reply, const char *text, size_t length, size_t piece,
			  struct error *error)
{
	int r = 0;

	for (size_t at = 0; at < length && r == 0; at += piece)
		r = http_reply_feed(reply, text + at, length - at < piece ? length - at : piece,
				    false, error);
	return r < 0 ? r : http_reply_feed(reply, "", 0, true, error);
}

static void check_reply(const struct reply_case *wanted, size_t piece)
{
	struct error error = ERROR_NONE;
	struct http_reply reply;

	http_reply_init(&reply, 1000);
	int r = feed_in_pieces(&reply, wanted->text, strlen(wanted->text), piece, &error);
	ck_assert_msg(r == wanted->result, "%s: %d, %s", wanted->text, r, error.text);
	if (r == 0) {
		ck_assert(reply.finished);
		ck_assert_int_eq(reply.status, wanted->status);
		ck_assert_uint_eq(reply.body_length, strlen(wanted->body));
		ck_assert_str_eq(reply.body, wanted->body);
	} else {
		ck_assert(!reply.finished);
		ck_assert_msg(strstr(error.text, wanted->body) != NULL, "%s: %s", wanted->text,
			      error.text);
	}
	http_reply_done(&reply);
}

START_TEST(replies_are_the_same_however_they_are_cut)
{
	for (size_t i = 0; i < sizeof reply_cases / sizeof *reply_cases; i++)
		for (size_t piece = 1; piece < 40; piece += piece < 5 ? 1 : 7)
			check_reply(&reply_cases[i], piece);
	for (size_t i = 0; i < sizeof reply_cases / sizeof *reply_cases; i++)
		check_reply(&reply_cases[i], SIZE_MAX / 2);
}
END_TEST

START_TEST(the_server_header_is_kept_printable_and_short)
{
	static const char docker[] = OK "Server: Docker/20.10.24+dfsg1 (linux)\r\n\r\n";
	char evil[300] = OK "SERVER:\t\x1b[2J";
	struct http_reply reply;

	http_reply_init(&reply, 1000);
	ck_assert_int_eq(http_reply_feed(&reply, docker, strlen(docker), true, NULL), 0);
	ck_assert_str_eq(reply.server, "Docker/20.10.24+dfsg1 (linux)");
	http_reply_done(&reply);

	memset(evil + strlen(evil), 'x', 200);
	strcat(evil, "\r\n\r\n");
	http_reply_init(&reply, 1000);
	ck_assert_int_eq(http_reply_feed(&reply, evil, strlen(evil), true, NULL), 0);
	ck_assert_uint_eq(strlen(reply.server), sizeof reply.server - 1);
	ck_assert_mem_eq(reply.server, "?[2Jx", 5);
	http_reply_done(&reply);
}
END_TEST

/* Feeds a beginning and then the same piece again and again, until the parser has had enough. */
static int feed_endlessly(const char *beginning, const char *piece, size_t limit, size_t *ret_size,
			  struct error *error)
{
	struct http_reply reply;

	http_reply_init(&reply, limit);
	int r = http_reply_feed(&reply, beginning, strlen(beginning), false, error);
	while (r == 0 && !reply.finished)
		r = http_reply_feed(&reply, piece, strlen(piece), false, error);
	*ret_size = reply.capacity;
	http_reply_done(&reply);
	return r;
}

START_TEST(nothing_grows_without_end)
{
	static const struct {
		const char *beginning;
		const char *piece;
		size_t memory; /* at most */
	} cases[] = {
		{"", "HTTP/1.0 200 OK, and so on", 32 * KILO},
		{OK, "X: y\r\n", 32 * KILO},
		{OK "X: ", "yyyyyyyyyyyyyyyyyyyy", 32 * KILO},
		{CHUNKED, "0000000000000000000000", 32 * KILO},
		{CHUNKED "0\r\n", "X: y\r\n", 32 * KILO},
		{OK "\r\n", "0123456789abcdef", 2 * MEGA},
		{CHUNKED, "1\r\nx\r\n", 2 * MEGA},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct error error = ERROR_NONE;
		size_t size;

		int r = feed_endlessly(cases[i].beginning, cases[i].piece, MEGA, &size, &error);
		ck_assert_int_eq(r, -EMSGSIZE);
		ck_assert_msg(size <= cases[i].memory, "case %zu took %zu bytes", i, size);
		ck_assert_msg(strstr(error.text, "larger") != NULL, "%s", error.text);
	}
}
END_TEST

START_TEST(a_nul_byte_in_a_header_is_nonsense)
{
	static const char text[] = OK "Server: Docker\0/1\r\n\r\n";
	struct http_reply reply;

	http_reply_init(&reply, 1000);
	ck_assert_int_eq(http_reply_feed(&reply, text, sizeof text - 1, true, NULL), -EBADMSG);
	http_reply_done(&reply);
}
END_TEST

/* ---- requests, against servers that behave and others ---- */

typedef void (*behaviour)(int fd, const char *request);

static void say(int fd, const char *text)
{
	(void)send(fd, text, strlen(text), MSG_NOSIGNAL);
}

static void answer_path(int fd, const char *request)
{
	char text[600];

	(void)snprintf(text, sizeof text, OK "Server: Docker/1.2.3 (linux)\r\n\r\n%.*s",
		       (int)strcspn(request, "\r"), request);
	say(fd, text);
}

static void answer_chunked(int fd, const char *request)
{
	(void)request;
	say(fd, CHUNKED "3\r\nabc\r\n");
	(void)usleep(2000);
	say(fd, "3\r\ndef\r\n0\r\n\r\n");
	/* Keeps the connection open, as HTTP/1.1 does. */
	(void)pause();
}

static void answer_not_found(int fd, const char *request)
{
	(void)request;
	say(fd, "HTTP/1.0 404 Not Found\r\n\r\n{\"message\":\"page not found\"}");
}

static void answer_large(int fd, const char *request)
{
	static char block[MEGA];

	(void)request;
	memset(block, 'x', sizeof block - 1);
	say(fd, OK "\r\n");
	for (int i = 0; i < 8; i++)
		say(fd, block);
}

static void talk_nonsense(int fd, const char *request)
{
	(void)request;
	say(fd, "220 mail.example.org ESMTP");
	(void)pause();
}

static void stay_silent(int fd, const char *request)
{
	(void)fd;
	(void)request;
	(void)pause();
}

static void stream_for_ever(int fd, const char *request)
{
	static char block[8 * KILO];

	(void)request;
	memset(block, 'x', sizeof block);
	say(fd, OK "\r\n");
	while (send(fd, block, sizeof block, MSG_NOSIGNAL) > 0)
		continue;
}

static void send_headers_for_ever(int fd, const char *request)
{
	(void)request;
	say(fd, OK);
	while (send(fd, "X: y\r\n", 6, MSG_NOSIGNAL) > 0)
		continue;
}

static void drip(int fd, const char *request)
{
	(void)request;
	say(fd, OK "Content-Length: 100000\r\n\r\n");
	while (send(fd, "x", 1, MSG_NOSIGNAL) > 0)
		(void)usleep(10000);
}

static void close_early(int fd, const char *request)
{
	(void)request;
	say(fd, OK "Content-Length: 100\r\n\r\nonly this");
}

static void close_at_once(int fd, const char *request)
{
	(void)fd;
	(void)request;
}

/* The paths of requests choose the behaviour, so that one server has all of them. */
static const struct {
	const char *path;
	behaviour behave;
} behaviours[] = {
	{"/path", answer_path},
	{"/chunked", answer_chunked},
	{"/404", answer_not_found},
	{"/large", answer_large},
	{"/nonsense", talk_nonsense},
	{"/silence", stay_silent},
	{"/stream", stream_for_ever},
	{"/headers", send_headers_for_ever},
	{"/drip", drip},
	{"/early", close_early},
	{"/close", close_at_once},
};

/* Says how much came behind the head, and what it was called. */
static void answer_body(int fd, const char *request)
{
	const char *body = strstr(request, "\r\n\r\n") + 4;
	const char *type = strstr(request, "Content-Type: ");
	size_t all = strtoul(strstr(request, "Content-Length: ") + 16, NULL, 10);
	size_t got = strlen(body);
	char bytes[4096];
	char text[200];

	while (got < all) {
		ssize_t n = recv(fd, bytes, sizeof bytes, 0);
		if (n <= 0)
			return;
		/* All of them are the same. */
		for (ssize_t i = 0; i < n; i++)
			got += bytes[i] == 'b';
	}
	(void)snprintf(text, sizeof text, "HTTP/1.0 200 OK\r\n\r\n%.6s %zu %.13s", request, got,
		       type + 14);
	(void)send(fd, text, strlen(text), MSG_NOSIGNAL);
}

static void serve_one(int fd)
{
	char request[1024] = "";
	size_t length = 0;

	while (!strstr(request, "\r\n\r\n")) {
		ssize_t n = recv(fd, request + length, sizeof request - 1 - length, 0);
		if (n <= 0)
			return;
		length += (size_t)n;
		request[length] = '\0';
	}
	const char *path = strchr(request, ' ') + 1;
	if (strncmp(path, "/body", strlen("/body")) == 0)
		answer_body(fd, request);
	for (size_t i = 0; i < sizeof behaviours / sizeof *behaviours; i++)
		if (strncmp(path, behaviours[i].path, strlen(behaviours[i].path)) == 0)
			behaviours[i].behave(fd, request);
}

static const char *socket_path(void)
{
	return tree_path("/s");
}

static int listen_at_socket(int backlog)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof address.sun_path, "%.100s", socket_path());
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	ck_assert_int_eq(listen(fd, backlog), 0);
	return fd;
}

/* A process for each connection; all of them end with the test. */
static void start_server(void)
{
	int listener = listen_at_socket(16);

	if (fork() == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)signal(SIGCHLD, SIG_IGN);
		for (;;) {
			int fd = accept(listener, NULL, NULL);
			if (fork() == 0) {
				(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
				serve_one(fd);
				_exit(0);
			}
			(void)close(fd);
		}
	}
	(void)close(listener);
}

static uint64_t in_ms(unsigned ms)
{
	return clock_now_us() + (uint64_t)ms * 1000;
}

/* One request; returns its result. The caller ends it. */
static int get(struct http_request *request, const char *path, size_t limit, unsigned ms)
{
	http_start(request, socket_path(), path, limit);
	http_finish(request, 1, in_ms(ms));
	ck_assert(request->done);
	ck_assert_int_eq(request->fd, -1);
	ck_assert_int_eq(request->error.code, request->result);
	return request->result;
}

START_TEST(requests_run_side_by_side)
{
	static const char *const paths[] = {"/silence", "/path?a=1", "/chunked", "/404"};
	struct http_request requests[4];

	start_server();
	for (size_t i = 0; i < 4; i++)
		http_start(&requests[i], socket_path(), paths[i], MEGA);
	/* The others first, as the silent one takes all the time there is. */
	http_finish(&requests[1], 3, in_ms(60000));
	ck_assert_int_eq(requests[1].result, 0);
	ck_assert_str_eq(requests[1].reply.body, "GET /path?a=1 HTTP/1.0");
	ck_assert_str_eq(requests[1].reply.server, "Docker/1.2.3 (linux)");
	ck_assert_int_eq(requests[2].result, 0);
	ck_assert_str_eq(requests[2].reply.body, "abcdef");
	ck_assert_int_eq(requests[3].result, 0);
	ck_assert_int_eq(requests[3].reply.status, 404);
	ck_assert_int_eq(requests[0].result, -EINPROGRESS);
	http_finish(requests, 4, in_ms(20));
	ck_assert_int_eq(requests[0].result, -ETIMEDOUT);
	ck_assert_ptr_nonnull(strstr(requests[0].error.text, "did not answer in time"));
	ck_assert_int_eq(requests[1].result, 0);
	for (size_t i = 0; i < 4; i++)
		http_request_done(&requests[i]);
}
END_TEST

START_TEST(a_large_body_arrives_whole)
{
	struct http_request request;

	start_server();
	ck_assert_int_eq(get(&request, "/large", 16 * MEGA, 60000), 0);
	ck_assert_uint_eq(request.reply.body_length, 8 * (MEGA - 1));
	http_request_done(&request);
	ck_assert_int_eq(get(&request, "/large", 4 * MEGA, 60000), -EMSGSIZE);
	http_request_done(&request);
}
END_TEST

START_TEST(bad_servers_end_in_a_sentence)
{
	static const struct {
		const char *path;
		unsigned ms;
		int result;
		const char *sentence;
	} cases[] = {
		{"/nonsense", 60000, -EBADMSG, "not a reply of the Docker API"},
		{"/stream", 60000, -EMSGSIZE, "larger than"},
		{"/headers", 60000, -EMSGSIZE, "headers are larger"},
		{"/early", 60000, -EPIPE, "middle of its answer"},
		{"/close", 60000, -EPIPE, "without an answer"},
		{"/silence", 30, -ETIMEDOUT, "did not answer in time"},
		{"/drip", 50, -ETIMEDOUT, "did not come to an end in time"},
	};

	start_server();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct http_request request;
		int r = get(&request, cases[i].path, MEGA, cases[i].ms);
		const struct error *error = &request.error;

		ck_assert_msg(r == cases[i].result, "%s: %d, %s", cases[i].path, r, error->text);
		ck_assert_msg(strstr(error->text, cases[i].sentence) != NULL, "%s: %s",
			      cases[i].path, error->text);
		ck_assert_ptr_nonnull(strstr(error->step, cases[i].path));
		ck_assert_str_eq(error->path, socket_path());
		http_request_done(&request);
	}
}
END_TEST

/* Data that is ready must not keep the loop from looking at the clock: past the deadline it reads
 * once more, not until there is nothing left. */
START_TEST(an_endless_stream_ends_at_the_deadline)
{
	struct http_request request;

	start_server();
	http_start(&request, socket_path(), "/stream", SIZE_MAX / 4);
	/* For the socket's buffer to fill up. */
	(void)usleep(50000);
	http_finish(&request, 1, 0);
	ck_assert_int_eq(request.result, -ETIMEDOUT);
	ck_assert_uint_le(request.reply.received, 32 * KILO);
	http_request_done(&request);
}
END_TEST

START_TEST(sockets_that_are_not_there)
{
	struct http_request request;
	char path[300];

	ck_assert_int_eq(get(&request, "/path", MEGA, 1000), -ENOENT);
	http_request_done(&request);

	(void)close(listen_at_socket(1));
	ck_assert_int_eq(get(&request, "/path", MEGA, 1000), -ECONNREFUSED);
	ck_assert_ptr_nonnull(strstr(request.error.text, "nobody listens"));
	http_request_done(&request);

	memset(path, 'x', sizeof path);
	path[sizeof path - 1] = '\0';
	http_start(&request, path, "/path", MEGA);
	ck_assert(request.done);
	ck_assert_int_eq(request.result, -ENAMETOOLONG);
	http_request_done(&request);
}
END_TEST

/* A stopped daemon: its queue fills up, and connect() says EAGAIN. */
START_TEST(a_full_queue_is_waited_for)
{
	struct http_request requests[4];
	int listener = listen_at_socket(0);

	for (size_t i = 0; i < 4; i++)
		http_start(&requests[i], socket_path(), "/path", MEGA);
	ck_assert(!requests[3].connected);
	http_finish(requests, 4, in_ms(20));
	ck_assert_int_eq(requests[0].result, -ETIMEDOUT);
	ck_assert_int_eq(requests[3].result, -ETIMEDOUT);
	ck_assert_ptr_nonnull(strstr(requests[3].error.text, "accepted no connection"));
	for (size_t i = 0; i < 4; i++)
		http_request_done(&requests[i]);
	(void)close(listener);
}
END_TEST

START_TEST(a_deadline_in_the_past_asks_nobody_to_wait)
{
	struct http_request request;

	start_server();
	http_start(&request, socket_path(), "/silence", MEGA);
	http_finish(&request, 1, 0);
	ck_assert_int_eq(request.result, -ETIMEDOUT);
	http_request_done(&request);
	/* Twice is harmless, and so is none. */
	http_request_done(&request);
	http_finish(NULL, 0, 0);
}
END_TEST

START_TEST(a_post_is_told_without_a_body)
{
	struct http_request request;

	start_server();
	http_start_post(&request, socket_path(), "/path?t=1", MEGA);
	http_finish(&request, 1, in_ms(60000));
	ck_assert_int_eq(request.result, 0);
	ck_assert_str_eq(request.reply.body, "POST /path?t=1 HTTP/1.0");
	http_request_done(&request);
}
END_TEST

/* More than a socket takes at once. */
START_TEST(what_goes_with_a_request_goes_whole)
{
	const size_t length = (size_t)3 * 1024 * 1024;
	struct http_request request;
	struct http_body body = {"application/x", malloc(length), length};
	char wanted[100];

	ck_assert_ptr_nonnull(body.bytes);
	memset((char *)(uintptr_t)body.bytes, 'b', length);
	start_server();
	http_start_with(&request, socket_path(), "DELETE", "/body", &body, MEGA);
	http_finish(&request, 1, in_ms(60000));
	ck_assert_msg(request.result == 0, "%s", request.error.text);
	(void)snprintf(wanted, sizeof wanted, "DELETE %zu application/x", length);
	ck_assert_str_eq(request.reply.body, wanted);
	http_request_done(&request);
	free((char *)(uintptr_t)body.bytes);
}
END_TEST

/* Nothing fails because the moment has come; the same requests go on later. */
START_TEST(going_on_for_a_while_fails_nobody)
{
	struct http_request requests[2];

	start_server();
	http_start(&requests[0], socket_path(), "/silence", MEGA);
	http_start_post(&requests[1], socket_path(), "/chunked", MEGA);
	ck_assert(!http_continue(requests, 2, in_ms(300)));
	ck_assert(!requests[0].done);
	ck_assert(requests[1].done);
	ck_assert_str_eq(requests[1].reply.body, "abcdef");
	http_finish(requests, 2, in_ms(1));
	ck_assert_int_eq(requests[0].result, -ETIMEDOUT);
	http_request_done(&requests[0]);
	http_request_done(&requests[1]);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		replies_are_the_same_however_they_are_cut,
		the_server_header_is_kept_printable_and_short,
		nothing_grows_without_end,
		a_nul_byte_in_a_header_is_nonsense,
		requests_run_side_by_side,
		a_large_body_arrives_whole,
		bad_servers_end_in_a_sentence,
		an_endless_stream_ends_at_the_deadline,
		sockets_that_are_not_there,
		a_full_queue_is_waited_for,
		a_deadline_in_the_past_asks_nobody_to_wait,
		a_post_is_told_without_a_body,
		what_goes_with_a_request_goes_whole,
		going_on_for_a_while_fails_nobody,
		NULL,
	};

	return tree_main("http", tests);
}
