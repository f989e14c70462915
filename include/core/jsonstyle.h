/* What a JSON text looks like around one place, and JSON written to look the same. Text given here
 * has passed jsontext_check(). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/error.h"
#include "base/strbuf.h"
#include "core/jsontext.h"

/* Some bytes of the text, or of a literal; owned by it. */
struct jsonstyle_piece {
	const char *bytes;
	size_t length;
};

#define JSONSTYLE_PIECE(literal) ((struct jsonstyle_piece){(literal), sizeof(literal) - 1})

/* How new text is to be written. */
struct jsonstyle {
	bool multiline;                  /* members and elements on lines of their own */
	bool spread;                     /* short arrays, too */
	struct jsonstyle_piece line_end; /* LF or CRLF */
	struct jsonstyle_piece indent;   /* of the line that the new text starts in */
	struct jsonstyle_piece unit;     /* one step of indentation */
	struct jsonstyle_piece colon;    /* with the space around it */
	struct jsonstyle_piece comma;    /* between items of one line */
	struct jsonstyle_piece pad;      /* inside the braces of one line */
};

/* An object's outermost members and where they end; only start and close mean something while count
 * is 0. */
struct jsonstyle_survey {
	size_t start; /* of the '{' */
	size_t close; /* of the '}' */
	size_t count;
	struct jsontext_member first;
	struct jsontext_member last;
	size_t previous_end; /* behind the last member but one, or behind the '{' */
};

struct jsonstyle_survey jsonstyle_survey_object(const char *text, size_t length, size_t start);

/* The style for a new last member of an object that has members. */
struct jsonstyle jsonstyle_for_member(const char *text, size_t length,
				      const struct jsonstyle_survey *survey);

/* The style for a new value of a member. */
struct jsonstyle jsonstyle_for_value(const char *text, size_t length,
				     const struct jsontext_member *member);

/* The style for a new top-level object at `at`, which has no neighbour to look at. */
struct jsonstyle jsonstyle_default(const char *text, size_t length, size_t at);

/* Writes value into *ret without any space outside of strings. -EINVAL when JSON cannot hold it. */
int jsonstyle_dump(const json_t *value, struct strbuf *ret, struct error *error);

/* Lays out what jsonstyle_dump() wrote, or a member from inside it. Failure is left in out. */
void jsonstyle_add(struct strbuf *out, const char *json, size_t length,
		   const struct jsonstyle *style);

int jsonstyle_add_piece(struct strbuf *out, struct jsonstyle_piece piece);
struct jsonstyle_piece jsonstyle_piece(const char *text, size_t start, size_t end);
bool jsonstyle_has_line_break(const char *text, size_t start, size_t end);
