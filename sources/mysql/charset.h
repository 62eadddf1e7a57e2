/* SPDX-License-Identifier: Apache-2.0
 *
 * MySQL's character sets to UTF-8: latin1 is cp1252 (with its five holes kept as C1 controls), and
 * the rest by iconv under the right name (gbk, gb2312, gb18030, big5, sjis, cp932, ujis, eucjpms,
 * euckr, ucs2, utf16, utf16le, utf32, the ISO and cp ones, koi8r, koi8u, swe7 ...). Bytes that are
 * invalid in the set become U+FFFD and are counted. utf8mb3, utf8mb4, ascii and binary pass as they
 * are (checked: invalid UTF-8 is replaced likewise). */
#pragma once

#include <endian.h>

#include "engine/base/arena.h"

struct charset; /* immutable; shared by threads: conversion state is per thread inside */

/* NULL: not known. Names as MySQL spells them. */
const struct charset *charset_find(struct bytes name);
bool charset_is_plain(const struct charset *charset);      /* no conversion but the check */
uint32_t charset_max_bytes(const struct charset *charset); /* per character */

/* Most texts are nothing else. Short ones are looked at without a loop, by words that overlap.
 * `readable` bytes from `at` on may be loaded. */
static inline bool text_is_ascii(const uint8_t *at, size_t size, size_t readable)
{
    const uint64_t high = 0x8080808080808080u;
    uint64_t seen = 0, word, last;
    if (size < sizeof word && readable >= sizeof word) {
        uint32_t half = 32 - 4 * (uint32_t)size; /* twice: no word is shifted by all of its bits */
        memcpy(&word, at, sizeof word);
        return !(le64toh(word) << half << half & high);
    }
    if (size < sizeof word) {
        for (size_t i = 0; i < size; i++)
            seen |= at[i];
        return !(seen & 0x80);
    }
    const uint8_t *end = at + size - sizeof word;
    for (; at + sizeof word < end; at += 2 * sizeof word) {
        memcpy(&word, at, sizeof word);
        memcpy(&last, at + sizeof word, sizeof last);
        seen |= word | last;
    }
    memcpy(&word, at < end ? at : end, sizeof word);
    memcpy(&last, end, sizeof last);
    return !((seen | word | last) & high);
}

/* How many bytes from the start are valid UTF-8; `size` when all are. */
size_t text_utf8_prefix(const uint8_t *at, size_t size);

/* UTF-8 in the arena, or the input itself when it already is. Counts what was invalid. */
struct bytes charset_decode(const struct charset *charset, struct bytes text, struct arena *arena,
                            uint64_t *replaced);

/* Collation ids to charset names: built in for ids that are the same everywhere (< 256), the rest
 * as the server lists them (information_schema.COLLATIONS and
 * COLLATION_CHARACTER_SET_APPLICABILITY). */
struct collation_entry {
    uint32_t id;
    struct bytes collation, charset;
};
struct collation_table {
    const struct collation_entry *entries;
    size_t count; /* sorted by id */
};
const struct collation_entry *collation_find(const struct collation_table *table, uint32_t id);
