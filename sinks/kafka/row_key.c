/* SPDX-License-Identifier: Apache-2.0 */
#include "sinks/kafka/row_key.h"

#include "engine/base/json_write.h"
#include "schema/key.h"

enum { NAME_LIMIT = 8192 };

static uint32_t hash_of_table(const struct format_context *context)
{
    struct buf name;
    buf_init(&name, NAME_LIMIT);
    buf_bytes(&name, context->target->database);
    buf_u8(&name, '.');
    buf_bytes(&name, context->target->name);
    uint32_t hash = murmur2(buf_view(&name));
    buf_done(&name);
    return hash;
}

/* The lead of a column's value: its name with the form's prefix. */
static struct bytes key_name(const struct format_context *context, const struct key_form *form,
                             struct bytes name)
{
    struct buf plain;
    buf_init(&plain, NAME_LIMIT);
    buf_text(&plain, form->prefix ? form->prefix : "");
    for (size_t i = 0; i < name.size; i++)
        buf_u8(&plain, form->fold && name.data[i] >= 'A' && name.data[i] <= 'Z'
                           ? name.data[i] | 0x20
                           : name.data[i]);
    struct bytes out = json_lead(context->arena, buf_view(&plain));
    buf_done(&plain);
    return out;
}

static struct json_column *plan_columns(const struct format_context *context,
                                        const struct key_form *form, const uint16_t *places,
                                        uint16_t count)
{
    struct json_column *columns = arena_array(context->arena, count + 1u, sizeof *columns);
    for (uint16_t i = 0; i < count; i++) {
        const struct column *column = &context->table->columns[places[i]];
        columns[i] = form->column(context, column, true);
        columns[i].lead = key_name(context, form, column->name);
    }
    return columns;
}

void row_key_plan(const struct format_context *context, const struct key_form *form,
                  struct row_key *out)
{
    const struct table *table = context->table;
    *out = (struct row_key){ .table = table,
                             .strategy = context->options->partition_strategy,
                             .table_hash = hash_of_table(context),
                             .form = *form };
    if (!form->members.data)
        out->form.members = BYTES_LITERAL("{");
    out->columns = plan_columns(context, form, table->key_columns, table->key_count);
    const struct key_form plain = { .column = form->column };
    out->partition = context->partition;
    out->parts =
        plan_columns(context, &plain, context->partition.columns, context->partition.count);
}

static bool put_key(const struct row_key *key, const struct value *row, struct buf *out,
                    struct error *err)
{
    const struct table *table = key->table;
    uint16_t refused;
    buf_bytes(out, key->form.head);
    buf_bytes(out, key->form.members);
    if (!json_put_members(key->columns, table->key_columns, table->key_count, row, out, &refused))
        return error_set(err, ERROR_DATA, "key column '%.*s': a value that no key can hold",
                         BYTES_ARGS(table->columns[table->key_columns[refused]].name));
    buf_u8(out, '}');
    buf_bytes(out, key->form.tail);
    return true;
}

bool row_key_part(const struct row_key *key, const struct value *row, struct buf *out,
                  uint32_t *hash, struct error *err)
{
    const struct partition *partition = &key->partition;
    uint16_t refused;
    size_t at = out->size;
    buf_u8(out, '{');
    if (!json_put_members(key->parts, partition->columns, partition->count, row, out, &refused))
        return error_set(err, ERROR_DATA, "partition.columns: a value of '%.*s' is of no use there",
                         BYTES_ARGS(key->table->columns[partition->columns[refused]].name));
    buf_u8(out, '}');
    if (out->failed)
        return true;
    *hash = murmur2((struct bytes){ out->data + at, out->size - at });
    out->size = at;
    return true;
}

bool row_key_put(const struct row_key *key, const struct value *row, struct buf *out,
                 struct frame *frame, struct error *err)
{
    bool keyless = key->table->key_count == 0;
    *frame = (struct frame){ .null_key = keyless || key->form.hidden };
    size_t at = out->size;
    if (!keyless && !put_key(key, row, out, err))
        return false;
    frame->key_size = (uint32_t)(out->size - at);
    if (key->partition.count > 0)
        return row_key_part(key, row, out, &frame->hash, err);
    if (key->strategy == PARTITION_ALL_TO_ZERO)
        return true;
    frame->hash = key->strategy == PARTITION_BY_TABLE || keyless || out->failed
                      ? key->table_hash
                      : murmur2((struct bytes){ out->data + at, frame->key_size });
    return true;
}

bool row_key_header(const struct row_key *key, const char *name, const struct value *row,
                    struct buf *out, struct error *err)
{
    frame_header(out, bytes_from(name), (struct bytes){ 0 });
    size_t at = out->size - sizeof(uint32_t);
    if (!put_key(key, row, out, err))
        return false;
    uint32_t size = (uint32_t)(out->size - at - sizeof size);
    if (!out->failed)
        memcpy(out->data + at, &size, sizeof size);
    return true;
}

/* ---- events ---- */

static const struct value *complete(const struct table *table, const struct event *event,
                                    struct value *merged)
{
    const struct value *after = event->after;
    uint16_t count = table->column_count, i = 0;
    while (i < count && after[i].tag != VALUE_ABSENT)
        i++;
    if (i == count)
        return after;
    for (i = 0; i < count; i++)
        merged[i] = after[i].tag == VALUE_ABSENT ? event->before[i] : after[i];
    return merged;
}

uint32_t row_changes(const struct row_key *key, const struct event *event, struct value *merged,
                     struct row_change out[2])
{
    const struct value *before = event->before, *after = event->after;
    if (event->op == EVENT_INSERT) {
        out[0] = (struct row_change){ event->snapshot ? 'r' : 'c', NULL, after, NULL, 0 };
        return 1;
    }
    if (event->op == EVENT_DELETE) {
        out[0] = (struct row_change){ 'd', before, NULL, NULL, 0 };
        return 1;
    }
    if (before)
        after = complete(key->table, event, merged);
    bool renamed = before && key_moves(key->table, before, after);
    if (!renamed && !(before && partition_moves(&key->partition, before, after))) {
        out[0] = (struct row_change){ 'u', before, after, NULL, 0 };
        return 1;
    }
    out[0] = (struct row_change){ 'd', before, NULL, renamed ? after : NULL, 0 };
    out[1] = (struct row_change){ 'c', NULL, after, renamed ? before : NULL, 1 };
    return 2;
}
