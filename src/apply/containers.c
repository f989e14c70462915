#include "apply/containers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply/talk.h"
#include "apply/wait.h"
#include "base/text.h"
#include "core/canary.h"
#include "host/clock.h"
#include "host/containers.h"
#include "host/http.h"
#include "host/proc.h"

#define REPLY_MAX ((size_t)64 * 1024 * 1024)
/* Between two looks at the list. */
#define LOOK_US 100000
#define PAUSE_US 20000
#define TASKS_SECONDS 30

/* "/containers/", an id and an action. */
#define PATH_SIZE 128

/* ---- asking and telling ---- */

static int interrupted(const struct daemon *daemon, struct error *error)
{
	return error_set(error, -ECANCELED, "wait for", daemon->socket_path, "interrupted");
}

/* Carries requests on until all are done. */
static int finish(const struct daemon *daemon, struct http_request *requests, size_t count,
		  struct error *error)
{
	const struct wait wait = daemon_wait(daemon);

	return talk_finish(&wait, requests, count, error);
}

/* Everything but success is an error, in dockerd's own words. 304: it is so already; 404 is left to
 * the caller where `gone` is given. */
static int judge(const struct http_request *request, const char *what, const char *name, bool *gone,
		 struct error *error)
{
	const struct http_reply *reply = &request->reply;

	if (request->result < 0)
		return error_set(error, request->result, what, name, "%s", request->error.text);
	if (gone)
		*gone = reply->status == 404;
	if (reply->status < 300 || reply->status == 304 || (gone && *gone))
		return 0;
	json_auto_t *body = json_loadb(reply->body, reply->body_length, 0, NULL);
	const char *message = json_string_value(json_object_get(body, "message"));
	return error_set(error, -EIO, what, name, "dockerd answered %d%s%s", reply->status,
			 message ? ": " : "", message ? message : "");
}

static int tell(const struct daemon *daemon, const struct txn_container *container,
		const char *action, bool *gone, struct error *error)
{
	struct http_request request;
	char path[PATH_SIZE];

	(void)snprintf(path, sizeof path, "/containers/%.70s/%s", container->id, action);
	http_start_post(&request, daemon->socket_path, path, REPLY_MAX);
	int r = finish(daemon, &request, 1, error);
	if (r == 0)
		r = judge(&request, action, container->name, gone, error);
	http_request_done(&request);
	return r;
}

static int list(const struct daemon *daemon, const char *path, json_t **ret, struct error *error)
{
	struct http_request request;

	http_start(&request, daemon->socket_path, path, REPLY_MAX);
	int r = finish(daemon, &request, 1, error);
	if (r == 0)
		r = judge(&request, "list", "containers", NULL, error);
	if (r == 0) {
		*ret = json_loadb(request.reply.body, request.reply.body_length, 0, NULL);
		if (!json_is_array(*ret))
			r = error_set(error, -EBADMSG, "list", "containers",
				      "dockerd's answer is no list");
	}
	http_request_done(&request);
	return r;
}

/* ---- what the list says ---- */

static bool is_up(const json_t *entry)
{
	return container_entry_state(entry) != CONTAINER_DOWN;
}

static const char *id_of(const json_t *entry)
{
	return json_string_value(json_object_get(entry, "Id"));
}

static bool names(const struct txn_containers *which, const char *id)
{
	for (size_t i = 0; i < which->count; i++)
		if (text_equal(which->items[i].id, id))
			return true;
	return false;
}

static const json_t *find(const json_t *entries, const char *id)
{
	for (size_t i = 0; i < json_array_size(entries); i++)
		if (text_equal(id_of(json_array_get(entries, i)), id))
			return json_array_get(entries, i);
	return NULL;
}

/* ---- stopping ---- */

/* *ret_up: at least one of them is still up. */
static int look_who_is_up(const struct daemon *daemon, const struct txn_containers *which,
			  bool *ret_up, struct error *error)
{
	json_auto_t *entries = NULL;
	int r = list(daemon, "/containers/json", &entries, error);

	*ret_up = false;
	for (size_t i = 0; r == 0 && i < json_array_size(entries); i++) {
		const json_t *entry = json_array_get(entries, i);
		const json_t *called = json_object_get(entry, "Names");

		if (container_entry_service(entry) || canary_is_entry(entry) || !is_up(entry))
			continue;
		const char *name = json_string_value(json_array_get(called, 0));
		*ret_up = true;
		if (!names(which, id_of(entry)))
			r = error_set(error, -EBUSY, "stop containers",
				      name && *name == '/' ? name + 1 : name,
				      "it was started in the meantime; run it again");
	}
	return r;
}

/* dockerd answers a moment before its list says so. */
static int wait_until_down(const struct daemon *daemon, const struct txn_containers *which,
			   struct error *error)
{
	const struct wait wait = daemon_wait(daemon);

	for (;;) {
		bool up = false;
		int r = look_who_is_up(daemon, which, &up, error);
		if (r < 0 || !up)
			return r;
		r = wait_for(&wait, -1, 0, clock_now_us() + PAUSE_US);
		if (r == -ECANCELED)
			return interrupted(daemon, error);
		if (r < 0)
			return error_set(error, r, "stop containers", NULL,
					 "some are still running after %u seconds (see --timeout)",
					 daemon->timeout_seconds);
	}
}

/* All at once, as dockerd does when it ends: each may take ten seconds, and there may be hundreds.
 */
static int stop_all(const struct daemon *daemon, const struct txn_containers *which,
		    struct http_request *requests, char (*paths)[PATH_SIZE], struct error *error)
{
	for (size_t i = 0; i < which->count; i++) {
		(void)snprintf(paths[i], PATH_SIZE, "/containers/%.70s/stop", which->items[i].id);
		http_start_post(&requests[i], daemon->socket_path, paths[i], REPLY_MAX);
	}
	int r = finish(daemon, requests, which->count, error);
	for (size_t i = 0; i < which->count; i++) {
		bool gone = false;

		if (r == 0)
			r = judge(&requests[i], "stop", which->items[i].name, &gone, error);
		http_request_done(&requests[i]);
	}
	return r;
}

int containers_stop(struct daemon *daemon, const struct txn_containers *which, struct error *error)
{
	cleanup_free struct http_request *requests = calloc(which->count + 1, sizeof *requests);
	cleanup_free char(*paths)[PATH_SIZE] = calloc(which->count + 1, sizeof *paths);

	if (!requests || !paths)
		return error_set_oom(error);
	int r = which->count ? stop_all(daemon, which, requests, paths, error) : 0;
	return r < 0 ? r : wait_until_down(daemon, which, error);
}

/* ---- starting ---- */

/* A paused one that dockerd has started again by itself is paused again, too. */
static int start_one(const struct daemon *daemon, const struct txn_container *container,
		     const json_t *entry, bool *gone, struct error *error)
{
	bool paused = container_entry_state(entry) == CONTAINER_PAUSED;
	int r = 0;

	if (!is_up(entry))
		r = tell(daemon, container, "start", gone, error);
	if (r == 0 && !*gone && container->paused && !paused)
		r = tell(daemon, container, "pause", gone, error);
	return r;
}

int containers_start(struct daemon *daemon, const struct txn_containers *which, bool lost_only,
		     struct strlist *ret_gone, struct error *error)
{
	json_auto_t *entries = NULL;
	int r = which->count ? list(daemon, "/containers/json?all=1", &entries, error) : 0;

	for (size_t i = 0; r == 0 && i < which->count; i++) {
		const struct txn_container *container = &which->items[i];
		const json_t *entry = find(entries, container->id);
		bool gone = entry == NULL;

		if (entry && lost_only && container_entry_ended_well(entry))
			continue;
		if (entry)
			r = start_one(daemon, container, entry, &gone, error);
		if (r == 0 && gone && strlist_add(ret_gone, container->name) < 0)
			r = error_set_oom(error);
	}
	return r;
}

bool containers_wait_tasks(struct daemon *daemon, size_t wanted)
{
	struct wait wait = daemon_wait(daemon);
	uint64_t soon = clock_now_us() + (uint64_t)TASKS_SECONDS * 1000000;

	wait.deadline_us = soon < wait.deadline_us ? soon : wait.deadline_us;
	for (;;) {
		json_auto_t *entries = NULL;
		struct error ignored = ERROR_NONE;
		size_t up = 0;

		(void)list(daemon, "/containers/json", &entries, &ignored);
		for (size_t i = 0; i < json_array_size(entries); i++)
			up += container_entry_service(json_array_get(entries, i)) != NULL;
		if (up >= wanted)
			return true;
		if (wait_for(&wait, -1, 0, clock_now_us() + LOOK_US) < 0)
			return false;
	}
}

/* ---- afterwards ---- */

/* The processes are looked at first: what is started in between is in the list, and not the other
 * way round. */
int containers_check_orphans(struct daemon *daemon, const struct facts *before, struct error *error)
{
	cleanup_strlist struct strlist ids = {.items = NULL};
	json_auto_t *entries = NULL;
	int r = proc_container_ids("", &ids, error);

	if (r == 0)
		r = list(daemon, "/containers/json?all=1", &entries, error);
	for (size_t i = 0; r == 0 && i < before->container_count; i++) {
		const struct container_facts *container = &before->container_list[i];
		if (container->id && strlist_contains(&ids, container->id) &&
		    !find(entries, container->id))
			r = error_set(error, -EIO, "prove", container->name,
				      "its processes run on, and the daemon does not know it");
	}
	return r;
}
