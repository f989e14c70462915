#include "core/syslog.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/strlist.h"
#include "base/text.h"
#include "core/mask.h"

#define KEY_DRIVER "log-driver"
#define KEY_ADDRESS "log-opts.syslog-address"
#define DEFAULT_PORT "514"

/* --- addresses ---------------------------------------------------------------------------------
 */

void syslog_address_done(struct syslog_address *address)
{
	free(address->host);
	free(address->port);
	free(address->path);
	*address = (struct syslog_address){.host = NULL};
}

static int bad_address(const char *text, struct error *error, const char *why)
{
	return error_set(error, -EINVAL, "read address", text, "%s", why);
}

/* The scheme, whatever its letter case, as Go's url.Parse() takes it. Returns what is behind it. */
static const char *read_transport(const char *text, enum syslog_transport *ret)
{
	static const char *const schemes[] = {
		[SYSLOG_TCP] = "tcp://",           [SYSLOG_TCP_TLS] = "tcp+tls://",
		[SYSLOG_UDP] = "udp://",           [SYSLOG_UNIX] = "unix://",
		[SYSLOG_UNIXGRAM] = "unixgram://",
	};

	for (size_t i = 0; i < array_size(schemes); i++) {
		if (strncasecmp(text, schemes[i], strlen(schemes[i])) != 0)
			continue;
		*ret = (enum syslog_transport)i;
		return text + strlen(schemes[i]);
	}
	return NULL;
}

/* "host", "host:port", "[::1]", "[::1]:port" */
static int read_host(const char *text, const char *authority, size_t length,
		     struct syslog_address *ret, struct error *error)
{
	const char *end = authority + length;
	const char *host = authority;
	const char *host_end;
	const char *port;

	if (length && *host == '[') {
		host_end = memchr(host, ']', length);
		if (!host_end)
			return bad_address(text, error, "a \"]\" is missing in it");
		host++;
		port = host_end + 1;
	} else {
		host_end = memchr(host, ':', length);
		if (!host_end)
			host_end = end;
		port = host_end;
	}
	if (port < end && *port != ':')
		return bad_address(text, error, "there is something behind its \"]\"");
	if (port < end && memchr(port + 1, ':', (size_t)(end - port - 1)))
		return bad_address(text, error, "an IPv6 address stands in brackets there, [::1]");
	const char *digits = port < end ? port + 1 : DEFAULT_PORT;
	size_t digit_count = port < end ? (size_t)(end - digits) : strlen(DEFAULT_PORT);
	bool valid = digit_count && digit_count <= 5;
	for (size_t i = 0; i < digit_count; i++)
		valid = valid && isdigit((unsigned char)digits[i]);
	if (!valid || strtoul(digits, NULL, 10) > 65535 || strtoul(digits, NULL, 10) == 0)
		return bad_address(text, error, "its port is no number from 1 to 65535");
	ret->host = strndup(host, (size_t)(host_end - host));
	ret->port = strndup(digits, digit_count);
	return ret->host && ret->port ? 0 : error_set_oom(error);
}

int syslog_address_parse(const char *text, struct syslog_address *ret, struct error *error)
{
	cleanup_syslog_address struct syslog_address address = {.host = NULL};
	const char *rest = read_transport(text, &address.transport);
	int r = 0;

	if (!rest)
		return bad_address(text, error,
				   "it must begin with tcp://, tcp+tls://, udp://, unix:// or "
				   "unixgram://");
	size_t length = strcspn(rest, "/?#");
	if (address.transport == SYSLOG_UNIX || address.transport == SYSLOG_UNIXGRAM) {
		const char *path = rest + length;
		if (*path != '/')
			return bad_address(text, error,
					   "the path of its socket must be absolute, as in "
					   "unix:///dev/log");
		address.path = strndup(path, strcspn(path, "?#"));
		r = address.path ? 0 : error_set_oom(error);
	} else {
		const char *at = memrchr(rest, '@', length);
		const char *authority = at ? at + 1 : rest;
		r = read_host(text, authority, length - (size_t)(authority - rest), &address,
			      error);
	}
	if (r < 0)
		return r;
	*ret = address;
	address = (struct syslog_address){.host = NULL};
	return 0;
}

/* --- which address it is -----------------------------------------------------------------------
 */

struct question {
	const struct profile *profile;
	const struct plan_options *options;
	const struct configuration *configuration;
};

static bool is_left_alone(const struct question *question, const char *key)
{
	const struct plan_options *options = question->options;

	for (size_t i = 0; i < options->skip_count; i++)
		if (strcmp(options->skips[i].key, key) == 0)
			return true;
	return options->only.count && !strlist_contains(&options->only, key);
}

/* The text that a key will have if all goes well, as a new string; NULL where it will have none. */
static int decided_text(const struct question *question, const char *key, char **ret,
			struct error *error)
{
	cleanup_strlist struct strlist path = {.items = NULL};
	const struct profile_row *row = profile_find(question->profile, key);
	const struct plan_options *options = question->options;
	json_auto_t *current = NULL;
	enum value_source source;

	int r = setting_path(key, &path, error);
	if (r == 0)
		r = configuration_value(question->configuration, (const char *const *)path.items,
					path.count, &current, &source, NULL, error);
	if (r < 0)
		return r;
	const json_t *value = current;
	if (row && !is_left_alone(question, key) && !value_complies(row, current))
		value = row->wanted;
	for (size_t i = 0; i < options->want_count; i++)
		if (strcmp(options->wants[i].key, key) == 0 && !is_left_alone(question, key))
			value = options->wants[i].value;
	const char *text = json_string_value(value);
	*ret = text && *text ? strdup(text) : NULL;
	return text && *text && !*ret ? error_set_oom(error) : 0;
}

int syslog_address_wanted(const struct facts *facts, const struct profile *profile,
			  const struct plan_options *options, char **ret, struct error *error)
{
	cleanup_configuration struct configuration configuration = {.document = NULL};
	struct question question = {profile, options, &configuration};
	struct error ignored = ERROR_NONE;
	cleanup_free char *driver = NULL;

	*ret = NULL;
	/* What is wrong with the command line is the planner's to say. */
	int r = configuration_read_flags(facts, &configuration, &ignored);
	if (r < 0)
		return r == -ENOMEM ? error_set_oom(error) : 0;
	if (facts->config_document) {
		json_decref(configuration.document);
		configuration.document = json_incref(facts->config_document);
	}
	r = decided_text(&question, KEY_DRIVER, &driver, error);
	if (r < 0 || !text_equal(driver, "syslog"))
		return r;
	return decided_text(&question, KEY_ADDRESS, ret, error);
}

/* --- rsyslog's input ---------------------------------------------------------------------------
 */

static void add_line(struct strbuf *out, const char *line, size_t length, const char *host,
		     const char *port)
{
	static const char address_mark[] = "@ADDRESS@";
	static const char port_mark[] = "@PORT@";

	while (length) {
		bool is_address = strncmp(line, address_mark, strlen(address_mark)) == 0;
		bool is_port = strncmp(line, port_mark, strlen(port_mark)) == 0;
		size_t used = is_address ? strlen(address_mark) : is_port ? strlen(port_mark) : 1;

		if (is_address || is_port)
			(void)strbuf_adds(out, is_address ? host : port);
		else
			(void)strbuf_addc(out, *line);
		line += used;
		length -= used;
	}
}

char *syslog_input_text(const char *template, const char *host, const char *port, bool load_module)
{
	cleanup_strbuf struct strbuf out = STRBUF_EMPTY;

	for (const char *line = template; *line;) {
		size_t length = strcspn(line, "\n");
		length += line[length] == '\n';
		if (load_module || !text_starts_with(line, "module("))
			add_line(&out, line, length, host, port);
		line += length;
	}
	return strbuf_finish(&out);
}

/* --- judging -----------------------------------------------------------------------------------
 */

/* Whether the daemon will log to this very address with the changes decided so far. */
static int logs_there(const struct judgement *judgement, const char *address, bool *ret,
		      struct error *error)
{
	static const char *const path[] = {"log-opts", "syslog-address"};
	struct configuration later = *judgement->configuration;
	json_auto_t *value = NULL;
	enum value_source source;

	later.document = (json_t *)judgement->intended;
	int r = configuration_value(&later, path, 2, &value, &source, NULL, error);
	*ret = r == 0 && text_equal(json_string_value(value), address);
	return r;
}

static int is_concerned(const struct judgement *judgement, const struct setting *setting, bool *ret,
			struct error *error)
{
	const char *address = judgement->facts->syslog.address;
	bool changes = setting->state == SETTING_CHANGE;
	const char *text = json_string_value(changes ? setting->wanted : setting->current);

	*ret = false;
	if (!address || (!changes && setting->state != SETTING_OK))
		return 0;
	if (strcmp(setting->row->key, KEY_ADDRESS) == 0)
		*ret = text_equal(text, address);
	else if (strcmp(setting->row->key, KEY_DRIVER) == 0 && text_equal(text, "syslog"))
		*ret = true;
	/* A driver that stays may have an address that works, where only the new one does not. */
	if (*ret && !changes)
		return logs_there(judgement, address, ret, error);
	return 0;
}

/* What the admin can do about it. */
static int note_ways_out(struct judgement *judgement, struct error *error)
{
	const struct syslog_facts *syslog = &judgement->facts->syslog;

	switch (syslog->rsyslog) {
	case RSYSLOG_ABSENT:
		return judgement_note(
			judgement, error,
			"Two ways out: install rsyslog (apt-get install rsyslog) and run harden "
			"again, which then has it listen there; or name another address with "
			"--set " KEY_ADDRESS "=….");
	case RSYSLOG_STOPPED:
		return judgement_note(
			judgement, error,
			"rsyslog is installed and does not run. Two ways out: systemctl enable "
			"--now rsyslog, and run harden again, which then has it listen there; or "
			"name another address with --set " KEY_ADDRESS "=….");
	case RSYSLOG_UNFIT:
		return judgement_note(
			judgement, error,
			"rsyslog cannot be told to listen there, for its own check (rsyslogd -N1) "
			"refuses the configuration: %s. Mend that, or name another address with "
			"--set " KEY_ADDRESS "=….",
			syslog->rsyslog_reason ? syslog->rsyslog_reason : "it gives no reason");
	case RSYSLOG_NOT_ASKED:
	case RSYSLOG_READY:
	default:
		return judgement_note(judgement, error,
				      "Start the log service there, or name another address with "
				      "--set " KEY_ADDRESS "=….");
	}
}

static int block(struct judgement *judgement, struct setting *setting, struct error *error)
{
	const struct syslog_facts *syslog = &judgement->facts->syslog;
	bool udp = text_starts_with(syslog->address, "udp:");
	const char *present =
		setting->state == SETTING_OK ? "It is configured, but nobody" : "Nobody";

	setting->state = SETTING_BLOCKED;
	judgement->complies = false;
	int r = judgement_note(judgement, error, "%s takes logs at %s (%s)%s.", present,
			       syslog->address, syslog->reason ? syslog->reason : "no answer",
			       udp ? ", so they would be lost" : ", so no container would start");
	return r < 0 ? r : note_ways_out(judgement, error);
}

int judge_syslog(struct judgement *judgement, struct setting *setting, struct error *error)
{
	const struct syslog_facts *syslog = &judgement->facts->syslog;
	bool concerned = false;

	int r = is_concerned(judgement, setting, &concerned, error);
	if (r < 0 || !concerned || syslog->answers == YES)
		return r;
	if (syslog->answers == UNKNOWN)
		return setting->state == SETTING_CHANGE && syslog->reason
			       ? judgement_note(judgement, error, "%s: %s.", syslog->address,
						syslog->reason)
			       : 0;
	if (syslog->rsyslog != RSYSLOG_READY)
		return block(judgement, setting, error);
	if (setting->state == SETTING_OK) {
		setting->state = SETTING_CHANGE;
		setting->effect = EFFECT_NONE;
	}
	return judgement_note(judgement, error,
			      "Nobody listens at %s yet: rsyslog is told to, at that address only, "
			      "and restarted before dockerd.",
			      syslog->address);
}

/* --- planning ----------------------------------------------------------------------------------
 */

static bool needs_listener(const struct facts *facts, const struct plan *plan)
{
	const struct syslog_facts *syslog = &facts->syslog;

	if (!syslog->address || syslog->answers != NO || syslog->rsyslog != RSYSLOG_READY)
		return false;
	for (size_t i = 0; i < plan->setting_count; i++) {
		const char *key = plan->settings[i].row->key;
		bool ours = strcmp(key, KEY_DRIVER) == 0 || strcmp(key, KEY_ADDRESS) == 0;
		if (ours && plan->settings[i].state == SETTING_CHANGE)
			return true;
	}
	return false;
}

static int plan_input(const struct syslog_facts *syslog, struct plan *plan, struct error *error)
{
	const struct text_file *input = &syslog->input;
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;

	if (input->state == FILE_READ)
		(void)strbuf_add(&text, input->data, input->length);
	if (text.length && text.data[text.length - 1] != '\n')
		(void)strbuf_addc(&text, '\n');
	if (strbuf_adds(&text, syslog->addition) < 0)
		return error_set_oom(error);
	return plan_add_text(plan, RSYSLOG_INPUT, input, &text, NULL, error);
}

int syslog_plan_listener(const struct facts *facts, struct plan *plan, struct error *error)
{
	const struct syslog_facts *syslog = &facts->syslog;

	if (!needs_listener(facts, plan))
		return 0;
	plan->listener.unit = strdup(RSYSLOG_UNIT);
	plan->listener.address = strdup(syslog->address);
	if (!plan->listener.unit || !plan->listener.address)
		return error_set_oom(error);
	/* It may be in the file already, and rsyslog was not restarted since. */
	return syslog->addition && *syslog->addition ? plan_input(syslog, plan, error) : 0;
}
