/* SPDX-License-Identifier: Apache-2.0
 *
 * What each change of a checkpoint puts and removes, over the two functions of whoever keeps the
 * records (checkpoint_record.h): RocksDB in checkpoint.c, a disk of memory in the simulation. */
#include "engine/base/assert.h"
#include "engine/checkpoint_record.h"

static void put(struct checkpoint_write *write, struct buf *key, struct buf *value)
{
    ASSERT(!key->failed && !value->failed);
    struct buf sealed;
    record_seal(buf_view(value), &sealed);
    checkpoint_write_put(write, buf_view(key), buf_view(&sealed));
    buf_done(&sealed);
    buf_done(key);
    buf_done(value);
}

static void remove_key(struct checkpoint_write *write, struct buf *key, bool prefix)
{
    checkpoint_write_remove(write, buf_view(key), prefix);
    buf_done(key);
}

void checkpoint_put_position(struct checkpoint_write *write, const struct position *position)
{
    struct buf key, value;
    record_key_text(&key, "position");
    record_position(position, &value);
    put(write, &key, &value);
}

void checkpoint_put_origin(struct checkpoint_write *write, struct bytes origin)
{
    struct buf key, value;
    record_key_text(&key, "origin");
    buf_init(&value, RECORD_LIMIT);
    buf_bytes(&value, origin);
    put(write, &key, &value);
}

void checkpoint_put_table(struct checkpoint_write *write, const struct table *table)
{
    struct buf key, value;
    record_key_table(&key, table->id, table->version);
    buf_init(&value, RECORD_LIMIT);
    table_encode(table, &value);
    put(write, &key, &value);
}

void checkpoint_put_record(struct checkpoint_write *write, const struct table_record *record)
{
    struct buf key, value;
    record_key_id(&key, RECORD_STATE, record->table_id);
    record_state(record, &value);
    put(write, &key, &value);
}

void checkpoint_put_range(struct checkpoint_write *write, const struct chunk_record *range)
{
    struct buf key, value;
    record_key_range(&key, range->table_id, range->range);
    buf_init(&value, RECORD_LIMIT);
    record_chunk(range, &value);
    put(write, &key, &value);
}

void checkpoint_clear_ranges(struct checkpoint_write *write, uint32_t table_id)
{
    struct buf prefix;
    record_key_id(&prefix, RECORD_RANGE, table_id);
    remove_key(write, &prefix, true);
}

void checkpoint_forget_table(struct checkpoint_write *write, uint32_t table_id)
{
    struct buf key;
    record_key_id(&key, RECORD_TABLE, table_id);
    remove_key(write, &key, true);
    record_key_id(&key, RECORD_STATE, table_id);
    remove_key(write, &key, false);
    checkpoint_clear_ranges(write, table_id);
}

void checkpoint_forget_older(struct checkpoint_write *write)
{
    struct buf key;
    record_key_text(&key, "older");
    remove_key(write, &key, false);
}

void checkpoint_put_chunk_mark(struct checkpoint_write *write, uint64_t mark)
{
    struct buf key, value;
    record_key_text(&key, "chunk-mark");
    buf_init(&value, 64);
    buf_le(&value, mark, 8);
    put(write, &key, &value);
}

void checkpoint_put_intent(struct checkpoint_write *write, const struct intent *intent)
{
    struct buf key, value;
    record_key_target(&key, RECORD_INTENT, intent->database, intent->name);
    record_intent(intent, &value);
    put(write, &key, &value);
}

void checkpoint_drop_intent(struct checkpoint_write *write, const struct intent *intent)
{
    struct buf key;
    record_key_target(&key, RECORD_INTENT, intent->database, intent->name);
    remove_key(write, &key, false);
}

void checkpoint_put_target(struct checkpoint_write *write, const struct target_record *target)
{
    struct buf key, value;
    record_key_target(&key, RECORD_TARGET, target->database, target->name);
    buf_init(&value, RECORD_LIMIT);
    buf_sized(&value, target->database);
    buf_sized(&value, target->name);
    buf_le(&value, target->applied, 8);
    put(write, &key, &value);
}

void checkpoint_put_done(struct checkpoint_write *write, const struct intent *intent)
{
    checkpoint_drop_intent(write, intent);
    for (uint32_t i = 0; i < intent->chunk_count; i++)
        checkpoint_put_range(write, &intent->chunks[i]);
    checkpoint_put_target(
        write, &(struct target_record){ intent->database, intent->name, intent->applied });
}

size_t checkpoint_ranges_of(const struct checkpoint_image *image, uint32_t table_id, size_t *count)
{
    size_t first = 0, end = image->range_count;
    while (first < end) {
        size_t middle = first + (end - first) / 2;
        if (image->ranges[middle].table_id < table_id)
            first = middle + 1;
        else
            end = middle;
    }
    while (end < image->range_count && image->ranges[end].table_id == table_id)
        end++;
    *count = end - first;
    return first;
}

struct checkpoint_progress checkpoint_progress_of(const struct checkpoint_image *image,
                                                  uint32_t table_id)
{
    struct checkpoint_progress progress = { 0 };
    size_t count, first = checkpoint_ranges_of(image, table_id, &count);
    for (size_t i = first; i < first + count; i++) {
        progress.ranges++;
        progress.complete += image->ranges[i].complete;
        progress.rows += image->ranges[i].rows;
    }
    return progress;
}

enum table_state checkpoint_state_of(const struct checkpoint_image *image,
                                     const struct table_record *record)
{
    struct checkpoint_progress read = checkpoint_progress_of(image, record->table_id);
    bool done =
        read.ranges > 0 && read.complete == read.ranges && read.ranges >= record->range_count;
    return record->state == TABLE_SNAPSHOT && done ? TABLE_STREAMING : record->state;
}

/* Chunks of the position's commit were given up to the mark that was reserved for them. */
static uint64_t held_mark(const struct checkpoint_image *image)
{
    uint64_t position = image->position.mark, row = mark_row(image->chunk_mark);
    return row > mark_row(position) ? mark_make(mark_commit(position), (uint32_t)row) : position;
}

void checkpoint_put_older(struct checkpoint_write *write, struct checkpoint_image *image)
{
    struct buf key, value;
    record_key_text(&key, "older");
    buf_init(&value, 64);
    buf_u8(&value, 1);
    put(write, &key, &value);
    image->older = true;
    image->held = held_mark(image);
    for (size_t i = 0; i < image->record_count; i++) {
        struct table_record *record = &image->records[i];
        enum table_state state = checkpoint_state_of(image, record);
        if (state == TABLE_STREAMING || state == TABLE_PAUSED)
            continue;
        record->state = TABLE_WAITING;
        checkpoint_put_record(write, record);
    }
    /* Those without one are adopted; a start that follows no longer knows how old this was. */
    for (size_t i = 0; i < image->table_count; i++) {
        struct table_record record = { .table_id = image->tables[i]->id, .state = TABLE_WAITING };
        if (!checkpoint_record_of(image, record.table_id))
            checkpoint_put_record(write, &record);
    }
}
