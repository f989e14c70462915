#include "host/unitroot.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "base/text.h"
#include "core/envfile.h"
#include "core/unitfile.h"
#include "host/file.h"
#include "host/unit.h"

/* The largest unit file, and the largest of the small files that specifiers come from. */
#define UNIT_SIZE_MAX ((size_t)1024 * 1024)

struct search {
	const char *root;
	bool running; /* the system that the files are of */
	const char *unit;
	struct unit_facts *facts;
	struct strlist *unseen;
	struct strlist specifiers; /* owns their values */
	struct unit_specifiers known;
};

static void search_done(struct search *search)
{
	strlist_done(&search->specifiers);
}

static int set_text(char **field, const char *text, struct error *error)
{
	char *copy = strdup(text);

	if (!copy)
		return error_set_oom(error);
	free(*field);
	*field = copy;
	return 0;
}

/* --- specifiers --------------------------------------------------------------------------------
 */

static int know(struct search *search, char letter, const char *value)
{
	if (!value)
		return 0;
	if (strlist_add(&search->specifiers, value) < 0)
		return -ENOMEM;
	search->known.value[(unsigned char)letter] =
		search->specifiers.items[search->specifiers.count - 1];
	return 0;
}

/* The first line of a small file, as the value of a specifier. */
static int know_line(struct search *search, char letter, const char *path)
{
	cleanup_text_file struct text_file file = {.path = NULL};
	struct error ignored = ERROR_NONE;

	int r = file_read_under(search->root, path, 4096, &file, &ignored);
	if (r < 0 || file.state != FILE_READ)
		return r == -ENOMEM ? r : 0;
	file.data[strcspn(file.data, " \t\r\n")] = '\0';
	return *file.data ? know(search, letter, file.data) : 0;
}

static int know_release(struct search *search)
{
	static const struct {
		char letter;
		const char *name;
	} fields[] = {{'o', "ID"},         {'w', "VERSION_ID"}, {'B', "BUILD_ID"},
		      {'W', "VARIANT_ID"}, {'M', "IMAGE_ID"},   {'A', "IMAGE_VERSION"}};
	cleanup_text_file struct text_file file = {.path = NULL};
	cleanup_strlist struct strlist list = {.items = NULL};
	struct error ignored = ERROR_NONE;

	int r = file_read_under(search->root, "/etc/os-release", UNIT_SIZE_MAX, &file, &ignored);
	if (r == 0 && file.state == FILE_READ)
		r = envfile_parse(file.data, file.length, &list, &ignored);
	for (size_t i = 0; r >= 0 && file.state == FILE_READ && i < array_size(fields); i++) {
		const char *value = envlist_get(&list, fields[i].name, strlen(fields[i].name));
		r = know(search, fields[i].letter, value ? value : "");
	}
	return r == -ENOMEM ? r : 0;
}

static const char *architecture(const char *machine)
{
	static const struct {
		const char *machine, *name;
	} names[] = {{"x86_64", "x86-64"},  {"aarch64", "arm64"},    {"i686", "x86"},
		     {"armv7l", "arm"},     {"ppc64le", "ppc64-le"}, {"s390x", "s390x"},
		     {"riscv64", "riscv64"}};

	for (size_t i = 0; i < array_size(names); i++)
		if (strcmp(names[i].machine, machine) == 0)
			return names[i].name;
	return NULL;
}

/* What only a running system has. */
static int know_running(struct search *search)
{
	cleanup_text_file struct text_file boot = {.path = NULL};
	struct error ignored = ERROR_NONE;
	struct utsname system;
	char id[40];
	size_t length = 0;

	if (uname(&system) < 0)
		return 0;
	int r = know(search, 'v', system.release);
	if (r == 0)
		r = know(search, 'a', architecture(system.machine));
	if (r == 0)
		r = know(search, 'H', system.nodename);
	if (r < 0)
		return r;
	r = file_read("/proc/sys/kernel/random/boot_id", 128, &boot, &ignored);
	for (const char *at = r == 0 && boot.data ? boot.data : ""; *at && length < sizeof id - 1;
	     at++)
		if (strchr("0123456789abcdef", *at))
			id[length++] = *at;
	id[length] = '\0';
	return length == 32 ? know(search, 'b', id) : 0;
}

static int know_specifiers(struct search *search, struct error *error)
{
	int r = know_line(search, 'H', "/etc/hostname");

	if (r == 0)
		r = know_line(search, 'm', "/etc/machine-id");
	if (r == 0)
		r = know_release(search);
	if (r == 0 && search->running)
		r = know_running(search);
	const char *host = search->known.value['H'];
	if (r == 0 && host) {
		cleanup_free char *first = strndup(host, strcspn(host, "."));
		r = first ? know(search, 'l', first) : -ENOMEM;
	}
	return r < 0 ? error_set_oom(error) : 0;
}

/* --- files ---------------------------------------------------------------------------------------
 */

static int read_text(struct search *search, const char *path, struct error *error)
{
	struct unit_facts *facts = search->facts;
	struct text_file *texts =
		reallocarray(facts->texts, facts->text_count + 1, sizeof *facts->texts);

	if (!texts)
		return error_set_oom(error);
	facts->texts = texts;
	int r = file_read_under(search->root, path, UNIT_SIZE_MAX, &texts[facts->text_count],
				error);
	if (r < 0)
		return r;
	struct text_file *text = &texts[facts->text_count++];
	if (text->state == FILE_UNREADABLE &&
	    strlist_addf(search->unseen, "%s: permission denied; run as root to see it", path) < 0)
		return error_set_oom(error);
	return 0;
}

/* The first folder that has the fragment; one that is empty, or a device, masks the unit. */
static int find_fragment(struct search *search, const char *name, struct error *error)
{
	struct unit_facts *facts = search->facts;

	for (size_t i = 0; i < unit_folder_count; i++) {
		cleanup_strbuf struct strbuf path = STRBUF_EMPTY;
		struct stat st;

		if (strbuf_addf(&path, "%s/%s", unit_folders[i], name) < 0)
			return error_set_oom(error);
		cleanup_free char *full = file_under(search->root, path.data);
		if (!full)
			return error_set_oom(error);
		if (stat(full, &st) < 0)
			continue;
		int r = set_text(&facts->fragment_path, path.data, error);
		bool masked = !S_ISREG(st.st_mode) || !st.st_size;
		if (r == 0)
			r = set_text(&facts->load_state, masked ? "masked" : "loaded", error);
		return r < 0 || masked ? r : read_text(search, path.data, error);
	}
	return set_text(&facts->load_state, "not-found", error);
}

static int is_dropin(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && text_ends_with(entry->d_name, ".conf");
}

static int add_dropins(struct search *search, const char *folder, struct strlist *paths,
		       struct error *error)
{
	cleanup_free char *full = file_under(search->root, folder);
	cleanup_closedir DIR *stream = full ? opendir(full) : NULL;
	const struct dirent *entry;

	if (!full)
		return error_set_oom(error);
	while (stream && (entry = readdir(stream)))
		if (is_dropin(entry) && strlist_addf(paths, "%s/%s", folder, entry->d_name) < 0)
			return error_set_oom(error);
	return 0;
}

static int add_folder(struct search *search, size_t place, const char *name, struct strlist *paths,
		      struct error *error)
{
	cleanup_strbuf struct strbuf folder = STRBUF_EMPTY;

	if (strbuf_addf(&folder, "%s/%s", unit_folders[place], name) < 0)
		return error_set_oom(error);
	return add_dropins(search, folder.data, paths, error);
}

/* Those for all services ("service.d", the last name) count after all others, wherever they are. */
static int find_dropins(struct search *search, struct error *error)
{
	cleanup_strlist struct strlist names = {.items = NULL};
	cleanup_strlist struct strlist paths = {.items = NULL};
	int r = unitfile_dropin_folders(search->unit, &names, error);

	for (size_t i = 0; r == 0 && i < unit_folder_count; i++)
		for (size_t n = 0; r == 0 && n + 1 < names.count; n++)
			r = add_folder(search, i, names.items[n], &paths, error);
	for (size_t i = 0; r == 0 && i < unit_folder_count; i++)
		r = add_folder(search, i, names.items[names.count - 1], &paths, error);
	if (r == 0)
		r = unitfile_order_dropins(&paths, &search->facts->dropin_paths, error);
	return r;
}

/* A drop-in that is a link to /dev/null takes away the one of the same name elsewhere. */
static int read_dropins(struct search *search, struct error *error)
{
	struct strlist *paths = &search->facts->dropin_paths;
	size_t kept = 0;
	int r = 0;

	for (size_t i = 0; i < paths->count; i++) {
		cleanup_free char *full = file_under(search->root, paths->items[i]);
		struct stat st;

		if (!full)
			r = error_set_oom(error);
		bool masks = r == 0 && stat(full, &st) == 0 && !S_ISREG(st.st_mode);
		if (r == 0 && !masks)
			r = read_text(search, paths->items[i], error);
		if (masks) {
			free(paths->items[i]);
			continue;
		}
		paths->items[kept++] = paths->items[i];
	}
	paths->count = kept;
	return r;
}

/* --- which systemd -------------------------------------------------------------------------------
 */

/* Its private library has the version in its name; 0 where there is none. */
static unsigned find_version(const char *root)
{
	static const char *const patterns[] = {"/usr/lib/systemd/libsystemd-shared-*.so",
					       "/usr/lib64/systemd/libsystemd-shared-*.so",
					       "/usr/lib/*/systemd/libsystemd-shared-*.so",
					       "/lib/systemd/libsystemd-shared-*.so"};
	unsigned version = 0;

	for (size_t i = 0; !version && i < array_size(patterns); i++) {
		cleanup_free char *pattern = file_under(root, patterns[i]);
		glob_t found = {.gl_pathc = 0};
		if (pattern && glob(pattern, 0, NULL, &found) == 0) {
			const char *number = strstr(found.gl_pathv[0], "-shared-");
			version = (unsigned)strtoul(number + strlen("-shared-"), NULL, 10);
		}
		globfree(&found);
	}
	return version;
}

/* --- what they say -------------------------------------------------------------------------------
 */

static int take_commands(struct unit_facts *facts, struct unitfile *file, struct error *error)
{
	facts->commands = calloc(file->command_count + 1, sizeof *facts->commands);
	if (!facts->commands)
		return error_set_oom(error);
	for (; facts->command_count < file->command_count; facts->command_count++) {
		struct exec_command *from = &file->commands[facts->command_count].exec;
		facts->commands[facts->command_count] = *from;
		*from = (struct exec_command){.path = NULL};
	}
	const struct exec_command *last =
		facts->command_count ? &facts->commands[facts->command_count - 1] : NULL;
	return last && strlist_add_all(&facts->exec_start, &last->argv) < 0 ? error_set_oom(error)
									    : 0;
}

static void take_list(struct strlist *to, struct strlist *from)
{
	*to = *from;
	*from = (struct strlist){.items = NULL};
}

static int take_file(struct search *search, struct unitfile *file, struct error *error)
{
	struct unit_facts *facts = search->facts;
	int r = take_commands(facts, file, error);

	facts->systemd_version = find_version(search->root);
	take_list(&facts->environment, &file->environment);
	take_list(&facts->unset_environment, &file->unset_environment);
	for (size_t i = 0; r == 0 && i < file->environment_files.count; i++) {
		const char *name = file->environment_files.items[i];
		bool optional = *name == '-';
		if (unit_read_environment_file(search->root, name + optional, optional, facts,
					       search->unseen) < 0)
			r = error_set_oom(error);
	}
	facts->known = true;
	return r;
}

static int parse_texts(struct search *search, struct error *error)
{
	struct unit_facts *facts = search->facts;
	cleanup_unitfile struct unitfile file = {.commands = NULL};
	cleanup_free struct unit_text *texts = calloc(facts->text_count + 1, sizeof *texts);
	struct error why = ERROR_NONE;
	char text[sizeof why];

	if (!texts)
		return error_set_oom(error);
	for (size_t i = 0; i < facts->text_count; i++) {
		const struct text_file *read = &facts->texts[i];
		texts[i] = (struct unit_text){i ? read->path : facts->fragment_path,
					      read->data ? read->data : "", read->length};
	}
	int r = unitfile_parse(texts, facts->text_count, &search->known, &file, &why);
	if (r == -ENOMEM)
		return error_set_oom(error);
	if (r == 0 && unitfile_problem(&file))
		r = error_set(&why, -EINVAL, "read unit", facts->fragment_path, "%s",
			      unitfile_problem(&file));
	if (r < 0) {
		r = set_text(&facts->load_state, "bad-setting", error);
		if (r == 0 &&
		    strlist_add(search->unseen, error_format(&why, text, sizeof text)) < 0)
			r = error_set_oom(error);
		return r;
	}
	return take_file(search, &file, error);
}

static int fill(struct search *search, struct error *error)
{
	int r = set_text(&search->facts->name, search->unit, error);

	if (r == 0)
		r = find_fragment(search, search->unit, error);
	const char *at = strchr(search->unit, '@');
	if (r == 0 && at && text_equal(search->facts->load_state, "not-found")) {
		cleanup_strbuf struct strbuf template = STRBUF_EMPTY;
		(void)strbuf_add(&template, search->unit, (size_t)(at - search->unit) + 1);
		if (strbuf_adds(&template, strrchr(at, '.') ? strrchr(at, '.') : "") < 0)
			return error_set_oom(error);
		r = find_fragment(search, template.data, error);
	}
	if (r < 0 || !text_equal(search->facts->load_state, "loaded"))
		return r;
	r = find_dropins(search, error);
	if (r == 0)
		r = read_dropins(search, error);
	if (r == 0)
		r = know_specifiers(search, error);
	return r < 0 ? r : parse_texts(search, error);
}

int unitroot_read(const char *root, const char *unit, struct unit_facts *ret,
		  struct strlist *unseen, struct error *error)
{
	cleanup_facts struct facts facts = FACTS_EMPTY;
	scoped(search_done) struct search search = {
		.root = root ? root : "",
		.running = root && !*root,
		.unit = unit,
		.facts = &facts.unit,
		.unseen = unseen,
		.known = {.unit = unit},
	};

	int r = fill(&search, error);
	if (r < 0)
		return r;
	*ret = facts.unit;
	facts.unit = (struct unit_facts){.known = false};
	return 0;
}
