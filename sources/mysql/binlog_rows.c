/* SPDX-License-Identifier: Apache-2.0
 *
 * Row events, the hot path. The plan holds a decoder per column; a row is a loop over them.
 *   body   := packed column count, bitmap of columns present, (UPDATE) the same for after images,
 *             row*
 *   row    := image, or (UPDATE) image of before, image of after
 *   image  := (PARTIAL_UPDATE, after) packed options, (option 1) bitmap of the JSON columns that
 *             hold diffs, a bit for every JSON column of the table;
 *             bitmap of NULLs, a bit for every column present; the values that are not NULL
 * A small event is copied at once into the batch's arena. A big one is copied by pieces of whole
 * rows, measured first (each value is of fixed width or has its length in front), so that an event
 * of a gigabyte costs the batch no more than what it takes. */
#include "sources/mysql/binlog_rows.h"

#include "sources/mysql/binlog_cell.h"
#include "sources/mysql/binlog_json.h"
#include "sources/mysql/packed.h"

enum { PIECE_BYTES = 16 * 1024, OPTION_PARTIAL_JSON = 1 };
enum {
    ROWS_WRITE_V1 = 23,
    ROWS_UPDATE_V1 = 24,
    ROWS_DELETE_V1 = 25,
    ROWS_WRITE = 30,
    ROWS_UPDATE = 31,
    ROWS_DELETE = 32,
    ROWS_PARTIAL_UPDATE = 39
};

struct row_plan {
    const struct table *table;
    uint32_t column_count, json_count;
    struct column_decoder *columns;
    struct value_month months[VALUE_MONTHS]; /* the rows' own; mostly they are of a few */
};

/* ---- the plan ---- */

static const struct charset *column_charset(const struct table_map *map, uint16_t index,
                                            const struct column *column,
                                            const struct collation_table *collations)
{
    const struct collation_entry *entry = NULL;
    if (map->has_charsets && map->collation[index])
        entry = collation_find(collations, map->collation[index]);
    if (entry)
        return charset_find(entry->charset);
    return column->charset.data ? charset_find(column->charset) : NULL;
}

bool row_plan_make(const struct table_map *map, const struct table *table,
                   const struct collation_table *collations, struct arena *arena,
                   struct row_plan **out, struct error *err)
{
    if (map->column_count != table->column_count)
        return error_set(
            err, ERROR_DATA,
            "table '%.*s.%.*s': the log has %u columns, version %u has %u (%s '%.*s')",
            BYTES_ARGS(map->database), BYTES_ARGS(map->name), map->column_count, table->version,
            table->column_count, table->column_count ? "its last is" : "none,",
            BYTES_ARGS(table->column_count ? table->columns[table->column_count - 1].name
                                           : table->name));
    struct row_plan *plan = arena_zalloc(arena, sizeof *plan);
    plan->table = table;
    plan->column_count = map->column_count;
    plan->columns = arena_array(arena, map->column_count + 1u, sizeof *plan->columns);
    for (uint16_t i = 0; i < map->column_count; i++) {
        const struct column *column = &table->columns[i];
        const struct charset *charset = column_charset(map, i, column, collations);
        if (!column_decoder_make(map->types[i], map->metadata[i], column, charset,
                                 &plan->columns[i], err))
            return error_context(err, "table '%.*s.%.*s'", BYTES_ARGS(map->database),
                                 BYTES_ARGS(map->name));
        plan->json_count += map->types[i] == WIRE_JSON;
    }
    *out = plan;
    return true;
}

/* ---- the event ---- */

bool rows_event_parse(struct bytes event_body, uint8_t type, struct rows_event *out,
                      struct error *err)
{
    struct reader in = reader_of(event_body);
    struct rows_event event = { .type = type };
    event.table_id = reader_le(&in, 6);
    event.flags = (uint16_t)reader_le(&in, 2);
    if (type >= ROWS_WRITE) { /* the length counts itself */
        uint64_t extra = reader_le(&in, 2);
        reader_take(&in, extra >= 2 ? extra - 2 : SIZE_MAX);
    }
    if (in.failed)
        return error_set(err, ERROR_DATA, "rows event: cut off in its header");
    event.body = in.rest;
    *out = event;
    return true;
}

static bool bit_at(const uint8_t *bits, uint32_t index) { return bits[index / 8] >> index % 8 & 1; }

/* How one image of a row is laid out. */
struct image {
    const uint8_t *present;
    uint32_t null_bytes;
    bool exists, full, partial; /* partial: may hold diffs of JSON */
};

struct layout {
    uint8_t op; /* enum event_op */
    struct image before, after;
    struct bytes rows;
};

static struct image image_take(struct reader *in, uint32_t column_count, bool partial)
{
    struct bytes bits = reader_take(in, (column_count + 7) / 8);
    struct image image = { .present = bits.data, .exists = true, .partial = partial };
    uint32_t count = 0;
    for (uint32_t i = 0; i < column_count && !in->failed; i++)
        count += bit_at(bits.data, i);
    image.full = count == column_count;
    image.null_bytes = (count + 7) / 8;
    return image;
}

static bool layout_take(const struct rows_event *event, uint32_t column_count, struct layout *out,
                        struct error *err)
{
    struct reader in = reader_of(event->body);
    struct layout layout = { 0 };
    uint64_t count = reader_packed(&in);
    if (in.failed || count != column_count)
        return error_set(err, ERROR_DATA, "rows event of %llu columns for a table map of %u",
                         (unsigned long long)count, column_count);
    struct image first = image_take(&in, column_count, false);
    switch (event->type) {
    case ROWS_WRITE_V1:
    case ROWS_WRITE:
        layout.op = EVENT_INSERT;
        layout.after = first;
        break;
    case ROWS_DELETE_V1:
    case ROWS_DELETE:
        layout.op = EVENT_DELETE;
        layout.before = first;
        break;
    case ROWS_UPDATE_V1:
    case ROWS_UPDATE:
    case ROWS_PARTIAL_UPDATE:
        layout.op = EVENT_UPDATE;
        layout.before = first;
        layout.after = image_take(&in, column_count, event->type == ROWS_PARTIAL_UPDATE);
        break;
    default:
        return error_set(err, ERROR_DATA, "event type %u is not a rows event", event->type);
    }
    if (in.failed)
        return error_set(err, ERROR_DATA, "rows event: cut off in its bitmaps");
    layout.rows = in.rest;
    *out = layout;
    return true;
}

/* ---- measuring ---- */

/* The bitmap of diffs in front of a partial image; data NULL when there is none. */
static const uint8_t *partial_take(const struct row_plan *plan, const uint8_t *at,
                                   const uint8_t *end, struct bytes *diffs)
{
    struct reader in = reader_of((struct bytes){ at, (size_t)(end - at) });
    uint64_t options = reader_packed(&in);
    *diffs = (struct bytes){ 0 };
    if (options & OPTION_PARTIAL_JSON)
        *diffs = reader_take(&in, (plan->json_count + 7) / 8);
    return in.failed ? NULL : in.rest.data;
}

static const uint8_t *image_skip(const struct row_plan *plan, const struct image *image,
                                 const uint8_t *at, const uint8_t *end)
{
    struct bytes diffs;
    if (image->partial && !(at = partial_take(plan, at, end, &diffs)))
        return NULL;
    if ((size_t)(end - at) < image->null_bytes)
        return NULL;
    const uint8_t *nulls = at;
    uint32_t place = 0;
    at += image->null_bytes;
    for (uint32_t i = 0; i < plan->column_count && at; i++) {
        if (!bit_at(image->present, i))
            continue;
        if (!bit_at(nulls, place++))
            at = column_skip(&plan->columns[i], at, end);
    }
    return at;
}

/* Where the piece of whole rows ends that begins at `rows`; NULL: a row is cut off. */
static const uint8_t *piece_end(const struct row_plan *plan, const struct layout *layout,
                                struct bytes rows)
{
    const uint8_t *at = rows.data, *end = rows.data + rows.size;
    if (rows.size <= PIECE_BYTES)
        return end;
    while (at < end && at - rows.data < PIECE_BYTES) {
        const uint8_t *row = at;
        if (layout->before.exists)
            at = image_skip(plan, &layout->before, at, end);
        if (at && layout->after.exists)
            at = image_skip(plan, &layout->after, at, end);
        if (!at || at == row)
            return NULL;
    }
    return at;
}

/* ---- decoding ---- */

__attribute__((cold, noinline)) static const uint8_t *
column_failed(const struct column_decoder *column, const struct decode_scope *scope,
              struct error *err)
{
    error_set(err, ERROR_DATA, "column '%.*s': %s", BYTES_ARGS(column->column->name),
              scope->reason);
    return NULL;
}

static const uint8_t *image_decode_full(const struct row_plan *plan, const struct image *image,
                                        const uint8_t *at, struct decode_scope *scope,
                                        struct value *values, struct error *err)
{
    const uint8_t *nulls = at, *end = scope->end;
    const struct column_decoder *column = plan->columns, *last = column + plan->column_count;
    at += image->null_bytes;
    while (column < last) {
        const struct column_decoder *eighth = last - column > 8 ? column + 8 : last;
        for (uint32_t bits = *nulls++; column < eighth; column++, values++, bits >>= 1) {
            if (bits & 1) {
                *values = value_null();
                continue;
            }
            at = cell_decode(column, at, end, scope, values);
            if (!at)
                return column_failed(column, scope, err);
        }
    }
    return at;
}

/* A JSON column that holds diffs, laid over what the before image holds at `before`. */
static const uint8_t *diffs_decode(const struct column_decoder *column, const uint8_t *at,
                                   const uint8_t *before, struct decode_scope *scope,
                                   struct value *out)
{
    const uint8_t *next = column_skip(column, at, scope->end);
    const uint8_t *before_end = before ? column_skip(column, before, scope->end) : NULL;
    scope->reason = before ? "the diffs of JSON do not apply"
                           : "diffs of JSON need the whole before image (binlog_row_image=FULL)";
    if (!next || !before_end)
        return NULL;
    struct bytes document = { before + column->prefix,
                              (size_t)(before_end - before) - column->prefix };
    struct bytes diffs = { at + column->prefix, (size_t)(next - at) - column->prefix }, text;
    if (!json_binary_apply(document, diffs, scope->arena, &text))
        return NULL;
    *out = value_text(text);
    return next;
}

/* Images that lack columns, and those of PARTIAL_UPDATE. `starts` (NULL, or per column) is where
 * the values of the before image begin: written for a before image, read for the one after. */
__attribute__((noinline)) static const uint8_t *
image_decode_some(const struct row_plan *plan, const struct image *image, const uint8_t *at,
                  const uint8_t **starts, struct decode_scope *scope, struct value *values,
                  struct error *err)
{
    struct bytes diffs = { 0 };
    if (image->partial)
        at = partial_take(plan, at, scope->end, &diffs);
    if (!at || (size_t)(scope->end - at) < image->null_bytes) {
        error_set(err, ERROR_DATA, "rows event: a row is cut off");
        return NULL;
    }
    const uint8_t *nulls = at;
    uint32_t place = 0, json = 0;
    at += image->null_bytes;
    for (uint32_t i = 0; i < plan->column_count; i++) {
        const struct column_decoder *column = &plan->columns[i];
        bool diff = column->wire == WIRE_JSON && diffs.data && bit_at(diffs.data, json);
        json += column->wire == WIRE_JSON;
        const uint8_t *start = NULL;
        if (!bit_at(image->present, i)) {
            values[i] = value_absent();
        } else if (bit_at(nulls, place++)) {
            values[i] = value_null();
        } else {
            start = at;
            at = diff ? diffs_decode(column, at, starts[i], scope, &values[i])
                      : cell_decode(column, at, scope->end, scope, &values[i]);
            if (!at)
                return column_failed(column, scope, err);
        }
        if (starts && !image->partial)
            starts[i] = start;
    }
    return at;
}

static const uint8_t *image_decode(const struct row_plan *plan, const struct image *image,
                                   const uint8_t *at, const uint8_t **starts,
                                   struct decode_scope *scope, const struct value **out,
                                   struct error *err)
{
    struct value *values = arena_alloc(scope->arena, plan->column_count * sizeof *values);
    *out = values;
    if (image->full && !starts && (size_t)(scope->end - at) >= image->null_bytes)
        return image_decode_full(plan, image, at, scope, values, err);
    return image_decode_some(plan, image, at, starts, scope, values, err);
}

/* The rows of a piece that lies in the batch's arena, from `at` to scope->end; stops when the batch
 * is full, but not before the first: the copy alone may have filled it. Returns where it stopped,
 * or NULL. */
static const uint8_t *rows_decode_piece(const struct rows_cursor *cursor,
                                        const struct layout *layout, const uint8_t *at,
                                        struct decode_scope *scope, struct batch *batch,
                                        struct error *err)
{
    const struct row_plan *plan = cursor->plan;
    const uint8_t **starts = NULL;
    if (layout->after.partial)
        starts = arena_array(&batch->arena, plan->column_count, sizeof *starts);
    do {
        const struct value *before = NULL, *after = NULL;
        const uint8_t *row = at;
        if (layout->before.exists)
            at = image_decode(plan, &layout->before, at, starts, scope, &before, err);
        if (at && layout->after.exists)
            at = image_decode(plan, &layout->after, at, starts, scope, &after, err);
        if (!at)
            return NULL;
        if (at == row) {
            error_set(err, ERROR_DATA, "rows event: a row without columns");
            return NULL;
        }
        struct event *event = batch_add(batch);
        event->op = layout->op;
        event->table = plan->table;
        event->before = before;
        event->after = after;
        event->time_us = cursor->time_us;
    } while (at < scope->end && !batch_is_full(batch));
    return at;
}

/* Copies a piece of the rows into the arena and decodes it; the cursor moves past what was done. */
static bool rows_decode_next(struct rows_cursor *cursor, const struct layout *layout,
                             struct batch *batch, struct error *err)
{
    const uint8_t *end = piece_end(cursor->plan, layout, cursor->rest);
    if (!end)
        return error_set(err, ERROR_DATA, "rows event: a row is cut off");
    size_t size = (size_t)(end - cursor->rest.data);
    uint8_t *copy = arena_raw(&batch->arena, size + COLUMN_SPARE);
    memcpy(copy, cursor->rest.data, size);
    memset(copy + size, 0, COLUMN_SPARE);
    struct decode_scope scope = { .arena = &batch->arena,
                                  .end = copy + size,
                                  .months = cursor->plan->months };
    const uint8_t *at = rows_decode_piece(cursor, layout, copy, &scope, batch, err);
    batch->replaced += scope.replaced;
    if (!at)
        return false;
    cursor->rest.data += at - copy;
    cursor->rest.size -= (size_t)(at - copy);
    return true;
}

bool rows_decode(struct rows_cursor *cursor, struct batch *batch, bool *end, struct error *err)
{
    struct layout layout;
    if (cursor->event.table_id == ROWS_DUMMY_TABLE) {
        *end = true;
        return true;
    }
    if (!layout_take(&cursor->event, cursor->plan->column_count, &layout, err))
        return false;
    if (!cursor->started)
        cursor->rest = layout.rows;
    cursor->started = true;
    while (cursor->rest.size && !batch_is_full(batch))
        if (!rows_decode_next(cursor, &layout, batch, err))
            return error_context(err, "table '%.*s.%.*s'",
                                 BYTES_ARGS(cursor->plan->table->database),
                                 BYTES_ARGS(cursor->plan->table->name));
    *end = cursor->rest.size == 0;
    return true;
}
