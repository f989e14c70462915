/* Small things that come as a line or a few: addresses, socket units, tables of accounts, order of
 * drop-ins, ids and dates. The first byte chooses; texts end with NUL, the last one at the end. */
#include "fuzz.h"

#include <errno.h>

#include "apply/txn.h"
#include "base/text.h"
#include "core/builtin.h"
#include "core/judgement.h"
#include "core/logopts.h"
#include "core/profile.h"
#include "core/rehearsal.h"
#include "core/socketunit.h"
#include "core/syslog.h"
#include "core/tar.h"
#include "core/unitfile.h"

/* ---- syslog addresses ---- */

static void require_same_address(const struct syslog_address *a, const struct syslog_address *b)
{
	require(a->transport == b->transport);
	require((!a->host && !b->host) || text_equal(a->host, b->host));
	require((!a->port && !b->port) || text_equal(a->port, b->port));
	require((!a->path && !b->path) || text_equal(a->path, b->path));
}

/* Spelled in the plainest way it is the same address. */
static void check_spelled(const struct syslog_address *address)
{
	static const char *const schemes[] = {
		[SYSLOG_TCP] = "tcp",   [SYSLOG_TCP_TLS] = "tcp+tls",   [SYSLOG_UDP] = "udp",
		[SYSLOG_UNIX] = "unix", [SYSLOG_UNIXGRAM] = "unixgram",
	};
	cleanup_syslog_address struct syslog_address again = {.host = NULL};
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
	struct error error = ERROR_NONE;

	(void)strbuf_addf(&text, "%s://", schemes[address->transport]);
	if (address->path) {
		require(!address->host && !address->port && address->path[0] == '/');
		(void)strbuf_adds(&text, address->path);
	} else {
		unsigned long port = strtoul(address->port, NULL, 10);
		require(port >= 1 && port <= 65535);
		(void)strbuf_addf(&text, "[%s]:%s", address->host, address->port);
	}
	require(!text.failed);
	if (address->host && strpbrk(address->host, "]@"))
		return;
	require(syslog_address_parse(text.data, &again, &error) == 0);
	require_same_address(address, &again);
}

static void check_address(struct input *input)
{
	cleanup_free char *text = input_text(input, NULL);
	cleanup_syslog_address struct syslog_address address = {.host = NULL};
	struct error error = ERROR_NONE;

	int r = syslog_address_parse(text, &address, &error);
	if (r < 0) {
		require_error(r, &error);
		require(r == -EINVAL && !address.host && !address.port && !address.path);
	} else {
		check_spelled(&address);
	}
}

/* Nothing is left to be filled in, and nothing is loaded that is there already. */
static void check_template(struct input *input)
{
	cleanup_free char *text = input_text(input, NULL);
	const char *template = *text ? text : builtin_rsyslog_listener();
	cleanup_free char *loads = syslog_input_text(template, "127.0.0.1", "514", true);
	cleanup_free char *plain = syslog_input_text(template, "127.0.0.1", "514", false);

	require(loads && plain && strlen(plain) <= strlen(loads));
	require(!text_starts_with(plain, "module(") && !strstr(plain, "\nmodule("));
	require(!strstr(loads, "@PORT@") || strstr(text, "@@") || strstr(text, "@PO"));
}

/* ---- units ---- */

static void check_socket_unit(struct input *input)
{
	size_t lengths[2];
	cleanup_free char *fragment = input_text(input, &lengths[0]);
	cleanup_free char *dropin = input_rest(input, &lengths[1]);
	const struct unit_text texts[] = {{"docker.socket", fragment, lengths[0]},
					  {"50-site.conf", dropin, lengths[1]}};
	cleanup_socket_unit struct socket_unit unit = {.mode = 0};

	require(socket_unit_parse(texts, array_size(texts), &unit) == 0);
	require(unit.mode <= 07777);
	for (size_t i = 0; i < unit.streams.count; i++) {
		require(unit.streams.items[i][0] == '/');
		require(socket_paths_equal(unit.streams.items[i], unit.streams.items[i]));
	}
}

static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Each name once, in order, and each from the list. */
static void check_order(struct input *input)
{
	cleanup_strlist struct strlist paths = {.items = NULL}, ordered = {.items = NULL};
	cleanup_strlist struct strlist folders = {.items = NULL};
	struct error error = ERROR_NONE;

	while (input->size) {
		cleanup_free char *path = input_text(input, NULL);
		require(strlist_add(&paths, path) == 0);
	}
	require(unitfile_order_dropins(&paths, &ordered, &error) == 0);
	require(ordered.count <= paths.count);
	for (size_t i = 0; i < ordered.count; i++) {
		require(strlist_contains(&paths, ordered.items[i]));
		require(!i || strcmp(name_of(ordered.items[i - 1]), name_of(ordered.items[i])) < 0);
	}
	if (!paths.count)
		return;
	require(unitfile_dropin_folders(paths.items[0], &folders, &error) == 0);
	for (size_t i = 0; i < folders.count; i++)
		require(text_ends_with(folders.items[i], ".d"));
}

/* ---- accounts ---- */

/* A number in a field of the last line. */
static uint64_t last_field(const struct strbuf *table, unsigned field)
{
	const char *line = table->data + table->length - 1;

	require(*line == '\n');
	while (line > table->data && line[-1] != '\n')
		line--;
	require(text_starts_with(line, "dockremap:"));
	for (; field; field--)
		line = strchr(line, ':') + 1;
	return strtoull(line, NULL, 10);
}

/* The tables stay as they are, and have one line more, whose ids are within what they may be. */
static void check_accounts(struct input *input)
{
	char *texts[ACCOUNT_TABLES];
	struct error error = ERROR_NONE;

	for (size_t i = 0; i < ACCOUNT_TABLES; i++)
		texts[i] = input_text(input, NULL);
	for (enum account_table table = 0; table < ACCOUNT_TABLES; table++) {
		cleanup_strbuf struct strbuf out = STRBUF_EMPTY;
		bool range = table == ACCOUNT_SUBUID || table == ACCOUNT_SUBGID;
		require(rehearsal_account((const char *const *)texts, table, &out, &error) == 0);
		require(text_starts_with(out.data, texts[table]));
		uint64_t id = last_field(&out, range ? 1 : 2);
		require(range ? id >= 100000 : id >= 100 && id <= 999);
	}
	for (size_t i = 0; i < ACCOUNT_TABLES; i++)
		free(texts[i]);
}

/* ---- names, ids, dates ---- */

static void check_names(struct input *input)
{
	static const struct dockerver version = {26, 1, 5};
	cleanup_free char *text = input_text(input, NULL);
	cleanup_strlist struct strlist path = {.items = NULL};
	cleanup_strbuf struct strbuf joined = STRBUF_EMPTY;
	size_t length = strlen(text);

	if (txn_id_is_valid(text))
		require(length == 16 || length == 20);
	if (txn_container_id_is_valid(text))
		require(length == 64 && strspn(text, "0123456789abcdef") == length);
	if (profile_date_is_valid(text))
		require(length == 10 && strspn(text, "0123456789-") == length);
	const char *near = log_driver_suggest(text, version);
	require(!near || log_driver_is_builtin(near, version));
	near = option_suggest(text, version);
	require(!near || *near);
	(void)log_opt_is_accepted("syslog", text, version);
	if (setting_path(text, &path, NULL) < 0)
		return;
	for (size_t i = 0; i < path.count; i++)
		(void)strbuf_addf(&joined, "%s%s", i ? "." : "", path.items[i]);
	require(!joined.failed && strcmp(joined.data, text) == 0);
}

static void check_tar(struct input *input)
{
	cleanup_free char *name = input_text(input, NULL);
	size_t length;
	cleanup_free char *bytes = input_rest(input, &length);
	cleanup_strbuf struct strbuf tar = STRBUF_EMPTY;
	struct error error = ERROR_NONE;

	int r = tar_add_file(&tar, name, 0755, bytes, length, &error);
	if (r < 0) {
		require_error(r, &error);
		require(!tar.length);
		return;
	}
	require(tar.length == 512 + (length + 511) / 512 * 512);
	require(strncmp(tar.data, name, 100) == 0);
	require(strtoul(tar.data + 124, NULL, 8) == length);
	require(memcmp(tar.data + 512, bytes, length) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const checks[])(struct input *) = {
		check_address,  check_template, check_socket_unit, check_order,
		check_accounts, check_names,    check_tar,
	};
	struct input input = {data, size};

	checks[input_byte(&input) % array_size(checks)](&input);
	return 0;
}
