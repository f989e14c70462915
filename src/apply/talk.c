#include "apply/talk.h"

#include <errno.h>

#include "host/clock.h"

/* Between two looks at the person at the keyboard. */
#define LOOK_US 100000

int talk_finish(const struct wait *wait, struct http_request *requests, size_t count,
		struct error *error)
{
	while (!http_continue(requests, count, clock_now_us() + LOOK_US)) {
		if (wait_interrupted(wait))
			return error_set(error, -ECANCELED, "wait for", requests->socket_path,
					 "interrupted");
		if (clock_now_us() >= wait->deadline_us) {
			http_finish(requests, count, 0);
			return 0;
		}
		if (wait->tick)
			wait->tick(wait->context);
	}
	return 0;
}
