#include "core/socketunit.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "core/builtin.h"
#include "core/mask.h"
#include "core/rules.h"

#define SYSTEMD_MODE 0666

/* --- reading -----------------------------------------------------------------------------------
 */

void socket_unit_done(struct socket_unit *unit)
{
	strlist_done(&unit->streams);
	free(unit->user);
	free(unit->group);
	*unit = (struct socket_unit){.mode = SYSTEMD_MODE};
}

static int take_name(char **field, const char *value)
{
	char *copy = *value ? strdup(value) : NULL;

	if (*value && !copy)
		return -ENOMEM;
	free(*field);
	*field = copy;
	return 0;
}

static void take_mode(struct socket_unit *unit, const char *value)
{
	char *end = NULL;
	unsigned long mode = strtoul(value, &end, 8);

	if (isdigit((unsigned char)*value) && !*end && mode <= 07777)
		unit->mode = (mode_t)mode;
}

static int take_setting(struct socket_unit *unit, const char *name, const char *value)
{
	if (strcmp(name, "SocketMode") == 0)
		take_mode(unit, value);
	else if (strcmp(name, "SocketUser") == 0)
		return take_name(&unit->user, value);
	else if (strcmp(name, "SocketGroup") == 0)
		return take_name(&unit->group, value);
	else if (strcmp(name, "ListenStream") == 0 && !*value)
		strlist_done(&unit->streams);
	else if (strcmp(name, "ListenStream") == 0 && *value == '/')
		return strlist_add(&unit->streams, value);
	return 0;
}

/* Without the blanks at both ends; changes the text. */
static char *strip(char *text)
{
	size_t length;

	text += strspn(text, " \t\r");
	length = strlen(text);
	while (length && strchr(" \t\r", text[length - 1]))
		text[--length] = '\0';
	return text;
}

static int read_line(struct socket_unit *unit, char *line, bool *in_section)
{
	char *equals;

	line = strip(line);
	if (*line == '[') {
		*in_section = strcmp(line, "[Socket]") == 0;
		return 0;
	}
	equals = strchr(line, '=');
	if (!*line || *line == '#' || *line == ';' || !*in_section || !equals)
		return 0;
	*equals = '\0';
	return take_setting(unit, strip(line), strip(equals + 1));
}

static int read_text(struct socket_unit *unit, const struct unit_text *text)
{
	bool in_section = false;
	int r = 0;

	for (size_t at = 0; r == 0 && at < text->length;) {
		const char *start = text->text + at;
		const char *end = memchr(start, '\n', text->length - at);
		size_t length = end ? (size_t)(end - start) : text->length - at;
		cleanup_free char *line = strndup(start, length);
		if (!line)
			return -ENOMEM;
		r = read_line(unit, line, &in_section);
		at += length + 1;
	}
	return r;
}

int socket_unit_parse(const struct unit_text *texts, size_t count, struct socket_unit *ret)
{
	cleanup_socket_unit struct socket_unit unit = {.mode = SYSTEMD_MODE};
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++)
		r = read_text(&unit, &texts[i]);
	if (r < 0)
		return r;
	*ret = unit;
	unit = (struct socket_unit){.mode = SYSTEMD_MODE};
	return 0;
}

bool socket_paths_equal(const char *a, const char *b)
{
	static const char var[] = "/var";

	if (text_starts_with(a, "/var/run/"))
		a += strlen(var);
	if (text_starts_with(b, "/var/run/"))
		b += strlen(var);
	return strcmp(a, b) == 0;
}

/* --- judging -----------------------------------------------------------------------------------
 */

/* "root:docker" */
static bool is_owner(const char *owner, const char *user, const char *group)
{
	size_t length = strcspn(owner, ":");

	return strlen(user) == length && strncmp(owner, user, length) == 0 && owner[length] &&
	       strcmp(owner + length + 1, group) == 0;
}

bool socket_unit_complies(const struct socket_unit_facts *unit, const struct profile_row *row)
{
	return unit->opens != YES || ((unit->mode & ~row->mode & 07777) == 0 &&
				      is_owner(row->owner, unit->user, unit->group));
}

static int list_wrong(const struct facts *facts, const struct profile_row *row, json_t *wrong)
{
	const struct socket_unit_facts *unit = &facts->socket_unit;
	int r = 0;

	for (size_t i = 0; r == 0 && i < facts->file_count; i++) {
		const struct file_facts *file = &facts->files[i];
		if (text_equal(file->role, row->role) && !file_complies(row, file))
			r = json_array_append_new(wrong, json_sprintf("%s %s %04o", file->path,
								      file->owner, file->mode));
	}
	if (r == 0 && !socket_unit_complies(unit, row))
		r = json_array_append_new(wrong, json_sprintf("%s %s:%s %04o", unit->name,
							      unit->user, unit->group, unit->mode));
	return r;
}

static int note_change(struct judgement *judgement, struct setting *setting, struct error *error)
{
	const struct socket_unit_facts *unit = &judgement->facts->socket_unit;

	if (unit->opens == NO)
		setting->state = SETTING_MANUAL;
	if (unit->opens == NO)
		return judgement_note(judgement, error,
				      "dockerd opens this socket itself, for root and the group of "
				      "its option \"group\": correct that, or its umask.");
	if (unit->opens == UNKNOWN) {
		setting->state = SETTING_MANUAL;
		return judgement_note(judgement, error,
				      "Who opens it could not be found out: correct SocketMode=, "
				      "SocketUser= and SocketGroup= of docker.socket.");
	}
	if (unit->wanted_gid < 0) {
		const char *group = strchr(setting->row->owner, ':');
		setting->state = SETTING_BLOCKED;
		return judgement_note(judgement, error,
				      "There is no group %s: groupadd --system %s, then run harden "
				      "again.",
				      group ? group + 1 : "", group ? group + 1 : "");
	}
	if (!socket_unit_complies(unit, setting->row))
		return judgement_note(judgement, error,
				      "%s opens it like this: it gets a drop-in, and the socket "
				      "that is there is corrected at once.",
				      unit->name);
	return judgement_note(judgement, error,
			      "%s opens it as it has to be, and somebody has changed it since.",
			      unit->name);
}

int judge_socket(struct judgement *judgement, struct setting *setting, struct error *error)
{
	const struct facts *facts = judgement->facts;
	json_t *wrong = json_array();
	bool seen = facts->socket_unit.opens == YES;

	if (!wrong || list_wrong(facts, setting->row, wrong) < 0) {
		json_decref(wrong);
		return error_set_oom(error);
	}
	for (size_t i = 0; i < facts->file_count; i++)
		seen |= text_equal(facts->files[i].role, setting->row->role) &&
			facts->files[i].exists == YES;
	judgement->complies = json_array_size(wrong) == 0;
	json_decref(setting->current);
	setting->source = SOURCE_UNIT;
	setting->effect = EFFECT_NONE;
	if (!judgement->complies) {
		setting->current = wrong;
		return note_change(judgement, setting, error);
	}
	json_decref(wrong);
	setting->current = seen ? json_incref(setting->wanted) : json_null();
	return 0;
}

/* --- planning ----------------------------------------------------------------------------------
 */

/* A name of the template, @MODE@ and the like, replaced. */
static void replace(struct strbuf *text, const char *mark, const char *value)
{
	const char *at = text->data ? strstr(text->data, mark) : NULL;

	if (at)
		(void)strbuf_splice(text, (size_t)(at - text->data), strlen(mark), value,
				    strlen(value));
}

static int write_dropin(const struct profile_row *row, struct strbuf *text, struct error *error)
{
	cleanup_free char *user = strndup(row->owner, strcspn(row->owner, ":"));
	const char *group = strchr(row->owner, ':');
	char mode[8];

	if (!user)
		return error_set_oom(error);
	(void)snprintf(mode, sizeof mode, "%04o", (unsigned)(row->mode & 07777));
	(void)strbuf_adds(text, builtin_socket_dropin());
	replace(text, "@MODE@", mode);
	replace(text, "@USER@", user);
	replace(text, "@GROUP@", group ? group + 1 : "");
	return text->failed ? error_set_oom(error) : 0;
}

int socket_unit_plan(const struct facts *facts, const struct profile_row *row, struct plan *plan,
		     struct error *error)
{
	const struct text_file *dropin = &facts->socket_unit.dropin;
	bool exists = dropin->state == FILE_READ;
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;

	if (socket_unit_complies(&facts->socket_unit, row) || !dropin->path)
		return 0;
	/* What somebody has added to it stays. */
	if (exists && dropin->length)
		(void)strbuf_addf(&text, "%s\n", dropin->data);
	int r = write_dropin(row, &text, error);
	return r < 0 ? r : plan_add_text(plan, dropin->path, dropin, &text, NULL, error);
}
