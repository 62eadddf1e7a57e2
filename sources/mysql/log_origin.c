/* SPDX-License-Identifier: Apache-2.0
 *
 * Marks and origins of events: in which order they came, and where in the log they stand. */
#include "sources/mysql/log.h"

enum { MARKS_KEPT = 8 };

/* Where the event under way stands, for the origins of its rows. */
void log_note_event(struct log_source *self, const struct event_header *header, bool inner)
{
    self->server_id = header->server;
    self->event_first_mark = UINT64_MAX;
    if (!inner)
        self->event_offset =
            header->position < header->size
                ? self->offset
                : (self->offset & ~(uint64_t)UINT32_MAX) | (header->position - header->size);
}

/* Of the event under way; announce() came before. */
static const struct event_origin *make_origin(struct log_source *self, struct batch *batch)
{
    struct event_origin *origin = arena_alloc(&batch->arena, sizeof *origin);
    *origin = (struct event_origin){ .connector = self->mariadb ? "mariadb" : "mysql",
                                     .gtid = self->origin_gtid,
                                     .file = self->origin_file,
                                     .position = self->event_offset,
                                     .boundary = self->begin_offset,
                                     .thread = self->thread,
                                     .first_mark = self->event_first_mark,
                                     .server_id = self->server_id };
    return origin;
}

/* A transaction this long goes on under the next number. */
static void wrap(struct log_source *self)
{
    if (self->row <= MARK_ROW_LAST)
        return;
    self->commit++;
    self->row = 0;
}

void log_stamp(struct log_source *self, struct batch *batch, uint32_t from)
{
    if (from == batch->count)
        return;
    if (self->event_first_mark == UINT64_MAX)
        self->event_first_mark = mark_make(self->commit, self->row);
    const struct event_origin *origin = make_origin(self, batch);
    for (uint32_t i = from; i < batch->count; i++) {
        wrap(self);
        self->told = batch->events[i].op == EVENT_SCHEMA ? self->told + 1 : 0;
        batch->events[i].mark = mark_make(self->commit, self->row++);
        batch->events[i].origin = origin;
    }
}

void log_keep_marks(struct log_source *self)
{
    if (self->told < MARKS_KEPT)
        self->row += MARKS_KEPT - self->told;
    self->told = 0;
    wrap(self);
}
