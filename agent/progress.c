/* SPDX-License-Identifier: Apache-2.0
 *
 * Rates are means over some seconds (each second takes a fifth of the new one). The block is
 * erased before a log line is written, by a hook of the log, and drawn again with the next tick: so
 * that a line is never torn, whichever thread logs it. */
#include "agent/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "engine/base/arena.h"
#include "engine/base/cleanup.h"
#include "engine/base/clock.h"
#include "engine/base/log.h"

enum { TICK_US = 1000000, LINE_US = 10000000, ROWS_MIN = 5, WIDTH_MAX = 250, BLOCK_MAX = 65536 };

struct row {
    struct row *next;
    const struct target_metrics *table;
    const struct running *running;
    enum table_state state;
    uint64_t rows;
    double rate;
    bool fresh; /* seen for the first time in this tick */
};

struct progress {
    const struct running_set *set;
    struct arena *arena;
    bool block, lines;
    struct row *rows;
    int64_t ticked_us, said_us;
    uint64_t total;
    double rate;
};

/* Lines of the block that are on the screen; touched under the log's lock (by the hook) and by the
 * one thread that draws. */
static atomic_uint drawn_lines;

void progress_number(uint64_t number, char *out, size_t size)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, number);
    size_t used = 0;
    for (int i = 0; i < length && used + 2 < size; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            out[used++] = ',';
        out[used++] = digits[i];
    }
    out[used] = '\0';
}

void progress_time(int64_t seconds, char *out, size_t size)
{
    if (seconds < 0)
        snprintf(out, size, "-");
    else if (seconds < 3600)
        snprintf(out, size, "%d:%02d", (int)(seconds / 60), (int)(seconds % 60));
    else
        snprintf(out, size, "%" PRId64 ":%02d:%02d", seconds / 3600, (int)(seconds / 60 % 60),
                 (int)(seconds % 60));
}

int64_t progress_left(uint64_t done, uint64_t estimate, double rate)
{
    if (done >= estimate || rate < 0.01)
        return -1;
    double seconds = (double)(estimate - done) / rate;
    return seconds > 1e9 ? -1 : (int64_t)(seconds + 0.5);
}

/* ---- reading the metrics ---- */

static uint64_t rows_of(const struct target_metrics *table)
{
    return atomic_load(&table->snapshot_rows) + atomic_load(&table->inserts) +
           atomic_load(&table->updates) + atomic_load(&table->deletes);
}

static struct row *row_of(struct progress *progress, const struct running *running,
                          const struct target_metrics *table)
{
    for (struct row *row = progress->rows; row; row = row->next)
        if (row->table == table)
            return row;
    struct row *row = arena_zalloc(progress->arena, sizeof *row);
    *row = (struct row){ .next = progress->rows,
                         .table = table,
                         .running = running,
                         .state = (enum table_state)atomic_load(&table->state),
                         .rows = rows_of(table),
                         .fresh = true };
    progress->rows = row;
    return row;
}

static double mean(double old, uint64_t added, double seconds)
{
    double now = (double)added / seconds;
    return old == 0 ? now : old * 0.8 + now * 0.2;
}

/* One line an event: what a log should tell although nobody asked. */
static void note_state(struct row *row)
{
    enum table_state state = (enum table_state)atomic_load(&row->table->state);
    if (state == row->state)
        return;
    if (state == TABLE_STREAMING && row->state == TABLE_SNAPSHOT)
        log_info("the snapshot of a table is read table=%s target=%s", row->table->source,
                 row->table->target);
    else if (state != TABLE_SNAPSHOT && state != TABLE_PARKED)
        log_info("a table is now in another state table=%s state=%s", row->table->source,
                 table_state_name(state));
    row->state = state;
}

/* Tables are prepended to the metrics' list and never leave it: rows are made for the new ones at
 * its front, so that the usual tick looks none up. */
static void read_tables(struct progress *progress)
{
    for (uint32_t i = 0; i < progress->set->count; i++) {
        const struct running *running = &progress->set->items[i];
        const struct target_metrics *known = NULL;
        for (struct row *row = progress->rows; row && !known; row = row->next)
            if (row->running == running)
                known = row->table;
        for (const struct target_metrics *table = atomic_load(&running->metrics->tables);
             table && table != known; table = table->next)
            row_of(progress, running, table);
    }
}

static void read_rates(struct progress *progress, double seconds)
{
    uint64_t added = 0;
    for (struct row *row = progress->rows; row; row = row->next) {
        uint64_t rows = rows_of(row->table);
        if (!row->fresh)
            row->rate = mean(row->rate, rows - row->rows, seconds);
        added += rows - row->rows;
        row->rows = rows;
        row->fresh = false;
        note_state(row);
    }
    progress->total += added;
    progress->rate = mean(progress->rate, added, seconds);
}

/* ---- the block ---- */

static void erase(void)
{
    unsigned lines = atomic_exchange(&drawn_lines, 0);
    char text[32];
    if (lines == 0)
        return;
    int size = snprintf(text, sizeof text, "\r\033[%uA\033[J", lines);
    if (write(STDERR_FILENO, text, (size_t)size) < 0)
        return; /* the terminal is gone */
}

static void screen_size(unsigned *rows, unsigned *columns)
{
    struct winsize window = { 0 };
    *rows = 24;
    *columns = 80;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_row && window.ws_col) {
        *rows = window.ws_row;
        *columns = window.ws_col;
    }
}

/* Control characters of a table's name must not steer the terminal. */
static void put_line(struct buf *out, const char *line, unsigned columns)
{
    for (size_t i = 0; line[i] && i + 1 < columns; i++)
        buf_u8(out, (uint8_t)line[i] < 0x20 || line[i] == 0x7f ? '?' : (uint8_t)line[i]);
    buf_text(out, "\n");
}

static void put_head(const struct progress *progress, const struct running *running,
                     struct buf *out, unsigned columns)
{
    char line[WIDTH_MAX], rows[32], rate[32], aside[32] = "";
    unsigned tables = 0, done = 0, parked = 0;
    double all = 0;
    for (const struct row *row = progress->rows; row; row = row->next) {
        if (row->running != running)
            continue;
        tables++;
        done += row->state == TABLE_STREAMING;
        parked += row->state == TABLE_PARKED;
        all += row->rate;
    }
    if (parked > 0)
        snprintf(aside, sizeof aside, ", %u parked", parked);
    progress_number(atomic_load(&running->metrics->rows_durable), rows, sizeof rows);
    progress_number((uint64_t)all, rate, sizeof rate);
    snprintf(line, sizeof line,
             "%s -> %s: %u of %u tables streaming%s; %s rows, %s/s, lag %" PRId64 " ms",
             running->pipeline_name, running->sink_name, done, tables, aside, rows, rate,
             metrics_lag_ms(running->metrics));
    put_line(out, line, columns);
}

static void put_row(const struct row *row, struct buf *out, unsigned columns, int width)
{
    char line[WIDTH_MAX], rows[32], estimate[40] = "", rate[32], left[32];
    uint64_t done = atomic_load(&row->table->snapshot_rows);
    uint64_t guess = atomic_load(&row->table->snapshot_estimate);
    bool snapshot = row->state == TABLE_SNAPSHOT || row->state == TABLE_RESYNC;
    progress_number(snapshot ? done : row->rows, rows, sizeof rows);
    if (snapshot && guess > 0) {
        memcpy(estimate, " of ~", 6);
        progress_number(guess, estimate + 5, sizeof estimate - 5);
    }
    progress_number((uint64_t)row->rate, rate, sizeof rate);
    progress_time(snapshot ? progress_left(done, guess, row->rate) : -1, left, sizeof left);
    snprintf(line, sizeof line, "  %-*.60s  %-9s  %s%s rows, %s/s%s%s", width, row->table->source,
             table_state_name(row->state), rows, estimate, rate, snapshot ? ", eta " : "",
             snapshot ? left : "");
    put_line(out, line, columns);
}

/* Tables under way first; those that only stream are in the head's count. */
static bool is_shown(const struct row *row)
{
    return row->state == TABLE_SNAPSHOT || row->state == TABLE_RESYNC ||
           row->state == TABLE_PARKED || row->rate >= 1;
}

/* Of the names that may be shown: rate and time must still fit into the line. */
static int name_width(const struct progress *progress, const struct running *running)
{
    enum { NAME_MAX_SHOWN = 36 };
    size_t width = 0;
    for (const struct row *row = progress->rows; row; row = row->next) {
        size_t size = row->running == running && is_shown(row) ? strlen(row->table->source) : 0;
        width = size > width ? size : width;
    }
    return width > NAME_MAX_SHOWN ? NAME_MAX_SHOWN : (int)width;
}

static void draw(const struct progress *progress)
{
    unsigned screen = 0, columns = 0, lines = 0;
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, BLOCK_MAX);
    screen_size(&screen, &columns);
    unsigned most = screen > 2 * ROWS_MIN ? screen / 2 : ROWS_MIN;
    for (uint32_t i = 0; i < progress->set->count; i++) {
        const struct running *running = &progress->set->items[i];
        put_head(progress, running, &out, columns);
        int width = name_width(progress, running);
        lines++;
        for (const struct row *row = progress->rows; row && lines < most; row = row->next) {
            if (row->running != running || !is_shown(row))
                continue;
            put_row(row, &out, columns, width);
            lines++;
        }
    }
    if (out.failed)
        return;
    erase();
    if (write(STDERR_FILENO, out.data, out.size) < 0)
        return; /* the terminal is gone */
    atomic_store(&drawn_lines, lines);
}

static void say(struct progress *progress)
{
    unsigned tables = 0, done = 0;
    for (const struct row *row = progress->rows; row; row = row->next) {
        tables++;
        done += row->state == TABLE_STREAMING;
    }
    log_info("progress tables=%u tables_done=%u rows=%llu rows_per_second=%llu", tables, done,
             (unsigned long long)progress->total, (unsigned long long)progress->rate);
}

/* ---- the steps ---- */

struct progress *progress_begin(const struct running_set *set, struct arena *arena, bool block,
                                bool lines)
{
    struct progress *progress = arena_zalloc(arena, sizeof *progress);
    bool terminal = isatty(STDERR_FILENO) == 1;
    *progress = (struct progress){ .set = set,
                                   .arena = arena,
                                   .block = block && terminal,
                                   .lines = lines && !terminal,
                                   .ticked_us = clock_now_us(),
                                   .said_us = clock_now_us() };
    if (progress->block)
        log_before(erase);
    return progress;
}

void progress_tick(struct progress *progress)
{
    int64_t now_us = clock_now_us();
    if (now_us - progress->ticked_us < TICK_US)
        return;
    read_tables(progress);
    read_rates(progress, (double)(now_us - progress->ticked_us) / 1e6);
    progress->ticked_us = now_us;
    if (progress->block)
        draw(progress);
    if (progress->lines && now_us - progress->said_us >= LINE_US) {
        progress->said_us = now_us;
        say(progress);
    }
}

void progress_end(struct progress *progress)
{
    read_tables(progress);
    read_rates(progress, (double)(clock_now_us() - progress->ticked_us + 1) / 1e6);
    if (progress->block)
        draw(progress);
    atomic_store(&drawn_lines, 0);
    log_before(NULL);
}
