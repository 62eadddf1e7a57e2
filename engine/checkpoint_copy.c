/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing goes through stdio and is checked at its end; reading first proves the file as a whole,
 * then visits. */
#include "engine/checkpoint_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "engine/base/buf.h"
#include "engine/base/cleanup.h"
#include "engine/base/clock.h"
#include "engine/base/fault.h"
#include "engine/base/reader.h"

#define MAGIC BYTES_LITERAL("MRCOPY1\n")
enum { PATH_SIZE = 4200, PIECE_SIZE = 64 << 10, RECORD_MAX = 512 << 20 };

/* ---- writing ---- */

struct copying {
    FILE *file;
    struct buf piece;
    uLong crc;
    struct copy_facts facts;
};

static void piece_out(struct copying *copying)
{
    struct bytes piece = buf_view(&copying->piece);
    copying->crc = crc32_z(copying->crc, piece.data, piece.size);
    fwrite(piece.data, 1, piece.size, copying->file);
    buf_reset(&copying->piece);
}

static bool copy_record(void *context, struct bytes key, struct bytes value, struct error *err)
{
    struct copying *copying = context;
    buf_sized(&copying->piece, key);
    buf_sized(&copying->piece, value);
    copying->facts.records++;
    copying->facts.sum += store_hash(key, value);
    if (copying->piece.size >= PIECE_SIZE)
        piece_out(copying);
    return !ferror(copying->file) ||
           error_code(err, ERROR_CONFIG, errno, "write: %s", strerror(errno));
}

static bool copy_all(struct copying *copying, struct store *store, struct error *err)
{
    buf_bytes(&copying->piece, MAGIC);
    buf_le(&copying->piece, (uint64_t)copying->facts.time_us, 8);
    if (!store_each(store, copy_record, copying, err))
        return false;
    buf_le(&copying->piece, UINT32_MAX, 4);
    buf_le(&copying->piece, copying->facts.records, 8);
    buf_le(&copying->piece, copying->facts.sum, 8);
    piece_out(copying);
    buf_le(&copying->piece, copying->crc, 4);
    piece_out(copying);
    fault_point("copy.before_sync");
    if (fflush(copying->file) != 0 || fsync(fileno(copying->file)) != 0)
        return error_code(err, ERROR_CONFIG, errno, "write: %s", strerror(errno));
    return true;
}

/* A rename is on disk once its folder is. */
static bool sync_folder(const char *path, struct error *err)
{
    char folder[PATH_SIZE];
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path + 1) : 1,
             slash ? path : ".");
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (!ok)
        error_code(err, ERROR_CONFIG, errno, "sync '%s': %s", folder, strerror(errno));
    if (fd >= 0)
        close(fd);
    return ok;
}

bool copy_write(const char *path, struct store *store, struct copy_facts *facts, struct error *err)
{
    char temporary[PATH_SIZE];
    if (snprintf(temporary, sizeof temporary, "%s.new", path) >= (int)sizeof temporary)
        return error_set(err, ERROR_CONFIG, "'%.200s...': the path is too long", path);
    struct copying copying = { .file = fopen(temporary, "we"),
                               .crc = crc32_z(0, NULL, 0),
                               .facts = { .time_us = clock_wall_us() } };
    if (!copying.file)
        return error_code(err, ERROR_CONFIG, errno, "make '%s': %s", temporary, strerror(errno));
    buf_init(&copying.piece, RECORD_MAX);
    bool ok = copy_all(&copying, store, err);
    buf_done(&copying.piece);
    if (fclose(copying.file) != 0 && ok)
        ok = error_code(err, ERROR_CONFIG, errno, "write: %s", strerror(errno));
    if (ok && rename(temporary, path) != 0)
        ok = error_code(err, ERROR_CONFIG, errno, "rename: %s", strerror(errno));
    if (!ok) {
        unlink(temporary);
        return error_context(err, "'%s'", path);
    }
    fault_point("copy.after_rename");
    *facts = copying.facts;
    return sync_folder(path, err);
}

/* ---- reading ---- */

struct mapping {
    int fd;
    struct bytes whole;
};

static void mapping_done(struct mapping *mapping)
{
    if (mapping->whole.data)
        munmap((void *)(uintptr_t)mapping->whole.data, mapping->whole.size);
    if (mapping->fd >= 0)
        close(mapping->fd);
}

static bool map_file(const char *path, struct mapping *mapping, struct error *err)
{
    struct stat facts;
    mapping->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (mapping->fd < 0 || fstat(mapping->fd, &facts) != 0)
        return error_code(err, ERROR_CONFIG, errno == ENOENT ? STORE_DAMAGED : 0, "open '%s': %s",
                          path, strerror(errno));
    if (!S_ISREG(facts.st_mode) || facts.st_size == 0)
        return error_code(err, ERROR_CONFIG, STORE_DAMAGED, "'%s' is empty or no file", path);
    void *data = mmap(NULL, (size_t)facts.st_size, PROT_READ, MAP_PRIVATE, mapping->fd, 0);
    if (data == MAP_FAILED)
        return error_code(err, ERROR_CONFIG, 0, "read '%s': %s", path, strerror(errno));
    mapping->whole = (struct bytes){ data, (size_t)facts.st_size };
    return true;
}

static bool each_record(struct reader *in, store_visit *visit, void *context,
                        struct copy_facts *facts, struct error *err)
{
    struct copy_facts found = { .time_us = facts->time_us };
    for (;;) {
        struct bytes key = reader_sized(in);
        if (in->failed || !key.data)
            break;
        struct bytes value = reader_sized(in);
        if (in->failed || !value.data)
            return error_code(err, ERROR_CONFIG, STORE_DAMAGED, "it is cut off");
        found.records++;
        found.sum += store_hash(key, value);
        if (visit && !visit(context, key, value, err))
            return false;
    }
    facts->records = reader_le(in, 8);
    facts->sum = reader_le(in, 8);
    return (!in->failed && in->rest.size == 0 && facts->records == found.records &&
            facts->sum == found.sum) ||
           error_code(err, ERROR_CONFIG, STORE_DAMAGED, "it is cut off");
}

bool copy_read(const char *path, store_visit *visit, void *context, struct copy_facts *facts,
               struct error *err)
{
    CLEANUP(mapping_done) struct mapping mapping = { .fd = -1 };
    if (!map_file(path, &mapping, err))
        return false;
    struct bytes whole = mapping.whole;
    size_t size = whole.size < 4 ? 0 : whole.size - 4;
    struct reader tail = reader_of((struct bytes){ whole.data + size, whole.size - size });
    struct reader in = reader_of((struct bytes){ whole.data, size });
    if (!bytes_equal(reader_take(&in, MAGIC.size), MAGIC))
        return error_code(err, ERROR_CONFIG, STORE_DAMAGED, "'%s' is no savepoint of millrace",
                          path);
    if (reader_le(&tail, 4) != crc32_z(0, whole.data, size))
        return error_code(err, ERROR_CONFIG, STORE_DAMAGED, "'%s' is damaged (checksum)", path);
    facts->time_us = (int64_t)reader_le(&in, 8);
    struct reader again = in;
    return (each_record(&in, NULL, NULL, facts, err) &&
            each_record(&again, visit, context, facts, err)) ||
           error_context(err, "'%s'", path);
}
