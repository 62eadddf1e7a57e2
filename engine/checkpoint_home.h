/* SPDX-License-Identifier: Apache-2.0
 *
 * The directory of a checkpoint:
 *   lock       held by the agent that has it, with its pid
 *   epoch      the highest epoch ever given here: it outlives restores and damage
 *   db/        the live records (checkpoint_store.h)
 *   copy-1     a copy of all of them, some minutes old (checkpoint_copy.h)
 *   copy-2     the one before
 *   set-aside/ the live records that were replaced last: damaged, or before a restore */
#pragma once

#include "engine/base/bytes.h"
#include "engine/base/error.h"

enum { HOME_PATH_SIZE = 4200, HOME_COPIES = 2 };

struct home {
    char path[4096];
    int lock; /* descriptor */
};

/* Makes the directory and its parents (mode 0700) and locks it. ERROR_CONFIG with a clear text. */
bool home_open(const char *directory, struct home *home, struct error *err);
void home_close(struct home *home);

/* Was there ever a checkpoint here? Then one that cannot be found is lost, not absent. */
bool home_is_used(const struct home *home);
void home_path(const struct home *home, const char *name, char *out);    /* HOME_PATH_SIZE */
void home_copy_path(const struct home *home, uint32_t index, char *out); /* 1: the newest */

/* 0: none, or not readable. */
uint64_t home_epoch(const struct home *home);
bool home_put_epoch(const struct home *home, uint64_t epoch, struct error *err);

/* An empty place for records that will replace the live ones. */
bool home_begin_new(const struct home *home, char *path, struct error *err);
/* db.new becomes db, in one step for whoever looks after a crash; what was live is set aside. */
bool home_adopt_new(const struct home *home, struct error *err);
/* copy.new (made by the caller) becomes copy-1, and copy-1 becomes copy-2. */
bool home_adopt_copy(const struct home *home, struct error *err);
void home_forget_copies(const struct home *home);
