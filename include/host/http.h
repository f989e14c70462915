/* The Docker API over a unix socket: HTTP/1.0, strict limits, several requests at once. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Status line and headers together, and the same again for the trailer of a chunked reply. */
#define HTTP_HEADER_MAX ((size_t)16 * 1024)

enum http_phase {
	HTTP_STATUS, /* waits for the rest of the status line */
	HTTP_HEADER,
	HTTP_BODY_COUNTED, /* `left` bytes are still to come */
	HTTP_BODY_TO_END,  /* everything until the peer closes */
	HTTP_CHUNK_SIZE,
	HTTP_CHUNK_DATA, /* `left` bytes of this chunk are still to come */
	HTTP_CHUNK_END,  /* the empty line behind a chunk */
	HTTP_TRAILER,
	HTTP_FINISHED,
};

/* A reply to be parsed as it comes in; the parser does no I/O. Every byte is looked at once, so the
 * cost is linear however the bytes are cut and chunked. */
struct http_reply {
	char *data; /* headers, then the body as far as it is decoded; terminated */
	size_t length;
	size_t capacity;
	size_t limit;         /* largest reply that is accepted, in bytes */
	size_t received;      /* bytes taken so far, chunk sizes included */
	size_t header_length; /* with the empty line; 0 until it is complete */
	enum http_phase phase;
	size_t line;           /* where in data the unfinished line begins */
	size_t trailer_length; /* bytes of the trailer taken so far */
	uint64_t left;         /* in the body or chunk */
	int status;            /* 200 …; 0 until the status line is complete */
	bool chunked;
	int64_t content_length; /* -1 when the reply does not say */
	char server[64];        /* the Server header, "Docker/20.10.24+dfsg1 (linux)" */
	const char *body;       /* once finished: the body, decoded and terminated */
	size_t body_length;
	bool finished;
};

void http_reply_init(struct http_reply *reply, size_t limit);
void http_reply_done(struct http_reply *reply);

/* Takes more bytes of the reply; end says that the peer has closed. Sets reply->finished when all
 * of it is there, and ignores what comes behind. -EBADMSG for nonsense, -EMSGSIZE past the limit,
 * -EPIPE when it ended early; after an error the reply must not be fed again. */
int http_reply_feed(struct http_reply *reply, const char *bytes, size_t length, bool end,
		    struct error *error);

/* What goes with a request. */
struct http_body {
	const char *type;  /* "application/json"; NULL: there is nothing */
	const char *bytes; /* borrowed */
	size_t length;
};

/* One request of a batch. */
struct http_request {
	const char *socket_path; /* borrowed, as is path */
	const char *path;        /* "/info" */
	const char *method;      /* "GET", "POST", "DELETE" */
	struct http_body body;
	int fd;         /* -1 while there is no socket */
	bool connected; /* false while the listener's queue is full */
	size_t sent;    /* bytes of the request that are gone */
	bool asked;     /* all of the request is gone */
	int result;     /* 0 or negative errno once done; -EINPROGRESS before */
	bool done;
	struct http_reply reply;
	struct error error; /* filled when result is negative */
};

/* Connects and sends as much as goes without waiting; replies of more than limit bytes are refused.
 * On failure request->done and ->result are set; the others of a batch are not affected. Writes
 * with send(MSG_NOSIGNAL), never with write(). Both strings must live as long as the request. */
void http_start(struct http_request *request, const char *socket_path, const char *path,
		size_t limit);

/* The same for a POST without a body, which is how the API is told to stop or start something. */
void http_start_post(struct http_request *request, const char *socket_path, const char *path,
		     size_t limit);

/* The same for any method, with something to send; all of it is borrowed. */
void http_start_with(struct http_request *request, const char *socket_path, const char *method,
		     const char *path, const struct http_body *body, size_t limit);

/* Carries all started requests on until each is done, or the deadline (CLOCK_MONOTONIC, in
 * microseconds) passes, which makes those that are left fail with -ETIMEDOUT. A result of 0 means
 * that a whole reply is there; its status may still be an error of the API. */
void http_finish(struct http_request *requests, size_t count, uint64_t deadline_us);

/* Carries them on for a while, until each is done or the moment comes; none fails because of that.
 * Returns true when all are done. For those who have something else to look at meanwhile. */
bool http_continue(struct http_request *requests, size_t count, uint64_t until_us);

void http_request_done(struct http_request *request);
