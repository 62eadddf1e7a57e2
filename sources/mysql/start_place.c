/* SPDX-License-Identifier: Apache-2.0
 *
 * A place in the binary log, as a person gives it on the command line: earliest, latest, a file and
 * offset, a set of GTIDs, both as `status` prints them, or a time. */
#include <stdio.h>
#include <time.h>

#include "engine/base/parse.h"
#include "sources/mysql/log.h"

static bool is_number(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    return text.size > 0 && text.size < 19;
}

/* The part behind the last `mark`; *before: what stands before it. */
static struct bytes cut_last(struct bytes text, char mark, struct bytes *before)
{
    const uint8_t *at = text.size ? memrchr(text.data, mark, text.size) : NULL;
    if (!at)
        return (struct bytes){ 0 };
    *before = (struct bytes){ text.data, (size_t)(at - text.data) };
    return (struct bytes){ at + 1, text.size - before->size - 1 };
}

/* "binlog.000003:4711" */
static bool is_file_place(struct bytes place, struct bytes *file, struct bytes *offset)
{
    struct bytes base;
    *offset = cut_last(place, ':', file);
    return is_number(*offset) && is_number(cut_last(*file, '.', &base));
}

/* "2026-11-26T08:00:00", a blank for the T, with or without seconds, Z or an offset; UTC where none
 * is given. A date alone could be a GTID of MariaDB. Or milliseconds since 1970. */
static bool time_read(struct bytes text, int64_t *out_ms)
{
    static const char *const forms[] = { "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M",
                                         "%Y-%m-%d %H:%M" };
    char copy[64];
    if (is_number(text)) {
        *out_ms = (int64_t)parse_digits(text);
        return true;
    }
    snprintf(copy, sizeof copy, "%.*s", BYTES_ARGS(text));
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct tm parts = { 0 }, zone = { 0 };
        const char *rest = strptime(copy, forms[i], &parts);
        if (rest && *rest)
            rest = strptime(rest, "%z", &zone); /* also Z */
        if (!rest || *rest)
            continue;
        *out_ms = ((int64_t)timegm(&parts) - zone.tm_gmtoff) * 1000;
        return *out_ms > 0;
    }
    return false;
}

static bool begin_at(struct mysql_options *options, struct bytes place)
{
    struct bytes file, offset;
    /* As `status` prints it: the GTIDs say more, unless they were cut. */
    const uint8_t *both = memmem(place.data, place.size, " gtid ", 6);
    struct bytes first = { place.data, both ? (size_t)(both - place.data) : place.size };
    struct bytes gtid = both ? (struct bytes){ both + 6, place.size - first.size - 6 } : first;
    options->start_mode = START_SPECIFIC;
    if (is_file_place(first, &file, &offset) && (!both || gtid.size >= 300)) {
        options->start_file = file;
        options->start_pos = (int64_t)parse_digits(offset);
        options->start_gtid = (struct bytes){ 0 };
        return options->start_pos >= 4;
    }
    struct gtid_set set = { 0 };
    struct error ignored;
    bool ok = gtid.size > 0 && gtid_set_parse(&set, gtid, &ignored);
    gtid_set_done(&set);
    options->start_gtid = gtid;
    return ok;
}

bool mysql_begin_from(void *raw, struct bytes place, struct error *err)
{
    struct mysql_options *options = raw;
    int64_t time_ms;
    if (bytes_is(place, "earliest")) {
        options->start_mode = START_EARLIEST;
        return true;
    }
    if (bytes_is(place, "latest")) {
        options->start_mode = START_LATEST;
        return true;
    }
    if (time_read(place, &time_ms)) {
        options->start_mode = START_TIMESTAMP;
        options->start_timestamp_ms = time_ms;
        return true;
    }
    return begin_at(options, place) ||
           error_set(err, ERROR_CONFIG,
                     "'%.*s' is no place in a binary log: give earliest, latest, a file and offset "
                     "such as binlog.000003:4711, a set of GTIDs, or a time such as "
                     "2026-11-26T08:00:00Z",
                     BYTES_ARGS(place));
}
