/* Which setting dockerd's words are about. */
#include <ctype.h>
#include <string.h>

#include "base/text.h"
#include "core/rehearsal.h"

/* Wordings of dockerd 20.10 to 29 that name no key, and the key that they are about. */
static const struct {
	const char *words;
	const char *key;
} hints[] = {
	{"unknown log opt", "log-opts"},
	{"log opt", "log-opts"},
	{"log driver", "log-driver"},
	{"logging plugin", "log-driver"},
	{"ICC=false uses iptables", "icc"},
	{"ip6tables", "ip6tables"},
	{"graphdriver", "storage-driver"},
	{"driver not supported", "storage-driver"},
	{"seccomp", "seccomp-profile"},
	{"ulimit", "default-ulimits"},
	{"rlimit", "default-ulimits"},
	{"subuid", "userns-remap"},
	{"subgid", "userns-remap"},
	{"uid lookup", "userns-remap"},
	{"dockremap", "userns-remap"},
	{"remapping", "userns-remap"},
	{"authorization plugin", "authorization-plugins"},
	{"cgroupdriver", "exec-opts"},
	{"exec option", "exec-opts"},
	{"exec-opt", "exec-opts"},
	{"address pool", "default-address-pools"},
	{"address-pool", "default-address-pools"},
	{"pools size", "default-address-pools"},
	{"default runtime", "default-runtime"},
	{"runtime", "default-runtime"},
	{"runtime", "runtimes"},
	{"X509", "tlscert"},
	{"CA certificate", "tlscacert"},
	{"TLS", "tlsverify"},
	{"TLS", "tls"},
	{"insecure registry", "insecure-registries"},
	{"mirror", "registry-mirrors"},
	{"logging level", "log-level"},
	{"MTU", "mtu"},
	{"storage option", "storage-opts"},
	{"overlay2: unknown option", "storage-opts"},
	{"overlay: unknown option", "storage-opts"},
	{"generic resource", "node-generic-resources"},
	{"generic-resource", "node-generic-resources"},
	{"concurrent downloads", "max-concurrent-downloads"},
	{"concurrent uploads", "max-concurrent-uploads"},
	{"download attempts", "max-download-attempts"},
	{"cgroup namespace", "default-cgroupns-mode"},
	{"IPC", "default-ipc-mode"},
	{"cgroup-parent", "cgroup-parent"},
	{"cgroup parent", "cgroup-parent"},
};

/* Deeper values are nobody's own words. */
#define DEPTH_MAX 4

/* A short word of English alone ("default", "none") points at nothing. */
static bool is_telling(const char *value)
{
	size_t length = strlen(value);

	return length >= 8 || (length >= 4 && strpbrk(value, "/:.0123456789") != NULL);
}

/* Whether the sentence has a string that stands anywhere in the value. */
static bool names_value(const char *sentence, json_t *value, unsigned depth)
{
	const char *text = json_string_value(value);
	const char *key;
	json_t *member;

	if (text)
		return is_telling(text) && strstr(sentence, text);
	if (depth == DEPTH_MAX)
		return false;
	for (size_t i = 0; i < json_array_size(value); i++)
		if (names_value(sentence, json_array_get(value, i), depth + 1))
			return true;
	json_object_foreach (value, key, member)
		if ((is_telling(key) && strstr(sentence, key)) ||
		    names_value(sentence, member, depth + 1))
			return true;
	return false;
}

static bool is_part_of_name(char c)
{
	return isalnum((unsigned char)c) || c == '-' || c == '_';
}

/* "--icc=false" and "icc: …" name icc; "suicide" and "no-icc" do not. */
static bool names_key(const char *sentence, const char *key)
{
	size_t length = strlen(key);

	/* An empty one is found everywhere, behind the end, too. */
	for (const char *at = sentence; length && (at = strstr(at, key)); at++) {
		bool flag = at - sentence >= 2 && at[-1] == '-' && at[-2] == '-';
		bool begins = at == sentence || flag || !is_part_of_name(at[-1]);
		if (begins && !is_part_of_name(at[length]))
			return true;
	}
	return false;
}

/* Also a member of an object: dockerd names the unknown ones by their own name (facts a.2). */
static const char *find_named(const char *sentence, json_t *document)
{
	const char *found = NULL;
	const char *key;
	json_t *value;

	json_object_foreach (document, key, value)
		if (names_key(sentence, key) && (!found || strlen(key) > strlen(found)))
			found = key;
	return found;
}

static const char *find_valued(const char *sentence, json_t *document)
{
	const char *key;
	json_t *value;

	json_object_foreach (document, key, value)
		if (names_value(sentence, value, 0))
			return key;
	return NULL;
}

static const char *find_hinted(const char *sentence, const json_t *document)
{
	for (size_t i = 0; i < array_size(hints); i++)
		if (strstr(sentence, hints[i].words) && json_object_get(document, hints[i].key))
			return hints[i].key;
	return NULL;
}

/* dockerd's last words say most. */
const char *rehearsal_cause(const struct strlist *words, json_t *document)
{
	for (size_t i = words->count; i > 0; i--) {
		const char *sentence = words->items[i - 1];
		const char *key = find_hinted(sentence, document);
		if (!key)
			key = find_valued(sentence, document);
		if (!key)
			key = find_named(sentence, document);
		if (key)
			return key;
	}
	return NULL;
}
