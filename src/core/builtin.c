#include "core/builtin.h"

#include <string.h>

#include "base/cleanup.h"

/* Puts a file's bytes into the read-only data of the program, terminated like a string. */
#define EMBED(symbol, path)                                                                        \
	__asm__(".section .rodata\n"                                                               \
		"embedded_" #symbol ":\n"                                                          \
		".incbin \"" TEMPLATES_DIR "/" path "\"\n"                                         \
		".byte 0\n"                                                                        \
		".previous\n");                                                                    \
	extern const char symbol[] __asm__("embedded_" #symbol)

EMBED(hardened, "profiles/hardened.json");
EMBED(level1, "profiles/level1.json");
EMBED(dropin, "units/dropin.conf");
EMBED(rsyslog_listener, "rsyslog/listener.conf");
EMBED(socket_dropin, "units/socket.conf");

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
