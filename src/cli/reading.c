#include "cli/reading.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "core/judgement.h"
#include "host/gather.h"
#include "host/image.h"
#include "host/profile_file.h"
#include "host/socketunit.h"
#include "host/syslog.h"
#include "host/usage.h"

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

static struct gather_options gather_options(const struct options *options)
{
	return (struct gather_options){
		.unit = options->unit,
		.config_file = options->config_file,
		.docker_version = options->docker_version,
		.image = options->root,
		.timeout_seconds = options->timeout_seconds,
	};
}

int reading_facts(const struct options *options, const char *unit, struct facts *ret,
		  struct error *error)
{
	struct gather_options gather = gather_options(options);

	if (unit)
		gather.unit = unit;
	return gather_facts(&gather, ret, error);
}

/* The address that containers are to log to is known only now, and is mostly none. */
static int read_syslog(struct facts *facts, const struct profile *profile,
		       const struct plan_options *wanted, struct error *error)
{
	cleanup_free char *address = NULL;

	/* Nobody is there yet. */
	if (facts->image)
		return 0;
	int r = syslog_address_wanted(facts, profile, wanted, &address, error);
	return r < 0 || !address ? r
				 : syslog_read(address, &facts->syslog, &facts->bus_calls, error);
}

/* How much would be out of sight is asked only where something would be: it makes dockerd look at
 * every volume. */
static int add_size(const struct facts *facts, struct plan *plan, struct error *error)
{
	int64_t bytes = -1;

	if (!facts->info || anything_stored(facts) != YES || !plan_moves_data(plan))
		return 0;
	int r = usage_ask(facts->socket_path, &bytes, error);
	return r < 0 ? r : plan_add_size(plan, bytes, error);
}

struct plan_options reading_plan_options(const struct options *options)
{
	return (struct plan_options){
		.wants = options->wants,
		.want_count = options->want_count,
		.skips = options->skips,
		.skip_count = options->skip_count,
		.only = options->only,
		.accept = options->accept,
		.restart_containers = options->containers == CONTAINERS_RESTART,
	};
}

int reading_plan(const struct options *options, struct facts *ret_facts, struct plan *ret_plan,
		 struct error *error)
{
	cleanup_profile struct profile profile = {.name = NULL};
	struct profile_wish wish = {.name = options->profile, .profile = &profile};
	struct gather_options gather = gather_options(options);
	const struct plan_options wanted = reading_plan_options(options);

	if (options->loaded) {
		profile = *options->loaded;
		*options->loaded = (struct profile){.name = NULL};
	} else {
		gather.meanwhile = read_profile;
		gather.meanwhile_context = &wish;
	}
	int r = gather_facts(&gather, ret_facts, error);
	if (r == 0 && ret_facts->install != INSTALL_PACKAGE && !options->config_file)
		return error_set(error, -EOPNOTSUPP, "plan", NULL, "%s",
				 ret_facts->install_note ? ret_facts->install_note
							 : "this Docker is not a system service");
	if (r == 0)
		r = read_syslog(ret_facts, &profile, &wanted, error);
	if (r == 0)
		r = socket_unit_read(ret_facts, &profile, error);
	if (r == 0)
		r = plan_build(ret_facts, &profile, &wanted, ret_plan, error);
	if (r == 0 && options->no_restart)
		plan_leave_daemon(ret_plan);
	return r < 0 ? r : add_size(ret_facts, ret_plan, error);
}

int reading_enter(const struct options *options, struct error *error)
{
	/* A file is named by its place outside, and the site's profiles are those of this machine.
	 */
	int r = profile_file_read(options->profile, options->loaded, error);

	/* The time zone is this machine's, too. */
	tzset();
	return r < 0 ? r : image_enter(options->root, options->config_file, error);
}
