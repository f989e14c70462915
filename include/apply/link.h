/* A connection to systemd that is made again when the bus goes away. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <systemd/sd-bus.h>

#include "apply/wait.h"

struct link {
	sd_bus *bus;       /* NULL while there is no connection */
	unsigned attempts; /* at connecting, so far */
	char systemd[64];  /* who systemd is on the bus; "" on a connection to itself */
	/* Called for each JobRemoved, whoever sent it: see link_is_systemd(). */
	sd_bus_message_handler_t on_removed;
	void *context;
};

void link_close(struct link *link);

/* A method call on systemd. */
struct link_call {
	const char *path;
	const char *interface;
	const char *member;
	const char *arguments[2]; /* strings; NULL is none */
	/* Appends what else the message has; NULL: nothing. */
	int (*fill)(sd_bus_message *message, void *context);
	void *context;
	uint64_t limit_us; /* 0: systemd answers at once, so that silence means a dead bus */
};

/* Connects, and waits until systemd has answered. Both ways to it (host/bus.h) are tried; gives up
 * when both are closed, or past the deadline. */
int link_open(struct link *link, const struct wait *wait);

/* Makes the call once. Returns 0 when systemd has answered: *ret may be an error reply. -ENOTCONN
 * when the connection was lost, systemd is not on the bus any more, or there was no answer within
 * the call's own limit: the call may have been carried out or not. */
int link_call_once(struct link *link, const struct link_call *call, const struct wait *wait,
		   sd_bus_message **ret);

/* Makes the call, again on a new connection as often as one is lost. */
int link_call(struct link *link, const struct link_call *call, const struct wait *wait,
	      sd_bus_message **ret);

/* Handles one message, or waits for one until the moment until_us; returns 0. -ENOTCONN when the
 * connection is lost. */
int link_step(struct link *link, const struct wait *wait, uint64_t until_us);

/* Whether systemd itself sent the message: anybody may send signals on the system bus. */
bool link_is_systemd(const struct link *link, sd_bus_message *message);
