#include "host/http.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "host/clock.h"

/* How soon to knock again at a listener whose queue is full. */
#define RECONNECT_MS 5

/* ---- the reply, without I/O ---- */

/* What is left of the bytes that one call of http_reply_feed() was given. */
struct input {
	const char *bytes;
	size_t length;
};

static int nonsense(struct error *error, const char *what)
{
	return error_set(error, -EBADMSG, "read the reply", NULL,
			 "this is not a reply of the Docker API: %s", what);
}

static int too_large(struct error *error, const char *what, size_t limit)
{
	return error_set(error, -EMSGSIZE, "read the reply", NULL,
			 "%s larger than the %zu bytes that are accepted", what, limit);
}

void http_reply_init(struct http_reply *reply, size_t limit)
{
	*reply = (struct http_reply){.limit = limit, .content_length = -1};
}

void http_reply_done(struct http_reply *reply)
{
	free(reply->data);
	http_reply_init(reply, 0);
}

/* Moves the first n bytes of the input to the end of data. */
static int reply_take(struct http_reply *reply, struct input *input, size_t n, struct error *error)
{
	if (reply->length + n >= reply->capacity) {
		size_t capacity = reply->capacity ? reply->capacity : 2048;
		while (capacity <= reply->length + n)
			capacity *= 2;
		char *data = realloc(reply->data, capacity);
		if (!data)
			return error_set_oom(error);
		reply->data = data;
		reply->capacity = capacity;
	}
	memcpy(reply->data + reply->length, input->bytes, n);
	reply->length += n;
	reply->data[reply->length] = '\0';
	reply->received += n;
	input->bytes += n;
	input->length -= n;
	return 0;
}

/* A peer that is no HTTP server is recognised by its first byte, not by the end of a line that may
 * never come. */
static int check_greeting(const struct http_reply *reply, struct error *error)
{
	static const char greeting[] = "HTTP/1.";
	size_t n = reply->length < sizeof greeting - 1 ? reply->length : sizeof greeting - 1;

	if (reply->phase == HTTP_STATUS && reply->data && memcmp(reply->data, greeting, n) != 0)
		return nonsense(error, "it does not begin with HTTP/1");
	return 0;
}

/* Lines have two limits: what a header may have in all, and what the reply may have. */
static size_t line_room(const struct http_reply *reply)
{
	size_t used = reply->header_length ? reply->trailer_length : reply->length;
	size_t room = used < HTTP_HEADER_MAX ? HTTP_HEADER_MAX - used : 0;
	size_t left = reply->limit - reply->received;

	return room < left ? room : left;
}

/* Appends up to the end of the line. *ret_line is the line without its end, or NULL while it is
 * incomplete. */
static int take_line(struct http_reply *reply, struct input *input, char **ret_line,
		     struct error *error)
{
	const char *newline = memchr(input->bytes, '\n', input->length);
	size_t wanted = newline ? (size_t)(newline - input->bytes) + 1 : input->length;
	size_t room = line_room(reply);
	size_t n = wanted < room ? wanted : room;

	int r = reply_take(reply, input, n, error);
	if (r < 0)
		return r;
	if (reply->header_length)
		reply->trailer_length += n;
	r = check_greeting(reply, error);
	if (r < 0)
		return r;
	if (n < wanted && reply->received == reply->limit)
		return too_large(error, "it is", reply->limit);
	if (n < wanted)
		return too_large(error, "its headers are", HTTP_HEADER_MAX);

	*ret_line = NULL;
	if (!newline)
		return 0;
	char *line = reply->data + reply->line;
	size_t length = reply->length - reply->line - 1;
	if (memchr(line, '\0', length))
		return nonsense(error, "there is a NUL byte in its headers");
	if (length && line[length - 1] == '\r')
		length--;
	line[length] = '\0';
	*ret_line = line;
	return 0;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int parse_status(struct http_reply *reply, const char *line, struct error *error)
{
	/* "HTTP/1.1 200 OK"; check_greeting() has seen the first seven. */
	const char *code = line + strlen("HTTP/1.x ");

	if (strlen(line) < strlen("HTTP/1.x 200") || !is_digit(code[-2]) || code[-1] != ' ' ||
	    !is_digit(code[0]) || !is_digit(code[1]) || !is_digit(code[2]) ||
	    (code[3] != ' ' && code[3] != '\0'))
		return nonsense(error, "its status line is malformed");
	reply->status = (code[0] - '0') * 100 + (code[1] - '0') * 10 + (code[2] - '0');
	if (reply->status < 200 || reply->status > 599)
		return nonsense(error, "its status is none that a GET is answered with");
	reply->phase = HTTP_HEADER;
	return 0;
}

static int parse_content_length(struct http_reply *reply, const char *value, struct error *error)
{
	int64_t length = 0;

	if (!*value)
		return nonsense(error, "its Content-Length is empty");
	for (const char *c = value; *c; c++) {
		if (!is_digit(*c) || length > (INT64_MAX - 9) / 10)
			return nonsense(error, "its Content-Length is not a number");
		length = length * 10 + (*c - '0');
	}
	if (reply->content_length >= 0 && reply->content_length != length)
		return nonsense(error, "it has two different Content-Lengths");
	reply->content_length = length;
	return 0;
}

static void keep_server(struct http_reply *reply, const char *value)
{
	size_t i = 0;

	for (; i < sizeof reply->server - 1 && value[i]; i++)
		reply->server[i] = value[i] >= ' ' && value[i] <= '~' ? value[i] : '?';
	reply->server[i] = '\0';
}

static int parse_header(struct http_reply *reply, char *line, struct error *error)
{
	char *colon = strchr(line, ':');

	if (!colon || colon == line || line[0] == ' ' || line[0] == '\t')
		return nonsense(error, "a header has no name");
	*colon = '\0';

	char *value = colon + 1 + strspn(colon + 1, " \t");
	for (size_t n = strlen(value); n && (value[n - 1] == ' ' || value[n - 1] == '\t'); n--)
		value[n - 1] = '\0';

	if (strcasecmp(line, "Content-Length") == 0)
		return parse_content_length(reply, value, error);
	if (strcasecmp(line, "Server") == 0)
		keep_server(reply, value);
	if (strcasecmp(line, "Transfer-Encoding") == 0 && strcasecmp(value, "identity") != 0) {
		if (strcasecmp(value, "chunked") != 0)
			return nonsense(error, "its Transfer-Encoding is not chunked");
		reply->chunked = true;
	}
	return 0;
}

static void finish(struct http_reply *reply)
{
	reply->phase = HTTP_FINISHED;
	reply->finished = true;
	reply->body = reply->data + reply->header_length;
	reply->body_length = reply->length - reply->header_length;
}

/* The empty line behind the headers: from here on they say how the body is delimited. */
static int end_headers(struct http_reply *reply, struct error *error)
{
	reply->header_length = reply->length;
	reply->line = reply->length;
	if (reply->status == 204 || reply->status == 304) {
		finish(reply);
	} else if (reply->chunked) {
		reply->phase = HTTP_CHUNK_SIZE;
	} else if (reply->content_length >= 0) {
		if ((uint64_t)reply->content_length > reply->limit - reply->received)
			return too_large(error, "it is", reply->limit);
		reply->left = (uint64_t)reply->content_length;
		reply->phase = HTTP_BODY_COUNTED;
		if (!reply->left)
			finish(reply);
	} else {
		reply->phase = HTTP_BODY_TO_END;
	}
	return 0;
}

static int parse_chunk_size(struct http_reply *reply, const char *line, struct error *error)
{
	static const char digits[] = "0123456789abcdef";
	uint64_t size = 0;
	size_t i = 0;

	for (; line[i]; i++) {
		int c = line[i] >= 'A' && line[i] <= 'F' ? line[i] - 'A' + 'a' : line[i];
		const char *digit = strchr(digits, c);
		if (!digit)
			break;
		if (size > UINT64_MAX >> 4)
			return nonsense(error, "the size of a chunk is not a number");
		size = size << 4 | (uint64_t)(digit - digits);
	}
	/* Extensions may follow; nobody uses them. */
	if (i == 0 || !strchr("; \t", line[i]))
		return nonsense(error, "the size of a chunk is not a number");
	if (size > reply->limit - reply->received)
		return too_large(error, "it is", reply->limit);
	reply->left = size;
	reply->phase = size ? HTTP_CHUNK_DATA : HTTP_TRAILER;
	return 0;
}

/* A complete line, according to where in the reply it stands. Those of the chunked encoding leave
 * nothing behind: data goes on with the next piece of the body. */
static int parse_line(struct http_reply *reply, char *line, struct error *error)
{
	bool empty = line[0] == '\0';
	int r = 0;

	if (reply->phase == HTTP_STATUS || reply->phase == HTTP_HEADER) {
		if (reply->phase == HTTP_STATUS)
			r = parse_status(reply, line, error);
		else
			r = empty ? end_headers(reply, error) : parse_header(reply, line, error);
		reply->line = reply->length;
		return r;
	}

	if (reply->phase == HTTP_CHUNK_SIZE)
		r = parse_chunk_size(reply, line, error);
	else if (reply->phase == HTTP_CHUNK_END && !empty)
		r = nonsense(error, "a chunk is longer than its size says");
	else if (reply->phase == HTTP_CHUNK_END)
		reply->phase = HTTP_CHUNK_SIZE;
	if (reply->phase != HTTP_TRAILER)
		reply->trailer_length = 0;
	reply->length = reply->line;
	reply->data[reply->length] = '\0';
	if (r == 0 && reply->phase == HTTP_TRAILER && empty)
		finish(reply);
	return r;
}

static int feed_body(struct http_reply *reply, struct input *input, struct error *error)
{
	size_t room = reply->limit - reply->received;
	size_t n = input->length;

	if (reply->phase != HTTP_BODY_TO_END && n > reply->left)
		n = (size_t)reply->left;
	if (n > room)
		return too_large(error, "it is", reply->limit);

	int r = reply_take(reply, input, n, error);
	if (r < 0)
		return r;
	if (reply->phase == HTTP_BODY_TO_END)
		return 0;
	reply->left -= n;
	if (reply->left)
		return 0;
	if (reply->phase == HTTP_BODY_COUNTED) {
		finish(reply);
	} else {
		reply->phase = HTTP_CHUNK_END;
		reply->line = reply->length;
	}
	return 0;
}

static int feed_end(struct http_reply *reply, struct error *error)
{
	if (reply->phase == HTTP_BODY_TO_END) {
		finish(reply);
		return 0;
	}
	if (!reply->received)
		return error_set(error, -EPIPE, "read the reply", NULL,
				 "it closed the connection without an answer");
	return error_set(error, -EPIPE, "read the reply", NULL,
			 "it closed the connection in the middle of its answer");
}

int http_reply_feed(struct http_reply *reply, const char *bytes, size_t length, bool end,
		    struct error *error)
{
	struct input input = {bytes, length};

	while (input.length && !reply->finished) {
		int r;

		if (reply->phase == HTTP_BODY_COUNTED || reply->phase == HTTP_BODY_TO_END ||
		    reply->phase == HTTP_CHUNK_DATA) {
			r = feed_body(reply, &input, error);
		} else {
			char *line = NULL;
			r = take_line(reply, &input, &line, error);
			if (r == 0 && line)
				r = parse_line(reply, line, error);
		}
		if (r < 0)
			return r;
	}
	return end && !reply->finished ? feed_end(reply, error) : 0;
}

/* ---- requests in flight ---- */

static void request_end(struct http_request *request, int result)
{
	request->done = true;
	request->result = result;
	cleanup_close_fd(&request->fd);
	request->fd = -1;
}

/* The sentence gets a subject: which socket was asked for what. */
static void request_fail(struct http_request *request, int code, const char *text)
{
	char step[sizeof request->error.step];

	(void)snprintf(step, sizeof step, "ask for %s at", request->path);
	(void)error_set(&request->error, code, step, request->socket_path, "%s", text);
	request_end(request, code);
}

static void request_fail_errno(struct http_request *request, int errno_value)
{
	struct error cause = ERROR_NONE;
	int code = error_set_errno(&cause, errno_value, "", NULL);

	if (errno_value == ECONNREFUSED)
		request_fail(request, code, "nobody listens there");
	else if (errno_value == ECONNRESET || errno_value == EPIPE)
		request_fail(request, code, "it closed the connection without an answer");
	else
		request_fail(request, code, cause.text);
}

static void request_connect(struct http_request *request)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	size_t length = strlen(request->socket_path);

	if (length >= sizeof address.sun_path) {
		request_fail(request, -ENAMETOOLONG, "the path is too long for a socket");
		return;
	}
	memcpy(address.sun_path, request->socket_path, length + 1);
	if (connect(request->fd, (struct sockaddr *)&address, sizeof address) == 0)
		request->connected = true;
	else if (errno != EAGAIN && errno != EINTR)
		request_fail_errno(request, errno);
}

/* The head of the request; its length, or -1 where it does not fit. */
static int request_head(const struct http_request *request, char *text, size_t size)
{
	const struct http_body *body = &request->body;
	char about[128] = "";

	if (body->type)
		(void)snprintf(about, sizeof about,
			       "Content-Type: %.60s\r\nContent-Length: %zu\r\n", body->type,
			       body->length);
	else if (strcmp(request->method, "POST") == 0)
		(void)snprintf(about, sizeof about, "Content-Length: 0\r\n");
	int length = snprintf(text, size,
			      "%s %s HTTP/1.0\r\nHost: docker\r\nUser-Agent: harden\r\n"
			      "Accept: application/json\r\n%s\r\n",
			      request->method, request->path, about);
	return length < 0 || (size_t)length >= size ? -1 : length;
}

static void request_send(struct http_request *request)
{
	char text[512];
	const struct http_body *body = &request->body;
	int length = request_head(request, text, sizeof text);

	if (length < 0) {
		request_fail(request, -ENAMETOOLONG, "the request is too long");
		return;
	}
	size_t head = (size_t)length;
	size_t all = head + body->length;
	const char *next =
		request->sent < head ? text + request->sent : body->bytes + (request->sent - head);
	size_t left = request->sent < head ? head - request->sent : all - request->sent;
	ssize_t n = send(request->fd, next, left, MSG_NOSIGNAL);
	if (n >= 0)
		request->sent += (size_t)n;
	else if (errno == EPIPE)
		/* It may have answered before it closed: recv() will tell. */
		request->sent = all;
	else if (errno != EAGAIN && errno != EINTR)
		request_fail_errno(request, errno);
	request->asked = request->sent == all;
}

static void request_receive(struct http_request *request)
{
	char bytes[32 * 1024];
	struct error cause = ERROR_NONE;
	ssize_t n = recv(request->fd, bytes, sizeof bytes, 0);

	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			request_fail_errno(request, errno);
		return;
	}
	int r = http_reply_feed(&request->reply, bytes, (size_t)n, n == 0, &cause);
	if (r < 0)
		request_fail(request, r, cause.text);
	else if (request->reply.finished)
		request_end(request, 0);
}

static void request_proceed(struct http_request *request, short events)
{
	if (!request->connected)
		request_connect(request);
	if (!request->done && request->connected && !request->asked)
		request_send(request);
	if (!request->done && events & (POLLIN | POLLHUP | POLLERR))
		request_receive(request);
}

void http_start_with(struct http_request *request, const char *socket_path, const char *method,
		     const char *path, const struct http_body *body, size_t limit)
{
	*request = (struct http_request){
		.socket_path = socket_path,
		.path = path,
		.method = method,
		.body = body ? *body : (struct http_body){.type = NULL},
		.result = -EINPROGRESS,
		.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0),
	};
	http_reply_init(&request->reply, limit);
	if (request->fd < 0)
		request_fail_errno(request, errno);
	else
		request_proceed(request, 0);
}

void http_start(struct http_request *request, const char *socket_path, const char *path,
		size_t limit)
{
	http_start_with(request, socket_path, "GET", path, NULL, limit);
}

void http_start_post(struct http_request *request, const char *socket_path, const char *path,
		     size_t limit)
{
	http_start_with(request, socket_path, "POST", path, NULL, limit);
}

static void request_time_out(struct http_request *request)
{
	if (!request->connected)
		request_fail(request, -ETIMEDOUT, "it accepted no connection in time");
	else if (!request->reply.received)
		request_fail(request, -ETIMEDOUT, "it did not answer in time");
	else
		request_fail(request, -ETIMEDOUT, "its answer did not come to an end in time");
}

/* Waits for the next thing to happen to a request that is not done; returns how many those are. */
static size_t wait_for_any(const struct http_request *requests, struct pollfd *fds, size_t count,
			   uint64_t deadline_us)
{
	int timeout = clock_left_ms(deadline_us);
	size_t open = 0;

	for (size_t i = 0; i < count; i++) {
		const struct http_request *request = &requests[i];
		bool waits = !request->done && request->connected;

		fds[i] = (struct pollfd){.fd = waits ? request->fd : -1, .events = POLLIN};
		if (waits && !request->asked)
			fds[i].events |= POLLOUT;
		/* A full queue is nothing that poll() can wait for. */
		if (!request->done && !request->connected && timeout > RECONNECT_MS)
			timeout = RECONNECT_MS;
		open += !request->done;
	}
	if (open && poll(fds, count, timeout) < 0)
		memset(fds, 0, count * sizeof *fds);
	return open;
}

/* One look at those that are not done, after waiting for something to happen until the moment. */
static bool proceed_all(struct http_request *requests, struct pollfd *fds, size_t count,
			uint64_t until_us)
{
	size_t open = wait_for_any(requests, fds, count, until_us);

	for (size_t i = 0; open && i < count; i++)
		if (!requests[i].done)
			request_proceed(&requests[i], fds[i].revents);
	return open == 0;
}

bool http_continue(struct http_request *requests, size_t count, uint64_t until_us)
{
	cleanup_free struct pollfd *fds = calloc(count, sizeof *fds);
	bool done = false;

	for (size_t i = 0; !fds && i < count; i++)
		if (!requests[i].done)
			request_fail(&requests[i], -ENOMEM, "out of memory");
	while (fds && !(done = proceed_all(requests, fds, count, until_us)))
		/* Also looked at when there is always something to read: a stream without end. */
		if (clock_now_us() >= until_us)
			break;
	return done || !fds;
}

void http_finish(struct http_request *requests, size_t count, uint64_t deadline_us)
{
	if (http_continue(requests, count, deadline_us))
		return;
	for (size_t i = 0; i < count; i++)
		if (!requests[i].done)
			request_time_out(&requests[i]);
}

void http_request_done(struct http_request *request)
{
	cleanup_close_fd(&request->fd);
	http_reply_done(&request->reply);
	*request = (struct http_request){.fd = -1};
}
