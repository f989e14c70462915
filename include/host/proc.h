/* The running dockerd and the kernel, from /proc and its neighbours. Paths are looked up under
 * root; "" is the host itself. */
#pragma once

#include <sys/types.h>

#include "base/error.h"
#include "core/facts.h"

/* True when a process of that name ("dockerd") has this pid. */
bool proc_is_dockerd(const char *root, pid_t pid);

/* The dockerd that /run/docker.pid names; 0 when there is none, as after a crash. */
pid_t proc_pid_from_file(const char *root);

/* What a look at every process found, for hosts where neither pid file nor unit says it. Processes
 * of other PID namespaces (Docker in Docker) are left out. */
struct proc_scan {
	pid_t dockerd;      /* of root, 0 when there is none */
	pid_t rootless;     /* rootlesskit or dockerd of somebody else */
	uid_t rootless_uid; /* valid when rootless is not 0 */
};

/* Returns 0 also where /proc cannot be read: nothing is found then. */
void proc_scan(const char *root, struct proc_scan *ret);

/* Fills *ret from /proc/PID. Gone in the meantime: pid is 0. What is not visible is unknown in
 * *ret, with a sentence in unseen. */
int proc_read(const char *root, pid_t pid, struct process_facts *ret, struct strlist *unseen,
	      struct error *error);

/* Whether the process has a child of that name, such as dockerd a docker-proxy for each published
 * port. UNKNOWN when its children cannot be seen. */
enum tristate proc_has_child(const char *root, pid_t pid, const char *name);

/* Adds the ids of Docker's containers that have a process, each once: those that /proc/PID/cgroup
 * shows in a group named docker/ID (cgroupfs) or docker-ID.scope (systemd). Of containers inside a
 * container the outer one counts. */
int proc_container_ids(const char *root, struct strlist *ret, struct error *error);

/* YES when systemd is PID 1, the test of sd_booted(3). */
enum tristate proc_systemd(const char *root);

/* YES when something can listen for syslog messages at /dev/log or its old names. */
enum tristate proc_syslog_socket(const char *root);

/* YES when br_netfilter is loaded, built in, or there to be loaded for this kernel release. */
int proc_br_netfilter(const char *root, const char *release, enum tristate *ret,
		      struct error *error);

/* The same for an image, by the kernels that are installed in it: YES if one of them has the
 * module, NO if none does, UNKNOWN without any kernel, as in an image that is started with
 * another's. */
int proc_br_netfilter_of_image(const char *root, enum tristate *ret, struct error *error);
