/* SPDX-License-Identifier: Apache-2.0
 *
 * ClickHouse's Native format (docs/en/interfaces/specs/native; src/Formats/NativeReader.cpp):
 *
 *   block  := varuint columns, varuint rows, column...
 *   column := string name, string type, data
 *   string := varuint size, bytes
 *   data   := the values one after another, little endian; a Nullable first has a byte a row, 1 for
 *             NULL, then a value for each row all the same; an Array first has the end of each row
 *             (u64, counted in elements), then the elements, those of Array(Nullable) as the data
 *             of a Nullable
 *
 * A load has one buf for a plain column (name, type, values), two for a Nullable one (name, type,
 * nulls; values) and for an array (name, type, ends; elements), three for one of Nullable elements
 * (name, type, ends; nulls; elements): written one after another they are
 * the block behind its first two numbers. So a load describes itself, and is sent as it was encoded
 * even when the target was altered meanwhile; the server converts to the column's type. Columns 0
 * and 1 are the version and the flag: `_is_deleted` of a table with a key, `_sign` of one without.
 *
 * Values of a cell that a tombstone does not carry are the type's default, or NULL. */
#include "sinks/clickhouse/native.h"

#include <endian.h>

#include "engine/base/assert.h"
#include "engine/base/reader.h"
#include "schema/array.h"
#include "schema/key.h"
#include "schema/value_text.h"
#include "sinks/clickhouse/wide.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "values are copied as they lie in memory");

enum cell { CELL_DONE, CELL_NULL, CELL_FAILED };

struct native_column {
    enum cell (*put)(struct native_encoder *encoder, const struct native_column *column,
                     const struct value *value, struct buf *out, struct error *err);
    uint16_t source; /* index of the value in a row */
    bool nullable, array, in_key;
    uint8_t width;            /* of a value, in bytes; 0: a string */
    uint32_t part;            /* the first of its bufs */
    uint32_t data;            /* the buf of its values */
    int64_t divisor;          /* microseconds in a tick */
    int64_t minimum, maximum; /* of dates: days or microseconds */
    const struct column *column;
    const struct native_column *element; /* of an array of Nullable elements */
    struct bytes header;                 /* name and type, as the block has them */
};

enum { VERSION_PART, FLAG_PART, FIRST_PART, FLAG_INSERT = 0, FLAG_TOMBSTONE = 1 };

/* ---- one cell ---- */

static enum cell cell_fail(const struct native_column *column, const char *what, struct error *err)
{
    error_set(err, ERROR_DATA, "column '%.*s': %s", BYTES_ARGS(column->column->name), what);
    return CELL_FAILED;
}

static enum cell cell_wrong(const struct native_column *column, struct error *err)
{
    return cell_fail(column, "a value that is not of the column's type", err);
}

/* Inline, for callers whose `size` is known when they are compiled: a copy is then a store. */
__attribute__((always_inline)) static inline enum cell
cell_bytes(const struct native_column *column, const void *data, size_t size, struct buf *out,
           struct error *err)
{
    uint8_t *room = buf_reserve(out, size);
    if (!room)
        return cell_fail(column, "the load is too large", err);
    memcpy(room, data, size);
    out->size += size;
    return CELL_DONE;
}

static inline bool value_is_integer(const struct value *value)
{
    return value->tag == VALUE_INT || value->tag == VALUE_UINT;
}

#define PUT_INTEGER(bits)                                                                          \
    static enum cell put_int##bits(struct native_encoder *encoder,                                 \
                                   const struct native_column *column, const struct value *value,  \
                                   struct buf *out, struct error *err)                             \
    {                                                                                              \
        (void)encoder;                                                                             \
        uint##bits##_t number = (uint##bits##_t)value->natural;                                    \
        if (!value_is_integer(value))                                                              \
            return cell_wrong(column, err);                                                        \
        return cell_bytes(column, &number, sizeof number, out, err);                               \
    }
PUT_INTEGER(8)
PUT_INTEGER(16)
PUT_INTEGER(32)
PUT_INTEGER(64)

static void count(atomic_ullong *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static enum cell put_bool(struct native_encoder *encoder, const struct native_column *column,
                          const struct value *value, struct buf *out, struct error *err)
{
    if (!value_is_integer(value))
        return cell_wrong(column, err);
    if (value->natural > 1) /* a TINYINT(1) that is no boolean after all */
        count(&encoder->counters->out_of_range);
    uint8_t flag = value->natural != 0;
    return cell_bytes(column, &flag, 1, out, err);
}

static enum cell put_float32(struct native_encoder *encoder, const struct native_column *column,
                             const struct value *value, struct buf *out, struct error *err)
{
    (void)encoder;
    float number = (float)value->number;
    if (value->tag != VALUE_DOUBLE)
        return cell_wrong(column, err);
    return cell_bytes(column, &number, sizeof number, out, err);
}

static enum cell put_float64(struct native_encoder *encoder, const struct native_column *column,
                             const struct value *value, struct buf *out, struct error *err)
{
    (void)encoder;
    if (value->tag != VALUE_DOUBLE)
        return cell_wrong(column, err);
    return cell_bytes(column, &value->number, sizeof value->number, out, err);
}

static enum cell put_decimal(struct native_encoder *encoder, const struct native_column *column,
                             const struct value *value, struct buf *out, struct error *err)
{
    (void)encoder;
    struct wide number;
    const struct type *type = &column->column->type;
    if (value->tag == VALUE_INT)
        number = wide_from_int(value->integer);
    else if (value->tag != VALUE_TEXT ||
             !wide_from_decimal(value_bytes(value), type->precision, type->scale, &number))
        return value->tag == VALUE_TEXT && bytes_is(value_bytes(value), "NaN")
                   ? cell_fail(column, "NaN, which a Decimal cannot hold", err)
                   : cell_wrong(column, err);
    return cell_bytes(column, number.words, column->width, out, err);
}

static enum cell put_decimal_small(struct native_encoder *encoder,
                                   const struct native_column *column, const struct value *value,
                                   struct buf *out, struct error *err)
{
    if (value->tag != VALUE_INT)
        return put_decimal(encoder, column, value, out, err);
    return cell_bytes(column, &value->integer, column->width, out, err);
}

static enum cell put_string(struct native_encoder *encoder, const struct native_column *column,
                            const struct value *value, struct buf *out, struct error *err)
{
    (void)encoder;
    if (value->tag != VALUE_TEXT)
        return cell_wrong(column, err);
    uint32_t size = value->size;
    uint8_t *room = buf_reserve(out, (size_t)size + 5);
    if (!room)
        return cell_fail(column, "the load is too large", err);
    uint8_t *end = room;
    for (; size >= 0x80; size >>= 7)
        *end++ = (uint8_t)(size | 0x80);
    *end++ = (uint8_t)size;
    if (value->size > 0)
        memcpy(end, value->data, value->size);
    out->size += (size_t)(end - room) + value->size;
    return CELL_DONE;
}

/* ---- dates ---- */

static enum cell policy_null(const struct native_column *column, bool wants_null)
{
    return wants_null && column->nullable ? CELL_NULL : CELL_DONE;
}

/* A date that no calendar holds. In a key any stand-in could be another row's date. */
static enum cell zero_date(struct native_encoder *encoder, const struct native_column *column,
                           struct error *err)
{
    int mode = encoder->options->zero_date;
    if (mode == ZERO_DATE_FAIL || column->in_key)
        return cell_fail(column, "a date that no calendar holds, such as 0000-00-00", err);
    count(&encoder->counters->zero_dates);
    return policy_null(column, mode == ZERO_DATE_NULL);
}

static enum cell out_of_range(struct native_encoder *encoder, const struct native_column *column,
                              struct error *err)
{
    int mode = encoder->options->out_of_range;
    if (mode == OUT_OF_RANGE_FAIL || column->in_key)
        return cell_fail(column, "a date beyond what this server can hold", err);
    count(&encoder->counters->out_of_range);
    return policy_null(column, mode == OUT_OF_RANGE_NULL);
}

/* Days or microseconds within the column's range, after the user's policies. */
static enum cell date_number(struct native_encoder *encoder, const struct native_column *column,
                             const struct value *value, int64_t *number, struct error *err)
{
    *number = 0;
    if (value->tag == VALUE_TEXT)
        return zero_date(encoder, column, err);
    if (value->tag != VALUE_INT)
        return cell_wrong(column, err);
    *number = value->integer;
    if (*number >= column->minimum && *number <= column->maximum)
        return CELL_DONE;
    *number = *number < column->minimum ? column->minimum : column->maximum;
    return out_of_range(encoder, column, err);
}

static enum cell put_date(struct native_encoder *encoder, const struct native_column *column,
                          const struct value *value, struct buf *out, struct error *err)
{
    int64_t days;
    enum cell cell = date_number(encoder, column, value, &days, err);
    if (cell != CELL_DONE)
        return cell;
    int32_t number = (int32_t)days;
    return cell_bytes(column, &number, sizeof number, out, err);
}

static int64_t ticks(int64_t micros, int64_t divisor)
{
    return micros / divisor - (micros % divisor < 0);
}

static enum cell put_datetime(struct native_encoder *encoder, const struct native_column *column,
                              const struct value *value, struct buf *out, struct error *err)
{
    int64_t micros;
    enum cell cell = date_number(encoder, column, value, &micros, err);
    if (cell != CELL_DONE)
        return cell;
    int64_t number = column->divisor == 1 ? micros : ticks(micros, column->divisor);
    return cell_bytes(column, &number, sizeof number, out, err);
}

static enum cell put_time(struct native_encoder *encoder, const struct native_column *column,
                          const struct value *value, struct buf *out, struct error *err)
{
    (void)encoder;
    if (value->tag != VALUE_INT)
        return cell_wrong(column, err);
    int64_t number = value->integer / column->divisor;
    return cell_bytes(column, &number, sizeof number, out, err);
}

/* For servers without Time64. */
static enum cell put_time_text(struct native_encoder *encoder, const struct native_column *column,
                               const struct value *value, struct buf *out, struct error *err)
{
    uint8_t room[40];
    struct buf text = { .data = room, .capacity = sizeof room, .limit = sizeof room };
    if (value->tag != VALUE_INT)
        return cell_wrong(column, err);
    time_text(value->integer, column->column->type.scale, &text);
    struct value as_text = value_text(buf_view(&text));
    return put_string(encoder, column, &as_text, out, err);
}

/* ---- bytes of a form of their own ---- */

/* A UUID is two little endian u64, the first half first. */
static enum cell put_uuid(struct native_encoder *encoder, const struct native_column *column,
                          const struct value *value, struct buf *out, struct error *err)
{
    (void)encoder;
    if (value->tag != VALUE_TEXT || value->size != 16)
        return cell_wrong(column, err);
    uint64_t halves[2];
    memcpy(halves, value->data, sizeof halves);
    halves[0] = be64toh(halves[0]);
    halves[1] = be64toh(halves[1]);
    return cell_bytes(column, halves, sizeof halves, out, err);
}

static enum cell put_ipv4(struct native_encoder *encoder, const struct native_column *column,
                          const struct value *value, struct buf *out, struct error *err)
{
    (void)encoder;
    uint32_t address;
    if (value->tag != VALUE_TEXT || value->size != sizeof address)
        return cell_wrong(column, err);
    memcpy(&address, value->data, sizeof address);
    address = be32toh(address);
    return cell_bytes(column, &address, sizeof address, out, err);
}

static enum cell put_ipv6(struct native_encoder *encoder, const struct native_column *column,
                          const struct value *value, struct buf *out, struct error *err)
{
    (void)encoder;
    if (value->tag != VALUE_TEXT || value->size != 16)
        return cell_wrong(column, err);
    return cell_bytes(column, value->data, 16, out, err);
}

static enum cell put_floats(struct native_encoder *encoder, const struct native_column *column,
                            const struct value *value, struct buf *out, struct error *err)
{
    (void)encoder;
    if (value->tag != VALUE_TEXT || value->size % sizeof(float) != 0)
        return cell_wrong(column, err);
    return value->size == 0 ? CELL_DONE : cell_bytes(column, value->data, value->size, out, err);
}

/* ---- a row ---- */

static bool column_put_default(const struct native_column *column, struct buf *out)
{
    if (column->array)
        return true;                                  /* no elements */
    size_t width = column->width ? column->width : 1; /* an empty string is its size, 0 */
    uint8_t *room = buf_reserve(out, width);
    if (!room)
        return false;
    memset(room, 0, width);
    out->size += width;
    return true;
}

/* As much of a text as an error needs, whole characters. */
static struct bytes shown(struct bytes text)
{
    enum { SHOWN = 60 };
    if (text.size <= SHOWN)
        return text;
    text.size = SHOWN;
    while (text.size > 0 && (text.data[text.size] & 0xc0) == 0x80)
        text.size--;
    return text;
}

/* The nulls of its elements lie in the buf before that of the elements: a byte each. */
static enum cell put_array(struct native_encoder *encoder, const struct native_column *column,
                           const struct value *value, struct buf *out, struct error *err)
{
    struct bytes rest = value_bytes(value);
    struct buf *nulls = out - 1;
    if (!array_is_list(value)) {
        error_set(err, ERROR_DATA,
                  "column '%.*s': %.*s has more than one dimension or another lower bound than 1, "
                  "which no Array holds: with array.mode: text at the source every array arrives",
                  BYTES_ARGS(column->column->name), BYTES_ARGS(shown(rest)));
        return CELL_FAILED;
    }
    struct value item;
    while (array_next(&rest, &item)) {
        enum cell cell = item.tag == VALUE_NULL
                             ? CELL_NULL
                             : column->element->put(encoder, column->element, &item, out, err);
        if (cell == CELL_FAILED)
            return cell;
        if (cell == CELL_NULL && !column_put_default(column->element, out))
            return cell_fail(column, "the load is too large", err);
        buf_u8(nulls, cell == CELL_NULL);
    }
    if (rest.size > 0)
        return cell_wrong(column, err);
    return nulls->failed ? cell_fail(column, "the load is too large", err) : CELL_DONE;
}

static bool column_put_end(const struct native_column *column, struct buf *parts)
{
    const struct buf *data = &parts[column->data];
    uint64_t end = column->element ? data[-1].size : data->size / sizeof(float);
    buf_put(&parts[column->part], &end, sizeof end);
    return !parts[column->part].failed;
}

/* NULL, for whatever reason. */
static bool column_put_null(const struct native_column *column, struct buf *parts, bool tombstone,
                            struct error *err)
{
    if (!column->nullable && !column->array && !tombstone)
        return error_set(err, ERROR_DATA,
                         "column '%.*s' is NULL here, and the target's column takes no NULL",
                         BYTES_ARGS(column->column->name));
    bool ok = column_put_default(column, &parts[column->data]);
    if (column->nullable)
        buf_u8(&parts[column->part], 1);
    if (column->array)
        ok = ok && column_put_end(column, parts);
    if (!ok || parts[column->part].failed)
        return error_set(err, ERROR_DATA, "a row is larger than a load may be");
    return true;
}

static bool column_put(struct native_encoder *encoder, const struct native_column *column,
                       const struct value *value, struct buf *parts, struct error *err)
{
    enum cell cell = value->tag == VALUE_NULL
                         ? CELL_NULL
                         : column->put(encoder, column, value, &parts[column->data], err);
    if (cell == CELL_NULL && column->element && encoder->options->array_null == ARRAY_NULL_PARK)
        return error_set(err, ERROR_DATA,
                         "column '%.*s' is NULL here, and an Array takes no NULL: array.null: "
                         "empty makes it an empty one, array.mode: text at the source keeps it",
                         BYTES_ARGS(column->column->name));
    if (cell == CELL_NULL)
        return column_put_null(column, parts, false, err);
    if (cell == CELL_FAILED)
        return false;
    if (column->nullable)
        buf_u8(&parts[column->part], 0);
    else if (column->array)
        column_put_end(column, parts);
    return !parts[column->part].failed ||
           error_set(err, ERROR_DATA, "a row is larger than a load may be");
}

/* A value that the log left out is taken from the other image of the row; never made NULL. */
static const struct value *row_value(const struct native_column *column, const struct value *row,
                                     const struct value *other, struct error *err)
{
    const struct value *value = &row[column->source];
    if (value->tag != VALUE_ABSENT)
        return value;
    if (other && other[column->source].tag != VALUE_ABSENT)
        return &other[column->source];
    error_set(err, ERROR_DATA,
              "column '%.*s' is not in the log's row image: set binlog_row_image=FULL at the "
              "source (PostgreSQL: REPLICA IDENTITY FULL), then read the table again",
              BYTES_ARGS(column->column->name));
    return NULL;
}

struct row {
    const struct value *values, *other;
    uint64_t version;
    uint8_t flag;
    bool tombstone; /* only the key counts */
};

static bool row_put(struct native_encoder *encoder, const struct native_layout *layout,
                    struct buf *parts, const struct row *row, struct error *err)
{
    buf_put(&parts[VERSION_PART], &row->version, sizeof row->version);
    buf_u8(&parts[FLAG_PART], row->flag);
    if (parts[VERSION_PART].failed || parts[FLAG_PART].failed)
        return error_set(err, ERROR_DATA, "a row is larger than a load may be");
    const struct native_column *end = layout->columns + layout->count;
    for (const struct native_column *column = layout->columns; column < end; column++) {
        if (row->tombstone && !column->in_key) {
            if (!column_put_null(column, parts, true, err))
                return false;
            continue;
        }
        const struct value *value = row_value(column, row->values, row->other, err);
        if (!value || !column_put(encoder, column, value, parts, err))
            return false;
    }
    return true;
}

/* ---- an event ---- */

static uint32_t rows_of_keyed(const struct table *table, const struct event *event,
                              struct row rows[2])
{
    uint64_t mark = event->mark;
    struct row tombstone = { event->before, event->after, mark, FLAG_TOMBSTONE, true };
    if (event->op == EVENT_DELETE) {
        rows[0] = tombstone;
        return 1;
    }
    rows[0] = (struct row){ event->after, event->before, mark, FLAG_INSERT, false };
    if (event->op != EVENT_UPDATE || !event->before ||
        !key_moves(table, event->before, event->after))
        return 1;
    rows[1] = rows[0];
    rows[0] = tombstone;
    return 2;
}

static uint32_t rows_of_keyless(const struct event *event, struct row rows[2])
{
    uint32_t count_rows = 0;
    if (event->op != EVENT_INSERT)
        rows[count_rows++] = (struct row){ event->before, NULL, event->mark, (uint8_t)-1, false };
    if (event->op != EVENT_DELETE)
        rows[count_rows++] = (struct row){ event->after, event->before, event->mark, 1, false };
    return count_rows;
}

static bool images_check(const struct event *event, bool keyed, struct error *err)
{
    bool needs_after = event->op != EVENT_DELETE;
    bool needs_before = event->op == EVENT_DELETE || (event->op == EVENT_UPDATE && !keyed);
    if ((needs_after && !event->after) || (needs_before && !event->before))
        return error_set(err, ERROR_DATA, "a change came without its row image");
    return true;
}

static void load_begin(const struct native_layout *layout, struct buf *parts)
{
    static const char version[] = "\10_version\6UInt64", deleted[] = "\13_is_deleted\5UInt8";
    static const char sign[] = "\5_sign\4Int8";
    bool keyed = layout->table->key_count > 0;
    buf_text(&parts[VERSION_PART], version);
    buf_text(&parts[FLAG_PART], keyed ? deleted : sign);
    for (uint16_t i = 0; i < layout->count; i++)
        buf_bytes(&parts[layout->columns[i].part], layout->columns[i].header);
}

static void sizes_save(struct native_encoder *encoder, const struct load *load)
{
    if (encoder->size_count < load->part_count) {
        encoder->size_count = load->part_count * 2;
        encoder->sizes = arena_array(encoder->arena, encoder->size_count, sizeof *encoder->sizes);
    }
    for (uint32_t i = 0; i < load->part_count; i++)
        encoder->sizes[i] = load->parts[i].size;
}

static void sizes_restore(const struct native_encoder *encoder, struct load *load)
{
    for (uint32_t i = 0; i < load->part_count; i++) {
        load->parts[i].size = encoder->sizes[i];
        load->parts[i].failed = false;
    }
}

bool native_encode(struct native_encoder *encoder, const struct native_layout *layout,
                   struct load *load, const struct event *event, struct error *err)
{
    bool keyed = layout->table->key_count > 0;
    if (load->part_count != layout->parts)
        return error_set(err, ERROR_DATA, "the target changed its columns: resync the table");
    if (!images_check(event, keyed, err))
        return false;
    sizes_save(encoder, load);
    if (load->rows == 0)
        load_begin(layout, load->parts);
    struct row rows[2];
    uint32_t row_count =
        keyed ? rows_of_keyed(layout->table, event, rows) : rows_of_keyless(event, rows);
    for (uint32_t i = 0; i < row_count; i++) {
        if (!row_put(encoder, layout, load->parts, &rows[i], err)) {
            sizes_restore(encoder, load);
            return false;
        }
    }
    load->rows += row_count;
    return true;
}

/* ---- the layout ---- */

static void put_varuint(struct buf *out, size_t number)
{
    for (; number >= 0x80; number >>= 7)
        buf_u8(out, (uint8_t)(number | 0x80));
    buf_u8(out, (uint8_t)number);
}

static struct bytes header_make(struct bytes name, struct bytes type, struct arena *arena)
{
    uint8_t *room = arena_raw(arena, name.size + type.size + 20);
    struct buf out = { .data = room,
                       .capacity = name.size + type.size + 20,
                       .limit = name.size + type.size + 20 };
    put_varuint(&out, name.size);
    buf_bytes(&out, name);
    put_varuint(&out, type.size);
    buf_bytes(&out, type);
    ASSERT(!out.failed);
    return buf_view(&out);
}

static int64_t tick_micros(uint8_t scale)
{
    int64_t divisor = 1;
    for (uint8_t digits = scale; digits < 6; digits++)
        divisor *= 10;
    return divisor;
}

static void choose_integer(struct native_column *column, uint32_t bits)
{
    column->width = (uint8_t)(bits / 8);
    column->put = bits == 8    ? put_int8
                  : bits == 16 ? put_int16
                  : bits == 32 ? put_int32
                               : put_int64;
}

static void choose_decimal(struct native_column *column, uint8_t precision)
{
    column->width = precision <= 9 ? 4 : precision <= 18 ? 8 : precision <= 38 ? 16 : 32;
    column->put = column->width <= 8 ? put_decimal_small : put_decimal;
}

static void choose_clock(struct native_column *column, const struct clickhouse_type *type,
                         const struct clickhouse_abilities *abilities)
{
    column->width = 8;
    column->divisor = tick_micros(type->scale);
    column->put = type->family == FAMILY_TIME64 ? put_time : put_datetime;
    column->minimum = abilities->seconds_min * 1000000;
    column->maximum = abilities->seconds_max * 1000000 + 999999;
}

static void choose_string(struct native_column *column)
{
    column->width = 0;
    column->put = column->column->type.kind == TYPE_TIME ? put_time_text : put_string;
}

static void choose(struct native_column *column, const struct clickhouse_type *type,
                   const struct clickhouse_abilities *abilities)
{
    switch (type->family) {
    case FAMILY_INT:
    case FAMILY_UINT:
        choose_integer(column, type->bits);
        return;
    case FAMILY_BOOL:
        column->width = 1;
        column->put = put_bool;
        return;
    case FAMILY_FLOAT:
        column->width = (uint8_t)(type->bits / 8);
        column->put = type->bits == 32 ? put_float32 : put_float64;
        return;
    case FAMILY_DECIMAL:
        choose_decimal(column, type->precision);
        return;
    case FAMILY_DATE32:
        column->width = 4;
        column->put = put_date;
        column->minimum = abilities->date_min;
        column->maximum = abilities->date_max;
        return;
    case FAMILY_DATETIME64:
    case FAMILY_TIME64:
        choose_clock(column, type, abilities);
        return;
    case FAMILY_UUID:
        column->width = 16;
        column->put = put_uuid;
        return;
    case FAMILY_IPV4:
        column->width = 4;
        column->put = put_ipv4;
        return;
    case FAMILY_IPV6:
        column->width = 16;
        column->put = put_ipv6;
        return;
    case FAMILY_FLOATS:
        column->array = true;
        column->put = put_floats;
        return;
    default:
        choose_string(column);
    }
}

static void choose_array(struct native_column *column, const struct clickhouse_type *type,
                         const struct clickhouse_abilities *abilities, struct arena *arena)
{
    struct clickhouse_type carrier = clickhouse_element(type);
    struct native_column *element = arena_zalloc(arena, sizeof *element);
    struct column *source = arena_zalloc(arena, sizeof *source);
    *source = array_element_column(column->column);
    element->column = source;
    element->nullable = true;
    choose(element, &carrier, abilities);
    column->array = true;
    column->element = element;
    column->put = put_array;
}

struct native_layout *native_layout_make(const struct table *table,
                                         const struct native_field *fields, uint16_t count_fields,
                                         const struct clickhouse_abilities *abilities,
                                         struct arena *arena)
{
    struct native_layout *layout = arena_zalloc(arena, sizeof *layout);
    *layout = (struct native_layout){
        .table = table,
        .columns = arena_array(arena, count_fields ? count_fields : 1, sizeof *layout->columns),
        .count = count_fields,
        .parts = FIRST_PART,
    };
    for (uint16_t i = 0; i < count_fields; i++) {
        struct native_column *column = &layout->columns[i];
        ASSERT(fields[i].source < table->column_count);
        column->column = &table->columns[fields[i].source];
        column->source = fields[i].source;
        column->in_key = fields[i].in_key;
        struct clickhouse_type type = clickhouse_type_of(&column->column->type, abilities);
        if (!clickhouse_type_is_array(&type))
            column->nullable = type.nullable = fields[i].nullable;
        if (type.family == FAMILY_ARRAY)
            choose_array(column, &type, abilities, arena);
        else
            choose(column, &type, abilities);
        column->part = layout->parts;
        column->data = column->part + (column->nullable || column->array) + (column->element != 0);
        layout->parts = column->data + 1;
        column->header =
            header_make(fields[i].name, clickhouse_type_name(&type, false, arena), arena);
    }
    return layout;
}

/* ---- what a load says of itself ---- */

bool native_next_column(const struct load *load, uint32_t *part, struct bytes *name)
{
    if (*part >= load->part_count)
        return false;
    struct reader in = reader_of(buf_view(&load->parts[*part]));
    *name = reader_take(&in, (size_t)reader_varuint(&in));
    struct bytes type = reader_take(&in, (size_t)reader_varuint(&in));
    ASSERT(!in.failed && type.size > 0);
    bool array = type.size > 6 && memcmp(type.data, "Array(", 6) == 0;
    struct bytes inner = { type.data + (array ? 6 : 0), type.size - (array ? 6u : 0u) };
    bool nullable = inner.size > 6 && memcmp(inner.data, "Nullab", 6) == 0;
    *part += 1u + array + nullable;
    return true;
}
