/* SPDX-License-Identifier: Apache-2.0
 *
 * The `tableChanges` of Debezium's schema change messages. */
#pragma once

#include "engine/base/buf.h"
#include "schema/change.h"

void debezium_table_changes(const struct schema_change *change, struct buf *out);
