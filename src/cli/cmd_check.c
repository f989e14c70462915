#include "cli/commands.h"
#include "cli/output.h"
#include "cli/reading.h"
#include "core/check.h"

static bool output_check(const struct check *check, const struct plan *plan,
			 const struct facts *facts, const struct options *options)
{
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
	int r = 0;

	switch (options->format) {
	case FORMAT_JSON:
		return output_json(show_check_json(check, plan, facts, options));
	case FORMAT_SARIF:
		return output_json(show_check_sarif(check, plan, facts, options));
	case FORMAT_JUNIT:
		r = show_check_junit(&text, check, plan, facts, options);
		break;
	case FORMAT_TEXT:
	default:
		r = show_check_text(&text, check, plan, facts, options,
				    output_uses_color(options, stdout));
		break;
	}
	if (r < 0) {
		(void)fputs("harden: out of memory\n", stderr);
		return false;
	}
	return output_text(text.data, text.length);
}

int command_check(const struct options *options)
{
	cleanup_facts struct facts facts = FACTS_EMPTY;
	cleanup_plan struct plan plan = {.settings = NULL};
	cleanup_check struct check check = {.rows = NULL};
	struct error error = ERROR_NONE;

	if (reading_plan(options, &facts, &plan, &error) < 0 ||
	    check_build(&facts, &plan, &check, &error) < 0)
		return output_error(options, "check", &error);
	if (!output_check(&check, &plan, &facts, options))
		return EXIT_TROUBLE;
	return check_complies(&check) ? EXIT_FINE : EXIT_DIFFERENCES;
}
