/* SPDX-License-Identifier: Apache-2.0
 *
 * Text of any of the server's character sets to UTF-8. Most of it is ASCII or UTF-8 and is passed
 * on as it lies; single-byte sets go by table; the East Asian sets by iconv, with the few codes on
 * which the server disagrees laid over (charset_tables.c). An iconv descriptor has state, so each
 * thread opens its own, once a set, and closes them when it ends. */
#include "sources/mysql/charset.h"

#include <iconv.h>
#include <pthread.h>

#include "engine/base/assert.h"
#include "sources/mysql/charset_tables.h"

enum { REPLACEMENT = 0xfffd, REPLACEMENT_BYTES = 3 };

/* ---- UTF-8 ---- */

/* Length of the valid sequence at the start of `at`, or 0. Unicode 15, table 3-7. */
static size_t utf8_sequence(const uint8_t *at, size_t size)
{
    uint8_t lead = at[0];
    if (lead < 0x80)
        return 1;
    if (lead < 0xc2 || lead > 0xf4)
        return 0;
    size_t length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (size < length)
        return 0;
    uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return length;
}

size_t text_utf8_prefix(const uint8_t *at, size_t size)
{
    size_t done = 0;
    while (done < size) {
        uint64_t word;
        if (size - done >= sizeof word) {
            memcpy(&word, at + done, sizeof word);
            if (!(word & 0x8080808080808080u)) {
                done += sizeof word;
                continue;
            }
        }
        size_t length = utf8_sequence(at + done, size - done);
        if (!length)
            return done;
        done += length;
    }
    return done;
}

static uint8_t *utf8_put(uint8_t *at, uint32_t point)
{
    if (point < 0x80) {
        *at++ = (uint8_t)point;
    } else if (point < 0x800) {
        *at++ = (uint8_t)(0xc0 | point >> 6);
        *at++ = (uint8_t)(0x80 | (point & 0x3f));
    } else if (point < 0x10000) {
        *at++ = (uint8_t)(0xe0 | point >> 12);
        *at++ = (uint8_t)(0x80 | (point >> 6 & 0x3f));
        *at++ = (uint8_t)(0x80 | (point & 0x3f));
    } else {
        *at++ = (uint8_t)(0xf0 | point >> 18);
        *at++ = (uint8_t)(0x80 | (point >> 12 & 0x3f));
        *at++ = (uint8_t)(0x80 | (point >> 6 & 0x3f));
        *at++ = (uint8_t)(0x80 | (point & 0x3f));
    }
    return at;
}

static size_t utf8_width(uint32_t point)
{
    return point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
}

/* Writes when `at` is there, counts in any case: decoders run twice, so that a text takes from the
 * arena exactly what it needs. */
struct output {
    uint8_t *at;
    size_t size;
    uint64_t replaced;
};

static void output_point(struct output *out, uint32_t point)
{
    if (out->at)
        out->at = utf8_put(out->at, point);
    out->size += utf8_width(point);
    out->replaced += point == REPLACEMENT;
}

static void decode_utf8(struct bytes text, struct output *out)
{
    while (text.size) {
        size_t valid = text_utf8_prefix(text.data, text.size);
        if (out->at) {
            memcpy(out->at, text.data, valid);
            out->at += valid;
        }
        out->size += valid;
        if (valid < text.size)
            output_point(out, REPLACEMENT);
        size_t taken = valid < text.size ? valid + 1 : valid;
        text = (struct bytes){ text.data + taken, text.size - taken };
    }
}

/* ---- sets of one byte, and of wide units ---- */

static void decode_single(const struct charset *charset, struct bytes text, struct output *out)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t code = text.data[i];
        output_point(out, code < 0x80 ? code : charset->points[code - 0x80]);
    }
}

static void decode_seven_bit(const struct charset *charset, struct bytes text, struct output *out)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t code = text.data[i];
        output_point(out, code < 0x80 ? charset->points[code] : REPLACEMENT);
    }
}

static uint32_t unit16(const uint8_t *at, bool little)
{
    return little ? (uint32_t)(at[0] | at[1] << 8) : (uint32_t)(at[0] << 8 | at[1]);
}

static void decode_utf16(const struct charset *charset, struct bytes text, struct output *out)
{
    bool little = charset->kind == CHARSET_UTF16LE, pairs = charset->kind != CHARSET_UCS2;
    size_t i = 0;
    for (; i + 2 <= text.size; i += 2) {
        uint32_t point = unit16(text.data + i, little);
        if (point >= 0xd800 && point < 0xe000) {
            uint32_t low = i + 4 <= text.size ? unit16(text.data + i + 2, little) : 0;
            if (pairs && point < 0xdc00 && low >= 0xdc00 && low < 0xe000) {
                point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
                i += 2;
            } else {
                point = REPLACEMENT;
            }
        }
        output_point(out, point);
    }
    if (i < text.size)
        output_point(out, REPLACEMENT);
}

static void decode_utf32(struct bytes text, struct output *out)
{
    size_t i = 0;
    for (; i + 4 <= text.size; i += 4) {
        const uint8_t *at = text.data + i;
        uint32_t point = (uint32_t)at[0] << 24 | (uint32_t)(at[1] << 16 | at[2] << 8 | at[3]);
        bool valid = point < 0x110000 && (point < 0xd800 || point > 0xdfff);
        output_point(out, valid ? point : REPLACEMENT);
    }
    if (i < text.size)
        output_point(out, REPLACEMENT);
}

/* ---- sets by iconv ---- */

/* iconv_t is a pointer; NULL: not open yet. */
static _Thread_local iconv_t converters[CHARSET_ICONV_SLOTS];
static pthread_key_t converters_key;
static pthread_once_t converters_once = PTHREAD_ONCE_INIT;

static void converters_close(void *all)
{
    iconv_t *open = all;
    for (size_t i = 0; i < CHARSET_ICONV_SLOTS; i++)
        if (open[i])
            iconv_close(open[i]);
}

static void converters_make_key(void)
{
    ASSERT(pthread_key_create(&converters_key, converters_close) == 0);
}

/* NULL when the C library lacks the set: charset_find has then already said so. */
static iconv_t converter_get(const struct charset *charset)
{
    iconv_t *slot = &converters[charset->slot];
    if (*slot)
        return *slot;
    pthread_once(&converters_once, converters_make_key);
    iconv_t opened = iconv_open("UTF-8", charset->iconv);
    if (opened == (iconv_t)-1)
        return NULL;
    pthread_setspecific(converters_key, converters);
    *slot = opened;
    return opened;
}

static void decode_iconv_run(iconv_t converter, struct bytes text, struct output *out)
{
    char *in = (char *)(uintptr_t)text.data;
    size_t left = text.size, room = text.size * REPLACEMENT_BYTES;
    uint8_t *start = out->at;
    while (left) {
        iconv(converter, NULL, NULL, NULL, NULL);
        char *to = (char *)out->at;
        size_t result = iconv(converter, &in, &left, &to, &room);
        out->at = (uint8_t *)to;
        if (result != (size_t)-1 || !left)
            break;
        out->at = utf8_put(out->at, REPLACEMENT);
        out->replaced++;
        room -= REPLACEMENT_BYTES; /* no invalid byte gives more, no character does per byte */
        in++;
        left--;
    }
    out->size += (size_t)(out->at - start);
}

/* Length of the character at `at` by its lead byte, and its code: only for sets with fixes. */
static size_t code_at(const struct charset *charset, const uint8_t *at, size_t size, uint32_t *code)
{
    size_t length = 1;
    if (at[0] >= 0x80)
        length = charset->max_bytes == 3 && at[0] == 0x8f ? 3 : 2;
    if (charset->max_bytes == 2 && charset->iconv[0] == 'S' && at[0] >= 0xa0 && at[0] < 0xe0)
        length = 1; /* half-width katakana of sjis */
    if (charset->max_bytes == 4 && at[0] >= 0x80 && size > 1 && at[1] >= 0x30 && at[1] < 0x3a)
        length = 4;
    length = length > size ? size : length;
    *code = 0;
    for (size_t i = 0; i < length; i++)
        *code = *code << 8 | at[i];
    return length;
}

static bool fix_find(const struct charset *charset, uint32_t code, uint32_t *point)
{
    for (size_t i = 0; i < charset->fix_count; i++) {
        const struct charset_fix *fix = &charset->fixes[i];
        if (code - fix->first < fix->count) {
            *point = fix->point == REPLACEMENT ? REPLACEMENT : fix->point + (code - fix->first);
            return true;
        }
    }
    return false;
}

static void decode_iconv(const struct charset *charset, struct bytes text, struct output *out)
{
    iconv_t converter = converter_get(charset);
    ASSERT(converter);
    size_t start = 0, at = 0;
    while (charset->fix_count && at < text.size) {
        uint32_t code, point;
        size_t length = code_at(charset, text.data + at, text.size - at, &code);
        if (fix_find(charset, code, &point)) {
            decode_iconv_run(converter, (struct bytes){ text.data + start, at - start }, out);
            output_point(out, point);
            start = at + length;
        }
        at += length;
    }
    decode_iconv_run(converter, (struct bytes){ text.data + start, text.size - start }, out);
}

/* ---- the interface ---- */

const struct charset *charset_find(struct bytes name)
{
    if (bytes_is(name, "utf8")) /* as servers called it before 8.0 and 10.6 */
        name = BYTES_LITERAL("utf8mb3");
    for (size_t i = 0; i < charset_list_count; i++) {
        const struct charset *charset = &charset_list[i];
        if (bytes_is(name, charset->name))
            return charset->kind != CHARSET_ICONV || converter_get(charset) ? charset : NULL;
    }
    return NULL;
}

bool charset_is_plain(const struct charset *charset) { return charset->kind == CHARSET_UTF8; }

uint32_t charset_max_bytes(const struct charset *charset) { return charset->max_bytes; }

static void decode(const struct charset *charset, struct bytes text, struct output *out)
{
    switch (charset->kind) {
    case CHARSET_UTF8:
        decode_utf8(text, out);
        break;
    case CHARSET_SINGLE:
        decode_single(charset, text, out);
        break;
    case CHARSET_SEVEN_BIT:
        decode_seven_bit(charset, text, out);
        break;
    case CHARSET_UCS2:
    case CHARSET_UTF16:
    case CHARSET_UTF16LE:
        decode_utf16(charset, text, out);
        break;
    case CHARSET_UTF32:
        decode_utf32(text, out);
        break;
    case CHARSET_ICONV:
        decode_iconv(charset, text, out);
        break;
    }
}

static bool passes_as_it_is(const struct charset *charset, struct bytes text)
{
    if (!text.size)
        return true;
    if (charset->kind == CHARSET_UTF8)
        return text_utf8_prefix(text.data, text.size) == text.size;
    bool ascii_inside = charset->kind == CHARSET_SINGLE || charset->kind == CHARSET_ICONV;
    return ascii_inside && text_is_ascii(text.data, text.size, text.size);
}

struct bytes charset_decode(const struct charset *charset, struct bytes text, struct arena *arena,
                            uint64_t *replaced)
{
    if (passes_as_it_is(charset, text))
        return text;
    struct output out = { 0 };
    uint8_t *data;
    if (charset->kind == CHARSET_ICONV) { /* cannot be counted cheaply: the worst case, trimmed */
        data = out.at = arena_raw(arena, text.size * REPLACEMENT_BYTES);
        decode(charset, text, &out);
        arena_trim(arena, data + text.size * REPLACEMENT_BYTES, out.at);
    } else {
        struct output counted = { 0 };
        decode(charset, text, &counted);
        data = out.at = arena_raw(arena, counted.size);
        decode(charset, text, &out);
    }
    *replaced += out.replaced;
    return (struct bytes){ data, out.size };
}

static const struct collation_entry *entry_search(const struct collation_entry *entries,
                                                  size_t count, uint32_t id)
{
    size_t low = 0;
    while (count > 0) {
        size_t half = count / 2;
        if (entries[low + half].id < id) {
            low += half + 1;
            count -= half + 1;
        } else {
            count = half;
        }
    }
    return &entries[low];
}

const struct collation_entry *collation_find(const struct collation_table *table, uint32_t id)
{
    const struct collation_entry *found;
    if (table && table->count) {
        found = entry_search(table->entries, table->count, id);
        if (found < table->entries + table->count && found->id == id)
            return found;
    }
    found = entry_search(collation_list, collation_list_count, id);
    return found < collation_list + collation_list_count && found->id == id ? found : NULL;
}
