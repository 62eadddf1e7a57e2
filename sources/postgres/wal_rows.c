/* SPDX-License-Identifier: Apache-2.0
 *
 * Changes of rows, by the plan that their relation was given: each cell's text goes through the
 * decoder of its column, straight into the batch. */
#include "sources/postgres/wal.h"

#include "engine/base/memory.h"
#include "sources/postgres/token.h"

void wal_announce(struct wal_source *self, struct batch *batch)
{
    if (self->announced && batch->transaction_count > 0)
        return;
    struct buf id;
    buf_init(&id, 16);
    transaction_token_put(self->xid, &id);
    struct transaction *transaction = batch_add_transaction(batch);
    transaction->first_event = batch->count;
    transaction->continued = self->announced;
    transaction->id = arena_copy(&batch->arena, buf_view(&id));
    self->announced = true;
    buf_done(&id);
}

static struct wal_relation *relation_of(struct wal_source *self, uint32_t oid)
{
    if (self->newest && self->newest->oid == oid)
        return self->newest;
    struct wal_relation *found =
        map_get(&self->relations, (struct bytes){ (const uint8_t *)&oid, sizeof oid });
    if (found)
        self->newest = found;
    return found;
}

/* A text that is not of its column's type travels as it is: the sink refuses it with the column's
 * name, and the other tables go on. */
static void decode_cell(const struct cell_plan *plan, struct bytes text, struct arena *arena,
                        struct value *out)
{
    if (!plan->decoder.decode(text, plan->type, arena, out))
        *out = value_text(arena_copy(arena, text));
}

/* The cells of the row's tuple; NULL where they are malformed. Of 'K' only the columns of the
 * identity were logged, the others are placeholders. */
static struct value *tuple_values(const struct wal_relation *relation, struct pgoutput_row *row,
                                  struct arena *arena)
{
    const struct table *table = relation->table;
    if (row->count != relation->count)
        return NULL;
    struct value *values = arena_alloc(arena, (table->column_count + 1u) * sizeof *values);
    for (uint16_t i = 0; i < relation->missing_count; i++)
        values[relation->missing[i]] = value_null();
    for (uint16_t i = 0; i < row->count; i++) {
        const struct cell_plan *plan = &relation->cells[i];
        struct pgoutput_cell cell;
        if (!pgoutput_cell_take(&row->cells, &cell))
            return NULL;
        if (plan->target == NO_COLUMN)
            continue;
        struct value *value = &values[plan->target];
        if (cell.kind == 'u' || (row->part == 'K' && !plan->key))
            *value = value_absent();
        else if (cell.kind == 'n')
            *value = value_null();
        else
            decode_cell(plan, cell.text, arena, value);
    }
    return values;
}

static void note_hole(struct wal_source *self, uint32_t event)
{
    self->holes =
        memory_grow(self->holes, self->hole_count, &self->hole_capacity, sizeof *self->holes);
    self->holes[self->hole_count++] = (struct wal_hole){ event, self->xid };
}

/* Unchanged TOAST values are those of the old row, where that was logged whole. */
static bool complete(struct value *after, const struct value *before, uint16_t count)
{
    bool whole = true;
    for (uint16_t i = 0; i < count; i++) {
        if (after[i].tag != VALUE_ABSENT)
            continue;
        if (before && before[i].tag != VALUE_ABSENT)
            after[i] = before[i];
        else
            whole = false;
    }
    return whole;
}

struct images {
    struct value *before, *after;
};

static bool images_take(const struct wal_relation *relation, struct pgoutput_row *row,
                        struct arena *arena, struct images *out)
{
    *out = (struct images){ 0 };
    if (row->part != 'N') {
        out->before = tuple_values(relation, row, arena);
        if (!out->before || (row->kind == PGOUTPUT_UPDATE && !pgoutput_row_next(row)))
            return false;
    }
    if (row->kind != PGOUTPUT_DELETE) {
        out->after = tuple_values(relation, row, arena);
        if (!out->after)
            return false;
    }
    return pgoutput_row_is_over(row);
}

bool wal_row(struct wal_source *self, struct batch *batch, struct bytes message, struct error *err)
{
    struct pgoutput_row row;
    struct images images;
    if (!pgoutput_row_parse(message, &row) || !self->inside)
        return error_set(err, ERROR_RETRY, "a malformed row in the server's log");
    const struct wal_relation *relation = relation_of(self, row.oid);
    if (!relation)
        return error_set(err, ERROR_RETRY, "rows of a table that no Relation message named");
    if (!relation->table)
        return true;
    wal_announce(self, batch);
    if (!images_take(relation, &row, &batch->arena, &images))
        return error_set(err, ERROR_RETRY, "a row does not fit its Relation message");
    if (images.after && !complete(images.after, images.before, relation->table->column_count))
        note_hole(self, batch->count);
    struct event *event = batch_add(batch);
    event->op = row.kind == PGOUTPUT_INSERT   ? EVENT_INSERT
                : row.kind == PGOUTPUT_UPDATE ? EVENT_UPDATE
                                              : EVENT_DELETE;
    event->table = relation->table;
    event->before = images.before;
    event->after = images.after;
    event->mark = wal_row_mark(self);
    event->time_us = self->time_us;
    struct event_origin *origin = arena_alloc(&batch->arena, sizeof *origin);
    *origin = (struct event_origin){ .connector = "postgresql",
                                     .position = self->change_lsn,
                                     .transaction = self->xid,
                                     .boundary = self->commit_lsn,
                                     .first_mark = event->mark };
    event->origin = origin;
    return true;
}
