#include "tree.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "host/proc.h"

#define LIMITS                                                                                     \
	"Limit                     Soft Limit           Hard Limit           Units     \n"         \
	"Max cpu time              unlimited            unlimited            seconds   \n"

static void make_process(const char *pid, const char *comm, const char *status)
{
	char name[100];

	(void)snprintf(name, sizeof name, "/proc/%s/comm", pid);
	tree_write(name, comm);
	(void)snprintf(name, sizeof name, "/proc/%s/status", pid);
	tree_write(name, status);
}

static struct process_facts read_process(pid_t pid)
{
	struct process_facts process;
	struct strlist unseen = {.items = NULL};
	struct error error = ERROR_NONE;

	ck_assert_int_eq(proc_read(tree_root, pid, &process, &unseen, &error), 0);
	strlist_done(&unseen);
	return process;
}

START_TEST(the_pid_file_must_name_a_dockerd)
{
	make_process("12", "dockerd\n", "");
	make_process("13", "bash\n", "");
	ck_assert_int_eq(proc_pid_from_file(tree_root), 0);
	tree_write("/run/docker.pid", "12");
	ck_assert_int_eq(proc_pid_from_file(tree_root), 12);
	tree_write("/run/docker.pid", "12\n");
	ck_assert_int_eq(proc_pid_from_file(tree_root), 12);
	/* After a crash: somebody else's number, nobody's, or rubbish. */
	tree_write("/run/docker.pid", "13");
	ck_assert_int_eq(proc_pid_from_file(tree_root), 0);
	tree_write("/run/docker.pid", "14");
	ck_assert_int_eq(proc_pid_from_file(tree_root), 0);
	tree_write("/run/docker.pid", "x");
	ck_assert_int_eq(proc_pid_from_file(tree_root), 0);
	tree_write("/run/docker.pid", "-12");
	ck_assert_int_eq(proc_pid_from_file(tree_root), 0);
	tree_write("/run/docker.pid", "99999999999999999999");
	ck_assert_int_eq(proc_pid_from_file(tree_root), 0);
}
END_TEST

START_TEST(a_process_is_read)
{
	static const char argv[] = "/usr/sbin/dockerd\0-H\0fd://\0\0--icc=false";

	make_process("12", "dockerd\n", "Name:\tdockerd\nCapEff:\t000001fffeffffff\n");
	tree_write_bytes("/proc/12/cmdline", argv, sizeof argv);
	tree_write("/proc/12/limits", LIMITS
		   "Max open files            1024                 524288               files\n");
	struct process_facts process = read_process(12);

	ck_assert_int_eq(process.pid, 12);
	ck_assert_uint_eq(process.argv.count, 5);
	ck_assert_str_eq(process.argv.items[2], "fd://");
	ck_assert_str_eq(process.argv.items[3], "");
	ck_assert_str_eq(process.argv.items[4], "--icc=false");
	ck_assert_uint_eq(process.limit_nofile, 524288);
	ck_assert_int_eq(process.has_cap_sys_resource, NO);
	strlist_done(&process.argv);

	make_process("12", "dockerd\n", "CapEff:\t000001ffffffffff\n");
	tree_write("/proc/12/limits", LIMITS "Max open files 1 unlimited files\n");
	process = read_process(12);
	ck_assert_int_eq(process.has_cap_sys_resource, YES);
	ck_assert_uint_eq(process.limit_nofile, UINT64_MAX);
	strlist_done(&process.argv);
}
END_TEST

START_TEST(what_is_not_there_is_unknown)
{
	make_process("12", "dockerd\n", "Name:\tdockerd\n");
	tree_write("/proc/12/limits", LIMITS);
	struct process_facts process = read_process(12);

	ck_assert_int_eq(process.pid, 12);
	ck_assert_uint_eq(process.argv.count, 0);
	ck_assert_uint_eq(process.limit_nofile, 0);
	ck_assert_int_eq(process.has_cap_sys_resource, UNKNOWN);
	/* Gone altogether. */
	process = read_process(99);
	ck_assert_int_eq(process.pid, 0);
}
END_TEST

START_TEST(the_processes_of_this_very_host_can_be_read)
{
	struct process_facts process;
	struct strlist unseen = {.items = NULL};

	ck_assert_int_eq(proc_read("", getpid(), &process, &unseen, NULL), 0);
	ck_assert_int_eq(process.pid, getpid());
	ck_assert_uint_ge(process.argv.count, 1);
	ck_assert_uint_gt(process.limit_nofile, 0);
	ck_assert_int_ne(process.has_cap_sys_resource, UNKNOWN);
	ck_assert_uint_eq(unseen.count, 0);
	strlist_done(&process.argv);
}
END_TEST

START_TEST(a_scan_tells_ours_from_others)
{
	struct proc_scan found;

	proc_scan(tree_root, &found);
	ck_assert_int_eq(found.dockerd, 0);
	ck_assert_int_eq(found.rootless, 0);

	make_process("1", "systemd\n", "Uid:\t0\t0\t0\t0\nNSpid:\t1\n");
	make_process("self", "dockerd\n", "Uid:\t0\t0\t0\t0\nNSpid:\t7\n");
	make_process("20", "dockerd\n", "Uid:\t0\t0\t0\t0\nNSpid:\t20\t1\n");
	make_process("18", "dockerd\n", "State:\tZ (zombie)\nUid:\t0\t0\t0\t0\nNSpid:\t18\n");
	make_process("19", "rootlesskit\n", "Uid:\t1000\t1000\t1000\t1000\nNSpid:\t19\t4\n");
	proc_scan(tree_root, &found);
	ck_assert_int_eq(found.dockerd, 0);
	ck_assert_int_eq(found.rootless, 0);

	make_process("21", "dockerd\n", "Uid:\t0\t0\t0\t0\nNSpid:\t21\n");
	make_process("22", "rootlesskit\n", "Uid:\t1000\t1000\t1000\t1000\nNSpid:\t22\n");
	proc_scan(tree_root, &found);
	ck_assert_int_eq(found.dockerd, 21);
	ck_assert_int_eq(found.rootless, 22);
	ck_assert_uint_eq(found.rootless_uid, 1000);
}
END_TEST

/* ---- children and containers ---- */

START_TEST(a_child_is_found_by_its_name)
{
	ck_assert_int_eq(proc_has_child(tree_root, 12, "docker-proxy"), UNKNOWN);
	/* A kernel without the lists of children. */
	tree_folder("/proc/12/task/12");
	ck_assert_int_eq(proc_has_child(tree_root, 12, "docker-proxy"), UNKNOWN);

	make_process("20", "containerd\n", "");
	make_process("21", "docker-proxy\n", "");
	make_process("22", "docker-proxy2\n", "");
	tree_write("/proc/12/task/12/children", "");
	ck_assert_int_eq(proc_has_child(tree_root, 12, "docker-proxy"), NO);
	tree_write("/proc/12/task/12/children", "20 22 ");
	ck_assert_int_eq(proc_has_child(tree_root, 12, "docker-proxy"), NO);
	/* One that has gone in the meantime, and rubbish: the second number and the third are 21 in
	 * 32 bits. */
	tree_write("/proc/12/task/12/children", "99 4294967317 -4294967275 x 21 ");
	ck_assert_int_eq(proc_has_child(tree_root, 12, "docker-proxy"), NO);
	tree_write("/proc/12/task/12/children", "20 99 21 ");
	ck_assert_int_eq(proc_has_child(tree_root, 12, "docker-proxy"), YES);
	ck_assert_int_eq(proc_has_child(tree_root, 12, "containerd"), YES);
	/* Somebody else's. */
	ck_assert_int_eq(proc_has_child(tree_root, 13, "docker-proxy"), UNKNOWN);
}
END_TEST

START_TEST(a_child_of_any_thread_counts)
{
	make_process("21", "docker-proxy\n", "");
	tree_write("/proc/12/task/12/children", "20 ");
	tree_write("/proc/12/task/14/children", "21 ");
	tree_write("/proc/12/task/15/children", "");
	ck_assert_int_eq(proc_has_child(tree_root, 12, "docker-proxy"), YES);
	/* Only one of the threads can be seen. */
	tree_folder("/proc/13/task/13");
	tree_write("/proc/13/task/16/children", "20 ");
	ck_assert_int_eq(proc_has_child(tree_root, 13, "docker-proxy"), NO);
}
END_TEST

#define HEX16 "0123456789abcdef"
#define ID(n) HEX16 HEX16 HEX16 "0123456789abcde" n
#define SCOPE(n) "docker-" ID(n) ".scope"

/* What /proc/PID/cgroup may have, and the container that it shows. */
static const struct {
	const char *cgroup;
	const char *id; /* NULL: none */
} cgroups[] = {
	/* cgroup v2, with either driver. */
	{"0::/system.slice/" SCOPE("a") "\n", ID("a")},
	{"0::/docker/" ID("a") "\n", ID("a")},
	{"0::/docker/" ID("a"), ID("a")},
	/* A group of its own: systemd in a container, or a slice that was asked for. */
	{"0::/system.slice/" SCOPE("a") "/init.scope\n", ID("a")},
	{"0::/docker/" ID("a") "/system.slice/cron.service\n", ID("a")},
	{"0::/site.slice/site-web.slice/" SCOPE("a") "\n", ID("a")},
	{"0::/docker.slice/docker-web.slice/" SCOPE("a") "\n", ID("a")},
	/* cgroup v1: a line for each hierarchy, and not in all of them is a group. */
	{"12:rdma:/\n11:memory:/docker/" ID("a") "\n10:cpu,cpuacct:/docker/" ID(
		 "a") "\n"
		      "1:name=systemd:/docker/" ID("a") "\n0::/system.slice/containerd.service\n",
	 ID("a")},
	{"11:memory:/system.slice/" SCOPE("a") "\n"
					       "1:name=systemd:/system.slice/" SCOPE("a") "\n",
	 ID("a")},
	/* Docker in Docker: the outer one is this host's. */
	{"0::/docker/" ID("a") "/docker/" ID("b") "\n", ID("a")},
	{"0::/system.slice/" SCOPE("a") "/docker/" ID("b") "\n", ID("a")},
	/* Nobody's. */
	{"", NULL},
	{"0::/\n", NULL},
	{"0::/system.slice/docker.service\n", NULL},
	{"0::/system.slice/docker.socket\n", NULL},
	{"0::/docker\n", NULL},
	{"0::/docker/buildkit/abc\n", NULL},
	{"0::/docker/" HEX16 "\n", NULL},
	{"0::/docker/" ID("a") "a\n", NULL},
	{"0::/docker/" ID("A") "\n", NULL},
	{"0::/docker/x" ID("a") "\n", NULL},
	{"0::/dockerx" ID("a") "\n", NULL},
	{"0::/docker" ID("a") "\n", NULL},
	{"0::/docker", NULL},
	{"0::/docker-", NULL},
	{"0::/" ID("a") "\n", NULL},
	{"0::/system.slice/my" SCOPE("a") "\n", NULL},
	{"0::/site/my-docker/" ID("a") "\n", NULL},
	/* Other engines. */
	{"0::/machine.slice/libpod-" ID("a") ".scope/container\n", NULL},
	{"0::/libpod_parent/libpod-" ID("a") "\n", NULL},
	{"0::/machine.slice/machine-libpod_pod_" ID("a") ".slice\n", NULL},
	{"0::/kubepods.slice/kubepods-besteffort.slice/cri-containerd-" ID("a") ".scope\n", NULL},
	{"0::/kubepods/burstable/pod4711/" ID("a") "\n", NULL},
	{"0::/kubepods.slice/crio-" ID("a") ".scope\n", NULL},
	{"0::/system.slice/nerdctl-" ID("a") ".scope\n", NULL},
	{"0::/default/" ID("a") "\n", NULL},
};

static struct strlist container_ids(void)
{
	struct strlist ids = {.items = NULL};
	struct error error = ERROR_NONE;

	ck_assert_int_eq(proc_container_ids(tree_root, &ids, &error), 0);
	return ids;
}

START_TEST(a_group_shows_the_container)
{
	for (size_t i = 0; i < array_size(cgroups); i++) {
		tree_write("/proc/12/cgroup", cgroups[i].cgroup);
		struct strlist ids = container_ids();

		ck_assert_msg(ids.count == (cgroups[i].id != NULL), "%s", cgroups[i].cgroup);
		if (cgroups[i].id)
			ck_assert_str_eq(ids.items[0], cgroups[i].id);
		strlist_done(&ids);
	}
}
END_TEST

START_TEST(each_container_counts_once)
{
	tree_write("/proc/1/cgroup", "0::/init.scope\n");
	tree_write("/proc/self/cgroup", "0::/docker/" ID("f") "\n");
	tree_write("/proc/sys/cgroup", "0::/docker/" ID("f") "\n");
	tree_folder("/proc/30");
	struct strlist ids = container_ids();
	ck_assert_uint_eq(ids.count, 0);
	strlist_done(&ids);

	tree_write("/proc/12/cgroup", "0::/docker/" ID("a") "\n");
	tree_write("/proc/13/cgroup", "0::/docker/" ID("a") "/init.scope\n");
	tree_write("/proc/14/cgroup", "0::/system.slice/docker-" ID("a") ".scope\n");
	tree_write("/proc/15/cgroup", "0::/docker/" ID("b") "\n");
	ids = container_ids();
	ck_assert_uint_eq(ids.count, 2);
	ck_assert(strlist_contains(&ids, ID("a")));
	ck_assert(strlist_contains(&ids, ID("b")));
	strlist_done(&ids);
}
END_TEST

START_TEST(without_processes_that_is_an_error)
{
	struct strlist ids = {.items = NULL};
	struct error error = ERROR_NONE;

	ck_assert_int_eq(proc_container_ids(tree_root, &ids, &error), -ENOENT);
	ck_assert_str_eq(error.path, tree_path("/proc"));
	ck_assert_uint_eq(ids.count, 0);
}
END_TEST

static enum tristate br_netfilter(void)
{
	enum tristate answer = UNKNOWN;

	ck_assert_int_eq(proc_br_netfilter(tree_root, "6.1", &answer, NULL), 0);
	return answer;
}

START_TEST(br_netfilter_is_loaded_or_can_be)
{
	ck_assert_int_eq(br_netfilter(), NO);
	tree_write("/lib/modules/6.0/modules.dep", "kernel/net/bridge/br_netfilter.ko:\n");
	ck_assert_int_eq(br_netfilter(), NO);
	tree_write("/lib/modules/6.1/modules.dep", "kernel/net/bridge/bridge.ko:\n");
	ck_assert_int_eq(br_netfilter(), NO);
	tree_write("/lib/modules/6.1/modules.builtin", "kernel/net/bridge/br_netfilter.ko\n");
	ck_assert_int_eq(br_netfilter(), YES);
	tree_write("/lib/modules/6.1/modules.builtin", "");
	tree_write("/lib/modules/6.1/modules.dep", "kernel/net/bridge/br_netfilter.ko.xz: a.ko\n");
	ck_assert_int_eq(br_netfilter(), YES);
	tree_write("/lib/modules/6.1/modules.dep", "");
	ck_assert_int_eq(br_netfilter(), NO);
	tree_folder("/proc/sys/net/bridge");
	ck_assert_int_eq(br_netfilter(), YES);
}
END_TEST

START_TEST(systemd_and_syslog)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	ck_assert_int_eq(proc_systemd(tree_root), NO);
	tree_folder("/run/systemd/system");
	ck_assert_int_eq(proc_systemd(tree_root), YES);

	ck_assert_int_eq(proc_syslog_socket(tree_root), NO);
	tree_write("/dev/log", "not a socket");
	ck_assert_int_eq(proc_syslog_socket(tree_root), NO);
	(void)snprintf(address.sun_path, sizeof address.sun_path, "%.100s", tree_path("/socket"));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	tree_folder("/var/run");
	tree_link("../../socket", "/var/run/log");
	ck_assert_int_eq(proc_syslog_socket(tree_root), YES);
	(void)close(fd);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		the_pid_file_must_name_a_dockerd,
		a_process_is_read,
		what_is_not_there_is_unknown,
		the_processes_of_this_very_host_can_be_read,
		a_scan_tells_ours_from_others,
		a_child_is_found_by_its_name,
		a_child_of_any_thread_counts,
		a_group_shows_the_container,
		each_container_counts_once,
		without_processes_that_is_an_error,
		br_netfilter_is_loaded_or_can_be,
		systemd_and_syslog,
		NULL,
	};

	return tree_main("proc", tests);
}
