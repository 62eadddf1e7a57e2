/* SPDX-License-Identifier: Apache-2.0
 *
 * MariaDB: begins a consistent snapshot on the connection, and tells where the log stands for it,
 * by its status variables binlog_snapshot_file and binlog_snapshot_position. The caller ends the
 * transaction. */
#pragma once

#include "sources/mysql/connection.h"
#include "sources/mysql/token.h"

/* place->file lies in the arena. ERROR_CONFIG: the server writes no log. */
bool snapshot_place(struct connection *connection, struct arena *arena, struct token *place,
                    struct error *err);
