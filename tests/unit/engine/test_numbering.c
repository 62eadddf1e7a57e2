/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers of changes, BEGIN and END, from batches that a script describes:
 *
 *   A B ..   the log comes to transaction A        a b      a change of table a, of table b
 *   k        one of a that changes the key         x r      a change that is dropped, or one of a
 *                                                           table that is being read
 *   |        the batch ends inside a transaction   .        ... at a position
 *   s        a schema change, alone in a batch     ~        the source is lost, and begins again at
 *                                                           the last position
 * and what comes out, in the same letters, as a text:
 *
 *   <A  BEGIN       a1.1  order in all and in its table       A>3(a2b1)  END with its counts */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/numbering.h"

static const struct {
    const char *name, *script, *wanted;
} cases[] = {
    { "one change", "Aa.", "<A a1.1 A>1(a1)" },
    { "two tables", "Aabab.", "<A a1.1 b2.1 a3.2 b4.2 A>4(a2b2)" },
    { "two transactions in a batch", "AaBb.", "<A a1.1 A>1(a1) <B b1.1 B>1(b1)" },
    { "over batches", "Aa|a|b.", "<A a1.1 | a2.2 | b3.1 A>3(a2b1)" },
    { "the end comes alone", "Aa|.", "<A a1.1 | A>1(a1)" },
    { "the end comes with the next one", "Aa|Ba.", "<A a1.1 | A>1(a1) <B a1.1 B>1(a1)" },
    { "a changed key counts twice", "Aka.", "<A k1.1 a3.3 A>3(a3)" },
    { "dropped changes have no number", "Axax.", "<A a1.1 A>1(a1)" },
    { "a table that is being read", "Arar.Br.", "a0.0 <A a1.1 a0.0 A>1(a1) | a0.0" },
    { "nothing but dropped ones", "Axx.Ba.", "| <B a1.1 B>1(a1)" },
    { "empty transactions", "ABCa.D.", "<C a1.1 C>1(a1) |" },
    { "begun again inside", "Aa.Bab|~Bab|b.", "<A a1.1 A>1(a1) | <B a1.1 b2.1 | | b3.2 B>3(a1b2)" },
    { "begun again before the end", "Aa.Ba|~Ba.", "<A a1.1 A>1(a1) | <B a1.1 | B>1(a1)" },
    { "begun again two back", "Aa|~Aa.Bb.", "<A a1.1 | A>1(a1) | <B b1.1 B>1(b1)" },
    { "a schema change between", "Aa|Bs.Cb.", "<A a1.1 | A>1(a1) s | <C b1.1 C>1(b1)" },
    { "a schema change inside", "Aa|s|b.", "<A a1.1 | s | b2.1 A>2(a1b1)" },
    { "a schema change first", "As|a.Ba.", "s | <A a1.1 A>1(a1) | <B a1.1 B>1(a1)" },
    { "a schema change last", "Aa|s.Bb.", "<A a1.1 | s A>1(a1) | <B b1.1 B>1(b1)" },
};

/* The log as the script tells it. */
struct log {
    struct numbering numbering;
    struct table tables[2];
    struct column columns[2];
    struct value row[2], other[2];
    uint64_t stream_mark, reached, mark; /* mark: of the last event */
    uint64_t commit, position;           /* numbers of transactions */
    uint32_t row_number;
    char name;
    char out[600];
    uint64_t last_put; /* mark of the last boundary: they only grow */
};

static const uint16_t key_columns[] = { 0 };

static void log_init(struct log *log)
{
    static struct target target;
    memset(log, 0, sizeof *log);
    target.boundaries = true;
    numbering_init(&log->numbering, &target);
    for (uint32_t i = 0; i < 2; i++)
        log->tables[i] = (struct table){ .id = i + 1,
                                         .columns = log->columns,
                                         .column_count = 2,
                                         .key_columns = key_columns,
                                         .key_count = 1 };
    log->other[0] = value_int(1);
}

__attribute__((format(printf, 2, 3))) static void say(struct log *log, const char *format, ...)
{
    size_t at = strlen(log->out);
    va_list arguments;
    if (at > 0)
        log->out[at++] = ' ';
    va_start(arguments, format);
    vsnprintf(log->out + at, sizeof log->out - at, format, arguments);
    va_end(arguments);
}

static char table_name(const struct log *log, const struct table *table)
{
    return table == &log->tables[0] ? 'a' : 'b';
}

static void say_end(struct log *log, const struct event *event)
{
    char text[100];
    size_t at = (size_t)snprintf(text, sizeof text, "%c>%d(", (char)event->origin->position,
                                 (int)event->tally->total);
    for (uint32_t i = 0; i < event->tally->count; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%c%d",
                               table_name(log, event->tally->items[i].table),
                               (int)event->tally->items[i].count);
    say(log, "%s)", text);
}

static void say_event(struct log *log, const struct event *event)
{
    bool boundary = event->op == EVENT_BEGIN || event->op == EVENT_END;
    if (boundary) {
        if (event->mark < log->last_put)
            fail_msg("marks of boundaries do not grow");
        log->last_put = event->mark;
    }
    if (event->op == EVENT_BEGIN)
        say(log, "<%c", (char)event->origin->position);
    else if (event->op == EVENT_END)
        say_end(log, event);
    else if (!event->dropped)
        say(log, "%c%d.%d", event->before ? 'k' : table_name(log, event->table),
            event->order ? (int)event->order->total : 0,
            event->order ? (int)event->order->table : 0);
}

static void add_transaction(struct log *log, struct batch *batch, bool continued)
{
    struct transaction *transaction = batch_add_transaction(batch);
    transaction->first_event = batch->count;
    transaction->continued = continued;
    transaction->id = arena_printf(&batch->arena, "%c", log->name);
}

static struct event *add_event(struct log *log, struct batch *batch)
{
    struct event_origin *origin = arena_zalloc(&batch->arena, sizeof *origin);
    struct event *event = batch_add(batch);
    origin->position = (uint64_t)log->name;
    log->mark = mark_make(log->commit, log->row_number++);
    event->mark = log->mark;
    event->origin = origin;
    event->dropped = event->mark <= log->stream_mark; /* as the intake sorts a replay */
    return event;
}

static void add_change(struct log *log, struct batch *batch, char kind)
{
    struct event *event = add_event(log, batch);
    event->table = &log->tables[kind == 'b'];
    event->op = kind == 'k' ? EVENT_UPDATE : EVENT_INSERT;
    event->before = kind == 'k' ? log->other : NULL;
    event->after = log->row;
    event->dropped |= kind == 'x';
    event->reading = kind == 'r';
}

static void hand_over(struct log *log, struct batch *batch)
{
    bool schema = batch->count > 0 && batch->events[0].op == EVENT_SCHEMA;
    struct batch last = { 0 };
    log->reached = batch->count > 0 ? batch->events[batch->count - 1].mark : log->reached;
    if (batch->end.token.data && batch->end.mark > log->reached)
        log->reached = batch->end.mark;
    if (!schema) {
        numbering_batch(&log->numbering, batch, log->reached);
    } else if (numbering_schema(&log->numbering, batch)) {
        numbering_end(&log->numbering, &last);
        say_event(log, &last.events[0]);
    }
    for (uint32_t i = 0; i < batch->count && !schema; i++)
        say_event(log, &batch->events[i]);
    if (schema) {
        say(log, "s");
        if (log->numbering.open && batch->end.token.data) {
            last.count = 0;
            numbering_end(&log->numbering, &last);
            say_event(log, &last.events[0]);
        }
    }
    log->stream_mark = log->reached > log->stream_mark ? log->reached : log->stream_mark;
    arena_done(&last.arena);
    free(last.events);
}

/* One batch from the script; returns what is left of it. */
static const char *take_batch(struct log *log, const char *script)
{
    struct batch batch = { 0 };
    if (log->row_number > 0)
        add_transaction(log, &batch, true);
    for (; *script && !strchr("|.", *script); script++) {
        if (*script == '~') {
            log->commit = log->position;
            log->reached = 0;
            batch.transaction_count = 0;
        } else if (*script >= 'A' && *script <= 'Z') {
            log->commit++;
            log->row_number = 8;
            log->name = *script;
            add_transaction(log, &batch, false);
        } else if (*script == 's') {
            add_event(log, &batch)->op = EVENT_SCHEMA;
        } else {
            add_change(log, &batch, *script);
        }
    }
    if (*script == '.') {
        log->position = log->commit;
        log->row_number = 0;
        batch.end =
            (struct position){ mark_make(log->commit, MARK_ROW_LAST), BYTES_LITERAL("token") };
    }
    hand_over(log, &batch);
    arena_done(&batch.arena);
    free(batch.events);
    free(batch.transactions);
    return script + 1;
}

static void numbers_are_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct log log;
        log_init(&log);
        for (const char *script = cases[i].script; *script;) {
            script = take_batch(&log, script);
            if (*script)
                say(&log, "|");
        }
        if (strcmp(log.out, cases[i].wanted) != 0)
            fail_msg("%s:\n  %s\nis not\n  %s", cases[i].name, log.out, cases[i].wanted);
        numbering_done(&log.numbering);
    }
}

/* More than an array's first size, and boundaries between all. */
static void many_transactions_in_a_batch(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    struct log log;
    struct batch batch = { 0 };
    log_init(&log);
    for (uint32_t i = 0; i < COUNT; i++) {
        log.commit++;
        log.row_number = 8;
        log.name = i % 2 ? 'A' : 'B';
        add_transaction(&log, &batch, false);
        add_change(&log, &batch, i % 3 ? 'a' : 'b');
    }
    batch.end = (struct position){ mark_make(log.commit, MARK_ROW_LAST), BYTES_LITERAL("token") };
    assert_true(numbering_batch(&log.numbering, &batch, batch.end.mark));
    assert_int_equal(batch.count, 3 * COUNT);
    for (uint32_t i = 0; i < COUNT; i++) {
        const struct event *events = &batch.events[(size_t)3 * i];
        assert_int_equal(events[0].op, EVENT_BEGIN);
        assert_int_equal(events[1].order->total, 1);
        assert_int_equal(events[2].op, EVENT_END);
        assert_true(events[0].mark == events[1].mark && events[1].mark < events[2].mark);
        assert_ptr_equal(events[1].table, &log.tables[i % 3 == 0]);
    }
    arena_done(&batch.arena);
    free(batch.events);
    free(batch.transactions);
    numbering_done(&log.numbering);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(numbers_are_told),
                                        cmocka_unit_test(many_transactions_in_a_batch) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
