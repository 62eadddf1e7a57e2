/* SPDX-License-Identifier: Apache-2.0
 *
 * The rarer events of the log, byte by byte, and what each does to rows and positions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "cmocka.h"

#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "engine/base/assert.h"
#include "tests/support/scripted_log.h"

enum {
    QUERY = 2,
    XID = 16,
    TABLE_MAP = 19,
    INCIDENT = 26,
    HEARTBEAT = 27,
    WRITE_ROWS = 30,
    XA_PREPARE = 38,
    PAYLOAD = 40,
    HEARTBEAT_V2 = 41,
    GTID_TAGGED = 42,
    MARIADB_GTID = 162,
    QUERY_COMPRESSED = 165,
    WRITE_ROWS_COMPRESSED = 169,
    PARTIAL_ROW_DATA = 172
};
enum { FLAG_IGNORABLE = 0x80, HEADER = 19, MARIADB_STANDALONE = 1 };

static void buf_cleanup(struct buf *buf) { buf_done(buf); }
#define SCRATCH __attribute__((cleanup(buf_cleanup))) struct buf

static struct buf scratch_make(void)
{
    struct buf buf;
    buf_init(&buf, 1 << 26);
    return buf;
}

static void assert_rows(const struct log_lab *lab, int64_t first, uint32_t count)
{
    assert_int_equal(lab->batch.count, count);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(lab->batch.events[i].op, EVENT_INSERT);
        assert_int_equal(lab->batch.events[i].after[0].integer, first + i);
    }
}

static void read_well(struct log_lab *lab)
{
    struct error err;
    if (!lab_read(lab, &err))
        fail_msg("%s", err.message);
}

static void read_badly(struct log_lab *lab, enum error_kind kind, const char *text)
{
    struct error err = { 0 };
    assert_false(lab_read(lab, &err));
    assert_int_equal(err.kind, kind);
    if (!strstr(err.message, text))
        fail_msg("'%s' is not in '%s'", text, err.message);
}

static void assert_executed(const struct log_lab *lab, const char *text)
{
    SCRATCH found = scratch_make();
    gtid_set_text(&lab->log->executed, &found);
    buf_u8(&found, 0);
    assert_string_equal((const char *)found.data, text);
}

/* ---- TRANSACTION_PAYLOAD ---- */

static void put_inner(struct log_lab *lab, uint8_t type, struct bytes body, struct buf *out)
{
    lab_put_event(lab, type, body, out);
}

/* BEGIN, a map, rows and the end of the transaction, as they lie inside. */
static void put_packed_events(struct log_lab *lab, int32_t first, uint32_t count, struct buf *out)
{
    SCRATCH begin = scratch_make();
    SCRATCH map = scratch_make();
    SCRATCH rows = scratch_make();
    lab_query_body("BEGIN", &begin);
    lab_map_body(&map);
    lab_rows_body(first, count, &rows);
    put_inner(lab, QUERY, buf_view(&begin), out);
    put_inner(lab, TABLE_MAP, buf_view(&map), out);
    put_inner(lab, WRITE_ROWS, buf_view(&rows), out);
    put_inner(lab, XID, (struct bytes){ (const uint8_t *)"12345678", 8 }, out);
}

static void put_field(struct buf *out, uint8_t tag, uint64_t number)
{
    buf_u8(out, tag);
    buf_u8(out, 9);
    buf_u8(out, 254);
    buf_le(out, number, 8);
}

static void put_payload(struct log_lab *lab, uint8_t algorithm, struct bytes packed)
{
    SCRATCH body = scratch_make();
    put_field(&body, 2, algorithm);
    put_field(&body, 3, 1 << 20);
    put_field(&body, 1, packed.size);
    buf_u8(&body, 0);
    buf_bytes(&body, packed);
    lab_event(lab, PAYLOAD, buf_view(&body));
}

static void test_payloads(void **unused)
{
    (void)unused;
    for (int packs = 0; packs < 2; packs++) {
        struct log_lab lab;
        SCRATCH inner = scratch_make();
        lab_open(&lab, false);
        put_packed_events(&lab, 100, 3000, &inner);
        uint8_t *packed = malloc(ZSTD_compressBound(inner.size));
        size_t size =
            ZSTD_compress(packed, ZSTD_compressBound(inner.size), inner.data, inner.size, 3);
        lab_gtid(&lab, 1);
        put_payload(&lab, packs ? 0 : 255,
                    packs ? (struct bytes){ packed, size } : buf_view(&inner));
        free(packed);
        read_well(&lab);
        assert_rows(&lab, 100, 3000);
        assert_non_null(lab.batch.end.token.data);
        assert_executed(&lab, "30313233-3435-3637-3839-616263646566:1");
        lab_close(&lab);
    }
}

static void test_payloads_that_are_broken(void **unused)
{
    (void)unused;
    static const struct {
        uint8_t algorithm;
        const char *packed;
        size_t size;
    } cases[] = {
        { 0, "no zstd at all", 14 },
        { 7, "an algorithm nobody knows", 25 },
        { 255, "short", 5 },
        { 255, "an event whose size is wrong", 28 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct log_lab lab;
        lab_open(&lab, false);
        lab_gtid(&lab, 1);
        put_payload(&lab, cases[i].algorithm,
                    (struct bytes){ (const uint8_t *)cases[i].packed, cases[i].size });
        read_badly(&lab, ERROR_RETRY, "malformed TRANSACTION_PAYLOAD");
        lab_close(&lab);
    }
}

/* ---- fragments ---- */

struct cut {
    bool number_first, checksum;
    uint32_t pieces;
};

static void put_fragments(struct log_lab *lab, const struct cut *cut, struct bytes whole,
                          uint32_t left_out)
{
    size_t step = (whole.size + cut->pieces - 1) / cut->pieces;
    for (uint32_t i = 1; i <= cut->pieces; i++) {
        SCRATCH body = scratch_make();
        size_t from = step * (i - 1), to = i == cut->pieces ? whole.size : step * i;
        buf_le(&body, cut->number_first ? i : cut->pieces, 4);
        buf_le(&body, cut->number_first ? cut->pieces : i, 4);
        buf_u8(&body, i == 1);
        if (i == 1)
            buf_le(&body, whole.size, 8);
        buf_put(&body, whole.data + from, to - from);
        if (i != left_out)
            lab_event(lab, PARTIAL_ROW_DATA, buf_view(&body));
    }
}

static void put_whole(struct log_lab *lab, const struct cut *cut, uint8_t type, struct buf *out)
{
    SCRATCH rows = scratch_make();
    lab_rows_body(7, 2000, &rows);
    lab_put_event(lab, type, buf_view(&rows), out);
    if (cut->checksum)
        buf_le(out, crc32(0, out->data, (uInt)out->size), 4);
}

static void test_fragments_are_joined(void **unused)
{
    (void)unused;
    static const struct cut cuts[] = { { true, true, 2 },
                                       { true, false, 7 },
                                       { false, true, 3 },
                                       { false, false, 2 },
                                       { true, true, 1 } };
    for (size_t i = 0; i < ARRAY_SIZE(cuts); i++) {
        struct log_lab lab;
        SCRATCH whole = scratch_make();
        lab_open(&lab, true);
        put_whole(&lab, &cuts[i], WRITE_ROWS, &whole);
        lab_gtid(&lab, 1);
        lab_query(&lab, "BEGIN");
        lab_map(&lab);
        put_fragments(&lab, &cuts[i], buf_view(&whole), 0);
        put_fragments(&lab, &cuts[i], buf_view(&whole), 0);
        lab_xid(&lab);
        read_well(&lab);
        assert_int_equal(lab.batch.count, 4000);
        for (uint32_t k = 0; k < 4000; k++)
            assert_int_equal(lab.batch.events[k].after[0].integer, 7 + k % 2000);
        lab_close(&lab);
    }
}

static void test_fragments_that_do_not_join(void **unused)
{
    (void)unused;
    static const struct {
        struct cut cut;
        uint8_t type;
        uint32_t left_out;
        const char *why;
    } cases[] = {
        { { true, true, 3 }, WRITE_ROWS, 2, "one is missing" },
        { { false, true, 3 }, WRITE_ROWS, 1, "one is missing" },
        { { true, true, 3 }, XID, 0, "they make no rows event" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct log_lab lab;
        SCRATCH whole = scratch_make();
        lab_open(&lab, true);
        put_whole(&lab, &cases[i].cut, cases[i].type, &whole);
        lab_gtid(&lab, 1);
        lab_map(&lab);
        put_fragments(&lab, &cases[i].cut, buf_view(&whole), cases[i].left_out);
        read_badly(&lab, ERROR_CONFIG, cases[i].why);
        lab_close(&lab);
    }
}

/* ---- MariaDB's packed events ---- */

static void put_packed(struct buf *out, struct bytes plain)
{
    uLongf size = compressBound((uLong)plain.size);
    uint8_t *packed = malloc(size);
    assert_int_equal(compress(packed, &size, plain.data, (uLong)plain.size), Z_OK);
    buf_u8(out, 0x80 | 4);
    for (int shift = 24; shift >= 0; shift -= 8)
        buf_u8(out, (uint8_t)(plain.size >> shift));
    buf_put(out, packed, size);
    free(packed);
}

static void put_mariadb_gtid(struct log_lab *lab, uint64_t number, uint8_t flags)
{
    SCRATCH body = scratch_make();
    buf_le(&body, number, 8);
    buf_le(&body, 0, 4);
    buf_u8(&body, flags);
    buf_le(&body, 0, 6);
    lab_event(lab, MARIADB_GTID, buf_view(&body));
}

static void test_packed_rows(void **unused)
{
    (void)unused;
    enum { PLAIN = 8 + 2 + 1 + 1 }; /* post-header, extra data, column count, bitmap */
    struct log_lab lab;
    SCRATCH rows = scratch_make();
    SCRATCH packed = scratch_make();
    lab_open(&lab, true);
    lab_rows_body(40, 500, &rows);
    buf_put(&packed, rows.data, PLAIN);
    put_packed(&packed, (struct bytes){ rows.data + PLAIN, rows.size - PLAIN });
    put_mariadb_gtid(&lab, 9, 0);
    lab_map(&lab);
    lab_event(&lab, WRITE_ROWS_COMPRESSED, buf_view(&packed));
    lab_xid(&lab);
    read_well(&lab);
    assert_rows(&lab, 40, 500);
    assert_executed(&lab, "0-5-9");

    packed.data[packed.size - 3] ^= 0x55;
    put_mariadb_gtid(&lab, 10, 0);
    lab_map(&lab);
    lab_event(&lab, WRITE_ROWS_COMPRESSED, buf_view(&packed));
    read_badly(&lab, ERROR_RETRY, "malformed packed event");
    lab_close(&lab);
}

static void test_packed_statements(void **unused)
{
    (void)unused;
    static const char sql[] = "TRUNCATE TABLE d.t";
    struct log_lab lab;
    SCRATCH body = scratch_make();
    lab_open(&lab, true);
    lab_query_body("", &body);
    put_packed(&body, bytes_from(sql));
    put_mariadb_gtid(&lab, 9, MARIADB_STANDALONE);
    lab_event(&lab, QUERY_COMPRESSED, buf_view(&body));
    read_well(&lab);
    assert_int_equal(lab.batch.count, 1);
    assert_int_equal(lab.batch.events[0].change->kind, CHANGE_TRUNCATE_TABLE);
    lab_close(&lab);
}

/* ---- GTIDs ---- */

static void put_varlen(struct buf *out, uint64_t number)
{
    if (number < 0x80)
        buf_u8(out, (uint8_t)(number << 1));
    else
        buf_le(out, number << 2 | 1, 2);
}

static void test_tagged_gtids(void **unused)
{
    (void)unused;
    struct log_lab lab;
    SCRATCH body = scratch_make();
    lab_open(&lab, false);
    put_varlen(&body, 1); /* version, size, last field that must be known */
    put_varlen(&body, 60);
    put_varlen(&body, 12);
    put_varlen(&body, 0);
    put_varlen(&body, 1);
    put_varlen(&body, 1);
    for (unsigned i = 0; i < 16; i++)
        put_varlen(&body, 0xa0 + i);
    put_varlen(&body, 2);
    put_varlen(&body, 300 << 1);
    put_varlen(&body, 3);
    put_varlen(&body, 4);
    buf_text(&body, "blue");
    lab_event(&lab, GTID_TAGGED, buf_view(&body));
    lab_query(&lab, "BEGIN");
    lab_map(&lab);
    lab_rows(&lab, 1, 1);
    lab_xid(&lab);
    read_well(&lab);
    assert_rows(&lab, 1, 1);
    assert_executed(&lab, "a0a1a2a3-a4a5-a6a7-a8a9-aaabacadaeaf:blue:300");
    lab_close(&lab);
}

/* ---- prepared branches ---- */

static void put_xa_prepare(struct log_lab *lab, bool one_phase, const char *name)
{
    SCRATCH body = scratch_make();
    buf_u8(&body, one_phase);
    buf_le(&body, 1, 4);
    buf_le(&body, strlen(name), 4);
    buf_le(&body, 0, 4);
    buf_text(&body, name);
    lab_event(lab, XA_PREPARE, buf_view(&body));
}

static void put_branch(struct log_lab *lab, uint64_t number, const char *name, int32_t first,
                       uint32_t count)
{
    char sql[100];
    snprintf(sql, sizeof sql, "XA START X'%02x',X'',1", (unsigned)name[0]);
    lab_gtid(lab, number);
    lab_query(lab, sql);
    lab_map(lab);
    lab_rows(lab, first, count);
    snprintf(sql, sizeof sql, "XA END X'%02x',X'',1", (unsigned)name[0]);
    lab_query(lab, sql);
    put_xa_prepare(lab, false, name);
}

static struct token end_of(const struct log_lab *lab)
{
    struct token token;
    struct error err;
    assert_non_null(lab->batch.end.token.data);
    assert_true(token_decode(lab->batch.end.token, &token, &err));
    return token;
}

/* Rows come with the commit, in the order of the commits; a rollback gives none; and as long as a
 * branch waits the position stays before it. */
static void test_prepared_branches(void **unused)
{
    (void)unused;
    struct log_lab lab;
    lab_open(&lab, false);
    put_branch(&lab, 1, "a", 100, 5000); /* of more than what stays in memory */
    uint32_t between = lab.position;
    put_branch(&lab, 2, "b", 200, 1);
    put_branch(&lab, 3, "c", 300, 1);
    lab_gtid(&lab, 4);
    lab_query(&lab, "BEGIN");
    lab_map(&lab);
    lab_rows(&lab, 400, 1);
    lab_xid(&lab);
    read_well(&lab);
    assert_rows(&lab, 400, 1);
    assert_int_equal(end_of(&lab).offset, 4);

    lab_gtid(&lab, 5);
    lab_query(&lab, "XA ROLLBACK X'63',X'',1");
    lab_gtid(&lab, 6);
    lab_query(&lab, "XA COMMIT X'61',X'',1");
    read_well(&lab);
    assert_rows(&lab, 100, 5000);
    assert_int_equal(lab.batch.transaction_count, 1);
    assert_int_equal(end_of(&lab).offset, between);

    lab_gtid(&lab, 7);
    lab_query(&lab, "XA COMMIT X'62',X'',1");
    lab_gtid(&lab, 8);
    lab_query(&lab, "XA COMMIT X'7a',X'',1"); /* prepared before our time, or of no rows of ours */
    read_well(&lab);
    assert_rows(&lab, 200, 1);
    assert_int_equal(end_of(&lab).offset, lab.position);
    assert_executed(&lab, "30313233-3435-3637-3839-616263646566:1-8");
    lab_close(&lab);
}

static void test_one_phase_branches(void **unused)
{
    (void)unused;
    struct log_lab lab;
    lab_open(&lab, false);
    lab_gtid(&lab, 1);
    lab_query(&lab, "XA START X'61',X'',1");
    lab_map(&lab);
    lab_rows(&lab, 1, 10);
    lab_query(&lab, "XA END X'61',X'',1");
    put_xa_prepare(&lab, true, "a");
    read_well(&lab);
    assert_rows(&lab, 1, 10);
    assert_int_equal(end_of(&lab).offset, lab.position);
    lab_close(&lab);
}

/* ---- heartbeats and signals ---- */

/* The log's first events tell that the server took the position: nothing more is waited for. */
static void test_the_first_answer(void **unused)
{
    (void)unused;
    uint8_t format[62] = { 4 };
    struct log_lab lab;
    struct error err;
    lab_open(&lab, false);
    lab.log->unanswered = true;
    assert_true(lab_read(&lab, &err));
    assert_int_equal(lab_waited_ms(), LAB_PATIENCE_MS);
    lab_event(&lab, 4, BYTES_LITERAL("\4\0\0\0\0\0\0\0binlog.000001"));
    lab_event(&lab, 15, (struct bytes){ format, sizeof format });
    assert_true(lab_read(&lab, &err));
    assert_true(lab_is_empty() && lab.batch.count == 0);
    assert_int_equal(lab_waited_ms(), SOURCE_SETTLE_MS);
    assert_true(lab_read(&lab, &err));
    assert_int_equal(lab_waited_ms(), LAB_PATIENCE_MS);
    lab_close(&lab);
}

static void test_heartbeats(void **unused)
{
    (void)unused;
    struct log_lab lab;
    SCRATCH body = scratch_make();
    lab_open(&lab, false);
    lab.position = 900;
    lab_event(&lab, HEARTBEAT, BYTES_LITERAL("binlog.000002"));
    read_well(&lab);
    assert_string_equal(lab.log->file, "binlog.000002");
    assert_int_equal(lab.log->offset, lab.position);
    assert_int_equal(end_of(&lab).offset, lab.position);

    buf_put(&body, "\1\15binlog.000003", 15); /* file, position, end */
    buf_put(&body, "\2\11\376", 3);
    buf_le(&body, UINT64_C(5) << 32 | 7, 8);
    buf_u8(&body, 0);
    lab_event(&lab, HEARTBEAT_V2, buf_view(&body));
    read_well(&lab);
    assert_string_equal(lab.log->file, "binlog.000003");
    assert_int_equal(lab.log->offset, UINT64_C(5) << 32 | 7);
    lab_close(&lab);
}

static void test_events_that_stop(void **unused)
{
    (void)unused;
    struct log_lab lab;
    lab_open(&lab, false);
    lab_event(&lab, INCIDENT, BYTES_LITERAL("\1\0\4lost"));
    read_badly(&lab, ERROR_LOST, "it lost events");
    lab_event(&lab, 250, BYTES_LITERAL("whatever"));
    read_badly(&lab, ERROR_CONFIG, "event type 250");
    lab_close(&lab);
}

/* ---- what cannot be read ---- */

/* The table is parked with the reason; its rows before stay, what follows of it is passed over. */
static void test_a_row_that_cannot_be_read_parks_its_table(void **unused)
{
    (void)unused;
    struct log_lab lab;
    SCRATCH rows = scratch_make();
    lab_open(&lab, false);
    lab_gtid(&lab, 1);
    lab_query(&lab, "BEGIN");
    lab_map(&lab);
    lab_rows(&lab, 1, 3);
    lab_rows_body(10, 2, &rows);
    rows.size -= 2;
    lab_event(&lab, WRITE_ROWS, buf_view(&rows));
    lab_rows(&lab, 20, 2);
    lab_xid(&lab);
    read_well(&lab);
    assert_int_equal(lab.batch.count, 4); /* the last before the cut, too */
    assert_int_equal(lab.batch.events[3].after[0].integer, 10);
    read_well(&lab);
    assert_int_equal(lab.batch.count, 1);
    const struct schema_change *change = lab.batch.events[0].change;
    assert_int_equal(change->kind, CHANGE_PARK_TABLE);
    assert_true(bytes_is(change->after->name, "t"));
    assert_non_null(memmem(change->sql.data, change->sql.size, "cut off", 7));
    read_well(&lab);
    assert_int_equal(lab.batch.count, 0);
    assert_int_equal(end_of(&lab).offset, lab.position);
    lab_close(&lab);
}

/* Each event of a log, cut at each length: an error or nothing, and never a byte too far. */
static void test_events_that_are_cut(void **unused)
{
    (void)unused;
    static const uint8_t types[] = { QUERY,
                                     4,
                                     15,
                                     TABLE_MAP,
                                     WRITE_ROWS,
                                     33,
                                     XA_PREPARE,
                                     PAYLOAD,
                                     HEARTBEAT_V2,
                                     GTID_TAGGED,
                                     MARIADB_GTID,
                                     QUERY_COMPRESSED,
                                     WRITE_ROWS_COMPRESSED,
                                     PARTIAL_ROW_DATA,
                                     39,
                                     24,
                                     25 };
    uint8_t body[80];
    for (size_t i = 0; i < sizeof body; i++)
        body[i] = (uint8_t)(i * 37 % 11);
    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        for (size_t size = 0; size <= sizeof body; size++) {
            struct log_lab lab;
            struct error err;
            lab_open(&lab, i % 2);
            lab_gtid(&lab, 1);
            lab_map(&lab);
            lab_event(&lab, types[i], (struct bytes){ body, size });
            if (!lab_read(&lab, &err))
                assert_true(err.message[0]);
            lab_close(&lab);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_payloads),
        cmocka_unit_test(test_payloads_that_are_broken),
        cmocka_unit_test(test_fragments_are_joined),
        cmocka_unit_test(test_fragments_that_do_not_join),
        cmocka_unit_test(test_packed_rows),
        cmocka_unit_test(test_packed_statements),
        cmocka_unit_test(test_tagged_gtids),
        cmocka_unit_test(test_prepared_branches),
        cmocka_unit_test(test_one_phase_branches),
        cmocka_unit_test(test_the_first_answer),
        cmocka_unit_test(test_heartbeats),
        cmocka_unit_test(test_events_that_stop),
        cmocka_unit_test(test_a_row_that_cannot_be_read_parks_its_table),
        cmocka_unit_test(test_events_that_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
