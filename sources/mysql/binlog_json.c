/* SPDX-License-Identifier: Apache-2.0
 *
 * Binary JSON to text, without a tree: the document is walked in its own order, which is the order
 * in which the server prints it (keys by length, then by bytes). Offsets count from the start of
 * the object or array that holds them, and are checked against its size. */
#include "sources/mysql/binlog_json.h"

#include "engine/base/reader.h"
#include "sources/mysql/binlog_column.h"
#include "sources/mysql/binlog_json_view.h"
#include "sources/mysql/binlog_value.h"

bool json_view_of(struct bytes document, struct json_view *out)
{
    if (document.size < 2)
        return false;
    *out = (struct json_view){ document.data[0], { document.data + 1, document.size - 1 } };
    return true;
}

bool json_is_container(uint8_t type) { return type <= JSON_LARGE_ARRAY; }

bool json_container_of(const struct json_view *view, struct json_container *out)
{
    struct json_container self = {
        .object = view->type == JSON_SMALL_OBJECT || view->type == JSON_LARGE_OBJECT,
        .width = view->type == JSON_LARGE_OBJECT || view->type == JSON_LARGE_ARRAY ? 4 : 2,
    };
    struct reader in = reader_of(view->data);
    self.count = (uint32_t)reader_le(&in, self.width);
    uint64_t size = reader_le(&in, self.width);
    uint64_t entry = 1u + self.width + (self.object ? self.width + 2u : 0u);
    if (in.failed || size > view->data.size || 2u * self.width + self.count * entry > size)
        return false;
    self.data = (struct bytes){ view->data.data, size };
    *out = self;
    return true;
}

bool json_container_key(const struct json_container *self, uint32_t index, struct bytes *out)
{
    size_t entry = 2u * self->width + (size_t)index * (self->width + 2u);
    struct reader in = { .rest = { self->data.data + entry, self->width + 2u } };
    uint64_t offset = reader_le(&in, self->width), size = reader_le(&in, 2);
    if (offset > self->data.size || size > self->data.size - offset)
        return false;
    *out = (struct bytes){ self->data.data + offset, size };
    return true;
}

static bool is_inlined(uint8_t type, uint8_t width)
{
    return type == JSON_LITERAL || type == JSON_INT16 || type == JSON_UINT16 ||
           (width == 4 && (type == JSON_INT32 || type == JSON_UINT32));
}

bool json_container_value(const struct json_container *self, uint32_t index, struct json_view *out)
{
    size_t keys = self->object ? (size_t)self->count * (self->width + 2u) : 0;
    size_t entry = 2u * self->width + keys + (size_t)index * (1u + self->width);
    struct reader in = { .rest = { self->data.data + entry, 1u + self->width } };
    out->type = reader_u8(&in);
    if (is_inlined(out->type, self->width)) {
        out->data = in.rest;
        return true;
    }
    uint64_t offset = reader_le(&in, self->width);
    if (offset >= self->data.size)
        return false;
    out->data = (struct bytes){ self->data.data + offset, self->data.size - offset };
    return true;
}

/* ---- printing ---- */

static void print_literal(uint8_t literal, struct json_text *text)
{
    static const char *const names[] = { "null", "true", "false" };
    if (literal < 3)
        json_text_put(text, bytes_from(names[literal]));
    else
        text->failed = true;
}

/* Length: seven bits a byte, low ones first, the eighth says that more follow; then the bytes. */
static struct bytes take_varying(struct reader *in)
{
    uint64_t size = 0;
    for (size_t i = 0; i < 5; i++) {
        uint8_t byte = reader_u8(in);
        size |= (uint64_t)(byte & 0x7f) << 7 * i;
        if (!(byte & 0x80))
            return reader_take(in, size);
    }
    in->failed = true;
    return reader_take(in, 0);
}

static void print_digits(struct json_text *text, uint32_t number, size_t width)
{
    uint8_t digits[8];
    for (size_t i = width; i > 0; i--) {
        digits[i - 1] = (uint8_t)('0' + number % 10);
        number /= 10;
    }
    json_text_put(text, (struct bytes){ digits, width });
}

static void print_clock(struct json_text *text, uint32_t hours, uint32_t rest, uint32_t micro)
{
    print_digits(text, hours, hours > 99 ? 3 : 2);
    json_text_put(text, BYTES_LITERAL(":"));
    print_digits(text, rest >> 6 & 63, 2);
    json_text_put(text, BYTES_LITERAL(":"));
    print_digits(text, rest & 63, 2);
    json_text_put(text, BYTES_LITERAL("."));
    print_digits(text, micro, 6);
}

/* The packed form of DATETIME2 and TIME2, as a signed number with 24 bits of microseconds. */
static void print_temporal(uint8_t type, int64_t packed, struct json_text *text)
{
    uint64_t span = packed < 0 ? 0 - (uint64_t)packed : (uint64_t)packed;
    uint32_t micro = span & 0xffffff, low = span >> 24 & 0x1ffff;
    uint64_t date = span >> 41;
    json_text_put(text, packed < 0 ? BYTES_LITERAL("\"-") : BYTES_LITERAL("\""));
    if (type == WIRE_TIME) {
        print_clock(text, (uint32_t)(span >> 36 & 1023), low & 0xfff, micro);
    } else {
        uint32_t months = (uint32_t)(date >> 5);
        print_digits(text, months / 13, 4);
        json_text_put(text, BYTES_LITERAL("-"));
        print_digits(text, months % 13, 2);
        json_text_put(text, BYTES_LITERAL("-"));
        print_digits(text, date & 31, 2);
        if (type != WIRE_DATE) {
            json_text_put(text, BYTES_LITERAL(" "));
            print_clock(text, low >> 12, low & 0xfff, micro);
        }
    }
    json_text_put(text, BYTES_LITERAL("\""));
}

/* u8 precision, u8 scale, digits */
static void print_decimal(struct bytes raw, struct json_text *text)
{
    struct decimal_layout layout;
    uint8_t digits[DECIMAL_TEXT_MAX];
    size_t size = 0;
    if (raw.size > 2 && decimal_layout_of(raw.data[0], raw.data[1], &layout) &&
        raw.size == 2u + layout.size)
        size = decimal_print(&layout, raw.data + 2, digits);
    text->failed |= size == 0;
    json_text_put(text, (struct bytes){ digits, size });
}

/* A value of a column's type that JSON itself does not have. */
static void print_opaque(struct reader *in, struct json_text *text)
{
    uint8_t type = reader_u8(in);
    struct bytes raw = take_varying(in);
    struct reader packed = reader_of(raw);
    if (in->failed)
        return;
    if (type == WIRE_NEWDECIMAL)
        print_decimal(raw, text);
    else if (raw.size == 8 && (type == WIRE_DATE || type == WIRE_TIME || type == WIRE_DATETIME ||
                               type == WIRE_TIMESTAMP))
        print_temporal(type, (int64_t)reader_le(&packed, 8), text);
    else
        json_text_base64(text, type, raw);
}

static void print_scalar(const struct json_view *view, struct json_text *text)
{
    struct reader in = reader_of(view->data);
    double number;
    uint64_t bits;
    switch (view->type) {
    case JSON_LITERAL:
        print_literal(reader_u8(&in), text);
        break;
    case JSON_INT16:
        json_text_int(text, (int16_t)reader_le(&in, 2));
        break;
    case JSON_UINT16:
        json_text_uint(text, reader_le(&in, 2));
        break;
    case JSON_INT32:
        json_text_int(text, (int32_t)reader_le(&in, 4));
        break;
    case JSON_UINT32:
        json_text_uint(text, reader_le(&in, 4));
        break;
    case JSON_INT64:
        json_text_int(text, (int64_t)reader_le(&in, 8));
        break;
    case JSON_UINT64:
        json_text_uint(text, reader_le(&in, 8));
        break;
    case JSON_DOUBLE:
        bits = reader_le(&in, 8);
        memcpy(&number, &bits, sizeof number);
        json_text_double(text, number);
        break;
    case JSON_STRING:
        json_text_string(text, take_varying(&in));
        break;
    case JSON_OPAQUE:
        print_opaque(&in, text);
        break;
    default:
        text->failed = true;
    }
    text->failed |= in.failed;
}

/* Key (in an object) and value number `index`. False: they do not lie inside. */
static bool print_member(const struct json_container *container, uint32_t index, uint32_t depth,
                         struct json_text *text)
{
    struct json_view value;
    struct bytes key;
    if (index)
        json_text_put(text, BYTES_LITERAL(", "));
    if (container->object) {
        if (!json_container_key(container, index, &key))
            return false;
        json_text_string(text, key);
        json_text_put(text, BYTES_LITERAL(": "));
    }
    if (!json_container_value(container, index, &value))
        return false;
    json_view_print(&value, depth + 1, text);
    return !text->failed;
}

static void print_container(const struct json_view *view, uint32_t depth, struct json_text *text)
{
    struct json_container container;
    if (!json_container_of(view, &container)) {
        text->failed = true;
        return;
    }
    json_text_put(text, container.object ? BYTES_LITERAL("{") : BYTES_LITERAL("["));
    for (uint32_t i = 0; i < container.count && !text->failed; i++)
        text->failed |= !print_member(&container, i, depth, text);
    json_text_put(text, container.object ? BYTES_LITERAL("}") : BYTES_LITERAL("]"));
}

void json_view_print(const struct json_view *view, uint32_t depth, struct json_text *text)
{
    if (text->failed || depth > JSON_DEPTH_MAX)
        text->failed = true;
    else if (json_is_container(view->type))
        print_container(view, depth, text);
    else
        print_scalar(view, text);
}

bool json_binary_print(struct bytes document, struct arena *arena, struct bytes *out)
{
    struct json_view view;
    if (document.size == 0) { /* what an INSERT IGNORE of nothing stores */
        *out = BYTES_LITERAL("null");
        return true;
    }
    if (!json_view_of(document, &view))
        return false;
    struct json_text text = json_text_of(arena, document.size);
    json_view_print(&view, 0, &text);
    return json_text_finish(&text, out);
}
