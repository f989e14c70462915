/* Text in XML 1.0 documents. */
#pragma once

#include <stddef.h>

#include "base/strbuf.h"

/* Append text so that a parser reads the same characters back, between tags or inside the double
 * quotes of an attribute (where a line feed or a tab would become a space). What XML 1.0 does not
 * allow at all (control characters, U+FFFE, bytes that are not UTF-8) is spelled out as \xNN or
 * \u{NNNN}, and so are the marks that text_add_printable() keeps from reordering what is shown. */
int xml_add_text(struct strbuf *out, const char *text, size_t length);
int xml_add_attribute(struct strbuf *out, const char *text, size_t length);
