/* SPDX-License-Identifier: Apache-2.0 */
#include "sinks/kafka/debezium_transaction.h"

#include "engine/base/cleanup.h"
#include "engine/base/json_write.h"
#include "sinks/kafka/transaction.h"

enum { ID_LIMIT = 4096, NAME_LIMIT = 8192 };

static void put_id(const struct event *event, struct buf *out)
{
    CLEANUP(buf_done) struct buf id;
    buf_init(&id, ID_LIMIT);
    transaction_id(event, &id);
    json_put_text(out, buf_view(&id));
}

void debezium_transaction_put(const struct event *event, uint32_t nth, struct buf *out)
{
    if (!event->order) {
        buf_put(out, "null", 4);
        return;
    }
    buf_text(out, "{\"id\":");
    put_id(event, out);
    buf_text(out, ",\"total_order\":");
    json_put_uint(out, event->order->total + nth);
    buf_text(out, ",\"data_collection_order\":");
    json_put_uint(out, event->order->table + nth);
    buf_u8(out, '}');
}

/* ---- BEGIN and END ---- */

/* clang-format off */
static const char key_head[] =
    "{\"schema\":{\"type\":\"struct\",\"fields\":["
    "{\"type\":\"string\",\"optional\":false,\"field\":\"id\"}],\"optional\":false,"
    "\"name\":\"io.debezium.connector.common.TransactionMetadataKey\",\"version\":1},\"payload\":";

static const char value_head[] =
    "{\"schema\":{\"type\":\"struct\",\"fields\":["
    "{\"type\":\"string\",\"optional\":false,\"field\":\"status\"},"
    "{\"type\":\"string\",\"optional\":false,\"field\":\"id\"},"
    "{\"type\":\"int64\",\"optional\":true,\"field\":\"event_count\"},"
    "{\"type\":\"array\",\"items\":{\"type\":\"struct\",\"fields\":["
    "{\"type\":\"string\",\"optional\":false,\"field\":\"data_collection\"},"
    "{\"type\":\"int64\",\"optional\":false,\"field\":\"event_count\"}],\"optional\":true,"
    "\"name\":\"event.collection\",\"version\":1},\"optional\":true,"
    "\"field\":\"data_collections\"},"
    "{\"type\":\"int64\",\"optional\":false,\"field\":\"ts_ms\"}],\"optional\":false,"
    "\"name\":\"io.debezium.connector.common.TransactionMetadataValue\",\"version\":1},"
    "\"payload\":";
/* clang-format on */

bool debezium_boundary_plan(const struct format_context *context, void **out, struct error *err)
{
    (void)err;
    struct format_context *plan = arena_zalloc(context->arena, sizeof *plan);
    *plan = *context;
    *out = plan;
    return true;
}

static void put_tally(const struct event_tally *tally, struct buf *out)
{
    CLEANUP(buf_done) struct buf name;
    buf_init(&name, NAME_LIMIT);
    json_put_uint(out, tally->total);
    buf_text(out, ",\"data_collections\":[");
    for (uint32_t i = 0; i < tally->count; i++) {
        buf_reset(&name);
        transaction_table(tally->items[i].table, &name);
        buf_text(out, i ? ",{\"data_collection\":" : "{\"data_collection\":");
        json_put_text(out, buf_view(&name));
        buf_text(out, ",\"event_count\":");
        json_put_uint(out, tally->items[i].count);
        buf_u8(out, '}');
    }
    buf_u8(out, ']');
}

static void put_value(const struct event *event, struct buf *out)
{
    buf_text(out, event->op == EVENT_BEGIN ? "{\"status\":\"BEGIN\",\"id\":"
                                           : "{\"status\":\"END\",\"id\":");
    put_id(event, out);
    buf_text(out, ",\"event_count\":");
    if (event->tally)
        put_tally(event->tally, out);
    else
        buf_text(out, "null,\"data_collections\":null");
    buf_text(out, ",\"ts_ms\":");
    json_put_int(out, event->time_us / 1000);
    buf_u8(out, '}');
}

bool debezium_boundary(void *plan, const struct event *event, struct buf *out, struct error *err)
{
    (void)err;
    const struct format_context *context = plan;
    bool schema = context->options->include_schema;
    struct frame frame = { .to = FRAME_ROWS };
    size_t at = frame_open(out), key_at = out->size;
    buf_text(out, schema ? key_head : "");
    buf_text(out, "{\"id\":");
    put_id(event, out);
    buf_text(out, schema ? "}}" : "}");
    frame.key_size = (uint32_t)(out->size - key_at);
    frame.hash = transaction_hash(context->options, out, key_at);
    size_t value_at = out->size;
    buf_text(out, schema ? value_head : "");
    put_value(event, out);
    buf_text(out, schema ? "}" : "");
    frame.value_size = (uint32_t)(out->size - value_at);
    frame_close(out, at, &frame);
    return true;
}
