/* SPDX-License-Identifier: Apache-2.0
 *
 * The stream: frames to messages, messages to transactions, and what the server hears from us.
 *
 * The server sends transactions whole, in the order of their commits. A keepalive between two of
 * them tells how far the server has looked: all commits before were sent, so the position may go
 * there, and an idle publication does not hold back the server's log. An idle stream asks for one
 * now and then.
 *
 * Wake-ups and reads cost more than rows, on both sides: a server under load sends a packet a
 * change. While much is coming, judged over a short window, for we drain the socket faster than it
 * fills, we sleep between two mouthfuls whatever comes. The server's side joins its packets then:
 * a mark under which the socket stays silent (SO_RCVLOWAT) would have the kernel acknowledge each
 * at once, so that none wait for others, and costs the server twice as much of the kernel's time.
 */
#include "sources/postgres/wal.h"

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/base/wait.h"
#include "sources/postgres/token.h"

enum {
    MUCH_BYTES = 16 * 1024, /* within a window */
    MUCH_WAKES = 8,
    WINDOW_US = 20000,
    PAUSE_US = 10000,
    ASK_FOR_MARK_MS = 10,
    RECENT_LEAST = 1024,
    MARK_STEP = 16,
    PRUNE_EVERY_MS = 500,
    KEEPER_TICK_MS = 500,
    CONFIRM_EVERY_MS = 100
};

/* ---- marks ---- */

static void roll(struct wal_source *self)
{
    if (self->row + MARK_STEP > MARK_ROW_LAST) {
        self->commit++; /* a transaction this long goes on under the next number */
        self->row = 0;
    }
}

uint64_t wal_row_mark(struct wal_source *self)
{
    roll(self);
    uint64_t mark = mark_make(self->commit, self->row + MARK_STEP - 1);
    self->row += MARK_STEP;
    self->changes = 0;
    return mark;
}

/* Schema changes take none of the rows' numbers: a replay that finds the new version in the catalog
 * counts the rows alike. Those before one row come in order, for each is seen through once. */
uint64_t wal_schema_mark(struct wal_source *self)
{
    roll(self);
    return mark_make(self->commit, self->row + self->changes);
}

void wal_schema_marked(struct wal_source *self)
{
    if (self->changes < MARK_STEP - 2)
        self->changes++;
}

/* ---- what the server hears ---- */

bool wal_status(struct wal_source *self, bool reply_now, struct error *err)
{
    uint8_t status[STREAM_STATUS_SIZE];
    stream_status_make(self->lsn > self->flushed ? self->lsn : self->flushed, self->flushed,
                       clock_wall_us(), reply_now, status);
    self->status_us = clock_now_us();
    return session_stream_put(self->stream, (struct bytes){ status, sizeof status }, err);
}

static void *keeper_main(void *context)
{
    struct wal_source *self = context;
    struct error err;
    pthread_mutex_lock(&self->lock);
    while (!self->ending) {
        struct timespec until = wait_deadline(KEEPER_TICK_MS);
        wait_until(&self->wake, &self->lock, KEEPER_TICK_MS, &until);
        if (self->stream && !self->ending &&
            clock_now_us() - self->status_us > self->status_every_ms * 1000)
            wal_status(self, false, &err); /* a connection that broke is noticed by its reader */
    }
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

void wal_keeper_start(struct wal_source *self)
{
    if (self->keeper_runs)
        return;
    ASSERT(pthread_create(&self->keeper, NULL, keeper_main, self) == 0);
    self->keeper_runs = true;
}

void wal_keeper_stop(struct wal_source *self)
{
    if (!self->keeper_runs)
        return;
    pthread_mutex_lock(&self->lock);
    self->ending = true;
    pthread_cond_signal(&self->wake);
    pthread_mutex_unlock(&self->lock);
    pthread_join(self->keeper, NULL);
    self->keeper_runs = false;
}

/* ---- transactions ---- */

void wal_put_position(const struct wal_source *self, struct buf *out)
{
    struct wal_place place = { self->lsn, self->cluster, self->timeline };
    position_token_put(&place, out);
}

static void note_recent(struct wal_source *self, uint32_t xid)
{
    self->recent =
        memory_grow(self->recent, self->recent_count, &self->recent_capacity, sizeof *self->recent);
    self->recent[self->recent_count++] = xid;
}

bool wal_snapshot_now(struct wal_source *self, struct arena *arena, struct snapshot_text *out,
                      struct error *err)
{
    struct bytes text;
    if (!session_value(self->metadata, "SELECT txid_current_snapshot()", arena, &text, err))
        return false;
    return snapshot_parse(text, arena, out) ||
           error_set(err, ERROR_RETRY, "the server's snapshot cannot be read");
}

/* Forgets those that every snapshot from now on sees. */
bool wal_prune_recent(struct wal_source *self, struct error *err)
{
    int64_t now_us = clock_now_us();
    if (self->recent_count < RECENT_LEAST || now_us - self->pruned_us < PRUNE_EVERY_MS * 1000)
        return true;
    struct arena arena = { 0 };
    struct snapshot_text snapshot;
    bool ok = wal_snapshot_now(self, &arena, &snapshot, err);
    uint32_t kept = 0;
    for (uint32_t i = 0; ok && i < self->recent_count; i++)
        if (!snapshot_sees(&snapshot, self->recent[i]))
            self->recent[kept++] = self->recent[i];
    if (ok)
        self->recent_count = kept;
    self->pruned_us = now_us;
    arena_done(&arena);
    return ok;
}

/* From here on chunks wait for all transactions to end that are under way now. */
bool wal_raise_floor(struct wal_source *self, struct error *err)
{
    struct arena arena = { 0 };
    struct snapshot_text snapshot;
    bool ok = wal_snapshot_now(self, &arena, &snapshot, err);
    if (ok)
        self->floor = snapshot.xmax;
    arena_done(&arena);
    return ok;
}

static bool malformed(const struct wal_source *self, uint8_t kind, struct error *err)
{
    return error_set(err, ERROR_RETRY,
                     "malformed message '%c' of the server's log behind " LSN_FORMAT,
                     kind >= ' ' && kind < 127 ? kind : '?', LSN_ARGS(self->lsn));
}

static bool on_begin(struct wal_source *self, struct batch *batch, struct bytes message,
                     bool *again, struct error *err)
{
    struct pgoutput_begin begin;
    if (self->inside || !pgoutput_begin_parse(message, &begin))
        return malformed(self, message.data[0], err);
    bool noted = wal_has_note(self, begin.xid);
    *again = noted && batch->count > 0;
    if (*again)
        return true;
    self->commit++;
    self->row = self->changes = 0;
    self->xid = begin.xid;
    self->commit_lsn = begin.final_lsn;
    self->time_us = begin.time_us;
    self->inside = true;
    self->announced = false;
    note_recent(self, begin.xid);
    return !noted || wal_noted(self, batch, err);
}

static bool on_commit(struct wal_source *self, struct bytes message)
{
    struct pgoutput_commit commit;
    if (!self->inside || !pgoutput_commit_parse(message, &commit))
        return false;
    self->inside = false;
    self->moved = true;
    if (commit.end_lsn > self->lsn)
        self->lsn = commit.end_lsn;
    return true;
}

static bool handle(struct wal_source *self, struct batch *batch, struct bytes message, bool *again,
                   struct error *err)
{
    uint8_t kind = message.data[0];
    switch ((enum pgoutput_kind)kind) {
    case PGOUTPUT_BEGIN:
        return on_begin(self, batch, message, again, err);
    case PGOUTPUT_COMMIT:
        return on_commit(self, message) || malformed(self, kind, err);
    case PGOUTPUT_RELATION:
        return wal_relation(self, batch, message, again, err);
    case PGOUTPUT_INSERT:
    case PGOUTPUT_UPDATE:
    case PGOUTPUT_DELETE:
        return wal_row(self, batch, message, err);
    case PGOUTPUT_TRUNCATE:
        return wal_truncate(self, batch, message, again, err);
    case PGOUTPUT_MESSAGE:
        return wal_message(self, batch, message, again, err);
    case PGOUTPUT_ORIGIN:
    case PGOUTPUT_TYPE:
        return true;
    }
    return malformed(self, kind, err);
}

/* ---- frames ---- */

static bool on_keepalive(struct wal_source *self, struct bytes frame, struct error *err)
{
    struct stream_keepalive keepalive;
    if (!stream_keepalive_parse(frame, &keepalive))
        return malformed(self, 'k', err);
    if (!self->inside && keepalive.end > self->lsn) {
        self->lsn = keepalive.end;
        self->moved = true;
    }
    return !keepalive.reply_now || wal_status(self, false, err);
}

static bool on_frame(struct wal_source *self, struct batch *batch, struct bytes frame, bool *again,
                     struct error *err)
{
    struct stream_data data;
    self->unanswered = false;
    if (frame.data[0] == 'k')
        return on_keepalive(self, frame, err);
    if (!stream_data_parse(frame, &data))
        return malformed(self, frame.data[0], err);
    self->change_lsn = data.start;
    if (!handle(self, batch, data.message, again, err))
        return false;
    if (*again) {
        buf_reset(&self->waiting);
        buf_bytes(&self->waiting, data.message);
        self->has_waiting = true;
    }
    return true;
}

static bool is_alone(const struct batch *batch)
{
    return batch->count > 0 && batch->events[0].op == EVENT_SCHEMA;
}

/* A batch ends between two transactions where it can, for only there is a position. */
static bool is_time_to_return(const struct wal_source *self, const struct batch *batch)
{
    if (self->has_waiting || is_alone(batch) || batch_is_full(batch))
        return true;
    return !self->inside && self->moved && batch->count >= BATCH_EVENTS_MAX / 2;
}

static void judge_flow(struct wal_source *self)
{
    int64_t now_us = clock_now_us();
    bool much = self->taken_bytes >= MUCH_BYTES || self->wakes >= MUCH_WAKES;
    bool over = now_us - self->window_us >= WINDOW_US;
    self->flows = much || (self->flows && !over);
    if (over) {
        self->taken_bytes = self->wakes = 0;
        self->window_us = now_us;
    }
}

/* Nothing is there: waits for more. False: nothing came. Called and returns with the lock held. */
static bool wait_more(struct wal_source *self, const struct batch *batch, int timeout_ms)
{
    judge_flow(self);
    bool some = batch->count > 0 || (self->moved && !self->inside);
    struct session *stream = self->stream;
    pthread_mutex_unlock(&self->lock);
    if (self->flows)
        clock_sleep_us(PAUSE_US);
    bool came = session_stream_wait(stream, some || self->flows ? 0 : timeout_ms);
    pthread_mutex_lock(&self->lock);
    self->wakes += came;
    return came;
}

/* The server tells its place by itself only after a long silence. */
static bool ask_place(struct wal_source *self, struct error *err)
{
    int64_t every_ms = self->wanted > self->lsn ? ASK_FOR_MARK_MS : self->options->heartbeat_ms;
    if (self->inside || clock_now_us() - self->status_us < every_ms * 1000)
        return true;
    return wal_status(self, true, err);
}

static bool read_locked(struct wal_source *self, struct batch *batch, int timeout_ms,
                        struct error *err)
{
    bool again = false, first = self->unanswered;
    if (self->has_waiting) {
        self->has_waiting = false;
        if (!handle(self, batch, buf_view(&self->waiting), &again, err))
            return false;
        self->has_waiting = again; /* a change went before it */
    }
    size_t taken = 0; /* since we last read */
    bool rest = false;
    while (!is_time_to_return(self, batch)) {
        struct bytes frame;
        if (!session_stream_take(self->stream, &frame, err))
            return false;
        if (frame.data) {
            taken += frame.size;
            if (!on_frame(self, batch, frame, &again, err))
                return false;
            continue;
        }
        batch->bytes += taken;
        self->taken_bytes += taken;
        bool more = rest || taken >= SESSION_FILL / 2;
        taken = 0;
        if (!more && !ask_place(self, err))
            return false;
        bool settles = first && !self->unanswered;
        if (!more && !wait_more(self, batch, settles ? SOURCE_SETTLE_MS : timeout_ms))
            return true;
        if (!session_stream_fill(self->stream, &rest, err))
            return false;
    }
    batch->bytes += taken;
    self->taken_bytes += taken;
    return true;
}

static void end_batch(struct wal_source *self, struct batch *batch)
{
    if (self->inside || !self->moved || self->has_waiting)
        return;
    struct buf token;
    buf_init(&token, 64);
    wal_put_position(self, &token);
    batch->end = (struct position){ mark_make(self->commit, MARK_ROW_LAST),
                                    arena_copy(&batch->arena, buf_view(&token)) };
    self->moved = false;
    buf_done(&token);
}

bool wal_read(struct wal_source *self, struct batch *batch, int timeout_ms, struct error *err)
{
    if (!self->inside && !self->has_waiting && !wal_discover(self, err))
        return false;
    self->hole_count = 0;
    pthread_mutex_lock(&self->lock);
    bool ok = read_locked(self, batch, timeout_ms, err);
    pthread_mutex_unlock(&self->lock);
    if (!ok || !wal_fill_holes(self, batch, err) || !wal_prune_recent(self, err))
        return false;
    end_batch(self, batch);
    return true;
}
