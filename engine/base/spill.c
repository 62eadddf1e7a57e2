/* SPDX-License-Identifier: Apache-2.0
 *
 *   record := u32 size, bytes; never cut between the file and the memory */
#include "engine/base/spill.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/reader.h"

enum { HEAD = 4, FOLDER_MAX = 4096 };

static pthread_mutex_t folder_lock = PTHREAD_MUTEX_INITIALIZER;
static bool folder_chosen; /* never changes again */
static char folder[FOLDER_MAX] = P_tmpdir;

void spill_folder(const char *path)
{
    pthread_mutex_lock(&folder_lock);
    if (!folder_chosen)
        snprintf(folder, sizeof folder, "%s", path);
    folder_chosen = true;
    pthread_mutex_unlock(&folder_lock);
}

void spill_init(struct spill *spill, size_t memory, uint64_t limit)
{
    *spill = (struct spill){ .limit = limit, .memory_max = memory < HEAD ? HEAD : memory };
    buf_init(&spill->memory, spill->memory_max);
}

void spill_done(struct spill *spill)
{
    if (spill->has_file)
        close(spill->file);
    buf_done(&spill->memory);
    *spill = (struct spill){ 0 };
}

static bool failed(struct error *err, const char *what)
{
    return error_code(err, ERROR_CONFIG, errno, "%s a file for what must wait, in '%s': %s", what,
                      folder, strerror(errno));
}

/* Not every file system knows files without a name. */
static int open_nameless(void)
{
    int file = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (file >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
        return file;
    char path[FOLDER_MAX + 32];
    snprintf(path, sizeof path, "%s/waiting-XXXXXX", folder);
    file = mkostemp(path, O_CLOEXEC);
    if (file >= 0)
        unlink(path);
    return file;
}

static bool write_out(struct spill *spill, struct bytes data, struct error *err)
{
    if (!spill->has_file && (spill->file = open_nameless()) < 0)
        return failed(err, "making");
    spill->has_file = true;
    while (data.size > 0) {
        ssize_t written = pwrite(spill->file, data.data, data.size, (off_t)spill->filed);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return failed(err, "writing");
        data = (struct bytes){ data.data + written, data.size - (size_t)written };
        spill->filed += (uint64_t)written;
    }
    return true;
}

bool spill_add(struct spill *spill, struct bytes record, struct error *err)
{
    if (record.size > UINT32_MAX ||
        spill->filed + spill->memory.size + HEAD + record.size > spill->limit)
        return error_set(err, ERROR_CONFIG, "more than %llu bytes would have to wait",
                         (unsigned long long)spill->limit);
    if (spill->memory.size + HEAD + record.size <= spill->memory_max) {
        buf_sized(&spill->memory, record);
        return true;
    }
    if (!write_out(spill, buf_view(&spill->memory), err))
        return false;
    buf_reset(&spill->memory);
    buf_le(&spill->memory, record.size, HEAD);
    if (HEAD + record.size <= spill->memory_max) {
        buf_bytes(&spill->memory, record);
        return true;
    }
    bool ok = write_out(spill, buf_view(&spill->memory), err) && write_out(spill, record, err);
    buf_reset(&spill->memory);
    return ok;
}

static bool read_at(const struct spill *spill, uint64_t at, uint8_t *out, size_t size,
                    struct error *err)
{
    if (at >= spill->filed) {
        memcpy(out, spill->memory.data + (at - spill->filed), size);
        return true;
    }
    while (size > 0) {
        ssize_t got = pread(spill->file, out, size, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            errno = got == 0 ? EIO : errno;
            return failed(err, "reading");
        }
        out += got;
        size -= (size_t)got;
        at += (uint64_t)got;
    }
    return true;
}

bool spill_next(struct spill *spill, struct buf *record, bool *end, struct error *err)
{
    *end = spill->at == spill->filed + spill->memory.size;
    if (*end)
        return true;
    uint8_t head[HEAD];
    if (!read_at(spill, spill->at, head, HEAD, err))
        return false;
    struct reader in = reader_of((struct bytes){ head, HEAD });
    size_t size = (size_t)reader_le(&in, HEAD);
    buf_reset(record);
    uint8_t *room = buf_reserve(record, size + 1);
    if (!room)
        return error_set(err, ERROR_CONFIG, "no memory for what has waited");
    if (!read_at(spill, spill->at + HEAD, room, size, err))
        return false;
    record->size = size;
    spill->last = spill->at;
    spill->at += HEAD + size;
    return true;
}

void spill_back(struct spill *spill) { spill->at = spill->last; }
