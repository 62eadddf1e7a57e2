/* SPDX-License-Identifier: Apache-2.0
 *
 * GTID sets: parsing, adding, containment, printing. */
#include "sources/mysql/gtid_set.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/base/memory.h"
#include "engine/base/parse.h"

void gtid_set_done(struct gtid_set *set)
{
    for (uint32_t i = 0; i < set->count; i++)
        free(set->sources[i].intervals);
    free(set->sources);
    *set = (struct gtid_set){ 0 };
}

static bool same_source(const struct gtid *a, const struct gtid *b)
{
    if (a->mariadb != b->mariadb)
        return false;
    if (a->mariadb)
        return a->domain == b->domain;
    return memcmp(a->uuid, b->uuid, sizeof a->uuid) == 0 && strcmp(a->tag, b->tag) == 0;
}

static struct gtid_source *find_source(const struct gtid_set *set, const struct gtid *gtid)
{
    for (uint32_t i = 0; i < set->count; i++)
        if (same_source(&set->sources[i].id, gtid))
            return &set->sources[i];
    return NULL;
}

static struct gtid_source *make_source(struct gtid_set *set, const struct gtid *gtid)
{
    struct gtid_source *source = find_source(set, gtid);
    if (source)
        return source;
    set->sources = memory_grow(set->sources, set->count, &set->capacity, sizeof *set->sources);
    source = &set->sources[set->count++];
    *source = (struct gtid_source){ .id = *gtid };
    source->id.number = 0;
    return source;
}

static void insert_interval(struct gtid_source *source, uint32_t at, struct gtid_interval interval)
{
    source->intervals =
        memory_grow(source->intervals, source->count, &source->capacity, sizeof *source->intervals);
    memmove(source->intervals + at + 1, source->intervals + at,
            (source->count - at) * sizeof *source->intervals);
    source->intervals[at] = interval;
    source->count++;
}

static void add_interval(struct gtid_source *source, uint64_t first, uint64_t last)
{
    uint32_t at = source->count;
    while (at > 0 && source->intervals[at - 1].first > first)
        at--;
    insert_interval(source, at, (struct gtid_interval){ first, last });
    uint32_t kept = at > 0 ? at - 1 : 0; /* join it with its neighbours */
    for (uint32_t i = kept + 1; i < source->count; i++) {
        struct gtid_interval *left = &source->intervals[kept], *right = &source->intervals[i];
        if (right->first <= left->last + 1)
            left->last = right->last > left->last ? right->last : left->last;
        else
            source->intervals[++kept] = *right;
    }
    source->count = kept + 1;
}

void gtid_set_add(struct gtid_set *set, const struct gtid *gtid)
{
    struct gtid_source *source = make_source(set, gtid);
    if (gtid->mariadb) {
        source->id.server = gtid->server;
        source->count = 0;
        insert_interval(source, 0, (struct gtid_interval){ 1, gtid->number });
        return;
    }
    struct gtid_interval *newest = source->count ? &source->intervals[source->count - 1] : NULL;
    if (newest && gtid->number == newest->last + 1)
        newest->last++;
    else
        add_interval(source, gtid->number, gtid->number);
}

static bool source_has(const struct gtid_source *source, uint64_t first, uint64_t last)
{
    for (uint32_t i = source->count; i > 0; i--)
        if (source->intervals[i - 1].first <= first)
            return source->intervals[i - 1].last >= last;
    return false;
}

bool gtid_set_has(const struct gtid_set *set, const struct gtid *gtid)
{
    const struct gtid_source *source = find_source(set, gtid);
    return source && source_has(source, gtid->number, gtid->number);
}

bool gtid_set_covers(const struct gtid_set *whole, const struct gtid_set *part)
{
    for (uint32_t i = 0; i < part->count; i++) {
        const struct gtid_source *source = find_source(whole, &part->sources[i].id);
        for (uint32_t j = 0; j < part->sources[i].count; j++)
            if (!source || !source_has(source, part->sources[i].intervals[j].first,
                                       part->sources[i].intervals[j].last))
                return false;
    }
    return true;
}

/* ---- text ---- */

static bool is_blank(uint8_t c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

static struct bytes trim(struct bytes text)
{
    while (text.size && is_blank(text.data[0]))
        text = (struct bytes){ text.data + 1, text.size - 1 };
    while (text.size && is_blank(text.data[text.size - 1]))
        text.size--;
    return text;
}

/* Cuts `rest` at the separator and gives what stands before it. */
static struct bytes cut(struct bytes *rest, char separator)
{
    const uint8_t *end = rest->size ? memchr(rest->data, separator, rest->size) : NULL;
    struct bytes part = { rest->data, end ? (size_t)(end - rest->data) : rest->size };
    size_t used = end ? part.size + 1 : part.size;
    *rest = (struct bytes){ rest->data + used, rest->size - used };
    return trim(part);
}

static bool parse_number(struct bytes text, uint64_t *out)
{
    uint64_t number = 0;
    if (text.size == 0 || text.size > 19)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        number = number * 10 + (uint64_t)(text.data[i] - '0');
    }
    *out = number;
    return true;
}

static bool parse_uuid(struct bytes text, uint8_t uuid[16])
{
    size_t digits = 0;
    for (size_t i = 0; i < text.size; i++) {
        int digit = parse_hex_digit(text.data[i]);
        if (digit < 0 && text.data[i] == '-')
            continue;
        if (digit < 0 || digits == 32)
            return false;
        uuid[digits / 2] = (uint8_t)(digits % 2 ? uuid[digits / 2] | digit : digit << 4);
        digits++;
    }
    return digits == 32;
}

static bool parse_interval(struct bytes text, uint64_t *first, uint64_t *last)
{
    struct bytes rest = text, low = cut(&rest, '-');
    bool single = low.size == trim(text).size;
    return parse_number(low, first) &&
           (single ? (*last = *first, true) : parse_number(trim(rest), last)) && *first > 0 &&
           *last >= *first;
}

static bool parse_mysql(struct gtid_set *set, struct bytes part)
{
    struct gtid gtid = { 0 };
    if (!parse_uuid(cut(&part, ':'), gtid.uuid))
        return false;
    bool some = false;
    while (part.size > 0) {
        struct bytes piece = cut(&part, ':');
        uint64_t first, last;
        if (parse_interval(piece, &first, &last)) {
            add_interval(make_source(set, &gtid), first, last);
            some = true;
        } else if (piece.size > 0 && piece.size <= GTID_TAG_MAX && part.size > 0) {
            memcpy(gtid.tag, piece.data, piece.size);
            gtid.tag[piece.size] = '\0';
        } else {
            return false;
        }
    }
    return some;
}

static bool parse_mariadb(struct gtid_set *set, struct bytes part)
{
    uint64_t domain, server, number;
    struct bytes a = cut(&part, '-'), b = cut(&part, '-');
    if (!parse_number(a, &domain) || !parse_number(b, &server) ||
        !parse_number(trim(part), &number) || domain > UINT32_MAX || server > UINT32_MAX)
        return false;
    gtid_set_add(set, &(struct gtid){ .mariadb = true,
                                      .domain = (uint32_t)domain,
                                      .server = (uint32_t)server,
                                      .number = number });
    return true;
}

bool gtid_set_parse(struct gtid_set *set, struct bytes text, struct error *err)
{
    while (text.size > 0) {
        struct bytes part = cut(&text, ',');
        if (part.size == 0)
            continue;
        bool mysql = memchr(part.data, ':', part.size) != NULL;
        if (!(mysql ? parse_mysql(set, part) : parse_mariadb(set, part)))
            return error_set(err, ERROR_CONFIG, "'%.*s' is not a GTID set", BYTES_ARGS(part));
    }
    return true;
}

static void put_uuid(const uint8_t uuid[16], struct buf *out)
{
    static const char digits[] = "0123456789abcdef";
    char text[36];
    size_t at = 0;
    for (size_t i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            text[at++] = '-';
        text[at++] = digits[uuid[i] >> 4];
        text[at++] = digits[uuid[i] & 15];
    }
    buf_put(out, text, at);
}

static void put_source(const struct gtid *gtid, struct buf *out)
{
    put_uuid(gtid->uuid, out);
    if (gtid->tag[0])
        buf_printf(out, ":%s", gtid->tag);
}

void gtid_text(const struct gtid *gtid, struct buf *out)
{
    if (gtid->mariadb) {
        buf_printf(out, "%u-%u-%llu", gtid->domain, gtid->server, (unsigned long long)gtid->number);
        return;
    }
    put_source(gtid, out);
    buf_printf(out, ":%llu", (unsigned long long)gtid->number);
}

void gtid_set_text(const struct gtid_set *set, struct buf *out)
{
    for (uint32_t i = 0; i < set->count; i++) {
        const struct gtid_source *source = &set->sources[i];
        if (source->count == 0)
            continue;
        if (i > 0)
            buf_u8(out, ',');
        if (source->id.mariadb) {
            struct gtid last = source->id;
            last.number = source->intervals[source->count - 1].last;
            gtid_text(&last, out);
            continue;
        }
        put_source(&source->id, out);
        for (uint32_t j = 0; j < source->count; j++) {
            const struct gtid_interval *interval = &source->intervals[j];
            buf_printf(out, ":%llu", (unsigned long long)interval->first);
            if (interval->last > interval->first)
                buf_printf(out, "-%llu", (unsigned long long)interval->last);
        }
    }
}

void gtid_set_encode(const struct gtid_set *set, struct buf *out)
{
    bool tagged = false;
    for (uint32_t i = 0; i < set->count; i++)
        tagged |= set->sources[i].id.tag[0] != '\0';
    if (tagged) {
        buf_u8(out, 1);
        buf_le(out, set->count, 6);
        buf_u8(out, 1);
    } else {
        buf_le(out, set->count, 8);
    }
    for (uint32_t i = 0; i < set->count; i++) {
        const struct gtid_source *source = &set->sources[i];
        buf_put(out, source->id.uuid, sizeof source->id.uuid);
        if (tagged) {
            size_t size = strlen(source->id.tag);
            buf_u8(out, (uint8_t)(size << 1)); /* a varlen integer of one byte */
            buf_put(out, source->id.tag, size);
        }
        buf_le(out, source->count, 8);
        for (uint32_t j = 0; j < source->count; j++) {
            buf_le(out, source->intervals[j].first, 8);
            buf_le(out, source->intervals[j].last + 1, 8);
        }
    }
}
