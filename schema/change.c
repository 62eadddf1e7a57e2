/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of schema changes, as Flink CDC writes them where it has a word. */
#include "schema/change.h"

#include "engine/base/assert.h"

const char *change_kind_name(enum change_kind kind)
{
    static const char *const names[] = {
        [CHANGE_CREATE_TABLE] = "create.table",     [CHANGE_DROP_TABLE] = "drop.table",
        [CHANGE_RENAME_TABLE] = "rename.table",     [CHANGE_ALTER_TABLE] = "alter.table",
        [CHANGE_TRUNCATE_TABLE] = "truncate.table", [CHANGE_CREATE_DATABASE] = "create.database",
        [CHANGE_DROP_DATABASE] = "drop.database",   [CHANGE_RESYNC_TABLE] = "resync.table",
        [CHANGE_PARK_TABLE] = "park.table",         [CHANGE_SWEEP_TABLE] = "sweep.table",
    };
    ASSERT(kind < ARRAY_SIZE(names));
    return names[kind];
}
