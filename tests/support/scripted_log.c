/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/scripted_log.h"

#include <stdlib.h>

#include "engine/base/assert.h"
#include "sources/sources.h"

enum {
    HEADER = 19,
    PACKETS_MAX = 1 << 20,
    COLUMN_LONG = 3,
    QUERY = 2,
    XID = 16,
    TABLE_MAP = 19,
    WRITE_ROWS = 30,
    GTID = 33,
    TABLE_ID = 77
};

/* ---- the server ---- */

static struct {
    uint8_t *data;
    size_t size;
} packets[PACKETS_MAX];
static size_t first_packet, packet_count;
static struct server_info info = { .flavor = SERVER_MYSQL, .version = 90700, .text = "scripted" };
static int waited_ms;
static uint8_t *given; /* the newest packet: valid until the next */

void lab_packet(struct bytes event)
{
    ASSERT(packet_count < PACKETS_MAX);
    uint8_t *data = malloc(event.size + 1);
    ASSERT(data);
    data[0] = 0;
    memcpy(data + 1, event.data, event.size);
    packets[packet_count].data = data;
    packets[packet_count++].size = event.size + 1;
}

bool lab_is_empty(void) { return first_packet == packet_count; }
int lab_waited_ms(void) { return waited_ms; }

static void forget_packets(void)
{
    for (; first_packet < packet_count; first_packet++)
        free(packets[first_packet].data);
    first_packet = packet_count = 0;
    free(given);
    given = NULL;
}

bool connection_wait(struct connection *connection, int timeout_ms)
{
    (void)connection;
    waited_ms = timeout_ms;
    return !lab_is_empty();
}

bool connection_is_silent(const struct connection *connection)
{
    (void)connection;
    return false;
}

bool connection_packet(struct connection *connection, struct bytes *packet, struct error *err)
{
    (void)connection;
    if (lab_is_empty())
        return error_set(err, ERROR_RETRY, "the script is over");
    free(given);
    given = packets[first_packet].data;
    *packet = (struct bytes){ given, packets[first_packet++].size };
    return true;
}

const struct server_info *connection_server(const struct connection *connection)
{
    (void)connection;
    return &info;
}

bool connection_open(const struct mysql_options *options, struct connection **out,
                     struct error *err)
{
    (void)options;
    (void)out;
    return error_set(err, ERROR_RETRY, "there is no server behind a script");
}

bool connection_query(struct connection *connection, struct bytes sql, uint32_t limit,
                      struct arena *arena, struct result *result, struct error *err)
{
    (void)connection;
    (void)sql;
    (void)limit;
    (void)arena;
    (void)result;
    return error_set(err, ERROR_RETRY, "there is no server behind a script");
}

bool connection_execute(struct connection *connection, struct error *err, const char *format, ...)
{
    (void)connection;
    (void)format;
    return error_set(err, ERROR_RETRY, "there is no server behind a script");
}

bool connection_command(struct connection *connection, uint8_t command, struct bytes payload,
                        struct error *err)
{
    (void)connection;
    (void)command;
    (void)payload;
    return error_set(err, ERROR_RETRY, "there is no server behind a script");
}

bool connection_is_tls(const struct connection *connection) { return connection != NULL; }
void connection_close(struct connection *connection) { (void)connection; }
void connection_interrupt(struct connection *connection) { (void)connection; }
void connection_read_timeout(struct connection *connection, uint32_t seconds)
{
    (void)connection;
    (void)seconds;
}

void mysql_quote_identifier(struct buf *out, struct bytes name) { buf_bytes(out, name); }
void mysql_quote_text(struct buf *out, struct bytes text) { buf_bytes(out, text); }

/* ---- the reader ---- */

static bool matches_all(void *context, struct bytes database, struct bytes schema,
                        struct bytes name)
{
    (void)context;
    (void)schema;
    return bytes_is(database, "d") && name.size > 0;
}

void lab_open(struct log_lab *lab, bool mariadb)
{
    static struct column column = { .type = { .kind = TYPE_INT, .bits = 32 }, .key_order = 1 };
    column.name = BYTES_LITERAL("id");
    column.source_type = BYTES_LITERAL("int");
    struct table table = { .database = BYTES_LITERAL("d"),
                           .name = BYTES_LITERAL("t"),
                           .columns = &column,
                           .column_count = 1 };
    struct source *source;
    struct error err;
    *lab = (struct log_lab){ .filter = { .matches = matches_all }, .position = 4 };
    lab->options.transaction_memory = 1 << 12;
    info.flavor = mariadb ? SERVER_MARIADB : SERVER_MYSQL;
    catalog_init(&lab->catalog);
    table_index_keys(&lab->arena, &table);
    catalog_put(&lab->catalog, &table, NULL, 0);
    ASSERT(mysql_source.open(&lab->options, &lab->arena, &source, &err));
    lab->log = (struct log_source *)source;
    lab->log->catalog = &lab->catalog;
    lab->log->filter = &lab->filter;
    lab->log->mariadb = mariadb;
    lab->log->by_gtid = lab->log->streaming = true;
    snprintf(lab->log->file, sizeof lab->log->file, "binlog.000001");
    lab->log->offset = lab->position;
}

void lab_close(struct log_lab *lab)
{
    mysql_source.close(&lab->log->base);
    catalog_done(&lab->catalog);
    arena_done(&lab->arena);
    arena_done(&lab->batch.arena);
    free(lab->batch.events);
    free(lab->batch.transactions);
    forget_packets();
}

bool lab_read(struct log_lab *lab, struct error *err)
{
    arena_reset(&lab->batch.arena);
    lab->batch.count = lab->batch.transaction_count = 0;
    lab->batch.bytes = 0;
    lab->batch.end = (struct position){ 0 };
    return lab->log->base.driver->read(&lab->log->base, &lab->batch, LAB_PATIENCE_MS, err);
}

/* ---- events ---- */

void lab_put_event(struct log_lab *lab, uint8_t type, struct bytes body, struct buf *out)
{
    lab->position += HEADER + (uint32_t)body.size;
    buf_le(out, 1700000000, 4);
    buf_u8(out, type);
    buf_le(out, 5, 4);
    buf_le(out, HEADER + body.size, 4);
    buf_le(out, lab->position, 4);
    buf_le(out, 0, 2);
    buf_bytes(out, body);
}

void lab_event(struct log_lab *lab, uint8_t type, struct bytes body)
{
    struct buf event;
    buf_init(&event, 1 << 30);
    lab_put_event(lab, type, body, &event);
    lab_packet(buf_view(&event));
    buf_done(&event);
}

void lab_gtid(struct log_lab *lab, uint64_t number)
{
    struct buf body;
    buf_init(&body, 100);
    buf_u8(&body, 1);
    buf_put(&body, "0123456789abcdef", 16);
    buf_le(&body, number, 8);
    lab_event(lab, GTID, buf_view(&body));
    buf_done(&body);
}

void lab_query_body(const char *sql, struct buf *out)
{
    buf_le(out, 1, 4);
    buf_le(out, 0, 4);
    buf_u8(out, 1);
    buf_le(out, 0, 2);
    buf_le(out, 0, 2);
    buf_put(out, "d", 2);
    buf_text(out, sql);
}

void lab_query(struct log_lab *lab, const char *sql)
{
    struct buf body;
    buf_init(&body, 1 << 20);
    lab_query_body(sql, &body);
    lab_event(lab, QUERY, buf_view(&body));
    buf_done(&body);
}

void lab_map_body(struct buf *out)
{
    buf_le(out, TABLE_ID, 6);
    buf_le(out, 1, 2);
    buf_put(out, "\1d\0\1t\0", 6);
    buf_u8(out, 1);
    buf_u8(out, COLUMN_LONG);
    buf_u8(out, 0); /* bytes of metadata */
    buf_u8(out, 0); /* nothing takes NULL */
}

void lab_map(struct log_lab *lab)
{
    struct buf body;
    buf_init(&body, 100);
    lab_map_body(&body);
    lab_event(lab, TABLE_MAP, buf_view(&body));
    buf_done(&body);
}

void lab_rows_body(int32_t first, uint32_t count, struct buf *out)
{
    buf_le(out, TABLE_ID, 6);
    buf_le(out, 1, 2);
    buf_le(out, 2, 2); /* no extra data */
    buf_u8(out, 1);
    buf_u8(out, 1);
    for (uint32_t i = 0; i < count; i++) {
        buf_u8(out, 0);
        buf_le(out, (uint32_t)first + i, 4);
    }
}

void lab_rows(struct log_lab *lab, int32_t first, uint32_t count)
{
    struct buf body;
    buf_init(&body, 1 << 30);
    lab_rows_body(first, count, &body);
    lab_event(lab, WRITE_ROWS, buf_view(&body));
    buf_done(&body);
}

void lab_xid(struct log_lab *lab)
{
    lab_event(lab, XID, (struct bytes){ (const uint8_t *)"\1\0\0\0\0\0\0\0", 8 });
}
