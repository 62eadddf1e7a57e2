/* SPDX-License-Identifier: Apache-2.0
 *
 * Bodies of QUERY events as MariaDB 10.11 and MySQL 9.7 wrote them, and broken ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/assert.h"
#include "engine/base/buf.h"
#include "sources/mysql/log.h"

enum { MARIADB_10_11 = 101119, MARIADB_10_6 = 100620, MYSQL = 0 };

static const struct {
    const char *name;
    uint32_t mariadb;
    const char *status; /* hexadecimal */
    uint64_t sql_mode;
    uint32_t client, database;
    int timestamps;
} cases[] = {
    { "MariaDB, implicit", MARIADB_10_11,
      "00000000000100002054000000000603737464042d002d002d00810b00000000000000", 0x54200000, 45, 0,
      TIMESTAMPS_IMPLICIT },
    { "MariaDB, explicit", MARIADB_10_11,
      "00000000010100002054000000000603737464042d002d002d00810e00000000000000", 0x54200000, 45, 0,
      TIMESTAMPS_EXPLICIT },
    { "an older MariaDB tells nothing", MARIADB_10_6,
      "00000000010100002054000000000603737464042d002d002d00", 0x54200000, 45, 0,
      TIMESTAMPS_NOT_TOLD },
    { "MySQL, implicit", MYSQL,
      "0000000000012000a045000000000603737464042d002d00ff000c0178001000110c00000000000000"
      "12ff001300",
      0x45a00020, 45, 0, TIMESTAMPS_IMPLICIT },
    { "MySQL, explicit", MYSQL,
      "0000000000012000a045000000000603737464042d002d00ff000c0178001001110f00000000000000"
      "12ff001300",
      0x45a00020, 45, 0, TIMESTAMPS_EXPLICIT },
    { "a database of latin1", MYSQL, "040800080008000808000c02610062001001", 0, 8, 8,
      TIMESTAMPS_EXPLICIT },
    { "more databases than are named", MYSQL, "0cfe1000", 0, 0, 0, TIMESTAMPS_IMPLICIT },
    { "what follows an unknown one is not read", MYSQL, "040800080008007f041c001c001c00", 0, 8, 0,
      TIMESTAMPS_NOT_TOLD },
    { "nothing", MYSQL, "", 0, 0, 0, TIMESTAMPS_NOT_TOLD },
    { "cut off", MYSQL, "01aabb", 0, 0, 0, TIMESTAMPS_NOT_TOLD },
};

static uint8_t digit(char c) { return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10); }

static void put_body(const char *status, bool load, struct buf *body)
{
    size_t size = strlen(status) / 2;
    buf_init(body, 4096);
    buf_le(body, 7, 4);
    buf_le(body, 0, 4);
    buf_u8(body, 2);
    buf_le(body, 0, 2);
    buf_le(body, size, 2);
    for (int i = 0; load && i < 13; i++)
        buf_u8(body, 0xee);
    for (size_t i = 0; i < size; i++)
        buf_u8(body, (uint8_t)(digit(status[2 * i]) << 4 | digit(status[2 * i + 1])));
    buf_put(body, "db", 3);
    buf_text(body, "DROP TABLE t");
}

static void test_variables(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct buf body;
        struct log_query query;
        print_message("%s\n", cases[i].name);
        put_body(cases[i].status, i % 2, &body);
        assert_true(log_query_parse(buf_view(&body), i % 2, cases[i].mariadb, &query));
        assert_true(bytes_is(query.sql, "DROP TABLE t"));
        assert_true(bytes_is(query.database, "db"));
        assert_int_equal(query.client_collation, cases[i].client);
        assert_int_equal(query.database_collation, cases[i].database);
        assert_int_equal(query.timestamps, cases[i].timestamps);
        if (cases[i].sql_mode)
            assert_true(query.sql_mode == cases[i].sql_mode);
        buf_done(&body);
    }
}

/* Every beginning of a body is refused or read, and nothing behind its end is touched. */
static void test_cut_bodies(void **state)
{
    (void)state;
    struct buf body;
    put_body(cases[0].status, false, &body);
    for (size_t size = 0; size < body.size; size++) {
        uint8_t *copy = test_malloc(size ? size : 1);
        memcpy(copy, body.data, size);
        struct log_query query;
        bool read = log_query_parse((struct bytes){ copy, size }, false, MARIADB_10_11, &query);
        assert_int_equal(read, size >= body.size - strlen("DROP TABLE t"));
        test_free(copy);
    }
    buf_done(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_variables),
                                        cmocka_unit_test(test_cut_bodies) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
