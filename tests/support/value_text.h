/* SPDX-License-Identifier: Apache-2.0
 *
 * A canonical value as a server shows it: numbers and times as they are printed, texts and bytes in
 * hexadecimal, doubles with 17 digits, NULL and ABSENT by name. */
#pragma once

#include "engine/base/buf.h"
#include "schema/type.h"
#include "schema/value.h"

void value_show(struct buf *out, const struct type *type, const struct value *value);
