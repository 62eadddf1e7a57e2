/* SPDX-License-Identifier: Apache-2.0
 *
 * The checkpoint's records: keys, values, and their way back. All numbers little endian in values,
 * big endian in keys (so that they sort); texts with a 32-bit size in front. A value begins with
 * the CRC-32 of the rest. Keys: "format" u8 · "identity" text · "epoch" u64 · "position" ·
 * "chunk-mark" u64 · "origin" text · "older" u8 · 't' id u32 version u32: table version · 's' id
 * u32: state · 'r' id u32 range u32: range · 'i' target: intent · 'a' target: applied mark; where
 * target is: size of the database u32, database, name. */
#pragma once

#include "engine/base/buf.h"
#include "engine/checkpoint.h"
#include "engine/checkpoint_store.h"

enum { CHECKPOINT_FORMAT = 2, RECORD_LIMIT = 256 << 20 };
enum record_kind {
    RECORD_TABLE = 't',
    RECORD_STATE = 's',
    RECORD_RANGE = 'r',
    RECORD_INTENT = 'i',
    RECORD_TARGET = 'a'
};

/* Each inits its buf; the caller frees it. */
void record_seal(struct bytes value, struct buf *sealed);
void record_key_text(struct buf *key, const char *text);
void record_key_id(struct buf *key, enum record_kind kind, uint32_t id);
void record_key_table(struct buf *key, uint32_t id, uint32_t version);
void record_key_range(struct buf *key, uint32_t id, uint32_t range);
void record_key_target(struct buf *key, enum record_kind kind, struct bytes database,
                       struct bytes name);
void record_position(const struct position *position, struct buf *value);
void record_state(const struct table_record *record, struct buf *value);
void record_intent(const struct intent *intent, struct buf *value);
/* This one appends: chunks also lie inside intents. */
void record_chunk(const struct chunk_record *chunk, struct buf *value);

/* Where checkpoint_put.c puts what it has encoded: one each for whoever keeps the records. Copies
 * what it is given. In the order of the calls: a prefix that is removed and then put is there. */
void checkpoint_write_put(struct checkpoint_write *write, struct bytes key, struct bytes sealed);
void checkpoint_write_remove(struct checkpoint_write *write, struct bytes key, bool prefix);

/* Of an image that is older: chunks that were read since are in the targets, and rows of theirs
 * that went since would stay there, for changes of keys that are not read yet are not delivered.
 * Tables whose reading is not over wait to be emptied, in the image and in the records; those
 * whose reading had not begun, in the records: this start knows them as new ones. It stays an
 * older one until checkpoint_forget_older(). */
void checkpoint_put_older(struct checkpoint_write *write, struct checkpoint_image *image);

/* Growing arrays of an image while it is loaded. */
struct record_loader {
    struct checkpoint_image *image;
    size_t table_capacity, record_capacity, range_capacity, intent_capacity, target_capacity;
};
/* ERROR_CONFIG when the record is damaged or unknown: names its kind. */
bool record_load(struct record_loader *loader, struct bytes key, struct bytes sealed,
                 struct error *err);
void record_loader_done(struct record_loader *loader); /* moves the arrays into the image's arena */
