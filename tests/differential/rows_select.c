/* SPDX-License-Identifier: Apache-2.0
 *
 * Does a row of the log hold what SELECT shows? Random values of every type are inserted into a
 * real server, changed and deleted; the raw events are decoded with the version that the table map
 * describes; then each cell is compared with the server's own text of it. Needs
 * MILLRACE_TEST_MYSQL=host:port:user:password (several, with commas).
 * MILLRACE_TEST_ROWS: rows a table. MILLRACE_TEST_SEED: to see a failure again. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "engine/base/assert.h"
#include "engine/base/buf.h"
#include "sources/mysql/binlog_rows.h"
#include "tests/differential/server.h"
#include "tests/support/value_text.h"

enum { ROWS_MAX = 4096 };

/* ---- random values, as SQL ---- */

static uint64_t state;
static uint64_t chance(uint64_t bound)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (state >> 24) % bound;
}

static const char *one_of(const char *const *items, size_t count) { return items[chance(count)]; }

static void make_integer(struct buf *out)
{
    static const char *const edges[] = { "0",
                                         "-1",
                                         "127",
                                         "-128",
                                         "255",
                                         "32767",
                                         "-32768",
                                         "65535",
                                         "8388607",
                                         "-8388608",
                                         "16777215",
                                         "2147483647",
                                         "-2147483648",
                                         "4294967295",
                                         "9223372036854775807",
                                         "-9223372036854775808",
                                         "18446744073709551615" };
    if (chance(2))
        buf_text(out, one_of(edges, ARRAY_SIZE(edges)));
    else
        buf_printf(out, "%" PRId64,
                   (int64_t)(chance(UINT64_C(1) << 40) << chance(24)) >> chance(40));
}

static void make_decimal(struct buf *out)
{
    buf_text(out, chance(2) ? "-" : "");
    for (uint64_t i = chance(36); i > 0; i--)
        buf_u8(out, (uint8_t)('0' + (chance(4) ? chance(10) : 0)));
    buf_text(out, "0.");
    for (uint64_t i = chance(32); i > 0; i--)
        buf_u8(out, (uint8_t)('0' + (chance(3) ? chance(10) : 9 * chance(2))));
    buf_text(out, "0");
}

static void make_double(struct buf *out)
{
    static const char *const edges[] = { "0",
                                         "-0e0",
                                         "1",
                                         "16777217",
                                         "1e20",
                                         "1e-20",
                                         "0.1",
                                         "3.4028234e38",
                                         "1.17549435e-38",
                                         "123456789.125",
                                         "1e15",
                                         "1e16",
                                         "5e-324",
                                         "1.5e-7" };
    if (chance(3) == 0)
        buf_text(out, one_of(edges, ARRAY_SIZE(edges)));
    else
        buf_printf(out, "%.17ge%d", (double)chance(1u << 30) / 977 - 500000, (int)chance(60) - 30);
}

static void make_date(struct buf *out)
{
    static const char *const edges[] = { "0000-00-00", "2020-00-31", "2020-01-00", "1000-01-01",
                                         "9999-12-31", "2021-02-31", "1969-12-31", "1970-01-01",
                                         "2000-02-29", "0000-01-01", "1900-03-01", "0004-02-29",
                                         "0001-01-01" };
    if (chance(3) == 0)
        buf_printf(out, "'%s'", one_of(edges, ARRAY_SIZE(edges)));
    else
        buf_printf(out, "'%04u-%02u-%02u'", (unsigned)chance(10000), (unsigned)chance(12) + 1,
                   (unsigned)chance(28) + 1);
}

static void make_datetime(struct buf *out)
{
    make_date(out);
    out->size--;
    buf_printf(out, " %02u:%02u:%02u.%06u'", (unsigned)chance(24), (unsigned)chance(60),
               (unsigned)chance(60), chance(4) ? (unsigned)chance(1000000) : 0);
}

static void make_timestamp(struct buf *out)
{
    static const char *const edges[] = { "0000-00-00 00:00:00", "1970-01-01 00:00:01",
                                         "2038-01-19 03:14:07", "2038-01-19 03:14:07.499999" };
    if (chance(4) == 0)
        buf_printf(out, "'%s'", one_of(edges, ARRAY_SIZE(edges)));
    else
        buf_printf(out, "FROM_UNIXTIME(%u.%06u)", (unsigned)chance(2000000000) + 1,
                   (unsigned)chance(1000000));
}

static void make_time(struct buf *out)
{
    static const char *const edges[] = { "00:00:00",         "-00:00:00.5",      "838:59:59",
                                         "-838:59:59",       "-00:00:00.000001", "-00:00:01",
                                         "-01:00:00.999999", "00:00:00.01" };
    if (chance(3) == 0)
        buf_printf(out, "'%s'", one_of(edges, ARRAY_SIZE(edges)));
    else
        buf_printf(out, "'%s%u:%02u:%02u.%06u'", chance(2) ? "-" : "", (unsigned)chance(838),
                   (unsigned)chance(60), (unsigned)chance(60), (unsigned)chance(1000000));
}

static void make_year(struct buf *out)
{
    buf_printf(out, "%u", chance(4) ? 1901 + (unsigned)chance(255) : 0);
}

static void make_bytes(struct buf *out)
{
    uint64_t size = chance(8) ? chance(24) : chance(700);
    buf_text(out, "x'");
    for (uint64_t i = 0; i < size; i++)
        buf_printf(out, "%02x", chance(4) ? (unsigned)chance(256) : 0);
    buf_text(out, "'");
}

/* Characters that most sets lack are replaced by the server as it stores them. */
static void make_text(struct buf *out)
{
    static const char *const pieces[] = { "a",
                                          "Z",
                                          " ",
                                          "  ",
                                          "0",
                                          "''",
                                          "\\\\",
                                          "\\n",
                                          "\xc3\xa9",
                                          "\xc3\xbc",
                                          "\xe2\x82\xac",
                                          "\xd0\x96",
                                          "\xce\xb1",
                                          "\xe4\xb8\xad",
                                          "\xe6\x97\xa5",
                                          "\xe3\x81\x82",
                                          "\xef\xbd\xb1",
                                          "\xed\x95\x9c",
                                          "\xf0\x9f\x98\x80",
                                          "\xe2\x80\x94",
                                          "\x7f",
                                          "~",
                                          "\xe0\xb8\x81",
                                          "\xd7\x90",
                                          "\xc5\x82",
                                          "\xe7\x9a\x84",
                                          "word and word" };
    buf_text(out, "'");
    for (uint64_t i = chance(8) ? chance(12) : chance(60); i > 0; i--)
        buf_text(out, one_of(pieces, ARRAY_SIZE(pieces)));
    buf_text(out, "'");
}

static void make_enum(struct buf *out) { buf_printf(out, "%u", (unsigned)chance(4)); }
static void make_set(struct buf *out) { buf_printf(out, "%u", (unsigned)chance(16)); }

static void make_bit(struct buf *out)
{
    buf_printf(out, "%" PRIu64, chance(1u << 30) << chance(35));
}

static void make_geometry(struct buf *out)
{
    buf_printf(out, "ST_GeomFromText('LINESTRING(%u %u,%u.5 -%u)', %u)", (unsigned)chance(90),
               (unsigned)chance(90), (unsigned)chance(90), (unsigned)chance(90), 0u);
}

static void make_uuid(struct buf *out)
{
    buf_printf(out, "'%08x-%04x-%x%03x-9%03x-%06x%06x'", (unsigned)chance(UINT32_MAX),
               (unsigned)chance(0x10000), 1 + (unsigned)chance(7), (unsigned)chance(0x1000),
               (unsigned)chance(0x1000), (unsigned)chance(1u << 24), (unsigned)chance(1u << 24));
}

static void make_inet4(struct buf *out)
{
    buf_printf(out, "'%u.%u.%u.%u'", (unsigned)chance(256), (unsigned)chance(256),
               (unsigned)chance(256), (unsigned)chance(2) * 9);
}

static void make_inet6(struct buf *out)
{
    buf_printf(out, "'%x:%x::%x'", (unsigned)chance(0x10000), (unsigned)chance(0x10000),
               (unsigned)chance(2) * 77);
}

static void make_vector(struct buf *out)
{
    buf_text(out, "x'");
    for (int i = 0; i < 3; i++)
        buf_printf(out, "%06x%02x", (unsigned)chance(1u << 24), 0x3f);
    buf_text(out, "'");
}

static void make_json(struct buf *out, int depth)
{
    static const char *const scalars[] = { "null",
                                           "true",
                                           "false",
                                           "'a\\nb\\\"c\\\\'",
                                           "''",
                                           "1.5e0",
                                           "1e20",
                                           "1e-7",
                                           "-0.0e0",
                                           "123456789012345678e0",
                                           "0.1e0",
                                           "12.50",
                                           "-0.001",
                                           "65535",
                                           "-32768",
                                           "32768",
                                           "4294967296",
                                           "-2147483649",
                                           "18446744073709551615",
                                           "'\xf0\x9f\x98\x80\xc3\xa9'",
                                           "CAST('2020-01-01' AS DATE)",
                                           "CAST('-838:59:58.5' AS TIME(1))",
                                           "CAST('2020-01-01 10:11:12.123456' AS DATETIME(6))",
                                           "CAST(x'00ff10' AS BINARY)",
                                           "CAST(12345678901234567890.123456789 AS DECIMAL(65,30))",
                                           "CHAR(1, 31, 127 USING utf8mb4)",
                                           "CAST(0.5 AS DECIMAL(5,5))",
                                           "TIMESTAMP('2001-02-03 04:05:06')" };
    uint64_t kind = chance(depth > 4 ? 3 : 6), count = chance(chance(6) ? 5 : 40);
    if (kind < 2) {
        buf_text(out, one_of(scalars, ARRAY_SIZE(scalars)));
    } else if (kind == 2) {
        if (chance(3))
            make_double(out);
        else
            buf_printf(out, "REPEAT('%s', %u)", chance(2) ? "x" : "\xc3\xa9",
                       (unsigned)chance(chance(20) ? 300 : 40000));
    } else {
        buf_text(out, kind == 3 ? "JSON_ARRAY(" : "JSON_OBJECT(");
        for (uint64_t i = 0; i < count; i++) {
            buf_text(out, i ? "," : "");
            if (kind != 3)
                buf_printf(out, "'k%" PRIu64 "%s',", chance(1000), chance(5) ? "" : "\"\\n long");
            make_json(out, depth + 1);
        }
        buf_text(out, ")");
    }
}

static void make_document(struct buf *out)
{
    buf_text(out, "JSON_MERGE_PRESERVE(JSON_ARRAY(),");
    buf_text(out, "JSON_EXTRACT(JSON_ARRAY(");
    make_json(out, 0);
    buf_text(out, "),'$[0]'))");
}

/* ---- the tables ---- */

enum only { EVERYWHERE, MYSQL_ONLY, MARIADB_ONLY, WITH_VECTORS };
/* How SELECT shows a column as the text of its canonical form. */
#define PLAIN     "%s"
#define EXACT     "CAST(%s AS DOUBLE)"
#define HEX_TEXT  "HEX(CONVERT(%s USING utf8mb4))"
#define HEX_BYTES "HEX(%s)"

struct kind {
    const char *type;
    void (*make)(struct buf *out);
    const char *shown;
    enum only only;
};

static const struct kind kinds[] = {
    { "TINYINT", make_integer, PLAIN, 0 },
    { "TINYINT UNSIGNED", make_integer, PLAIN, 0 },
    { "SMALLINT", make_integer, PLAIN, 0 },
    { "SMALLINT UNSIGNED", make_integer, PLAIN, 0 },
    { "MEDIUMINT", make_integer, PLAIN, 0 },
    { "MEDIUMINT UNSIGNED", make_integer, PLAIN, 0 },
    { "INT", make_integer, PLAIN, 0 },
    { "INT UNSIGNED", make_integer, PLAIN, 0 },
    { "BIGINT", make_integer, PLAIN, 0 },
    { "BIGINT UNSIGNED", make_integer, PLAIN, 0 },
    { "FLOAT", make_double, EXACT, 0 },
    { "DOUBLE", make_double, PLAIN, 0 },
    { "YEAR", make_year, "%s+0", 0 },
    { "TINYINT UNSIGNED", make_integer, PLAIN, 0 },
    { "DECIMAL(10,2)", make_decimal, PLAIN, 0 },
    { "DECIMAL(18,18)", make_decimal, PLAIN, 0 },
    { "DECIMAL(18,0)", make_decimal, PLAIN, 0 },
    { "DECIMAL(19,4)", make_decimal, PLAIN, 0 },
    { "DECIMAL(65,30)", make_decimal, PLAIN, 0 },
    { "DECIMAL(30,30)", make_decimal, PLAIN, 0 },
    { "DECIMAL(5,0)", make_decimal, PLAIN, 0 },
    { "DECIMAL(11,10)", make_decimal, PLAIN, 0 },
    { "DATE", make_date, PLAIN, 0 },
    { "DATETIME", make_datetime, PLAIN, 0 },
    { "DATETIME(1)", make_datetime, PLAIN, 0 },
    { "DATETIME(3)", make_datetime, PLAIN, 0 },
    { "DATETIME(6)", make_datetime, PLAIN, 0 },
    { "TIMESTAMP NULL", make_timestamp, PLAIN, 0 },
    { "TIMESTAMP(2) NULL", make_timestamp, PLAIN, 0 },
    { "TIMESTAMP(5) NULL", make_timestamp, PLAIN, 0 },
    { "TIME", make_time, PLAIN, 0 },
    { "TIME(2)", make_time, PLAIN, 0 },
    { "TIME(3)", make_time, PLAIN, 0 },
    { "TIME(6)", make_time, PLAIN, 0 },
    { "BIT(1)", make_bit, "%s+0", 0 },
    { "BIT(10)", make_bit, "%s+0", 0 },
    { "BIT(64)", make_bit, "%s+0", 0 },
    { "CHAR(10) CHARACTER SET utf8mb4", make_text, HEX_TEXT, 0 },
    { "CHAR(255) CHARACTER SET utf8mb4", make_text, HEX_TEXT, 0 },
    { "VARCHAR(60) CHARACTER SET utf8mb4", make_text, HEX_TEXT, 0 },
    { "VARCHAR(255) CHARACTER SET latin1", make_text, HEX_TEXT, 0 },
    { "VARCHAR(300) CHARACTER SET gbk", make_text, HEX_TEXT, 0 },
    { "TINYTEXT CHARACTER SET cp1251", make_text, HEX_TEXT, 0 },
    { "TEXT CHARACTER SET sjis", make_text, HEX_TEXT, 0 },
    { "MEDIUMTEXT CHARACTER SET ujis", make_text, HEX_TEXT, 0 },
    { "LONGTEXT CHARACTER SET utf8mb3", make_text, HEX_TEXT, 0 },
    { "VARCHAR(80) CHARACTER SET ucs2", make_text, HEX_TEXT, 0 },
    { "CHAR(30) CHARACTER SET utf16", make_text, HEX_TEXT, 0 },
    { "TEXT CHARACTER SET utf16le", make_text, HEX_TEXT, 0 },
    { "VARCHAR(80) CHARACTER SET utf32", make_text, HEX_TEXT, 0 },
    { "VARCHAR(80) CHARACTER SET big5", make_text, HEX_TEXT, 0 },
    { "VARCHAR(80) CHARACTER SET euckr", make_text, HEX_TEXT, 0 },
    { "VARCHAR(80) CHARACTER SET swe7", make_text, HEX_TEXT, 0 },
    { "VARCHAR(80) CHARACTER SET tis620", make_text, HEX_TEXT, 0 },
    { "VARCHAR(80) CHARACTER SET hebrew", make_text, HEX_TEXT, 0 },
    { "VARCHAR(80) CHARACTER SET cp932", make_text, HEX_TEXT, 0 },
    { "VARCHAR(80) CHARACTER SET gb18030", make_text, HEX_TEXT, MYSQL_ONLY },
    { "BINARY(4)", make_bytes, HEX_BYTES, 0 },
    { "BINARY(255)", make_bytes, HEX_BYTES, 0 },
    { "VARBINARY(40)", make_bytes, HEX_BYTES, 0 },
    { "VARBINARY(300)", make_bytes, HEX_BYTES, 0 },
    { "TINYBLOB", make_bytes, HEX_BYTES, 0 },
    { "BLOB", make_bytes, HEX_BYTES, 0 },
    { "LONGBLOB", make_bytes, HEX_BYTES, 0 },
    { "ENUM('a','b,c','\xc3\xa9') CHARACTER SET utf8mb4", make_enum, HEX_TEXT, 0 },
    { "ENUM('x','\xc3\xbc','z') CHARACTER SET latin1", make_enum, HEX_TEXT, 0 },
    { "SET('a','b','\xe4\xb8\xad','d') CHARACTER SET gbk", make_set, HEX_TEXT, 0 },
    { "SET('p','q','r','s') CHARACTER SET ucs2", make_set, HEX_TEXT, 0 },
    { "GEOMETRY", make_geometry, HEX_BYTES, 0 },
    { "LINESTRING", make_geometry, HEX_BYTES, 0 },
    { "JSON", make_document, HEX_TEXT, 0 },
    { "JSON", make_document, HEX_TEXT, 0 },
    { "VECTOR(3)", make_vector, HEX_BYTES, WITH_VECTORS },
    { "UUID", make_uuid, "UPPER(REPLACE(%s,'-',''))", MARIADB_ONLY },
    { "INET4", make_inet4, "LPAD(HEX(INET_ATON(%s)),8,'0')", MARIADB_ONLY },
    { "INET6", make_inet6, "HEX(INET6_ATON(%s))", MARIADB_ONLY },
    { "VARCHAR(200) COMPRESSED CHARACTER SET latin1", make_text, HEX_TEXT, MARIADB_ONLY },
    { "TEXT COMPRESSED CHARACTER SET utf8mb4", make_text, HEX_TEXT, MARIADB_ONLY },
    { "BLOB COMPRESSED", make_bytes, HEX_BYTES, MARIADB_ONLY },
    { "VARBINARY(900) COMPRESSED", make_bytes, HEX_BYTES, MARIADB_ONLY },
};
enum { KINDS_MAX = ARRAY_SIZE(kinds) };

struct run {
    struct server server;
    const struct kind *columns[KINDS_MAX]; /* of column c1 and on; c0 is the key */
    uint32_t column_count, rows;
    struct arena arena;
    struct collation_table collations;
    struct table_map *map;
    struct table *table;
    struct row_plan *plan;
    const struct value *latest[ROWS_MAX]; /* by id */
    struct batch batch;
    uint64_t decoded, partial, cells, replaced, failures;
};

static bool kind_exists(const struct run *run, const struct kind *kind)
{
    return kind->only == EVERYWHERE || (kind->only == MYSQL_ONLY && !run->server.mariadb) ||
           (kind->only == MARIADB_ONLY && run->server.mariadb) ||
           (kind->only == WITH_VECTORS && run->server.vectors);
}

static void table_create(struct run *run)
{
    struct buf sql;
    buf_init(&sql, 1 << 20);
    buf_text(&sql, "CREATE TABLE rows_select.t (c0 INT NOT NULL PRIMARY KEY");
    for (size_t i = 0; i < KINDS_MAX; i++)
        if (kind_exists(run, &kinds[i]))
            run->columns[run->column_count++] = &kinds[i];
    for (uint32_t i = 0; i < run->column_count; i++) { /* lists of the table map skip columns */
        uint64_t other = i + chance(run->column_count - i);
        const struct kind *kind = run->columns[other];
        run->columns[other] = run->columns[i];
        run->columns[i] = kind;
        buf_printf(&sql, ", c%u %s", i + 1, kind->type);
    }
    buf_text(&sql, ") ENGINE=InnoDB ROW_FORMAT=DYNAMIC CHARACTER SET latin1");
    server_run(&run->server, "%.*s", (int)sql.size, (const char *)sql.data);
    buf_done(&sql);
}

static void row_insert(struct run *run, uint32_t id, bool replace)
{
    struct buf sql;
    buf_init(&sql, 64 << 20);
    buf_printf(&sql, "%s INTO rows_select.t VALUES (%u", replace ? "REPLACE" : "INSERT IGNORE", id);
    for (uint32_t i = 0; i < run->column_count; i++) {
        buf_u8(&sql, ',');
        if (chance(12) == 0)
            buf_text(&sql, "NULL");
        else
            run->columns[i]->make(&sql);
    }
    buf_u8(&sql, ')');
    server_run(&run->server, "%.*s", (int)sql.size, (const char *)sql.data);
    buf_done(&sql);
}

/* Functions that the server may log as diffs of a document. */
static void json_update(struct run *run, uint32_t id)
{
    static const char *const changes[] = {
        "JSON_SET(c%u,'$.k1', 1)",    "JSON_SET(c%u,'$[0]', 'changed')",
        "JSON_REMOVE(c%u,'$[1]')",    "JSON_REPLACE(c%u,'$[0]', JSON_OBJECT('z', 1.5e0))",
        "JSON_SET(c%u,'$[99]', 2)",   "JSON_SET(c%u,'$[0].new', '\"q\\n', '$[0].\"a b\"', 7)",
        "JSON_REMOVE(c%u,'$[last]')", "JSON_SET(c%u,'$[0].k5.\"x\\\\\"y\"', true)"
    };
    for (uint32_t i = 0; i < run->column_count; i++) {
        char change[200];
        if (run->columns[i]->make != make_document || run->server.mariadb)
            continue;
        const char *format = one_of(changes, ARRAY_SIZE(changes)), *place = strstr(format, "%u");
        snprintf(change, sizeof change, "%.*sc%u%s", (int)(place - format) - 1, format, i + 1,
                 place + 2);
        server_run(&run->server, "UPDATE IGNORE rows_select.t SET c%u = %s WHERE c0 = %u", i + 1,
                   change, id);
    }
}

/* ---- the log ---- */

static void check(bool passed, const char *what, const struct error *err)
{
    if (passed)
        return;
    fprintf(stderr, "%s: %s\n", what, err->message);
    exit(1);
}

/* What a tracked version knows better: MariaDB's log shows some types as bytes only, and does not
 * tell the fraction of temporal types in the format of before 5.6. */
static void complete_type(const struct kind *kind, const struct column *column)
{
    struct type *type = (struct type *)(uintptr_t)&column->type;
    bool temporal = type->kind >= TYPE_TIME && type->kind <= TYPE_TIMESTAMP;
    const char *digits = temporal ? strchr(kind->type, '(') : NULL;
    if (kind->make == make_uuid)
        type->kind = TYPE_UUID;
    if (kind->make == make_inet4)
        type->kind = TYPE_INET4;
    if (kind->make == make_inet6)
        type->kind = TYPE_INET6;
    if (digits)
        type->scale = (uint8_t)(digits[1] - '0');
}

static void map_take(struct run *run, struct bytes body)
{
    struct error err = { 0 };
    struct table_map_name name;
    check(table_map_peek(body, &name, &err), "peek", &err);
    run->map = NULL;
    if (!bytes_is(name.database, "rows_select"))
        return;
    check(table_map_parse(body, run->server.mariadb, &run->arena, &run->map, &err), "map", &err);
    if (!run->table) {
        check(table_map_derive(run->map, NULL, &run->collations, &run->arena, &run->table, &err),
              "derive", &err);
        for (uint32_t i = 0; i < run->column_count; i++)
            complete_type(run->columns[i], &run->table->columns[i + 1]);
    }
    struct buf why;
    buf_init(&why, 4096);
    if (!table_map_fits(run->map, run->table, &why)) {
        fprintf(stderr, "does not fit: %.*s\n", (int)why.size, (const char *)why.data);
        exit(1);
    }
    buf_done(&why);
    check(row_plan_make(run->map, run->table, &run->collations, &run->arena, &run->plan, &err),
          "plan", &err);
}

/* What an image lacks is as it was. */
static void event_keep(struct run *run, const struct event *event)
{
    const struct value *key = event->before ? event->before : event->after;
    ASSERT(key[0].tag == VALUE_INT && key[0].integer >= 0 && key[0].integer < ROWS_MAX);
    const struct value **latest = &run->latest[key[0].integer];
    struct value *kept = arena_array(&run->arena, run->table->column_count, sizeof *kept);
    for (uint16_t i = 0; event->after && i < run->table->column_count; i++) {
        kept[i] = event->after[i];
        if (kept[i].tag == VALUE_TEXT)
            kept[i] = value_text(arena_copy(&run->arena, value_bytes(&kept[i])));
        if (kept[i].tag == VALUE_ABSENT && *latest)
            kept[i] = (*latest)[i];
    }
    *latest = event->after ? kept : NULL;
}

static void rows_take(struct run *run, uint8_t type, struct bytes body)
{
    struct error err = { 0 };
    struct rows_cursor cursor = { .plan = run->plan };
    check(rows_event_parse(body, type, &cursor.event, &err), "rows event", &err);
    for (bool end = false; !end;) {
        arena_reset(&run->batch.arena);
        run->batch.count = 0;
        check(rows_decode(&cursor, &run->batch, &end, &err), "rows", &err);
        for (uint32_t i = 0; i < run->batch.count; i++)
            event_keep(run, &run->batch.events[i]);
        run->decoded += run->batch.count;
        run->partial += type == 39 ? run->batch.count : 0;
    }
    run->replaced = run->batch.replaced;
}

static void event_take(void *context, uint8_t type, uint32_t time, struct bytes body)
{
    enum { TABLE_MAP = 19 };
    struct run *run = context;
    (void)time;
    if (type == TABLE_MAP)
        map_take(run, body);
    else if (((type >= 23 && type <= 25) || (type >= 30 && type <= 32) || type == 39) && run->map)
        rows_take(run, type, body);
}

/* ---- comparing ---- */

static bool cell_equal(const struct type *type, const struct value *value, const char *text,
                       size_t size, struct buf *shown)
{
    if (!text || value->tag == VALUE_NULL)
        return !text && value->tag == VALUE_NULL;
    if (value->tag == VALUE_DOUBLE) {
        double number = strtod(text, NULL);
        value_show(shown, type, value);
        return number == value->number && !signbit(number) == !signbit(value->number);
    }
    value_show(shown, type, value);
    return bytes_equal(buf_view(shown), (struct bytes){ (const uint8_t *)text, size });
}

static void row_compare(struct run *run, MYSQL_ROW row, const unsigned long *sizes)
{
    unsigned long id = strtoul(row[0], NULL, 10);
    const struct value *values = run->latest[id];
    if (!values) {
        fprintf(stderr, "row %lu is not in the log\n", id);
        run->failures++;
        return;
    }
    for (uint32_t i = 1; i <= run->column_count; i++) {
        struct buf shown;
        buf_init(&shown, 256 << 20);
        run->cells++;
        if (!cell_equal(&run->table->columns[i].type, &values[i], row[i], sizes[i], &shown)) {
            run->failures++;
            fprintf(stderr, "row %lu, %s\n  server %.2000s\n  log    %.*s (tag %u)\n", id,
                    run->columns[i - 1]->type, row[i] ? row[i] : "NULL",
                    (int)(shown.size < 2000 ? shown.size : 2000), (const char *)shown.data,
                    values[i].tag);
        }
        buf_done(&shown);
    }
    run->latest[id] = NULL;
}

static void compare(struct run *run)
{
    struct buf sql;
    buf_init(&sql, 1 << 20);
    buf_text(&sql, "SELECT c0");
    for (uint32_t i = 1; i <= run->column_count; i++) {
        char name[16];
        snprintf(name, sizeof name, "c%u", i);
        const char *shown = run->columns[i - 1]->shown, *place = strstr(shown, "%s");
        buf_printf(&sql, ", %.*s%s%s", (int)(place - shown), shown, name, place + 2);
    }
    buf_text(&sql, " FROM rows_select.t");
    buf_u8(&sql, 0);
    MYSQL_RES *result = server_select(&run->server, (const char *)sql.data);
    uint64_t rows = 0;
    for (MYSQL_ROW row; (row = mysql_fetch_row(result)); rows++)
        row_compare(run, row, mysql_fetch_lengths(result));
    for (uint32_t i = 0; i < ROWS_MAX; i++)
        if (run->latest[i]) {
            fprintf(stderr, "row %u is in the log only\n", i);
            run->failures++;
        }
    mysql_free_result(result);
    buf_done(&sql);
    printf("%s: %" PRIu64 " changes of rows, %" PRIu64 " with diffs of JSON, %" PRIu64
           " rows, %" PRIu64 " cells compared, %" PRIu64 " texts replaced, %" PRIu64 " differ\n",
           mysql_get_server_info(run->server.mysql), run->decoded, run->partial, rows, run->cells,
           run->replaced, run->failures);
}

static void collations_load(struct run *run)
{
    const char *sql =
        run->server.mariadb
            ? "SELECT id, full_collation_name, character_set_name FROM "
              "information_schema.COLLATION_CHARACTER_SET_APPLICABILITY ORDER BY id"
            : "SELECT id, collation_name, character_set_name FROM information_schema.COLLATIONS "
              "ORDER BY id";
    MYSQL_RES *result = server_select(&run->server, sql);
    struct collation_entry *entries =
        arena_array(&run->arena, mysql_num_rows(result) + 1, sizeof *entries);
    for (MYSQL_ROW row; (row = mysql_fetch_row(result)); run->collations.count++)
        entries[run->collations.count] =
            (struct collation_entry){ .id = (uint32_t)strtoul(row[0], NULL, 10),
                                      .collation = arena_copy(&run->arena, bytes_from(row[1])),
                                      .charset = arena_copy(&run->arena, bytes_from(row[2])) };
    run->collations.entries = entries;
    mysql_free_result(result);
}

static uint64_t server_compare(const char *address, uint32_t rows, const char *image)
{
    struct run run = { .rows = rows };
    server_open(&run.server, address);
    collations_load(&run);
    server_run(&run.server, "DROP DATABASE IF EXISTS rows_select");
    server_run(&run.server, "CREATE DATABASE rows_select");
    server_run(&run.server, "SET SESSION binlog_row_image = '%s'", image);
    if (!run.server.mariadb && strcmp(image, "FULL") == 0)
        server_run(&run.server, "SET SESSION binlog_row_value_options = 'PARTIAL_JSON'");
    table_create(&run);
    server_mark_log(&run.server);
    for (uint32_t i = 0; i < rows; i++)
        row_insert(&run, i, false);
    for (uint32_t i = 0; i < rows; i++)
        json_update(&run, i);
    for (uint32_t i = 0; i < rows / 4; i++)
        row_insert(&run, (uint32_t)chance(rows), true);
    for (uint32_t i = 0; i < rows / 16; i++)
        server_run(&run.server, "DELETE FROM rows_select.t WHERE c0 = %u", (unsigned)chance(rows));
    server_read_log(&run.server, address, event_take, &run);
    ASSERT(run.table);
    compare(&run);
    server_run(&run.server, "DROP DATABASE rows_select");
    server_close(&run.server);
    arena_done(&run.arena);
    arena_done(&run.batch.arena);
    free(run.batch.events);
    return run.failures;
}

int main(void)
{
    const char *servers = getenv("MILLRACE_TEST_MYSQL"), *rows = getenv("MILLRACE_TEST_ROWS");
    const char *seed = getenv("MILLRACE_TEST_SEED");
    static const char *const images[] = { "FULL", "MINIMAL", "NOBLOB" };
    if (!servers) {
        fputs("MILLRACE_TEST_MYSQL=host:port:user:password names no server\n", stderr);
        return 2;
    }
    state = seed ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL);
    printf("seed %" PRIu64 "\n", state);
    uint64_t count = rows ? strtoull(rows, NULL, 10) : 200, failures = 0;
    char copy[1024], *rest = copy;
    snprintf(copy, sizeof copy, "%s", servers);
    for (const char *address; (address = strsep(&rest, ","));)
        for (size_t i = 0; i < ARRAY_SIZE(images); i++)
            failures +=
                server_compare(address, (uint32_t)(count < ROWS_MAX ? count : ROWS_MAX), images[i]);
    return failures > 0;
}
