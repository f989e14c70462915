/* The profile reader: the built-in ones are sound, and every mistake is named with its place. */
#include "harness.h"

#include "core/builtin.h"
#include "core/options.h"
#include "core/profile.h"

static int load(const char *name, void *context, char **ret_text, size_t *ret_length,
		char **ret_path, struct error *error)
{
	const struct builtin_profile *builtin = builtin_profile_find(name);
	const char *loop = "{\"schema\": 1, \"name\": \"loop\", \"extends\": \"loop\"}";
	const char *text = strcmp(name, "loop") == 0 ? loop : builtin ? builtin->text : NULL;

	(void)context;
	if (!text)
		return error_set(error, -2, "read profile", name, "no such profile");
	*ret_text = strdup(text);
	*ret_length = strlen(text);
	*ret_path = strdup(name);
	return 0;
}

static int parse(const char *text, struct profile *ret, struct error *error)
{
	return profile_parse(text, strlen(text), "p.json", load, NULL, ret, error);
}

START_TEST(test_builtin)
{
	static const char *const level2[] = {"userns-remap",          "log-driver",
					     "authorization-plugins", "cgroup-parent",
					     "seccomp-profile",       "storage-opts"};
	cleanup_profile struct profile hardened = {.name = NULL};
	cleanup_profile struct profile level1 = {.name = NULL};
	struct error error = ERROR_NONE;

	ck_assert_msg(parse(builtin_profile_find("hardened")->text, &hardened, &error) == 0,
		      "%u: %s", error.line, error.text);
	ck_assert_msg(parse(builtin_profile_find("level1")->text, &level1, &error) == 0, "%s",
		      error.text);
	for (size_t i = 0; i < array_size(level2); i++) {
		ck_assert_ptr_nonnull(profile_find(&hardened, level2[i]));
		ck_assert_ptr_null(profile_find(&level1, level2[i]));
	}
	for (size_t i = 0; i < hardened.row_count; i++) {
		const struct profile_row *row = &hardened.rows[i];
		bool in_level1 = profile_find(&level1, row->key) != NULL;
		ck_assert_msg(in_level1 == (row->level != 2), "%s is of level %d", row->key,
			      row->level);
		if (row->rule != RULE_FILE)
			ck_assert_msg(option_by_key(row->key) != NULL, "dockerd has no %s",
				      row->key);
	}
	ck_assert_str_eq(profile_row_cis(profile_find(&hardened, "icc"), "1.1"), "2.1");
	ck_assert_str_eq(profile_row_cis(profile_find(&hardened, "icc"), "1.7"), "2.2");
	ck_assert_str_eq(profile_row_cis(profile_find(&hardened, "userns-remap"), "1.8"), "2.10");
	ck_assert_ptr_null(
		profile_row_cis(profile_find(&hardened, "disable-legacy-registry"), "1.6"));
}
END_TEST

START_TEST(test_extends)
{
	const char *text = "{\"extends\": \"hardened\", \"schema\": 1, \"name\": \"site\",\n"
			   " \"settings\": [{\"key\": \"log-driver\", \"wanted\": \"journald\"},\n"
			   "  {\"key\": \"mtu\", \"title\": \"t\", \"why\": \"w\", \"cis\": {},\n"
			   "   \"rule\": \"value\", \"wanted\": 1400}],\n"
			   " \"omit\": [\"icc\"],\n"
			   " \"skip\": [{\"key\": \"hosts\", \"reason\": \"r\"}]}";
	cleanup_profile struct profile profile = {.name = NULL};
	struct error error = ERROR_NONE;

	ck_assert_msg(parse(text, &profile, &error) == 0, "%u:%u %s", error.line, error.column,
		      error.text);
	ck_assert_str_eq(profile.name, "site");
	ck_assert_str_eq(json_string_value(profile_find(&profile, "log-driver")->wanted),
			 "journald");
	/* What the row does not name stays as it was. */
	ck_assert_str_eq(profile_row_cis(profile_find(&profile, "log-driver"), "1.6"), "2.13");
	ck_assert_ptr_nonnull(profile_find(&profile, "mtu"));
	ck_assert_ptr_null(profile_find(&profile, "icc"));
	ck_assert_uint_eq(profile.skip_count, 1);
}
END_TEST

/* Every mistake: the profile, where it is noticed, and a part of what is said. */
START_TEST(test_mistakes)
{
#define ROW_TAIL "\"title\":\"t\",\"why\":\"w\",\"cis\":{}"
	static const struct {
		const char *text;
		unsigned line;
		unsigned column;
		const char *says;
	} cases[] = {
		{"", 1, 1, "empty"},
		{"[]", 1, 1, "an object"},
		{"{\"schema\": 1,}", 1, 13, "comma"},
		{"{\n \"name\": \"x\", \"settings\": []}", 1, 1, "\"schema\""},
		{"{\"schema\": 2}", 1, 12, "schema"},
		{"{\"schema\": 1, \"settings\": []}", 1, 1, "\"name\""},
		{"{\"schema\": 1, \"name\": \"x\"}", 1, 1, "\"settings\""},
		{"{\"schema\": 1, \"name\": 3}", 1, 23, "a string"},
		{"{\"schema\": 1, \"name\": \"\"}", 1, 23, "not empty"},
		{"{\"schema\": 1, \"nome\": \"x\"}", 1, 15, "did you mean \"name\""},
		{"{\"schema\": 1, \"name\": \"x\", \"name\": \"y\"}", 1, 28, "given twice"},
		{"{\"schema\": 1, \"name\": \"x\", \"settings\": {}}", 1, 40, "an array"},
		{"{\"schema\": 1, \"name\": \"x\", \"settings\": [\n  3]}", 2, 3, "an object"},
		{"{\"schema\": 1, \"name\": \"x\", \"settings\": [\n  {}]}", 2, 3, "\"key\""},
		{"{\"schema\":1,\"name\":\"x\",\"settings\":[\n{\"key\":\"a\"}]}", 2, 1,
		 "\"title\""},
		{"{\"schema\":1,\"name\":\"x\",\"settings\":[\n{\"key\":\"a\"," ROW_TAIL "}]}", 2,
		 1, "\"wanted\""},
		{"{\"schema\":1,\"name\":\"x\",\"settings\":[\n{\"key\":\"a\",\"rule\":\"valu\"}]}",
		 2, 19, "\"value\""},
		{"{\"schema\":1,\"name\":\"x\",\"settings\":[\n{\"key\":\"a\",\"level\":3}]}", 2,
		 20, "CIS level"},
		{"{\"schema\":1,\"name\":\"x\",\"settings\":[\n{\"key\":\"a\",\"cis\":{\"9\":\"1\"}"
		 "}]}",
		 2, 19, "\"1.6\""},
		{"{\"schema\":1,\"name\":\"x\",\"settings\":[\n{\"key\":\"a\",\"cis\":{\"1.6\":2.1}"
		 "}]}",
		 2, 25, "as a string"},
		{"{\"schema\":1,\"name\":\"x\",\"settings\":[\n{\"key\":\"a\",\"needs\":[\"x\"]}]}",
		 2, 21, "br_netfilter"},
		{"{\"schema\":1,\"name\":\"x\",\"settings\":[\n{\"key\":\"a\",\"complies\":\"any\"}"
		 "]}",
		 2, 23, "non-empty"},
		{"{\"schema\":1,\"name\":\"x\",\"settings\":[\n{\"key\":\"a\",\"mode\":\"9\"}]}", 2,
		 19, "octal"},
		{"{\"schema\":1,\"name\":\"x\",\"settings\":[\n{\"key\":\"a\",\"owner\":\"root\"}]"
		 "}",
		 2, 20, "user:group"},
		{"{\"schema\":1,\"name\":\"x\",\"settings\":[{\"key\":\"a\",\"wanted\":1," ROW_TAIL
		 "},\n{\"key\":\"a\"}]}",
		 2, 1, "two rows"},
		{"{\"schema\":1,\"name\":\"x\",\"settings\":[{\"key\":\"a\",\"wanted\":1,"
		 "\"otherwise\":\"hold\"," ROW_TAIL "}]}",
		 1, 36, "consequence"},
		{"{\"schema\":1,\"name\":\"x\",\"extends\":\"hardened\",\"omit\":[\n\"iccc\"]}", 2,
		 1, "no setting \"iccc\""},
		{"{\"schema\":1,\"name\":\"x\",\"extends\":\"hardened\",\"skip\":[\n{\"key\":"
		 "\"icc\"}]}",
		 2, 1, "\"reason\""},
		{"{\"schema\":1,\"name\":\"x\",\"extends\":\"hardened\",\"skip\":[\n"
		 "{\"key\":\"icc\",\"reason\":\"r\",\"until\":\"2027-02-29\"}]}",
		 2, 35, "a date"},
		{"{\"schema\":1,\"name\":\"x\",\"extends\":\"hardened\",\"skip\":[\n"
		 "{\"key\":\"nope\",\"reason\":\"r\"}]}",
		 2, 1, "\"nope\""},
		{"{\"schema\":1,\"name\":\"x\",\"extends\":\"nowhere\"}", 0, 0, "no such profile"},
		{"{\"schema\":1,\"name\":\"x\",\"extends\":\"loop\"}", 0, 0, "loop"},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		cleanup_profile struct profile profile = {.name = NULL};
		struct error error = ERROR_NONE;
		ck_assert_msg(parse(cases[i].text, &profile, &error) < 0, "accepted: %s",
			      cases[i].text);
		ck_assert_msg(strstr(error.text, cases[i].says) != NULL, "%s\nsays: %s",
			      cases[i].text, error.text);
		ck_assert_msg(error.line == cases[i].line && error.column == cases[i].column,
			      "%s\nis noticed at %u:%u: %s", cases[i].text, error.line,
			      error.column, error.text);
	}
}
END_TEST

START_TEST(test_dates)
{
	static const char *const good[] = {"2027-01-31", "2028-02-29", "2000-02-29", "1999-12-31"};
	static const char *const bad[] = {"2027-02-29",  "1900-02-29", "2027-13-01", "2027-00-10",
					  "2027-1-1",    "27-01-01",   "2027/01/01", "2027-01-32",
					  "2027-01-011", "",           "2027-01-3x", "-027-01-31"};

	for (size_t i = 0; i < array_size(good); i++)
		ck_assert_msg(profile_date_is_valid(good[i]), "%s", good[i]);
	for (size_t i = 0; i < array_size(bad); i++)
		ck_assert_msg(!profile_date_is_valid(bad[i]), "%s", bad[i]);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {test_builtin, test_extends, test_mistakes, test_dates, NULL};

	return test_main("profile", tests);
}
