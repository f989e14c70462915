/* What holds a change up: it cannot work on this host, it needs consent, or it is out of reach. */
#pragma once

#include "core/judgement.h"

/* Looks at a setting whose state is SETTING_CHANGE and moves it to another state, with a note,
 * where something stands in the way. flag is where the present value comes from, or NULL. */
int guards_run(struct judgement *judgement, struct setting *setting, const struct flag *flag,
	       struct error *error);
