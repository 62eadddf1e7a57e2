/* SPDX-License-Identifier: Apache-2.0
 *
 * RocksDB kept small: two memtables of 2 MB, 8 MB of log, no block cache, one background job. A
 * checkpoint is a few megabytes that are read once, at the start. */
#include "engine/checkpoint_store.h"

#include <pthread.h>
#include <rocksdb/c.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>

#include "engine/base/arena.h"
#include "engine/base/assert.h"
#include "engine/base/buf.h"
#include "engine/base/map.h"
#include "engine/base/memory.h"
#include "engine/base/reader.h"

/* RocksDB, as Debian builds it, ends the process when it meets a full disk: we stop before. */
enum { ROOM_MIN = 8 << 20, KNOWN_MAX = 4096 };

struct store {
    rocksdb_t *db;
    char *path;
    rocksdb_writeoptions_t *unsynced, *synced;
    rocksdb_readoptions_t *reading;
    pthread_mutex_t lock; /* of the four below, over a commit */
    uint64_t sum;
    bool summed;       /* sum was read */
    struct map known;  /* key -> the hash of what is stored, uint64_t: most keys come again */
    struct arena held; /* those hashes */
    atomic_ullong commits;
};

enum op_kind { OP_PUT, OP_REMOVE, OP_REMOVE_PREFIX };

struct op {
    enum op_kind kind;
    struct bytes key, value;
    struct op *next;
};

struct store_write {
    struct arena arena;
    struct op *first, **end;
};

#define SUM_KEY BYTES_LITERAL("sum")

/* ---- opening ---- */

static rocksdb_options_t *store_options(enum store_mode mode)
{
    rocksdb_options_t *options = rocksdb_options_create();
    rocksdb_options_set_create_if_missing(options, mode == STORE_CREATE);
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
    rocksdb_options_set_wal_recovery_mode(options,
                                          2); /* a torn tail ends the log: a point in time */
    rocksdb_options_set_info_log_level(options, 3);
    rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();
    rocksdb_block_based_options_set_no_block_cache(table, 1);
    rocksdb_options_set_block_based_table_factory(options, table);
    rocksdb_block_based_options_destroy(table);
    return options;
}

/* RocksDB tells by text alone. These are the machine's troubles; all others are the files'. */
static bool is_damage(const char *text)
{
    static const char *const troubles[] = {
        "No space left",           "Permission denied",   "Too many open files", "Cannot allocate",
        "Read-only file system",   "Disk quota exceeded", "lock hold by",        "While lock file",
        "Operation not permitted", "While fdatasync",     "While fsync",         "While appending",
    };
    for (size_t i = 0; i < ARRAY_SIZE(troubles); i++)
        if (strstr(text, troubles[i]))
            return false;
    return true;
}

static bool store_error(struct error *err, char *text)
{
    error_code(err, ERROR_CONFIG, is_damage(text) ? STORE_DAMAGED : 0, "%.300s", text);
    rocksdb_free(text);
    return false;
}

/* `path` may not be there yet: then its folder is asked. */
static bool has_room(const char *path, struct error *err)
{
    char folder[4200];
    struct statvfs disk;
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
    if (statvfs(path, &disk) != 0 && statvfs(folder, &disk) != 0)
        return true;
    uint64_t room = (uint64_t)disk.f_bavail * disk.f_frsize;
    return room >= ROOM_MIN ||
           error_set(err, ERROR_CONFIG,
                     "No space left on device: '%.200s' has %llu kB, and %d kB are needed", folder,
                     (unsigned long long)room / 1024, ROOM_MIN / 1024);
}

bool store_open(const char *path, enum store_mode mode, struct store **out, struct error *err)
{
    if (mode != STORE_LOOK && !has_room(path, err))
        return false;
    rocksdb_options_t *options = store_options(mode);
    char *text = NULL;
    rocksdb_t *db = mode == STORE_LOOK ? rocksdb_open_for_read_only(options, path, 0, &text)
                                       : rocksdb_open(options, path, &text);
    rocksdb_options_destroy(options);
    if (text)
        return store_error(err, text);
    struct store *store = memory_zalloc(1, sizeof *store);
    store->db = db;
    store->path = memory_text(path);
    store->unsynced = rocksdb_writeoptions_create();
    store->synced = rocksdb_writeoptions_create();
    store->reading = rocksdb_readoptions_create();
    rocksdb_writeoptions_set_sync(store->synced, 1);
    rocksdb_readoptions_set_verify_checksums(store->reading, 1);
    pthread_mutex_init(&store->lock, NULL);
    *out = store;
    return true;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    rocksdb_close(store->db);
    rocksdb_writeoptions_destroy(store->unsynced);
    rocksdb_writeoptions_destroy(store->synced);
    rocksdb_readoptions_destroy(store->reading);
    pthread_mutex_destroy(&store->lock);
    map_done(&store->known);
    arena_done(&store->held);
    free(store->path);
    free(store);
}

uint64_t store_commits(struct store *store) { return atomic_load(&store->commits); }

/* ---- reading ---- */

uint64_t store_hash(struct bytes key, struct bytes value)
{
    uint64_t hash = bytes_hash(key) * 0x9e3779b97f4a7c15u ^ bytes_hash(value);
    hash = (hash ^ hash >> 32) * 0xd6e8feb86659fd93u;
    return hash ^ hash >> 32;
}

static struct bytes iterator_key(const rocksdb_iterator_t *iterator)
{
    size_t size;
    const char *key = rocksdb_iter_key(iterator, &size);
    return (struct bytes){ (const uint8_t *)key, size };
}

static bool iterator_end(rocksdb_iterator_t *iterator, bool ok, struct error *err)
{
    char *text = NULL;
    rocksdb_iter_get_error(iterator, &text);
    rocksdb_iter_destroy(iterator);
    return text ? store_error(err, text) : ok;
}

static uint64_t sum_read(struct bytes value)
{
    struct reader in = reader_of(value);
    return reader_le(&in, 8);
}

bool store_each(struct store *store, store_visit *visit, void *context, struct error *err)
{
    uint64_t sum = 0, stored = 0;
    bool ok = true, any = false;
    rocksdb_iterator_t *iterator = rocksdb_create_iterator(store->db, store->reading);
    for (rocksdb_iter_seek_to_first(iterator); ok && rocksdb_iter_valid(iterator);
         rocksdb_iter_next(iterator)) {
        size_t size;
        struct bytes key = iterator_key(iterator);
        const char *data = rocksdb_iter_value(iterator, &size);
        struct bytes value = { (const uint8_t *)data, size };
        any = true;
        if (bytes_equal(key, SUM_KEY)) {
            stored = sum_read(value);
            continue;
        }
        sum += store_hash(key, value);
        ok = visit(context, key, value, err);
    }
    if (!iterator_end(iterator, ok, err))
        return false;
    return !any || sum == stored ||
           error_code(err, ERROR_CONFIG, STORE_DAMAGED, "records are missing or stale");
}

/* ---- writing ---- */

struct store_write *store_begin(void)
{
    struct store_write *write = memory_zalloc(1, sizeof *write);
    write->end = &write->first;
    return write;
}

void store_abandon(struct store_write *write)
{
    arena_done(&write->arena);
    free(write);
}

static void op_add(struct store_write *write, enum op_kind kind, struct bytes key,
                   struct bytes value)
{
    struct op *op = arena_zalloc(&write->arena, sizeof *op);
    *op =
        (struct op){ kind, arena_copy(&write->arena, key), arena_copy(&write->arena, value), NULL };
    *write->end = op;
    write->end = &op->next;
}

void store_put(struct store_write *write, struct bytes key, struct bytes value)
{
    op_add(write, OP_PUT, key, value);
}

void store_remove(struct store_write *write, struct bytes key)
{
    op_add(write, OP_REMOVE, key, (struct bytes){ 0 });
}

void store_remove_prefix(struct store_write *write, struct bytes prefix)
{
    op_add(write, OP_REMOVE_PREFIX, prefix, (struct bytes){ 0 });
}

static bool has_prefix(struct bytes key, struct bytes prefix)
{
    return key.size >= prefix.size && memcmp(key.data, prefix.data, prefix.size) == 0;
}

/* What a commit leaves behind, key by key. */
struct outcome {
    struct arena arena;
    struct map ops; /* key -> the op that counts: a put or a removal */
};

static void outcome_remove(struct outcome *outcome, struct bytes key)
{
    struct op *op = arena_zalloc(&outcome->arena, sizeof *op);
    op->kind = OP_REMOVE;
    map_put(&outcome->ops, key, op);
}

static bool outcome_remove_prefix(struct store *store, struct outcome *outcome, struct bytes prefix,
                                  struct error *err)
{
    for (struct map_entry *entry = NULL; (entry = map_next(&outcome->ops, entry));)
        if (has_prefix(entry->key, prefix))
            ((struct op *)entry->value)->kind = OP_REMOVE;
    rocksdb_iterator_t *iterator = rocksdb_create_iterator(store->db, store->reading);
    for (rocksdb_iter_seek(iterator, (const char *)prefix.data, prefix.size);
         rocksdb_iter_valid(iterator) && has_prefix(iterator_key(iterator), prefix);
         rocksdb_iter_next(iterator))
        outcome_remove(outcome, iterator_key(iterator));
    return iterator_end(iterator, true, err);
}

static bool outcome_of(struct store *store, const struct store_write *write,
                       struct outcome *outcome, struct error *err)
{
    for (const struct op *op = write->first; op; op = op->next) {
        if (op->kind == OP_REMOVE_PREFIX) {
            if (!outcome_remove_prefix(store, outcome, op->key, err))
                return false;
            continue;
        }
        struct op *copy = arena_alloc(&outcome->arena, sizeof *copy);
        *copy = *op;
        map_put(&outcome->ops, op->key, copy);
    }
    return true;
}

/* The hash of what is stored under the key; 0 for nothing. */
static bool hash_of_old(struct store *store, struct bytes key, uint64_t *hash, struct error *err)
{
    size_t size;
    char *text = NULL;
    const uint64_t *known = map_get(&store->known, key);
    if (known) {
        *hash = *known;
        return true;
    }
    char *value =
        rocksdb_get(store->db, store->reading, (const char *)key.data, key.size, &size, &text);
    if (text)
        return store_error(err, text);
    *hash = value ? store_hash(key, (struct bytes){ (const uint8_t *)value, size }) : 0;
    rocksdb_free(value);
    return true;
}

static uint64_t hash_of_new(const struct map_entry *entry)
{
    const struct op *op = entry->value;
    return op->kind == OP_PUT ? store_hash(entry->key, op->value) : 0;
}

static void forget_known(struct store *store)
{
    map_done(&store->known);
    arena_reset(&store->held);
}

/* What a commit has stored. */
static void keep_known(struct store *store, const struct outcome *outcome)
{
    for (struct map_entry *entry = NULL; (entry = map_next(&outcome->ops, entry));) {
        uint64_t *hash = map_get(&store->known, entry->key);
        if (!hash && store->known.count == KNOWN_MAX)
            forget_known(store);
        if (!hash) {
            hash = arena_alloc(&store->held, sizeof *hash);
            map_put(&store->known, entry->key, hash);
        }
        *hash = hash_of_new(entry);
    }
}

static bool sum_load(struct store *store, struct error *err)
{
    size_t size;
    char *text = NULL;
    if (store->summed)
        return true;
    struct bytes key = SUM_KEY;
    char *value =
        rocksdb_get(store->db, store->reading, (const char *)key.data, key.size, &size, &text);
    if (text)
        return store_error(err, text);
    store->sum = value ? sum_read((struct bytes){ (const uint8_t *)value, size }) : 0;
    store->summed = true;
    rocksdb_free(value);
    return true;
}

static void batch_put(rocksdb_writebatch_t *batch, struct bytes key, struct bytes value)
{
    rocksdb_writebatch_put(batch, (const char *)key.data, key.size, (const char *)value.data,
                           value.size);
}

static bool batch_fill(struct store *store, const struct outcome *outcome,
                       rocksdb_writebatch_t *batch, uint64_t *sum, struct error *err)
{
    for (struct map_entry *entry = NULL; (entry = map_next(&outcome->ops, entry));) {
        const struct op *op = entry->value;
        uint64_t old = 0;
        if (!hash_of_old(store, entry->key, &old, err))
            return false;
        *sum += hash_of_new(entry) - old;
        if (op->kind == OP_PUT) {
            batch_put(batch, entry->key, op->value);
        } else {
            rocksdb_writebatch_delete(batch, (const char *)entry->key.data, entry->key.size);
        }
    }
    uint8_t raw[8];
    for (size_t i = 0; i < sizeof raw; i++)
        raw[i] = (uint8_t)(*sum >> 8 * i);
    batch_put(batch, SUM_KEY, (struct bytes){ raw, sizeof raw });
    return true;
}

static bool commit_outcome(struct store *store, const struct outcome *outcome,
                           rocksdb_writebatch_t *batch, bool sync, struct error *err)
{
    char *text = NULL;
    uint64_t sum = store->sum;
    if (!batch_fill(store, outcome, batch, &sum, err))
        return false;
    rocksdb_write(store->db, sync ? store->synced : store->unsynced, batch, &text);
    if (text) {
        forget_known(store);
        return store_error(err, text);
    }
    store->sum = sum;
    keep_known(store, outcome);
    return true;
}

static bool commit_locked(struct store *store, const struct store_write *write,
                          rocksdb_writebatch_t *batch, bool sync, struct error *err)
{
    struct outcome outcome = { 0 };
    bool ok = sum_load(store, err) && outcome_of(store, write, &outcome, err) &&
              commit_outcome(store, &outcome, batch, sync, err);
    map_done(&outcome.ops);
    arena_done(&outcome.arena);
    return ok;
}

bool store_commit(struct store *store, const struct store_write *write, bool sync,
                  struct error *err)
{
    if (!has_room(store->path, err))
        return false;
    rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
    pthread_mutex_lock(&store->lock);
    bool ok = commit_locked(store, write, batch, sync, err);
    pthread_mutex_unlock(&store->lock);
    rocksdb_writebatch_destroy(batch);
    atomic_fetch_add(&store->commits, 1);
    return ok;
}

bool store_sync(struct store *store, struct error *err)
{
    char *text = NULL;
    rocksdb_flush_wal(store->db, 1, &text);
    return !text || store_error(err, text);
}
