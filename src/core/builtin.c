#include "core/builtin.h"

#include <string.h>

#include "base/cleanup.h"

/* Puts a file's bytes into the read-only data of the program, terminated like a string. */
#define EMBED(symbol, path)                                                                        \
	__asm__(".section .rodata\n"                                                               \
		"embedded_" #symbol ":\n"                                                          \
		".incbin \"" path "\"\n"                                                           \
		"embedded_end_" #symbol ":\n"                                                      \
		".byte 0\n"                                                                        \
		".previous\n");                                                                    \
	extern const char symbol[] __asm__("embedded_" #symbol)

EMBED(hardened, TEMPLATES_DIR "/profiles/hardened.json");
EMBED(level1, TEMPLATES_DIR "/profiles/level1.json");
EMBED(dropin, TEMPLATES_DIR "/units/dropin.conf");
EMBED(rsyslog_listener, TEMPLATES_DIR "/rsyslog/listener.conf");
EMBED(socket_dropin, TEMPLATES_DIR "/units/socket.conf");
EMBED(canary, CANARY_PROGRAM);
extern const char canary_end[] __asm__("embedded_end_canary");

EMBED(completion_bash, TEMPLATES_DIR "/completions/bash");
EMBED(completion_zsh, TEMPLATES_DIR "/completions/zsh");
EMBED(completion_fish, TEMPLATES_DIR "/completions/fish");

static const struct builtin_profile profiles[] = {
	{.name = "hardened", .text = hardened},
	{.name = "level1", .text = level1},
};

const struct builtin_profile *builtin_profiles(size_t *ret_count)
{
	*ret_count = array_size(profiles);
	return profiles;
}

const struct builtin_profile *builtin_profile_find(const char *name)
{
	size_t count = 0;
	const struct builtin_profile *all = builtin_profiles(&count);

	for (size_t i = 0; i < count; i++)
		if (strcmp(all[i].name, name) == 0)
			return &all[i];
	return NULL;
}

const char *builtin_completion(const char *shell)
{
	return strcmp(shell, "bash") == 0  ? completion_bash
	       : strcmp(shell, "zsh") == 0 ? completion_zsh
					   : completion_fish;
}

const char *builtin_dropin(void)
{
	return dropin;
}

const char *builtin_rsyslog_listener(void)
{
	return rsyslog_listener;
}

const char *builtin_socket_dropin(void)
{
	return socket_dropin;
}

const char *builtin_canary(size_t *ret_length)
{
	*ret_length = (size_t)(canary_end - canary);
	return canary;
}
