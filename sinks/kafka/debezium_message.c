/* SPDX-License-Identifier: Apache-2.0 */
#include "sinks/kafka/debezium_message.h"

struct debezium_messages debezium_messages_of(const struct format_context *context,
                                              const struct row_key *key)
{
    const struct table *table = context->table;
    return (struct debezium_messages){
        .key = key,
        .tombstones = context->options->tombstones && table->key_count > 0,
        .merged = arena_array(context->arena, table->column_count, sizeof(struct value)),
    };
}

static bool put_message(const struct debezium_messages *messages, const void *plan,
                        const struct event *event, const struct row_change *change, bool tombstone,
                        struct buf *out, struct error *err)
{
    struct frame frame;
    size_t at = frame_open(out);
    if (!messages->put_key(plan, change->after ? change->after : change->before, out, &frame, err))
        return false;
    size_t value_at = out->size;
    if (!tombstone && !messages->put_value(plan, event, change, out, err))
        return false;
    frame.null_value = tombstone;
    frame.value_size = (uint32_t)(out->size - value_at);
    size_t headers_at = out->size;
    const char *header = change->op == 'd' ? "__debezium.newkey" : "__debezium.oldkey";
    if (change->other && !row_key_header(messages->key, header, change->other, out, err))
        return false;
    frame.headers_size = (uint32_t)(out->size - headers_at);
    frame_close(out, at, &frame);
    return true;
}

bool debezium_messages_put(const struct debezium_messages *messages, const void *plan,
                           const struct event *event, struct buf *out, struct error *err)
{
    struct row_change changes[2];
    uint32_t count = row_changes(messages->key, event, messages->merged, changes);
    for (uint32_t i = 0; i < count; i++) {
        if (!put_message(messages, plan, event, &changes[i], false, out, err))
            return false;
        if (changes[i].op == 'd' && messages->tombstones &&
            !put_message(messages, plan, event, &changes[i], true, out, err))
            return false;
    }
    return true;
}
