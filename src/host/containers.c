#include "host/containers.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "core/canary.h"
#include "host/api.h"
#include "host/file.h"

/* A container's own files have a few kilobytes; environment variables may make them larger. */
#define CONTAINER_FILE_MAX ((size_t)4 * 1024 * 1024)
#define REPLY_MAX ((size_t)4 * 1024 * 1024)

/* ---- what the list says ---- */

enum container_state container_entry_state(const json_t *entry)
{
	const char *state = json_string_value(json_object_get(entry, "State"));

	if (text_equal(state, "running"))
		return CONTAINER_RUNNING;
	if (text_equal(state, "paused"))
		return CONTAINER_PAUSED;
	return text_equal(state, "restarting") ? CONTAINER_RESTARTING : CONTAINER_DOWN;
}

const char *container_entry_service(const json_t *entry)
{
	const json_t *labels = json_object_get(entry, "Labels");

	return json_string_value(json_object_get(labels, "com.docker.swarm.service.name"));
}

bool container_entry_ended_well(const json_t *entry)
{
	const char *status = json_string_value(json_object_get(entry, "Status"));

	return status && text_starts_with(status, "Exited (0)");
}

static bool publishes_port(const json_t *entry)
{
	const json_t *ports = json_object_get(entry, "Ports");

	for (size_t i = 0; i < json_array_size(ports); i++)
		if (json_object_get(json_array_get(ports, i), "PublicPort"))
			return true;
	return false;
}

/* A string that may be missing, as a new one. */
static int copy_string(const json_t *object, const char *key, char **ret, struct error *error)
{
	const char *text = json_string_value(json_object_get(object, key));

	*ret = text ? strdup(text) : NULL;
	return *ret || !text ? 0 : error_set_oom(error);
}

/* Its own name; those of legacy links ("/web/db") are in the same list. NULL while it is being
 * removed. */
static const char *name_of(const json_t *entry)
{
	const json_t *names = json_object_get(entry, "Names");
	const char *first = json_string_value(json_array_get(names, 0));

	for (size_t i = 0; i < json_array_size(names); i++) {
		const char *name = json_string_value(json_array_get(names, i));
		if (name && name[0] == '/' && !strchr(name + 1, '/'))
			return name;
	}
	return first;
}

static int read_entry(const json_t *entry, struct container_facts *container, struct error *error)
{
	const char *name = name_of(entry);
	const char *service = container_entry_service(entry);

	container->state = container_entry_state(entry);
	container->ended_well = container_entry_ended_well(entry);
	container->publishes = publishes_port(entry);
	int r = copy_string(entry, "Id", &container->id, error);
	if (r < 0)
		return r;
	container->service = service ? strdup(service) : NULL;
	if (service && !container->service)
		return error_set_oom(error);
	name = name ? name + (name[0] == '/') : container->id;
	container->name = strdup(name ? name : "?");
	return container->name ? 0 : error_set_oom(error);
}

/* ---- what its files say ---- */

/* Not readable, gone in the meantime or not JSON: 0, and *ret stays NULL. *hidden is set where this
 * user may not read it. */
static int read_file_of(const char *data_root, const char *id, const char *name, json_t **ret,
			bool *hidden, struct error *error)
{
	cleanup_text_file struct text_file file = {.path = NULL};
	struct error ignored = ERROR_NONE;
	char path[PATH_MAX];

	int length = snprintf(path, sizeof path, "%s/containers/%s/%s", data_root, id, name);
	if (length < 0 || (size_t)length >= sizeof path)
		return 0;
	int r = file_read_unresolved(path, CONTAINER_FILE_MAX, &file, &ignored);
	if (r == -ENOMEM)
		return error_set_oom(error);
	*hidden |= r == 0 && file.state == FILE_UNREADABLE;
	if (r == 0 && file.state == FILE_READ)
		*ret = json_loadb(file.data, file.length, 0, NULL);
	return 0;
}

/* dockerd writes the zero of its type for a container that never ran. */
static int take_start(const json_t *state, struct container_facts *container, struct error *error)
{
	const char *at = json_string_value(json_object_get(state, "StartedAt"));

	container->pid = (pid_t)json_integer_value(json_object_get(state, "Pid"));
	if (!at || text_starts_with(at, "0001-"))
		return 0;
	return copy_string(state, "StartedAt", &container->started_at, error);
}

static int read_files(const char *data_root, struct container_facts *container, bool *hidden,
		      struct error *error)
{
	json_auto_t *config = NULL;
	json_auto_t *host = NULL;

	/* The id becomes a part of a path. */
	if (!container->id || strchr(container->id, '/'))
		return 0;
	int r = read_file_of(data_root, container->id, "config.v2.json", &config, hidden, error);
	if (r == 0 && config)
		r = read_file_of(data_root, container->id, "hostconfig.json", &host, hidden, error);
	if (r < 0 || !config || !host)
		return r;
	json_t *log = json_object_get(host, "LogConfig");
	json_t *ulimits = json_object_get(host, "Ulimits");
	container->known = true;
	container->auto_remove = json_is_true(json_object_get(host, "AutoRemove"));
	container->no_new_privileges = json_is_true(json_object_get(config, "NoNewPrivileges"));
	container->log = json_is_object(log) ? json_incref(log) : NULL;
	container->ulimits = json_array_size(ulimits) ? json_incref(ulimits) : NULL;
	return take_start(json_object_get(config, "State"), container, error);
}

/* harden's own, left by one that was interrupted: nobody's container, and nobody's image. */
static void leave_out(struct data_root_facts *root, const json_t *entry)
{
	root->containers -= root->containers > 0;
	root->images -= root->images > 0;
	if (container_entry_state(entry) != CONTAINER_DOWN)
		root->containers_running -= root->containers_running > 0;
}

int containers_read(struct facts *facts, struct error *error)
{
	size_t count = json_array_size(facts->containers);
	bool hidden = false;
	int r = 0;

	if (!count)
		return 0;
	facts->container_list = calloc(count, sizeof *facts->container_list);
	if (!facts->container_list)
		return error_set_oom(error);
	for (size_t i = 0; r == 0 && i < count; i++) {
		const json_t *entry = json_array_get(facts->containers, i);
		struct container_facts *container = &facts->container_list[facts->container_count];

		if (canary_is_entry(entry)) {
			leave_out(&facts->data_root, entry);
			continue;
		}
		facts->container_count++;
		r = read_entry(entry, container, error);
		if (r == 0 && facts->data_root.path && !hidden)
			r = read_files(facts->data_root.path, container, &hidden, error);
	}
	if (r == 0 && hidden &&
	    strlist_add(&facts->unseen,
			"What existing containers were created with cannot be seen; "
			"run as root to see it") < 0)
		r = error_set_oom(error);
	return r;
}

/* ---- what only the daemon says ---- */

/* The limits as daemon.json has them: an object, each under its name. */
static json_t *limits_of(const json_t *inspected)
{
	const json_t *host = json_object_get(inspected, "HostConfig");
	const json_t *ulimits = json_object_get(host, "Ulimits");
	json_auto_t *limits = json_object();

	if (!json_is_object(host))
		return NULL;
	for (size_t i = 0; i < json_array_size(ulimits); i++) {
		json_t *limit = json_array_get(ulimits, i);
		const char *name = json_string_value(json_object_get(limit, "Name"));
		if (!name || json_object_set(limits, name, limit) < 0)
			return NULL;
	}
	return json_incref(limits);
}

static const struct container_facts *without_limits(const struct facts *facts)
{
	for (size_t i = 0; i < facts->container_count; i++)
		if (facts->container_list[i].known && !facts->container_list[i].ulimits)
			return &facts->container_list[i];
	return NULL;
}

int containers_ask_ulimits(struct facts *facts, uint64_t deadline_us, struct error *error)
{
	const struct container_facts *container = without_limits(facts);
	json_auto_t *body = NULL;
	char path[200];

	if (!container || !facts->socket_path)
		return 0;
	int length = snprintf(path, sizeof path, "/containers/%s/json", container->id);
	if (length < 0 || (size_t)length >= sizeof path)
		return 0;
	int status = api_ask(facts->socket_path, path, REPLY_MAX, deadline_us, &body);
	facts->http_calls++;
	if (body)
		facts->default_ulimits = limits_of(body);
	return status == -ENOMEM ? error_set_oom(error) : 0;
}
