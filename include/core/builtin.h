/* What is compiled into the program: the profiles and texts for files of others, from templates/,
 * and the canary. */
#pragma once

#include <stddef.h>

struct builtin_profile {
	const char *name;
	const char *text; /* terminated */
};

/* All of them, the default one first. */
const struct builtin_profile *builtin_profiles(size_t *ret_count);

/* NULL when there is none of that name. */
const struct builtin_profile *builtin_profile_find(const char *name);

/* The completions of a shell (bash, zsh, fish), with a line @TABLE@ in them; terminated. */
const char *builtin_completion(const char *shell);

/* The text of harden's drop-in for the unit, with @LEFT_OUT@ and @ASSIGNMENTS@ in it; terminated.
 */
const char *builtin_dropin(void);
/* The template of the input that rsyslog is given (core/syslog.h). */
const char *builtin_rsyslog_listener(void);

/* The drop-in for docker.socket, with @MODE@, @USER@ and @GROUP@ in it (core/socketunit.h). */
const char *builtin_socket_dropin(void);

/* The canary's program (src/canary.c), an ELF file. */
const char *builtin_canary(size_t *ret_length);
