#include "core/findings_values.h"

#include <stdarg.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/text.h"
#include "core/jsontext.h"

json_t *collection_file_value(const struct collection *collection, const char *key)
{
	json_t *value = json_object_get(collection->document, key);

	return json_is_null(value) ? NULL : value;
}

bool value_is_empty(const json_t *value)
{
	return (json_is_string(value) && !json_string_length(value)) ||
	       (json_is_integer(value) && !json_integer_value(value)) ||
	       (json_is_array(value) && !json_array_size(value)) ||
	       (json_is_object(value) && !json_object_size(value));
}

json_t *collection_value(struct collection *collection, const char *key)
{
	static const struct flags no_flags = {.items = NULL};
	const struct option *option = option_by_key(key);
	json_t *value = collection_file_value(collection, key);
	struct error error = ERROR_NONE;
	const char *expected;

	if (value && !value_is_empty(value))
		return option_type_matches(option, value, &expected) ? json_incref(value) : NULL;
	value = NULL;
	if (flags_value(collection->flags ? collection->flags : &no_flags, option, &value, NULL,
			&error) == 0 &&
	    !value)
		value = option_default(option, collection->version);
	if (!value)
		collection->out_of_memory = true;
	return value;
}

static bool is_set(const struct collection *collection, const char *key)
{
	return collection_file_value(collection, key) ||
	       (collection->flags && flags_find(collection->flags, option_by_key(key)));
}

bool collection_is_true(struct collection *collection, const char *key)
{
	json_t *value = collection_value(collection, key);
	bool truth = json_is_true(value);

	json_decref(value);
	return truth;
}

bool collection_is_false(struct collection *collection, const char *key)
{
	json_t *value = collection_value(collection, key);
	bool falsity = json_is_false(value);

	json_decref(value);
	return falsity;
}

bool collection_is_given(struct collection *collection, const char *key)
{
	json_t *value = collection_value(collection, key);
	bool given = value && !json_is_null(value) && !value_is_empty(value);

	json_decref(value);
	return given;
}

int collection_feature(struct collection *collection, const char *name)
{
	json_t *features = collection_value(collection, "features");
	const json_t *value = json_object_get(features, name);
	int state = json_is_true(value) ? 1 : json_is_boolean(value) ? 0 : -1;

	json_decref(features);
	return state;
}

static struct place place_of(const struct collection *collection, const char *key)
{
	const struct jsontext_path path = {.keys = &key, .count = 1};
	struct jsontext_member member;
	struct place place = {0, 0};

	if (jsontext_find(collection->text, collection->length, &path, &member))
		text_position(collection->text, collection->length, member.key.start, &place.line,
			      &place.column);
	return place;
}

void collection_report(struct collection *collection, const char *key, bool fatal,
		       const char *format, ...)
{
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY, flag = STRBUF_EMPTY;
	bool in_file = collection_file_value(collection, key);
	va_list arguments;

	va_start(arguments, format);
	(void)strbuf_addv(&text, format, arguments);
	va_end(arguments);
	(void)strbuf_addf(&flag, "--%s", option_by_key(key)->flag ? option_by_key(key)->flag : key);
	if (text.failed || flag.failed)
		collection->out_of_memory = true;
	else
		collection_add(collection, FINDING_BAD_VALUE, fatal, in_file ? key : flag.data,
			       in_file ? place_of(collection, key) : (struct place){0, 0}, "%s",
			       text.data);
}

bool value_is_one_of(const char *text, const char *const *choices, size_t count, bool any_case)
{
	for (size_t i = 0; i < count; i++)
		if ((any_case ? strcasecmp : strcmp)(choices[i], text) == 0)
			return true;
	return false;
}

bool value_has_scheme(const char *address, const char *const *schemes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t length = strlen(schemes[i]);
		if (strncasecmp(address, schemes[i], length) == 0 &&
		    strncmp(address + length, "://", 3) == 0)
			return true;
	}
	return false;
}

static void check_icc(struct collection *collection, const char *key, const json_t *value)
{
	if (json_is_true(value))
		return;
	if (collection_is_false(collection, "iptables"))
		collection_report(
			collection, key, true,
			"icc is off and iptables is off as well, but dockerd needs iptables to "
			"keep containers apart and will not start. Turn iptables on.");
	else if (collection_at_least(collection, 27, 0) && collection_is_true(collection, "ipv6") &&
		 collection_is_false(collection, "ip6tables"))
		collection_report(collection, key, true,
				  "icc is off, ipv6 on and ip6tables off; from 27.0 dockerd will "
				  "not start like that. Turn ip6tables on.");
}

static void check_ip6tables(struct collection *collection, const char *key, const json_t *value)
{
	if (json_is_true(value) && !collection_at_least(collection, 27, 0) &&
	    !collection_is_true(collection, "experimental"))
		collection_report(collection, key, true,
				  "dockerd %s takes ip6tables only together with experimental, and "
				  "will not start. Set \"experimental\": true or remove ip6tables.",
				  collection->version_text);
}

static void check_bridge(struct collection *collection, const char *key, const json_t *value)
{
	bool has_bip6 =
		collection_at_least(collection, 28, 0) && collection_is_given(collection, "bip6");

	if (!value_is_empty(value) && (has_bip6 || collection_is_given(collection, "bip")))
		collection_report(collection, key, true,
				  "bridge names a bridge of your own and %s an address for "
				  "Docker's; dockerd will not start with both. Remove one.",
				  has_bip6 ? "bip6" : "bip");
}

static void check_ipv6(struct collection *collection, const char *key, const json_t *value)
{
	json_t *bridge = collection_value(collection, "bridge");
	bool has_bridge = !text_equal(json_string_value(bridge), "none");

	json_decref(bridge);
	if (!json_is_true(value) || !has_bridge || !collection_at_least(collection, 20, 10) ||
	    collection_at_least(collection, 28, 0) ||
	    collection_is_given(collection, "fixed-cidr-v6"))
		return;
	/* With containers kept alive the bridge is left alone, and the daemon starts. */
	collection_report(
		collection, key, !collection_is_true(collection, "live-restore"),
		"ipv6 is on without fixed-cidr-v6; dockerd %s cannot set up the default bridge and "
		"will not start unless live-restore keeps containers running. Set fixed-cidr-v6.",
		collection->version_text);
}

static void check_userns(struct collection *collection, const char *key, const json_t *value)
{
	const char *user = json_string_value(value);
	size_t length = strcspn(user, ":");
	bool is_root =
		(length == 4 && strncmp(user, "root", 4) == 0) || (length == 1 && *user == '0');

	if (is_root)
		collection_report(collection, key, false,
				  "userns-remap to root remaps nothing: dockerd turns user "
				  "namespaces off, yet moves the data root to a folder 0.0. Use "
				  "\"default\" or another user.");
	if (*user && collection_at_least(collection, 29, 0) &&
	    collection_feature(collection, "containerd-snapshotter") == 1)
		collection_report(collection, key, true,
				  "From 29.0 dockerd will not start with userns-remap and the "
				  "feature containerd-snapshotter together. Remove the feature.");
}

static void check_userland_proxy(struct collection *collection, const char *key,
				 const json_t *value)
{
	if (json_is_true(value) && collection_file_value(collection, key) &&
	    collection_at_least(collection, 25, 0) &&
	    !collection_file_value(collection, "userland-proxy-path"))
		collection_report(
			collection, key, false,
			"An explicit \"userland-proxy\": true makes every reload (SIGHUP) of "
			"dockerd %s fail, because a reload looks for userland-proxy-path in the "
			"file alone. Remove the key: true is the default.",
			collection->version_text);
}

static bool flag_is_true(const struct collection *collection, const char *key)
{
	json_auto_t *value = NULL;

	return collection->flags &&
	       flags_value(collection->flags, option_by_key(key), &value, NULL, NULL) == 0 &&
	       json_is_true(value);
}

/* A flag that is false brings no default paths along. */
bool tls_has_keys(const struct collection *collection)
{
	if (flag_is_true(collection, "tls") || flag_is_true(collection, "tlsverify"))
		return true;
	return collection_file_value(collection, "tlscert") &&
	       collection_file_value(collection, "tlskey");
}

static void check_tls(struct collection *collection, const char *key, const json_t *value)
{
	if (collection_file_value(collection, key) && !tls_has_keys(collection))
		collection_report(
			collection, key, true,
			"\"%s\" in daemon.json turns TLS on, and then the file must name tlscert "
			"and tlskey, or dockerd will not start.%s",
			key,
			json_is_true(value)
				? ""
				: " Even false turns it on: remove the key if TLS is not wanted.");
}

static void check_tls_key(struct collection *collection, const char *key, const json_t *value)
{
	if (json_is_true(value))
		check_tls(collection, key, value);
}

static void check_log_level(struct collection *collection, const char *key, const json_t *value)
{
	static const char *const levels[] = {"panic", "fatal", "error", "warn",
					     "info",  "debug", "trace", "warning"};
	/* logrus took "warning" as well; containerd's log package does not. */
	size_t count = array_size(levels) - (collection_at_least(collection, 25, 0) ? 1 : 0);
	const char *level = json_string_value(value);

	if (*level && !value_is_one_of(level, levels, count, true))
		collection_report(collection, key, true,
				  "dockerd %s does not know this log level and will not start. It "
				  "takes debug, info, warn, error and fatal.",
				  collection->version_text);
}

static void check_choice(struct collection *collection, const char *key, const json_t *value,
			 const char *first, const char *second)
{
	const char *const choices[] = {"", first, second};

	if (!value_is_one_of(json_string_value(value), choices, array_size(choices), false))
		collection_report(
			collection, key, true,
			"%s must be \"%s\" or \"%s\"; with anything else dockerd will not start.",
			key, first, second);
}

static void check_log_format(struct collection *collection, const char *key, const json_t *value)
{
	check_choice(collection, key, value, "text", "json");
}

static void check_ipc_mode(struct collection *collection, const char *key, const json_t *value)
{
	check_choice(collection, key, value, "private", "shareable");
}

static void check_cgroupns_mode(struct collection *collection, const char *key, const json_t *value)
{
	check_choice(collection, key, value, "private", "host");
}

static void check_firewall(struct collection *collection, const char *key, const json_t *value)
{
	check_choice(collection, key, value, "iptables", "nftables");
}

static void check_number(struct collection *collection, const char *key, const json_t *value)
{
	const json_t *own = collection_file_value(collection, key);
	json_int_t number = json_integer_value(own ? own : value);
	/* Up to 20.10 a number of attempts is checked before a zero is filled in. */
	bool zero_is_bad = strcmp(key, "max-download-attempts") == 0 &&
			   !collection_at_least(collection, 23, 0);

	if (number < 0 || (zero_is_bad && !number))
		collection_report(collection, key, true,
				  "%s must not be %s; dockerd %s will not start with it.", key,
				  zero_is_bad ? "less than 1" : "negative",
				  collection->version_text);
}

/* Before 23.0 the number went to the kernel when a network was made, and nobody looked at it. */
static void check_mtu(struct collection *collection, const char *key, const json_t *value)
{
	if (collection_at_least(collection, 23, 0))
		check_number(collection, key, value);
}

static void check_port(struct collection *collection, const char *key, const json_t *value)
{
	json_int_t port = json_integer_value(value);

	if (collection_at_least(collection, 28, 0) && (port < 0 || port > 65535))
		collection_report(collection, key, true,
				  "%s must lie between 0 and 65535, or dockerd will not start.",
				  key);
}

/* The rest of a network's syntax is left to dockerd. */
static void check_network(struct collection *collection, const char *key, const json_t *value)
{
	const char *network = json_string_value(value);

	if (*network && !strchr(network, '/') && collection_at_least(collection, 25, 0))
		collection_report(collection, key, true,
				  "%s must be a network like 2001:db8:1::/64; with anything else "
				  "dockerd will not start.",
				  key);
}

static void check_size(struct collection *collection, const char *key, const json_t *value)
{
	/* Not even an empty size passes: the type reads itself (opts.MemBytes). */
	const json_t *own = collection_file_value(collection, key);
	const char *size = json_string_value(own ? own : value);

	if (size && !strpbrk(size, "0123456789"))
		collection_report(collection, key, true,
				  "%s must be a size like \"64M\"; with anything else dockerd will "
				  "not start.",
				  key);
}

static void check_proxy_path(struct collection *collection, const char *key, const json_t *value)
{
	const char *path = json_string_value(value);

	if (*path && *path != '/' && collection_at_least(collection, 25, 0) &&
	    collection_is_true(collection, "userland-proxy"))
		collection_report(collection, key, true,
				  "%s must be an absolute path, or dockerd will not start while "
				  "userland-proxy is on.",
				  key);
}

static void check_graph(struct collection *collection, const char *key, const json_t *value)
{
	const json_t *old = collection_file_value(collection, key);
	const json_t *new = collection_file_value(collection, "data-root");

	(void)value;
	if (!collection_at_least(collection, 23, 0) && old && new && !value_is_empty(old) &&
	    !value_is_empty(new))
		collection_report(collection, key, true,
				  "graph is the old name of data-root; with both in the file "
				  "dockerd will not start. Keep data-root.");
}

static void check_legacy_registry(struct collection *collection, const char *key,
				  const json_t *value)
{
	if (json_is_false(value) && collection_file_value(collection, key))
		collection_report(collection, key, true,
				  "Legacy registries are gone: dockerd will not start with "
				  "disable-legacy-registry false. Remove the key.");
}

static void check_needs_experimental(struct collection *collection, const char *key,
				     const json_t *value)
{
	bool wanted = json_is_true(value) || (json_is_string(value) && !value_is_empty(value));
	bool since_19 = strcmp(key, "rootless") == 0;

	if (wanted && !collection_at_least(collection, 20, 10) &&
	    (!since_19 || collection_at_least(collection, 19, 3)) &&
	    !collection_is_true(collection, "experimental"))
		collection_report(
			collection, key, true,
			"dockerd %s takes %s only together with experimental, and will not start.",
			collection->version_text, key);
}

static void check_features(struct collection *collection, const char *key, const json_t *value)
{
	if (json_object_get(value, "windows-dns-proxy") && collection_at_least(collection, 26, 1) &&
	    !collection_at_least(collection, 28, 0))
		collection_report(collection, key, true,
				  "The feature windows-dns-proxy is for Windows, so dockerd will "
				  "not start. Remove it.");
	if (json_is_true(json_object_get(value, "embedded-containerd")) &&
	    collection_at_least(collection, 29, 7) &&
	    collection_is_true(collection, "cri-containerd"))
		collection_report(collection, key, true,
				  "The feature embedded-containerd does not go with "
				  "cri-containerd, so dockerd will not start. Remove one.");
}

struct rule {
	const char *key;
	value_rule *check;
};

static const struct rule rules[] = {
	{"bridge", check_bridge},
	{"default-cgroupns-mode", check_cgroupns_mode},
	{"default-gateway", rule_address},
	{"default-gateway-v6", rule_address},
	{"default-ipc-mode", check_ipc_mode},
	{"default-runtime", rule_default_runtime},
	{"default-shm-size", check_size},
	{"default-stop-timeout", check_number},
	{"default-ulimits", rule_ulimits},
	{"disable-legacy-registry", check_legacy_registry},
	{"dns", rule_dns},
	{"dns-search", rule_dns_search},
	{"exec-opts", rule_exec_opts},
	{"features", check_features},
	{"firewall-backend", check_firewall},
	{"fixed-cidr-v6", check_network},
	{"graph", check_graph},
	{"host-gateway-ip", rule_old_gateway_ip},
	{"host-gateway-ips", rule_gateway_ips},
	{"hosts", rule_hosts},
	{"icc", check_icc},
	{"ip", rule_address},
	{"ip6tables", check_ip6tables},
	{"ipv6", check_ipv6},
	{"labels", rule_labels},
	{"log-driver", rule_log_driver},
	{"log-format", check_log_format},
	{"log-level", check_log_level},
	{"log-opts", rule_log_opts},
	{"max-concurrent-downloads", check_number},
	{"max-concurrent-uploads", check_number},
	{"max-download-attempts", check_number},
	{"metrics-addr", check_needs_experimental},
	{"mtu", check_mtu},
	{"network-diagnostic-port", check_port},
	{"node-generic-resources", rule_generic_resources},
	{"nri-opts", rule_nri_opts},
	{"registry-mirrors", rule_mirrors},
	{"rootless", check_needs_experimental},
	{"runtimes", rule_runtimes},
	{"storage-driver", rule_storage_driver},
	{"tls", check_tls_key},
	{"tlsverify", check_tls},
	{"userland-proxy", check_userland_proxy},
	{"userland-proxy-path", check_proxy_path},
	{"userns-remap", check_userns},
};

void collect_value_findings(struct collection *collection)
{
	for (size_t i = 0; i < array_size(rules); i++) {
		const struct option *option = option_by_key(rules[i].key);
		/* A key that this version does not have has been reported already. */
		if (!option || !is_set(collection, rules[i].key) ||
		    !option_has_key(option, collection->version))
			continue;
		json_t *value = collection_value(collection, rules[i].key);
		if (value && !json_is_null(value))
			rules[i].check(collection, rules[i].key, value);
		json_decref(value);
	}
}
