/* Containers: the list of the API, and their own files. */
#include "fakedocker.h"

#include "host/clock.h"
#include "host/containers.h"

#define HEX16 "0123456789abcdef"
#define ID(n) HEX16 HEX16 HEX16 "0123456789abcde" n

#define CONFIG                                                                                     \
	"{\"NoNewPrivileges\": true, \"State\": {\"Running\": true, \"Pid\": 4711, "               \
	"\"StartedAt\": \"2026-11-25T11:09:25.064353187Z\"}}"
#define HOST                                                                                       \
	"{\"AutoRemove\": true, \"LogConfig\": {\"Type\": \"syslog\", \"Config\": {\"tag\": "      \
	"\"x\"}}, \"Ulimits\": [{\"Name\": \"nofile\", \"Soft\": 5, \"Hard\": 6}]}"

static struct facts facts;

static void write_files(const char *id, const char *config, const char *host)
{
	char name[300];

	(void)snprintf(name, sizeof name, "/d/containers/%s/config.v2.json", id);
	if (config)
		tree_write(name, config);
	(void)snprintf(name, sizeof name, "/d/containers/%s/hostconfig.json", id);
	if (host)
		tree_write(name, host);
}

/* Reads what the API lists and the folders below /d of the tree have. */
static void read_list(const char *list)
{
	struct error error = ERROR_NONE;

	facts_done(&facts);
	facts = FACTS_EMPTY;
	facts.containers = json_loads(list, 0, NULL);
	ck_assert_ptr_nonnull(facts.containers);
	facts.data_root.path = strdup(tree_path("/d"));
	ck_assert_int_eq(containers_read(&facts, &error), 0);
	ck_assert_int_eq(error.code, 0);
	ck_assert_uint_eq(facts.container_count, json_array_size(facts.containers));
}

START_TEST(the_list_and_the_files_become_facts)
{
	write_files(ID("a"), CONFIG, HOST);
	/* The first is a legacy link's. */
	read_list("[{\"Id\": \"" ID("a") "\", \"Names\": [\"/db/peer\", \"/web\"], "
					 "\"State\": \"running\", "
					 "\"Status\": \"Up 3 minutes\", \"Labels\": {}, "
					 "\"Ports\": [{\"PrivatePort\": 443}, {\"PrivatePort\": "
					 "80, \"PublicPort\": 8080}]}]");
	const struct container_facts *web = &facts.container_list[0];

	ck_assert_str_eq(web->id, ID("a"));
	ck_assert_str_eq(web->name, "web");
	ck_assert_int_eq(web->state, CONTAINER_RUNNING);
	ck_assert(!web->ended_well);
	ck_assert(web->publishes);
	ck_assert_ptr_null(web->service);
	ck_assert(web->known);
	ck_assert_str_eq(web->started_at, "2026-11-25T11:09:25.064353187Z");
	ck_assert_int_eq(web->pid, 4711);
	ck_assert(web->auto_remove);
	ck_assert(web->no_new_privileges);
	ck_assert_str_eq(json_string_value(json_object_get(web->log, "Type")), "syslog");
	ck_assert_uint_eq(json_array_size(web->ulimits), 1);
	ck_assert_uint_eq(facts.unseen.count, 0);
	facts_done(&facts);
}
END_TEST

/* harden's own, left by one that was interrupted. */
START_TEST(a_canary_is_nobodys)
{
	struct error error = ERROR_NONE;

	facts = FACTS_EMPTY;
	facts.data_root.images = 5;
	facts.data_root.containers = 4;
	facts.data_root.containers_running = 2;
	facts.containers =
		json_loads("[{\"Id\": \"1\", \"Names\": [\"/web\"], \"State\": \"running\"},"
			   " {\"Id\": \"2\", \"State\": \"running\", \"Labels\": "
			   "{\"org.harden.canary\": \"x\"}},"
			   " {\"Id\": \"3\", \"State\": \"exited\", \"Labels\": "
			   "{\"org.harden.canary\": \"y\"}},"
			   " {\"Id\": \"4\", \"Names\": [\"/db\"], \"State\": \"exited\"}]",
			   0, NULL);
	ck_assert_int_eq(containers_read(&facts, &error), 0);
	ck_assert_uint_eq(facts.container_count, 2);
	ck_assert_str_eq(facts.container_list[0].name, "web");
	ck_assert_str_eq(facts.container_list[1].name, "db");
	ck_assert_int_eq(facts.data_root.images, 3);
	ck_assert_int_eq(facts.data_root.containers, 2);
	ck_assert_int_eq(facts.data_root.containers_running, 1);
	facts_done(&facts);
}
END_TEST

START_TEST(what_was_not_asked_for_is_not_there)
{
	write_files(ID("a"), "{\"State\": {\"StartedAt\": \"0001-01-01T00:00:00Z\"}}",
		    "{\"AutoRemove\": false, \"Ulimits\": null}");
	write_files(ID("b"), "{}", "{\"Ulimits\": [], \"LogConfig\": 7}");
	read_list("[{\"Id\": \"" ID(
		"a") "\", \"Names\": [\"/a\"], \"Ports\": []}, "
		     "{\"Id\": \"" ID(
			     "b") "\", \"Names\": null, \"Ports\": [{\"PrivatePort\": 1}]}]");
	for (size_t i = 0; i < 2; i++) {
		const struct container_facts *container = &facts.container_list[i];

		ck_assert(container->known);
		ck_assert(!container->publishes);
		ck_assert_ptr_null(container->started_at);
		ck_assert_int_eq(container->pid, 0);
		ck_assert(!container->auto_remove);
		ck_assert(!container->no_new_privileges);
		ck_assert_ptr_null(container->log);
		ck_assert_ptr_null(container->ulimits);
	}
	/* One that is being removed has no name any more. */
	ck_assert_str_eq(facts.container_list[1].name, ID("b"));
	facts_done(&facts);
}
END_TEST

START_TEST(states_are_told_apart)
{
	static const enum container_state states[] = {
		CONTAINER_RUNNING, CONTAINER_PAUSED, CONTAINER_RESTARTING, CONTAINER_DOWN,
		CONTAINER_DOWN,    CONTAINER_DOWN,   CONTAINER_DOWN,
	};

	read_list("[{\"State\": \"running\"}, {\"State\": \"paused\"}, "
		  "{\"State\": \"restarting\", \"Status\": \"Restarting (0) 3 seconds ago\"}, "
		  "{\"State\": \"exited\", \"Status\": \"Exited (0) 3 seconds ago\"}, "
		  "{\"State\": \"exited\", \"Status\": \"Exited (137) 3 seconds ago\"}, "
		  "{\"State\": \"created\"}, {}]");
	for (size_t i = 0; i < facts.container_count; i++) {
		ck_assert_int_eq(facts.container_list[i].state, states[i]);
		ck_assert_int_eq(facts.container_list[i].ended_well, i == 3);
		ck_assert_str_eq(facts.container_list[i].name, "?");
		ck_assert(!facts.container_list[i].known);
	}
	facts_done(&facts);
}
END_TEST

START_TEST(a_task_names_its_service)
{
	read_list("[{\"Labels\": {\"com.docker.swarm.service.name\": \"shop\"}}, "
		  "{\"Labels\": {\"com.docker.compose.service\": \"shop\"}}, {\"Labels\": null}]");
	ck_assert_str_eq(facts.container_list[0].service, "shop");
	ck_assert_ptr_null(facts.container_list[1].service);
	ck_assert_ptr_null(facts.container_list[2].service);
	facts_done(&facts);
}
END_TEST

/* The others are read all the same, and it is nobody's fault that has to be told. */
START_TEST(files_that_do_not_help_leave_it_unknown)
{
	write_files(ID("1"), CONFIG, NULL);
	write_files(ID("2"), NULL, HOST);
	write_files(ID("3"), "{\"NoNewPrivileges\": ", HOST);
	write_files(ID("4"), CONFIG, "");
	write_files(ID("5"), CONFIG, HOST);
	read_list("[{\"Id\": \"" ID("0") "\"}, {\"Id\": \"" ID("1") "\"}, {\"Id\": \"" ID(
		"2") "\"}, "
		     "{\"Id\": \"" ID("3") "\"}, {\"Id\": \"" ID("4") "\"}, {\"Id\": \"" ID(
			     "5") "\"}]");
	for (size_t i = 0; i < 5; i++) {
		const struct container_facts *container = &facts.container_list[i];

		ck_assert_msg(!container->known, "container %zu", i);
		ck_assert(!container->no_new_privileges);
		ck_assert_ptr_null(container->log);
		ck_assert_ptr_null(container->started_at);
	}
	ck_assert(facts.container_list[5].known);
	ck_assert_uint_eq(facts.unseen.count, 0);
	facts_done(&facts);
}
END_TEST

START_TEST(an_id_is_no_path)
{
	char list[2 * PATH_MAX];
	char id[PATH_MAX + 1];

	tree_write("/d/config.v2.json", CONFIG);
	tree_write("/d/hostconfig.json", HOST);
	write_files("a/b", CONFIG, HOST);
	memset(id, 'a', sizeof id - 1);
	id[sizeof id - 1] = '\0';
	(void)snprintf(list, sizeof list,
		       "[{\"Id\": \"../../d\"}, {\"Id\": \"a/b\"}, {\"Id\": \"%s\"}]", id);
	read_list(list);
	ck_assert_str_eq(facts.container_list[2].id, id);
	for (size_t i = 0; i < 3; i++)
		ck_assert_msg(!facts.container_list[i].known, "id %zu", i);
	facts_done(&facts);
}
END_TEST

START_TEST(what_is_not_permitted_is_said_once)
{
	write_files(ID("a"), CONFIG, HOST);
	write_files(ID("b"), CONFIG, HOST);
	ck_assert_int_eq(chmod(tree_path("/d/containers"), 0), 0);
	ck_assert_int_eq(chmod(tree_root, 0755), 0);
	if (geteuid() == 0)
		ck_assert_int_eq(seteuid(65534), 0);
	read_list("[{\"Id\": \"" ID("a") "\", \"Names\": [\"/a\"]}, {\"Id\": \"" ID("b") "\"}]");
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(0), 0);
	ck_assert_int_eq(chmod(tree_path("/d/containers"), 0755), 0);
	ck_assert_str_eq(facts.container_list[0].name, "a");
	ck_assert(!facts.container_list[0].known);
	ck_assert(!facts.container_list[1].known);
	ck_assert_uint_eq(facts.unseen.count, 1);
	ck_assert_str_eq(
		facts.unseen.items[0],
		"What existing containers were created with cannot be seen; run as root to "
		"see it");
	facts_done(&facts);
}
END_TEST

START_TEST(without_a_list_there_is_nothing_to_do)
{
	facts = FACTS_EMPTY;
	ck_assert_int_eq(containers_read(&facts, NULL), 0);
	ck_assert_uint_eq(facts.container_count, 0);
	/* The data root is not known: the list alone still tells something. */
	tree_write("/(null)/containers/x/config.v2.json", CONFIG);
	tree_write("/(null)/containers/x/hostconfig.json", HOST);
	ck_assert_int_eq(chdir(tree_root), 0);
	facts.containers = json_loads("[{\"Id\": \"x\", \"State\": \"paused\"}]", 0, NULL);
	ck_assert_int_eq(containers_read(&facts, NULL), 0);
	ck_assert_uint_eq(facts.container_count, 1);
	ck_assert_int_eq(facts.container_list[0].state, CONTAINER_PAUSED);
	ck_assert(!facts.container_list[0].known);
	facts_done(&facts);
}
END_TEST

/* ---- the limits that only the daemon says ---- */

/* Two containers, of which the second has no limits of its own. */
static void ask_ulimits(uint64_t deadline_us)
{
	struct error error = ERROR_NONE;

	write_files(ID("a"), CONFIG, HOST);
	write_files(ID("b"), CONFIG, "{}");
	read_list("[{\"Id\": \"" ID("0") "\"}, {\"Id\": \"" ID("a") "\"}, {\"Id\": \"" ID(
		"b") "\"}]");
	facts.socket_path = strdup(fake_docker_path());
	ck_assert_int_eq(containers_ask_ulimits(&facts, deadline_us, &error), 0);
	ck_assert_uint_eq(facts.http_calls, 1);
}

static uint64_t in_a_minute(void)
{
	return clock_now_us() + 60000000;
}

START_TEST(the_first_without_limits_shows_those_of_the_daemon)
{
	static const struct fake_answer answers[] = {
		{"GET /containers/" ID("b") "/json", 200,
		 "{\"HostConfig\": {\"Ulimits\": [{\"Name\": \"nofile\", \"Soft\": 1024, \"Hard\": "
		 "2048}, "
		 "{\"Name\": \"nproc\", \"Soft\": 7, \"Hard\": 7}]}}",
		 0},
		{.request = NULL},
	};

	fake_docker_start(answers);
	ask_ulimits(in_a_minute());
	json_t *wanted =
		json_loads("{\"nofile\": {\"Name\": \"nofile\", \"Soft\": 1024, \"Hard\": 2048}, "
			   "\"nproc\": {\"Name\": \"nproc\", \"Soft\": 7, \"Hard\": 7}}",
			   0, NULL);
	ck_assert(json_equal(facts.default_ulimits, wanted));
	ck_assert_str_eq(fake_docker_log, "GET /containers/" ID("b") "/json\n");
	json_decref(wanted);
	facts_done(&facts);
}
END_TEST

START_TEST(a_daemon_without_limits_says_so)
{
	static const struct fake_answer answers[] = {
		{"GET /containers/", 200, "{\"HostConfig\": {\"Ulimits\": null}}", 0},
		{.request = NULL},
	};

	fake_docker_start(answers);
	ask_ulimits(in_a_minute());
	ck_assert(json_is_object(facts.default_ulimits));
	ck_assert_uint_eq(json_object_size(facts.default_ulimits), 0);
	facts_done(&facts);
}
END_TEST

/* What the daemon may answer instead: the limits stay unknown. */
static const struct fake_answer bad_answers[][2] = {
	{{"GET /", 404, "{\"HostConfig\": {\"Ulimits\": []}}", 0}, {.request = NULL}},
	{{"GET /", 500, "{\"message\": \"no\"}", 0}, {.request = NULL}},
	{{"GET /", 200, "{\"HostConfig\": ", 0}, {.request = NULL}},
	{{"GET /", 200, "[]", 0}, {.request = NULL}},
	{{"GET /", 200, "{}", 0}, {.request = NULL}},
	{{"GET /", 200, "{\"HostConfig\": {\"Ulimits\": [{\"Soft\": 1}]}}", 0}, {.request = NULL}},
};

START_TEST(other_answers_leave_the_limits_unknown)
{
	fake_docker_start(bad_answers[_i]);
	ask_ulimits(in_a_minute());
	ck_assert_ptr_null(facts.default_ulimits);
	facts_done(&facts);
}
END_TEST

START_TEST(no_answer_in_time_leaves_them_unknown)
{
	static const struct fake_answer answers[] = {
		{"GET /", 0, NULL, 0},
		{.request = NULL},
	};

	fake_docker_start(answers);
	ask_ulimits(clock_now_us() + 50000);
	ck_assert_ptr_null(facts.default_ulimits);
	facts_done(&facts);
}
END_TEST

START_TEST(nobody_is_asked_where_nobody_can_tell)
{
	char id[201] = "";
	char list[300];

	fake_docker_start(bad_answers[0]);
	write_files(ID("a"), CONFIG, HOST);
	/* One with its own limits, and one that is not known. */
	read_list("[{\"Id\": \"" ID("a") "\"}, {\"Id\": \"" ID("0") "\"}]");
	facts.socket_path = strdup(fake_docker_path());
	ck_assert_int_eq(containers_ask_ulimits(&facts, in_a_minute(), NULL), 0);
	ck_assert_uint_eq(facts.http_calls, 0);

	write_files(ID("a"), CONFIG, "{}");
	read_list("[{\"Id\": \"" ID("a") "\"}]");
	ck_assert_int_eq(containers_ask_ulimits(&facts, in_a_minute(), NULL), 0);
	ck_assert_uint_eq(facts.http_calls, 0);

	/* An id that fits into no request. */
	memset(id, 'a', sizeof id - 1);
	write_files(id, CONFIG, "{}");
	(void)snprintf(list, sizeof list, "[{\"Id\": \"%s\"}]", id);
	read_list(list);
	ck_assert(facts.container_list[0].known);
	facts.socket_path = strdup(fake_docker_path());
	ck_assert_int_eq(containers_ask_ulimits(&facts, in_a_minute(), NULL), 0);
	ck_assert_uint_eq(facts.http_calls, 0);
	ck_assert_str_eq(fake_docker_log, "");
	facts_done(&facts);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		the_list_and_the_files_become_facts,
		a_canary_is_nobodys,
		what_was_not_asked_for_is_not_there,
		states_are_told_apart,
		a_task_names_its_service,
		files_that_do_not_help_leave_it_unknown,
		an_id_is_no_path,
		what_is_not_permitted_is_said_once,
		without_a_list_there_is_nothing_to_do,
		the_first_without_limits_shows_those_of_the_daemon,
		a_daemon_without_limits_says_so,
		no_answer_in_time_leaves_them_unknown,
		nobody_is_asked_where_nobody_can_tell,
		NULL,
	};

	return tree_main_loop("containers_host", tests, other_answers_leave_the_limits_unknown,
			      sizeof bad_answers / sizeof *bad_answers);
}
