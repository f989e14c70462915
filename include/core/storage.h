/* The rule for storage-driver: never hide what is stored (facts b.5). */
#pragma once

#include "core/judgement.h"

int judge_storage_driver(struct judgement *judgement, struct setting *setting, struct error *error);
