#include "apply/link.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "host/bus.h"
#include "host/clock.h"

/* How long a connection may stay silent before another is tried. */
#define SILENCE_US 2000000
/* Between two attempts at connecting. */
#define RETRY_US 100000

void link_close(struct link *link)
{
	bus_close(&link->bus);
	link->bus = NULL;
}

bool link_is_systemd(const struct link *link, sd_bus_message *message)
{
	const char *sender = sd_bus_message_get_sender(message);

	return strcmp(sender ? sender : "", link->systemd) == 0;
}

/* ---- one connection ---- */

int link_step(struct link *link, const struct wait *wait, uint64_t until_us)
{
	uint64_t timeout;

	if (!link->bus)
		return -ENOTCONN;
	int r = sd_bus_process(link->bus, NULL);
	if (r == -ENOMEM)
		return r;
	/* What Disconnected says, and earlier: a bus that closes answers all calls itself. */
	if (r < 0 || sd_bus_is_open(link->bus) <= 0) {
		link_close(link);
		return -ENOTCONN;
	}
	if (r > 0)
		return wait_for(wait, -1, 0, 0);

	int fd = sd_bus_get_fd(link->bus);
	int events = sd_bus_get_events(link->bus);
	if (fd < 0 || events < 0 || sd_bus_get_timeout(link->bus, &timeout) < 0) {
		link_close(link);
		return -ENOTCONN;
	}
	r = wait_for(wait, fd, (short)events, timeout < until_us ? timeout : until_us);
	return r > 0 ? 0 : r;
}

static int new_message(const struct link *link, const struct link_call *call, sd_bus_message **ret)
{
	cleanup_message sd_bus_message *message = NULL;

	int r = sd_bus_message_new_method_call(link->bus, &message, SYSTEMD_NAME, call->path,
					       call->interface, call->member);
	/* A bus that has lost systemd must not try to start it. */
	if (r >= 0)
		r = sd_bus_message_set_auto_start(message, 0);
	for (size_t i = 0; r >= 0 && i < array_size(call->arguments) && call->arguments[i]; i++)
		r = sd_bus_message_append_basic(message, 's', call->arguments[i]);
	if (r >= 0 && call->fill)
		r = call->fill(message, call->context);
	if (r < 0)
		return r;
	*ret = take_ptr(message);
	return 0;
}

/* Replies that come from the bus, because systemd is not there. */
static bool is_absence(sd_bus_message *reply)
{
	const sd_bus_error *error = sd_bus_message_get_error(reply);

	return error && (sd_bus_error_has_name(error, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
			 sd_bus_error_has_name(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER) ||
			 sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY) ||
			 sd_bus_error_has_name(error, SD_BUS_ERROR_DISCONNECTED));
}

static struct wait limited(const struct wait *wait, uint64_t limit_us)
{
	struct wait own = *wait;
	uint64_t now = clock_now_us();

	if (limit_us < UINT64_MAX - now && now + limit_us < own.deadline_us)
		own.deadline_us = now + limit_us;
	return own;
}

/* systemd gets another name when it executes itself anew. The bus itself may have refused. */
static void remember_sender(struct link *link, sd_bus_message *reply)
{
	const char *sender = sd_bus_message_get_sender(reply);

	if (!text_equal(sender, "org.freedesktop.DBus"))
		(void)snprintf(link->systemd, sizeof link->systemd, "%s", sender ? sender : "");
}

int link_call_once(struct link *link, const struct link_call *call, const struct wait *wait,
		   sd_bus_message **ret)
{
	cleanup_message sd_bus_message *message = NULL;
	cleanup_bus_reply struct bus_reply reply = {.slot = NULL};
	const struct wait own = limited(wait, call->limit_us ? call->limit_us : SILENCE_US);

	if (!link->bus)
		return -ENOTCONN;
	int r = new_message(link, call, &message);
	if (r >= 0)
		r = bus_send(link->bus, message, UINT64_MAX, &reply);
	/* A bus that closes refuses calls. */
	if (r < 0 && r != -ENOMEM && sd_bus_is_open(link->bus) <= 0) {
		link_close(link);
		r = -ENOTCONN;
	}
	while (r >= 0 && !reply.message)
		r = link_step(link, &own, UINT64_MAX);
	if (r == -ETIMEDOUT && own.deadline_us < wait->deadline_us) {
		link_close(link);
		r = -ENOTCONN;
	}
	/* A reply that has come counts, whatever else has: it may name a job to be cancelled. */
	if (!reply.message || r == -ENOTCONN)
		return r;
	if (is_absence(reply.message)) {
		link_close(link);
		return -ENOTCONN;
	}
	remember_sender(link, reply.message);
	*ret = take_ptr(reply.message);
	return 0;
}

/* ---- many ---- */

/* By default a refused match ends the connection. Without it the unit is still looked at. */
static int on_match(sd_bus_message *message, void *context, sd_bus_error *error)
{
	(void)message;
	(void)context;
	(void)error;
	return 0;
}

/* Before any job is queued. systemd speaks of jobs only while somebody is subscribed. */
static int subscribe(struct link *link, const struct wait *wait)
{
	static const struct link_call call = {
		.path = SYSTEMD_PATH,
		.interface = SYSTEMD_NAME ".Manager",
		.member = "Subscribe",
	};
	cleanup_message sd_bus_message *reply = NULL;
	/* Where there is no bus, messages have no sender. */
	int on_bus = sd_bus_is_bus_client(link->bus);

	int r = sd_bus_match_signal_async(link->bus, NULL, on_bus > 0 ? SYSTEMD_NAME : NULL,
					  SYSTEMD_PATH, SYSTEMD_NAME ".Manager", "JobRemoved",
					  link->on_removed, on_match, link->context);
	/* An error reply will do: it also says that systemd is there. */
	return r < 0 ? r : link_call_once(link, &call, wait, &reply);
}

/* The second attempt is made at PID 1 itself: the bus is what may have failed. */
static int connect_once(struct link *link, const struct wait *wait)
{
	int r = -EPERM;

	link_close(link);
	if (link->attempts++ % 2 == 1)
		r = bus_open_private(&link->bus);
	if (r == -EPERM)
		r = bus_open(&link->bus);
	if (r >= 0)
		r = subscribe(link, wait);
	if (r < 0)
		link_close(link);
	return r < 0 ? r : 0;
}

static int connect_again(struct link *link, const struct wait *wait, bool patient)
{
	unsigned begin = link->attempts;

	for (;;) {
		int r = connect_once(link, wait);
		if (r == 0 || r == -ENOMEM || r == -ECANCELED)
			return r;
		if (clock_now_us() >= wait->deadline_us)
			return -ETIMEDOUT;
		/* Silence may end; a door that is shut stays shut. */
		if (!patient && r != -ENOTCONN && link->attempts - begin >= 2)
			return r;
		r = wait_for(wait, -1, 0, clock_now_us() + RETRY_US);
		if (r < 0)
			return r;
	}
}

int link_open(struct link *link, const struct wait *wait)
{
	return connect_again(link, wait, false);
}

int link_call(struct link *link, const struct link_call *call, const struct wait *wait,
	      sd_bus_message **ret)
{
	for (;;) {
		int r = link->bus ? 0 : connect_again(link, wait, true);
		if (r == 0)
			r = link_call_once(link, call, wait, ret);
		if (r != -ENOTCONN)
			return r;
		r = wait_for(wait, -1, 0, clock_now_us() + RETRY_US);
		if (r < 0)
			return r;
	}
}
