/* What happens, as it happens: for the terminal, and for measuring. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum phase {
	PHASE_REHEARSE, /* the candidate configuration on a throwaway dockerd */
	PHASE_PREPARE,  /* checks, the record, temporary files */
	PHASE_SWITCH,   /* the files take their places */
	PHASE_RELOAD,   /* systemctl daemon-reload, and dockerd's own reload */
	PHASE_STOP,     /* containers that are to be stopped first */
	PHASE_RESTART,  /* the systemd job */
	PHASE_ANSWER,   /* until the API answers */
	PHASE_START,    /* containers that are to run again */
	PHASE_CANARY,   /* a container that tells what it got */
	PHASE_PROVE,    /* what is in force */
	PHASE_VERIFY,   /* the command of --verify-cmd */
	PHASE_CONFIRM,  /* until somebody says yes */
	PHASE_UNDO,     /* everything that puts the host back */
	PHASE_COUNT,
};

const char *phase_name(enum phase phase); /* "prepare", "switch", … */

struct progress {
	/* A step begins; the text says which, as "restart docker.service". */
	void (*begin)(void *context, enum phase phase, const char *text);
	/* About five times a second while it lasts. */
	void (*tick)(void *context);
	/* It has ended, well or not, after so many microseconds. */
	void (*end)(void *context, bool fine, uint64_t took_us);
	void *context;
};
