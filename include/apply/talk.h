/* Requests to the Docker API that may take long: with a deadline, a way out and signs of life. */
#pragma once

#include "apply/wait.h"
#include "base/error.h"
#include "host/http.h"

/* Carries them on until all are done; each says itself what became of it, also past the deadline.
 * -ECANCELED when somebody wants to stop, and then the requests may not be done. */
int talk_finish(const struct wait *wait, struct http_request *requests, size_t count,
		struct error *error);
