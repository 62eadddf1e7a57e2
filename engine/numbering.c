/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/numbering.h"

#include <stdlib.h>

#include "engine/base/memory.h"
#include "schema/key.h"

enum { ID_LIMIT = 64 << 20 };

struct place {
    uint64_t serial;
    size_t item;
};

struct boundary { /* an event that is to stand before the one at `index` */
    uint32_t index;
    struct event event;
};

void numbering_init(struct numbering *numbering, struct target *target)
{
    *numbering = (struct numbering){ .target = target };
    buf_init(&numbering->current, ID_LIMIT);
    buf_init(&numbering->id, ID_LIMIT);
}

void numbering_done(struct numbering *numbering)
{
    buf_done(&numbering->current);
    buf_done(&numbering->id);
    arena_done(&numbering->arena);
    free(numbering->items);
    free(numbering->places);
    free(numbering->boundaries);
}

/* ---- boundaries ---- */

static void put_boundary(struct numbering *self, uint32_t index, struct event event)
{
    self->boundaries = memory_grow(self->boundaries, self->boundary_count, &self->boundary_capacity,
                                   sizeof *self->boundaries);
    event.table = &self->table;
    event.target = self->target;
    self->boundaries[self->boundary_count++] = (struct boundary){ index, event };
}

static void begin(struct numbering *self, const struct event *first, uint32_t index)
{
    self->open = true;
    self->last_mark = self->total = 0;
    self->item_count = 0;
    self->serial++;
    buf_reset(&self->id);
    buf_bytes(&self->id, buf_view(&self->current));
    put_boundary(self, index,
                 (struct event){ .op = EVENT_BEGIN,
                                 .mark = first->mark,
                                 .time_us = first->time_us,
                                 .origin = first->origin });
}

static void end(struct numbering *self, struct arena *arena, uint32_t index)
{
    struct event_tally *tally = arena_alloc(arena, sizeof *tally);
    struct tally_item *items = arena_array(arena, self->item_count, sizeof *items);
    memcpy(items, self->items, self->item_count * sizeof *items);
    *tally = (struct event_tally){ self->total, items, (uint32_t)self->item_count };
    put_boundary(self, index,
                 (struct event){ .op = EVENT_END,
                                 .mark = mark_make(mark_commit(self->last_mark), MARK_ROW_LAST),
                                 .time_us = self->time_us,
                                 .origin = event_origin_copy(arena, self->origin),
                                 .tally = tally });
    self->open = false;
}

/* Makes room for the boundaries from the end on. */
static void insert(struct numbering *self, struct batch *batch)
{
    uint32_t from = batch->count, left = (uint32_t)self->boundary_count;
    for (uint32_t i = 0; i < left; i++)
        batch_add(batch);
    for (uint32_t to = batch->count; left > 0;) {
        const struct boundary *boundary = &self->boundaries[left - 1];
        bool stands_here = boundary->index == from;
        batch->events[--to] = stands_here ? boundary->event : batch->events[from - 1];
        left -= stands_here;
        from -= !stands_here;
    }
    self->boundary_count = 0;
}

/* ---- changes ---- */

static struct tally_item *item_of(struct numbering *self, const struct table *table)
{
    if (table->id >= self->place_count) {
        size_t capacity = self->place_count;
        self->places = memory_grow(self->places, table->id, &capacity, sizeof *self->places);
        memset(self->places + self->place_count, 0,
               (capacity - self->place_count) * sizeof *self->places);
        self->place_count = capacity;
    }
    struct place *place = &self->places[table->id];
    if (place->serial != self->serial) {
        self->items =
            memory_grow(self->items, self->item_count, &self->item_capacity, sizeof *self->items);
        self->items[self->item_count] = (struct tally_item){ .table = table };
        *place = (struct place){ self->serial, self->item_count++ };
    }
    return &self->items[place->item];
}

static void number(struct numbering *self, struct event *event, struct event_order *order)
{
    struct tally_item *item = item_of(self, event->table);
    bool moves = event->op == EVENT_UPDATE && event->before &&
                 key_moves(event->table, event->before, event->after);
    *order = (struct event_order){ self->total + 1, item->count + 1 };
    event->order = order;
    self->total += moves ? 2 : 1;
    item->count += moves ? 2 : 1;
    self->time_us = event->time_us;
    self->origin = event->origin;
}

static bool is_at_its_own(const struct numbering *self)
{
    return bytes_equal(buf_view(&self->id), buf_view(&self->current));
}

/* The log comes to another transaction. */
static void enter(struct numbering *self, const struct transaction *transaction)
{
    if (transaction->continued)
        return;
    buf_reset(&self->current);
    buf_bytes(&self->current, transaction->id);
    self->inside = true;
}

static void leave(struct numbering *self, const struct batch *batch)
{
    if (batch->end.token.data)
        self->inside = false;
}

/* What outlives the batch. */
static void keep_origin(struct numbering *self)
{
    struct arena kept = { 0 };
    self->origin = self->open ? event_origin_copy(&kept, self->origin) : NULL;
    arena_done(&self->arena);
    self->arena = kept;
}

bool numbering_batch(struct numbering *self, struct batch *batch, uint64_t reached)
{
    struct event_order *orders = arena_array(&batch->arena, batch->count, sizeof *orders);
    uint32_t next = 0;
    for (uint32_t i = 0; i < batch->count; i++) {
        struct event *event = &batch->events[i];
        bool entered = false;
        for (; next < batch->transaction_count && batch->transactions[next].first_event <= i;
             next++) {
            enter(self, &batch->transactions[next]);
            entered = true;
        }
        if (entered && self->open && event->mark > self->last_mark && !is_at_its_own(self))
            end(self, &batch->arena, i);
        bool counts = !event->dropped && !event->reading;
        if (counts && !self->open)
            begin(self, event, i);
        if (self->open && event->mark > self->last_mark)
            self->last_mark = event->mark;
        if (counts)
            number(self, event, &orders[i]);
    }
    for (; next < batch->transaction_count; next++)
        enter(self, &batch->transactions[next]);
    leave(self, batch);
    if (self->open && !self->inside && reached >= self->last_mark)
        end(self, &batch->arena, batch->count);
    keep_origin(self);
    bool some = self->boundary_count > 0;
    if (some)
        insert(self, batch);
    return some;
}

bool numbering_schema(struct numbering *self, const struct batch *batch)
{
    for (uint32_t i = 0; i < batch->transaction_count; i++)
        enter(self, &batch->transactions[i]);
    leave(self, batch);
    if (!self->open)
        return false;
    uint64_t mark = batch->events[0].mark;
    bool over = mark > self->last_mark && !is_at_its_own(self);
    if (!over && mark > self->last_mark)
        self->last_mark = mark;
    return over;
}

void numbering_end(struct numbering *self, struct batch *batch)
{
    end(self, &batch->arena, 0);
    keep_origin(self);
    insert(self, batch);
}
