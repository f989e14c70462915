#include "tree.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "host/api.h"
#include "host/clock.h"

START_TEST(the_socket_follows_from_the_hosts)
{
	static const struct {
		const char *hosts;
		const char *path;
		bool activated;
	} cases[] = {
		{"[]", "/run/docker.sock", false},
		{"null", "/run/docker.sock", false},
		{"[\"fd://\"]", "/run/docker.sock", true},
		{"[\"fd://docker.socket\"]", "/run/docker.sock", true},
		{"[\"unix://\"]", "/run/docker.sock", false},
		{"[\"tcp://127.0.0.1:2375\", \"unix:///run/x.sock\"]", "/run/x.sock", false},
		{"[\"fd://\", \"unix:///run/x.sock\"]", "/run/x.sock", false},
		{"[\"tcp://127.0.0.1:2375\"]", "", false},
		{"[1, null]", "", false},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		json_t *hosts = json_loads(cases[i].hosts, JSON_DECODE_ANY, NULL);
		bool activated;

		ck_assert_str_eq(api_choose_socket(hosts, &activated), cases[i].path);
		ck_assert_int_eq(activated, cases[i].activated);
		json_decref(hosts);
	}
}
END_TEST

/* ---- against a daemon made of fixed answers ---- */

#define OK "HTTP/1.0 200 OK\r\nServer: Docker/26.1.5+dfsg1 (linux)\r\n\r\n"

/* What is answered to each path; changed before the daemon is started. */
static struct {
	const char *path;
	const char *reply;
} answers[] = {
	{"/info", OK "{\"DockerRootDir\": \"/d\", \"Images\": 3, \"Containers\": 2,"
		     "\"ContainersRunning\": 1, \"Swarm\": {\"LocalNodeState\": \"active\"},"
		     "\"DriverStatus\": [[\"driver-type\", \"io.containerd.snapshotter.v1\"]]}"},
	{"/containers", OK "[{\"Id\": \"x\"}]"},
	{"/networks", OK "{\"Name\": \"bridge\"}"},
	{"/volumes", OK "{\"Volumes\": [{}, {}, {}, {}]}"},
};

static void serve(int listener)
{
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		char request[1024] = "";

		(void)recv(fd, request, sizeof request - 1, 0);
		for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
			if (strncmp(request + strlen("GET "), answers[i].path,
				    strlen(answers[i].path)) == 0)
				(void)send(fd, answers[i].reply, strlen(answers[i].reply),
					   MSG_NOSIGNAL);
		(void)close(fd);
	}
}

static void start_daemon(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof address.sun_path, "%.100s", tree_path("/s"));
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
	ck_assert_int_eq(listen(listener, 8), 0);
	if (fork() == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve(listener);
	}
	(void)close(listener);
}

static struct facts ask(struct api *api)
{
	struct facts facts = FACTS_EMPTY;
	struct error error = ERROR_NONE;

	*api = (struct api){.asked = false};
	api_start(api, tree_path("/s"), clock_now_us() + 60000000);
	ck_assert_int_eq(api_finish(api, &facts, &error), 0);
	return facts;
}

START_TEST(answers_become_facts)
{
	struct api api;
	char *version;

	start_daemon();
	struct facts facts = ask(&api);
	ck_assert_uint_eq(facts.unseen.count, 0);
	ck_assert_uint_eq(json_array_size(facts.containers), 1);
	ck_assert_ptr_nonnull(facts.bridge);
	ck_assert_int_eq(api_version(&api, &version, NULL), 0);
	ck_assert_str_eq(version, "26.1.5+dfsg1");
	ck_assert_int_eq(api_data_root(&facts, NULL), 0);
	ck_assert_str_eq(facts.data_root.path, "/d");
	ck_assert_int_eq(facts.data_root.images, 3);
	ck_assert_int_eq(facts.data_root.containers, 2);
	ck_assert_int_eq(facts.data_root.containers_running, 1);
	ck_assert_int_eq(facts.data_root.volumes, 4);
	ck_assert_int_eq(facts.data_root.containerd_store, YES);
	ck_assert_int_eq(facts.swarm, YES);
	free(version);
	facts_done(&facts);
	api_done(&api);
}
END_TEST

START_TEST(bad_answers_are_said_each)
{
	struct api api;

	answers[0].reply = OK "{\"DockerRootDir\": }";
	answers[1].reply = OK "{}";
	answers[2].reply =
		"HTTP/1.0 404 Not Found\r\n\r\n{\"message\": \"network bridge not found\"}";
	answers[3].reply = "HTTP/1.0 403 Forbidden\r\n\r\n{\"message\": \"no\\u001b[2J\"}";
	start_daemon();
	struct facts facts = ask(&api);
	ck_assert_ptr_null(facts.info);
	ck_assert_ptr_null(facts.containers);
	ck_assert_ptr_null(facts.bridge);
	ck_assert_ptr_null(facts.volumes);
	ck_assert_uint_eq(facts.unseen.count, 3);
	ck_assert_ptr_nonnull(strstr(facts.unseen.items[0], "unexpected type"));
	/* What a stranger says must not move the cursor. */
	ck_assert_ptr_nonnull(strstr(facts.unseen.items[1], "answered 403: no\\x1b[2J"));
	ck_assert_ptr_nonnull(strstr(facts.unseen.items[2], "ask for /info at "));
	ck_assert_ptr_nonnull(strstr(facts.unseen.items[2], "the answer is not valid JSON"));
	facts_done(&facts);
	api_done(&api);
}
END_TEST

START_TEST(one_reason_is_said_once)
{
	struct api api;
	char *version;
	struct facts facts = ask(&api);

	ck_assert(api_nobody_listens(&api));
	ck_assert_uint_eq(facts.unseen.count, 1);
	ck_assert_ptr_nonnull(strstr(facts.unseen.items[0], "/info"));
	ck_assert_int_eq(api_version(&api, &version, NULL), 0);
	ck_assert_ptr_null(version);
	facts_done(&facts);
	api_done(&api);
}
END_TEST

START_TEST(a_missing_permission_names_the_cure)
{
	struct api api;

	start_daemon();
	ck_assert_int_eq(chmod(tree_path("/s"), 0), 0);
	ck_assert_int_eq(chmod(tree_root, 0755), 0);
	if (geteuid() == 0)
		ck_assert_int_eq(seteuid(65534), 0);
	struct facts facts = ask(&api);
	ck_assert_uint_eq(facts.unseen.count, 1);
	ck_assert_ptr_nonnull(strstr(facts.unseen.items[0], "permission denied; run as root"));
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(0), 0);
	facts_done(&facts);
	api_done(&api);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		the_socket_follows_from_the_hosts,   answers_become_facts,
		bad_answers_are_said_each,           one_reason_is_said_once,
		a_missing_permission_names_the_cure, NULL,
	};

	return tree_main("api", tests);
}
