/* SPDX-License-Identifier: Apache-2.0
 *
 * The data behind charset.c. */
#pragma once

#include "sources/mysql/charset.h"

enum charset_kind {
    CHARSET_UTF8,      /* passes, after a check; ASCII too */
    CHARSET_SINGLE,    /* ASCII, and a table for bytes above 0x7f */
    CHARSET_SEVEN_BIT, /* a table for bytes up to 0x7f: not even ASCII */
    CHARSET_UCS2,
    CHARSET_UTF16,
    CHARSET_UTF16LE,
    CHARSET_UTF32,
    CHARSET_ICONV, /* ASCII, and lead bytes above 0x7f */
};
enum { CHARSET_ICONV_SLOTS = 9 };

/* Codes whose character is not what iconv says: first + i is point + i. */
struct charset_fix {
    uint32_t first;
    uint16_t count, point;
};

struct charset {
    const char *name;
    enum charset_kind kind;
    uint8_t max_bytes;
    const uint16_t *points;
    const char *iconv; /* the set's name for iconv_open */
    uint8_t slot;      /* of the thread's open converters */
    uint8_t fix_count;
    const struct charset_fix *fixes; /* sorted */
};

extern const struct charset charset_list[];
extern const size_t charset_list_count;
extern const struct collation_entry collation_list[];
extern const size_t collation_list_count;
