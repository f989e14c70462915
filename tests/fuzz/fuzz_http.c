/* The reader of HTTP replies. The first bytes decide about the limit and how the rest is cut into
 * pieces; a reply fed in pieces must come out as the one that is fed at once. */
#include "fuzz.h"

#include "host/http.h"

#define SEED_SIZE 2

static void demand(bool condition)
{
	if (!condition)
		abort();
}

static void check_finished(const struct http_reply *reply)
{
	demand(reply->status >= 200 && reply->status <= 599);
	demand(reply->header_length > 0 && reply->header_length <= HTTP_HEADER_MAX);
	demand(reply->body == reply->data + reply->header_length);
	demand(reply->body_length == reply->length - reply->header_length);
	demand(reply->body[reply->body_length] == '\0');
	if (!reply->chunked && reply->content_length >= 0 && reply->status != 204 &&
	    reply->status != 304)
		demand(reply->body_length == (size_t)reply->content_length);
}

static void check_reply(const struct http_reply *reply, int result, const struct error *error)
{
	demand(result == 0 || error->code == result);
	demand(reply->received <= reply->limit);
	demand(reply->length <= reply->received);
	demand(reply->length == 0 || reply->length < reply->capacity);
	demand(memchr(reply->server, '\0', sizeof reply->server) != NULL);
	/* After the end of the connection there is no third way. */
	demand(result < 0 || reply->finished);
	if (result == 0)
		check_finished(reply);
}

static int feed_at_once(struct http_reply *reply, const char *bytes, size_t length,
			struct error *error)
{
	return http_reply_feed(reply, bytes, length, true, error);
}

static int feed_in_pieces(struct http_reply *reply, const char *bytes, size_t length, unsigned seed,
			  struct error *error)
{
	int r = 0;

	while (length && r == 0) {
		seed = seed * 1103515245 + 12345;
		size_t piece = 1 + (seed >> 16) % 19;
		if (piece > length)
			piece = length;
		/* A copy of its exact size, for the sanitizer to guard its end. */
		char *copy = malloc(piece);
		if (!copy)
			abort();
		memcpy(copy, bytes, piece);
		r = http_reply_feed(reply, copy, piece, false, error);
		free(copy);
		bytes += piece;
		length -= piece;
	}
	return r < 0 ? r : http_reply_feed(reply, NULL, 0, true, error);
}

static void compare(const struct http_reply *a, const struct http_reply *b)
{
	demand(a->status == b->status);
	demand(a->chunked == b->chunked);
	demand(a->content_length == b->content_length);
	demand(a->received == b->received);
	demand(a->body_length == b->body_length);
	demand(memcmp(a->body, b->body, a->body_length) == 0);
	demand(strcmp(a->server, b->server) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error error_a = ERROR_NONE;
	struct error error_b = ERROR_NONE;
	struct http_reply a;
	struct http_reply b;

	if (size < SEED_SIZE)
		return 0;
	/* Small limits are met often. */
	size_t limit = data[0] & 1 ? (size_t)1 << 20 : (size_t)data[0] * 4;
	const char *bytes = (const char *)data + SEED_SIZE;

	http_reply_init(&a, limit);
	http_reply_init(&b, limit);
	int result_a = feed_at_once(&a, bytes, size - SEED_SIZE, &error_a);
	int result_b = feed_in_pieces(&b, bytes, size - SEED_SIZE, data[1], &error_b);
	check_reply(&a, result_a, &error_a);
	check_reply(&b, result_b, &error_b);
	demand(result_a == result_b);
	demand(strcmp(error_a.text, error_b.text) == 0);
	if (result_a == 0)
		compare(&a, &b);
	http_reply_done(&a);
	http_reply_done(&b);
	return 0;
}
