/* SPDX-License-Identifier: Apache-2.0
 *
 * The source driver of the simulated database. A position is the number of a transaction; what a
 * snapshot holds is told as a server would tell it: exactly, by a prefix of the log (MariaDB) or by
 * a set (PostgreSQL), or with a stretch of the log left open (MySQL). */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/buf.h"
#include "engine/base/clock.h"
#include "engine/source.h"
#include "sim.h"

struct faults faults;
static pthread_mutex_t world = PTHREAD_MUTEX_INITIALIZER;

bool fault_now(uint32_t one_in)
{
    return clock_now_us() < faults.until_us && chance_one_in(&faults.chance, one_in);
}

/* Chance is asked by several threads of the threaded build. */
static uint32_t dice(uint32_t limit)
{
    pthread_mutex_lock(&world);
    uint32_t fell = chance_below(&faults.chance, limit);
    pthread_mutex_unlock(&world);
    return fell;
}

static bool fails(uint32_t one_in)
{
    pthread_mutex_lock(&world);
    bool now = fault_now(one_in);
    pthread_mutex_unlock(&world);
    return now;
}

struct log_source {
    struct source base;
    struct catalog *catalog;
    const struct table_filter *filter;
    uint32_t next;     /* number of the transaction that is read next */
    uint32_t done;     /* changes of it that were given */
    uint64_t shift;    /* commit number minus transaction number */
    uint32_t followed; /* newest schema change that the catalog follows: a replay gives it again */
    bool lost; /* the next read() tells it */
    atomic_bool interrupted;
};

struct log_reader {
    struct table_reader base;
    struct sim_table rows; /* of the newest snapshot */
    const struct table *table;
    uint32_t given;
    atomic_bool interrupted;
};

/* ---- tables ---- */

static void column_make(struct column *column, const char *name, enum type_kind kind,
                        uint16_t key_order)
{
    *column = (struct column){ .name = bytes_from(name),
                               .type = { .kind = kind, .bits = 64 },
                               .key_order = key_order };
}

static struct table *table_draft(uint32_t index, bool wide, struct arena *arena)
{
    char name[32];
    table_name(index, name, sizeof name);
    struct column *columns = arena_array(arena, 3, sizeof *columns);
    enum table_kind kind = history.kinds[index];
    column_make(&columns[0], "id", kind == KIND_TEXT_KEY ? TYPE_TEXT : TYPE_INT,
                kind != KIND_KEYLESS);
    column_make(&columns[1], "number", TYPE_INT, 0);
    column_make(&columns[2], "extra", TYPE_INT, 0);
    struct table *table = arena_zalloc(arena, sizeof *table);
    *table = (struct table){ .database = BYTES_LITERAL("db"),
                             .columns = columns,
                             .name = arena_copy(arena, bytes_from(name)),
                             .column_count = wide ? 3 : 2 };
    table_index_keys(arena, table);
    return table;
}

static const struct table *table_now(struct log_source *source, uint32_t index)
{
    char name[32];
    table_name(index, name, sizeof name);
    return catalog_find(source->catalog, BYTES_LITERAL("db"), (struct bytes){ 0 },
                        bytes_from(name));
}

static int index_of(const struct table *table)
{
    for (uint32_t i = 0; i < history.table_count; i++) {
        char name[32];
        table_name(i, name, sizeof name);
        if (bytes_is(table->name, name))
            return (int)i;
    }
    return -1;
}

static const struct value *row_values(const struct table *table, const struct sim_row *row,
                                      struct arena *arena)
{
    struct value *values = arena_array(arena, table->column_count, sizeof *values);
    if (table->columns[0].type.kind == TYPE_TEXT) {
        char text[8];
        key_text(row->key, text, sizeof text);
        values[0] = value_text(arena_copy(arena, bytes_from(text)));
    } else {
        values[0] = value_int(row->key);
    }
    values[1] = value_int(row->number);
    if (table->column_count > 2)
        values[2] = value_int(row->extra);
    return values;
}

/* ---- the log ---- */

static bool open_source(const void *options, struct arena *arena, struct source **out,
                        struct error *err)
{
    (void)options, (void)arena, (void)err;
    struct log_source *source = calloc(1, sizeof *source);
    *out = &source->base;
    source->base.driver = &log_source;
    return true;
}

static struct bytes token_of(uint32_t number, struct arena *arena)
{
    return arena_copy(arena, (struct bytes){ (const uint8_t *)&number, sizeof number });
}

static uint32_t number_of(struct bytes token)
{
    uint32_t number = 0;
    memcpy(&number, token.data, sizeof number);
    return number;
}

/* All tables as of the log's end: what was there, and what the schema changes since have made.
 * After a gap the catalog has them already, as they were before it. */
static void fill_catalog(struct log_source *source, uint32_t end, uint64_t mark,
                         const struct table_filter *filter)
{
    bool exists[TABLES_MAX], wide[TABLES_MAX] = { false };
    for (uint32_t i = 0; i < TABLES_MAX; i++)
        exists[i] = i < history.table_count;
    for (uint32_t i = 0; i < end; i++) {
        const struct sim_change *change = &history.changes[history.transactions[i].first];
        if (change->op == SIM_DROP)
            exists[change->table] = wide[change->table] = false;
        else if (change->op == SIM_CREATE)
            exists[change->table] = true;
        else if (change->op == SIM_ALTER)
            wide[change->table] = true;
    }
    for (uint32_t i = 0; i < history.table_count; i++) {
        struct arena scratch = { 0 };
        struct table *draft = table_draft(i, wide[i], &scratch);
        const struct table *known = table_now(source, i);
        if (exists[i] && (!known || known->column_count != draft->column_count) &&
            filter->matches(filter->context, draft->database, draft->schema, draft->name))
            catalog_put(source->catalog, draft, known, known ? mark : 0);
        arena_done(&scratch);
    }
}

static bool start(struct source *base, const struct position *from, struct catalog *catalog,
                  const struct table_filter *filter, struct position *begin, struct error *err)
{
    struct log_source *source = (struct log_source *)base;
    if (fails(faults.source))
        return error_set(err, ERROR_RETRY, "the server does not answer");
    source->catalog = catalog;
    source->filter = filter;
    source->done = 0;
    if (from->token.data) {
        source->next = number_of(from->token) + 1;
        if (source->next <= history.purged && clock_now_us() >= history.purged_us) {
            history.lost = true;
            source->lost = dice(2) == 0; /* some servers tell when they are asked to read */
            if (!source->lost)
                return error_set(err, ERROR_LOST, "the log was purged");
        }
        source->shift = mark_commit(from->mark) - number_of(from->token);
        return true;
    }
    uint32_t end = history_log_end(clock_now_us());
    fill_catalog(source, end, mark_make(end + mark_commit(from->mark), 0), filter);
    source->followed = end > source->followed ? end : source->followed;
    source->next = end + 1;
    source->shift = mark_commit(from->mark);
    *begin = (struct position){ mark_make(end + source->shift, 0), token_of(end, &catalog->arena) };
    return true;
}

static void add_row(struct log_source *source, struct batch *batch, const struct sim_change *change,
                    uint32_t row)
{
    static const enum event_op ops[] = { EVENT_INSERT, EVENT_UPDATE, EVENT_DELETE };
    const struct table *table = table_now(source, change->table);
    if (!table)
        return;
    struct event *event = batch_add(batch);
    *event = (struct event){ .op = (uint8_t)ops[change->op],
                             .table = table,
                             .mark = mark_make(source->next + source->shift, row),
                             .time_us = history.transactions[source->next - 1].commit_us };
    if (change->op != SIM_INSERT)
        event->before = row_values(table, &change->before, &batch->arena);
    if (change->op != SIM_DELETE)
        event->after = row_values(table, &change->after, &batch->arena);
}

static void add_schema(struct log_source *source, struct batch *batch,
                       const struct sim_change *from)
{
    static const enum change_kind kinds[] = { [SIM_TRUNCATE] = CHANGE_TRUNCATE_TABLE,
                                              [SIM_ALTER] = CHANGE_ALTER_TABLE,
                                              [SIM_DROP] = CHANGE_DROP_TABLE,
                                              [SIM_CREATE] = CHANGE_CREATE_TABLE,
                                              [SIM_RESYNC] = CHANGE_RESYNC_TABLE };
    struct schema_change *change = arena_zalloc(&batch->arena, sizeof *change);
    const struct table *before = table_now(source, from->table), *after = before;
    uint64_t mark = mark_make(source->next + source->shift, 0);
    struct arena scratch = { 0 };
    bool again = source->next <= source->followed;
    source->followed = again ? source->followed : source->next;
    if (!again && (from->op == SIM_ALTER || from->op == SIM_CREATE))
        after =
            catalog_put(source->catalog, table_draft(from->table, from->op == SIM_ALTER, &scratch),
                        from->op == SIM_ALTER ? before : NULL, mark);
    arena_done(&scratch);
    if (!again && from->op == SIM_DROP) {
        catalog_drop(source->catalog, before);
        after = NULL;
    }
    *change = (struct schema_change){ .kind = kinds[from->op],
                                      .before = before,
                                      .after = after,
                                      .sql = BYTES_LITERAL("a statement") };
    struct event *event = batch_add(batch);
    *event = (struct event){ .op = EVENT_SCHEMA,
                             .change = change,
                             .mark = mark,
                             .table = after ? after : before,
                             .time_us = history.transactions[source->next - 1].commit_us };
}

static void end_transaction(struct log_source *source, struct batch *batch, uint32_t count)
{
    batch->end = (struct position){ mark_make(source->next + source->shift, count - 1),
                                    token_of(source->next, &batch->arena) };
    source->next++;
    source->done = 0;
}

/* False: the batch ends here. */
static bool give_transaction(struct log_source *source, struct batch *batch, uint32_t limit)
{
    const struct sim_transaction *from = &history.transactions[source->next - 1];
    const struct sim_change *changes = &history.changes[from->first];
    if (from->schema && batch->count > 0)
        return false;
    struct transaction *transaction = batch_add_transaction(batch);
    transaction->id = token_of(source->next, &batch->arena);
    transaction->continued = source->done > 0;
    if (from->schema) {
        add_schema(source, batch, changes);
        end_transaction(source, batch, 1);
        return false;
    }
    batch->end = (struct position){ 0 };
    while (source->done < from->count && batch->count < limit) {
        add_row(source, batch, &changes[source->done], source->done);
        source->done++;
    }
    if (source->done < from->count)
        return false;
    end_transaction(source, batch, from->count);
    return true;
}

static bool read_log(struct source *base, struct batch *batch, int timeout_ms, struct error *err)
{
    struct log_source *source = (struct log_source *)base;
    if (fails(faults.source))
        return error_set(err, ERROR_RETRY, "the connection is lost");
    if (source->lost) {
        source->lost = false;
        return error_set(err, ERROR_LOST, "the log was purged");
    }
    if (dice(4) == 0)
        clock_sleep_us(1 + dice(3000)); /* the log travels */
    int64_t until_us = clock_now_us() + timeout_ms * 1000LL;
    while (source->next > history_log_end(clock_now_us())) {
        if (atomic_load(&source->interrupted))
            return error_set(err, ERROR_STOP, "interrupted");
        if (clock_now_us() >= until_us)
            return true;
        clock_sleep_us(1000);
    }
    uint32_t limit = 1 + dice(dice(2) ? 4 : 60);
    while (batch->count < limit && source->next <= history_log_end(clock_now_us()) &&
           give_transaction(source, batch, limit))
        ;
    return true;
}

static bool confirm(struct source *source, const struct position *position, struct error *err)
{
    (void)source, (void)position, (void)err;
    return true;
}

static void processed(struct source *base, struct buf *token)
{
    struct log_source *source = (struct log_source *)base;
    uint32_t number = source->done > 0 ? source->next : source->next - 1;
    buf_put(token, &number, sizeof number);
}

static bool passed(struct source *base, struct bytes high)
{
    return ((struct log_source *)base)->next > number_of(high);
}

static enum membership member(struct source *source, struct bytes id, struct bytes low,
                              struct bytes high)
{
    (void)source;
    uint32_t number = number_of(id);
    if (history.knows == KNOWS_SET)
        return number <= low.size && low.data[number - 1] ? MEMBER_IN : MEMBER_OUT;
    return number <= number_of(low)   ? MEMBER_IN
           : number > number_of(high) ? MEMBER_OUT
                                      : MEMBER_MAYBE;
}

static void describe(struct source *source, struct bytes token, struct buf *out)
{
    (void)source;
    buf_printf(out, "%u", number_of(token));
}

static void interrupt(struct source *base)
{
    atomic_store(&((struct log_source *)base)->interrupted, true);
}

static void close_source(struct source *source) { free(source); }

/* ---- chunks ---- */

static bool reader_open(const void *options, struct arena *arena, struct table_reader **out,
                        struct error *err)
{
    (void)options, (void)arena;
    if (fails(faults.reader))
        return error_set(err, ERROR_RETRY, "the server does not answer");
    struct log_reader *reader = calloc(1, sizeof *reader);
    reader->base.driver = &log_source;
    *out = &reader->base;
    return true;
}

static int row_order(const void *a, const void *b)
{
    int64_t x = ((const struct sim_row *)a)->key, y = ((const struct sim_row *)b)->key;
    return (x > y) - (x < y);
}

static void copy_rows(uint32_t index, struct sim_table *out)
{
    *out = *history_visible(index);
    qsort(out->rows, out->row_count, sizeof out->rows[0], row_order);
}

static bool reader_split(struct table_reader *reader, const struct table *table, uint32_t want,
                         struct arena *arena, struct value ***bounds, uint32_t *count,
                         uint64_t *estimated_rows, struct error *err)
{
    (void)reader;
    if (fails(faults.reader))
        return error_set(err, ERROR_RETRY, "the connection is lost");
    int index = index_of(table);
    pthread_mutex_lock(&world);
    history_look(clock_now_us());
    struct sim_table *rows = calloc(1, sizeof *rows);
    copy_rows((uint32_t)index, rows);
    uint32_t ranges = want ? chance_below(&faults.chance, want) : 0;
    pthread_mutex_unlock(&world);
    *bounds = arena_array(arena, want + 1, sizeof(struct value *));
    *count = 0;
    *estimated_rows = rows->row_count;
    for (uint32_t i = 1; i <= ranges && rows->row_count > ranges * 2; i++) {
        struct value *bound = arena_array(arena, 1, sizeof *bound);
        *bound = value_int(rows->rows[rows->row_count * i / (ranges + 1)].key);
        (*bounds)[(*count)++] = bound;
    }
    free(rows);
    return true;
}

static bool contains(uint32_t gate)
{
    for (uint32_t i = 1; i <= gate; i++)
        if (!history_is_visible(i))
            return false;
    return true;
}

static bool wait_for_gate(struct log_reader *reader, const struct chunk_request *request,
                          bool quiet, struct error *err)
{
    int64_t until_us = clock_now_us() + request->timeout_ms * 1000LL;
    for (;;) {
        pthread_mutex_lock(&world);
        history_look(clock_now_us());
        bool there = contains(number_of(request->gate)) &&
                     (!quiet || contains(history_log_end(clock_now_us())));
        pthread_mutex_unlock(&world);
        if (there)
            return true;
        if (atomic_load(&reader->interrupted))
            return error_set(err, ERROR_STOP, "interrupted");
        if (clock_now_us() > until_us)
            return error_code(err, ERROR_RETRY, READER_GATE, "the gate was not reached");
        clock_sleep_us(500);
    }
}

static bool shape_is(uint32_t index, const struct table *table)
{
    const struct sim_table *now = history_visible(index);
    return now->exists && now->wide == (table->column_count > 2);
}

static void low_of(struct buf *low)
{
    uint32_t number = history_visible_prefix();
    buf_init(low, 1 << 16);
    if (history.knows != KNOWS_SET)
        buf_put(low, &number, sizeof number);
    for (uint32_t i = 1; history.knows == KNOWS_SET && i <= history.transaction_count; i++)
        buf_u8(low, history_is_visible(i));
}

/* The rows that one snapshot sees and the watermarks around it. */
static bool snapshot_take(struct log_reader *reader, const struct chunk_request *request,
                          struct arena *arena, struct chunk_result *result, struct error *err)
{
    int index = index_of(request->table);
    struct buf low;
    if (!wait_for_gate(reader, request, request->lock, err))
        return false;
    if (fails(faults.reader))
        return error_set(err, ERROR_RETRY, "the connection is lost");
    if (fails(faults.park))
        return error_set(err, ERROR_DATA, "the table cannot be read");
    pthread_mutex_lock(&world);
    history_look(clock_now_us());
    low_of(&low);
    pthread_mutex_unlock(&world);
    bool loose = history.knows == KNOWS_MAYBE && !request->lock;
    if (loose)
        clock_sleep_us(1 + dice(5000));
    pthread_mutex_lock(&world);
    history_look(clock_now_us());
    bool fits = shape_is((uint32_t)index, request->table);
    copy_rows((uint32_t)index, &reader->rows);
    if (!loose) {
        buf_done(&low);
        low_of(&low);
    }
    uint32_t end =
        history.knows == KNOWS_SET ? history_log_end(clock_now_us()) : history_visible_prefix();
    pthread_mutex_unlock(&world);
    clock_sleep_us(1 + dice(5000)); /* the rows travel */
    if (loose)
        end = history_log_end(clock_now_us());
    result->low = arena_copy(arena, buf_view(&low));
    result->high = token_of(end, arena);
    reader->given = 0;
    reader->table = request->table;
    buf_done(&low);
    return fits || error_code(err, ERROR_DATA, READER_SHAPE, "the table has another shape");
}

static int64_t key_value(const struct value *key)
{
    return key->tag == VALUE_TEXT ? key_of_text((const char *)key->data, key->size) : key->integer;
}

static void add_snapshot_row(struct batch *batch, const struct table *table,
                             const struct sim_row *row)
{
    struct event *event = batch_add(batch);
    *event = (struct event){ .op = EVENT_INSERT,
                             .snapshot = true,
                             .table = table,
                             .after = row_values(table, row, &batch->arena),
                             .time_us = clock_now_us() };
}

static bool reader_chunk(struct table_reader *base, const struct chunk_request *request,
                         struct batch *batch, struct chunk_result *result, struct error *err)
{
    struct log_reader *reader = (struct log_reader *)base;
    int64_t after = request->after ? key_value(&request->after[0]) : -1;
    int64_t until = request->until ? key_value(&request->until[0]) : INT64_MAX;
    if (!snapshot_take(reader, request, &batch->arena, result, err))
        return false;
    result->last = true;
    for (uint32_t i = 0; i < reader->rows.row_count; i++) {
        const struct sim_row *row = &reader->rows.rows[i];
        if (row->key <= after || row->key > until)
            continue;
        if (batch->count == request->rows_max) {
            result->last = false;
            break;
        }
        add_snapshot_row(batch, request->table, row);
    }
    if (result->last && batch->count == request->rows_max && dice(2))
        result->last = false; /* a LIMIT was met: whether more follows is not known */
    return true;
}

static bool scan_open(struct table_reader *base, const struct chunk_request *request,
                      struct arena *arena, struct chunk_result *result, struct error *err)
{
    return snapshot_take((struct log_reader *)base, request, arena, result, err);
}

static bool scan_next(struct table_reader *base, struct batch *batch, bool *end, struct error *err)
{
    struct log_reader *reader = (struct log_reader *)base;
    if (fails(faults.reader * 2))
        return error_set(err, ERROR_RETRY, "the connection is lost");
    uint32_t count = dice(6);
    for (uint32_t i = 0; i < count && reader->given < reader->rows.row_count; i++)
        add_snapshot_row(batch, reader->table, &reader->rows.rows[reader->given++]);
    *end = reader->given == reader->rows.row_count;
    return true;
}

static void reader_interrupt(struct table_reader *reader)
{
    atomic_store(&((struct log_reader *)reader)->interrupted, true);
}

static void reader_close(struct table_reader *reader) { free(reader); }

const struct source_driver log_source = {
    .name = "simulated",
    .help = "a simulated database",
    .open = open_source,
    .start = start,
    .read = read_log,
    .confirm = confirm,
    .processed = processed,
    .passed = passed,
    .member = member,
    .describe = describe,
    .interrupt = interrupt,
    .close = close_source,
    .reader_open = reader_open,
    .reader_split = reader_split,
    .reader_chunk = reader_chunk,
    .reader_scan_open = scan_open,
    .reader_scan_next = scan_next,
    .reader_interrupt = reader_interrupt,
    .reader_close = reader_close,
};
