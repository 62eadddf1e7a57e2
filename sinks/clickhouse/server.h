/* SPDX-License-Identifier: Apache-2.0
 *
 * One ClickHouse server, or one of several replicas, behind its HTTP interface. A failed connection
 * makes the next request go to the next address. */
#pragma once

#include "engine/base/reader.h"
#include "sinks/clickhouse/options.h"
#include "sinks/clickhouse/types.h"
#include "sinks/http.h"

struct clickhouse_server {
    const struct clickhouse_options *options;
    struct http *http;
    size_t url; /* index of the address in use */
    const char *headers[4];
    struct buf address, sql;
    uint32_t version; /* major * 1000 + minor: 26007 */
    struct clickhouse_abilities abilities;
};

/* A body that is pulled while it is sent. */
struct clickhouse_upload {
    size_t (*read)(void *context, uint8_t *room, size_t size);
    void (*rewind)(void *context);
    void *context;
    const char *encoding; /* header "Content-Encoding: ...", or NULL */
};

/* Checks options and takes memory; does not connect. */
bool server_open(struct clickhouse_server *server, const struct clickhouse_options *options,
                 struct arena *arena, struct error *err);
/* Connects to the first address that answers and asks what it can do. ERROR_CONFIG: too old. */
bool server_connect(struct clickhouse_server *server, struct error *err);
void server_close(struct clickhouse_server *server);

/* An empty buffer for the next statement. */
struct buf *server_sql(struct clickhouse_server *server);
/* Runs the statement as DDL: no time limit, waits for all replicas. */
bool server_execute(struct clickhouse_server *server, struct error *err);
/* Runs the statement as a query; it ends in FORMAT RowBinary. `rows` is valid until the next. */
bool server_query(struct clickhouse_server *server, struct reader *rows, struct error *err);
/* Does the server know these query settings ("&name=value...")? ERROR_CONFIG when not. */
bool server_try_settings(struct clickhouse_server *server, struct bytes settings,
                         struct error *err);
/* The statement is an INSERT; `settings` goes into the address behind it ("&name=value..."). */
bool server_insert(struct clickhouse_server *server, struct bytes settings,
                   const struct clickhouse_upload *upload, struct error *err);
/* Rows that the last INSERT wrote, of the server's summary; -1: it did not say. */
int64_t server_written_rows(const struct clickhouse_server *server);

/* A string of RowBinary: varuint size, bytes. */
struct bytes row_string(struct reader *rows);
