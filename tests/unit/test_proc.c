#include "tree.h"

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
		br_netfilter_is_loaded_or_can_be,
		systemd_and_syslog,
		NULL,
	};

	return tree_main("proc", tests);
}
