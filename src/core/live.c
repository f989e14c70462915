#include "core/live.h"

#include <string.h>

#include "base/text.h"
#include "core/ulimits.h"

static json_t *member(const json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	return value && !json_is_null(value) ? json_incref(value) : NULL;
}

/* The text after `prefix` of the entry of SecurityOptions that starts with it, or NULL. Entries
 * look like "name=seccomp,profile=default". */
static const char *security_option(const json_t *info, const char *prefix)
{
	const json_t *options = json_object_get(info, "SecurityOptions");

	for (size_t i = 0; i < json_array_size(options); i++) {
		const char *text = json_string_value(json_array_get(options, i));
		if (text && text_starts_with(text, prefix))
			return text + strlen(prefix);
	}
	return NULL;
}

static json_t *live_icc(const struct facts *facts)
{
	const char *text = json_string_value(json_object_get(
		json_object_get(facts->bridge, "Options"), "com.docker.network.bridge.enable_icc"));

	if (!text)
		return NULL;
	return json_boolean(strcmp(text, "true") == 0);
}

static bool root_is_root(const struct canary_facts *canary)
{
	return canary->uid_map && text_starts_with(canary->uid_map, "0:0:");
}

static json_t *live_userns_remap(const struct facts *facts)
{
	const char *root = json_string_value(json_object_get(facts->info, "DockerRootDir"));

	if (!root || !json_object_get(facts->info, "SecurityOptions"))
		return NULL;
	/* A container whose root is the host's root was not remapped, whatever the daemon says. */
	if (!security_option(facts->info, "name=userns") || root_is_root(&facts->canary))
		return json_string("");

	/* The data root of a remapped daemon is DATA-ROOT/UID.GID (facts b.3). */
	const char *base = strrchr(root, '/');
	base = base ? base + 1 : root;
	size_t uid_length = strspn(base, "0123456789");
	if (!uid_length || base[uid_length] != '.')
		return json_string("on");
	return json_sprintf("%.*s:%s", (int)uid_length, base, base + uid_length + 1);
}

/* Reported from 24.0 on; that an older daemon says nothing means nothing, and then a container
 * tells. It may have it from the daemon's own unit, too, so that its yes is no denial. */
static json_t *live_no_new_privileges(const struct facts *facts)
{
	bool on = security_option(facts->info, "name=no-new-privileges") != NULL;
	bool silent = !on && !dockerver_at_least(facts->version, 24, 0);

	if (facts->canary.no_new_privileges == NO ||
	    (silent && facts->canary.no_new_privileges == YES))
		return json_boolean(facts->canary.no_new_privileges == YES);
	if (!json_object_get(facts->info, "SecurityOptions") || silent)
		return NULL;
	return json_boolean(on);
}

static json_t *live_seccomp(const struct facts *facts)
{
	const char *profile = security_option(facts->info, "name=seccomp,profile=");

	if (profile && facts->canary.seccomp == NO)
		return json_string("unconfined");
	if (!profile)
		return NULL;
	/* "default" up to 20.10, "builtin" from 23.0. */
	bool own = strcmp(profile, "default") == 0 || strcmp(profile, "builtin") == 0;
	return json_string(own ? "" : profile);
}

/* The registries that are reached without verified TLS. 127.0.0.0/8 and ::1/128 are always among
 * them and are nobody's setting. */
static json_t *live_insecure_registries(const struct facts *facts)
{
	const json_t *config = json_object_get(facts->info, "RegistryConfig");
	const json_t *cidrs = json_object_get(config, "InsecureRegistryCIDRs");
	json_t *indexes = json_object_get(config, "IndexConfigs");
	json_t *list = json_array();
	const char *name;
	json_t *index;

	if (!config) {
		json_decref(list);
		return NULL;
	}
	for (size_t i = 0; i < json_array_size(cidrs); i++) {
		const char *cidr = json_string_value(json_array_get(cidrs, i));
		if (cidr && strcmp(cidr, "127.0.0.0/8") != 0 && strcmp(cidr, "::1/128") != 0)
			(void)json_array_append_new(list, json_string(cidr));
	}
	json_object_foreach (indexes, name, index)
		if (json_is_false(json_object_get(index, "Secure")))
			(void)json_array_append_new(list, json_string(name));
	return list;
}

static json_t *live_authorization_plugins(const struct facts *facts)
{
	const json_t *plugins = json_object_get(facts->info, "Plugins");
	json_t *list = json_object_get(plugins, "Authorization");

	if (!plugins)
		return NULL;
	return json_is_array(list) ? json_incref(list) : json_array();
}

/* A daemon with userland-proxy has a docker-proxy process for each published port. */
static json_t *live_userland_proxy(const struct facts *facts)
{
	return facts->port_proxies == UNKNOWN ? NULL : json_boolean(facts->port_proxies == YES);
}

/* What a container got is more than what the daemon would give. */
static json_t *live_default_ulimits(const struct facts *facts)
{
	return json_incref(facts->canary.limits ? facts->canary.limits : facts->default_ulimits);
}

static json_t *live_debug(const struct facts *facts)
{
	return member(facts->info, "Debug");
}

#define INFO_READER(name, field)                                                                   \
	static json_t *live_##name(const struct facts *facts)                                      \
	{                                                                                          \
		return member(facts->info, field);                                                 \
	}

INFO_READER(storage_driver, "Driver")
INFO_READER(log_driver, "LoggingDriver")
INFO_READER(live_restore, "LiveRestoreEnabled")
INFO_READER(experimental, "ExperimentalBuild")
INFO_READER(default_runtime, "DefaultRuntime")
INFO_READER(labels, "Labels")

static const struct {
	const char *key;
	json_t *(*read)(const struct facts *facts);
} readers[] = {
	{"icc", live_icc},
	{"userns-remap", live_userns_remap},
	{"no-new-privileges", live_no_new_privileges},
	{"seccomp-profile", live_seccomp},
	{"insecure-registries", live_insecure_registries},
	{"authorization-plugins", live_authorization_plugins},
	{"storage-driver", live_storage_driver},
	{"log-driver", live_log_driver},
	{"live-restore", live_live_restore},
	{"experimental", live_experimental},
	{"default-runtime", live_default_runtime},
	{"labels", live_labels},
	{"debug", live_debug},
	{"userland-proxy", live_userland_proxy},
	{"default-ulimits", live_default_ulimits},
};

json_t *live_value(const struct facts *facts, const char *const *path, size_t count)
{
	if (count != 1)
		return NULL;
	for (size_t i = 0; i < array_size(readers); i++)
		if (strcmp(readers[i].key, path[0]) == 0)
			return readers[i].read(facts);
	return NULL;
}

bool live_agrees(const char *key, const json_t *configured, const json_t *in_force)
{
	if (strcmp(key, "userns-remap") == 0) {
		const char *wanted = json_string_value(configured);
		const char *got = json_string_value(in_force);
		return (wanted && *wanted) == (got && *got);
	}
	/* 20.10 reports every filter but none as "default"; a path is reported only later. */
	if (strcmp(key, "seccomp-profile") == 0)
		return !text_equal(json_string_value(in_force), "unconfined");
	if (strcmp(key, "default-ulimits") == 0)
		return ulimits_agree(configured, in_force);
	return json_equal(configured, in_force);
}
