/* SPDX-License-Identifier: Apache-2.0
 *
 * What a differential test needs of a real server: statements, and the raw events of its binlog. */
#pragma once

#include <mysql.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/bytes.h"

struct server {
    MYSQL *mysql;
    bool mariadb, vectors;
    char file[512]; /* of the log position taken last */
    uint64_t offset;
};

/* `address`: host:port:user:password. Ends the program when it cannot. */
void server_open(struct server *server, const char *address);
void server_close(struct server *server);
__attribute__((format(printf, 2, 3))) void server_run(struct server *server, const char *format,
                                                      ...);
MYSQL_RES *server_select(struct server *server, const char *sql);
void server_mark_log(struct server *server); /* notes where the log ends */

/* Calls `take` with every event from the mark to the log's end: type, flags and the body without
 * header and checksum. On a connection of its own. */
void server_read_log(const struct server *server, const char *address,
                     void (*take)(void *context, uint8_t type, uint32_t time, struct bytes body),
                     void *context);
