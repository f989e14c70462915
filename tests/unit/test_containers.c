/* Containers, as core knows them. */
#include "harness.h"

#include "core/containers.h"

/* ---- when they were started ---- */

#define DAY "2026-11-25T"

static const struct {
	const char *a;
	const char *b;
	int order; /* -1, 0 or 1 */
} moments[] = {
	{NULL, NULL, 0},
	{NULL, DAY "11:09:25Z", -1},
	{DAY "11:09:25.064353187Z", DAY "11:09:25.064353187Z", 0},
	{DAY "11:09:24.9Z", DAY "11:09:25.1Z", -1},
	{"2025-12-31T23:59:59.999999999Z", "2026-01-01T00:00:00Z", -1},
	/* Zeros at the end of the fraction are left out, and with all of them the point. */
	{DAY "11:09:25.1Z", DAY "11:09:25.100000000Z", 0},
	{DAY "11:09:25Z", DAY "11:09:25.000000000Z", 0},
	{DAY "11:09:25Z", DAY "11:09:25.000000001Z", -1},
	{DAY "11:09:25.1Z", DAY "11:09:25.100000001Z", -1},
	{DAY "11:09:25.09Z", DAY "11:09:25.1Z", -1},
	{DAY "11:09:25.999999999Z", DAY "11:09:25.9Z", 1},
	{DAY "11:09:25.12Z", DAY "11:09:25.1112Z", 1},
	/* What is cut off is compared as far as it goes. */
	{"2026", DAY "11:09:25Z", -1},
	{"", "", 0},
	{"2026-11\0-----------.1", "2026-11\0-----------.2", 0},
};

static int sign(int value)
{
	return (value > 0) - (value < 0);
}

START_TEST(starts_are_in_order)
{
	for (size_t i = 0; i < array_size(moments); i++) {
		int order = container_start_compare(moments[i].a, moments[i].b);
		int back = container_start_compare(moments[i].b, moments[i].a);

		ck_assert_msg(sign(order) == moments[i].order, "case %zu: %d", i, order);
		ck_assert_msg(sign(back) == -moments[i].order, "case %zu, back: %d", i, back);
	}
}
END_TEST

/* ---- those that are up ---- */

static struct container_facts container(const char *name, enum container_state state,
					const char *started_at)
{
	return (struct container_facts){
		.name = (char *)name,
		.state = state,
		.started_at = (char *)started_at,
	};
}

START_TEST(those_that_are_up_are_in_the_order_of_their_start)
{
	struct container_facts list[] = {
		container("third", CONTAINER_RUNNING, DAY "11:09:25.1Z"),
		container("down", CONTAINER_DOWN, DAY "11:09:20Z"),
		container("second", CONTAINER_PAUSED, DAY "11:09:25.09Z"),
		container("task", CONTAINER_RUNNING, DAY "11:09:21Z"),
		container("first", CONTAINER_RESTARTING, DAY "11:09:25Z"),
		/* Of the same moment, or of none that is known: by name. */
		container("d", CONTAINER_RUNNING, DAY "11:10:00Z"),
		container("c", CONTAINER_RUNNING, DAY "11:10:00Z"),
		container("b", CONTAINER_RUNNING, NULL),
		container("a", CONTAINER_RUNNING, NULL),
	};
	static const char *const wanted[] = {"a", "b", "first", "second", "third", "c", "d"};
	struct facts facts = FACTS_EMPTY;
	cleanup_container_refs struct container_refs refs = {.items = NULL};

	list[3].service = (char[]){"web"};
	facts.container_list = list;
	facts.container_count = array_size(list);
	ck_assert_int_eq(containers_up(&facts, &refs, NULL), 0);
	ck_assert_uint_eq(refs.count, array_size(wanted));
	for (size_t i = 0; i < refs.count; i++)
		ck_assert_str_eq(refs.items[i]->name, wanted[i]);
}
END_TEST

START_TEST(none_is_up_where_there_is_none)
{
	struct facts facts = FACTS_EMPTY;
	cleanup_container_refs struct container_refs refs = {.items = NULL};

	ck_assert_int_eq(containers_up(&facts, &refs, NULL), 0);
	ck_assert_uint_eq(refs.count, 0);
}
END_TEST

/* ---- how they are named ---- */

START_TEST(many_names_are_cut)
{
	static const struct {
		size_t count;
		const char *text;
	} cases[] = {
		{0, ""},
		{1, "c0"},
		{2, "c0, c1"},
		{8, "c0, c1, c2, c3, c4, c5, c6, c7"},
		/* "and 1 more" is no shorter than the name. */
		{9, "c0, c1, c2, c3, c4, c5, c6, c7, c8"},
		{10, "c0, c1, c2, c3, c4, c5, c6, c7 and 2 more"},
		{100, "c0, c1, c2, c3, c4, c5, c6, c7 and 92 more"},
	};
	static char names[100][8];
	static struct container_facts list[100];
	static const struct container_facts *items[100];

	for (size_t i = 0; i < array_size(list); i++) {
		(void)snprintf(names[i], sizeof names[i], "c%zu", i);
		list[i].name = names[i];
		items[i] = &list[i];
	}
	for (size_t i = 0; i < array_size(cases); i++) {
		const struct container_refs refs = {items, cases[i].count};
		char *text = container_names_text(&refs);

		ck_assert_str_eq(text, cases[i].text);
		free(text);
	}
}
END_TEST

/* ---- what a restart does to them ---- */

START_TEST(some_versions_remove_those_with_rm)
{
	static const struct {
		struct dockerver version;
		bool removed;
	} cases[] = {
		{{17, 12, 0}, false}, {{19, 3, 15}, false}, {{20, 10, 0}, true},
		{{20, 10, 24}, true}, {{23, 0, 6}, true},   {{24, 0, 7}, true},
		{{24, 0, 8}, false},  {{25, 0, 0}, false},  {{29, 7, 2}, false},
		{{0, 0, 0}, false},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		struct container_facts up = container("up", CONTAINER_RUNNING, NULL);
		struct container_facts down = container("down", CONTAINER_DOWN, NULL);

		ck_assert(!container_is_removed_by_restart(&up, cases[i].version));
		up.auto_remove = down.auto_remove = true;
		ck_assert_msg(container_is_removed_by_restart(&up, cases[i].version) ==
				      cases[i].removed,
			      "case %zu", i);
		up.state = CONTAINER_PAUSED;
		ck_assert_int_eq(container_is_removed_by_restart(&up, cases[i].version),
				 cases[i].removed);
		ck_assert(!container_is_removed_by_restart(&down, cases[i].version));
	}
}
END_TEST

/* ---- what they were created with ---- */

START_TEST(some_settings_are_copied)
{
	static const struct {
		const char *key;
		bool copied;
	} cases[] = {
		{"log-driver", true},      {"log-opts", true},
		{"log-opts.tag", true},    {"no-new-privileges", true},
		{"log-level", false},      {"log-optsx", false},
		{"log-driver.x", false},   {"default-ulimits", false},
		{"userland-proxy", false}, {"", false},
	};

	for (size_t i = 0; i < array_size(cases); i++)
		ck_assert_msg(container_copies(cases[i].key) == cases[i].copied, "%s",
			      cases[i].key);
}
END_TEST

#define SYSLOG "{\"Type\": \"syslog\", \"Config\": {\"tag\": \"x\", \"mode\": \"non-blocking\"}}"
#define PLAIN "{\"Type\": \"json-file\", \"Config\": {}}"

static const struct {
	const char *log; /* NULL: not known */
	const char *key;
	const char *wanted;
	const char *complies; /* a list, "non-empty", or NULL */
	bool no_new_privileges;
	bool covers;
} covers[] = {
	{PLAIN, "no-new-privileges", "true", NULL, true, true},
	{PLAIN, "no-new-privileges", "true", NULL, false, false},
	{PLAIN, "no-new-privileges", "false", NULL, false, true},
	{PLAIN, "no-new-privileges", "false", NULL, true, false},
	{SYSLOG, "log-driver", "\"syslog\"", NULL, false, true},
	{SYSLOG, "log-driver", "\"journald\"", NULL, false, false},
	{SYSLOG, "log-driver", "\"journald\"", "[\"gelf\", \"syslog\"]", false, true},
	{NULL, "log-driver", "\"syslog\"", NULL, false, false},
	{"{}", "log-driver", "\"\"", NULL, false, false},
	{"{}", "log-driver", "\"syslog\"", "\"non-empty\"", false, false},
	{SYSLOG, "log-driver", "\"gelf\"", "\"non-empty\"", false, true},
	{SYSLOG, "log-opts.tag", "\"x\"", NULL, false, true},
	{SYSLOG, "log-opts.tag", "\"y\"", NULL, false, false},
	{SYSLOG, "log-opts.labels", "\"x\"", NULL, false, false},
	{PLAIN, "log-opts.tag", "\"x\"", NULL, false, false},
	{NULL, "log-opts.tag", "\"x\"", NULL, false, false},
	{SYSLOG, "log-opts", "{\"mode\": \"non-blocking\", \"tag\": \"x\"}", NULL, false, true},
	{SYSLOG, "log-opts", "{\"tag\": \"x\"}", NULL, false, false},
	{PLAIN, "log-opts", "{}", NULL, false, true},
	{NULL, "log-opts", "{}", NULL, false, false},
};

static json_t *json(const char *text)
{
	json_t *value = text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;

	ck_assert_msg(value != NULL || !text, "bad JSON in the test: %s", text);
	return value;
}

START_TEST(what_a_container_was_created_with_complies)
{
	struct container_facts web = container("web", CONTAINER_RUNNING, NULL);
	json_t *complies = json(covers[_i].complies);
	const struct profile_row row = {
		.key = (char *)covers[_i].key,
		.wanted = json(covers[_i].wanted),
		.complies = json_is_array(complies) ? complies : NULL,
		.non_empty_complies = json_is_string(complies),
	};

	web.known = true;
	web.no_new_privileges = covers[_i].no_new_privileges;
	web.log = json(covers[_i].log);
	ck_assert_int_eq(container_covers(&web, &row, row.wanted), covers[_i].covers);
	/* Its files could not be read. */
	web.known = false;
	ck_assert(!container_covers(&web, &row, row.wanted));
	json_decref(web.log);
	json_decref(row.wanted);
	json_decref(complies);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		starts_are_in_order,
		those_that_are_up_are_in_the_order_of_their_start,
		none_is_up_where_there_is_none,
		many_names_are_cut,
		some_versions_remove_those_with_rm,
		some_settings_are_copied,
		NULL,
	};

	return test_main_loop("containers", tests, what_a_container_was_created_with_complies,
			      array_size(covers));
}
