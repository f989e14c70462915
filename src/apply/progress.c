#include "apply/progress.h"

const char *phase_name(enum phase phase)
{
	static const char *const names[] = {
		[PHASE_REHEARSE] = "rehearse", [PHASE_PREPARE] = "prepare",
		[PHASE_SWITCH] = "switch",     [PHASE_RELOAD] = "reload",
		[PHASE_STOP] = "stop",         [PHASE_RESTART] = "restart",
		[PHASE_ANSWER] = "answer",     [PHASE_START] = "start",
		[PHASE_CANARY] = "canary",     [PHASE_PROVE] = "prove",
		[PHASE_VERIFY] = "verify",     [PHASE_CONFIRM] = "confirm",
		[PHASE_UNDO] = "undo",
	};

	return names[phase];
}
