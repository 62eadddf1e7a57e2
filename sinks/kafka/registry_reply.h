/* SPDX-License-Identifier: Apache-2.0
 *
 * What a schema registry answers. */
#pragma once

#include "engine/base/bytes.h"
#include "engine/base/error.h"

/* What a refusal says of itself, or the start of its text. */
void registry_refusal(struct bytes body, char *out, size_t size);
/* {"id":7} */
bool registry_id(struct bytes body, uint32_t *id, struct error *err);
