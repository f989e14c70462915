#include "apply/canary.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "apply/talk.h"
#include "base/strbuf.h"
#include "base/text.h"
#include "core/canary.h"
#include "host/clock.h"

#define REPLY_MAX ((size_t)4 * 1024 * 1024)
#define PATH_SIZE 200
/* Between two looks at what is about to happen. */
#define PAUSE_US 2000
/* The longest between two looks while it is not about to happen. */
#define LOOK_US 100000
/* How long dockerd may take to listen to a container that has not been started yet. */
#define ATTACH_US 5000000
/* How long taking it away may take, also when somebody wants to stop. */
#define REMOVE_US 20000000

#define LEFTOVERS "filters=%7B%22label%22%3A%5B%22" CANARY_LABEL "%22%5D%7D"
#define LEFT_IMAGES "filters=%7B%22reference%22%3A%5B%22" CANARY_NAME "%3A%2A%22%5D%7D"

struct flight {
	const struct canary_options *options;
	struct canary *canary;
	bool decided; /* state and reason are set */
	struct http_request attach;
	bool attached;
	json_t *inspected;
};

static void flight_done(struct flight *flight)
{
	if (flight->attached)
		http_request_done(&flight->attach);
	json_decref(flight->inspected);
}

void canary_done(struct canary *canary)
{
	free(canary->reason);
	canary_facts_done(&canary->saw);
	*canary = CANARY_EMPTY;
}

const char *canary_state_name(enum canary_state state)
{
	static const char *const names[] = {
		[CANARY_SKIPPED] = "skipped",
		[CANARY_PASSED] = "passed",
		[CANARY_FAILED] = "failed",
	};

	return names[state];
}

/* ---- what came of it ---- */

static int decide(struct flight *flight, enum canary_state state, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int decide(struct flight *flight, enum canary_state state, const char *format, ...)
{
	struct canary *canary = flight->canary;
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
	va_list arguments;

	va_start(arguments, format);
	(void)strbuf_addv(&text, format, arguments);
	va_end(arguments);
	free(canary->reason);
	canary->reason = strbuf_finish(&text);
	canary->state = state;
	flight->decided = true;
	return canary->reason ? 0 : -ENOMEM;
}

/* dockerd's refusal: {"message": …} of a reply, {"error": …} in the progress of an import. Fit for
 * a terminal. */
static int take_words(const struct http_reply *reply, struct strbuf *words)
{
	json_auto_t *body =
		json_loadb(reply->body, reply->body_length, JSON_DISABLE_EOF_CHECK, NULL);
	const char *message = json_string_value(json_object_get(body, "message"));

	if (!message)
		message = json_string_value(json_object_get(body, "error"));
	return message ? text_add_printable(words, message, strlen(message), false)
		       : strbuf_addf(words, "dockerd answered %d", reply->status);
}

/* `made` says that the image is there, so that it is about a container. */
static int refused(struct flight *flight, const struct http_reply *reply, const char *what,
		   bool made)
{
	cleanup_strbuf struct strbuf words = STRBUF_EMPTY;

	if (take_words(reply, &words) < 0)
		return -ENOMEM;
	bool unable =
		reply->status == 403 ||
		(!made && (reply->status == 404 || reply->status == 405 || reply->status == 501)) ||
		canary_is_excused(words.data);
	if (!unable)
		flight->canary->key = canary_blame(words.data);
	return decide(flight, unable ? CANARY_SKIPPED : CANARY_FAILED, "%s: %s", what, words.data);
}

/* ---- talking ---- */

/* One request, and its reply in *ret, which the caller releases with http_request_done(). */
static int talk(const struct wait *wait, const char *socket_path, const char *method,
		const char *path, const struct http_body *body, struct http_request *ret,
		struct error *error)
{
	http_start_with(ret, socket_path, method, path, body, REPLY_MAX);
	int r = talk_finish(wait, ret, 1, error);
	if (r < 0)
		http_request_done(ret);
	return r;
}

static int out_of_memory(int r, struct error *error)
{
	return r == -ENOMEM ? error_set_oom(error) : r;
}

/* A step of the flight. *ret_reply, when the flight goes on, is the caller's to release. Silence of
 * the API says nothing about a container, except where dockerd is busy starting one: then the log
 * driver hangs, or the runtime. */
static int step(struct flight *flight, const char *method, const char *path,
		const struct http_body *body, const char *what, bool made, struct http_request *ret,
		struct error *error)
{
	const struct canary_options *options = flight->options;
	int r = talk(options->wait, options->socket_path, method, path, body, ret, error);

	if (r < 0)
		return r;
	if (ret->result == -ETIMEDOUT && text_ends_with(path, "/start"))
		r = decide(flight, CANARY_FAILED,
			   "%s: dockerd did not come to an end with it in time", what);
	else if (ret->result < 0)
		r = decide(flight, CANARY_SKIPPED, "%s: %s", what, ret->error.text);
	else if (ret->reply.status >= 300 && ret->reply.status != 304)
		r = refused(flight, &ret->reply, what, made);
	if (flight->decided)
		http_request_done(ret);
	return out_of_memory(r, error);
}

/* ---- taking it away ---- */

/* A missing one is fine; one that is on its way out already (409) is not there in a moment. */
static int remove_path(const char *socket_path, const char *path, const struct wait *wait,
		       struct error *error)
{
	struct http_request request;
	int r = talk(wait, socket_path, "DELETE", path, NULL, &request, error);

	if (r < 0)
		return r;
	int status = request.reply.status;
	if (request.result < 0)
		r = error_set(error, request.result, "remove", path, "%s", request.error.text);
	else if (status >= 300 && status != 404)
		r = error_set(error, -EIO, "remove", path, "dockerd answered %d", status);
	http_request_done(&request);
	return r;
}

/* The id is a part of a path. */
static bool is_word(const char *id)
{
	return *id && strlen(id) <= 64 &&
	       strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") ==
		       strlen(id);
}

int canary_remove(const char *socket_path, const char *id, const struct wait *wait,
		  struct error *error)
{
	char container[PATH_SIZE];
	char image[PATH_SIZE];

	if (!is_word(id))
		return error_set(error, -EINVAL, "remove", CANARY_NAME, "not an id: %s", id);
	(void)snprintf(container, sizeof container, "/containers/" CANARY_NAME "-%s?force=1&v=1",
		       id);
	(void)snprintf(image, sizeof image, "/images/" CANARY_NAME ":%s?force=1", id);
	int r = remove_path(socket_path, container, wait, error);
	int image_r = remove_path(socket_path, image, wait, error);
	return r < 0 ? r : image_r;
}

/* The list, or an empty one where the API does not give it. */
static int ask_list(const struct flight *flight, const char *path, json_t **ret,
		    struct error *error)
{
	const struct canary_options *options = flight->options;
	struct http_request request;
	int r = talk(options->wait, options->socket_path, "GET", path, NULL, &request, error);

	*ret = NULL;
	if (r < 0)
		return r;
	if (request.result == 0 && request.reply.status == 200)
		*ret = json_loadb(request.reply.body, request.reply.body_length, 0, NULL);
	http_request_done(&request);
	return 0;
}

/* Those of transactions that were interrupted, and could not be tidied up since. */
static int remove_leftovers(const struct flight *flight, struct error *error)
{
	const struct canary_options *options = flight->options;
	json_auto_t *containers = NULL;
	json_auto_t *images = NULL;
	int r = ask_list(flight, "/containers/json?all=1&" LEFTOVERS, &containers, error);

	for (size_t i = 0; r == 0 && i < json_array_size(containers); i++) {
		const json_t *labels = json_object_get(json_array_get(containers, i), "Labels");
		const char *id = json_string_value(json_object_get(labels, CANARY_LABEL));
		struct error ignored = ERROR_NONE;
		if (id)
			(void)canary_remove(options->socket_path, id, options->wait, &ignored);
	}
	if (r == 0)
		r = ask_list(flight, "/images/json?" LEFT_IMAGES, &images, error);
	for (size_t i = 0; r == 0 && i < json_array_size(images); i++) {
		const json_t *tags = json_object_get(json_array_get(images, i), "RepoTags");
		const char *tag = json_string_value(json_array_get(tags, 0));
		struct error ignored = ERROR_NONE;
		if (tag && text_starts_with(tag, CANARY_NAME ":"))
			(void)canary_remove(options->socket_path, strchr(tag, ':') + 1,
					    options->wait, &ignored);
	}
	return r;
}

/* ---- the flight ---- */

/* An import that fails on the way answers 200, and says so in its last line. */
static int import(struct flight *flight, struct error *error)
{
	static const char what[] = "its image could not be imported";
	cleanup_strbuf struct strbuf tar = STRBUF_EMPTY;
	struct http_request request;
	char path[PATH_SIZE];

	int r = canary_image(&tar, error);
	if (r < 0)
		return r;
	const struct http_body body = {"application/x-tar", tar.data, tar.length};
	(void)snprintf(path, sizeof path, "/images/create?fromSrc=-&repo=" CANARY_NAME "&tag=%s",
		       flight->options->id);
	r = step(flight, "POST", path, &body, what, false, &request, error);
	if (r < 0 || flight->decided)
		return r;
	if (strstr(request.reply.body, "\"errorDetail\"")) {
		/* Lines before the error are progress. */
		const char *line = strstr(request.reply.body, "{\"error");
		struct http_reply reply = request.reply;
		reply.body = line ? line : reply.body;
		reply.body_length = strlen(reply.body);
		r = out_of_memory(refused(flight, &reply, what, false), error);
	}
	http_request_done(&request);
	return r;
}

static int create(struct flight *flight, struct error *error)
{
	const struct canary_options *options = flight->options;
	cleanup_free char *text = NULL;
	struct http_request request;
	char path[PATH_SIZE];

	int r = canary_container(options->id, options->log_driver, options->network, &text, error);
	if (r < 0)
		return r;
	const struct http_body body = {"application/json", text, strlen(text)};
	(void)snprintf(path, sizeof path, "/containers/create?name=" CANARY_NAME "-%s",
		       options->id);
	r = step(flight, "POST", path, &body, "a container cannot be created", true, &request,
		 error);
	if (r == 0 && !flight->decided)
		http_request_done(&request);
	return r;
}

/* What it writes is read over the API, which works with every log driver. Only once dockerd has
 * answered is it listening. Where it does not, the container is started all the same. */
static int attach(struct flight *flight, char *path, size_t size, struct error *error)
{
	const struct canary_options *options = flight->options;
	struct http_request *request = &flight->attach;
	const uint64_t enough = clock_now_us() + ATTACH_US;

	(void)snprintf(path, size, "/containers/" CANARY_NAME "-%s/attach?stream=1&stdout=1",
		       options->id);
	http_start_post(request, options->socket_path, path, REPLY_MAX);
	flight->attached = true;
	while (!request->done && !request->reply.header_length) {
		(void)http_continue(request, 1, clock_now_us() + PAUSE_US);
		if (wait_interrupted(options->wait))
			return error_set(error, -ECANCELED, "wait for", options->socket_path,
					 "interrupted");
		if (clock_now_us() >= enough || clock_now_us() >= options->wait->deadline_us)
			break;
	}
	return 0;
}

static int start(struct flight *flight, struct error *error)
{
	struct http_request request;
	char path[PATH_SIZE];

	(void)snprintf(path, sizeof path, "/containers/" CANARY_NAME "-%s/start",
		       flight->options->id);
	int r = step(flight, "POST", path, NULL, "a container does not start", true, &request,
		     error);
	if (r == 0 && !flight->decided)
		http_request_done(&request);
	return r;
}

/* How it has ended: 0 says well. */
static int judge_end(struct flight *flight)
{
	const json_t *state = json_object_get(flight->inspected, "State");
	json_int_t status = json_integer_value(json_object_get(state, "ExitCode"));
	const char *words = json_string_value(json_object_get(state, "Error"));

	if (status == 0)
		return 0;
	flight->canary->key = words ? canary_blame(words) : NULL;
	return decide(flight, CANARY_FAILED,
		      "a container that only ends ended with status %" JSON_INTEGER_FORMAT "%s%s",
		      status, words && *words ? ": " : "", words ? words : "");
}

static bool has_ended(const json_t *inspected)
{
	const char *status =
		json_string_value(json_object_get(json_object_get(inspected, "State"), "Status"));

	return text_equal(status, "exited") || text_equal(status, "dead");
}

static int inspect(struct flight *flight, const char *path, struct error *error)
{
	const struct canary_options *options = flight->options;
	struct http_request request;
	int r = talk(options->wait, options->socket_path, "GET", path, NULL, &request, error);

	if (r < 0)
		return r;
	json_decref(flight->inspected);
	flight->inspected = NULL;
	if (request.result == 0 && request.reply.status == 200)
		flight->inspected =
			json_loadb(request.reply.body, request.reply.body_length, 0, NULL);
	else if (request.result < 0 && request.result != -ETIMEDOUT)
		r = decide(flight, CANARY_SKIPPED, "it cannot be looked at: %s",
			   request.error.text);
	else if (request.result == 0)
		r = refused(flight, &request.reply, "it cannot be looked at", true);
	http_request_done(&request);
	return out_of_memory(r, error);
}

/* Waits a while for the end of its output, which comes with its own. */
static int follow_output(struct flight *flight)
{
	const struct wait *wait = flight->options->wait;

	if (flight->attach.done)
		return wait_for(wait, -1, 0, clock_now_us() + PAUSE_US);
	(void)http_continue(&flight->attach, 1, clock_now_us() + LOOK_US);
	if (wait->tick)
		wait->tick(wait->context);
	return wait_for(wait, -1, 0, clock_now_us());
}

/* dockerd notes its end a moment after that of its output; and should the output not end, that is
 * no reason to wait for it. */
static int wait_for_end(struct flight *flight, struct error *error)
{
	const struct canary_options *options = flight->options;
	char path[PATH_SIZE];
	int r = 0;

	(void)snprintf(path, sizeof path, "/containers/" CANARY_NAME "-%s/json", options->id);
	while (r == 0) {
		r = follow_output(flight);
		if (r == -ETIMEDOUT)
			return out_of_memory(decide(flight, CANARY_FAILED,
						    "a container that only ends did not do so "
						    "in time"),
					     error);
		if (r < 0)
			return error_set(error, r, "wait for", options->socket_path, "interrupted");
		r = inspect(flight, path, error);
		if (r < 0 || flight->decided)
			return r;
		if (has_ended(flight->inspected)) {
			(void)http_continue(&flight->attach, 1, clock_now_us() + LOOK_US);
			return out_of_memory(judge_end(flight), error);
		}
	}
	return r;
}

/* That it ended well counts, even when its report is lost. */
static int read_report(struct flight *flight, struct error *error)
{
	const struct http_reply *reply = &flight->attach.reply;
	bool whole = flight->attach.done && flight->attach.result == 0 && reply->status < 300;

	flight->canary->state = CANARY_PASSED;
	return canary_read(whole ? reply->body : "", whole ? reply->body_length : 0,
			   flight->inspected, &flight->canary->saw, error);
}

static int fly(struct flight *flight, struct error *error)
{
	char path[PATH_SIZE];
	int r = remove_leftovers(flight, error);

	if (r == 0)
		r = import(flight, error);
	if (r == 0 && !flight->decided)
		r = create(flight, error);
	if (r == 0 && !flight->decided)
		r = attach(flight, path, sizeof path, error);
	if (r == 0 && !flight->decided)
		r = start(flight, error);
	if (r == 0 && !flight->decided)
		r = wait_for_end(flight, error);
	if (r == 0 && !flight->decided)
		r = read_report(flight, error);
	if (flight->attached)
		http_request_done(&flight->attach);
	flight->attached = false;
	return r;
}

int canary_run(const struct canary_options *options, struct canary *ret, struct error *error)
{
	cleanup_canary struct canary canary = CANARY_EMPTY;
	scoped(flight_done) struct flight flight = {.options = options, .canary = &canary};
	const uint64_t begin = clock_now_us();
	struct error ignored = ERROR_NONE;

	if (!is_word(options->id))
		return error_set(error, -EINVAL, "run a canary", options->id, "this is not an id");
	int r = fly(&flight, error);
	const struct wait wait = {.deadline_us = clock_now_us() + REMOVE_US, .interrupt_fd = -1};
	canary.left = canary_remove(options->socket_path, options->id, &wait, &ignored) < 0;
	if (r < 0)
		return r;
	canary.took_us = (int64_t)(clock_now_us() - begin);
	*ret = canary;
	canary = CANARY_EMPTY;
	return 0;
}
