/* Where the syslog driver sends the containers' lines, and what is to be done when nobody is there.
 * An address that dockerd cannot connect to lets the daemon start and fails each container (facts
 * b.6). */
#pragma once

#include "base/cleanup.h"
#include "base/strbuf.h"
#include "core/judgement.h"

/* What harden gives rsyslog to read. It sorts last, so that the modules the admin loads are there
 * already. */
#define RSYSLOG_INPUT "/etc/rsyslog.d/zz-harden.conf"
#define RSYSLOG_UNIT "rsyslog.service"

enum syslog_transport {
	SYSLOG_TCP,
	SYSLOG_TCP_TLS,
	SYSLOG_UDP,
	SYSLOG_UNIX,     /* a stream socket */
	SYSLOG_UNIXGRAM, /* a datagram socket */
};

/* A log-opts.syslog-address in its parts. */
struct syslog_address {
	enum syslog_transport transport;
	char *host; /* without brackets; "" is this host; NULL for a unix socket */
	char *port; /* digits */
	char *path; /* of a unix socket, else NULL */
};

void syslog_address_done(struct syslog_address *address);
#define cleanup_syslog_address scoped(syslog_address_done)

/* Reads an address as dockerd does (parseAddress() of its syslog driver): a scheme and "://", a
 * port of 514 where none is given, IPv6 in brackets. -EINVAL with the reason in error->text. */
int syslog_address_parse(const char *text, struct syslog_address *ret, struct error *error);

/* The address that containers would log to with what is configured, wanted by the profile, and
 * asked for: a new string in *ret, NULL where they would not log to a syslog address. */
int syslog_address_wanted(const struct facts *facts, const struct profile *profile,
			  const struct plan_options *options, char **ret, struct error *error);

/* The text of a template with its @ADDRESS@ and @PORT@ filled in, without the lines that begin with
 * "module(" where the module is loaded already. NULL when out of memory. */
char *syslog_input_text(const char *template, const char *host, const char *port, bool load_module);

/* What nobody at the address means for a row that has been judged otherwise: log-driver or
 * log-opts.syslog-address. Leaves all other rows alone. */
int judge_syslog(struct judgement *judgement, struct setting *setting, struct error *error);

/* Gives the plan its listener, where a change needs one: the file for rsyslog, if it is not as it
 * has to be, and the restart. */
int syslog_plan_listener(const struct facts *facts, struct plan *plan, struct error *error);
