/* SPDX-License-Identifier: Apache-2.0 */
#include "sinks/kafka/row_key.h"

#include "sinks/kafka/debezium_schema.h"

static uint32_t hash_of_table(const struct format_context *context)
{
    struct buf name;
    buf_init(&name, 1024);
    buf_bytes(&name, context->target->database);
    buf_u8(&name, '.');
    buf_bytes(&name, context->target->name);
    uint32_t hash = murmur2(buf_view(&name));
    buf_done(&name);
    return hash;
}

bool row_key_plan(const struct format_context *context, struct row_key *out, struct error *err)
{
    (void)err;
    const struct table *table = context->table;
    *out = (struct row_key){ .table = table,
                             .strategy = context->options->partition_strategy,
                             .table_hash = hash_of_table(context) };
    out->columns = arena_array(context->arena, table->key_count + 1u, sizeof *out->columns);
    for (uint16_t i = 0; i < table->key_count; i++)
        out->columns[i] = debezium_column(context, &table->columns[table->key_columns[i]], true);
    if (!context->options->include_schema)
        return true;
    struct buf head;
    buf_init(&head, 1 << 20);
    buf_text(&head, "{\"schema\":");
    debezium_key_schema(context, &head);
    buf_text(&head, ",\"payload\":");
    out->head = arena_copy(context->arena, buf_view(&head));
    out->tail = BYTES_LITERAL("}");
    buf_done(&head);
    return true;
}

static bool put_key(const struct row_key *key, const struct value *row, struct buf *out,
                    struct error *err)
{
    const struct table *table = key->table;
    uint16_t refused;
    buf_bytes(out, key->head);
    if (!json_put_row(key->columns, table->key_columns, table->key_count, row, out, &refused))
        return error_set(err, ERROR_DATA, "key column '%.*s': a value that no key can hold",
                         BYTES_ARGS(table->columns[table->key_columns[refused]].name));
    buf_bytes(out, key->tail);
    return true;
}

bool row_key_put(const struct row_key *key, const struct value *row, struct buf *out,
                 struct frame *frame, struct error *err)
{
    *frame = (struct frame){ .null_key = key->table->key_count == 0 };
    size_t at = out->size;
    if (!frame->null_key && !put_key(key, row, out, err))
        return false;
    frame->key_size = (uint32_t)(out->size - at);
    if (key->strategy == PARTITION_ALL_TO_ZERO)
        return true;
    frame->hash = key->strategy == PARTITION_BY_TABLE || frame->null_key || out->failed
                      ? key->table_hash
                      : murmur2((struct bytes){ out->data + at, frame->key_size });
    return true;
}

bool row_key_header(const struct row_key *key, const char *name, const struct value *row,
                    struct buf *out, struct error *err)
{
    uint32_t size = (uint32_t)strlen(name);
    buf_put(out, &size, sizeof size);
    buf_text(out, name);
    size_t at = out->size;
    buf_put(out, &size, sizeof size);
    if (!put_key(key, row, out, err))
        return false;
    size = (uint32_t)(out->size - at - sizeof size);
    if (!out->failed)
        memcpy(out->data + at, &size, sizeof size);
    return true;
}

bool row_key_changed(const struct row_key *key, const struct value *before,
                     const struct value *after)
{
    for (uint16_t i = 0; i < key->table->key_count; i++) {
        uint16_t column = key->table->key_columns[i];
        if (after[column].tag != VALUE_ABSENT && !value_equal(&before[column], &after[column]))
            return true;
    }
    return false;
}
