/* Rules about options that are lists or objects, entry by entry. */
#include "core/findings_values.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/text.h"

void rule_exec_opts(struct collection *collection, const char *key, const json_t *value)
{
	static const char only[] = "native.cgroupdriver";

	if (!collection_at_least(collection, 28, 0))
		return;
	for (size_t i = 0; i < json_array_size(value) && i < COMPLAINTS_MAX; i++) {
		const char *option = json_string_value(json_array_get(value, i));
		const char *start = option ? option + strspn(option, " \t") : "";
		size_t length = strcspn(start, " \t=");
		const char *equals = start + length + strspn(start + length, " \t");
		if (length == strlen(only) && strncasecmp(start, only, length) == 0 &&
		    *equals == '=' && equals[1 + strspn(equals + 1, " \t")])
			continue;
		collection_report(collection, key, true,
				  "Entry %zu of exec-opts is none that dockerd knows; from 28.0 it "
				  "will not start with it. The only one on Linux is "
				  "native.cgroupdriver=systemd (or cgroupfs).",
				  i + 1);
	}
}

static bool is_reserved_label(const char *label)
{
	static const char *const reserved[] = {"com.docker.", "io.docker.", "org.dockerproject."};

	for (size_t i = 0; i < array_size(reserved); i++)
		if (strncasecmp(label, reserved[i], strlen(reserved[i])) == 0)
			return true;
	return false;
}

/* Whether two strings of a list give one label two values: their names are equal, the rest is not.
 */
static bool labels_conflict(const char *a, const char *b)
{
	size_t length = strcspn(a, "=");

	return strncmp(a, b, length) == 0 && a[length] == '=' && b[length] == '=' &&
	       strcmp(a, b) != 0;
}

static int compare_labels(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted, the values of one label stand side by side. */
static void check_label_conflicts(struct collection *collection, const char *key,
				  const json_t *value)
{
	size_t count = json_array_size(value);
	cleanup_free const char **labels = calloc(count + 1, sizeof *labels);

	if (!labels) {
		collection->out_of_memory = true;
		return;
	}
	for (size_t i = 0; i < count; i++) {
		const char *label = json_string_value(json_array_get(value, i));
		labels[i] = label ? label : "";
	}
	qsort(labels, count, sizeof *labels, compare_labels);
	for (size_t i = 1; i < count; i++)
		if (labels_conflict(labels[i - 1], labels[i])) {
			collection_report(
				collection, key, true,
				"One name in labels has two values, so dockerd will not start.");
			return;
		}
}

void rule_labels(struct collection *collection, const char *key, const json_t *value)
{
	size_t complaints = 0;

	check_label_conflicts(collection, key, value);
	for (size_t i = 0; i < json_array_size(value) && complaints < COMPLAINTS_MAX; i++) {
		const char *label = json_string_value(json_array_get(value, i));
		bool reserved = label && is_reserved_label(label);
		bool refused = collection_at_least(collection, 20, 10);
		if (label && strchr(label, '=') && !reserved)
			continue;
		complaints++;
		if (!reserved)
			collection_report(collection, key, true,
					  "Entry %zu of labels is not of the form NAME=VALUE, so "
					  "dockerd will not start.",
					  i + 1);
		else
			collection_report(collection, key, refused,
					  "Entry %zu of labels is in a namespace that Docker keeps "
					  "for itself (com.docker, io.docker, "
					  "org.dockerproject)%s. Use another name.",
					  i + 1,
					  refused ? ", so dockerd will not start"
						  : "; from 20.10 dockerd will not start with it");
	}
}

/* 0 for no address, else AF_INET or AF_INET6. A zone (fe80::1%eth0) is left to dockerd. */
static int address_family(const char *text)
{
	unsigned char address[sizeof(struct in6_addr)];
	const char *start = text + strspn(text, " \t\n\r");
	size_t length = strcspn(start, "% \t\n\r");
	char copy[INET6_ADDRSTRLEN];

	if (length >= sizeof copy)
		return 0;
	memcpy(copy, start, length);
	copy[length] = '\0';
	if (inet_pton(AF_INET, copy, address) == 1)
		return AF_INET;
	return inet_pton(AF_INET6, copy, address) == 1 ? AF_INET6 : 0;
}

void rule_address(struct collection *collection, const char *key, const json_t *value)
{
	const char *address = json_string_value(value);

	if (*address && !address_family(address))
		collection_report(
			collection, key, true,
			"%s must be an IP address; with anything else dockerd will not start.",
			key);
}

void rule_dns(struct collection *collection, const char *key, const json_t *value)
{
	for (size_t i = 0; i < json_array_size(value) && i < COMPLAINTS_MAX; i++) {
		const char *server = json_string_value(json_array_get(value, i));
		if (server && *server && !address_family(server))
			collection_report(
				collection, key, true,
				"Entry %zu of dns is not an IP address, so dockerd will not start.",
				i + 1);
	}
}

void rule_gateway_ips(struct collection *collection, const char *key, const json_t *value)
{
	unsigned v4 = 0, v6 = 0, none = 0;

	for (size_t i = 0; i < json_array_size(value); i++) {
		const char *address = json_string_value(json_array_get(value, i));
		int family = address ? address_family(address) : 0;
		v4 += family == AF_INET;
		v6 += family == AF_INET6;
		none += address && *address && !family;
	}
	if (none)
		collection_report(collection, key, true,
				  "host-gateway-ips has an entry that is no IP address, so dockerd "
				  "will not start.");
	if (v4 > 1 || v6 > 1)
		collection_report(collection, key, true,
				  "host-gateway-ips takes one IPv4 and one IPv6 address at most; "
				  "with more dockerd will not start.");
}

void rule_old_gateway_ip(struct collection *collection, const char *key, const json_t *value)
{
	rule_address(collection, key, value);
	if (collection_at_least(collection, 28, 0) && json_object_get(collection->document, key) &&
	    json_object_get(collection->document, "host-gateway-ips"))
		collection_report(collection, key, true,
				  "host-gateway-ip is the old name of host-gateway-ips; with both "
				  "in the file dockerd will not start. Keep host-gateway-ips.");
}

static bool is_letter_or_digit(char character)
{
	return character &&
	       strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", character);
}

/* The end of a label: letters, digits, and dashes between them. dockerd's expression has slips that
 * let colons stand in front. NULL where there is none. */
static const char *label_end(const char *at)
{
	at += strspn(at, ":");
	const char *end = at;

	while (is_letter_or_digit(*end) || *end == '-')
		end++;
	return end > at && *at != '-' && end[-1] != '-' ? end : NULL;
}

/* Labels with dots between them, and a letter somewhere (opts.ValidateDNSSearch). */
static bool is_domain_like(const char *domain)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	const char *at = domain + strspn(domain, " ");
	const char *end = label_end(at);

	if (at[0] == '.' && !at[1 + strspn(at + 1, " ")])
		return true;
	while (end && *end == '.' && end[1] && !strchr(" \t\n\r\v\f", end[1]))
		end = label_end(end + 1);
	if (!end || end - at >= 255)
		return false;
	end += *end == '.';
	return !end[strspn(end, " \t\n\r\v\f")] && domain[strcspn(domain, letters)];
}

void rule_dns_search(struct collection *collection, const char *key, const json_t *value)
{
	for (size_t i = 0; i < json_array_size(value) && i < COMPLAINTS_MAX; i++) {
		const char *domain = json_string_value(json_array_get(value, i));
		if (domain && *domain && !is_domain_like(domain))
			collection_report(collection, key, true,
					  "Entry %zu of dns-search is not a domain, so dockerd "
					  "will not start.",
					  i + 1);
	}
}

/* A number, as Go's strconv.ParseInt() takes it. */
static bool is_number(const char *text)
{
	text += *text == '-' || *text == '+';
	return *text && !text[strspn(text, "0123456789")];
}

/* Of one name: one number, or any count of words (swarmkit's genericresource.Parse()). */
static bool mixes_resources(const json_t *list, size_t index)
{
	const char *own = json_string_value(json_array_get(list, index));
	size_t length = strcspn(own, "=");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *other = json_string_value(json_array_get(list, i));
		if (i != index && other && strncmp(other, own, length) == 0 && other[length] == '=')
			return is_number(own + length + 1);
	}
	return false;
}

void rule_generic_resources(struct collection *collection, const char *key, const json_t *value)
{
	for (size_t i = 0; i < json_array_size(value) && i < COMPLAINTS_MAX; i++) {
		const char *resource = json_string_value(json_array_get(value, i));
		const char *equals = resource ? strchr(resource, '=') : NULL;
		bool fine = equals && !strchr(equals + 1, '=') &&
			    !(equals[1] == '-' && is_number(equals + 1)) &&
			    !mixes_resources(value, i);
		if (resource && !fine)
			collection_report(
				collection, key, true,
				"Entry %zu of %s is neither NAME=NUMBER, once a name, nor "
				"NAME=WORD, so dockerd will not start.",
				i + 1, key);
	}
}

/* Whether an address with a scheme has another one than these. */
static bool has_foreign_scheme(const char *address, const char *const *schemes, size_t count)
{
	return strstr(address, "://") && !value_has_scheme(address, schemes, count);
}

static void check_schemes(struct collection *collection, const char *key, const json_t *value,
			  const char *const *schemes, size_t count, const char *wanted)
{
	for (size_t i = 0, complaints = 0;
	     i < json_array_size(value) && complaints < COMPLAINTS_MAX; i++) {
		const char *address = json_string_value(json_array_get(value, i));
		if (!address || !has_foreign_scheme(address, schemes, count))
			continue;
		complaints++;
		collection_report(collection, key, true,
				  "Entry %zu of %s must begin with %s, or dockerd will not start.",
				  i + 1, key, wanted);
	}
}

void rule_hosts(struct collection *collection, const char *key, const json_t *value)
{
	static const char *const schemes[] = {"fd", "unix", "tcp", "npipe"};

	check_schemes(collection, key, value, schemes, array_size(schemes),
		      "fd://, unix:// or tcp://");
}

/* Go lowers the scheme before it looks (net/url). */
static bool is_web_address(const char *address)
{
	return strncasecmp(address, "https://", 8) == 0 || strncasecmp(address, "http://", 7) == 0;
}

/* Before 28.3 only the start looks (facts b.11), and refuses the same. */
void rule_mirrors(struct collection *collection, const char *key, const json_t *value)
{
	for (size_t i = 0, complaints = 0;
	     i < json_array_size(value) && complaints < COMPLAINTS_MAX; i++) {
		const char *address = json_string_value(json_array_get(value, i));
		if (!address || is_web_address(address))
			continue;
		complaints++;
		collection_report(collection, key, true,
				  "Entry %zu of %s must begin with https:// or http://, or dockerd "
				  "will not start.",
				  i + 1, key);
	}
}

/* The member of a Go struct: the name matches in any letter case, the last one counts. */
static const json_t *go_member(const json_t *object, const char *name)
{
	const json_t *found = NULL;
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)object, key, value)
		if (strcasecmp(key, name) == 0)
			found = value;
	return found;
}

/* What is wrong with one entry of default-ulimits, or NULL. */
static const char *ulimit_problem(const json_t *entry)
{
	const char *name = json_string_value(go_member(entry, "Name"));
	json_int_t soft = json_integer_value(go_member(entry, "Soft"));
	json_int_t hard = json_integer_value(go_member(entry, "Hard"));

	if (!name || !*name)
		return "has no member \"Name\" (the key above it is not enough)";
	if (!ulimit_is_known(name))
		return "has a \"Name\" that is no resource limit (they are lower case: nofile, "
		       "nproc, core, memlock ...)";
	if (hard != -1 && (soft == -1 || soft > hard))
		return "has a \"Soft\" above its \"Hard\" (one that is missing counts as 0)";
	return NULL;
}

void rule_ulimits(struct collection *collection, const char *key, const json_t *value)
{
	size_t complaints = 0;
	const char *name;
	json_t *entry;

	json_object_foreach ((json_t *)value, name, entry) {
		const char *problem = ulimit_problem(entry);
		if (problem && complaints++ < COMPLAINTS_MAX)
			collection_report(collection, key, false,
					  "\"%s\" in default-ulimits %s: dockerd starts with it, "
					  "but no container will.",
					  name, problem);
	}
}

static bool has_text(const json_t *value)
{
	return json_is_string(value) && json_string_length(value);
}

static const char *runtime_problem(const json_t *runtime)
{
	bool path = has_text(go_member(runtime, "path"));
	bool type = has_text(go_member(runtime, "runtimeType"));
	bool options = json_object_size(go_member(runtime, "options"));
	bool arguments = json_array_size(go_member(runtime, "runtimeArgs"));

	if (path == type)
		return path ? "has both path and runtimeType" : "has neither path nor runtimeType";
	if (path && options)
		return "has options, which only go with runtimeType";
	return type && arguments ? "has runtimeArgs, which only go with path" : NULL;
}

void rule_runtimes(struct collection *collection, const char *key, const json_t *value)
{
	size_t complaints = 0;
	const char *name;
	json_t *runtime;

	if (json_object_get(value, "runc"))
		collection_report(collection, key, true,
				  "The runtime name runc is reserved, so dockerd will not start. "
				  "Give yours another name.");
	json_object_foreach ((json_t *)value, name, runtime) {
		const char *problem =
			collection_at_least(collection, 25, 0) ? runtime_problem(runtime) : NULL;
		if (problem && complaints++ < COMPLAINTS_MAX)
			collection_report(
				collection, key, true,
				"The runtime \"%s\" %s, so dockerd will not start (from 25.0).",
				name, problem);
	}
}

void rule_default_runtime(struct collection *collection, const char *key, const json_t *value)
{
	const char *name = json_string_value(value);
	json_t *runtimes = collection_value(collection, "runtimes");
	json_t *by_flag = NULL;
	struct error error = ERROR_NONE;

	/* Runtimes of the file and of the flags are merged. */
	if (collection->flags &&
	    flags_value(collection->flags, option_by_key("runtimes"), &by_flag, NULL, &error) < 0)
		collection->out_of_memory = true;
	/* A name with a dot may be a shim that containerd finds by itself. */
	bool known = !*name || strcmp(name, "runc") == 0 || strchr(name, '.') ||
		     json_object_get(runtimes, name) || json_object_get(by_flag, name);
	if (!known && runtimes)
		collection_report(collection, key, true,
				  "default-runtime names a runtime that runtimes does not have, so "
				  "dockerd will not start.");
	json_decref(runtimes);
	json_decref(by_flag);
}

void rule_nri_opts(struct collection *collection, const char *key, const json_t *value)
{
	static const char *const names[] = {"enable", "plugin-path", "plugin-config-path",
					    "socket-path"};
	const char *name;
	json_t *member;

	if (!collection_file_value(collection, key))
		return;
	json_object_foreach ((json_t *)value, name, member)
		if (!value_is_one_of(name, names, array_size(names), true)) {
			collection_report(collection, key, true,
					  "nri-opts has a member \"%s\" that dockerd does not "
					  "know, so it will not start.",
					  name);
			return;
		}
}
