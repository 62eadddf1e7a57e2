/* SPDX-License-Identifier: Apache-2.0 */
#include "sinks/kafka/avro_transaction.h"

#include "engine/base/cleanup.h"
#include "sinks/kafka/avro_put.h"
#include "sinks/kafka/registry.h"
#include "sinks/kafka/transaction.h"

enum { ID_LIMIT = 4096, NAME_LIMIT = 8192 };

struct boundary_plan {
    const struct kafka_options *options;
    uint32_t key_id, value_id;
};

/* clang-format off */
static const char key_schema[] =
    "{\"type\":\"record\",\"name\":\"TransactionMetadataKey\","
    "\"namespace\":\"io.debezium.connector.common\",\"fields\":["
    "{\"name\":\"id\",\"type\":\"string\"}],\"connect.version\":1,"
    "\"connect.name\":\"io.debezium.connector.common.TransactionMetadataKey\"}";

static const char value_schema[] =
    "{\"type\":\"record\",\"name\":\"TransactionMetadataValue\","
    "\"namespace\":\"io.debezium.connector.common\",\"fields\":["
    "{\"name\":\"status\",\"type\":\"string\"},"
    "{\"name\":\"id\",\"type\":\"string\"},"
    "{\"name\":\"event_count\",\"type\":[\"null\",\"long\"],\"default\":null},"
    "{\"name\":\"data_collections\",\"type\":[\"null\",{\"type\":\"array\",\"items\":"
    "[\"null\",{\"type\":\"record\",\"name\":\"collection\",\"namespace\":\"event\",\"fields\":["
    "{\"name\":\"data_collection\",\"type\":\"string\"},"
    "{\"name\":\"event_count\",\"type\":\"long\"}],\"connect.version\":1,"
    "\"connect.name\":\"event.collection\"}]}],\"default\":null},"
    "{\"name\":\"ts_ms\",\"type\":\"long\"}],\"connect.version\":1,"
    "\"connect.name\":\"io.debezium.connector.common.TransactionMetadataValue\"}";
/* clang-format on */

static void put_id(const struct event *event, struct buf *out)
{
    CLEANUP(buf_done) struct buf id;
    buf_init(&id, ID_LIMIT);
    transaction_id(event, &id);
    avro_put_bytes(out, buf_view(&id));
}

void avro_put_transaction(const struct event *event, uint32_t nth, struct buf *out)
{
    avro_put_long(out, event->order ? 1 : 0);
    if (!event->order)
        return;
    put_id(event, out);
    avro_put_long(out, (int64_t)(event->order->total + nth));
    avro_put_long(out, (int64_t)(event->order->table + nth));
}

bool avro_boundary_plan(const struct format_context *context, void **out, struct error *err)
{
    struct boundary_plan *plan = arena_zalloc(context->arena, sizeof *plan);
    plan->options = context->options;
    *out = plan;
    return registry_register(context->registry, context->topic, "key", bytes_from(key_schema),
                             &plan->key_id, err) &&
           registry_register(context->registry, context->topic, "value", bytes_from(value_schema),
                             &plan->value_id, err);
}

/* One block of items, each a branch of its own union, and an empty one behind it. */
static void put_tally(const struct event_tally *tally, struct buf *out)
{
    CLEANUP(buf_done) struct buf name;
    buf_init(&name, NAME_LIMIT);
    avro_put_optional_long(out, (int64_t)tally->total);
    avro_put_long(out, 1);
    if (tally->count > 0)
        avro_put_long(out, tally->count);
    for (uint32_t i = 0; i < tally->count; i++) {
        buf_reset(&name);
        transaction_table(tally->items[i].table, &name);
        avro_put_long(out, 1);
        avro_put_bytes(out, buf_view(&name));
        avro_put_long(out, (int64_t)tally->items[i].count);
    }
    avro_put_long(out, 0);
}

static void put_value(const struct event *event, struct buf *out)
{
    avro_put_bytes(out, event->op == EVENT_BEGIN ? BYTES_LITERAL("BEGIN") : BYTES_LITERAL("END"));
    put_id(event, out);
    if (event->tally)
        put_tally(event->tally, out);
    else
        buf_put(out, (const uint8_t[2]){ 0 }, 2); /* no counts */
    avro_put_long(out, event->time_us / 1000);
}

bool avro_boundary(void *context, const struct event *event, struct buf *out, struct error *err)
{
    (void)err;
    const struct boundary_plan *plan = context;
    struct frame frame = { .to = FRAME_ROWS };
    size_t at = frame_open(out), key_at = out->size;
    avro_put_prefix(plan->key_id, out);
    put_id(event, out);
    frame.key_size = (uint32_t)(out->size - key_at);
    frame.hash = transaction_hash(plan->options, out, key_at);
    size_t value_at = out->size;
    avro_put_prefix(plan->value_id, out);
    put_value(event, out);
    frame.value_size = (uint32_t)(out->size - value_at);
    frame_close(out, at, &frame);
    return true;
}
