/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON as RFC 8259 writes it, without spaces. Runs of plain bytes are copied whole; only quotes,
 * backslashes, controls and bytes above 0x7f are looked at one by one. */
#include "engine/base/json_write.h"

#include <math.h>
#include <string.h>

#include "engine/base/assert.h"
#include "engine/base/digits.h"
#include "engine/base/shortest.h"

enum { JSON_DEPTH_MAX = 32 };

struct json_writer json_writer_of(struct buf *out) { return (struct json_writer){ .out = out }; }

/* Before each item: the comma that the one before it left due. */
static void json_begin(struct json_writer *json)
{
    if (json->comma[json->depth])
        buf_u8(json->out, ',');
    json->comma[json->depth] = true;
}

static void json_enter(struct json_writer *json, char bracket)
{
    json_begin(json);
    ASSERT(json->depth < JSON_DEPTH_MAX);
    json->comma[++json->depth] = false;
    buf_u8(json->out, (uint8_t)bracket);
}

static void json_leave(struct json_writer *json, char bracket)
{
    ASSERT(json->depth > 0);
    json->depth--;
    buf_u8(json->out, (uint8_t)bracket);
}

void json_object(struct json_writer *json) { json_enter(json, '{'); }
void json_object_end(struct json_writer *json) { json_leave(json, '}'); }
void json_array(struct json_writer *json) { json_enter(json, '['); }
void json_array_end(struct json_writer *json) { json_leave(json, ']'); }

/* The size of the well-formed UTF-8 sequence at the front (RFC 3629, no surrogates, nothing
 * overlong); 0 when there is none, and *skip is then how many bytes one U+FFFD stands for. */
static size_t utf8_size(const uint8_t *text, size_t size, size_t *skip)
{
    uint8_t lead = text[0];
    size_t need = lead >= 0xc2 && lead <= 0xdf   ? 2
                  : lead >= 0xe0 && lead <= 0xef ? 3
                  : lead >= 0xf0 && lead <= 0xf4 ? 4
                                                 : 0;
    *skip = 1;
    if (need == 0)
        return 0;
    uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    for (size_t i = 1; i < need; i++, low = 0x80, high = 0xbf) {
        if (i >= size || text[i] < low || text[i] > high)
            return 0;
        *skip = i + 1;
    }
    return need;
}

static void json_escape(struct buf *out, uint8_t byte)
{
    static const char hex[] = "0123456789abcdef";
    static const char letters[] = { ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f',
                                    ['\r'] = 'r', ['"'] = '"',  ['\\'] = '\\' };
    if (byte < sizeof letters && letters[byte]) {
        buf_put(out, (const char[]){ '\\', letters[byte] }, 2);
        return;
    }
    buf_put(out, (const char[]){ '\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15] }, 6);
}

void json_put_char(struct buf *out, uint8_t character)
{
    if (character >= 0x80)
        buf_put(out,
                (const uint8_t[]){ (uint8_t)(0xc0 | character >> 6),
                                   (uint8_t)(0x80 | (character & 0x3f)) },
                2);
    else if (character < 0x20 || character == '"' || character == '\\')
        json_escape(out, character);
    else
        buf_u8(out, character);
}

/* Bytes at the front that go as they are; eight at once: a byte below 0x20, a quote, a backslash
 * or one above 0x7f sets the high bit of its place in one of the terms. */
static size_t plain_size(const uint8_t *text, const uint8_t *end)
{
    static const uint64_t ONES = UINT64_C(0x0101010101010101), HIGH = UINT64_C(0x8080808080808080);
    const uint8_t *at = text;
    for (; end - at >= 8; at += 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        uint64_t quote = word ^ ONES * '"', slash = word ^ ONES * '\\';
        if (((word - ONES * 0x20) | (quote - ONES) | (slash - ONES) | word) & HIGH)
            break;
    }
    while (at < end && *at >= 0x20 && *at < 0x80 && *at != '"' && *at != '\\')
        at++;
    return (size_t)(at - text);
}

void json_put_text(struct buf *out, struct bytes text)
{
    if (text.size == 0) {
        buf_text(out, "\"\"");
        return;
    }
    const uint8_t *run = text.data, *end = text.data + text.size;
    buf_u8(out, '"');
    for (const uint8_t *p = run + plain_size(run, end); p < end; p += plain_size(p, end)) {
        size_t skip = 1;
        size_t good = *p >= 0x80 ? utf8_size(p, (size_t)(end - p), &skip) : 0;
        if (good) {
            p += good;
            continue;
        }
        buf_put(out, run, (size_t)(p - run));
        if (*p < 0x80)
            json_escape(out, *p);
        else
            buf_text(out, "\xef\xbf\xbd");
        p += skip;
        run = p;
    }
    buf_put(out, run, (size_t)(end - run));
    buf_u8(out, '"');
}

void json_key(struct json_writer *json, struct bytes key)
{
    json_begin(json);
    json_put_text(json->out, key);
    buf_u8(json->out, ':');
    json->comma[json->depth] = false; /* the value follows its key at once */
}

void json_string(struct json_writer *json, struct bytes text)
{
    json_begin(json);
    json_put_text(json->out, text);
}

void json_put_uint(struct buf *out, uint64_t number)
{
    uint8_t *room = buf_reserve(out, DIGITS_MAX);
    if (room)
        out->size = (size_t)(digits_write(room, number, digits_count(number)) - out->data);
}

void json_put_int(struct buf *out, int64_t number)
{
    if (number < 0)
        buf_u8(out, '-');
    json_put_uint(out, number < 0 ? -(uint64_t)number : (uint64_t)number);
}

/* The digits with the point behind the first `whole` of them, of which it may lack some. */
static uint8_t *put_plain(uint8_t *to, uint64_t digits, int count, int whole)
{
    if (whole <= 0) {
        memcpy(to, "0.00", 4); /* the point moves by two places at most */
        return digits_write(to + 2 - whole, digits, count);
    }
    to = digits_write(to, digits, count);
    if (whole >= count) {
        memset(to, '0', (size_t)(whole - count));
        to += whole - count;
        memcpy(to, ".0", 2);
        return to + 2;
    }
    memmove(to - count + whole + 1, to - count + whole, (size_t)(count - whole));
    to[whole - count] = '.';
    return to + 1;
}

static uint8_t *put_power(uint8_t *to, uint64_t digits, int count, int power)
{
    uint8_t *end = digits_write(to + 1, digits, count);
    to[0] = to[1];
    to[1] = '.';
    if (count == 1)
        *end++ = '0';
    *end++ = 'E';
    if (power < 0)
        *end++ = '-';
    unsigned size = (unsigned)(power < 0 ? -power : power);
    return digits_write(end, size, digits_count(size));
}

/* In the form that Java gives numbers, and so all that read and write these formats: "3.0",
 * "0.001", "1.0E7". */
static void put_number(struct buf *out, bool negative, struct shortest number)
{
    enum { PLAIN_FROM = -3, PLAIN_TO = 7, SIZE_MAX_OF_ALL = 40 };
    uint8_t *to = buf_reserve(out, SIZE_MAX_OF_ALL);
    if (!to)
        return;
    if (negative)
        *to++ = '-';
    int count = digits_count(number.digits), power = number.exponent + count - 1;
    if (power >= PLAIN_FROM && power < PLAIN_TO)
        to = put_plain(to, number.digits, count, power + 1);
    else
        to = put_power(to, number.digits, count, power);
    out->size = (size_t)(to - out->data);
}

/* Zero and what is not finite. */
static bool put_special(struct buf *out, double number)
{
    if (isnan(number))
        buf_text(out, "\"NaN\"");
    else if (isinf(number))
        buf_text(out, number < 0 ? "\"-Infinity\"" : "\"Infinity\"");
    else if (number == 0)
        buf_text(out, signbit(number) ? "-0.0" : "0.0");
    else
        return false;
    return true;
}

void json_put_double(struct buf *out, double number)
{
    if (!put_special(out, number))
        put_number(out, number < 0, shortest_double(fabs(number)));
}

void json_put_float(struct buf *out, double number)
{
    if (!put_special(out, number))
        put_number(out, number < 0, shortest_float((float)fabs(number)));
}

void json_int(struct json_writer *json, int64_t number)
{
    json_begin(json);
    json_put_int(json->out, number);
}

void json_uint(struct json_writer *json, uint64_t number)
{
    json_begin(json);
    json_put_uint(json->out, number);
}

void json_double(struct json_writer *json, double number)
{
    json_begin(json);
    json_put_double(json->out, number);
}

void json_bool(struct json_writer *json, bool flag)
{
    json_begin(json);
    buf_text(json->out, flag ? "true" : "false");
}

void json_null(struct json_writer *json)
{
    json_begin(json);
    buf_text(json->out, "null");
}

void json_raw(struct json_writer *json, struct bytes text)
{
    json_begin(json);
    buf_bytes(json->out, text);
}

void json_member_string(struct json_writer *json, const char *key, struct bytes text)
{
    json_key(json, bytes_from(key));
    json_string(json, text);
}

void json_member_int(struct json_writer *json, const char *key, int64_t number)
{
    json_key(json, bytes_from(key));
    json_int(json, number);
}

void json_member_uint(struct json_writer *json, const char *key, uint64_t number)
{
    json_key(json, bytes_from(key));
    json_uint(json, number);
}
