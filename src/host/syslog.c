#include "host/syslog.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "host/clock.h"
#include "host/rsyslog.h"

/* Of the addresses that a name stands for, so many are tried. */
#define ADDRESSES_MAX 8

/* The whole of it, name, connection and rsyslog's own check. A plan that needs it waits no longer.
 */
#define TRY_US 2000000
#define RSYSLOG_US 5000000
/* How long the refusal of a datagram may take to come back from afar. */
#define REFUSAL_US 300000

struct place {
	struct sockaddr_storage address;
	socklen_t length;
};

struct places {
	struct place items[ADDRESSES_MAX];
	size_t count;
};

static void say(struct syslog_answer *answer, enum tristate answers, const char *reason)
{
	answer->answers = answers;
	(void)snprintf(answer->reason, sizeof answer->reason, "%s", reason);
}

/* ---- names ---- */

static void take_places(const struct addrinfo *list, struct places *places)
{
	for (; list && places->count < ADDRESSES_MAX; list = list->ai_next) {
		struct place *place = &places->items[places->count++];
		memcpy(&place->address, list->ai_addr, list->ai_addrlen);
		place->length = list->ai_addrlen;
	}
}

static int look_up(const struct syslog_address *address, int flags, struct places *places)
{
	const struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = address->transport == SYSLOG_UDP ? SOCK_DGRAM : SOCK_STREAM,
		.ai_flags = flags | AI_NUMERICSERV,
	};
	struct addrinfo *list = NULL;
	/* Go takes an empty host for this one. */
	const char *host = *address->host ? address->host : "127.0.0.1";

	int r = getaddrinfo(host, address->port, &hints, &list);
	if (r == 0) {
		take_places(list, places);
		freeaddrinfo(list);
	}
	return r;
}

/* Reads what the child has found; false when it did not in time. */
static bool read_places(int fd, uint64_t deadline_us, struct places *places)
{
	size_t got = 0;

	while (got < sizeof *places) {
		struct pollfd ready = {.fd = fd, .events = POLLIN};
		int r = poll(&ready, 1, clock_left_ms(deadline_us));
		if (r < 0 && errno == EINTR)
			continue;
		ssize_t n = r > 0 ? read(fd, (char *)places + got, sizeof *places - got) : -1;
		if (n <= 0)
			return false;
		got += (size_t)n;
	}
	return places->count <= ADDRESSES_MAX;
}

/* The resolver knows no deadline, so it runs in a process that can be ended. */
static int look_up_name(const struct syslog_address *address, uint64_t deadline_us,
			struct places *places)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	cleanup_close int read_end = ends[0];
	cleanup_close int write_end = ends[1];
	pid_t child = fork();
	if (child < 0)
		return -errno;
	if (child == 0) {
		struct places found = {.count = 0};
		(void)look_up(address, 0, &found);
		_exit(write(write_end, &found, sizeof found) == (ssize_t)sizeof found ? 0 : 1);
	}
	cleanup_close_fd(&write_end);
	write_end = -1;
	bool known = read_places(read_end, deadline_us, places);
	(void)kill(child, SIGKILL);
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		continue;
	return known ? 0 : -ETIMEDOUT;
}

/* ---- connections ---- */

static bool is_loopback(const struct place *place)
{
	const struct sockaddr_in *four = (const void *)&place->address;
	const struct sockaddr_in6 *six = (const void *)&place->address;

	if (place->address.ss_family == AF_INET)
		return ntohl(four->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	return place->address.ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
}

/* A connection to a free port of one's own can meet itself. */
static bool met_itself(int fd)
{
	struct place mine = {.length = sizeof mine.address};
	struct place theirs = {.length = sizeof theirs.address};

	return getsockname(fd, (struct sockaddr *)&mine.address, &mine.length) == 0 &&
	       getpeername(fd, (struct sockaddr *)&theirs.address, &theirs.length) == 0 &&
	       mine.address.ss_family != AF_UNIX && mine.length == theirs.length &&
	       memcmp(&mine.address, &theirs.address, mine.length) == 0;
}

/* What the socket has to say by the deadline: 0, or a negative errno. */
static int wait_for_socket(int fd, short events, uint64_t deadline_us)
{
	struct pollfd ready = {.fd = fd, .events = events};
	socklen_t length = sizeof(int);
	int failure = 0;
	int r;

	do
		r = poll(&ready, 1, clock_left_ms(deadline_us));
	while (r < 0 && errno == EINTR);
	if (r <= 0)
		return r < 0 ? -errno : -ETIMEDOUT;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &length) < 0)
		return -errno;
	return -failure;
}

/* A full queue is a sign of life. */
static int connect_by(int fd, const struct place *place, uint64_t deadline_us)
{
	if (connect(fd, (const struct sockaddr *)&place->address, place->length) == 0 ||
	    errno == EAGAIN)
		return 0;
	return errno == EINPROGRESS ? wait_for_socket(fd, POLLOUT, deadline_us) : -errno;
}

static int open_socket(const struct place *place, int type)
{
	int fd = socket(place->address.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd < 0 ? -errno : fd;
}

static int try_stream(const struct place *place, uint64_t deadline_us)
{
	cleanup_close int fd = open_socket(place, SOCK_STREAM);
	int r = fd < 0 ? fd : connect_by(fd, place, deadline_us);

	return r == 0 && met_itself(fd) ? -ECONNREFUSED : r;
}

/* Only a refusal comes back: at once from this host, after a while from others. -EINPROGRESS: none
 * came. */
static int try_datagram(const struct place *place, uint64_t deadline_us)
{
	cleanup_close int fd = open_socket(place, SOCK_DGRAM);
	uint64_t until = clock_now_us() + (is_loopback(place) ? 0 : REFUSAL_US);
	int r = fd < 0 ? fd : connect_by(fd, place, deadline_us);

	if (r < 0)
		return r;
	if (send(fd, "", 0, MSG_NOSIGNAL) < 0)
		return -errno;
	/* There is nothing to be read: the wait ends early with an error only. */
	r = wait_for_socket(fd, 0, until < deadline_us ? until : deadline_us);
	return r == -ETIMEDOUT || r == 0 ? -EINPROGRESS : r;
}

static void name_place(const struct place *place, struct syslog_answer *answer)
{
	(void)getnameinfo((const struct sockaddr *)&place->address, place->length, answer->host,
			  sizeof answer->host, answer->port, sizeof answer->port,
			  NI_NUMERICHOST | NI_NUMERICSERV);
}

/* Whether each is an address of this host at which nobody listens. */
static bool may_be_opened(const struct syslog_address *address, const struct places *places,
			  int result)
{
	if (address->transport != SYSLOG_TCP || result != -ECONNREFUSED)
		return false;
	for (size_t i = 0; i < places->count; i++)
		if (!is_loopback(&places->items[i]))
			return false;
	return true;
}

static void try_network(const struct syslog_address *address, const struct places *places,
			uint64_t deadline_us, struct syslog_answer *answer)
{
	int r = -EADDRNOTAVAIL;

	for (size_t i = 0; i < places->count && r < 0 && r != -EINPROGRESS; i++)
		r = address->transport == SYSLOG_UDP ? try_datagram(&places->items[i], deadline_us)
						     : try_stream(&places->items[i], deadline_us);
	if (r == 0) {
		say(answer, YES, "");
	} else if (r == -EINPROGRESS) {
		say(answer, UNKNOWN,
		    "over UDP nobody answers, so whether logs arrive is not known");
	} else if (r == -ETIMEDOUT) {
		say(answer, NO, "no answer within 2 seconds");
	} else {
		say(answer, NO, strerror(-r));
		if (may_be_opened(address, places, r))
			name_place(&places->items[0], answer);
	}
}

static int try_host(const struct syslog_address *address, uint64_t deadline_us,
		    struct syslog_answer *answer)
{
	struct places places = {.count = 0};

	if (look_up(address, AI_NUMERICHOST, &places) != 0) {
		int r = look_up_name(address, deadline_us, &places);
		if (r == -ENOMEM)
			return r;
		if (r < 0 || !places.count) {
			say(answer, NO,
			    r < 0 ? "its name was not found within 2 seconds"
				  : "there is no host of this name");
			return 0;
		}
	}
	try_network(address, &places, deadline_us, answer);
	return 0;
}

static void try_unix(const struct syslog_address *address, uint64_t deadline_us,
		     struct syslog_answer *answer)
{
	bool stream = address->transport == SYSLOG_UNIX;
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	struct place place = {.length = sizeof name};
	struct stat st;

	if (strlen(address->path) >= sizeof name.sun_path) {
		say(answer, NO, "the path is too long for a socket");
		return;
	}
	memcpy(name.sun_path, address->path, strlen(address->path));
	memcpy(&place.address, &name, sizeof name);
	if (stat(address->path, &st) < 0) {
		say(answer, errno == ENOENT || errno == ENOTDIR ? NO : UNKNOWN,
		    errno == ENOENT || errno == ENOTDIR ? "there is no such socket"
							: strerror(errno));
		return;
	}
	cleanup_close int fd = open_socket(&place, stream ? SOCK_STREAM : SOCK_DGRAM);
	int r = fd < 0 ? fd : connect_by(fd, &place, deadline_us);
	if (r == -EPROTOTYPE)
		say(answer, NO,
		    stream ? "this is a datagram socket, whose address begins with unixgram://"
			   : "this is a stream socket, whose address begins with unix://");
	else if (r == -EACCES || r == -EPERM)
		say(answer, UNKNOWN, "this user may not connect to it; run harden as root");
	else if (r < 0)
		say(answer, NO, S_ISSOCK(st.st_mode) ? strerror(-r) : "this is no socket");
	else
		say(answer, YES, "");
}

int syslog_try(const struct syslog_address *address, uint64_t deadline_us,
	       struct syslog_answer *ret, struct error *error)
{
	struct syslog_answer answer = {.answers = UNKNOWN};

	if (address->path)
		try_unix(address, deadline_us, &answer);
	else if (try_host(address, deadline_us, &answer) == -ENOMEM)
		return error_set_oom(error);
	*ret = answer;
	return 0;
}

/* ---- for the facts ---- */

static int try_text(const char *text, struct syslog_answer *answer, struct error *error)
{
	cleanup_syslog_address struct syslog_address address = {.host = NULL};
	struct error why = ERROR_NONE;

	int r = syslog_address_parse(text, &address, &why);
	if (r == -EINVAL) {
		*answer = (struct syslog_answer){.answers = NO};
		(void)snprintf(answer->reason, sizeof answer->reason, "%.*s",
			       (int)sizeof answer->reason - 1, why.text);
		return 0;
	}
	if (r < 0)
		return error_set_oom(error);
	return syslog_try(&address, clock_now_us() + TRY_US, answer, error);
}

int syslog_read(const char *address, struct syslog_facts *ret, unsigned *bus_calls,
		struct error *error)
{
	struct syslog_facts syslog = {.answers = UNKNOWN};
	struct syslog_answer answer = {.answers = UNKNOWN};

	int r = try_text(address, &answer, error);
	if (r < 0)
		return r;
	syslog.address = strdup(address);
	syslog.answers = answer.answers;
	syslog.reason = *answer.reason ? strdup(answer.reason) : NULL;
	syslog.host = *answer.host ? strdup(answer.host) : NULL;
	syslog.port = *answer.host ? strdup(answer.port) : NULL;
	if (!syslog.address || (*answer.reason && !syslog.reason) ||
	    (*answer.host && (!syslog.host || !syslog.port)))
		r = error_set_oom(error);
	if (r == 0 && syslog.host)
		r = rsyslog_read(&syslog, clock_now_us() + RSYSLOG_US, bus_calls, error);
	if (r < 0) {
		syslog_facts_done(&syslog);
		return r;
	}
	*ret = syslog;
	return 0;
}
