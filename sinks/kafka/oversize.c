/* SPDX-License-Identifier: Apache-2.0 */
#include "sinks/kafka/oversize.h"

#include "engine/base/json_write.h"

static size_t size_of(const struct frame *frame)
{
    return (size_t)frame->key_size + frame->value_size + frame->headers_size;
}

/* {"topic":"shop.t","database":"shop","table":"t","bytes":2000000,"limit":1000000,"mark":7,...} */
static void put_note(const struct oversize *oversize, const struct event *event,
                     const struct frame_view *message, struct buf *out)
{
    struct frame frame = { .to = FRAME_DEAD_LETTERS,
                           .null_key = message->frame.null_key,
                           .hash = message->frame.hash };
    size_t at = frame_open(out);
    if (!frame.null_key && message->key.size <= oversize->limit / 2)
        buf_bytes(out, message->key);
    else
        frame.null_key = true;
    frame.key_size = (uint32_t)(out->size - at - sizeof frame);
    size_t value_at = out->size;
    const struct event_origin *origin = event->origin;
    struct json_writer json = json_writer_of(out);
    json_object(&json);
    json_member_string(&json, "topic", oversize->topic);
    json_member_string(&json, "database", event->table->database);
    json_member_string(&json, "table", event->table->name);
    json_member_uint(&json, "bytes", size_of(&message->frame));
    json_member_uint(&json, "limit", oversize->limit);
    json_member_uint(&json, "mark", event->mark);
    if (origin && origin->file.size > 0)
        json_member_string(&json, "file", origin->file);
    if (origin)
        json_member_uint(&json, "pos", origin->position);
    if (origin && origin->gtid.data)
        json_member_string(&json, "gtid", origin->gtid);
    json_object_end(&json);
    frame.value_size = (uint32_t)(out->size - value_at);
    frame_close(out, at, &frame);
}

/* Writes the frames anew, with notes in the place of those that are too large. */
static void replace(const struct oversize *oversize, const struct event *event, struct buf *out,
                    size_t from)
{
    struct buf copy;
    buf_init(&copy, out->limit);
    buf_put(&copy, out->data + from, out->size - from);
    out->size = from;
    struct bytes rest = buf_view(&copy);
    struct frame_view message;
    while (frame_next(&rest, &message)) {
        if (size_of(&message.frame) > oversize->limit) {
            put_note(oversize, event, &message, out);
            atomic_fetch_add_explicit(&oversize->counters->dead_letters, 1, memory_order_relaxed);
        } else {
            buf_put(out, message.start, (size_t)(rest.data - message.start));
        }
    }
    buf_done(&copy);
}

bool oversize_check(const struct oversize *oversize, const struct event *event, struct buf *out,
                    size_t from, struct error *err)
{
    struct bytes rest = { out->data + from, out->size - from };
    struct frame_view message;
    size_t largest = 0;
    if (rest.size <= oversize->limit)
        return true;
    while (frame_next(&rest, &message))
        if (size_of(&message.frame) > largest)
            largest = size_of(&message.frame);
    if (largest <= oversize->limit)
        return true;
    if (oversize->policy == OVERSIZE_FAIL)
        return error_set(err, ERROR_DATA,
                         "a message of %zu bytes is larger than %zu: raise "
                         "properties.message.max.bytes (and max.message.bytes of the topic), or "
                         "set on-oversize: dead-letter",
                         largest, oversize->limit);
    replace(oversize, event, out, from);
    return true;
}
