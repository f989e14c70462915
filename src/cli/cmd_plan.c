#include "cli/commands.h"
#include "cli/output.h"
#include "cli/reading.h"

static int exit_status(const struct plan *plan, const struct options *options)
{
	bool differs = plan->file_count || plan_count(plan, SETTING_CHANGE);

	if (plan->obstacles.count)
		return EXIT_TROUBLE;
	return options->exit_code && differs ? EXIT_DIFFERENCES : EXIT_FINE;
}

int command_plan(const struct options *options)
{
	cleanup_facts struct facts facts = FACTS_EMPTY;
	cleanup_plan struct plan plan = {.settings = NULL};
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
	struct error error = ERROR_NONE;

	if (reading_plan(options, &facts, &plan, &error) < 0)
		return output_error(options, "plan", &error);
	for (size_t i = 0; options->json && i < plan.obstacles.count; i++)
		(void)fprintf(stderr, "harden: %s\n", plan.obstacles.items[i]);
	if (options->json)
		return output_json(show_plan_json("plan", &plan, &facts))
			       ? exit_status(&plan, options)
			       : EXIT_TROUBLE;
	if (show_plan_text(&text, &plan, &facts, options, output_uses_color(options, stdout),
			   " Nothing was changed.") < 0) {
		(void)error_set_oom(&error);
		return output_error(options, "plan", &error);
	}
	return output_text(text.data, text.length) ? exit_status(&plan, options) : EXIT_TROUBLE;
}
