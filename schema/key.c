/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys as bytes: for each column of the key a tag and its content: numbers 8 bytes little endian,
 * texts with a 32-bit size in front. */
#include "schema/key.h"

#include "engine/base/assert.h"
#include "engine/base/reader.h"

void key_encode(const struct table *table, const struct value *row, struct buf *out)
{
    for (uint16_t i = 0; i < table->key_count; i++) {
        const struct value *value = &row[table->key_columns[i]];
        buf_u8(out, value->tag);
        if (value->tag == VALUE_TEXT)
            buf_sized(out, (struct bytes){ value->size ? value->data : (const uint8_t *)"",
                                           value->size });
        else if (value->tag > VALUE_ABSENT)
            buf_le(out, value->natural, 8);
    }
}

static bool take_value(struct reader *in, struct value *out)
{
    *out = (struct value){ .tag = reader_u8(in) };
    if (out->tag > VALUE_TEXT)
        in->failed = true;
    else if (out->tag == VALUE_TEXT)
        *out = value_text(reader_take(in, (size_t)reader_le(in, 4)));
    else if (out->tag > VALUE_ABSENT)
        out->natural = reader_le(in, 8);
    return !in->failed;
}

bool key_decode(const struct table *table, struct bytes record, struct arena *arena,
                struct value *key)
{
    struct reader in = reader_of(record);
    for (uint16_t i = 0; i < table->key_count; i++) {
        if (!take_value(&in, &key[i]))
            return false;
        if (key[i].tag == VALUE_TEXT)
            key[i].data = arena_copy(arena, value_bytes(&key[i])).data;
    }
    return in.rest.size == 0;
}

bool key_moves(const struct table *table, const struct value *before, const struct value *after)
{
    for (uint16_t i = 0; i < table->key_count; i++) {
        const struct value *old = &before[table->key_columns[i]];
        const struct value *new = &after[table->key_columns[i]];
        if (old->tag != VALUE_ABSENT && new->tag != VALUE_ABSENT && !value_equal(old, new))
            return true;
    }
    return false;
}

bool key_comparable(const struct table *table)
{
    for (uint16_t i = 0; i < table->key_count; i++) {
        switch (table->columns[table->key_columns[i]].type.kind) {
        case TYPE_INT:
        case TYPE_UINT:
        case TYPE_DECIMAL:
        case TYPE_BIT:
        case TYPE_YEAR:
        case TYPE_DATE:
        case TYPE_TIME:
        case TYPE_DATETIME:
        case TYPE_TIMESTAMP:
        case TYPE_BYTES:
            break;
        default:
            return false;
        }
    }
    return table->key_count > 0;
}

static int order_of(bool less, bool greater) { return (int)greater - (int)less; }

/* Plain decimals of the same scale: sign, then length, then digits. */
static int decimal_compare(struct bytes a, struct bytes b)
{
    bool a_negative = a.size && a.data[0] == '-', b_negative = b.size && b.data[0] == '-';
    if (a_negative != b_negative)
        return a_negative ? -1 : 1;
    int order = a.size != b.size ? order_of(a.size<b.size, a.size> b.size) : bytes_compare(a, b);
    return a_negative ? -order : order;
}

static int value_compare(const struct type *type, const struct value *a, const struct value *b)
{
    if (a->tag != b->tag) {
        /* A date that no calendar holds (a text) sorts before all real ones, NULL before that. */
        int a_rank = a->tag <= VALUE_ABSENT ? 0 : a->tag == VALUE_TEXT ? 1 : 2;
        int b_rank = b->tag <= VALUE_ABSENT ? 0 : b->tag == VALUE_TEXT ? 1 : 2;
        return order_of(a_rank<b_rank, a_rank> b_rank);
    }
    switch (a->tag) {
    case VALUE_INT:
        return order_of(a->integer<b->integer, a->integer> b->integer);
    case VALUE_UINT:
        return order_of(a->natural<b->natural, a->natural> b->natural);
    case VALUE_DOUBLE:
        return order_of(a->number<b->number, a->number> b->number);
    case VALUE_TEXT:
        return type->kind == TYPE_DECIMAL ? decimal_compare(value_bytes(a), value_bytes(b))
                                          : bytes_compare(value_bytes(a), value_bytes(b));
    default:
        return 0;
    }
}

int key_compare(const struct table *table, struct bytes a, struct bytes b)
{
    struct reader in_a = reader_of(a), in_b = reader_of(b);
    for (uint16_t i = 0; i < table->key_count; i++) {
        struct value value_a, value_b;
        ASSERT(take_value(&in_a, &value_a) && take_value(&in_b, &value_b));
        int order = value_compare(&table->columns[table->key_columns[i]].type, &value_a, &value_b);
        if (order)
            return order;
    }
    return 0;
}
