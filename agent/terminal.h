/* SPDX-License-Identifier: Apache-2.0
 *
 * Texts of servers and files on a terminal. */
#pragma once

#include <stdio.h>

#include "engine/base/bytes.h"

/* Control characters become '?'; filled up to `width` with spaces. */
void terminal_print(FILE *out, int width, struct bytes text);
