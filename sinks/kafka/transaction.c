/* SPDX-License-Identifier: Apache-2.0 */
#include "sinks/kafka/transaction.h"

#include "engine/base/json_write.h"
#include "sinks/kafka/frame.h"

void transaction_id(const struct event *event, struct buf *out)
{
    const struct event_origin *origin = event->origin;
    if (!origin)
        return;
    if (origin->transaction) {
        json_put_uint(out, origin->transaction);
        buf_u8(out, ':');
        json_put_uint(out, event->op == EVENT_END ? origin->boundary : origin->position);
    } else if (origin->gtid.data) {
        buf_bytes(out, origin->gtid);
    } else {
        buf_printf(out, "file=%.*s,pos=", BYTES_ARGS(origin->file));
        json_put_uint(out, origin->boundary);
    }
}

uint32_t transaction_hash(const struct kafka_options *options, const struct buf *out, size_t key_at)
{
    if (options->partition_strategy != PARTITION_BY_KEY || out->failed)
        return 0;
    return murmur2((struct bytes){ out->data + key_at, out->size - key_at });
}

void transaction_table(const struct table *table, struct buf *out)
{
    buf_bytes(out, table->schema.data ? table->schema : table->database);
    buf_u8(out, '.');
    buf_bytes(out, table->name);
}
