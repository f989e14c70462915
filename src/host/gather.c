#include "host/gather.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "core/configuration.h"
#include "core/daemonjson.h"
#include "host/account.h"
#include "host/api.h"
#include "host/clock.h"
#include "host/containers.h"
#include "host/dataroot.h"
#include "host/file.h"
#include "host/files.h"
#include "host/install.h"
#include "host/package.h"
#include "host/proc.h"
#include "host/unit.h"
#include "host/unitroot.h"
#include "host/version.h"

#define DEFAULT_CONFIG "/etc/docker/daemon.json"
#define DEFAULT_DATA_ROOT "/var/lib/docker"

/* Reading waits less than --timeout allows for jobs: what does not answer by then is hung. */
#define BUS_SECONDS 5
#define API_SECONDS 10
#define VERSION_SECONDS 5

struct gather {
	const struct gather_options *options;
	struct facts *facts;
	/* First of the running process, which says where to ask; then of the unit. */
	struct configuration configuration;
	struct proc_scan scan;
	char *binary; /* dockerd's, NULL where there is none */
	struct api api;
	bool activated; /* the API's socket is one that systemd holds */
	char release[sizeof((struct utsname *)NULL)->release];
};

static void gather_done(struct gather *gather)
{
	api_done(&gather->api);
	configuration_done(&gather->configuration);
	free(gather->binary);
}

static uint64_t deadline_in(const struct gather *gather, unsigned seconds)
{
	unsigned allowed = gather->options->timeout_seconds;

	return clock_now_us() + (uint64_t)(allowed < seconds ? allowed : seconds) * 1000000;
}

static int note(struct gather *gather, const struct error *why, struct error *error)
{
	char text[sizeof *why];

	if (strlist_add(&gather->facts->unseen, error_format(why, text, sizeof text)) < 0)
		return error_set_oom(error);
	return 0;
}

/* ---- the configuration, as far as reading needs it ---- */

/* The configured string, or NULL; borrowed from *holder. */
static const char *setting_string(const struct gather *gather, const char *key, json_t **holder,
				  enum value_source *ret_source)
{
	struct error ignored = ERROR_NONE;

	if (configuration_value(&gather->configuration, &key, 1, holder, ret_source, NULL,
				&ignored) < 0)
		return NULL;
	return json_string_value(*holder);
}

/* The same as a new string; "" and null count as not set. */
static int copy_setting(const struct gather *gather, const char *key, char **ret,
			struct error *error)
{
	json_auto_t *holder = NULL;
	enum value_source source;
	const char *value = setting_string(gather, key, &holder, &source);

	*ret = NULL;
	if (!value || !*value)
		return 0;
	*ret = strdup(value);
	return *ret ? 0 : error_set_oom(error);
}

/* Flags and environment, of the unit where it is known, else of the running process; daemon.json is
 * added later. What is wrong with them is the planner's to say: here it only means not to know. */
static int read_flags(struct gather *gather, struct error *error)
{
	struct error ignored = ERROR_NONE;
	struct configuration configuration;

	int r = configuration_read_flags(gather->facts, &configuration, &ignored);
	if (r == -ENOMEM)
		return error_set_oom(error);
	if (r == 0) {
		configuration_done(&gather->configuration);
		gather->configuration = configuration;
	}
	return 0;
}

/* ---- asking dockerd ---- */

/* A daemon runs when its process is there, or systemd says so and the process is hidden. */
static bool daemon_runs(const struct facts *facts)
{
	return facts->process.pid ||
	       (facts->unit.known && text_equal(facts->unit.active_state, "active"));
}

static void stop_asking(struct gather *gather)
{
	api_done(&gather->api);
	free(gather->facts->socket_path);
	gather->facts->socket_path = NULL;
	gather->facts->http_calls = 0;
}

static int start_asking(struct gather *gather, const char *socket_path, struct error *error)
{
	struct facts *facts = gather->facts;

	stop_asking(gather);
	facts->socket_path = strdup(socket_path);
	if (!facts->socket_path)
		return error_set_oom(error);
	api_start(&gather->api, facts->socket_path, deadline_in(gather, API_SECONDS));
	facts->http_calls = API_QUESTIONS;
	return 0;
}

static int ask_at_hosts(struct gather *gather, const json_t *hosts, struct error *error)
{
	const char *path = api_choose_socket(hosts, &gather->activated);

	if (!*path) {
		if (strlist_add(&gather->facts->unseen,
				"the Docker API: dockerd listens at no unix socket, so it was not "
				"asked what is in force") < 0)
			return error_set_oom(error);
		return 0;
	}
	return start_asking(gather, path, error);
}

/* Asks as soon as it is clear that dockerd runs and where it listens. Without -H on its command
 * line that may stand in daemon.json, so `final` says that this has been read. A connection to a
 * daemon that does not run would start it. */
static int ask_daemon(struct gather *gather, bool final, struct error *error)
{
	const char *key = "hosts";
	json_auto_t *hosts = NULL;
	enum value_source source;

	if (gather->api.asked || !daemon_runs(gather->facts))
		return 0;
	int r = configuration_value(&gather->configuration, &key, 1, &hosts, &source, NULL, error);
	if (r < 0)
		return r;
	if (!final && json_array_size(hosts) == 0)
		return 0;
	return ask_at_hosts(gather, hosts, error);
}

/* ---- the steps, in the order they are taken ---- */

/* What an interrupted apply has left: a link whose target ends in the transaction's id. Only root
 * can see it. */
static int read_pending(struct facts *facts, struct error *error)
{
	char target[256];
	ssize_t length = readlink(PENDING_LINK, target, sizeof target - 1);

	if (length <= 0)
		return 0;
	target[length] = '\0';
	const char *slash = strrchr(target, '/');
	facts->pending = strdup(slash ? slash + 1 : target);
	return facts->pending ? 0 : error_set_oom(error);
}

static int read_basics(struct gather *gather, struct error *error)
{
	struct facts *facts = gather->facts;
	char date[sizeof "YYYY-MM-DD and some years more"];
	time_t now = time(NULL);
	struct utsname system;
	struct tm local;

	if (uname(&system) < 0)
		return error_set_errno(error, errno, "ask for", "the host's name");
	if (!localtime_r(&now, &local) || !strftime(date, sizeof date, "%Y-%m-%d", &local))
		return error_set(error, -EOVERFLOW, "ask for", "the date", "it is out of range");
	(void)snprintf(gather->release, sizeof gather->release, "%s", system.release);
	const char *image = gather->options->image;
	facts->hostname = strdup(image ? image : system.nodename);
	facts->image = image ? strdup(image) : NULL;
	facts->today = strdup(date);
	facts->as_root = geteuid() == 0;
	facts->systemd = image ? UNKNOWN : proc_systemd("");
	if (!facts->hostname || !facts->today || (image && !facts->image))
		return error_set_oom(error);
	return read_pending(facts, error);
}

/* Takes this process as the daemon, and asks it at once if it says where. */
static int adopt_process(struct gather *gather, pid_t pid, struct error *error)
{
	struct facts *facts = gather->facts;

	stop_asking(gather);
	strlist_done(&facts->process.argv);
	int r = proc_read("", pid, &facts->process, &facts->unseen, error);
	if (r == 0)
		r = read_flags(gather, error);
	return r < 0 ? r : ask_daemon(gather, false, error);
}

static int find_daemon_by_pid_file(struct gather *gather, struct error *error)
{
	pid_t pid = proc_pid_from_file("");

	return pid ? adopt_process(gather, pid, error) : 0;
}

/* systemd only says that it does not load a unit. Its files say why. */
static int explain_bad_unit(struct facts *facts, struct error *error)
{
	cleanup_facts struct facts files = FACTS_EMPTY;
	struct error ignored = ERROR_NONE;

	if (!text_equal(facts->unit.load_state, "bad-setting"))
		return 0;
	int r = unitroot_read("", facts->unit.name, &files.unit, &facts->unseen, &ignored);
	return r == -ENOMEM ? error_set_oom(error) : 0;
}

static int read_unit(struct gather *gather, struct error *error)
{
	struct facts *facts = gather->facts;

	if (facts->systemd != YES) {
		facts->unit.name = strdup(gather->options->unit);
		return facts->unit.name ? 0 : error_set_oom(error);
	}
	int r = unit_read(gather->options->unit, deadline_in(gather, BUS_SECONDS), &facts->unit,
			  &facts->unseen, &facts->bus_calls, error);
	return r < 0 ? r : explain_bad_unit(facts, error);
}

/* The unit's own process counts for more than the pid file, which another daemon may have written.
 * Other daemons are of interest only where there is no unit to work on. */
static int find_daemon_of_unit(struct gather *gather, struct error *error)
{
	struct facts *facts = gather->facts;
	pid_t main_pid = facts->unit.main_pid;

	if (main_pid && main_pid != facts->process.pid && proc_is_dockerd("", main_pid))
		return adopt_process(gather, main_pid, error);
	if (facts->process.pid)
		return 0;
	proc_scan("", &gather->scan);
	if (gather->scan.dockerd && !facts->unit.known)
		return adopt_process(gather, gather->scan.dockerd, error);
	return 0;
}

static int find_config_path(const struct gather *gather, char **ret, struct error *error)
{
	static const char flag[] = "config-file";
	const struct option *option = option_by_flag(flag, strlen(flag), DOCKERVER_NEWEST);
	json_auto_t *value = NULL;
	const char *path = gather->options->config_file;

	if (!path && option) {
		int r = flags_value(&gather->configuration.flags, option, &value, NULL, error);
		if (r < 0)
			return r;
		path = json_string_value(value);
	}
	*ret = strdup(path ? path : DEFAULT_CONFIG);
	return *ret ? 0 : error_set_oom(error);
}

/* Only a file of the wrong kind is an error here. What is wrong inside it is the planner's to say,
 * with line and column; reading goes on with the flags alone. */
static int read_config(struct gather *gather, struct error *error)
{
	struct facts *facts = gather->facts;
	struct error ignored = ERROR_NONE;
	cleanup_free char *path = NULL;

	int r = find_config_path(gather, &path, error);
	if (r == 0)
		r = file_read(path, CONFIG_SIZE_MAX, &facts->config, error);
	if (r < 0)
		return r;
	if (facts->config.state == FILE_UNREADABLE &&
	    strlist_addf(&facts->unseen, "%s: permission denied; run as root to see it", path) < 0)
		return error_set_oom(error);
	if (facts->config.state != FILE_READ)
		return 0;
	r = daemonjson_read(facts->config.data, facts->config.length, &facts->config_document,
			    &ignored);
	if (r == -ENOMEM)
		return error_set_oom(error);
	if (r == 0) {
		json_decref(gather->configuration.document);
		gather->configuration.document = json_incref(facts->config_document);
	}
	return 0;
}

static int ask_daemon_at_last(struct gather *gather, struct error *error)
{
	return ask_daemon(gather, true, error);
}

/* docker.socket may listen elsewhere. It is asked about only when nobody is at the usual place,
 * which saves a round trip over the bus. */
static int ask_at_activated_socket(struct gather *gather, struct error *error)
{
	struct facts *facts = gather->facts;
	const char *unit = gather->options->unit;
	cleanup_strbuf struct strbuf socket_unit = STRBUF_EMPTY;

	if (!gather->activated || !api_nobody_listens(&gather->api) || !facts->unit.known ||
	    !text_ends_with(unit, ".service"))
		return 0;
	(void)strbuf_add(&socket_unit, unit, strlen(unit) - strlen("service"));
	if (strbuf_adds(&socket_unit, "socket") < 0)
		return error_set_oom(error);
	int r = unit_read_socket(socket_unit.data, deadline_in(gather, BUS_SECONDS),
				 &facts->unit.socket_listen, &facts->bus_calls, NULL);
	if (r == -ENOMEM)
		return error_set_oom(error);
	/* Otherwise the failure at the usual place is what there is to say. */
	if (r < 0 || !facts->unit.socket_listen.count)
		return 0;
	return start_asking(gather, facts->unit.socket_listen.items[0], error);
}

/* Where places to listen at are given twice, the plan has to know which of them systemd holds. */
static int read_socket_unit(struct gather *gather, struct error *error)
{
	struct facts *facts = gather->facts;
	const struct option *option = option_by_key("hosts");
	cleanup_strbuf struct strbuf socket_unit = STRBUF_EMPTY;

	if (!facts->unit.known || facts->unit.socket_listen.count ||
	    !json_object_get(facts->config_document, "hosts") ||
	    !flags_find(&gather->configuration.flags, option) ||
	    !text_ends_with(gather->options->unit, ".service"))
		return 0;
	(void)strbuf_add(&socket_unit, gather->options->unit,
			 strlen(gather->options->unit) - strlen("service"));
	if (strbuf_adds(&socket_unit, "socket") < 0)
		return error_set_oom(error);
	int r = unit_read_socket(socket_unit.data, deadline_in(gather, BUS_SECONDS),
				 &facts->unit.socket_listen, &facts->bus_calls, NULL);
	return r == -ENOMEM ? error_set_oom(error) : 0;
}

static int read_kernel(struct gather *gather, struct error *error)
{
	struct facts *facts = gather->facts;

	facts->syslog_socket = proc_syslog_socket("");
	return proc_br_netfilter("", gather->release, &facts->br_netfilter, error);
}

static int read_accounts(struct gather *gather, struct error *error)
{
	return account_read("", gather->facts, error);
}

static int read_installation(struct gather *gather, struct error *error)
{
	struct facts *facts = gather->facts;
	const struct strlist *exec = &facts->unit.exec_start;

	int r = install_find_dockerd("", exec->count ? exec->items[0] : NULL, &gather->binary,
				     error);
	if (r < 0)
		return r;
	const struct install_clues clues = {
		.unit = &facts->unit,
		.process = &facts->process,
		.dockerd_found = gather->binary,
		.docker_host = facts->image ? NULL : secure_getenv("DOCKER_HOST"),
		.rootless_uid = gather->scan.rootless_uid,
		.rootless_runs = gather->scan.rootless,
	};
	facts->daemon = daemon_runs(facts)                    ? DAEMON_RUNNING
			: gather->binary || facts->unit.known ? DAEMON_STOPPED
							      : DAEMON_ABSENT;
	return install_recognise("", &clues, &facts->install, &facts->install_note, error);
}

static int read_files(struct gather *gather, struct error *error)
{
	cleanup_free char *cacert = NULL;
	cleanup_free char *cert = NULL;
	cleanup_free char *key = NULL;

	int r = copy_setting(gather, "tlscacert", &cacert, error);
	if (r == 0)
		r = copy_setting(gather, "tlscert", &cert, error);
	if (r == 0)
		r = copy_setting(gather, "tlskey", &key, error);
	if (r < 0)
		return r;
	const struct files_named named = {
		.config = gather->facts->config.path,
		.socket = gather->facts->socket_path,
		.tlscacert = cacert,
		.tlscert = cert,
		.tlskey = key,
	};
	return files_read("", &named, gather->facts, error);
}

static int read_replies(struct gather *gather, struct error *error)
{
	return gather->api.asked ? api_finish(&gather->api, gather->facts, error) : 0;
}

static int read_version(struct gather *gather, struct error *error)
{
	struct facts *facts = gather->facts;
	struct error why = ERROR_NONE;
	cleanup_free char *text = NULL;

	int r = facts->image ? package_docker_version("", &text, error)
			     : api_version(&gather->api, &text, error);
	/* A program of an image may be another machine's, and is not to be trusted. */
	if (r == 0 && !text && gather->binary && !facts->image) {
		r = version_ask(gather->binary, deadline_in(gather, VERSION_SECONDS), &text, &why);
		if (r < 0)
			r = note(gather, &why, error);
	}
	if (r < 0)
		return r;
	if (text && dockerver_parse(text, &facts->version)) {
		facts->version_text = take_ptr(text);
		return 0;
	}
	const char *assumed = gather->options->docker_version;
	if (!assumed || !dockerver_parse(assumed, &facts->version))
		return 0;
	facts->version_text = strdup(assumed);
	return facts->version_text ? 0 : error_set_oom(error);
}

/* ---- the data root ---- */

/* Up to 20.10 the option was also called graph. */
static int configured_data_root(const struct gather *gather, char **ret, struct error *error)
{
	static const char *const keys[] = {"data-root", "graph"};

	for (size_t i = 0; i < array_size(keys); i++) {
		json_auto_t *holder = NULL;
		enum value_source source = SOURCE_DEFAULT;
		const char *path = setting_string(gather, keys[i], &holder, &source);

		if (!path || !*path || source == SOURCE_DEFAULT)
			continue;
		*ret = strdup(path);
		return *ret ? 0 : error_set_oom(error);
	}
	*ret = strdup(DEFAULT_DATA_ROOT);
	return *ret ? 0 : error_set_oom(error);
}

static enum tristate configured_image_store(const struct gather *gather, const char *remap,
					    const char *driver)
{
	const json_t *features = json_object_get(gather->configuration.document, "features");
	const json_t *feature = json_object_get(features, "containerd-snapshotter");
	const struct image_store_question question = {
		.version = gather->facts->version,
		.feature = json_is_true(feature)    ? YES
			   : json_is_false(feature) ? NO
						    : UNKNOWN,
		.storage_driver = driver,
		.remapped = remap,
		.drivers = &gather->facts->data_root.drivers,
	};

	return dataroot_image_store(&question);
}

/* What containerd holds for a daemon that does not run cannot be counted. A daemon that has no data
 * root has never started, and so has stored nothing anywhere. */
static void forget_hidden_images(struct data_root_facts *data)
{
	if (data->path && access(data->path, F_OK) < 0 && errno == ENOENT)
		return;
	if (data->containerd_store == YES || (data->containerd_store == UNKNOWN && !data->images))
		data->images = -1;
}

static int data_root_from_disk(struct gather *gather, struct error *error)
{
	struct facts *facts = gather->facts;
	cleanup_free char *path = NULL;
	cleanup_free char *remap = NULL;
	cleanup_free char *driver = NULL;

	int r = configured_data_root(gather, &path, error);
	if (r == 0)
		r = copy_setting(gather, "userns-remap", &remap, error);
	if (r == 0)
		r = copy_setting(gather, "storage-driver", &driver, error);
	if (r == 0)
		r = dataroot_read("", path, remap, &facts->data_root, &facts->swarm, &facts->unseen,
				  error);
	if (r < 0)
		return r;
	facts->data_root.containerd_store = configured_image_store(gather, remap, driver);
	forget_hidden_images(&facts->data_root);
	return 0;
}

static int read_data_root(struct gather *gather, struct error *error)
{
	struct facts *facts = gather->facts;

	if (facts->daemon == DAEMON_ABSENT && facts->install != INSTALL_PACKAGE)
		return 0;
	int r = facts->info ? api_data_root(facts, error) : data_root_from_disk(gather, error);
	if (r == 0 && facts->data_root.path && !facts->image)
		facts->data_root.overlay2_possible =
			dataroot_overlay2_possible("", facts->data_root.path);
	return r;
}

/* What the list of containers does not tell. Where nothing is stored this costs nothing. */
static int read_containers(struct gather *gather, struct error *error)
{
	struct facts *facts = gather->facts;
	bool publishes = false;

	int r = containers_read(facts, error);
	for (size_t i = 0; i < facts->container_count; i++)
		publishes |= facts->container_list[i].publishes;
	if (r == 0 && publishes && facts->process.pid)
		facts->port_proxies = proc_has_child("", facts->process.pid, "docker-proxy");
	return r < 0 ? r : containers_ask_ulimits(facts, deadline_in(gather, API_SECONDS), error);
}

static int work_meanwhile(struct gather *gather, struct error *error)
{
	const struct gather_options *options = gather->options;

	return options->meanwhile ? options->meanwhile(options->meanwhile_context, error) : 0;
}

/* ---- an image ---- */

/* The command line at the first start, as systemd will read it. */
static int read_image_unit(struct gather *gather, struct error *error)
{
	struct facts *facts = gather->facts;

	return unitroot_read(NULL, gather->options->unit, &facts->unit, &facts->unseen, error);
}

static int read_image_kernel(struct gather *gather, struct error *error)
{
	return proc_br_netfilter_of_image("", &gather->facts->br_netfilter, error);
}

typedef int (*step)(struct gather *gather, struct error *error);

static int take_steps(struct gather *gather, const step *steps, size_t count, struct error *error)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++)
		r = steps[i](gather, error);
	return r;
}

int gather_facts(const struct gather_options *options, struct facts *ret, struct error *error)
{
	static const step steps[] = {
		read_basics,             /* host, date, who we are */
		find_daemon_by_pid_file, /* if there is one, dockerd works for us from here on */
		work_meanwhile,          /* the caller's own */
		read_unit,               /* one question to systemd */
		find_daemon_of_unit,     /* where the pid file did not tell */
		read_flags,              /* the command line at the next start */
		read_config,             /* daemon.json */
		ask_daemon_at_last,      /* where its command line did not say where to ask */
		ask_at_activated_socket, /* where nobody listens at the usual place */
		read_socket_unit,        /* where "hosts" is a flag and in the file */
		read_kernel,             /* br_netfilter, syslog */
		read_accounts,           /* dockremap */
		read_installation,       /* package, snap, rootless or nothing */
		read_files,              /* owner and mode */
		read_replies,            /* waits for dockerd */
		read_version,            /* told in a reply, or by the binary */
		read_data_root,          /* told in a reply, or by the folders */
		read_containers,         /* their own files, and what they tell of the daemon */
	};
	static const step image_steps[] = {
		read_basics, work_meanwhile, read_image_unit,   read_flags,
		read_config, read_accounts,  read_image_kernel, read_installation,
		read_files,  read_version,   read_data_root,
	};
	cleanup_facts struct facts facts = FACTS_EMPTY;
	scoped(gather_done) struct gather gather = {.options = options, .facts = &facts};

	int r = options->image ? take_steps(&gather, image_steps, array_size(image_steps), error)
			       : take_steps(&gather, steps, array_size(steps), error);
	if (r < 0)
		return r;
	*ret = facts;
	facts = FACTS_EMPTY;
	return 0;
}
