/* What was found out about a host: plain data, filled by the readers in host/, or from literals in
 * a test. What could not be seen is said, never guessed: -1, NULL or UNKNOWN, and a sentence in
 * `unseen`. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

#include "base/strlist.h"
#include "core/dockerver.h"

enum tristate {
	UNKNOWN = -1,
	NO = 0,
	YES = 1,
};

enum daemon_state {
	DAEMON_ABSENT, /* no dockerd on this host */
	DAEMON_STOPPED,
	DAEMON_RUNNING,
};

enum install_kind {
	INSTALL_PACKAGE,  /* a system service that reads /etc/docker */
	INSTALL_SNAP,     /* snap.docker.dockerd: configuration under /var/snap, not ours to edit */
	INSTALL_ROOTLESS, /* a user's own daemon, under ~/.config/docker */
};

enum file_state {
	FILE_ABSENT,
	FILE_READ,
	FILE_UNREADABLE, /* exists, but this user may not read it */
};

/* A configuration file as it was read. */
struct text_file {
	char *path;      /* as it is named */
	char *real_path; /* where symlinks lead; equal to path without any */
	enum file_state state;
	char *data; /* terminated; NULL unless state is FILE_READ */
	size_t length;
	mode_t mode; /* permission bits */
	uid_t uid;
	gid_t gid;
};

/* An EnvironmentFile= of the unit. Globs are already resolved. */
struct environment_file {
	struct text_file file;
	bool optional; /* "-" in front of its name */
};

/* The prefixes of a program in ExecStart= (systemd.service(5)); "@" is seen by argv[0] alone. */
enum exec_flag {
	EXEC_IGNORE_FAILURE = 1 << 0, /* - */
	EXEC_PRIVILEGED = 1 << 1,     /* + */
	EXEC_NO_SETUID = 1 << 2,      /* ! */
	EXEC_AMBIENT = 1 << 3,        /* !! */
	EXEC_NO_EXPAND = 1 << 4,      /* : */
	EXEC_VIA_SHELL = 1 << 5,      /* | */
	EXEC_UNKNOWN = 1 << 6,        /* one that is none of these */
};

/* A command of ExecStart=. */
struct exec_command {
	char *path;
	struct strlist argv; /* specifiers resolved, variables not */
	unsigned flags;      /* enum exec_flag, or'ed */
};

/* The service as systemd has loaded it. */
struct unit_facts {
	bool known;         /* the bus answered and the unit is loaded */
	char *name;         /* "docker.service" */
	char *load_state;   /* loaded, not-found, masked, … */
	char *active_state; /* active, inactive, failed, activating, … */
	char *sub_state;
	char *fragment_path; /* NULL when there is none */
	struct strlist dropin_paths;
	struct strlist exec_start;     /* argv of the last command, variables not expanded */
	struct exec_command *commands; /* all of them; empty where only exec_start is known */
	size_t command_count;
	struct strlist environment;       /* "NAME=value" */
	struct strlist unset_environment; /* "NAME" or "NAME=value" */
	struct environment_file *environment_files;
	size_t environment_file_count;
	/* The fragment and the drop-ins in the order in which they count, as they are on the disk;
	 * those that cannot be read are FILE_UNREADABLE. */
	struct text_file *texts;
	size_t text_count;
	unsigned systemd_version;     /* asked only where it makes a difference; else 0 */
	bool need_daemon_reload;      /* files changed since systemd read them */
	pid_t main_pid;               /* 0 when it does not run */
	char invocation[33];          /* InvocationID of its last start, hexadecimal; "" unknown */
	uint64_t limit_nofile;        /* hard, UINT64_MAX is infinity, 0 unknown */
	uint64_t capability_bounding; /* bit mask; valid when known */
	struct strlist socket_listen; /* unix paths docker.socket listens on; empty unless asked */
};

/* The running dockerd, from /proc. */
struct process_facts {
	pid_t pid;             /* 0 when none was found */
	struct strlist argv;   /* empty when it cannot be read */
	uint64_t limit_nofile; /* hard; 0 unknown */
	enum tristate has_cap_sys_resource;
};

/* Counts of what the data root holds; -1 where it cannot be told. */
struct data_root_facts {
	char *path; /* as the daemon uses it, remapped or not; NULL unknown */
	int64_t images;
	int64_t containers;
	int64_t containers_running;
	int64_t volumes;
	struct strlist drivers;         /* non-empty graph driver folders, when looked at on disk */
	enum tristate containerd_store; /* images are kept in containerd */
	enum tristate overlay2_possible; /* the backing file system can carry overlay2 */
	bool from_disk;                  /* the daemon did not answer: counted in the folders */
};

#define CONTAINER_ID_LENGTH 64 /* hexadecimal digits */

enum container_state {
	CONTAINER_DOWN, /* created, exited, dead: no process of it runs */
	CONTAINER_RUNNING,
	CONTAINER_PAUSED,
	CONTAINER_RESTARTING, /* it has ended, and dockerd is about to start it again */
};

/* A container, as the API lists it and as its own files in the data root have it. */
struct container_facts {
	char *id;
	char *name; /* without the slash in front */
	enum container_state state;
	bool ended_well; /* it is down, and has ended with status 0 */
	char *service;   /* of the swarm, whose task it is; NULL */
	bool publishes;  /* a port of the host leads to it */

	/* From its files. */
	bool known;             /* they could be read */
	char *started_at;       /* "2026-11-25T11:09:25.064353187Z"; NULL: it never was */
	pid_t pid;              /* 0 while it does not run */
	bool auto_remove;       /* --rm: it is gone once it has ended */
	bool no_new_privileges; /* as it was created */
	json_t *log;            /* {"Type": "syslog", "Config": {…}}, as it was created */
	json_t *ulimits;        /* its own, an array; NULL: none */
};

/* What a container that was started with the daemon's defaults saw of itself (core/canary.h). */
struct canary_facts {
	json_t *limits; /* those of default-ulimits as they came out, an object like the one in
			 * daemon.json; NULL: not known */
	enum tristate no_new_privileges;
	enum tristate seccomp; /* a filter was on it */
	char *uid_map;         /* "0:100000:65536"; NULL: not known */
};

#define CANARY_FACTS_EMPTY ((struct canary_facts){.no_new_privileges = UNKNOWN, .seccomp = UNKNOWN})

/* A file that CIS section 3 is about. */
struct file_facts {
	/* Which file it is, for the profile's rows: docker.service, docker.socket, drop-in,
	 * etc-docker, certs.d, tlscacert, tlscert, tlskey, docker.sock, daemon.json,
	 * default-docker, sysconfig-docker, containerd.sock. A constant. */
	const char *role;
	char *path;
	enum tristate exists;
	uid_t uid;
	gid_t gid;
	mode_t mode;
	char *owner; /* "root:docker"; numeric where there is no name */
	bool fixed;  /* on a file system that is mounted read-only */
};

/* The socket unit that opens the API's socket for dockerd. Asked about only where the socket is not
 * as the profile wants it, and in an image. */
struct socket_unit_facts {
	enum tristate opens; /* YES: it does; NO: dockerd opens the socket itself; UNKNOWN */
	char *name;          /* "docker.socket" */
	char *path;          /* of the socket */
	mode_t mode; /* SocketMode=, and so on: what it gives the socket at its next start */
	char *user;  /* "root" where it names none */
	char *group;
	int64_t wanted_gid; /* of the group that the profile wants; -1: there is none */
	struct text_file
		dropin; /* where harden's own goes, so that it counts last, and as it is now */
};

/* Whether rsyslog could be given the listener that is missing. */
enum rsyslog_state {
	RSYSLOG_NOT_ASKED,
	RSYSLOG_ABSENT,  /* not installed */
	RSYSLOG_STOPPED, /* installed, and does not run */
	RSYSLOG_UNFIT,   /* its own check refuses the configuration with the listener */
	RSYSLOG_READY,
};

/* What was found at the address that containers are to log to. */
struct syslog_facts {
	char *address;         /* as it is spelled; NULL: none was tried */
	enum tristate answers; /* UNKNOWN: it cannot be told */
	char *reason;          /* why not, or why it cannot be told: "connection refused" */
	/* Numbers of a TCP address of this very host at which nobody listens; else NULL. Only then
	 * is rsyslog asked about. */
	char *host;
	char *port;
	enum rsyslog_state rsyslog;
	char *rsyslog_reason;   /* in its own words, for RSYSLOG_UNFIT */
	char *addition;         /* the text that opens the listener; NULL unless RSYSLOG_READY */
	struct text_file input; /* harden's own file for rsyslog as it is now */
};

struct facts {
	char *image; /* with --root, the folder: nothing runs there, and the kernel, devices and
		      * limits of the machine that reads it say nothing about it. Else NULL */
	char *hostname;
	char *today; /* local date, YYYY-MM-DD: for waivers that end */
	enum install_kind install;
	char *install_note; /* what it is and where its files are, for snap and rootless */
	bool as_root;

	enum daemon_state daemon;
	struct dockerver version;
	char *version_text;    /* as dockerd spells it, "20.10.24+dfsg1"; NULL unknown */
	enum tristate systemd; /* PID 1 is systemd */
	struct unit_facts unit;
	struct process_facts process;
	struct text_file config; /* daemon.json */
	json_t *config_document; /* the same parsed (daemonjson_read()), never changed; NULL where
				  * it has not been parsed or cannot be */
	char *socket_path;       /* the API socket that answered or should; NULL unknown */

	/* Bodies of the API's replies; NULL where it did not answer. */
	json_t *info;       /* GET /info */
	json_t *bridge;     /* GET /networks/bridge */
	json_t *containers; /* GET /containers/json?all=1 */
	json_t *volumes;    /* GET /volumes */

	struct container_facts *container_list; /* the same with what their own files say */
	size_t container_count;
	json_t *default_ulimits;    /* that the daemon gives to containers without their own, as an
				     * object like the one in daemon.json; NULL: not known */
	enum tristate port_proxies; /* docker-proxy processes serve published ports; UNKNOWN: there
				     * is no published port, or it cannot be seen */

	struct canary_facts canary; /* after an apply that ran one */

	struct data_root_facts data_root;
	enum tristate swarm; /* this node is part of a swarm, or has its state on disk */

	enum tristate br_netfilter;  /* loaded or can be loaded */
	enum tristate syslog_socket; /* /dev/log (or its old names) is a socket */
	struct syslog_facts syslog;
	enum tristate dockremap_user;   /* the user dockremap exists */
	enum tristate dockremap_ranges; /* and has lines in /etc/subuid and /etc/subgid */
	enum tristate can_add_user;     /* a real adduser or useradd is installed */

	struct file_facts *files;
	size_t file_count;
	struct socket_unit_facts socket_unit;

	char *pending; /* the id of an apply or rollback that was interrupted; NULL */

	struct strlist unseen; /* sentences: what could not be looked at, and why */

	/* For `make bench`: round trips made. */
	unsigned bus_calls;
	unsigned http_calls;
};

#define FACTS_EMPTY                                                                                \
	((struct facts){.swarm = UNKNOWN,                                                          \
			.systemd = UNKNOWN,                                                        \
			.process.has_cap_sys_resource = UNKNOWN,                                   \
			.data_root = {.images = -1,                                                \
				      .containers = -1,                                            \
				      .containers_running = -1,                                    \
				      .volumes = -1,                                               \
				      .containerd_store = UNKNOWN,                                 \
				      .overlay2_possible = UNKNOWN},                               \
			.port_proxies = UNKNOWN,                                                   \
			.canary = CANARY_FACTS_EMPTY,                                              \
			.br_netfilter = UNKNOWN,                                                   \
			.syslog_socket = UNKNOWN,                                                  \
			.syslog = {.answers = UNKNOWN},                                            \
			.socket_unit = {.opens = UNKNOWN, .wanted_gid = -1},                       \
			.dockremap_user = UNKNOWN,                                                 \
			.dockremap_ranges = UNKNOWN,                                               \
			.can_add_user = UNKNOWN})

void exec_command_done(struct exec_command *command);
void text_file_done(struct text_file *file);
void socket_unit_facts_done(struct socket_unit_facts *unit);
void syslog_facts_done(struct syslog_facts *syslog);
void facts_done(struct facts *facts);
#define cleanup_facts scoped(facts_done)
