/* rsyslog: whether it is there, and whether it would take a further input. */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "core/facts.h"

/* A template of the site's own, instead of the built-in one. */
#define RSYSLOG_TEMPLATE "/etc/harden/rsyslog/listener.conf"

/* Fills rsyslog, rsyslog_reason, addition and input for the address in host and port. Nothing is
 * written: the candidate goes to `rsyslogd -N1` by a pipe. */
int rsyslog_read(struct syslog_facts *syslog, uint64_t deadline_us, unsigned *bus_calls,
		 struct error *error);

/* Whether rsyslog's own check takes its configuration as it is on the disk: 0, or an error with its
 * words. */
int rsyslog_check(uint64_t deadline_us, struct error *error);
