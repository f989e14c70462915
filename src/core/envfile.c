#include "core/envfile.h"

#include <errno.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/text.h"

/* The sets are systemd's (src/basic/string-util.h, escape.h, env-util.c). */
#define SPACE " \t\n\r"
#define LINE_END "\n\r"
#define COMMENT_START "#;"
#define UNESCAPED "\"\\`$" /* what a backslash protects in double quotes */
#define NAME_CHARACTER "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"

/* From this version on a comment ends with its line, whatever stands before the line's end. */
#define SYSTEMD_COMMENT_ENDS 254

enum state {
	BEFORE_NAME,
	IN_NAME,
	BEFORE_VALUE, /* also after a closing quote */
	IN_VALUE,
	IN_VALUE_ESCAPE,
	IN_SINGLE_QUOTES,
	IN_DOUBLE_QUOTES,
	IN_DOUBLE_QUOTES_ESCAPE,
	IN_COMMENT,
	IN_COMMENT_ESCAPE,
};

/* Where the values of one variable come from. */
struct trace {
	const char *name;
	struct strbuf spans; /* of the value at hand: struct envfile_span, one a byte */
	size_t start;        /* of the value at hand: behind its "=" */
	struct envfile_value *found;
};

struct parser {
	enum state state;
	size_t at;           /* offset of the character at hand … */
	size_t escape;       /* … and of the backslash before it, in the states of an escape */
	struct trace *trace; /* NULL unless somebody wants to know */
	unsigned systemd_version;
	unsigned line; /* 1-based */
	struct strbuf name;
	struct strbuf value;
	/* Length of the value up to the space at its end: set by its last character that is not
	 * space, or that was escaped. Quoted space is never stripped. */
	size_t value_kept;
	struct strlist *list;
};

static bool is_in(const char *set, char character)
{
	return character && strchr(set, character);
}

static void strip_space(struct strbuf *buffer, size_t kept)
{
	while (buffer->length > kept && is_in(SPACE, buffer->data[buffer->length - 1]))
		buffer->data[--buffer->length] = '\0';
}

static void clear(struct strbuf *buffer)
{
	if (buffer->data)
		buffer->data[0] = '\0';
	buffer->length = 0;
}

static bool is_valid_name(const struct strbuf *name)
{
	return name->length && !is_in("0123456789", name->data[0]) &&
	       strspn(name->data, NAME_CHARACTER) == name->length;
}

static struct envfile_span *copy_spans(const struct strbuf *spans)
{
	struct envfile_span *copy = malloc(spans->length + sizeof *copy);

	if (copy && spans->length)
		memcpy(copy, spans->data, spans->length);
	return copy;
}

/* Keeps where the value at hand stands, if it is the variable's; a later one takes its place. */
static int keep_trace(struct parser *parser)
{
	struct trace *trace = parser->trace;
	const struct strbuf *value = &parser->value;

	if (!trace)
		return 0;
	if (trace->spans.failed)
		return -ENOMEM;
	if (parser->name.length && strcmp(parser->name.data, trace->name) == 0) {
		envfile_value_done(trace->found);
		trace->found->value = strndup(value->data ? value->data : "", value->length);
		trace->found->bytes = copy_spans(&trace->spans);
		trace->found->whole = (struct envfile_span){trace->start, parser->at};
		if (!trace->found->value || !trace->found->bytes)
			return -ENOMEM;
	}
	clear(&trace->spans);
	return 0;
}

/* Ends an assignment. An invalid name only loses the assignment; text that is not UTF-8 loses the
 * whole file (check_utf8ness_and_warn()). */
static int finish_assignment(struct parser *parser, struct error *error)
{
	const struct strbuf *name = &parser->name, *value = &parser->value;

	strip_space(&parser->name, 0);
	if (parser->state == IN_VALUE)
		strip_space(&parser->value, parser->value_kept);
	if (name->failed || value->failed)
		return error_set_oom(error);
	if (!utf8_is_valid(name->data, name->length, NULL) ||
	    (value->length && !utf8_is_valid(value->data, value->length, NULL)))
		return error_set_at(error, -EINVAL, "parse", NULL, parser->line, 1,
				    "an assignment that is not valid UTF-8; systemd refuses the "
				    "whole file");
	if (is_valid_name(name) &&
	    strlist_addf(parser->list, "%s=%s", name->data, value->length ? value->data : "") < 0)
		return error_set_oom(error);
	if (keep_trace(parser) < 0)
		return error_set_oom(error);
	clear(&parser->name);
	clear(&parser->value);
	parser->value_kept = 0;
	parser->state = BEFORE_NAME;
	return 0;
}

/* start is where the character's bytes begin in the file; they end with the one at hand. */
static void add_from(struct parser *parser, char character, size_t start, bool keep)
{
	const struct envfile_span span = {start, parser->at + 1};

	(void)strbuf_addc(&parser->value, character);
	if (parser->trace)
		(void)strbuf_add(&parser->trace->spans, (const char *)&span, sizeof span);
	if (keep)
		parser->value_kept = parser->value.length;
}

static void add_to_value(struct parser *parser, char character, bool keep)
{
	add_from(parser, character, parser->at, keep);
}

static void step_name(struct parser *parser, char character)
{
	if (parser->state == BEFORE_NAME) {
		if (is_in(COMMENT_START, character)) {
			parser->state = IN_COMMENT;
		} else if (!is_in(SPACE, character)) {
			(void)strbuf_addc(&parser->name, character);
			parser->state = IN_NAME;
		}
	} else if (is_in(LINE_END, character)) {
		/* A line without "=" is no assignment. */
		clear(&parser->name);
		parser->state = BEFORE_NAME;
	} else if (character == '=') {
		parser->state = BEFORE_VALUE;
		if (parser->trace)
			parser->trace->start = parser->at + 1;
	} else {
		(void)strbuf_addc(&parser->name, character);
	}
}

static int step_value(struct parser *parser, char character, struct error *error)
{
	bool before = parser->state == BEFORE_VALUE;

	if (is_in(LINE_END, character))
		return finish_assignment(parser, error);
	if (before && character == '\'') {
		parser->state = IN_SINGLE_QUOTES;
	} else if (before && character == '"') {
		parser->state = IN_DOUBLE_QUOTES;
	} else if (character == '\\') {
		/* Space before a backslash is inside the value from here on. */
		parser->value_kept = parser->value.length;
		parser->escape = parser->at;
		parser->state = IN_VALUE_ESCAPE;
	} else if (!before || !is_in(SPACE, character)) {
		add_to_value(parser, character, !is_in(SPACE, character));
		parser->state = IN_VALUE;
	}
	return 0;
}

static void step_quoted(struct parser *parser, char character)
{
	bool is_single = parser->state == IN_SINGLE_QUOTES;

	if (character == (is_single ? '\'' : '"'))
		parser->state = BEFORE_VALUE;
	else if (!is_single && character == '\\') {
		parser->escape = parser->at;
		parser->state = IN_DOUBLE_QUOTES_ESCAPE;
	} else
		add_to_value(parser, character, true);
}

/* The character after a backslash. */
static void step_escape(struct parser *parser, char character)
{
	if (parser->state == IN_VALUE_ESCAPE) {
		if (!is_in(LINE_END, character))
			add_from(parser, character, parser->escape, true);
		parser->state = IN_VALUE;
		return;
	}
	/* In double quotes a backslash that protects nothing stays, as in a shell. Both bytes then
	 * stand for both characters, and only together. */
	bool stays = !is_in(UNESCAPED, character) && character != '\n';
	if (stays)
		add_from(parser, '\\', parser->escape, true);
	if (character != '\n')
		add_from(parser, character, stays ? parser->at : parser->escape, true);
	parser->state = IN_DOUBLE_QUOTES;
}

static void step_comment(struct parser *parser, char character)
{
	bool continues = parser->state == IN_COMMENT_ESCAPE &&
			 parser->systemd_version < SYSTEMD_COMMENT_ENDS;

	if (is_in(LINE_END, character) && !continues)
		parser->state = BEFORE_NAME;
	else if (character == '\\' && parser->state == IN_COMMENT)
		parser->state = IN_COMMENT_ESCAPE;
	else
		parser->state = IN_COMMENT;
}

static int step(struct parser *parser, char character, struct error *error)
{
	switch (parser->state) {
	case BEFORE_NAME:
	case IN_NAME:
		step_name(parser, character);
		return 0;
	case BEFORE_VALUE:
	case IN_VALUE:
		return step_value(parser, character, error);
	case IN_SINGLE_QUOTES:
	case IN_DOUBLE_QUOTES:
		step_quoted(parser, character);
		return 0;
	case IN_VALUE_ESCAPE:
	case IN_DOUBLE_QUOTES_ESCAPE:
		step_escape(parser, character);
		return 0;
	case IN_COMMENT:
	case IN_COMMENT_ESCAPE:
		step_comment(parser, character);
		return 0;
	}
	return 0;
}

static int parse(struct parser *parser, const char *text, size_t length, struct error *error)
{
	for (size_t i = 0; i < length; i++) {
		/* systemd reads the file as a string, and refuses one that would be cut short. */
		parser->at = i;
		if (!text[i])
			return error_set_at(error, -EINVAL, "parse", NULL, parser->line, 1,
					    "a NUL byte; systemd refuses the whole file");
		int r = step(parser, text[i], error);
		if (r < 0)
			return r;
		parser->line += text[i] == '\n';
	}
	parser->at = length;
	/* The end of the file ends a value, quotes or not, but not a name or a comment. */
	switch (parser->state) {
	case BEFORE_NAME:
	case IN_NAME:
	case IN_COMMENT:
	case IN_COMMENT_ESCAPE:
		return 0;
	case BEFORE_VALUE:
	case IN_VALUE:
	case IN_VALUE_ESCAPE:
	case IN_SINGLE_QUOTES:
	case IN_DOUBLE_QUOTES:
	case IN_DOUBLE_QUOTES_ESCAPE:
		return finish_assignment(parser, error);
	}
	return 0;
}

static int parse_traced(const char *text, size_t length, unsigned systemd_version,
			struct trace *trace, struct strlist *list, struct error *error)
{
	struct parser parser = {
		.trace = trace,
		.systemd_version = systemd_version,
		.line = 1,
		.list = list,
	};

	int r = parse(&parser, text, length, error);
	strbuf_done(&parser.name);
	strbuf_done(&parser.value);
	return r;
}

int envfile_parse_as(const char *text, size_t length, unsigned systemd_version, struct strlist *ret,
		     struct error *error)
{
	cleanup_strlist struct strlist list = {.items = NULL};

	int r = parse_traced(text, length, systemd_version, NULL, &list, error);
	for (size_t i = 0; r == 0 && i < list.count; i++)
		if (strlist_take(ret, take_ptr(list.items[i])) < 0)
			r = error_set_oom(error);
	return r;
}

int envfile_parse(const char *text, size_t length, struct strlist *ret, struct error *error)
{
	return envfile_parse_as(text, length, 252, ret, error);
}

void envfile_value_done(struct envfile_value *value)
{
	free(value->value);
	free(value->bytes);
	*value = (struct envfile_value){.value = NULL};
}

int envfile_locate(const char *text, size_t length, unsigned systemd_version, const char *name,
		   struct envfile_value *ret, struct error *error)
{
	cleanup_envfile_value struct envfile_value found = {.value = NULL};
	cleanup_strlist struct strlist list = {.items = NULL};
	struct trace trace = {.name = name, .found = &found};

	int r = parse_traced(text, length, systemd_version, &trace, &list, error);
	strbuf_done(&trace.spans);
	if (r < 0)
		return r;
	*ret = found;
	found = (struct envfile_value){.value = NULL};
	return 0;
}

const char *envlist_get(const struct strlist *list, const char *name, size_t name_length)
{
	for (size_t i = list->count; i-- > 0;)
		if (strncmp(list->items[i], name, name_length) == 0 &&
		    list->items[i][name_length] == '=')
			return list->items[i] + name_length + 1;
	return NULL;
}
