#include "base/xml.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

/* How a byte is written where it does not stand for itself; NULL where it does. */
static const char *entity(char byte, bool attribute)
{
	switch (byte) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\t':
		return attribute ? "&#9;" : NULL;
	case '\n':
		return attribute ? "&#10;" : NULL;
	default:
		return NULL;
	}
}

/* U+FFFE and U+FFFF are UTF-8, and no characters of XML (section 2.2). */
static const char *no_character(const char *bytes, size_t length)
{
	if (length < 3 || memcmp(bytes, "\xEF\xBF", 2) != 0)
		return NULL;
	return bytes[2] == '\xBE' ? "\\u{fffe}" : bytes[2] == '\xBF' ? "\\u{ffff}" : NULL;
}

static int add(struct strbuf *out, const char *text, size_t length, bool attribute)
{
	cleanup_strbuf struct strbuf clean = STRBUF_EMPTY;
	int r = text_add_printable(&clean, text, length, true);

	for (size_t i = 0; r == 0 && i < clean.length;) {
		const char *written = no_character(clean.data + i, clean.length - i);
		size_t taken = written ? 3 : 1;

		if (!written)
			written = entity(clean.data[i], attribute);
		r = written ? strbuf_adds(out, written) : strbuf_addc(out, clean.data[i]);
		i += taken;
	}
	return r;
}

int xml_add_text(struct strbuf *out, const char *text, size_t length)
{
	return add(out, text, length, false);
}

int xml_add_attribute(struct strbuf *out, const char *text, size_t length)
{
	return add(out, text, length, true);
}
