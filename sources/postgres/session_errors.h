/* SPDX-License-Identifier: Apache-2.0
 *
 * SQLSTATEs to kinds of errors. */
#pragma once

#include "engine/base/bytes.h"
#include "engine/base/error.h"

/* An SQLSTATE as the code of an error: its five characters as a number of base 36. */
int sqlstate_code(const char *state);

/* Fills *err from what the server said; always false. `state` may be empty: libpq's own trouble. */
bool session_failure(struct error *err, const char *state, struct bytes text);
