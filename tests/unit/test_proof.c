/* What a daemon reports, against what it should. */
#include "harness.h"

#include "core/live.h"
#include "core/proof.h"

static json_t *json(const char *text)
{
	json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);

	ck_assert_msg(value != NULL, "bad JSON in the test: %s", text);
	return value;
}

static struct facts daemon_facts(const char *info, const char *bridge, int64_t running)
{
	struct facts facts = FACTS_EMPTY;

	facts.daemon = DAEMON_RUNNING;
	facts.version = (struct dockerver){26, 1, 5};
	facts.info = json(info);
	facts.bridge = json(bridge);
	facts.data_root.containers_running = running;
	return facts;
}

#define BRIDGE(icc) "{\"Options\": {\"com.docker.network.bridge.enable_icc\": \"" icc "\"}}"
#define SECURITY "\"SecurityOptions\": [\"name=seccomp,profile=builtin\", \"name=userns\"]"
#define REMAPPED "{\"DockerRootDir\": \"/var/lib/docker/100000.100000\", " SECURITY "}"

#define LIMITS(key, soft) "{\"" key "\": {\"Name\": \"nofile\", \"Soft\": " soft ", \"Hard\": 9}}"

static const struct {
	const char *info;
	const char *bridge;
	const char *key;
	const char *wanted; /* NULL: not known */
	enum effect effect;
	int64_t running;
	enum proof proof;
} cases[] = {
	{"{\"LoggingDriver\": \"syslog\"}", "{}", "log-driver", "\"syslog\"", EFFECT_RESTART, 0,
	 PROOF_GOOD},
	{"{\"LoggingDriver\": \"json-file\"}", "{}", "log-driver", "\"syslog\"", EFFECT_RESTART, 0,
	 PROOF_BAD},
	{"{\"LoggingDriver\": \"json-file\"}", "{}", "log-driver", "\"syslog\"", EFFECT_RESTART, 3,
	 PROOF_BAD},
	/* Network settings wait for a start without containers. */
	{"{}", BRIDGE("true"), "icc", "false", EFFECT_CONTAINERS, 1, PROOF_PENDING},
	{"{}", BRIDGE("true"), "icc", "false", EFFECT_CONTAINERS, -1, PROOF_PENDING},
	{"{}", BRIDGE("true"), "icc", "false", EFFECT_CONTAINERS, 0, PROOF_BAD},
	{"{}", BRIDGE("false"), "icc", "false", EFFECT_CONTAINERS, 1, PROOF_GOOD},
	{"{}", "{}", "icc", "false", EFFECT_CONTAINERS, 0, PROOF_UNKNOWN},
	/* The daemon does not tell the name that it was given. */
	{REMAPPED, "{}", "userns-remap", "\"default\"", EFFECT_DATA, 0, PROOF_GOOD},
	{"{\"DockerRootDir\": \"/var/lib/docker\", \"SecurityOptions\": []}", "{}", "userns-remap",
	 "\"default\"", EFFECT_DATA, 0, PROOF_BAD},
	/* Nothing can be said of what is not reported. */
	{"{}", "{}", "userland-proxy", "false", EFFECT_RESTART, 0, PROOF_UNKNOWN},
	{"{}", "{}", "log-opts.tag", "\"x\"", EFFECT_RESTART, 0, PROOF_UNKNOWN},
	/* Not set at all: the default is the version's business. */
	{"{\"ExperimentalBuild\": false}", "{}", "experimental", "null", EFFECT_RESTART, 0,
	 PROOF_GOOD},
	{"{\"ExperimentalBuild\": true}", "{}", "experimental", "null", EFFECT_RESTART, 0,
	 PROOF_UNKNOWN},
	/* Lists come back in another order, or in another spelling. */
	{"{\"Labels\": [\"b=2\", \"a=1\"]}", "{}", "labels", "[\"a=1\", \"b=2\"]", EFFECT_RELOAD, 0,
	 PROOF_GOOD},
	{"{\"Labels\": [\"a=1\"]}", "{}", "labels", "[\"a=2\"]", EFFECT_RELOAD, 0, PROOF_UNKNOWN},
	{"{\"Labels\": [\"a=1\"]}", "{}", "labels", "[]", EFFECT_RELOAD, 0, PROOF_BAD},
};

START_TEST(test_of)
{
	struct facts facts = daemon_facts(cases[_i].info, cases[_i].bridge, cases[_i].running);
	json_t *wanted = cases[_i].wanted ? json(cases[_i].wanted) : NULL;

	ck_assert_int_eq(proof_of(&facts, cases[_i].key, wanted, cases[_i].effect),
			 cases[_i].proof);
	facts.daemon = DAEMON_STOPPED;
	ck_assert_int_eq(proof_of(&facts, cases[_i].key, wanted, cases[_i].effect), PROOF_UNKNOWN);
	json_decref(wanted);
	facts_done(&facts);
}
END_TEST

START_TEST(test_of_return)
{
	static const struct {
		const char *key;
		const char *before;
		int64_t running;
		enum proof proof;
	} returns[] = {
		{"userns-remap", "\"100000:100000\"", 0, PROOF_GOOD},
		{"userns-remap", "\"\"", 0, PROOF_BAD},
		{"icc", "true", 0, PROOF_GOOD},
		{"icc", "false", 0, PROOF_BAD},
		{"icc", "false", 2, PROOF_PENDING},
		{"icc", NULL, 0, PROOF_UNKNOWN},
		{"userland-proxy", "true", 0, PROOF_UNKNOWN},
	};

	for (size_t i = 0; i < array_size(returns); i++) {
		struct facts facts = daemon_facts(REMAPPED, BRIDGE("true"), returns[i].running);
		json_t *before = returns[i].before ? json(returns[i].before) : NULL;
		ck_assert_int_eq(proof_of_return(&facts, returns[i].key, before, EFFECT_CONTAINERS),
				 returns[i].proof);
		json_decref(before);
		facts_done(&facts);
	}
}
END_TEST

/* What is not in a reply but was seen otherwise: the proxies of ports, and the limits that a
 * container without its own shows. */
START_TEST(test_of_what_was_seen)
{
	static const struct {
		const char *key;
		const char *wanted;
		enum tristate proxies;
		const char *ulimits; /* NULL: not known */
		enum proof proof;
	} seen[] = {
		{"userland-proxy", "false", NO, NULL, PROOF_GOOD},
		{"userland-proxy", "true", YES, NULL, PROOF_GOOD},
		{"userland-proxy", "false", UNKNOWN, NULL, PROOF_UNKNOWN},
		{"userland-proxy", "true", UNKNOWN, NULL, PROOF_UNKNOWN},
		{"userland-proxy", "false", YES, NULL, PROOF_BAD},
		{"userland-proxy", "true", NO, NULL, PROOF_BAD},
		{"default-ulimits", LIMITS("nofile", "5"), UNKNOWN, LIMITS("nofile", "5"),
		 PROOF_GOOD},
		{"default-ulimits", "{}", UNKNOWN, "{}", PROOF_GOOD},
		/* The daemon has the names as keys, whatever they are in daemon.json. */
		{"default-ulimits", LIMITS("files", "5"), UNKNOWN, LIMITS("nofile", "5"),
		 PROOF_GOOD},
		{"default-ulimits", LIMITS("nofile", "6"), UNKNOWN, LIMITS("nofile", "5"),
		 PROOF_BAD},
		{"default-ulimits", LIMITS("nofile", "6"), UNKNOWN, "{}", PROOF_BAD},
		{"default-ulimits", LIMITS("nofile", "5"), UNKNOWN, NULL, PROOF_UNKNOWN},
		{"default-ulimits", LIMITS("nofile", "5"), YES, NULL, PROOF_UNKNOWN},
	};

	for (size_t i = 0; i < array_size(seen); i++) {
		struct facts facts = daemon_facts("{}", "{}", 1);
		json_t *wanted = json(seen[i].wanted);

		facts.port_proxies = seen[i].proxies;
		facts.default_ulimits = seen[i].ulimits ? json(seen[i].ulimits) : NULL;
		enum proof proof = proof_of(&facts, seen[i].key, wanted, EFFECT_RESTART);
		ck_assert_msg(proof == seen[i].proof, "case %zu: %d", i, proof);
		json_decref(wanted);
		facts_done(&facts);
	}
}
END_TEST

/* A value of its own, which outlives the facts. */
START_TEST(test_live_values)
{
	static const char *const proxy[] = {"userland-proxy"};
	static const char *const ulimits[] = {"default-ulimits", "nofile"};
	struct facts facts = daemon_facts("{\"userland-proxy\": true}", "{}", 1);

	ck_assert_int_eq(facts.port_proxies, UNKNOWN);
	ck_assert_ptr_null(live_value(&facts, proxy, 1));
	ck_assert_ptr_null(live_value(&facts, ulimits, 1));
	facts.port_proxies = NO;
	facts.default_ulimits = json(LIMITS("nofile", "5"));
	json_t *off = live_value(&facts, proxy, 1);
	json_t *limits = live_value(&facts, ulimits, 1);
	ck_assert_ptr_null(live_value(&facts, ulimits, 2));
	facts_done(&facts);
	ck_assert(json_is_false(off));
	ck_assert_ptr_nonnull(json_object_get(limits, "nofile"));
	json_decref(off);
	json_decref(limits);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {test_of_return, test_of_what_was_seen, test_live_values,
				      NULL};

	return test_main_loop("proof", tests, test_of, array_size(cases));
}
