/* SPDX-License-Identifier: Apache-2.0
 *
 * Sets of GTIDs of both flavours. MySQL: source uuid, optional tag, intervals of numbers (text form
 * "uuid:1-5:7,uuid:tag:1"; holes are normal). MariaDB: the last one of each domain
 * ("0-1-77,1-2-9"), where everything of that domain up to its sequence number is inside. */
#pragma once

#include "engine/base/arena.h"
#include "engine/base/buf.h"
#include "engine/base/error.h"

enum { GTID_TAG_MAX = 32 };

struct gtid {
    bool mariadb;
    uint8_t uuid[16];
    char tag[GTID_TAG_MAX + 1];
    uint64_t number; /* MySQL's gno, MariaDB's sequence number */
    uint32_t domain, server;
};

struct gtid_interval {
    uint64_t first, last;
};
struct gtid_source {
    struct gtid id;                  /* without a number */
    struct gtid_interval *intervals; /* sorted, apart; MariaDB: one, its `last` counts */
    uint32_t count;
    size_t capacity;
};
struct gtid_set {
    struct gtid_source *sources; /* malloc'd */
    uint32_t count;
    size_t capacity;
};

/* A zeroed set is empty. */
void gtid_set_done(struct gtid_set *set);
/* Adds what a text names; blanks and newlines between parts are fine. ERROR_CONFIG names the
 * part. */
bool gtid_set_parse(struct gtid_set *set, struct bytes text, struct error *err);
void gtid_set_add(struct gtid_set *set, const struct gtid *gtid);
bool gtid_set_has(const struct gtid_set *set, const struct gtid *gtid);
/* Is every GTID of `part` in `whole`? */
bool gtid_set_covers(const struct gtid_set *whole, const struct gtid_set *part);
void gtid_set_text(const struct gtid_set *set, struct buf *out);
void gtid_text(const struct gtid *gtid, struct buf *out);
/* The form of COM_BINLOG_DUMP_GTID: u64 count of sources, each: uuid, u64 intervals, u64 first, u64
 * behind the last. With a tag anywhere (MySQL 8.3+): u8 1, u48 count, u8 1, and after each uuid a
 * one-bit-shifted length and the tag. */
void gtid_set_encode(const struct gtid_set *set, struct buf *out);
