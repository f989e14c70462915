#include "host/api.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "host/version.h"

#define DEFAULT_SOCKET "/run/docker.sock"

/* A host with ten thousand containers answers about 20 MB. */
#define REPLY_MAX ((size_t)64 * 1024 * 1024)

static const struct {
	const char *path;
	json_type type;
	size_t offset; /* of the reply in struct facts */
} questions[API_QUESTIONS] = {
	[API_INFO] = {"/info", JSON_OBJECT, offsetof(struct facts, info)},
	[API_CONTAINERS] = {"/containers/json?all=1", JSON_ARRAY,
			    offsetof(struct facts, containers)},
	[API_BRIDGE] = {"/networks/bridge", JSON_OBJECT, offsetof(struct facts, bridge)},
	[API_VOLUMES] = {"/volumes", JSON_OBJECT, offsetof(struct facts, volumes)},
};

/* ---- asking ---- */

const char *api_choose_socket(const json_t *hosts, bool *ret_activated)
{
	static const char scheme[] = "unix://";
	size_t i;
	const json_t *host;

	*ret_activated = false;
	if (json_array_size(hosts) == 0)
		return DEFAULT_SOCKET;
	json_array_foreach (hosts, i, host) {
		const char *address = json_string_value(host);
		if (!address || !text_starts_with(address, scheme))
			continue;
		address += strlen(scheme);
		return *address ? address : DEFAULT_SOCKET;
	}
	json_array_foreach (hosts, i, host) {
		const char *address = json_string_value(host);
		if (address && text_starts_with(address, "fd://"))
			*ret_activated = true;
	}
	return *ret_activated ? DEFAULT_SOCKET : "";
}

int api_ask(const char *socket_path, const char *path, size_t limit, uint64_t deadline_us,
	    json_t **ret)
{
	struct http_request request;

	http_start(&request, socket_path, path, limit);
	http_finish(&request, 1, deadline_us);
	int status = request.result == 0 ? request.reply.status : request.result;
	*ret = status == 200 ? json_loadb(request.reply.body, request.reply.body_length, 0, NULL)
			     : NULL;
	http_request_done(&request);
	return status;
}

void api_start(struct api *api, const char *socket_path, uint64_t deadline_us)
{
	for (size_t i = 0; i < API_QUESTIONS; i++)
		http_start(&api->requests[i], socket_path, questions[i].path, REPLY_MAX);
	api->asked = true;
	api->deadline_us = deadline_us;
}

bool api_nobody_listens(const struct api *api)
{
	int result = api->asked ? api->requests[API_INFO].result : 0;

	return result == -ENOENT || result == -ECONNREFUSED;
}

void api_done(struct api *api)
{
	for (size_t i = 0; api->asked && i < API_QUESTIONS; i++)
		http_request_done(&api->requests[i]);
	api->asked = false;
}

/* ---- the replies ---- */

/* "ask for /info at /run/docker.sock: …", the same shape that a failed request has. */
static int fail_reply(const struct http_request *request, struct error *why, int code,
		      const char *text)
{
	char step[sizeof why->step];

	(void)snprintf(step, sizeof step, "ask for %s at", request->path);
	return error_set(why, code, step, request->socket_path, "%s", text);
}

/* dockerd explains itself in {"message": …}. */
static int refuse_status(const struct http_request *request, struct error *why)
{
	const struct http_reply *reply = &request->reply;
	json_auto_t *body = json_loadb(reply->body, reply->body_length, 0, NULL);
	const char *message = json_string_value(json_object_get(body, "message"));
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;

	(void)strbuf_addf(&text, "dockerd answered %d%s", reply->status, message ? ": " : "");
	if (message)
		(void)text_add_printable(&text, message, strlen(message), false);
	return text.failed ? -ENOMEM : fail_reply(request, why, -EPROTO, text.data);
}

static int parse_reply(const struct http_request *request, json_type type, json_t **ret,
		       struct error *why)
{
	const struct http_reply *reply = &request->reply;
	json_error_t position = {.line = 0};
	char text[64];

	if (reply->status != 200)
		return refuse_status(request, why);
	json_auto_t *body = json_loadb(reply->body, reply->body_length, 0, &position);
	if (!body && json_error_code(&position) == json_error_out_of_memory)
		return error_set_oom(why);
	(void)snprintf(text, sizeof text, "the answer is not valid JSON at byte %d",
		       position.position);
	if (!body)
		return fail_reply(request, why, -EBADMSG, text);
	if (json_typeof(body) != type)
		return fail_reply(request, why, -EBADMSG,
				  "the answer is JSON of an unexpected type");
	*ret = json_incref(body);
	return 0;
}

static int note(struct facts *facts, const struct error *why, struct error *error)
{
	char text[sizeof *why];

	if (strlist_add(&facts->unseen, error_format(why, text, sizeof text)) < 0)
		return error_set_oom(error);
	return 0;
}

static int note_failure(const struct api *api, enum api_question question, struct facts *facts,
			struct error *error)
{
	const struct http_request *request = &api->requests[question];
	struct error why = request->error;

	if (question != API_INFO && api->requests[API_INFO].result == request->result)
		return 0;
	if (request->result == -EACCES || request->result == -EPERM)
		(void)snprintf(why.text, sizeof why.text,
			       "permission denied; run as root to see what is in force");
	return note(facts, &why, error);
}

static int take_reply(const struct api *api, enum api_question question, struct facts *facts,
		      struct error *error)
{
	const struct http_request *request = &api->requests[question];
	json_t **field = (json_t **)(void *)((char *)facts + questions[question].offset);
	struct error why = ERROR_NONE;

	/* With "bridge": "none" there is no such network. */
	if (question == API_BRIDGE && request->reply.status == 404)
		return 0;
	int r = parse_reply(request, questions[question].type, field, &why);
	if (r == -ENOMEM)
		return error_set_oom(error);
	return r < 0 ? note(facts, &why, error) : 0;
}

/* /info takes ten times as long as the rest, which is parsed while dockerd still works on it. */
int api_finish(struct api *api, struct facts *facts, struct error *error)
{
	static const enum api_question order[] = {API_CONTAINERS, API_BRIDGE, API_VOLUMES,
						  API_INFO};
	int r = 0;

	http_finish(&api->requests[API_INFO + 1], API_QUESTIONS - 1, api->deadline_us);
	for (size_t i = 0; i < array_size(order) && r == 0; i++) {
		if (order[i] == API_INFO)
			http_finish(&api->requests[API_INFO], 1, api->deadline_us);
		if (api->requests[order[i]].result == 0)
			r = take_reply(api, order[i], facts, error);
	}
	/* Whether a failure is worth a sentence depends on what became of /info. */
	for (size_t i = 0; i < array_size(order) && r == 0; i++)
		if (api->requests[order[i]].result < 0)
			r = note_failure(api, order[i], facts, error);
	return r;
}

int api_version(const struct api *api, char **ret, struct error *error)
{
	char *version = NULL;

	/* Every reply has it, also one that reports an error. */
	for (size_t i = 0; api->asked && !version && i < API_QUESTIONS; i++) {
		int r = version_from_server(api->requests[i].reply.server, &version, error);
		if (r < 0)
			return r;
	}
	*ret = version;
	return 0;
}

/* ---- what /info says ---- */

static int64_t integer_of(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_integer(value) ? json_integer_value(value) : -1;
}

static bool uses_containerd_store(const json_t *info)
{
	const json_t *status = json_object_get(info, "DriverStatus");
	size_t i;
	const json_t *row;

	json_array_foreach (status, i, row)
		if (text_equal(json_string_value(json_array_get(row, 0)), "driver-type") &&
		    text_equal(json_string_value(json_array_get(row, 1)),
			       "io.containerd.snapshotter.v1"))
			return true;
	return false;
}

static enum tristate swarm_of(const json_t *info)
{
	const json_t *swarm = json_object_get(info, "Swarm");
	const char *state = json_string_value(json_object_get(swarm, "LocalNodeState"));

	if (!state)
		return UNKNOWN;
	return *state && strcmp(state, "inactive") != 0 ? YES : NO;
}

int api_data_root(struct facts *facts, struct error *error)
{
	struct data_root_facts *data = &facts->data_root;
	const json_t *info = facts->info;
	const char *path = json_string_value(json_object_get(info, "DockerRootDir"));

	data->images = integer_of(info, "Images");
	data->containers = integer_of(info, "Containers");
	data->containers_running = integer_of(info, "ContainersRunning");
	if (facts->volumes)
		data->volumes =
			(int64_t)json_array_size(json_object_get(facts->volumes, "Volumes"));
	data->containerd_store = uses_containerd_store(info) ? YES : NO;
	facts->swarm = swarm_of(info);
	if (path) {
		data->path = strdup(path);
		if (!data->path)
			return error_set_oom(error);
	}
	return 0;
}
