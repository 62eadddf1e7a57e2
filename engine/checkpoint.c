/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening, falling back, loading, committing. Records are in checkpoint_record.c, what a change
 * puts in checkpoint_put.c, RocksDB in checkpoint_store.c, the directory in checkpoint_home.c,
 * copies in checkpoint_copy.c.
 *
 * What can be opened is proven first: every record by its CRC-32, all of them together by their
 * sum. What cannot is replaced by the newest copy that can, and set aside. An older generation is
 * exact too, because nothing that was sent since is believed to be new: keyed tables take a
 * repeated row by its version, and of a table without a key the sink is asked how far it is
 * (delivery.h). */
#include "engine/checkpoint.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/fault.h"
#include "engine/base/log.h"
#include "engine/base/memory.h"
#include "engine/base/wait.h"
#include "engine/checkpoint_copy.h"
#include "engine/checkpoint_home.h"
#include "engine/checkpoint_record.h"

/* A copy may be this old; the first one is made soon, for the day when the live records go bad. */
enum {
    COPY_FIRST_US = 10 * 1000000,
    COPY_EVERY_US = 300 * 1000000,
    EPOCH_LEAP = 1000, /* further than any copy of ours came meanwhile, elsewhere */
    SAVE_ATTEMPTS = 10,
    SAVE_PAUSE_US = 50 * 1000
};

struct checkpoint {
    struct home home;
    struct store *store;
    pthread_t keeper;     /* makes the copies */
    pthread_mutex_t lock; /* of the three below */
    pthread_cond_t changed;
    bool keeping, ending, failed;
    unsigned long long copied; /* commits that the newest copy holds */
};

struct checkpoint_write {
    struct checkpoint *checkpoint;
    struct store_write *write;
};

const char *table_state_name(enum table_state state)
{
    static const char *const names[] = {
        [TABLE_WAITING] = "waiting", [TABLE_SNAPSHOT] = "snapshot", [TABLE_STREAMING] = "streaming",
        [TABLE_PAUSED] = "paused",   [TABLE_PARKED] = "parked",     [TABLE_RESYNC] = "resync",
    };
    ASSERT(state < ARRAY_SIZE(names));
    return names[state];
}

static void put_named(struct store_write *write, const char *name, struct bytes value)
{
    struct buf key, sealed;
    record_key_text(&key, name);
    record_seal(value, &sealed);
    store_put(write, buf_view(&key), buf_view(&sealed));
    buf_done(&key);
    buf_done(&sealed);
}

static void put_epoch(struct store_write *write, uint64_t epoch)
{
    uint8_t raw[8];
    for (size_t i = 0; i < sizeof raw; i++)
        raw[i] = (uint8_t)(epoch >> 8 * i);
    put_named(write, "epoch", (struct bytes){ raw, sizeof raw });
}

static void put_format(struct store_write *write, struct bytes identity)
{
    uint8_t format = CHECKPOINT_FORMAT;
    put_named(write, "format", (struct bytes){ &format, 1 });
    put_named(write, "identity", identity);
}

/* ---- loading ---- */

static bool load_record(void *context, struct bytes key, struct bytes value, struct error *err)
{
    return record_load(context, key, value, err);
}

/* Reads and proves all of it. On failure the image is empty again. */
static bool load_store(struct store *store, struct checkpoint_image *image, struct error *err)
{
    *image = (struct checkpoint_image){ 0 };
    struct record_loader loader = { .image = image };
    bool ok = store_each(store, load_record, &loader, err);
    record_loader_done(&loader);
    image->fresh = !image->position.token.data;
    if (!ok)
        checkpoint_image_done(image);
    return ok;
}

static bool open_live(struct checkpoint *checkpoint, enum store_mode mode,
                      struct checkpoint_image *image, struct error *err)
{
    char path[HOME_PATH_SIZE];
    home_path(&checkpoint->home, "db", path);
    if (!store_open(path, mode, &checkpoint->store, err))
        return false;
    bool ok = load_store(checkpoint->store, image, err);
    if (ok && mode == STORE_OPEN && !image->identity.data) {
        checkpoint_image_done(image);
        ok = error_code(err, ERROR_CONFIG, STORE_DAMAGED, "its records are gone");
    }
    if (!ok) {
        store_close(checkpoint->store);
        checkpoint->store = NULL;
    }
    return ok;
}

static int by_table(const void *id, const void *record)
{
    uint32_t wanted = *(const uint32_t *)id;
    uint32_t found = ((const struct table_record *)record)->table_id;
    return (wanted > found) - (wanted < found);
}

/* Records come in the order of their keys. */
const struct table_record *checkpoint_record_of(const struct checkpoint_image *image,
                                                uint32_t table_id)
{
    return image->record_count == 0 ? NULL
                                    : bsearch(&table_id, image->records, image->record_count,
                                              sizeof *image->records, by_table);
}

void checkpoint_image_done(struct checkpoint_image *image)
{
    arena_done(&image->arena);
    *image = (struct checkpoint_image){ 0 };
}

/* ---- an older generation ---- */

static bool put_record_of_copy(void *context, struct bytes key, struct bytes value,
                               struct error *err)
{
    (void)err;
    store_put(context, key, value);
    return true;
}

/* The records of a copy become the live ones. */
static bool adopt_records(struct home *home, const char *copy, const char *origin,
                          struct copy_facts *facts, struct error *err)
{
    char path[HOME_PATH_SIZE];
    struct store *store = NULL;
    struct store_write *write = store_begin();
    bool ok = copy_read(copy, put_record_of_copy, write, facts, err) &&
              home_begin_new(home, path, err) && store_open(path, STORE_CREATE, &store, err);
    if (ok && origin)
        put_named(write, "origin", bytes_from(origin));
    ok = ok && store_commit(store, write, true, err);
    store_abandon(write);
    store_close(store);
    return ok && home_adopt_new(home, err);
}

/* The marks of chunks that were closed since are not known: far away from them. */
static uint64_t any_chunk_mark(void)
{
    uint32_t number = 0;
    if (getrandom(&number, sizeof number, 0) != sizeof number)
        number = (uint32_t)clock_wall_us();
    uint32_t slots = MARK_CHUNK_LAST - MARK_CHUNK_FIRST + 1;
    return mark_make(0, MARK_CHUNK_FIRST + number % slots);
}

static void time_text(int64_t time_us, char *out, size_t size)
{
    time_t seconds = (time_t)(time_us / 1000000);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    strftime(out, size, "%Y-%m-%d %H:%M:%S UTC", &parts);
}

static bool fall_back(struct checkpoint *checkpoint, struct checkpoint_image *image,
                      struct error *err)
{
    char path[HOME_PATH_SIZE], made[32];
    struct error why = *err;
    for (uint32_t i = 1; i <= HOME_COPIES; i++) {
        struct copy_facts facts;
        home_copy_path(&checkpoint->home, i, path);
        if (!adopt_records(&checkpoint->home, path, NULL, &facts, err) ||
            !open_live(checkpoint, STORE_OPEN, image, err)) {
            if (err->code == STORE_DAMAGED)
                continue;
            return error_context(err, "checkpoint '%s': going back to its copy",
                                 checkpoint->home.path);
        }
        time_text(facts.time_us, made, sizeof made);
        image->older = true;
        snprintf(image->note, sizeof image->note,
                 "checkpoint '%.150s' is damaged (%.150s): going on from its copy of %s; what was "
                 "sent since is sent again, unless the sink knows that it has it",
                 checkpoint->home.path, why.message, made);
        return true;
    }
    return error_set(
        err, ERROR_CONFIG,
        "checkpoint '%.150s' is damaged (%.130s) and no copy of it is whole: go on from "
        "a savepoint (run --from-savepoint), or move the directory away to read all "
        "tables again",
        checkpoint->home.path, why.message);
}

/* Before other records take the place of the live ones: a start will see that they are not those
 * that were last here, and nobody goes back to a copy from before. */
static bool leave_epoch(const struct home *home, struct error *err)
{
    uint64_t known = home_epoch(home);
    home_forget_copies(home);
    return !known || home_put_epoch(home, known + EPOCH_LEAP, err);
}

bool checkpoint_restore(const char *directory, struct bytes identity, const char *savepoint,
                        bool *done, struct error *err)
{
    char origin[100];
    struct copy_facts facts;
    struct checkpoint_image image = { 0 };
    struct record_loader loader = { .image = &image };
    bool ok = copy_read(savepoint, load_record, &loader, &facts, err);
    record_loader_done(&loader);
    if (ok && !bytes_equal(image.identity, identity))
        ok = error_set(err, ERROR_CONFIG, "savepoint '%s' belongs to '%.*s', not to '%.*s'",
                       savepoint, BYTES_ARGS(image.identity), BYTES_ARGS(identity));
    checkpoint_image_done(&image);
    struct checkpoint checkpoint = { .home.lock = -1 };
    if (!ok || !home_open(directory, &checkpoint.home, err))
        return false;
    snprintf(origin, sizeof origin, "%lld.%llx", (long long)facts.time_us,
             (unsigned long long)facts.sum);
    struct error ignored;
    *done = true;
    if (home_is_used(&checkpoint.home) && open_live(&checkpoint, STORE_OPEN, &image, &ignored)) {
        *done = !bytes_is(image.origin, origin);
        checkpoint_image_done(&image);
        store_close(checkpoint.store);
    }
    if (*done)
        ok = leave_epoch(&checkpoint.home, err) &&
             adopt_records(&checkpoint.home, savepoint, origin, &facts, err);
    home_close(&checkpoint.home);
    return ok;
}

bool checkpoint_is_there(const char *directory)
{
    char path[HOME_PATH_SIZE];
    struct home home = { .lock = -1 };
    snprintf(home.path, sizeof home.path, "%s", directory);
    home_path(&home, "db", path);
    return home_is_used(&home) || access(path, F_OK) == 0;
}

static struct store_write *write_of_image(const struct checkpoint_image *image)
{
    struct checkpoint_write write = { .write = store_begin() };
    put_format(write.write, image->identity);
    put_epoch(write.write, image->epoch);
    if (image->origin.data)
        checkpoint_put_origin(&write, image->origin);
    if (image->position.token.data)
        checkpoint_put_position(&write, &image->position);
    if (image->chunk_mark)
        checkpoint_put_chunk_mark(&write, image->chunk_mark);
    for (size_t i = 0; i < image->table_count; i++)
        checkpoint_put_table(&write, image->tables[i]);
    for (size_t i = 0; i < image->record_count; i++)
        checkpoint_put_record(&write, &image->records[i]);
    for (size_t i = 0; i < image->range_count; i++)
        checkpoint_put_range(&write, &image->ranges[i]);
    for (size_t i = 0; i < image->intent_count; i++)
        checkpoint_put_intent(&write, &image->intents[i]);
    for (size_t i = 0; i < image->target_count; i++)
        checkpoint_put_target(&write, &image->targets[i]);
    return write.write;
}

bool checkpoint_import(const char *directory, const struct checkpoint_image *image, bool replace,
                       struct error *err)
{
    char path[HOME_PATH_SIZE];
    struct home home = { .lock = -1 };
    struct store *store = NULL;
    if (!home_open(directory, &home, err))
        return false;
    bool ok = replace || !checkpoint_is_there(directory) ||
              error_set(err, ERROR_CONFIG, "checkpoint '%s' is there already", directory);
    ok = ok && leave_epoch(&home, err) && home_begin_new(&home, path, err) &&
         store_open(path, STORE_CREATE, &store, err);
    if (ok) {
        struct store_write *write = write_of_image(image);
        ok = store_commit(store, write, true, err);
        store_abandon(write);
    }
    store_close(store);
    ok = ok && home_adopt_new(&home, err);
    home_close(&home);
    return ok;
}

bool checkpoint_discard(const char *directory, struct bytes identity, struct error *err)
{
    struct checkpoint_image empty = { .identity = identity };
    return checkpoint_import(directory, &empty, true, err);
}

/* ---- copies ---- */

static bool copy_now(struct checkpoint *checkpoint, struct error *err)
{
    char path[HOME_PATH_SIZE];
    struct copy_facts facts;
    unsigned long long commits = store_commits(checkpoint->store);
    if (commits == checkpoint->copied)
        return true;
    home_path(&checkpoint->home, "copy.new", path);
    if (!copy_write(path, checkpoint->store, &facts, err) ||
        !home_adopt_copy(&checkpoint->home, err))
        return error_context(err, "copying the checkpoint");
    checkpoint->copied = commits;
    return true;
}

/* A copy that fails costs nothing now: the live records are what counts. */
static void copy_or_warn(struct checkpoint *checkpoint)
{
    struct error err;
    if (!copy_now(checkpoint, &err))
        log_warn("%s; trying again later", err.message);
}

static void *keep_copies(void *context)
{
    struct checkpoint *checkpoint = context;
    int64_t due_us = clock_now_us() + COPY_FIRST_US;
    log_context("part=checkpoint");
    pthread_mutex_lock(&checkpoint->lock);
    while (!checkpoint->ending) {
        int64_t left_us = due_us - clock_now_us();
        if (left_us > 0) {
            struct timespec deadline = wait_deadline((int)(left_us / 1000) + 1);
            wait_until(&checkpoint->changed, &checkpoint->lock, 0, &deadline);
            continue;
        }
        pthread_mutex_unlock(&checkpoint->lock);
        copy_or_warn(checkpoint);
        due_us = clock_now_us() + COPY_EVERY_US;
        pthread_mutex_lock(&checkpoint->lock);
    }
    pthread_mutex_unlock(&checkpoint->lock);
    return NULL;
}

static void keeper_end(struct checkpoint *checkpoint)
{
    if (!checkpoint->keeping)
        return;
    pthread_mutex_lock(&checkpoint->lock);
    checkpoint->ending = true;
    pthread_cond_broadcast(&checkpoint->changed);
    pthread_mutex_unlock(&checkpoint->lock);
    pthread_join(checkpoint->keeper, NULL);
    if (!checkpoint->failed)
        copy_or_warn(checkpoint);
}

/* ---- opening and closing ---- */

/* Never given before, whichever generation this is: it is part of every label. Records of another
 * epoch than the last one here are older than it, or come from elsewhere. */
static bool open_epoch(struct checkpoint *checkpoint, struct checkpoint_image *image,
                       struct bytes identity, struct error *err)
{
    uint64_t known = home_epoch(&checkpoint->home);
    uint64_t clock = (uint64_t)(clock_wall_us() / 1000000);
    uint64_t last = image->epoch > known ? image->epoch : known;
    /* Ended between the two places of the epoch, it has the next one. */
    image->older |= image->epoch && image->epoch != known && image->epoch != known + 1;
    image->epoch = known && image->epoch ? last + 1 : (clock > last ? clock : last + 1);
    struct checkpoint_write *write = checkpoint_begin(checkpoint);
    put_format(write->write, identity);
    put_epoch(write->write, image->epoch);
    if (image->older) {
        checkpoint_put_older(write, image);
        image->chunk_mark = any_chunk_mark();
    }
    return checkpoint_commit(write, true, err) &&
           home_put_epoch(&checkpoint->home, image->epoch, err);
}

static bool is_ours(const struct checkpoint *checkpoint, const struct checkpoint_image *image,
                    struct bytes identity, struct error *err)
{
    return !image->identity.data || bytes_equal(image->identity, identity) ||
           error_set(err, ERROR_CONFIG,
                     "checkpoint '%s' belongs to '%.*s', not to '%.*s': give this pipeline a "
                     "checkpoint.directory of its own, or remove the old one to begin anew",
                     checkpoint->home.path, BYTES_ARGS(image->identity), BYTES_ARGS(identity));
}

static bool open_any(struct checkpoint *checkpoint, struct checkpoint_image *image,
                     struct error *err)
{
    bool used = home_is_used(&checkpoint->home);
    if (open_live(checkpoint, used ? STORE_OPEN : STORE_CREATE, image, err))
        return true;
    if (err->code == STORE_DAMAGED)
        return fall_back(checkpoint, image, err);
    return error_context(err, "checkpoint '%s'", checkpoint->home.path);
}

bool checkpoint_open(const char *directory, struct bytes identity, struct checkpoint **out,
                     struct checkpoint_image *image, struct error *err)
{
    struct checkpoint *checkpoint = memory_zalloc(1, sizeof *checkpoint);
    checkpoint->home.lock = -1;
    pthread_mutex_init(&checkpoint->lock, NULL);
    wait_init(&checkpoint->changed);
    *image = (struct checkpoint_image){ 0 };
    if (!home_open(directory, &checkpoint->home, err) || !open_any(checkpoint, image, err) ||
        !is_ours(checkpoint, image, identity, err) ||
        !open_epoch(checkpoint, image, identity, err)) {
        checkpoint_image_done(image);
        checkpoint_close(checkpoint);
        return false;
    }
    checkpoint->keeping = pthread_create(&checkpoint->keeper, NULL, keep_copies, checkpoint) == 0;
    ASSERT(checkpoint->keeping);
    *out = checkpoint;
    return true;
}

static bool peek_once(const char *path, struct checkpoint_image *image, struct error *err)
{
    struct store *store;
    if (!store_open(path, STORE_LOOK, &store, err))
        return false;
    bool ok = load_store(store, image, err);
    store_close(store);
    return ok;
}

/* Beside an agent that writes, files may go while they are opened: what was read then does not add
 * up, or is not there, and is read again. */
bool checkpoint_peek(const char *directory, struct checkpoint_image *image, struct error *err)
{
    char path[HOME_PATH_SIZE];
    snprintf(path, sizeof path, "%s/db", directory);
    for (int attempt = 1; !peek_once(path, image, err); attempt++) {
        if (err->code != STORE_DAMAGED || attempt == SAVE_ATTEMPTS || access(path, F_OK) != 0)
            return error_context(err, "checkpoint '%s'", directory);
        clock_sleep_us(SAVE_PAUSE_US);
    }
    return true;
}

bool checkpoint_save(const char *directory, const char *path, struct error *err)
{
    char live[HOME_PATH_SIZE];
    struct copy_facts facts;
    snprintf(live, sizeof live, "%s/db", directory);
    for (int attempt = 1;; attempt++) {
        struct store *store = NULL;
        bool ok = store_open(live, STORE_LOOK, &store, err) && copy_write(path, store, &facts, err);
        store_close(store);
        if (ok)
            return true;
        if (err->code != STORE_DAMAGED || attempt == SAVE_ATTEMPTS)
            return error_context(err, "savepoint of '%s'", directory);
        clock_sleep_us(SAVE_PAUSE_US);
    }
}

void checkpoint_close(struct checkpoint *checkpoint)
{
    if (!checkpoint)
        return;
    keeper_end(checkpoint);
    store_close(checkpoint->store);
    home_close(&checkpoint->home);
    pthread_mutex_destroy(&checkpoint->lock);
    pthread_cond_destroy(&checkpoint->changed);
    free(checkpoint);
}

/* ---- writing ---- */

struct checkpoint_write *checkpoint_begin(struct checkpoint *checkpoint)
{
    struct checkpoint_write *write = memory_zalloc(1, sizeof *write);
    *write = (struct checkpoint_write){ checkpoint, store_begin() };
    return write;
}

void checkpoint_write_put(struct checkpoint_write *write, struct bytes key, struct bytes sealed)
{
    store_put(write->write, key, sealed);
}

void checkpoint_write_remove(struct checkpoint_write *write, struct bytes key, bool prefix)
{
    if (prefix)
        store_remove_prefix(write->write, key);
    else
        store_remove(write->write, key);
}

void checkpoint_abandon(struct checkpoint_write *write)
{
    store_abandon(write->write);
    free(write);
}

/* A failed sync is final: what the disk holds is not known any more. */
static bool storing_failed(struct checkpoint *checkpoint, struct error *err)
{
    pthread_mutex_lock(&checkpoint->lock);
    checkpoint->failed = true;
    pthread_mutex_unlock(&checkpoint->lock);
    return error_context(err, "storing the checkpoint failed, nothing is lost: make room or mend "
                              "the disk, then start again");
}

bool checkpoint_sync(struct checkpoint *checkpoint, struct error *err)
{
    return store_sync(checkpoint->store, err) || storing_failed(checkpoint, err);
}

bool checkpoint_commit(struct checkpoint_write *write, bool sync, struct error *err)
{
    struct checkpoint *checkpoint = write->checkpoint;
    fault_point("checkpoint.before_commit");
    bool ok = store_commit(checkpoint->store, write->write, sync, err);
    checkpoint_abandon(write);
    if (!ok)
        return storing_failed(checkpoint, err);
    fault_point("checkpoint.after_commit");
    return true;
}
