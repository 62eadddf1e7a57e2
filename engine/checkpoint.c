/* SPDX-License-Identifier: Apache-2.0
 *
 * The checkpoint in RocksDB: opening, locking, loading, committing. Records are in
 * checkpoint_record.c. One WriteBatch a commit makes it atomic; every value carries a CRC-32 of its
 * own in front, so that damage is noticed even where the store's checksums are off. */
#include "engine/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <rocksdb/c.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/fault.h"
#include "engine/checkpoint_record.h"

struct checkpoint {
    rocksdb_t *db;
    rocksdb_writeoptions_t *unsynced, *synced;
};

struct checkpoint_write {
    struct checkpoint *checkpoint;
    rocksdb_writebatch_t *batch;
};

const char *table_state_name(enum table_state state)
{
    static const char *const names[] = {
        [TABLE_WAITING] = "waiting", [TABLE_SNAPSHOT] = "snapshot",
        [TABLE_STREAMING] = "streaming", [TABLE_PAUSED] = "paused",
        [TABLE_PARKED] = "parked", [TABLE_RESYNC] = "resync",
    };
    ASSERT(state < ARRAY_SIZE(names));
    return names[state];
}

/* ---- opening ---- */

static bool make_directories(const char *path, struct error *err)
{
    char part[4096];
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof part)
        return error_set(err, ERROR_CONFIG, "checkpoint.directory: the path is empty or too long");
    memcpy(part, path, length + 1);
    for (size_t i = 1; i <= length; i++) {
        if (part[i] != '/' && part[i] != '\0')
            continue;
        char kept = part[i];
        part[i] = '\0';
        if (mkdir(part, 0700) != 0 && errno != EEXIST)
            return error_code(err, ERROR_CONFIG, errno, "checkpoint.directory: make '%s': %s", part,
                              strerror(errno));
        part[i] = kept;
    }
    if (access(path, R_OK | W_OK | X_OK) != 0)
        return error_code(err, ERROR_CONFIG, errno, "checkpoint.directory '%s': %s", path,
                          strerror(errno));
    return true;
}

static rocksdb_options_t *store_options(void)
{
    rocksdb_options_t *options = rocksdb_options_create();
    rocksdb_options_set_create_if_missing(options, 1);
    rocksdb_options_set_paranoid_checks(options, 1);
    rocksdb_options_set_write_buffer_size(options, 2 << 20);
    rocksdb_options_set_max_write_buffer_number(options, 2);
    rocksdb_options_set_max_total_wal_size(options, 8 << 20);
    rocksdb_options_set_max_background_jobs(options, 1);
    rocksdb_options_set_max_open_files(options, 64);
    rocksdb_options_set_keep_log_file_num(options, 2);
    rocksdb_options_set_max_log_file_size(options, 1 << 20);
    rocksdb_options_set_stats_dump_period_sec(options, 0);
    rocksdb_options_set_stats_persist_period_sec(options, 0);
    rocksdb_options_set_wal_recovery_mode(options, 2); /* a torn tail ends the log: a point in time */
    rocksdb_options_set_info_log_level(options, 3);
    rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();
    rocksdb_block_based_options_set_no_block_cache(table, 1);
    rocksdb_options_set_block_based_table_factory(options, table);
    rocksdb_block_based_options_destroy(table);
    return options;
}

static void pid_path(const char *directory, char *path, size_t size)
{
    snprintf(path, size, "%s/agent.pid", directory);
}

static long pid_read(const char *directory)
{
    char path[4200], text[32] = "";
    pid_path(directory, path, sizeof path);
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    bool got = fgets(text, sizeof text, file) != NULL;
    fclose(file);
    return got ? strtol(text, NULL, 10) : 0;
}

static void pid_write(const char *directory)
{
    char path[4200];
    pid_path(directory, path, sizeof path);
    FILE *file = fopen(path, "we");
    if (!file)
        return;
    fprintf(file, "%ld\n", (long)getpid());
    fclose(file);
}

/* RocksDB tells by text alone; the lock and the full disk are what a user meets. */
static bool store_error(struct error *err, const char *directory, char *text)
{
    bool locked = strstr(text, "lock") != NULL && strstr(text, "LOCK") != NULL;
    if (locked)
        error_set(err, ERROR_CONFIG,
                  "checkpoint '%s' is in use by another agent (pid %ld): stop it, or give this "
                  "pipeline a checkpoint.directory of its own", directory, pid_read(directory));
    else
        error_set(err, ERROR_CONFIG, "checkpoint '%s': %.300s", directory, text);
    rocksdb_free(text);
    return false;
}

static bool commit_meta(struct checkpoint *checkpoint, const char *key, struct bytes value,
                        struct error *err)
{
    struct buf sealed;
    record_seal(value, &sealed);
    char *text = NULL;
    rocksdb_put(checkpoint->db, checkpoint->synced, key, strlen(key), (const char *)sealed.data,
                sealed.size, &text);
    buf_done(&sealed);
    return !text || store_error(err, "commit", text);
}

static bool open_epoch(struct checkpoint *checkpoint, struct checkpoint_image *image,
                       struct bytes identity, const char *directory, struct error *err)
{
    if (image->identity.data && !bytes_equal(image->identity, identity))
        return error_set(err, ERROR_CONFIG,
                         "checkpoint '%s' belongs to '%.*s', not to '%.*s': give this pipeline a "
                         "checkpoint.directory of its own, or remove the old one to begin anew",
                         directory, BYTES_ARGS(image->identity), BYTES_ARGS(identity));
    /* A checkpoint that is made anew must not repeat the labels of an older one. */
    image->epoch = image->epoch ? image->epoch + 1 : (uint64_t)(clock_wall_us() / 1000000);
    uint8_t epoch[8];
    memcpy(epoch, &image->epoch, sizeof epoch);
    uint8_t format = CHECKPOINT_FORMAT;
    return commit_meta(checkpoint, "format", (struct bytes){ &format, 1 }, err) &&
           commit_meta(checkpoint, "identity", identity, err) &&
           commit_meta(checkpoint, "epoch", (struct bytes){ epoch, sizeof epoch }, err);
}

static bool load_all(rocksdb_t *db, struct checkpoint_image *image, struct error *err)
{
    rocksdb_readoptions_t *options = rocksdb_readoptions_create();
    rocksdb_readoptions_set_verify_checksums(options, 1);
    rocksdb_iterator_t *iterator = rocksdb_create_iterator(db, options);
    struct record_loader loader = { .image = image };
    bool ok = true;
    for (rocksdb_iter_seek_to_first(iterator); ok && rocksdb_iter_valid(iterator);
         rocksdb_iter_next(iterator)) {
        size_t key_size, value_size;
        const char *key = rocksdb_iter_key(iterator, &key_size);
        const char *value = rocksdb_iter_value(iterator, &value_size);
        ok = record_load(&loader, (struct bytes){ (const uint8_t *)key, key_size },
                         (struct bytes){ (const uint8_t *)value, value_size }, err);
    }
    char *text = NULL;
    rocksdb_iter_get_error(iterator, &text);
    rocksdb_iter_destroy(iterator);
    rocksdb_readoptions_destroy(options);
    if (text) {
        store_error(err, "load", text);
        ok = false;
    }
    record_loader_done(&loader);
    image->fresh = !image->position.token.data;
    return ok;
}

bool checkpoint_open(const char *directory, struct bytes identity, struct checkpoint **out,
                     struct checkpoint_image *image, struct error *err)
{
    if (!make_directories(directory, err))
        return false;
    rocksdb_options_t *options = store_options();
    char *text = NULL;
    rocksdb_t *db = rocksdb_open(options, directory, &text);
    rocksdb_options_destroy(options);
    if (text)
        return store_error(err, directory, text);
    struct checkpoint *checkpoint = calloc(1, sizeof *checkpoint);
    ASSERT(checkpoint);
    *checkpoint = (struct checkpoint){ .db = db, .unsynced = rocksdb_writeoptions_create(),
                                       .synced = rocksdb_writeoptions_create() };
    rocksdb_writeoptions_set_sync(checkpoint->synced, 1);
    *image = (struct checkpoint_image){ 0 };
    if (!load_all(db, image, err) || !open_epoch(checkpoint, image, identity, directory, err)) {
        error_context(err, "checkpoint '%s'", directory);
        checkpoint_image_done(image);
        checkpoint_close(checkpoint);
        return false;
    }
    pid_write(directory);
    *out = checkpoint;
    return true;
}

bool checkpoint_peek(const char *directory, struct checkpoint_image *image, struct error *err)
{
    rocksdb_options_t *options = store_options();
    char *text = NULL;
    rocksdb_t *db = rocksdb_open_for_read_only(options, directory, 0, &text);
    rocksdb_options_destroy(options);
    if (text)
        return store_error(err, directory, text);
    *image = (struct checkpoint_image){ 0 };
    bool ok = load_all(db, image, err);
    rocksdb_close(db);
    if (!ok)
        checkpoint_image_done(image);
    return ok;
}

void checkpoint_image_done(struct checkpoint_image *image) { arena_done(&image->arena); }

void checkpoint_close(struct checkpoint *checkpoint)
{
    if (!checkpoint)
        return;
    rocksdb_close(checkpoint->db);
    rocksdb_writeoptions_destroy(checkpoint->unsynced);
    rocksdb_writeoptions_destroy(checkpoint->synced);
    free(checkpoint);
}

/* ---- writing ---- */

struct checkpoint_write *checkpoint_begin(struct checkpoint *checkpoint)
{
    struct checkpoint_write *write = calloc(1, sizeof *write);
    ASSERT(write);
    *write = (struct checkpoint_write){ checkpoint, rocksdb_writebatch_create() };
    return write;
}

static void put(struct checkpoint_write *write, struct buf *key, struct buf *value)
{
    ASSERT(!key->failed && !value->failed);
    struct buf sealed;
    record_seal(buf_view(value), &sealed);
    rocksdb_writebatch_put(write->batch, (const char *)key->data, key->size,
                           (const char *)sealed.data, sealed.size);
    buf_done(&sealed);
    buf_done(key);
    buf_done(value);
}

static void remove_key(struct checkpoint_write *write, struct buf *key)
{
    rocksdb_writebatch_delete(write->batch, (const char *)key->data, key->size);
    buf_done(key);
}

/* All keys that begin with `prefix`, whose last byte is not 0xff. */
static void remove_prefix(struct checkpoint_write *write, struct buf *prefix)
{
    struct buf end;
    buf_init(&end, 1 << 20);
    buf_bytes(&end, buf_view(prefix));
    size_t last = end.size;
    while (last > 0 && end.data[last - 1] == 0xff)
        last--;
    ASSERT(last > 0);
    end.data[last - 1]++;
    rocksdb_writebatch_delete_range(write->batch, (const char *)prefix->data, prefix->size,
                                    (const char *)end.data, last);
    buf_done(&end);
    buf_done(prefix);
}

void checkpoint_put_position(struct checkpoint_write *write, const struct position *position)
{
    struct buf key, value;
    record_key_text(&key, "position");
    record_position(position, &value);
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
    remove_prefix(write, &prefix);
}

void checkpoint_forget_table(struct checkpoint_write *write, uint32_t table_id)
{
    struct buf key;
    record_key_id(&key, RECORD_TABLE, table_id);
    remove_prefix(write, &key);
    record_key_id(&key, RECORD_STATE, table_id);
    remove_key(write, &key);
    checkpoint_clear_ranges(write, table_id);
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
    remove_key(write, &key);
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
    checkpoint_put_target(write, &(struct target_record){ intent->database, intent->name,
                                                          intent->applied });
}

void checkpoint_abandon(struct checkpoint_write *write)
{
    rocksdb_writebatch_destroy(write->batch);
    free(write);
}

/* A failed sync is final: what the disk holds is not known any more. */
static bool storing_failed(char *text, struct error *err)
{
    error_set(err, ERROR_CONFIG, "storing the checkpoint failed, nothing is lost: make room or "
                                 "mend the disk, then start again: %.250s", text);
    rocksdb_free(text);
    return false;
}

bool checkpoint_sync(struct checkpoint *checkpoint, struct error *err)
{
    char *text = NULL;
    rocksdb_flush_wal(checkpoint->db, 1, &text);
    return !text || storing_failed(text, err);
}

bool checkpoint_commit(struct checkpoint_write *write, bool sync, struct error *err)
{
    struct checkpoint *checkpoint = write->checkpoint;
    char *text = NULL;
    fault_point("checkpoint.before_commit");
    rocksdb_write(checkpoint->db, sync ? checkpoint->synced : checkpoint->unsynced, write->batch,
                  &text);
    checkpoint_abandon(write);
    if (text)
        return storing_failed(text, err);
    fault_point("checkpoint.after_commit");
    return true;
}
