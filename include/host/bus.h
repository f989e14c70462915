/* The system bus, with deadlines.
 *
 * Over the system bus; where none runs, root asks PID 1 itself, because connecting to a bus that is
 * socket-activated would start it. With $DBUS_SYSTEM_BUS_ADDRESS set, that address is used and no
 * other. */
#pragma once

#include <stdint.h>

#include <systemd/sd-bus.h>

#include "base/cleanup.h"
#include "base/error.h"

#define SYSTEMD_NAME "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"
#define SYSTEMD_UNIT_PATH SYSTEMD_PATH "/unit"

/* sd_bus_flush_close_unref() would wait for a peer that does not read. */
static inline void bus_close(sd_bus **bus)
{
	(void)sd_bus_close_unref(*bus);
}
#define cleanup_bus scoped(bus_close)
#define cleanup_message scoped(sd_bus_message_unrefp)

/* Begins to connect, without waiting for the other side. */
int bus_open(sd_bus **ret);

/* The same, to PID 1 itself: -EPERM unless root may do that. On such a connection there is no bus:
 * names of senders are missing. */
int bus_open_private(sd_bus **ret);

/* What becomes of a call. It must stay where it is until it is released. */
struct bus_reply {
	sd_bus_slot *slot;
	sd_bus_message *message; /* NULL until it has come */
};

void bus_reply_done(struct bus_reply *reply);
#define cleanup_bus_reply scoped(bus_reply_done)

/* Sends a call. The reply comes while sd_bus_process() is called; after timeout_us (UINT64_MAX:
 * never) an error takes its place. A reply that was released before it came is dropped. */
int bus_send(sd_bus *bus, sd_bus_message *call, uint64_t timeout_us, struct bus_reply *reply);

/* Sends a call and waits for its reply, the greeting included, until the deadline
 * (CLOCK_MONOTONIC, microseconds). A reply that is an error is returned as such: look at
 * sd_bus_message_get_error(). Returns 0 or a negative errno, -ETIMEDOUT among them. */
int bus_call(sd_bus *bus, sd_bus_message *call, uint64_t deadline_us, sd_bus_message **ret);

/* A property, and where it goes. */
struct bus_property {
	const char *name;
	const char *signature;
	int (*read)(sd_bus_message *message, void *field); /* 0, positive, or a negative errno */
	size_t offset;                                     /* of the field in what is filled */
};

/* Reads the reply to GetAll, a{sv}, into the fields; properties that are not in the table are
 * passed over. Returns a negative errno where the message is not what it should be. */
int bus_read_properties(sd_bus_message *message, const struct bus_property *properties,
			size_t count, void *into);

/* Reads an InvocationID (ay) into char[33], as hexadecimal digits; "" where there is none. */
int bus_read_invocation(sd_bus_message *message, void *field);
