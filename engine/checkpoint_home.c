/* SPDX-License-Identifier: Apache-2.0
 *
 * Files and folders of a checkpoint. Every change of names is safe at any moment: a crash leaves
 * the old, the new, or a `db` that is missing beside copies that are not, which counts as damage
 * and is mended from them. */
#include "engine/checkpoint_home.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/buf.h"
#include "engine/base/cleanup.h"
#include "engine/base/fault.h"
#include "engine/base/reader.h"

static bool system_error(struct error *err, const char *what, const char *path)
{
    return error_code(err, ERROR_CONFIG, 0, "%s '%s': %s", what, path, strerror(errno));
}

/* ---- the directory and its lock ---- */

static bool make_directories(const char *path, struct error *err)
{
    char part[4096];
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof part)
        return error_set(err, ERROR_CONFIG, "the path is empty or too long");
    memcpy(part, path, length + 1);
    for (size_t i = 1; i <= length; i++) {
        if (part[i] != '/' && part[i] != '\0')
            continue;
        char kept = part[i];
        part[i] = '\0';
        if (mkdir(part, 0700) != 0 && errno != EEXIST)
            return system_error(err, "make", part);
        part[i] = kept;
    }
    if (access(path, R_OK | W_OK | X_OK) != 0)
        return system_error(err, "use", path);
    return true;
}

static bool is_locked(struct home *home, struct error *err)
{
    char text[32] = "";
    ssize_t size = pread(home->lock, text, sizeof text - 1, 0);
    return error_set(err, ERROR_CONFIG,
                     "checkpoint '%s' is in use by another agent (pid %ld): stop it, or give this "
                     "pipeline a checkpoint.directory of its own",
                     home->path, size > 0 ? strtol(text, NULL, 10) : 0);
}

static bool take_lock(struct home *home, struct error *err)
{
    char path[HOME_PATH_SIZE], text[32];
    home_path(home, "lock", path);
    home->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (home->lock < 0)
        return system_error(err, "make", path);
    if (flock(home->lock, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK ? is_locked(home, err) : system_error(err, "lock", path);
    int size = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    /* For people and messages only: a full disk must not stop us here. */
    if (ftruncate(home->lock, 0) == 0 && pwrite(home->lock, text, (size_t)size, 0) != size)
        errno = 0;
    return true;
}

bool home_open(const char *directory, struct home *home, struct error *err)
{
    *home = (struct home){ .lock = -1 };
    if (!make_directories(directory, err))
        return error_context(err, "checkpoint.directory");
    snprintf(home->path, sizeof home->path, "%s", directory);
    if (take_lock(home, err))
        return true;
    home_close(home);
    return false;
}

void home_close(struct home *home)
{
    if (home->lock >= 0)
        close(home->lock);
    home->lock = -1;
}

void home_path(const struct home *home, const char *name, char *out)
{
    snprintf(out, HOME_PATH_SIZE, "%s/%s", home->path, name);
}

void home_copy_path(const struct home *home, uint32_t index, char *out)
{
    snprintf(out, HOME_PATH_SIZE, "%s/copy-%u", home->path, index);
}

static bool has(const struct home *home, const char *name)
{
    char path[HOME_PATH_SIZE];
    struct stat facts;
    home_path(home, name, path);
    return stat(path, &facts) == 0;
}

bool home_is_used(const struct home *home)
{
    return has(home, "epoch") || has(home, "copy-1") || has(home, "copy-2") ||
           has(home, "set-aside");
}

static bool sync_home(const struct home *home, struct error *err)
{
    int fd = open(home->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (!ok)
        system_error(err, "sync", home->path);
    if (fd >= 0)
        close(fd);
    return ok;
}

/* ---- the epoch: u64 and its complement ---- */

uint64_t home_epoch(const struct home *home)
{
    char path[HOME_PATH_SIZE];
    uint8_t raw[16];
    home_path(home, "epoch", path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd >= 0 ? read(fd, raw, sizeof raw) : -1;
    if (fd >= 0)
        close(fd);
    if (size != sizeof raw)
        return 0;
    struct reader in = reader_of((struct bytes){ raw, sizeof raw });
    uint64_t epoch = reader_le(&in, 8);
    return reader_le(&in, 8) == ~epoch ? epoch : 0;
}

static bool write_whole(const char *path, struct bytes text, struct error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && write(fd, text.data, text.size) == (ssize_t)text.size && fsync(fd) == 0;
    if (!ok)
        system_error(err, "write", path);
    if (fd >= 0)
        close(fd);
    return ok;
}

bool home_put_epoch(const struct home *home, uint64_t epoch, struct error *err)
{
    char temporary[HOME_PATH_SIZE], path[HOME_PATH_SIZE];
    CLEANUP(buf_done) struct buf raw;
    buf_init(&raw, 16);
    buf_le(&raw, epoch, 8);
    buf_le(&raw, ~epoch, 8);
    home_path(home, "epoch.new", temporary);
    home_path(home, "epoch", path);
    if (!write_whole(temporary, buf_view(&raw), err))
        return false;
    fault_point("home.before_epoch");
    if (rename(temporary, path) != 0)
        return system_error(err, "rename", temporary);
    return sync_home(home, err);
}

/* ---- replacing ---- */

/* RocksDB's folders have no folders inside. */
static bool remove_folder(const char *path, struct error *err)
{
    DIR *folder = opendir(path);
    if (!folder)
        return errno == ENOENT || system_error(err, "open", path);
    bool ok = true;
    for (struct dirent *entry; ok && (entry = readdir(folder));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            unlinkat(dirfd(folder), entry->d_name, 0) != 0)
            ok = system_error(err, "remove", entry->d_name);
    closedir(folder);
    return ok && (rmdir(path) == 0 || system_error(err, "remove", path));
}

bool home_begin_new(const struct home *home, char *path, struct error *err)
{
    home_path(home, "db.new", path);
    return remove_folder(path, err);
}

bool home_adopt_new(const struct home *home, struct error *err)
{
    char made[HOME_PATH_SIZE], live[HOME_PATH_SIZE], aside[HOME_PATH_SIZE];
    home_path(home, "db.new", made);
    home_path(home, "db", live);
    home_path(home, "set-aside", aside);
    if (!remove_folder(aside, err))
        return false;
    fault_point("home.before_set_aside");
    if (rename(live, aside) != 0 && errno != ENOENT)
        return system_error(err, "set aside", live);
    fault_point("home.between_set_aside_and_adopt");
    if (rename(made, live) != 0)
        return system_error(err, "rename", made);
    fault_point("home.after_adopt");
    return sync_home(home, err);
}

bool home_adopt_copy(const struct home *home, struct error *err)
{
    char made[HOME_PATH_SIZE], first[HOME_PATH_SIZE], second[HOME_PATH_SIZE];
    home_path(home, "copy.new", made);
    home_copy_path(home, 1, first);
    home_copy_path(home, 2, second);
    if (rename(first, second) != 0 && errno != ENOENT)
        return system_error(err, "rename", first);
    fault_point("home.between_copies");
    if (rename(made, first) != 0)
        return system_error(err, "rename", made);
    return sync_home(home, err);
}

void home_forget_copies(const struct home *home)
{
    char path[HOME_PATH_SIZE];
    for (uint32_t i = 1; i <= HOME_COPIES; i++) {
        home_copy_path(home, i, path);
        unlink(path);
    }
}
