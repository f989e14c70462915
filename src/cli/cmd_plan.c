#include <errno.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "core/plan.h"
#include "host/gather.h"
#include "host/profile_file.h"

/* What gather_facts() has done while it waits. */
struct profile_wish {
	const char *name;
	struct profile *profile;
};

static int read_profile(void *context, struct error *error)
{
	const struct profile_wish *wish = context;

	return profile_file_read(wish->name, wish->profile, error);
}

static int read_everything(const struct options *options, struct facts *facts, struct plan *plan,
			   struct error *error)
{
	cleanup_profile struct profile profile = {.name = NULL};
	struct profile_wish wish = {.name = options->profile, .profile = &profile};
	const struct gather_options gather = {
		.meanwhile = read_profile,
		.meanwhile_context = &wish,
		.unit = options->unit,
		.config_file = options->config_file,
		.docker_version = options->docker_version,
		.timeout_seconds = options->timeout_seconds,
	};
	const struct plan_options wanted = {
		.wants = options->wants,
		.want_count = options->want_count,
		.skips = options->skips,
		.skip_count = options->skip_count,
		.only = options->only,
		.accept = options->accept,
	};

	int r = gather_facts(&gather, facts, error);
	if (r == 0 && facts->install != INSTALL_PACKAGE && !options->config_file)
		return error_set(error, -EOPNOTSUPP, "plan", NULL, "%s",
				 facts->install_note ? facts->install_note
						     : "this Docker is not a system service");
	return r < 0 ? r : plan_build(facts, &profile, &wanted, plan, error);
}

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

	if (read_everything(options, &facts, &plan, &error) < 0)
		return output_error(options, "plan", &error);
	for (size_t i = 0; options->json && i < plan.obstacles.count; i++)
		(void)fprintf(stderr, "harden: %s\n", plan.obstacles.items[i]);
	if (options->json)
		return output_json(show_plan_json(&plan, &facts)) ? exit_status(&plan, options)
								  : EXIT_TROUBLE;
	if (show_plan_text(&text, &plan, &facts, options, output_uses_color(options)) < 0) {
		(void)error_set_oom(&error);
		return output_error(options, "plan", &error);
	}
	return output_text(text.data, text.length) ? exit_status(&plan, options) : EXIT_TROUBLE;
}
