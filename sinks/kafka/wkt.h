/* SPDX-License-Identifier: Apache-2.0
 *
 * Well-known text of well-known binary (little endian, two dimensions, as the servers store it). */
#pragma once

#include "engine/base/buf.h"
#include "engine/base/reader.h"

/* Appends the geometry at the front of `in`; false when it is malformed. */
bool wkt_put(struct reader *in, struct buf *out);
