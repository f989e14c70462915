#include "harness.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "core/options.h"
#include "core/options_table.h"

static const struct dockerver versions[] = {
	{17, 12, 0}, {17, 12, 1}, {18, 1, 0},   {18, 2, 0}, {18, 6, 0}, {18, 9, 0},
	{19, 3, 0},  {19, 3, 3},  {20, 10, 24}, {23, 0, 0}, {24, 0, 0}, {25, 0, 0},
	{26, 0, 0},  {26, 1, 5},  {27, 0, 1},   {27, 3, 0}, {27, 5, 1}, {28, 0, 0},
	{28, 1, 0},  {28, 5, 2},  {29, 0, 0},   {29, 2, 0}, {29, 7, 2},
};

static struct dockerver version_of(const char *text)
{
	struct dockerver version;

	ck_assert(dockerver_parse(text, &version));
	return version;
}

static const char *name_of(const struct option *option)
{
	return option->key ? option->key : option->flag;
}

START_TEST(table_is_sorted_and_each_row_is_found)
{
	size_t count;
	const struct option *rows = options_table(&count);

	ck_assert_uint_eq(count, 106);
	for (size_t i = 0; i < count; i++) {
		ck_assert(rows[i].key || rows[i].flag);
		if (i)
			ck_assert_str_lt(name_of(&rows[i - 1]), name_of(&rows[i]));
		if (rows[i].key)
			ck_assert_ptr_eq(option_by_key(rows[i].key), &rows[i]);
		if (rows[i].shorthand)
			ck_assert_ptr_eq(option_by_shorthand(rows[i].shorthand), &rows[i]);
	}
	for (size_t i = 1; i < ignored_key_count; i++)
		ck_assert_str_lt(ignored_keys[i - 1].key, ignored_keys[i].key);
}
END_TEST

START_TEST(columns_agree_with_each_other)
{
	for (size_t i = 0; i < option_row_count; i++) {
		const struct option *row = &option_rows[i];
		ck_assert(dockerver_known(row->since));
		if (dockerver_known(row->removed))
			ck_assert_int_lt(dockerver_compare(row->since, row->removed), 0);
		if (dockerver_known(row->removed) && dockerver_known(row->flag_removed))
			ck_assert_int_le(dockerver_compare(row->removed, row->flag_removed), 0);
		if (dockerver_known(row->reload_until))
			ck_assert(dockerver_known(row->reload_since));
		if (dockerver_known(row->deprecated))
			ck_assert_int_ge(dockerver_compare(row->deprecated, row->since), 0);
		ck_assert_msg(!row->note || strlen(row->note) < 60, "%s", name_of(row));
	}
}
END_TEST

/* A flag belongs to one option at a time; a list flag's name is accepted in the file and ignored.
 */
START_TEST(flags_are_unambiguous)
{
	for (size_t v = 0; v < array_size(versions); v++)
		for (size_t i = 0; i < option_row_count; i++) {
			const struct option *row = &option_rows[i];
			if (!option_has_flag(row, versions[v]))
				continue;
			ck_assert_ptr_eq(option_by_flag(row->flag, strlen(row->flag), versions[v]),
					 row);
			ck_assert_msg(!row->key || strcmp(row->key, row->flag) == 0 ||
					      option_by_key(row->flag) ||
					      ignored_key_find(row->flag, versions[v]),
				      "--%s", row->flag);
		}
}
END_TEST

START_TEST(defaults_parse_and_have_the_type)
{
	const char *expected;

	for (size_t v = 0; v < array_size(versions); v++)
		for (size_t i = 0; i < option_row_count; i++) {
			json_t *value = option_default(&option_rows[i], versions[v]);
			ck_assert_msg(value, "%s", name_of(&option_rows[i]));
			ck_assert_msg(option_type_matches(&option_rows[i], value, &expected), "%s",
				      name_of(&option_rows[i]));
			json_decref(value);
		}
	for (size_t i = 0; i < dated_default_count; i++) {
		ck_assert_ptr_nonnull(option_by_key(dated_defaults[i].key));
		if (i)
			ck_assert_str_le(dated_defaults[i - 1].key, dated_defaults[i].key);
	}
}
END_TEST

struct life {
	const char *key;
	const char *version;
	bool has_key, has_flag, withdrawn, ignored;
};

static const struct life lives[] = {
	{"icc", "17.12", true, true, false, false},
	{"builder", "18.06", false, false, false, false},
	{"builder", "18.09", true, false, false, false},
	{"features", "18.09", true, false, false, false},
	{"features", "27.2", true, false, false, false},
	{"features", "27.3", true, true, false, false},
	{"containerd-namespace", "19.03.2", false, false, false, false},
	{"containerd-namespace", "19.03.3", true, true, false, false},
	{"node-generic-resources", "17.12.0", false, true, false, false},
	{"node-generic-resources", "17.12.1", true, true, false, false},
	{"node-generic-resources", "18.01", false, true, false, false},
	{"node-generic-resources", "18.02", true, true, false, false},
	{"graph", "20.10.27", true, true, false, false},
	{"graph", "23.0", false, true, true, false},
	{"graph", "24.0", false, false, false, false},
	{"cluster-store-opts", "23.0.18", false, true, true, false},
	{"cluster-store-opts", "24.0", false, false, false, false},
	{"oom-score-adjust", "24.0", true, true, false, false},
	{"oom-score-adjust", "25.0", false, true, true, false},
	{"oom-score-adjust", "26.0", false, false, false, false},
	{"api-cors-header", "27.5", true, true, false, false},
	{"api-cors-header", "28.5.2", false, true, true, false},
	{"api-cors-header", "29.0", false, false, false, false},
	{"disable-legacy-registry", "18.09", true, true, false, false},
	{"disable-legacy-registry", "19.03", false, false, false, false},
	{"allow-nondistributable-artifacts", "28.0", true, true, false, false},
	{"allow-nondistributable-artifacts", "28.1", true, true, false, true},
	{"allow-nondistributable-artifacts", "29.0", true, false, false, true},
	{"deprecated-key-path", "18.09", true, true, false, false},
	{"deprecated-key-path", "23.0", true, false, false, false},
	{"deprecated-key-path", "24.0", true, false, false, true},
	{"host-gateway-ip", "20.10", true, true, false, false},
	{"host-gateway-ip", "28.0", true, false, false, false},
	{"host-gateway-ips", "27.5", false, false, false, false},
	{"host-gateway-ips", "28.0", true, true, false, false},
	{"min-api-version", "28.5", false, false, false, false},
	{"min-api-version", "29.0", true, false, false, false},
	{"nri-opts", "29.1", false, false, false, false},
	{"nri-opts", "29.2", true, true, false, false},
};

START_TEST(options_come_and_go)
{
	const struct life *life = &lives[_i];
	const struct option *option = option_by_key(life->key);
	struct dockerver version = version_of(life->version);

	ck_assert_int_eq(option_has_key(option, version), life->has_key);
	ck_assert_int_eq(option_has_flag(option, version), life->has_flag);
	ck_assert_int_eq(option_is_withdrawn(option, version), life->withdrawn);
	ck_assert_int_eq(option_is_ignored(option, version), life->ignored);
}
END_TEST

START_TEST(lookups_know_what_is_not_there)
{
	ck_assert_ptr_null(option_by_key(""));
	ck_assert_ptr_null(option_by_key("ICC"));
	ck_assert_ptr_null(option_by_key("validate")); /* a flag without a key */
	ck_assert_ptr_null(option_by_flag("ic", 2, DOCKERVER_NEWEST));
	ck_assert_ptr_null(option_by_flag("", 0, DOCKERVER_NEWEST));
	ck_assert_str_eq(option_by_flag("icc=false", 3, DOCKERVER_NEWEST)->key, "icc");
	ck_assert_ptr_null(option_by_flag("builder", 7, DOCKERVER_NEWEST));
	ck_assert_ptr_null(option_by_shorthand('z'));
	ck_assert_ptr_null(option_by_shorthand(0));
	ck_assert_str_eq(option_by_flag("host-gateway-ip", 15, version_of("27.5"))->key,
			 "host-gateway-ip");
	ck_assert_str_eq(option_by_flag("host-gateway-ip", 15, version_of("28.0"))->key,
			 "host-gateway-ips");
	ck_assert_ptr_null(ignored_key_find("cluster-store-opt", version_of("24.0")));
	ck_assert_ptr_nonnull(ignored_key_find("cluster-store-opt", version_of("23.0.18")));
	ck_assert_ptr_null(ignored_key_find("http-proxy", version_of("20.10.24")));
	ck_assert_str_eq(ignored_key_find("http-proxy", version_of("23.0"))->use,
			 "proxies.http-proxy");
}
END_TEST

START_TEST(effects)
{
	static const struct {
		const char *key, *version;
		enum effect want;
	} rows[] = {
		{"icc", "28.5", EFFECT_CONTAINERS},
		{"mtu", "28.5", EFFECT_CONTAINERS},
		{"bip6", "28.5", EFFECT_CONTAINERS},
		{"iptables", "28.5", EFFECT_RESTART},
		{"userland-proxy", "28.5", EFFECT_RESTART},
		{"log-driver", "28.5", EFFECT_RESTART},
		{"live-restore", "17.12", EFFECT_RELOAD},
		{"debug", "29.7", EFFECT_RELOAD},
		{"features", "18.09", EFFECT_RELOAD},
		{"max-download-attempts", "20.10", EFFECT_RELOAD},
		{"default-stop-timeout", "29.7", EFFECT_RELOAD},
		{"cluster-store", "20.10.27", EFFECT_RELOAD},
		{"allow-nondistributable-artifacts", "27.5.1", EFFECT_RELOAD},
		{"allow-nondistributable-artifacts", "28.0", EFFECT_RESTART},
		{"allow-nondistributable-artifacts", "28.1", EFFECT_NONE},
		{"userns-remap", "28.5", EFFECT_DATA},
		{"storage-driver", "28.5", EFFECT_DATA},
		{"data-root", "28.5", EFFECT_DATA},
		{"graph", "18.09", EFFECT_DATA},
	};

	for (size_t i = 0; i < array_size(rows); i++)
		ck_assert_msg(option_effect(option_by_key(rows[i].key),
					    version_of(rows[i].version)) == rows[i].want,
			      "%s %s", rows[i].key, rows[i].version);
	ck_assert_int_eq(
		option_effect(option_by_flag("validate", 8, DOCKERVER_NEWEST), DOCKERVER_NEWEST),
		EFFECT_RESTART);
	ck_assert(!option_merges(option_by_key("runtimes"), version_of("18.06")));
	ck_assert(option_merges(option_by_key("runtimes"), version_of("18.09")));
	ck_assert(!option_merges(option_by_key("hosts"), DOCKERVER_NEWEST));
}
END_TEST

START_TEST(defaults_by_version)
{
	static const struct {
		const char *key, *version, *json;
	} rows[] = {
		{"icc", "17.12", "true"},
		{"userland-proxy", "29.7", "true"},
		{"log-level", "20.10", "\"info\""},
		{"log-level", "29.7", "\"info\""},
		{"ip6tables", "26.1.5", "false"},
		{"ip6tables", "27.0", "true"},
		{"mtu", "20.10", "0"},
		{"mtu", "23.0", "1500"},
		{"default-ipc-mode", "18.09.9", "\"shareable\""},
		{"default-ipc-mode", "19.03", "\"private\""},
		{"seccomp-profile", "20.10", "\"\""},
		{"seccomp-profile", "23.0", "\"builtin\""},
		{"oom-score-adjust", "19.03.15", "-500"},
		{"oom-score-adjust", "20.10", "0"},
		{"min-api-version", "29.2.1", "\"1.44\""},
		{"min-api-version", "29.3", "\"1.40\""},
		{"default-gateway", "29.7", "null"},
		{"live-restore", "29.7", "false"},
		{"default-ulimits", "20.10", "{}"},
		{"log-driver", "20.10", "\"json-file\""},
	};

	for (size_t i = 0; i < array_size(rows); i++) {
		json_t *want = json_loads(rows[i].json, JSON_DECODE_ANY, NULL);
		json_t *got =
			option_default(option_by_key(rows[i].key), version_of(rows[i].version));
		ck_assert_msg(json_equal(want, got), "%s %s", rows[i].key, rows[i].version);
		json_decref(want);
		json_decref(got);
	}
}
END_TEST

START_TEST(types)
{
	static const struct {
		const char *key, *json;
		bool want;
	} rows[] = {
		{"icc", "true", true},
		{"icc", "null", true},
		{"icc", "\"true\"", false},
		{"icc", "1", false},
		{"icc", "{}", false},
		{"mtu", "1500", true},
		{"mtu", "1500.0", false},
		{"mtu", "1e3", false},
		{"mtu", "\"1500\"", false},
		{"log-level", "\"x\"", true},
		{"log-level", "5", false},
		{"hosts", "[]", true},
		{"hosts", "[null, \"x\"]", true},
		{"hosts", "[1]", false},
		{"hosts", "\"x\"", false},
		{"hosts", "{}", false},
		{"log-opts", "{\"max-file\": \"3\"}", true},
		{"log-opts", "{\"max-file\": 3}", false},
		{"log-opts", "[]", false},
		{"default-network-opts", "{\"bridge\": {\"a\": \"b\"}}", true},
		{"default-network-opts", "{\"bridge\": \"b\"}", false},
		{"default-network-opts", "{\"bridge\": {\"a\": 1}}", false},
		{"features", "{\"cdi\": true}", true},
		{"features", "{\"cdi\": \"true\"}", false},
		{"default-ulimits", "{\"n\": {\"Name\": \"n\", \"Hard\": 1, \"Soft\": 1}}", true},
		{"default-ulimits", "{\"n\": {\"name\": \"n\", \"HARD\": 1}}", true},
		{"default-ulimits", "{\"n\": {\"name\": 1}}", false},
		{"default-ulimits", "{\"n\": {\"HARD\": \"1\"}}", false},
		{"default-ulimits", "{\"n\": \"1:1\"}", false},
		{"default-ulimits", "{\"n\": {\"other\": []}}", true},
		{"runtimes", "{\"x\": {\"path\": \"y\", \"runtimeArgs\": [\"a\"]}}", true},
		{"runtimes", "{\"x\": {\"PATH\": 1}}", false},
		{"runtimes", "{\"x\": {\"runtimeArgs\": \"a\"}}", false},
		{"runtimes", "{\"x\": \"y\"}", false},
		{"default-address-pools", "[{\"base\": \"10.0.0.0/8\", \"size\": 24}]", true},
		{"default-address-pools", "[{\"size\": \"24\"}]", false},
		{"default-address-pools", "[\"10.0.0.0/8\"]", false},
		{"builder", "{\"gc\": {\"enabled\": true}}", true},
		{"builder", "[]", false},
		{"nri-opts", "{\"enable\": true}", true},
		{"default-shm-size", "\"64M\"", true},
		{"default-shm-size", "67108864", false},
	};

	for (size_t i = 0; i < array_size(rows); i++) {
		json_t *value = json_loads(rows[i].json, JSON_DECODE_ANY, NULL);
		const char *expected = NULL;
		ck_assert_msg(option_type_matches(option_by_key(rows[i].key), value, &expected) ==
				      rows[i].want,
			      "%s %s", rows[i].key, rows[i].json);
		ck_assert(expected && *expected);
		json_decref(value);
	}
}
END_TEST

START_TEST(suggestions)
{
	static const struct {
		const char *key, *version, *want;
	} rows[] = {
		{"iccc", "28.5", "icc"},
		{"ICC", "28.5", "icc"},
		{"live_restore", "28.5", "live-restore"},
		{"log-driver-", "28.5", "log-driver"},
		{"log_opt", "28.5", "log-opts"},
		{"logopts", "28.5", "log-opts"},
		{"no-new-privilege", "28.5", "no-new-privileges"},
		{"storage-drivers", "28.5", "storage-driver"},
		{"default_ulimit", "28.5", "default-ulimits"},
		{"nri-opt", "29.2", "nri-opts"},
		{"nri-opt", "28.5", NULL},
		{"abc", "28.5", NULL},
		{"", "28.5", NULL},
		{"completely-different", "28.5", NULL},
	};

	for (size_t i = 0; i < array_size(rows); i++) {
		const char *got = option_suggest(rows[i].key, version_of(rows[i].version));
		ck_assert_msg(text_equal(got, rows[i].want), "%s: %s", rows[i].key,
			      got ? got : "nothing");
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("options");
	TCase *tests = tcase_create("all");

	tcase_add_test(tests, table_is_sorted_and_each_row_is_found);
	tcase_add_test(tests, columns_agree_with_each_other);
	tcase_add_test(tests, flags_are_unambiguous);
	tcase_add_test(tests, defaults_parse_and_have_the_type);
	tcase_add_loop_test(tests, options_come_and_go, 0, (int)array_size(lives));
	tcase_add_test(tests, lookups_know_what_is_not_there);
	tcase_add_test(tests, effects);
	tcase_add_test(tests, defaults_by_version);
	tcase_add_test(tests, types);
	tcase_add_test(tests, suggestions);
	suite_add_tcase(suite, tests);

	return test_run(suite);
}
