/* SPDX-License-Identifier: Apache-2.0
 *
 * The key-value store beneath the checkpoint: RocksDB, and a checksum over its whole contents.
 *
 * Each commit is one atomic record, and with it goes the new sum of all records (kept under the key
 * "sum"). A store whose contents do not add up to its sum was never committed in that form: a file
 * of it is missing or stale, and nothing of it is believed. A store that adds up is exactly what it
 * was after some commit, the newest one or, when the end of its log was lost, an earlier one. */
#pragma once

#include "engine/base/bytes.h"
#include "engine/base/error.h"

struct store;
struct store_write;

enum store_mode { STORE_OPEN, STORE_CREATE, STORE_LOOK /* beside the process that has it */ };

/* ERROR_CONFIG in any case. err->code is STORE_DAMAGED when the files themselves are to blame, and
 * not the disk, the rights or another process. */
enum { STORE_DAMAGED = 1 };
bool store_open(const char *path, enum store_mode mode, struct store **out, struct error *err);
void store_close(struct store *store);       /* NULL is fine */
uint64_t store_commits(struct store *store); /* since it was opened; any thread */

/* All records as of one moment, in the order of their keys; the sum is proven at the end. Stops
 * when visit returns false. */
typedef bool store_visit(void *context, struct bytes key, struct bytes value, struct error *err);
bool store_each(struct store *store, store_visit *visit, void *context, struct error *err);

/* A sum of records: independent of their order. */
uint64_t store_hash(struct bytes key, struct bytes value);

/* Copies what it is given. In the order of the calls: a prefix that is removed and then put is
 * there. */
struct store_write *store_begin(void);
void store_put(struct store_write *write, struct bytes key, struct bytes value);
void store_remove(struct store_write *write, struct bytes key);
void store_remove_prefix(struct store_write *write, struct bytes prefix);
void store_abandon(struct store_write *write);
/* Any thread; does not free the write. sync: on disk when it returns, with all commits before it.
 */
bool store_commit(struct store *store, const struct store_write *write, bool sync,
                  struct error *err);
/* Puts all that was committed on disk. Any thread. */
bool store_sync(struct store *store, struct error *err);
