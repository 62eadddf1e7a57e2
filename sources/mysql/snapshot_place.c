/* SPDX-License-Identifier: Apache-2.0 */
#include "sources/mysql/snapshot_place.h"

#include <strings.h>

#include "engine/base/parse.h"

static bool is_named(struct bytes name, const char *wanted)
{
    size_t size = strlen(wanted);
    return name.size == size && strncasecmp((const char *)name.data, wanted, size) == 0;
}

bool snapshot_place(struct connection *connection, struct arena *arena, struct token *place,
                    struct error *err)
{
    struct result result;
    *place = (struct token){ 0 };
    if (!connection_execute(connection, err, "START TRANSACTION WITH CONSISTENT SNAPSHOT") ||
        !connection_ask(connection, "SHOW STATUS LIKE 'binlog_snapshot_%'", arena, &result, err))
        return false;
    for (uint32_t i = 0; i < result.row_count; i++) {
        struct bytes name = result.cells[2 * i], value = result.cells[2 * i + 1];
        if (is_named(name, "binlog_snapshot_file"))
            place->file = value;
        if (is_named(name, "binlog_snapshot_position"))
            place->offset = parse_digits(value);
    }
    return place->file.size > 0 ||
           error_set(err, ERROR_CONFIG,
                     "the server tells no binlog_snapshot_position: is log_bin on?");
}
