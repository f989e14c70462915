/* Transactions as they are to be, from a plan or from one that was carried out before. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "apply/switch.h"
#include "apply/transaction.h"
#include "base/text.h"
#include "core/action.h"
#include "core/configuration.h"
#include "core/containers.h"
#include "core/daemonjson.h"
#include "core/live.h"
#include "core/mask.h"
#include "host/account.h"
#include "host/file.h"

/* ---- who and when ---- */

static int copy_text(char **ret, const char *text, struct error *error)
{
	*ret = text ? strdup(text) : NULL;
	return *ret || !text ? 0 : error_set_oom(error);
}

/* Who logged in, also behind sudo and su; for a service that is nobody, and who runs it counts. */
static uid_t login_uid(void)
{
	cleanup_text_file struct text_file file = {.path = NULL};
	struct error ignored = ERROR_NONE;

	if (file_read("/proc/self/loginuid", 64, &file, &ignored) == 0 && file.data) {
		unsigned long uid = strtoul(file.data, NULL, 10);
		if (uid < UINT_MAX)
			return (uid_t)uid;
	}
	return getuid();
}

static int name_user(struct txn *txn, struct error *error)
{
	const char *sudo = secure_getenv("SUDO_USER");
	cleanup_free char *home = NULL;
	char number[32];

	txn->uid = login_uid();
	if (sudo && *sudo && utf8_is_valid(sudo, strlen(sudo), NULL))
		return copy_text(&txn->user, sudo, error);
	int r = account_find_user("", txn->uid, &txn->user, &home, error);
	if (r < 0 || txn->user)
		return r;
	(void)snprintf(number, sizeof number, "%u", (unsigned)txn->uid);
	return copy_text(&txn->user, number, error);
}

static int begin(struct txn *txn, enum txn_kind kind, const struct facts *facts,
		 const struct store *store, struct error *error)
{
	time_t now = time(NULL);

	txn->kind = kind;
	txn->state = TXN_PREPARED;
	txn->daemon = facts->daemon;
	int r = store_new_id(store, now, &txn->id, error);
	if (r == 0)
		r = txn_time_text(now, &txn->started, error);
	if (r == 0)
		r = name_user(txn, error);
	if (r == 0)
		r = copy_text(&txn->unit, facts->unit.name, error);
	if (r == 0)
		r = copy_text(&txn->socket, facts->socket_path, error);
	if (r == 0 && facts->daemon == DAEMON_RUNNING && *facts->unit.invocation)
		r = copy_text(&txn->invocation, facts->unit.invocation, error);
	return r;
}

/* ---- files ---- */

static int add_file(struct txn *txn, const char *path, const char *target, enum file_action action,
		    struct txn_file **ret, struct error *error)
{
	struct txn_file *files = reallocarray(txn->files, txn->file_count + 1, sizeof *txn->files);

	if (!files)
		return error_set_oom(error);
	txn->files = files;
	struct txn_file *file = &files[txn->file_count++];
	*file = (struct txn_file){.action = action};
	file->path = strdup(path);
	file->target = strdup(target);
	file->temporary = switch_temporary(target);
	if (!file->path || !file->target || !file->temporary)
		return error_set_oom(error);
	*ret = file;
	return 0;
}

static struct txn_file *find_target(const struct txn *txn, const char *target)
{
	for (size_t i = 0; i < txn->file_count; i++)
		if (strcmp(txn->files[i].target, target) == 0)
			return &txn->files[i];
	return NULL;
}

/* Folders that have to be there first, the outermost in front. */
static int add_missing_folders(struct txn *txn, const char *target, struct error *error)
{
	for (const char *at = strchr(target + 1, '/'); at; at = strchr(at + 1, '/')) {
		cleanup_free char *folder = strndup(target, (size_t)(at - target));
		if (!folder)
			return error_set_oom(error);
		if (access(folder, F_OK) == 0 || strlist_contains(&txn->folders, folder))
			continue;
		if (strlist_add(&txn->folders, folder) < 0)
			return error_set_oom(error);
	}
	return 0;
}

/* systemd reads these itself. */
static bool is_unit_file(const char *target)
{
	return strstr(target, "/systemd/system/") != NULL;
}

static int note_place(struct txn *txn, const struct txn_file *file, struct error *error)
{
	if (file->action == FILE_MODE)
		return 0;
	txn->units_changed |= is_unit_file(file->target);
	return file->after.exists ? add_missing_folders(txn, file->target, error) : 0;
}

static void own(struct filestate *state, const struct planned_file *planned)
{
	state->uid = planned->uid;
	state->gid = planned->gid;
	state->mode = planned->mode;
}

static int check_unchanged(const struct planned_file *planned, const struct filestate *before,
			   struct error *error)
{
	bool same = planned->before
			    ? before->exists && !before->folder &&
				      before->length == planned->before_length &&
				      memcmp(before->data, planned->before, before->length) == 0
			    : !before->exists;

	if (planned->action == FILE_MODE || same)
		return 0;
	return error_set(error, -ESTALE, "apply", planned->path,
			 "the file was changed while the plan was made; run it again");
}

/* Another process may have to find it, in another folder. */
static int make_absolute(const char *path, char **ret, struct error *error)
{
	cleanup_free char *here = NULL;

	if (path[0] == '/')
		return copy_text(ret, path, error);
	here = getcwd(NULL, 0);
	if (!here)
		return error_set_errno(error, errno, "find", path);
	return asprintf(ret, "%s/%s", here, path) < 0 ? error_set_oom(error) : 0;
}

static int resolve(const struct planned_file *planned, const struct facts *facts, char **ret,
		   struct error *error)
{
	if (text_equal(planned->path, facts->config.path))
		return make_absolute(facts->config.real_path, ret, error);
	*ret = realpath(planned->path, NULL);
	if (*ret)
		return 0;
	if (errno != ENOENT)
		return error_set_errno(error, errno, "apply", planned->path);
	return make_absolute(planned->path, ret, error);
}

static int add_planned(struct txn *txn, const struct planned_file *planned,
		       const struct facts *facts, struct error *error)
{
	cleanup_free char *target = NULL;
	struct txn_file *file;

	int r = resolve(planned, facts, &target, error);
	if (r < 0)
		return r;
	file = find_target(txn, target);
	if (file && planned->action == FILE_MODE) {
		own(&file->after, planned);
		return 0;
	}
	r = add_file(txn, planned->path, target, planned->action, &file, error);
	if (r == 0)
		r = filestate_read(target, &file->before, error);
	if (r == 0)
		r = check_unchanged(planned, &file->before, error);
	if (r < 0)
		return r;
	file->config =
		planned->action != FILE_MODE && text_equal(planned->path, facts->config.path);
	if (planned->action == FILE_MODE)
		r = filestate_copy(&file->before, &file->after, error);
	else if (planned->after)
		r = filestate_with_bytes(&file->before, planned->after, planned->after_length,
					 &file->after, error);
	if (r < 0)
		return r;
	if (file->after.exists)
		own(&file->after, planned);
	return note_place(txn, file, error);
}

/* ---- from a plan ---- */

static int expect(struct txn *txn, const char *key, json_t *before, json_t *wanted,
		  enum effect effect, struct error *error)
{
	struct expectation *all = reallocarray(txn->expectations, txn->expectation_count + 1,
					       sizeof *txn->expectations);

	if (!all)
		return error_set_oom(error);
	txn->expectations = all;
	struct expectation *expectation = &all[txn->expectation_count++];
	*expectation = (struct expectation){
		.key = strdup(key),
		.before = json_incref(before),
		.wanted = json_incref(wanted),
		.effect = effect,
	};
	return expectation->key ? 0 : error_set_oom(error);
}

int transaction_check(const struct txn *txn, const struct facts *facts, struct error *error)
{
	bool live = json_is_true(json_object_get(facts->info, "LiveRestoreEnabled"));

	if (txn->action == ACTION_NONE)
		return 0;
	if (!facts->unit.known)
		return error_set(error, -EOPNOTSUPP, "apply", txn->unit,
				 "systemd does not know this unit, so dockerd cannot be restarted; "
				 "--no-restart writes the files only");
	if (facts->process.pid && facts->unit.main_pid != facts->process.pid)
		return error_set(error, -EOPNOTSUPP, "apply", txn->unit,
				 "dockerd (process %jd) was not started by this unit; restart it "
				 "yourself, and use --no-restart or name its unit with --unit",
				 (intmax_t)facts->process.pid);
	if (txn->kind == TXN_APPLY && txn->action == ACTION_RESTART && !live && !txn->stops &&
	    facts->data_root.containers_running > 0)
		return error_set(error, -EBUSY, "apply", txn->unit,
				 "a restart would stop the %jd running containers; to consent: "
				 "--accept " ACCEPT_RESTART,
				 (intmax_t)facts->data_root.containers_running);
	return 0;
}

/* ---- containers ---- */

/* Whatever goes wrong, those that run now run again when it is undone. */
static int note_running(struct txn *txn, const struct facts *facts, struct error *error)
{
	cleanup_container_refs struct container_refs up = {.items = NULL};
	int r = 0;

	if (txn->action == ACTION_RESTART || txn->action == ACTION_RELOAD_RESTART)
		r = containers_up(facts, &up, error);
	for (size_t i = 0; r == 0 && i < up.count; i++)
		if (txn_container_id_is_valid(up.items[i]->id))
			r = txn_containers_add(&txn->running, up.items[i]->id, up.items[i]->name,
					       up.items[i]->state == CONTAINER_PAUSED, error);
	return r;
}

static int fill_from_plan(struct txn *txn, const struct plan *plan, const struct facts *facts,
			  struct error *error)
{
	int r = copy_text(&txn->profile, plan->profile.name, error);

	if (r == 0 && strlist_add_all(&txn->command_line, &plan->command_line) < 0)
		r = error_set_oom(error);
	txn->action = plan->action;
	if (r == 0)
		r = copy_text(&txn->listener.unit, plan->listener.unit, error);
	if (r == 0)
		r = copy_text(&txn->listener.address, plan->listener.address, error);
	txn->live_restore = !plan->release;
	txn->stops = plan->stops;
	for (size_t i = 0; r == 0 && i < plan->file_count; i++)
		r = add_planned(txn, &plan->files[i], facts, error);
	for (size_t i = 0; r == 0 && i < plan->setting_count; i++) {
		const struct setting *setting = &plan->settings[i];
		if (setting->state != SETTING_CHANGE)
			continue;
		if (txn->action == ACTION_RELOAD && strcmp(setting->row->key, "live-restore") == 0)
			txn->live_restore = json_is_true(setting->wanted);
		r = expect(txn, setting->row->key, setting->in_force, setting->wanted,
			   setting->effect, error);
	}
	return r;
}

int transaction_from_plan(const struct plan *plan, const struct facts *facts,
			  const struct store *store, struct txn *ret, struct error *error)
{
	cleanup_txn struct txn txn = {.id = NULL};

	int r = begin(&txn, TXN_APPLY, facts, store, error);
	if (r == 0)
		r = fill_from_plan(&txn, plan, facts, error);
	if (r == 0)
		r = note_running(&txn, facts, error);
	if (r == 0 && plan->starts)
		r = txn_containers_copy(&txn.running, &txn.starts, error);
	if (r == 0)
		r = transaction_check(&txn, facts, error);
	if (r < 0)
		return r;
	*ret = txn;
	txn = (struct txn){.id = NULL};
	return 0;
}

/* ---- from what was done ---- */

static int describe_edit(const struct txn_file *done, const struct filestate *current,
			 struct strlist *differences, struct error *error)
{
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
	cleanup_free char *diff = NULL;
	int r = 0;

	if (!differences)
		return 0;
	/* No bytes are kept of files whose owner and mode are all that matters. */
	if (done->after.data && current->data && !filestate_same_content(current, &done->after))
		r = mask_diff(done->path, done->after.data, done->after.length, current->data,
			      current->length, &diff, error);
	if (r < 0)
		return r;
	if (diff)
		(void)strbuf_adds(&text, diff);
	else
		(void)strbuf_addf(&text, "%s: owner %u:%u, mode %04o; was %u:%u, %04o\n",
				  done->path, (unsigned)current->uid, (unsigned)current->gid,
				  (unsigned)current->mode, (unsigned)done->after.uid,
				  (unsigned)done->after.gid, (unsigned)done->after.mode);
	return strlist_take(differences, strbuf_finish(&text)) < 0 ? error_set_oom(error) : 0;
}

/* Whether the file still is what the transaction made of it; that of a change of owner and mode may
 * have been written to since. */
static bool is_ours(const struct txn_file *done, const struct filestate *current)
{
	if (!current->exists || !done->after.exists)
		return current->exists == done->after.exists;
	if (done->action != FILE_MODE && !filestate_same_content(current, &done->after))
		return false;
	return current->uid == done->after.uid && current->gid == done->after.gid &&
	       current->mode == done->after.mode;
}

/* The old owner and mode on what is there now. */
static int old_attributes(const struct txn_file *done, const struct filestate *current,
			  struct filestate *ret, struct error *error)
{
	int r = filestate_copy(current, ret, error);

	if (r == 0) {
		ret->uid = done->before.uid;
		ret->gid = done->before.gid;
		ret->mode = done->before.mode;
	}
	return r;
}

static enum file_action reverse_action(const struct txn_file *done, const struct filestate *current)
{
	if (done->action == FILE_MODE)
		return FILE_MODE;
	if (!done->before.exists)
		return FILE_REMOVE;
	return current->exists ? FILE_MODIFY : FILE_CREATE;
}

static int add_reverse(struct txn *txn, const struct txn_file *done, const char **edited,
		       struct strlist *differences, struct error *error)
{
	cleanup_filestate struct filestate current = {.exists = false};
	struct txn_file *file = NULL;

	int r = filestate_read(done->target, &current, error);
	if (r < 0 || filestate_same(&current, &done->before) ||
	    (done->action == FILE_MODE && !current.exists))
		return r;
	if (!is_ours(done, &current)) {
		*edited = done->path;
		r = describe_edit(done, &current, differences, error);
	}
	if (r == 0)
		r = add_file(txn, done->path, done->target, reverse_action(done, &current), &file,
			     error);
	if (r < 0)
		return r;
	file->config = done->config;
	r = file->action == FILE_MODE ? old_attributes(done, &current, &file->after, error)
				      : filestate_copy(&done->before, &file->after, error);
	file->before = current;
	current = (struct filestate){.exists = false};
	return r < 0 ? r : note_place(txn, file, error);
}

/* What live-restore will be: -1 where the transaction did not change it. */
static int live_restore_before(const struct txn *done)
{
	for (size_t i = 0; i < done->expectation_count; i++)
		if (strcmp(done->expectations[i].key, "live-restore") == 0 &&
		    json_is_boolean(done->expectations[i].before))
			return json_is_true(done->expectations[i].before);
	return -1;
}

static bool replaces_files(const struct txn *txn)
{
	for (size_t i = 0; i < txn->file_count; i++)
		if (txn->files[i].action != FILE_MODE)
			return true;
	return false;
}

/* Whether a reload with the file that is to be there would do harm; not knowing is reason enough.
 */
static bool reload_would_harm(const struct txn *txn, const struct facts *facts)
{
	cleanup_configuration struct configuration configuration = {.document = NULL};
	json_auto_t *document = NULL;
	struct error ignored = ERROR_NONE;
	const struct filestate *after = NULL;

	for (size_t i = 0; i < txn->file_count; i++)
		if (txn->files[i].config)
			after = &txn->files[i].after;
	if (!after || configuration_read(facts, &configuration, &ignored) < 0 ||
	    daemonjson_read(after->data ? after->data : "", after->length, &document, &ignored) < 0)
		return true;
	return action_reload_trap(facts, &configuration, document) != NULL;
}

/* Whether the old command line gives live-restore: dockerd would not start with it in the file,
 * too.
 */
static bool has_live_restore_flag(const struct txn *txn)
{
	static const char flag[] = "--live-restore";

	for (size_t i = 0; i < txn->file_count; i++) {
		const struct txn_file *file = &txn->files[i];
		const struct filestate *states[] = {&file->before, &file->after};
		for (size_t k = 0; !file->config && k < array_size(states); k++)
			if (states[k]->data &&
			    memmem(states[k]->data, states[k]->length, flag, strlen(flag)))
				return true;
	}
	return false;
}

/* Whether the daemon was told nothing of the change, and has not been started since: it still runs
 * as it did before. */
static bool is_not_in_force(const struct txn *done, const struct facts *facts)
{
	return done->action == ACTION_NONE && *facts->unit.invocation &&
	       text_equal(done->invocation, facts->unit.invocation);
}

/* As little as gets the old values in force. Containers are kept wherever live-restore can be had
 * on one side of the restart. */
static void choose_action(struct txn *txn, const struct txn *done, const struct facts *facts)
{
	const json_t *live_json = json_object_get(facts->info, "LiveRestoreEnabled");
	bool live = json_is_true(live_json);
	int before = live_restore_before(done);

	if (facts->daemon != DAEMON_RUNNING || !replaces_files(txn) ||
	    is_not_in_force(done, facts)) {
		txn->action = ACTION_NONE;
	} else if (done->action == ACTION_RELOAD && before >= 0 && !reload_would_harm(txn, facts)) {
		txn->action = ACTION_RELOAD;
		txn->live_restore = before;
	} else {
		bool switches = before >= 0 && live_json && live != before;
		bool keep = switches && facts->data_root.containers_running > 0 &&
			    facts->swarm != YES && !has_live_restore_flag(txn) &&
			    !reload_would_harm(txn, facts);
		txn->action = keep ? ACTION_RELOAD_RESTART : ACTION_RESTART;
		txn->live_restore = before > 0;
	}
}

static int expect_return(struct txn *txn, const struct txn *done, const struct facts *facts,
			 struct error *error)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < done->expectation_count; i++) {
		const struct expectation *old = &done->expectations[i];
		const char *key = old->key;
		json_auto_t *now =
			facts->daemon == DAEMON_RUNNING ? live_value(facts, &key, 1) : NULL;
		r = expect(txn, key, now, old->before, old->effect, error);
	}
	return r;
}

static bool has_network_settings(const struct txn *done)
{
	for (size_t i = 0; i < done->expectation_count; i++)
		if (done->expectations[i].effect == EFFECT_CONTAINERS)
			return true;
	return false;
}

static int refuse_to_stop(const struct txn *done, const struct container_refs *up, const char *key,
			  const char *what, struct error *error)
{
	cleanup_free char *names = container_names_text(up);

	if (!names)
		return error_set_oom(error);
	return error_set(error, -EBUSY, "roll back", done->id,
			 "%s %zu container%s (%s); to consent: --accept %s", what, up->count,
			 up->count == 1 ? "" : "s", names, key);
}

/* What is stopped has to come back, and --rm removes it. */
static int check_removal(const struct txn *done, const struct container_refs *up,
			 struct error *error)
{
	for (size_t i = 0; i < up->count; i++)
		if (up->items[i]->auto_remove)
			return error_set(error, -EBUSY, "roll back", done->id,
					 "%s was started with --rm: stopping it would remove it "
					 "for good; stop it yourself first",
					 up->items[i]->name);
	return 0;
}

/* The way back stops containers where the data root moves under them, where a restart does not keep
 * them, and where that is asked for. What was stopped on the way there is started again. */
static int choose_stops(struct txn *txn, const struct txn *done, const struct facts *facts,
			const struct undo_options *options, struct error *error)
{
	cleanup_container_refs struct container_refs up = {.items = NULL};
	const struct strlist *accept = options->accept;
	bool live = json_is_true(json_object_get(facts->info, "LiveRestoreEnabled"));
	bool restarts = txn->action == ACTION_RESTART || txn->action == ACTION_RELOAD_RESTART;
	const char *moves = restarts ? txn_data_key(done) : NULL;
	/* A start without live-restore stops what runs, whatever it was before. */
	bool loses = txn->action == ACTION_RESTART && (!live || live_restore_before(done) == 0);

	int r = restarts ? containers_up(facts, &up, error) : 0;
	if (r < 0 || !restarts)
		return r;
	if (moves)
		r = txn_containers_copy(&done->running, &txn->starts, error);
	if (r < 0 || !up.count)
		return r;
	if (moves && !strlist_contains(accept, moves))
		return refuse_to_stop(done, &up, moves, "it moves the data root back, away from",
				      error);
	bool wanted = options->restart_containers && has_network_settings(done);
	if (!moves && !wanted && loses && !options->restart_containers &&
	    !strlist_contains(accept, ACCEPT_RESTART))
		return refuse_to_stop(done, &up, ACCEPT_RESTART, "it would stop", error);
	txn->stops = moves || wanted || loses;
	if (txn->stops) {
		r = check_removal(done, &up, error);
		txn->action = ACTION_RESTART;
	}
	if (r == 0 && txn->stops && !moves)
		r = txn_containers_copy(&txn->running, &txn->starts, error);
	return r;
}

static int fill_from_done(struct txn *txn, const struct txn *done, const struct facts *facts,
			  const struct undo_options *options, struct strlist *differences,
			  struct error *error)
{
	const char *edited = NULL;
	int r = copy_text(&txn->of, done->id, error);

	if (r == 0)
		r = copy_text(&txn->listener.unit, done->listener.unit, error);
	if (r == 0)
		r = copy_text(&txn->listener.address, done->listener.address, error);
	for (size_t i = done->file_count; r == 0 && i > 0; i--)
		r = add_reverse(txn, &done->files[i - 1], &edited, differences, error);
	if (r == 0 && edited && !options->force)
		r = error_set(error, -ESTALE, "roll back", edited,
			      "it was edited since %s; --force overwrites it", done->id);
	if (r == 0 && strlist_add_all(&txn->folders_left, &done->folders) < 0)
		r = error_set_oom(error);
	if (r == 0)
		r = expect_return(txn, done, facts, error);
	if (r < 0)
		return r;
	choose_action(txn, done, facts);
	r = note_running(txn, facts, error);
	return r < 0 ? r : choose_stops(txn, done, facts, options, error);
}

int transaction_from_txn(const struct txn *done, const struct facts *facts,
			 const struct store *store, const struct undo_options *options,
			 struct txn *ret, struct strlist *ret_differences, struct error *error)
{
	cleanup_txn struct txn txn = {.id = NULL};

	int r = begin(&txn, TXN_ROLLBACK, facts, store, error);
	if (r == 0)
		r = fill_from_done(&txn, done, facts, options, ret_differences, error);
	if (r < 0)
		return r;
	*ret = txn;
	txn = (struct txn){.id = NULL};
	return 0;
}
