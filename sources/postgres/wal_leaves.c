/* SPDX-License-Identifier: Apache-2.0
 *
 * The leaves of a partitioned table. One that is made as a partition is empty, and its rows come in
 * the stream as the root's. One that is attached brings rows that no event tells, one that is
 * detached or dropped takes rows along: then the root is read again. Which of both an added leaf is
 * the system catalog shows: its place under the root is younger than the table itself. */
#include "sources/postgres/wal.h"

#include "engine/base/parse.h"

enum { SQL_LIMIT = 16 << 20 };

bool wal_leaves_differ(struct bytes a, struct bytes b)
{
    return a.data && (!b.data || !bytes_equal(a, b));
}

/* Takes the first number off a list; false at its end. */
static bool next_leaf(struct bytes *rest, struct bytes *leaf)
{
    if (rest->size == 0)
        return false;
    const uint8_t *comma = memchr(rest->data, ',', rest->size);
    *leaf = (struct bytes){ rest->data, comma ? (size_t)(comma - rest->data) : rest->size };
    rest->data += leaf->size + (comma != NULL);
    rest->size -= leaf->size + (comma != NULL);
    return true;
}

/* Those of `all` that `some` lacks, appended with commas; both are sorted by number. */
static size_t put_lacking(struct bytes all, struct bytes some, struct buf *out)
{
    struct bytes leaf, other = { 0 };
    size_t count = 0;
    while (next_leaf(&all, &leaf)) {
        uint64_t number = parse_digits(leaf);
        while ((!other.data || parse_digits(other) < number) && next_leaf(&some, &other))
            continue;
        if (other.data && parse_digits(other) == number)
            continue;
        if (count++ > 0)
            buf_u8(out, ',');
        buf_bytes(out, leaf);
    }
    return count;
}

static bool any_attached(struct wal_source *self, struct bytes leaves, bool *out, struct error *err)
{
    struct arena arena = { 0 };
    struct result result;
    struct buf sql;
    buf_init(&sql, SQL_LIMIT);
    buf_text(&sql, "SELECT EXISTS (SELECT FROM unnest('{");
    buf_bytes(&sql, leaves);
    buf_text(&sql, "}'::oid[]) o(leaf) JOIN pg_class c ON c.oid = o.leaf JOIN pg_type t "
                   "ON t.oid = c.reltype CROSS JOIN LATERAL pg_partition_ancestors(o.leaf) a "
                   "JOIN pg_inherits i ON i.inhrelid = a.relid WHERE age(i.xmin) < age(t.xmin))");
    bool ok = session_query(self->metadata, buf_view(&sql), &arena, &result, err);
    *out = ok && bytes_is(result.cells[0], "t");
    buf_done(&sql);
    arena_done(&arena);
    return ok;
}

bool wal_leaves_move_rows(struct wal_source *self, struct bytes before, struct bytes now,
                          bool *rows, struct error *err)
{
    struct buf list;
    buf_init(&list, SQL_LIMIT);
    *rows = put_lacking(before, now, &list) > 0;
    buf_reset(&list);
    bool added = !*rows && put_lacking(now, before, &list) > 0;
    bool ok = !added || any_attached(self, buf_view(&list), rows, err);
    buf_done(&list);
    return ok;
}
