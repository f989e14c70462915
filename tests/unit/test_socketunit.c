/* docker.socket: what its files say, and what is made of it. */
#include "harness.h"

#include "core/builtin.h"
#include "core/plan.h"
#include "core/socketunit.h"

static struct socket_unit parse(const char *const *contents)
{
	struct unit_text texts[4];
	struct socket_unit unit = {.mode = 0};
	size_t count = 0;

	for (; contents[count]; count++)
		texts[count] = (struct unit_text){"x", contents[count], strlen(contents[count])};
	ck_assert_int_eq(socket_unit_parse(texts, count, &unit), 0);
	return unit;
}

START_TEST(settings)
{
	static const struct {
		const char *texts[4];
		mode_t mode;
		const char *user, *group;
		size_t streams;
	} rows[] = {
		{{"[Socket]\nListenStream=/run/docker.sock\nSocketMode=0660\nSocketUser=root\n"
		  "SocketGroup=docker"},
		 0660,
		 "root",
		 "docker",
		 1},
		{{""}, 0666, NULL, NULL, 0},
		{{"[Unit]\nSocketMode=0600\n[Socket]\n  SocketMode = 600 \r\n# SocketMode=1\n"
		  ";SocketMode=2\n[Install]\nSocketMode=3\n"},
		 0600,
		 NULL,
		 NULL,
		 0},
		/* The last one counts, and an empty one takes back. */
		{{"[Socket]\nListenStream=/a\nSocketGroup=docker\nSocketMode=0660\n",
		  "[Socket]\nSocketMode=0666\nSocketGroup=adm\nListenStream=\nListenStream=/b\n",
		  "[Socket]\nSocketGroup=\nListenStream=0.0.0.0:2375\n"},
		 0666,
		 NULL,
		 NULL,
		 1},
		/* systemd warns, and goes on with what it had. */
		{{"[Socket]\nSocketMode=0640\nSocketMode=open\nSocketMode=99\nSocketMode\n"},
		 0640,
		 NULL,
		 NULL,
		 0},
		{{"SocketMode=0600\n"}, 0666, NULL, NULL, 0},
	};

	for (size_t i = 0; i < array_size(rows); i++) {
		struct socket_unit unit = parse(rows[i].texts);
		ck_assert_msg(unit.mode == rows[i].mode, "%zu: %o", i, unit.mode);
		ck_assert_pstr_eq(unit.user, rows[i].user);
		ck_assert_pstr_eq(unit.group, rows[i].group);
		ck_assert_uint_eq(unit.streams.count, rows[i].streams);
		socket_unit_done(&unit);
	}
}
END_TEST

START_TEST(paths)
{
	ck_assert(socket_paths_equal("/run/docker.sock", "/var/run/docker.sock"));
	ck_assert(socket_paths_equal("/var/run/docker.sock", "/var/run/docker.sock"));
	ck_assert(!socket_paths_equal("/run/docker.sock", "/run/other.sock"));
	ck_assert(!socket_paths_equal("/var/running", "/running"));
}
END_TEST

/* ---- judging ---- */

static const struct host {
	const char *owner; /* of the socket that is there; NULL: there is none */
	mode_t mode;
	enum tristate opens;
	const char *user, *group;
	mode_t unit_mode;
	int64_t gid;
	const char *dropin; /* harden's own as it is; NULL: none */
	enum setting_state state;
	const char *reason;
	size_t modes, dropins; /* files in the plan */
} hosts[] = {
	{"root:docker", 0660, UNKNOWN, "", "", 0, -1, NULL, SETTING_OK, NULL, 0, 0},
	{"root:docker", 0600, YES, "root", "docker", 0660, 5, NULL, SETTING_OK, NULL, 0, 0},
	{NULL, 0, YES, "root", "docker", 0660, 5, NULL, SETTING_OK, NULL, 0, 0},
	{NULL, 0, UNKNOWN, "", "", 0, -1, NULL, SETTING_OK, NULL, 0, 0},
	{"root:docker", 0666, UNKNOWN, "", "", 0, -1, NULL, SETTING_MANUAL, "Who opens it", 0, 0},
	{"root:adm", 0660, NO, "", "", 0, 5, NULL, SETTING_MANUAL, "dockerd opens", 0, 0},
	{"root:docker", 0666, YES, "root", "docker", 0660, 5, NULL, SETTING_CHANGE,
	 "changed it since", 1, 0},
	{"root:adm", 0666, YES, "root", "adm", 0666, 5, NULL, SETTING_CHANGE, "drop-in", 1, 1},
	{NULL, 0, YES, "root", "root", 0666, 5, NULL, SETTING_CHANGE, "drop-in", 0, 1},
	{NULL, 0, YES, "root", "docker", 0660 | 01, 5, "[Socket]\nX=1", SETTING_CHANGE, "drop-in",
	 0, 1},
	{"root:adm", 0666, YES, "root", "adm", 0666, -1, NULL, SETTING_BLOCKED, "groupadd", 0, 0},
};

static void load(const struct host *host, struct facts *facts)
{
	struct socket_unit_facts *unit = &facts->socket_unit;

	*facts = FACTS_EMPTY;
	facts->daemon = DAEMON_STOPPED;
	facts->config.path = strdup("/etc/docker/daemon.json");
	facts->config.real_path = strdup("/etc/docker/daemon.json");
	facts->files = calloc(1, sizeof *facts->files);
	facts->file_count = 1;
	facts->files[0] = (struct file_facts){.role = ROLE_DOCKER_SOCK,
					      .path = strdup("/run/docker.sock"),
					      .exists = host->owner ? YES : NO,
					      .mode = host->mode,
					      .owner = strdup(host->owner ? host->owner : "")};
	unit->opens = host->opens;
	unit->name = strdup("docker.socket");
	unit->user = strdup(host->user);
	unit->group = strdup(host->group);
	unit->mode = host->unit_mode;
	unit->wanted_gid = host->gid;
	unit->dropin.path = strdup("/etc/systemd/system/docker.socket.d/zz-harden.conf");
	if (host->dropin) {
		unit->dropin.state = FILE_READ;
		unit->dropin.data = strdup(host->dropin);
		unit->dropin.length = strlen(host->dropin);
	}
}

static void check_files(const struct host *host, const struct plan *plan)
{
	size_t modes = 0;
	size_t dropins = 0;

	for (size_t i = 0; i < plan->file_count; i++) {
		const struct planned_file *file = &plan->files[i];
		if (file->action == FILE_MODE) {
			modes++;
			ck_assert_uint_eq(file->mode, 0660);
			ck_assert_uint_eq(file->gid, 5);
			continue;
		}
		dropins++;
		ck_assert_ptr_nonnull(
			strstr(file->after,
			       "[Socket]\nSocketMode=0660\nSocketUser=root\nSocketGroup=docker\n"));
		ck_assert_ptr_null(strchr(file->after, '@'));
		if (host->dropin)
			ck_assert_int_eq(strncmp(file->after, host->dropin, strlen(host->dropin)),
					 0);
	}
	ck_assert_uint_eq(modes, host->modes);
	ck_assert_uint_eq(dropins, host->dropins);
}

START_TEST(plans)
{
	const struct host *host = &hosts[_i];
	const char *text = builtin_profile_find("hardened")->text;
	cleanup_facts struct facts facts = FACTS_EMPTY;
	cleanup_profile struct profile profile = {.name = NULL};
	cleanup_plan struct plan plan = {.settings = NULL};
	struct plan_options options = {.wants = NULL};
	struct error error = ERROR_NONE;

	load(host, &facts);
	ck_assert_int_eq(strlist_add(&options.only, "file.docker.sock"), 0);
	ck_assert_int_eq(
		profile_parse(text, strlen(text), "hardened", NULL, NULL, &profile, &error), 0);
	ck_assert_int_eq(plan_build(&facts, &profile, &options, &plan, &error), 0);
	strlist_done(&options.only);
	for (size_t i = 0; i < plan.setting_count; i++) {
		const struct setting *setting = &plan.settings[i];
		if (strcmp(setting->row->key, "file.docker.sock") != 0)
			continue;
		ck_assert_msg(setting->state == host->state, "%s: %s",
			      setting_state_name(setting->state), setting->reason);
		if (host->reason)
			ck_assert_msg(strstr(setting->reason, host->reason) != NULL, "%s",
				      setting->reason);
	}
	check_files(host, &plan);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {settings, paths, NULL};

	return test_main_loop("socketunit", tests, plans, (int)array_size(hosts));
}
