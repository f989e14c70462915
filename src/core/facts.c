#include "core/facts.h"

#include <stdlib.h>

#include "core/canary.h"

void text_file_done(struct text_file *file)
{
	free(file->path);
	free(file->real_path);
	free(file->data);
	*file = (struct text_file){.path = NULL};
}

void exec_command_done(struct exec_command *command)
{
	free(command->path);
	strlist_done(&command->argv);
	*command = (struct exec_command){.path = NULL};
}

static void unit_facts_done(struct unit_facts *unit)
{
	free(unit->name);
	free(unit->load_state);
	free(unit->active_state);
	free(unit->sub_state);
	free(unit->fragment_path);
	strlist_done(&unit->dropin_paths);
	strlist_done(&unit->exec_start);
	for (size_t i = 0; i < unit->command_count; i++)
		exec_command_done(&unit->commands[i]);
	free(unit->commands);
	strlist_done(&unit->environment);
	strlist_done(&unit->unset_environment);
	strlist_done(&unit->socket_listen);
	for (size_t i = 0; i < unit->environment_file_count; i++)
		text_file_done(&unit->environment_files[i].file);
	free(unit->environment_files);
	for (size_t i = 0; i < unit->text_count; i++)
		text_file_done(&unit->texts[i]);
	free(unit->texts);
}

void socket_unit_facts_done(struct socket_unit_facts *unit)
{
	free(unit->name);
	free(unit->path);
	free(unit->user);
	free(unit->group);
	text_file_done(&unit->dropin);
	*unit = (struct socket_unit_facts){.opens = UNKNOWN, .wanted_gid = -1};
}

void syslog_facts_done(struct syslog_facts *syslog)
{
	free(syslog->address);
	free(syslog->reason);
	free(syslog->host);
	free(syslog->port);
	free(syslog->rsyslog_reason);
	free(syslog->addition);
	text_file_done(&syslog->input);
	*syslog = (struct syslog_facts){.answers = UNKNOWN};
}

static void container_facts_done(struct container_facts *container)
{
	free(container->id);
	free(container->name);
	free(container->service);
	free(container->started_at);
	json_decref(container->log);
	json_decref(container->ulimits);
}

void facts_done(struct facts *facts)
{
	free(facts->image);
	free(facts->hostname);
	free(facts->today);
	free(facts->install_note);
	free(facts->version_text);
	unit_facts_done(&facts->unit);
	strlist_done(&facts->process.argv);
	text_file_done(&facts->config);
	json_decref(facts->config_document);
	free(facts->socket_path);
	json_decref(facts->info);
	json_decref(facts->bridge);
	json_decref(facts->containers);
	json_decref(facts->volumes);
	for (size_t i = 0; i < facts->container_count; i++)
		container_facts_done(&facts->container_list[i]);
	free(facts->container_list);
	json_decref(facts->default_ulimits);
	canary_facts_done(&facts->canary);
	free(facts->data_root.path);
	strlist_done(&facts->data_root.drivers);
	for (size_t i = 0; i < facts->file_count; i++) {
		free(facts->files[i].path);
		free(facts->files[i].owner);
	}
	free(facts->files);
	syslog_facts_done(&facts->syslog);
	socket_unit_facts_done(&facts->socket_unit);
	free(facts->pending);
	strlist_done(&facts->unseen);
	*facts = FACTS_EMPTY;
}
