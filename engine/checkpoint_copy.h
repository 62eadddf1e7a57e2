/* SPDX-License-Identifier: Apache-2.0
 *
 * A whole checkpoint in one file: the older generations, and savepoints. Layout: "MRCOPY1\n", time
 * of its making (u64, microseconds), then each record as sized key and sized value, and behind
 * UINT32_MAX the count and the sum of the records and the CRC-32 of all before it. It shares no
 * block of the disk with the live files, so what damages one leaves the other. */
#pragma once

#include "engine/checkpoint_store.h"

struct copy_facts {
    int64_t time_us;       /* when it was made */
    uint64_t records, sum; /* together they name its contents */
};

/* Under a temporary name until it is whole and on disk; a file of that name is replaced. */
bool copy_write(const char *path, struct store *store, struct copy_facts *facts, struct error *err);
/* ERROR_CONFIG, with the code STORE_DAMAGED when it is missing or not whole: nothing was
 * visited then. */
bool copy_read(const char *path, store_visit *visit, void *context, struct copy_facts *facts,
               struct error *err);
