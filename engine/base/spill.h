/* SPDX-License-Identifier: Apache-2.0
 *
 * Records kept in order, to be read back in that order: in memory while they are few, then in a
 * file that has no name, so that nothing is left of it whatever happens. One thread. */
#pragma once

#include "engine/base/buf.h"
#include "engine/base/error.h"

struct spill {
    struct buf memory; /* what is not in the file yet: whole records */
    uint64_t filed;    /* bytes in the file */
    uint64_t at;       /* of the next record to be read */
    uint64_t last;     /* of the one before it */
    uint64_t limit;
    size_t memory_max;
    bool has_file;
    int file;
};

/* Where the files are made, for the whole process: the first call decides, from any thread. Without
 * one they are made where P_tmpdir says. */
void spill_folder(const char *path);

/* At most `memory` bytes stay in memory, and `limit` bytes wait in all. Takes nothing yet. */
void spill_init(struct spill *spill, size_t memory, uint64_t limit);
void spill_done(struct spill *spill); /* takes zeroed ones too */

bool spill_add(struct spill *spill, struct bytes record, struct error *err);

/* The next record into *record, which keeps its memory from call to call; *end: there is none. */
bool spill_next(struct spill *spill, struct buf *record, bool *end, struct error *err);
void spill_back(struct spill *spill); /* the record that spill_next gave comes once more */
