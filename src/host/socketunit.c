#include "host/socketunit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <systemd/sd-bus.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "core/rules.h"
#include "core/socketunit.h"
#include "core/unitfile.h"
#include "host/account.h"
#include "host/bus.h"
#include "host/clock.h"
#include "host/file.h"

#define DOCKER_SOCK "/run/docker.sock"
#define UNIT_SIZE_MAX ((size_t)1024 * 1024)
#define BUS_US 5000000

/* ---- asked of systemd ---- */

static int read_streams(sd_bus_message *message, void *field)
{
	struct strlist *streams = field;
	const char *type;
	const char *address;
	int r = sd_bus_message_enter_container(message, 'a', "(ss)");

	while (r >= 0 && (r = sd_bus_message_read(message, "(ss)", &type, &address)) > 0)
		if (strcmp(type, "Stream") == 0 && *address == '/')
			r = strlist_add(streams, address);
	return r < 0 ? r : sd_bus_message_exit_container(message);
}

static int read_name(sd_bus_message *message, void *field)
{
	const char *text;
	int r = sd_bus_message_read_basic(message, 's', &text);

	if (r < 0 || !*text)
		return r;
	char *copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	free(*(char **)field);
	*(char **)field = copy;
	return 0;
}

static int read_mode(sd_bus_message *message, void *field)
{
	uint32_t mode;
	int r = sd_bus_message_read_basic(message, 'u', &mode);

	if (r >= 0)
		*(mode_t *)field = (mode_t)mode;
	return r;
}

static const struct bus_property properties[] = {
	{"Listen", "a(ss)", read_streams, offsetof(struct socket_unit, streams)},
	{"SocketMode", "u", read_mode, offsetof(struct socket_unit, mode)},
	{"SocketUser", "s", read_name, offsetof(struct socket_unit, user)},
	{"SocketGroup", "s", read_name, offsetof(struct socket_unit, group)},
};

static int new_question(sd_bus *bus, const char *name, sd_bus_message **ret)
{
	cleanup_free char *path = NULL;
	int r = sd_bus_path_encode(SYSTEMD_UNIT_PATH, name, &path);

	if (r >= 0)
		r = sd_bus_message_new_method_call(bus, ret, SYSTEMD_NAME, path,
						   "org.freedesktop.DBus.Properties", "GetAll");
	/* Asking must not start what is asked. */
	if (r >= 0)
		r = sd_bus_message_set_auto_start(*ret, 0);
	return r < 0 ? r : sd_bus_message_append(*ret, "s", SYSTEMD_NAME ".Socket");
}

static int ask(const char *name, struct socket_unit *unit, unsigned *bus_calls)
{
	cleanup_bus sd_bus *bus = NULL;
	cleanup_message sd_bus_message *call = NULL;
	cleanup_message sd_bus_message *reply = NULL;

	int r = bus_open(&bus);
	if (r >= 0)
		r = new_question(bus, name, &call);
	if (r < 0)
		return r;
	(*bus_calls)++;
	r = bus_call(bus, call, clock_now_us() + BUS_US, &reply);
	if (r >= 0 && sd_bus_message_get_error(reply))
		r = -sd_bus_message_get_errno(reply);
	return r < 0 ? r : bus_read_properties(reply, properties, array_size(properties), unit);
}

/* ---- read from its files ---- */

/* The files of the unit, as they count. */
struct unit_files {
	struct text_file *items;
	size_t count;
};

static void unit_files_done(struct unit_files *files)
{
	for (size_t i = 0; i < files->count; i++)
		text_file_done(&files->items[i]);
	free(files->items);
}

/* 1 when it was read. */
static int add_text(struct unit_files *files, const char *path)
{
	struct text_file *items = reallocarray(files->items, files->count + 1, sizeof *items);
	struct error ignored = ERROR_NONE;

	if (!items)
		return -ENOMEM;
	files->items = items;
	items[files->count] = (struct text_file){.path = NULL};
	int r = file_read(path, UNIT_SIZE_MAX, &items[files->count], &ignored);
	if (r == -ENOMEM)
		return r;
	bool read = r == 0 && items[files->count].state == FILE_READ;
	if (!read)
		text_file_done(&items[files->count]);
	files->count += read;
	return read;
}

static int find_fragment(const char *name, struct unit_files *files)
{
	for (size_t i = 0; i < unit_folder_count; i++) {
		cleanup_strbuf struct strbuf path = STRBUF_EMPTY;
		if (strbuf_addf(&path, "%s/%s", unit_folders[i], name) < 0)
			return -ENOMEM;
		int r = access(path.data, F_OK) == 0 ? add_text(files, path.data) : 0;
		if (r != 0 || access(path.data, F_OK) == 0)
			return r;
	}
	return 0;
}

static int list_folder(const char *folder, struct strlist *ret)
{
	cleanup_closedir DIR *handle = opendir(folder);
	const struct dirent *entry;

	while (handle && (entry = readdir(handle)))
		if (entry->d_name[0] != '.' && text_ends_with(entry->d_name, ".conf") &&
		    strlist_addf(ret, "%s/%s", folder, entry->d_name) < 0)
			return -ENOMEM;
	return 0;
}

/* All drop-ins, in the order in which they count. */
static int list_dropins(const char *name, struct strlist *ret, struct error *error)
{
	cleanup_strlist struct strlist names = {.items = NULL};
	cleanup_strlist struct strlist found = {.items = NULL};

	int r = unitfile_dropin_folders(name, &names, error);
	for (size_t k = 0; r == 0 && k < names.count; k++) {
		for (size_t i = 0; r == 0 && i < unit_folder_count; i++) {
			cleanup_strbuf struct strbuf folder = STRBUF_EMPTY;
			if (strbuf_addf(&folder, "%s/%s", unit_folders[i], names.items[k]) < 0)
				return error_set_oom(error);
			if (list_folder(folder.data, &found) < 0)
				return error_set_oom(error);
		}
	}
	return r < 0 ? r : unitfile_order_dropins(&found, ret, error);
}

static int read_files(const char *name, const struct strlist *dropins, struct socket_unit *unit)
{
	scoped(unit_files_done) struct unit_files files = {.items = NULL};
	struct unit_text texts[256];
	size_t count = 0;

	int r = find_fragment(name, &files);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	for (size_t i = 0; r >= 0 && i < dropins->count; i++)
		r = add_text(&files, dropins->items[i]);
	for (; r >= 0 && count < files.count && count < array_size(texts); count++)
		texts[count] = (struct unit_text){files.items[count].path, files.items[count].data,
						  files.items[count].length};
	return r < 0 ? r : socket_unit_parse(texts, count, unit);
}

/* ---- both ---- */

static char *unit_name(const struct facts *facts)
{
	cleanup_strbuf struct strbuf name = STRBUF_EMPTY;
	const char *service = facts->unit.name ? facts->unit.name : "docker.service";
	size_t stem = text_ends_with(service, ".service") ? strlen(service) - strlen(".service")
							  : strlen(service);

	(void)strbuf_addf(&name, "%.*s.socket", (int)stem, service);
	return strbuf_finish(&name);
}

/* A name behind those of all other drop-ins: the last one counts. */
static int choose_dropin(const char *name, const struct strlist *dropins, struct text_file *ret,
			 struct error *error)
{
	cleanup_strbuf struct strbuf file = STRBUF_EMPTY;
	cleanup_strbuf struct strbuf path = STRBUF_EMPTY;

	(void)strbuf_adds(&file, "zz-harden.conf");
	for (size_t i = 0; i < dropins->count && !file.failed; i++) {
		const char *other = strrchr(dropins->items[i], '/') + 1;
		/* Names with a z more are harden's own, too. */
		while (!file.failed && strcmp(other, file.data) > 0)
			(void)strbuf_splice(&file, 0, 0, "z", 1);
	}
	if (file.failed || strbuf_addf(&path, "/etc/systemd/system/%s.d/%s", name, file.data) < 0)
		return error_set_oom(error);
	return file_read(path.data, UNIT_SIZE_MAX, ret, error);
}

static int fill(const struct socket_unit *unit, const char *path, struct socket_unit_facts *ret)
{
	ret->opens = NO;
	for (size_t i = 0; i < unit->streams.count; i++)
		if (socket_paths_equal(unit->streams.items[i], path))
			ret->opens = YES;
	ret->path = strdup(path);
	ret->mode = unit->mode;
	ret->user = strdup(unit->user ? unit->user : "root");
	/* Without a group it is the user's own, which for root is root. */
	ret->group = strdup(unit->group ? unit->group : ret->user ? ret->user : "root");
	return ret->path && ret->user && ret->group ? 0 : -ENOMEM;
}

static int read_unit(struct facts *facts, const char *path, struct error *error)
{
	cleanup_socket_unit struct socket_unit unit = {.mode = 0666};
	cleanup_strlist struct strlist dropins = {.items = NULL};
	struct socket_unit_facts *ret = &facts->socket_unit;

	ret->name = unit_name(facts);
	if (!ret->name)
		return error_set_oom(error);
	int r = list_dropins(ret->name, &dropins, error);
	if (r < 0)
		return r;
	r = facts->image            ? read_files(ret->name, &dropins, &unit)
	    : facts->systemd == YES ? ask(ret->name, &unit, &facts->bus_calls)
				    : -ENOENT;
	if (r == -ENOMEM)
		return error_set_oom(error);
	/* Without an answer it stays unknown who opens the socket. */
	if (r < 0)
		return 0;
	if (fill(&unit, path, ret) < 0)
		return error_set_oom(error);
	return ret->opens == YES ? choose_dropin(ret->name, &dropins, &ret->dropin, error) : 0;
}

/* The row, and the socket that is not as it wants it; *ret_path stays NULL where all is well. */
static const struct profile_row *find_row(const struct facts *facts, const struct profile *profile,
					  const char **ret_path)
{
	const struct profile_row *row = NULL;

	*ret_path = NULL;
	for (size_t i = 0; i < profile->row_count; i++)
		if (profile->rows[i].rule == RULE_FILE &&
		    text_equal(profile->rows[i].role, ROLE_DOCKER_SOCK))
			row = &profile->rows[i];
	for (size_t i = 0; row && i < facts->file_count; i++)
		if (text_equal(facts->files[i].role, ROLE_DOCKER_SOCK) &&
		    !file_complies(row, &facts->files[i]))
			*ret_path = facts->files[i].path;
	if (row && facts->image)
		*ret_path = DOCKER_SOCK;
	return row;
}

int socket_unit_read(struct facts *facts, const struct profile *profile, struct error *error)
{
	const char *path = NULL;
	const struct profile_row *row = find_row(facts, profile, &path);

	if (!row || !path)
		return 0;
	int r = read_unit(facts, path, error);
	if (r < 0)
		return r;
	const char *group = strchr(row->owner, ':');
	return account_find_group("", group ? group + 1 : "", &facts->socket_unit.wanted_gid,
				  error);
}
