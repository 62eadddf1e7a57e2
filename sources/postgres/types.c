/* SPDX-License-Identifier: Apache-2.0
 *
 * OIDs from the server's pg_type.dat, typmods from the types' own typmodin functions. */
#include "sources/postgres/types.h"

#include <stdlib.h>

enum { TYPMOD_HEADER = 4 };

static const struct builtin {
    uint32_t oid;
    struct type type;
    bool fraction, sized;
} builtins[] = {
    { 16, { .kind = TYPE_INT, .bits = 8, .boolean = true }, false, false },
    { 17, { .kind = TYPE_BYTES }, false, false },
    { 20, { .kind = TYPE_INT, .bits = 64 }, false, false },
    { 21, { .kind = TYPE_INT, .bits = 16 }, false, false },
    { 23, { .kind = TYPE_INT, .bits = 32 }, false, false },
    { 26, { .kind = TYPE_UINT, .bits = 32 }, false, false },   /* oid */
    { 28, { .kind = TYPE_UINT, .bits = 32 }, false, false },   /* xid */
    { 29, { .kind = TYPE_UINT, .bits = 32 }, false, false },   /* cid */
    { 5069, { .kind = TYPE_UINT, .bits = 64 }, false, false }, /* xid8 */
    { 114, { .kind = TYPE_JSON }, false, false },
    { 3802, { .kind = TYPE_JSON }, false, false },
    { 700, { .kind = TYPE_FLOAT }, false, false },
    { 701, { .kind = TYPE_DOUBLE }, false, false },
    { 790, { .kind = TYPE_DECIMAL, .precision = 19, .scale = 2 }, false, false }, /* money */
    { 1042, { .kind = TYPE_TEXT, .fixed = true }, false, true }, /* char(n), padded as printed */
    { 1043, { .kind = TYPE_TEXT }, false, true },
    { 1082, { .kind = TYPE_DATE }, false, false },
    { 1083, { .kind = TYPE_TIME, .scale = 6 }, true, false },
    { 1114, { .kind = TYPE_DATETIME, .scale = 6 }, true, false },
    { 1184, { .kind = TYPE_TIMESTAMP, .scale = 6 }, true, false },
    { 2950, { .kind = TYPE_UUID }, false, false },
    { OID_ENUM, { .kind = TYPE_ENUM }, false, false },
};
enum { OID_NUMERIC = 1700 };

/* Arrays whose elements have a form of their own, or are texts. */
static const struct array_oid {
    uint32_t array, element;
} arrays[] = {
    { 1000, 16 },   { 1001, 17 },   { 1003, 19 },   { 1005, 21 },   { 1007, 23 },   { 1009, 25 },
    { 1011, 28 },   { 1012, 29 },   { 1014, 1042 }, { 1015, 1043 }, { 1016, 20 },   { 1021, 700 },
    { 1022, 701 },  { 1028, 26 },   { 1115, 1114 }, { 1182, 1082 }, { 1183, 1083 }, { 1185, 1184 },
    { 1231, 1700 }, { 199, 114 },   { 271, 5069 },  { 2951, 2950 }, { 3807, 3802 },
};

/* numeric(p,s): the scale is 11 bits, signed, since 15. A scale that is negative gives whole
 * numbers of more digits; one beyond the precision gives more digits behind the point. */
static struct type numeric(int32_t typmod)
{
    struct type text = { .kind = TYPE_TEXT };
    if (typmod < TYPMOD_HEADER)
        return text;
    int32_t packed = typmod - TYPMOD_HEADER;
    int32_t precision = packed >> 16 & 0xffff, scale = ((packed & 0x7ff) ^ 1024) - 1024;
    if (scale < 0) {
        precision -= scale;
        scale = 0;
    }
    precision = scale > precision ? scale : precision;
    if (precision < 1 || precision > UINT8_MAX)
        return text;
    return (struct type){ .kind = TYPE_DECIMAL,
                          .precision = (uint8_t)precision,
                          .scale = (uint8_t)scale };
}

static const struct user_type *user_type_find(const struct user_types *users, uint32_t oid)
{
    for (size_t i = 0; i < users->count; i++)
        if (users->items[i].oid == oid)
            return &users->items[i];
    return NULL;
}

static struct type plain_type(uint32_t oid, int32_t typmod, const struct user_type *user)
{
    if (oid == OID_NUMERIC)
        return numeric(typmod);
    for (size_t i = 0; i < sizeof builtins / sizeof *builtins; i++) {
        if (builtins[i].oid != oid)
            continue;
        struct type type = builtins[i].type;
        if (builtins[i].fraction && typmod >= 0 && typmod <= 6)
            type.scale = (uint8_t)typmod;
        if (builtins[i].sized && typmod > TYPMOD_HEADER)
            type.length = (uint32_t)(typmod - TYPMOD_HEADER);
        if (type.kind == TYPE_ENUM && user) {
            type.members = user->labels;
            type.member_count = user->label_count;
        }
        return type;
    }
    return (struct type){ .kind = TYPE_TEXT };
}

static struct type array_type(struct type element)
{
    if (element.kind == TYPE_ENUM) {
        element.kind = TYPE_TEXT;
        element.members = NULL;
        element.member_count = 0;
    }
    element.element = (uint8_t)element.kind;
    element.kind = TYPE_ARRAY;
    return element;
}

struct type postgres_type(uint32_t oid, int32_t typmod, const struct user_types *users)
{
    const struct user_type *user = oid >= FIRST_USER_OID ? user_type_find(users, oid) : NULL;
    bool array = user && user->array;
    if (user && user->base != oid) {
        typmod = user->typmod >= 0 ? user->typmod : typmod;
        oid = user->base;
    }
    for (size_t i = 0; !array && i < sizeof arrays / sizeof *arrays; i++) {
        if (arrays[i].array != oid)
            continue;
        array = true;
        oid = arrays[i].element;
    }
    if (array && !users->arrays)
        return (struct type){ .kind = TYPE_TEXT };
    struct type type = plain_type(oid, typmod, user);
    return array ? array_type(type) : type;
}

void postgres_key_type(struct column *column)
{
    if (column->key_order > 0 && column->type.kind == TYPE_ARRAY)
        column->type = (struct type){ .kind = TYPE_TEXT };
}

/* ---- types that are not built in ---- */

static void put_oids(struct buf *out, const uint32_t *oids, size_t count)
{
    buf_text(out, "'{");
    for (size_t i = 0, put = 0; i < count; i++)
        if (oids[i] >= FIRST_USER_OID)
            buf_printf(out, "%s%u", put++ ? "," : "", oids[i]);
    buf_text(out, "}'");
}

/* Walks from each type down its domains, and once from an array to its elements; the last row of
 * each walk is the bottom. */
static const char walk_head[] =
    "WITH RECURSIVE walk AS (SELECT t.oid AS origin, t.oid, t.typtype, -1 AS typmod, 0 AS depth, "
    "false AS list FROM pg_type t WHERE t.oid = ANY (";
static const char walk_tail[] =
    "::oid[]) UNION ALL SELECT w.origin, t.oid, t.typtype, "
    "CASE WHEN w.typtype = 'd' AND d.typtypmod >= 0 THEN d.typtypmod ELSE w.typmod END, "
    "w.depth + 1, w.list OR w.typtype <> 'd' FROM walk w JOIN pg_type d ON d.oid = w.oid "
    "JOIN pg_type t ON (w.typtype = 'd' AND t.oid = d.typbasetype) OR "
    "(w.typtype <> 'd' AND NOT w.list AND t.oid = d.typelem AND t.typarray = d.oid "
    "AND t.typdelim = ',')) "
    "SELECT DISTINCT ON (origin) origin, oid, typtype, typmod, list FROM walk "
    "ORDER BY origin, depth DESC";

static long number_of(struct bytes text)
{
    return text.data ? strtol((const char *)text.data, NULL, 10) : 0;
}

static bool labels_read(struct session *connection, struct bytes oid, struct arena *arena,
                        struct user_type *out, struct error *err)
{
    struct result result;
    struct bytes sql = arena_printf(arena,
                                    "SELECT enumlabel FROM pg_enum WHERE enumtypid = %.*s "
                                    "ORDER BY enumsortorder",
                                    BYTES_ARGS(oid));
    if (!session_query(connection, sql, arena, &result, err))
        return false;
    out->labels = result.cells;
    out->label_count = (uint16_t)(result.row_count < UINT16_MAX ? result.row_count : UINT16_MAX);
    return true;
}

bool user_types_read(struct session *connection, const struct postgres_options *options,
                     const uint32_t *oids, size_t count, struct arena *arena,
                     struct user_types *out, struct error *err)
{
    size_t wanted = 0;
    for (size_t i = 0; i < count; i++)
        wanted += oids[i] >= FIRST_USER_OID;
    *out = (struct user_types){ .arrays = options->arrays == ARRAYS_AS_ARRAYS };
    if (wanted == 0)
        return true;
    struct buf sql;
    struct result result;
    buf_init(&sql, 16 << 20);
    buf_text(&sql, walk_head);
    put_oids(&sql, oids, count);
    buf_text(&sql, walk_tail);
    bool ok = session_query(connection, buf_view(&sql), arena, &result, err);
    buf_done(&sql);
    struct user_type *items = arena_array(arena, ok ? result.row_count + 1u : 1, sizeof *items);
    for (uint32_t i = 0; ok && i < result.row_count; i++) {
        const struct bytes *cells = &result.cells[i * result.column_count];
        bool is_enum = bytes_is(cells[2], "e");
        items[i] = (struct user_type){ .oid = (uint32_t)number_of(cells[0]),
                                       .base = is_enum ? OID_ENUM : (uint32_t)number_of(cells[1]),
                                       .typmod = (int32_t)number_of(cells[3]),
                                       .array = bytes_is(cells[4], "t") };
        ok = !is_enum || labels_read(connection, cells[1], arena, &items[i], err);
    }
    if (ok)
        *out = (struct user_types){ items, result.row_count, out->arrays };
    return ok;
}
