/* SPDX-License-Identifier: Apache-2.0 */
#include "sinks/kafka/avro_source.h"

#include <stdio.h>

#include "sinks/kafka/avro_put.h"

/* ---- the schema ---- */

#define OPTIONAL(name, type)                                                                       \
    "{\"name\":\"" name "\",\"type\":[\"null\",\"" type "\"],\"default\":null}"
#define REQUIRED(name, type) "{\"name\":\"" name "\",\"type\":\"" type "\"}"

/* clang-format off */
static const char common[] =
    REQUIRED("version", "string") ","
    REQUIRED("connector", "string") ","
    REQUIRED("name", "string") ","
    REQUIRED("ts_ms", "long") ","
    "{\"name\":\"snapshot\",\"type\":[{\"type\":\"string\",\"connect.version\":1,"
    "\"connect.parameters\":{\"allowed\":\"true,first,first_in_data_collection,"
    "last_in_data_collection,last,false,incremental\"},\"connect.default\":\"false\","
    "\"connect.name\":\"io.debezium.data.Enum\"},\"null\"],\"default\":\"false\"},"
    REQUIRED("db", "string") ","
    OPTIONAL("sequence", "string") ","
    OPTIONAL("ts_us", "long") ","
    OPTIONAL("ts_ns", "long") ",";

static const char binlog_fields[] =
    OPTIONAL("table", "string") ","
    REQUIRED("server_id", "long") ","
    OPTIONAL("gtid", "string") ","
    REQUIRED("file", "string") ","
    REQUIRED("pos", "long") ","
    REQUIRED("row", "int") ","
    OPTIONAL("thread", "long") ","
    OPTIONAL("query", "string");

static const char wal_fields[] =
    REQUIRED("schema", "string") ","
    REQUIRED("table", "string") ","
    OPTIONAL("txId", "long") ","
    OPTIONAL("lsn", "long") ","
    OPTIONAL("xmin", "long") ","
    OPTIONAL("origin", "string") ","
    OPTIONAL("origin_lsn", "long");
/* clang-format on */

struct bytes avro_source_schema(struct arena *arena, const char *connector, bool wal,
                                struct bytes space)
{
    struct bytes own = arena_printf(arena, "io.debezium.connector.%s", connector);
    struct bytes told = bytes_equal(own, space)
                            ? BYTES_LITERAL("")
                            : arena_printf(arena, "\"namespace\":\"%.*s\",", BYTES_ARGS(own));
    return arena_printf(arena,
                        "{\"type\":\"record\",\"name\":\"Source\",%.*s\"fields\":[%s%s],"
                        "\"connect.version\":1,\"connect.name\":\"%.*s.Source\"}",
                        BYTES_ARGS(told), common, wal ? wal_fields : binlog_fields,
                        BYTES_ARGS(own));
}

/* ---- the block ---- */

void avro_put_times(int64_t time_us, struct buf *out)
{
    avro_put_optional_long(out, time_us);
    avro_put_optional_long(out, time_us * 1000);
}

static void put_wal_place(const struct event *event, struct buf *out)
{
    avro_put_bytes(out, event->table->schema);
    avro_put_bytes(out, event->table->name);
    avro_put_number_or_null(out, event->origin->transaction);
    avro_put_number_or_null(out, event->origin->position);
    buf_put(out, (const uint8_t[3]){ 0 }, 3); /* xmin, origin, origin_lsn */
}

static void put_binlog_place(const struct event *event, struct buf *out)
{
    const struct event_origin *origin = event->origin;
    avro_put_optional_text(out, event->table->name);
    avro_put_long(out, origin->server_id);
    avro_put_optional_text(out, origin->gtid);
    avro_put_bytes(out, origin->file);
    avro_put_long(out, (int64_t)origin->position);
    avro_put_long(out, event_row(event));
    avro_put_number_or_null(out, origin->thread);
    avro_put_long(out, 0); /* query */
}

/* [null,"123"]: what was committed last is not told, then the change's LSN. */
static void put_sequence(const struct event *event, bool wal, struct buf *out)
{
    char text[40] = "";
    if (wal && event->origin->position)
        snprintf(text, sizeof text, "[null,\"%llu\"]", (unsigned long long)event->origin->position);
    avro_put_optional_text(out, *text ? bytes_from(text) : (struct bytes){ 0 });
}

void avro_put_source(const struct kafka_options *options, const struct event *event, int64_t now_us,
                     struct buf *out)
{
    bool wal = event->table->schema.data != NULL;
    int64_t time_us = event->time_us ? event->time_us : now_us;
    avro_put_bytes(out, BYTES_LITERAL(MILLRACE_VERSION));
    avro_put_bytes(out, bytes_from(event->origin->connector));
    avro_put_bytes(out, debezium_server_name(options));
    avro_put_long(out, time_us / 1000);
    avro_put_long(out, 0); /* of [string, null] */
    avro_put_bytes(out, event->snapshot ? BYTES_LITERAL("true") : BYTES_LITERAL("false"));
    avro_put_bytes(out, event->table->database);
    put_sequence(event, wal, out);
    avro_put_times(time_us, out);
    if (wal)
        put_wal_place(event, out);
    else
        put_binlog_place(event, out);
}
