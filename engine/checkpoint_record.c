/* SPDX-License-Identifier: Apache-2.0
 *
 * Encoding and decoding of what the checkpoint holds. Layouts are in checkpoint_record.h; a record
 * that does not fit its layout to the byte is damaged. */
#include "engine/checkpoint_record.h"

#include <stdlib.h>
#include <zlib.h>

#include "engine/base/memory.h"
#include "engine/base/reader.h"

/* ---- writing ---- */

void record_seal(struct bytes value, struct buf *sealed)
{
    buf_init(sealed, RECORD_LIMIT + 4u);
    buf_le(sealed, crc32_z(0, value.data, value.size), 4);
    buf_bytes(sealed, value);
}

static void put_be32(struct buf *out, uint32_t number)
{
    uint8_t raw[4] = { (uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8),
                       (uint8_t)number };
    buf_put(out, raw, sizeof raw);
}

void record_key_text(struct buf *key, const char *text)
{
    buf_init(key, RECORD_LIMIT);
    buf_text(key, text);
}

void record_key_id(struct buf *key, enum record_kind kind, uint32_t id)
{
    buf_init(key, RECORD_LIMIT);
    buf_u8(key, (uint8_t)kind);
    put_be32(key, id);
}

void record_key_table(struct buf *key, uint32_t id, uint32_t version)
{
    record_key_id(key, RECORD_TABLE, id);
    put_be32(key, version);
}

void record_key_range(struct buf *key, uint32_t id, uint32_t range)
{
    record_key_id(key, RECORD_RANGE, id);
    put_be32(key, range);
}

void record_key_target(struct buf *key, enum record_kind kind, struct bytes database,
                       struct bytes name)
{
    record_key_id(key, kind, (uint32_t)database.size);
    buf_bytes(key, database);
    buf_bytes(key, name);
}

void record_position(const struct position *position, struct buf *value)
{
    buf_init(value, RECORD_LIMIT);
    buf_le(value, position->mark, 8);
    buf_sized(value, position->token);
}

void record_state(const struct table_record *record, struct buf *value)
{
    buf_init(value, RECORD_LIMIT);
    buf_le(value, record->table_id, 4);
    buf_u8(value, (uint8_t)record->state);
    buf_le(value, record->range_count, 4);
    buf_le(value, record->epoch, 4);
    buf_le(value, record->sweep, 8);
    buf_sized(value, record->reason);
}

void record_chunk(const struct chunk_record *chunk, struct buf *value)
{
    buf_le(value, chunk->table_id, 4);
    buf_le(value, chunk->range, 4);
    buf_sized(value, chunk->cursor);
    buf_sized(value, chunk->until);
    buf_u8(value, chunk->complete);
    buf_le(value, chunk->rows, 8);
}

void record_intent(const struct intent *intent, struct buf *value)
{
    buf_init(value, RECORD_LIMIT);
    buf_sized(value, intent->database);
    buf_sized(value, intent->name);
    buf_sized(value, intent->label);
    buf_le(value, intent->first, 8);
    buf_le(value, intent->last, 8);
    buf_le(value, intent->applied, 8);
    buf_le(value, intent->rows, 4);
    buf_le(value, intent->chunk_count, 4);
    for (uint32_t i = 0; i < intent->chunk_count; i++)
        record_chunk(&intent->chunks[i], value);
}

/* ---- reading ---- */

static struct bytes take_sized(struct reader *in, struct arena *arena)
{
    uint32_t size = (uint32_t)reader_le(in, 4);
    if (in->failed || size == UINT32_MAX)
        return (struct bytes){ 0 };
    return arena_copy(arena, reader_take(in, size));
}

static struct chunk_record take_chunk(struct reader *in, struct arena *arena)
{
    struct chunk_record chunk = { .table_id = (uint32_t)reader_le(in, 4) };
    chunk.range = (uint32_t)reader_le(in, 4);
    chunk.cursor = take_sized(in, arena);
    chunk.until = take_sized(in, arena);
    chunk.complete = reader_u8(in) != 0;
    chunk.rows = reader_le(in, 8);
    return chunk;
}

static void load_state(struct record_loader *loader, struct reader *in)
{
    struct checkpoint_image *image = loader->image;
    struct table_record record = { .table_id = (uint32_t)reader_le(in, 4) };
    uint8_t state = reader_u8(in);
    in->failed |= state > TABLE_RESYNC;
    record.state = in->failed ? TABLE_WAITING : (enum table_state)state;
    record.range_count = (uint32_t)reader_le(in, 4);
    record.epoch = (uint32_t)reader_le(in, 4);
    record.sweep = reader_le(in, 8);
    record.reason = take_sized(in, &image->arena);
    image->records =
        memory_grow(image->records, image->record_count, &loader->record_capacity, sizeof record);
    image->records[image->record_count++] = record;
}

static void load_range(struct record_loader *loader, struct reader *in)
{
    struct checkpoint_image *image = loader->image;
    struct chunk_record range = take_chunk(in, &image->arena);
    image->ranges =
        memory_grow(image->ranges, image->range_count, &loader->range_capacity, sizeof range);
    image->ranges[image->range_count++] = range;
}

static void load_intent(struct record_loader *loader, struct reader *in)
{
    struct checkpoint_image *image = loader->image;
    struct intent intent = { .database = take_sized(in, &image->arena) };
    intent.name = take_sized(in, &image->arena);
    intent.label = take_sized(in, &image->arena);
    intent.first = reader_le(in, 8);
    intent.last = reader_le(in, 8);
    intent.applied = reader_le(in, 8);
    intent.rows = (uint32_t)reader_le(in, 4);
    intent.chunk_count = (uint32_t)reader_le(in, 4);
    in->failed |= intent.chunk_count > in->rest.size; /* a chunk takes more than a byte */
    struct chunk_record *chunks =
        arena_array(&image->arena, in->failed ? 1 : intent.chunk_count + 1u, sizeof *chunks);
    for (uint32_t i = 0; !in->failed && i < intent.chunk_count; i++)
        chunks[i] = take_chunk(in, &image->arena);
    intent.chunks = chunks;
    image->intents =
        memory_grow(image->intents, image->intent_count, &loader->intent_capacity, sizeof intent);
    image->intents[image->intent_count++] = intent;
}

static void load_target(struct record_loader *loader, struct reader *in)
{
    struct checkpoint_image *image = loader->image;
    struct target_record target = { .database = take_sized(in, &image->arena) };
    target.name = take_sized(in, &image->arena);
    target.applied = reader_le(in, 8);
    image->targets =
        memory_grow(image->targets, image->target_count, &loader->target_capacity, sizeof target);
    image->targets[image->target_count++] = target;
}

static bool load_table(struct record_loader *loader, struct reader *in, struct error *err)
{
    struct checkpoint_image *image = loader->image;
    struct table *table;
    if (!table_decode(in->rest, &image->arena, &table, err))
        return false;
    in->rest.size = 0;
    image->tables = memory_grow(image->tables, image->table_count, &loader->table_capacity,
                                sizeof(struct table *));
    image->tables[image->table_count++] = table;
    return true;
}

static bool load_named(struct checkpoint_image *image, struct bytes key, struct reader *in,
                       bool *known)
{
    *known = true;
    if (bytes_is(key, "format"))
        return reader_u8(in) == CHECKPOINT_FORMAT;
    if (bytes_is(key, "identity"))
        image->identity = arena_copy(&image->arena, reader_take(in, in->rest.size));
    else if (bytes_is(key, "origin"))
        image->origin = arena_copy(&image->arena, reader_take(in, in->rest.size));
    else if (bytes_is(key, "older"))
        image->older = reader_u8(in) != 0;
    else if (bytes_is(key, "epoch"))
        image->epoch = reader_le(in, 8);
    else if (bytes_is(key, "chunk-mark"))
        image->chunk_mark = reader_le(in, 8);
    else if (bytes_is(key, "position")) {
        image->position.mark = reader_le(in, 8);
        image->position.token = take_sized(in, &image->arena);
    } else
        *known = false;
    return true;
}

static bool load_kind(struct record_loader *loader, uint8_t kind, struct reader *in,
                      struct error *err)
{
    switch (kind) {
    case RECORD_TABLE:
        return load_table(loader, in, err);
    case RECORD_STATE:
        load_state(loader, in);
        return true;
    case RECORD_RANGE:
        load_range(loader, in);
        return true;
    case RECORD_INTENT:
        load_intent(loader, in);
        return true;
    case RECORD_TARGET:
        load_target(loader, in);
        return true;
    default:
        in->failed = true;
        return true;
    }
}

bool record_load(struct record_loader *loader, struct bytes key, struct bytes sealed,
                 struct error *err)
{
    struct reader in = reader_of(sealed);
    uint32_t sum = (uint32_t)reader_le(&in, 4);
    if (in.failed || key.size == 0 || sum != crc32_z(0, in.rest.data, in.rest.size))
        return error_code(err, ERROR_CONFIG, STORE_DAMAGED, "record '%.1s' is damaged (checksum)",
                          key.size ? (const char *)key.data : "?");
    bool known;
    if (!load_named(loader->image, key, &in, &known))
        return error_set(err, ERROR_CONFIG, "made by another version of millrace: use that one");
    if (!known && !load_kind(loader, key.data[0], &in, err))
        return error_code(err, ERROR_CONFIG, STORE_DAMAGED, "record '%c' is damaged", key.data[0]);
    if (in.failed || in.rest.size > 0)
        return error_code(err, ERROR_CONFIG, STORE_DAMAGED, "record '%c' is damaged", key.data[0]);
    return true;
}

static void *settle(struct arena *arena, void *items, size_t count, size_t size)
{
    if (!items)
        return NULL;
    void *kept = arena_alloc(arena, count * size);
    memcpy(kept, items, count * size);
    free(items);
    return kept;
}

void record_loader_done(struct record_loader *loader)
{
    struct checkpoint_image *image = loader->image;
    struct arena *arena = &image->arena;
    image->tables = settle(arena, image->tables, image->table_count, sizeof *image->tables);
    image->records = settle(arena, image->records, image->record_count, sizeof *image->records);
    image->ranges = settle(arena, image->ranges, image->range_count, sizeof *image->ranges);
    image->intents = settle(arena, image->intents, image->intent_count, sizeof *image->intents);
    image->targets = settle(arena, image->targets, image->target_count, sizeof *image->targets);
}
