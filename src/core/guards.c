#include "core/guards.h"

#include <string.h>

#include "base/text.h"
#include "core/containers.h"
#include "core/plan_unit.h"

/* A variable that dockerd itself looks at is out of reach of daemon.json. */
static int guard_variable(struct judgement *judgement, struct setting *setting,
			  const struct flag *flag, struct error *error)
{
	const char *unit = judgement->facts->unit.name;

	if (setting->source != SOURCE_ENVIRONMENT || flag)
		return 0;
	setting->state = SETTING_MANUAL;
	return judgement_note(judgement, error,
			      "Set by a variable in the environment of %s: take it out there, then "
			      "run harden again.",
			      unit ? unit : "dockerd");
}

/* A value that came as a flag cannot be changed in daemon.json alone: dockerd refuses a setting
 * that is given in both places (facts a.4). It goes last: what is held up leaves the unit alone. */
static int guard_flag(struct judgement *judgement, struct setting *setting, struct error *error)
{
	const struct option *option = setting_option(setting);

	/* A change of something beside it leaves a flag that complies where it is. */
	for (size_t i = 0; option && i < judgement->edits.count; i++)
		if (text_equal(judgement->edits.items[i].path.items[0], option->key))
			return plan_unit_take(judgement, setting, option, error);
	return 0;
}

static int guard_swarm(struct judgement *judgement, struct setting *setting, struct error *error)
{
	if (judgement->facts->swarm == YES) {
		setting->state = SETTING_SKIPPED;
		return judgement_note(
			judgement, error,
			"This host is a swarm node: dockerd does not start with %s there.",
			setting->row->key);
	}
	if (judgement->facts->swarm == NO)
		return 0;
	setting->state = SETTING_BLOCKED;
	return judgement_note(judgement, error,
			      "Whether this host is a swarm node cannot be seen, and dockerd would "
			      "not start with %s on one; %s.",
			      setting->row->key,
			      judgement->facts->as_root ? "start docker and run harden again"
							: "run harden as root");
}

static int guard_syslog(struct judgement *judgement, struct setting *setting, struct error *error)
{
	const json_t *options = json_object_get(judgement->intended, "log-opts");
	const char *driver = json_string_value(setting->row->wanted);

	if (!text_equal(driver, "syslog") || json_object_get(options, "syslog-address") ||
	    judgement->facts->syslog.address || judgement->facts->syslog_socket != NO)
		return 0;
	setting->state = SETTING_BLOCKED;
	return judgement_note(
		judgement, error,
		"Nobody listens on /dev/log, so no container would start: start a syslog service "
		"(or systemd-journald), or give an address with --set log-opts.syslog-address=…");
}

static int guard_iptables(struct judgement *judgement, struct setting *setting, struct error *error)
{
	bool off = false;
	bool ipv6 = false;
	bool six_off = false;

	int r = judgement_intends(judgement, "iptables", false, &off, error);
	if (r == 0)
		r = judgement_intends(judgement, "ipv6", true, &ipv6, error);
	if (r == 0)
		r = judgement_intends(judgement, "ip6tables", false, &six_off, error);
	if (r < 0)
		return r;
	if (off) {
		setting->state = SETTING_BLOCKED;
		return judgement_note(judgement, error,
				      "dockerd does not start with %s while iptables is false: "
				      "give --accept iptables, too, or leave it.",
				      setting->row->key);
	}
	if (ipv6 && six_off && dockerver_at_least(judgement->configuration->version, 27, 0)) {
		setting->state = SETTING_BLOCKED;
		return judgement_note(judgement, error,
				      "dockerd does not start with %s while ipv6 is on and "
				      "ip6tables is false: set ip6tables to true.",
				      setting->row->key);
	}
	return 0;
}

static int guard_needs(struct judgement *judgement, struct setting *setting, struct error *error)
{
	unsigned needs = setting->row->needs;
	int r = 0;

	if (needs & NEED_NO_SWARM)
		r = guard_swarm(judgement, setting, error);
	if (r == 0 && needs & NEED_IPTABLES)
		r = guard_iptables(judgement, setting, error);
	if (r == 0 && needs & NEED_SYSLOG_SOCKET)
		r = guard_syslog(judgement, setting, error);
	if (r == 0 && needs & NEED_BR_NETFILTER && judgement->facts->br_netfilter == NO) {
		setting->state = SETTING_BLOCKED;
		r = judgement_note(
			judgement, error,
			"It needs the kernel module br_netfilter, which is neither loaded nor "
			"installed for this kernel: run `modprobe br_netfilter` where it is.");
	}
	return r;
}

/* userns-remap "default" stands on a user and its ranges (facts b.3). */
static int guard_userns(struct judgement *judgement, struct setting *setting, struct error *error)
{
	const struct facts *facts = judgement->facts;
	const json_t *features = json_object_get(judgement->intended, "features");
	const char *problem = NULL;

	if (strcmp(setting->row->key, "userns-remap") != 0)
		return 0;
	if (json_is_true(json_object_get(features, "containerd-snapshotter")) &&
	    dockerver_at_least(judgement->configuration->version, 29, 0))
		problem = "dockerd does not start with it while features.containerd-snapshotter is "
			  "true: set that to false first.";
	else if (!text_equal(json_string_value(setting->row->wanted), "default"))
		return 0;
	else if (facts->dockremap_user == YES && facts->dockremap_ranges == NO)
		problem = "The user dockremap has no ranges: add \"dockremap:100000:65536\", or "
			  "another free range, to /etc/subuid and /etc/subgid.";
	else if (facts->dockremap_user == NO && facts->can_add_user == NO)
		problem = "dockerd cannot create the user dockremap: install adduser or useradd.";
	if (!problem)
		return 0;
	setting->state = SETTING_BLOCKED;
	return judgement_note(judgement, error, "%s", problem);
}

/* ip6tables needs experimental from 20.10 to 26.1 (facts b.1). */
static int guard_experimental(struct judgement *judgement, struct setting *setting,
			      struct error *error)
{
	bool six = false;

	if (strcmp(setting->row->key, "experimental") != 0 ||
	    dockerver_at_least(judgement->configuration->version, 27, 0))
		return 0;
	int r = judgement_intends(judgement, "ip6tables", true, &six, error);
	if (r < 0 || !six)
		return r;
	setting->state = SETTING_BLOCKED;
	return judgement_note(judgement, error,
			      "ip6tables is on, and dockerd before 27.0 does not start with it "
			      "unless experimental is true.");
}

/* What would be out of sight, and what would be stopped for it. */
static int note_data_move(struct judgement *judgement, const char *key, struct error *error)
{
	const struct facts *facts = judgement->facts;
	cleanup_container_refs struct container_refs up = {.items = NULL};
	cleanup_free char *stored = stored_text(facts);
	int r = stored ? containers_up(facts, &up, error) : error_set_oom(error);

	if (r < 0)
		return r;
	cleanup_free char *names = container_names_text(&up);
	if (!names)
		return error_set_oom(error);
	r = judgement_note(
		judgement, error,
		"It moves the data root%s%s: %s would be out of sight (not deleted: they "
		"are back when this is taken back).",
		facts->data_root.path ? " away from " : "",
		facts->data_root.path ? facts->data_root.path : "", stored);
	if (r == 0 && up.count)
		r = judgement_note(judgement, error, "What runs is stopped first: %s.", names);
	if (r == 0 && facts->swarm == YES)
		r = judgement_note(judgement, error,
				   "This node's part in its swarm would be out of sight, too.");
	return r < 0 ? r : judgement_note(judgement, error, "To consent: --accept %s.", key);
}

static int guard_consent(struct judgement *judgement, struct setting *setting, struct error *error)
{
	const struct profile_row *row = setting->row;
	const struct facts *facts = judgement->facts;
	bool moves_data = setting->effect == EFFECT_DATA;

	if (row->otherwise == OTHERWISE_MANUAL) {
		setting->state = SETTING_MANUAL;
		return 0;
	}
	if (moves_data ? anything_stored(facts) == NO : row->otherwise != OTHERWISE_HOLD)
		return 0;
	if (strlist_contains(&judgement->options->accept, row->key))
		return 0;
	setting->state = SETTING_HELD;
	if (!moves_data)
		return judgement_note(
			judgement, error, "If it is changed, %s. To consent: --accept %s.",
			row->consequence ? row->consequence : "something is taken away", row->key);

	return note_data_move(judgement, row->key, error);
}

typedef int (*guard)(struct judgement *judgement, struct setting *setting, struct error *error);

int guards_run(struct judgement *judgement, struct setting *setting, const struct flag *flag,
	       struct error *error)
{
	static const guard guards[] = {guard_needs, guard_userns, guard_experimental, guard_consent,
				       guard_flag};

	int r = guard_variable(judgement, setting, flag, error);
	for (size_t i = 0; r == 0 && setting->state == SETTING_CHANGE && i < array_size(guards);
	     i++)
		r = guards[i](judgement, setting, error);
	return r;
}
