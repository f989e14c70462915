/* The Docker API: the four questions that a plan needs answered, asked side by side. */
#pragma once

#include "base/error.h"
#include "core/facts.h"
#include "host/http.h"

/* The slowest first. */
enum api_question {
	API_INFO,
	API_CONTAINERS,
	API_BRIDGE,
	API_VOLUMES,
	API_QUESTIONS,
};

struct api {
	struct http_request requests[API_QUESTIONS];
	bool asked;
	uint64_t deadline_us;
};

/* Where the API is, judged by the addresses that dockerd listens at (the list "hosts"); borrowed
 * from it. "" when it is at no unix socket. *ret_activated says that systemd holds the socket
 * (fd://), so that docker.socket knows better. */
const char *api_choose_socket(const json_t *hosts, bool *ret_activated);

/* One question, with an answer of at most `limit` bytes: *ret is the document of a reply with
 * status 200 (a new reference), else NULL. Returns the status of the reply, or a negative errno
 * where there was none. */
int api_ask(const char *socket_path, const char *path, size_t limit, uint64_t deadline_us,
	    json_t **ret);

/* Sends all questions; dockerd works on them while the caller does something else. The path is
 * borrowed until api_done(). Only for a daemon that runs: a connection would start it. */
void api_start(struct api *api, const char *socket_path, uint64_t deadline_us);

/* True when there was no socket, or nobody behind it. */
bool api_nobody_listens(const struct api *api);

/* Waits for the replies and puts them into info, bridge, containers and volumes of the facts. What
 * went wrong is said in facts->unseen, and once where all failed for the same reason. */
int api_finish(struct api *api, struct facts *facts, struct error *error);

/* dockerd's version as a new string; NULL when no reply told it. */
int api_version(const struct api *api, char **ret, struct error *error);

/* Fills data_root and swarm from facts->info, which must be there, and facts->volumes. */
int api_data_root(struct facts *facts, struct error *error);

void api_done(struct api *api);
