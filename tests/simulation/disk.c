/* SPDX-License-Identifier: Apache-2.0
 *
 * The checkpoint behind its own interface, with the real records, on a disk of memory. A commit is
 * whole or not there. A kill loses nothing that was committed; a power cut may lose what came after
 * the last synced commit, newest first. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/assert.h"
#include "engine/checkpoint_record.h"
#include "sim.h"

enum { ENTRIES_MAX = 600, OPERATIONS_MAX = 4000 };

struct entry {
    struct bytes key, value;
};
struct operation {
    struct bytes key, value;
    bool prefix, removal, last;
}; /* last: ends a commit */
struct shelf {
    struct entry entries[ENTRIES_MAX];
    uint32_t count;
};

static struct {
    struct shelf now, synced;
    struct shelf kept; /* a copy that was made while the agent ran */
    bool went_back;
    struct operation operations[OPERATIONS_MAX]; /* since the last sync */
    uint32_t operation_count;
    uint64_t epoch;
} disk;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

struct checkpoint {
    int unused;
};
struct checkpoint_write {
    struct operation operations[300];
    uint32_t count;
};

static struct bytes keep(struct bytes view)
{
    uint8_t *copy = kept_alloc(view.size + 1);
    memcpy(copy, view.data, view.size);
    return (struct bytes){ copy, view.size };
}

static void drop(struct bytes view) { kept_free((void *)(uintptr_t)view.data); }

static void shelf_empty(struct shelf *shelf)
{
    for (uint32_t i = 0; i < shelf->count; i++) {
        drop(shelf->entries[i].key);
        drop(shelf->entries[i].value);
    }
    shelf->count = 0;
}

static void operations_empty(void)
{
    for (uint32_t i = 0; i < disk.operation_count; i++) {
        drop(disk.operations[i].key);
        drop(disk.operations[i].value);
    }
    disk.operation_count = 0;
}

static void shelf_copy(struct shelf *to, const struct shelf *from)
{
    shelf_empty(to);
    for (uint32_t i = 0; i < from->count; i++)
        to->entries[i] = (struct entry){ keep(from->entries[i].key), keep(from->entries[i].value) };
    to->count = from->count;
}

void disk_begin(void)
{
    shelf_empty(&disk.now);
    shelf_empty(&disk.synced);
    shelf_empty(&disk.kept);
    disk.went_back = false;
    operations_empty();
    disk.epoch = 1;
}

static void shelf_remove(struct shelf *shelf, struct bytes key, bool prefix)
{
    for (uint32_t i = shelf->count; i-- > 0;) {
        struct entry *entry = &shelf->entries[i];
        if (entry->key.size < key.size || memcmp(entry->key.data, key.data, key.size) != 0 ||
            (!prefix && entry->key.size != key.size))
            continue;
        drop(entry->key);
        drop(entry->value);
        *entry = shelf->entries[--shelf->count];
    }
}

static void shelf_apply(struct shelf *shelf, const struct operation *operation)
{
    shelf_remove(shelf, operation->key, operation->prefix);
    if (operation->removal)
        return;
    ASSERT(shelf->count < ENTRIES_MAX);
    shelf->entries[shelf->count++] = (struct entry){ keep(operation->key), keep(operation->value) };
}

void disk_cut_power(struct chance *chance)
{
    uint32_t commits = 0, kept = 0;
    for (uint32_t i = 0; i < disk.operation_count; i++)
        commits += disk.operations[i].last;
    uint32_t keeps = chance_below(chance, commits + 1);
    for (uint32_t i = 0; i < disk.operation_count && kept < keeps; i++) {
        shelf_apply(&disk.synced, &disk.operations[i]);
        kept += disk.operations[i].last;
    }
    operations_empty();
    shelf_copy(&disk.now, &disk.synced);
}

void disk_keep(void) { shelf_copy(&disk.kept, &disk.now); }

bool disk_go_back(uint64_t *mark)
{
    struct checkpoint_image image = { 0 };
    struct record_loader loader = { .image = &image };
    struct error err;
    for (uint32_t i = 0; i < disk.kept.count; i++)
        if (!record_load(&loader, disk.kept.entries[i].key, disk.kept.entries[i].value, &err))
            abort();
    record_loader_done(&loader);
    bool begun = image.position.token.data != NULL;
    *mark = image.position.mark;
    checkpoint_image_done(&image);
    if (!begun)
        return false;
    operations_empty();
    shelf_copy(&disk.now, &disk.kept);
    shelf_copy(&disk.synced, &disk.kept);
    disk.went_back = true;
    return true;
}

/* ---- the interface ---- */

const char *table_state_name(enum table_state state)
{
    (void)state;
    return "some";
}

static int entry_order(const void *a, const void *b)
{
    return bytes_compare(((const struct entry *)a)->key, ((const struct entry *)b)->key);
}

/* As the real one does: marks that were never given, and readings that begin anew. */
static void began_older(struct checkpoint_image *image)
{
    struct error err;
    struct checkpoint_write *write = checkpoint_begin(NULL);
    checkpoint_put_older(write, image);
    image->chunk_mark = mark_make(0, MARK_CHUNK_FIRST + (uint32_t)disk.epoch * 65536 % 983040);
    checkpoint_commit(write, true, &err);
}

bool checkpoint_open(const char *directory, struct bytes identity, struct checkpoint **out,
                     struct checkpoint_image *image, struct error *err)
{
    (void)directory, (void)identity;
    static struct checkpoint only;
    *image = (struct checkpoint_image){ 0 };
    struct record_loader loader = { .image = image };
    bool ok = true;
    qsort(disk.now.entries, disk.now.count, sizeof(struct entry), entry_order);
    for (uint32_t i = 0; ok && i < disk.now.count; i++)
        ok = record_load(&loader, disk.now.entries[i].key, disk.now.entries[i].value, err);
    record_loader_done(&loader);
    image->fresh = !image->position.token.data;
    image->epoch = ++disk.epoch;
    if (disk.went_back || image->older)
        began_older(image);
    disk.went_back = false;
    *out = &only;
    return ok;
}

const struct table_record *checkpoint_record_of(const struct checkpoint_image *image,
                                                uint32_t table_id)
{
    for (size_t i = 0; i < image->record_count; i++)
        if (image->records[i].table_id == table_id)
            return &image->records[i];
    return NULL;
}

bool checkpoint_restore(const char *directory, struct bytes identity, const char *savepoint,
                        bool *done, struct error *err)
{
    (void)directory, (void)identity, (void)savepoint, (void)done;
    return error_set(err, ERROR_CONFIG, "this disk has no savepoints");
}

bool checkpoint_is_there(const char *directory)
{
    (void)directory;
    return disk.now.count > 0;
}

bool checkpoint_peek(const char *directory, struct checkpoint_image *image, struct error *err)
{
    (void)directory, (void)image;
    return error_set(err, ERROR_CONFIG, "nobody looks at this disk");
}

bool checkpoint_discard(const char *directory, struct bytes identity, struct error *err)
{
    (void)directory, (void)identity, (void)err;
    disk_begin();
    return true;
}

void checkpoint_image_done(struct checkpoint_image *image) { arena_done(&image->arena); }
void checkpoint_close(struct checkpoint *checkpoint) { (void)checkpoint; }

struct checkpoint_write *checkpoint_begin(struct checkpoint *checkpoint)
{
    (void)checkpoint;
    return calloc(1, sizeof(struct checkpoint_write));
}

/* What is not committed yet is the agent's, and goes with it. */
static struct bytes own(struct bytes view)
{
    uint8_t *copy = malloc(view.size + 1);
    memcpy(copy, view.data, view.size);
    return (struct bytes){ copy, view.size };
}

static struct operation *operation_add(struct checkpoint_write *write, struct bytes key)
{
    ASSERT(write->count < ARRAY_SIZE(write->operations));
    struct operation *operation = &write->operations[write->count++];
    *operation = (struct operation){ .key = own(key) };
    return operation;
}

void checkpoint_write_put(struct checkpoint_write *write, struct bytes key, struct bytes sealed)
{
    operation_add(write, key)->value = own(sealed);
}

void checkpoint_write_remove(struct checkpoint_write *write, struct bytes key, bool prefix)
{
    struct operation *operation = operation_add(write, key);
    operation->removal = true;
    operation->prefix = prefix;
}

void checkpoint_abandon(struct checkpoint_write *write)
{
    for (uint32_t i = 0; i < write->count; i++) {
        free((void *)(uintptr_t)write->operations[i].key.data);
        free((void *)(uintptr_t)write->operations[i].value.data);
    }
    free(write);
}

static void sync_now(void)
{
    for (uint32_t i = 0; i < disk.operation_count; i++)
        shelf_apply(&disk.synced, &disk.operations[i]);
    operations_empty();
}

bool checkpoint_commit(struct checkpoint_write *write, bool sync, struct error *err)
{
    (void)err;
    pthread_mutex_lock(&lock);
    if (disk.operation_count + write->count > OPERATIONS_MAX)
        sync_now();
    for (uint32_t i = 0; i < write->count; i++) {
        struct operation operation = write->operations[i];
        operation.last = i + 1 == write->count;
        shelf_apply(&disk.now, &operation);
        operation.key = keep(operation.key);
        operation.value = operation.value.data ? keep(operation.value) : operation.value;
        disk.operations[disk.operation_count++] = operation;
    }
    if (sync)
        sync_now();
    pthread_mutex_unlock(&lock);
    checkpoint_abandon(write);
    return true;
}

bool checkpoint_sync(struct checkpoint *checkpoint, struct error *err)
{
    (void)checkpoint, (void)err;
    pthread_mutex_lock(&lock);
    sync_now();
    pthread_mutex_unlock(&lock);
    return true;
}
