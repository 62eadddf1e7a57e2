/* SPDX-License-Identifier: Apache-2.0
 *
 * Places in a log, as people write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/assert.h"
#include "sources/mysql/options.h"
#include "sources/postgres/options.h"
#include "sources/postgres/start_mode.h"
#include "sources/sources.h"

static const struct place {
    const char *text;
    int mode; /* enum start_mode; -1: refused */
    const char *file;
    int64_t pos;
    const char *gtid;
    int64_t time_ms;
} places[] = {
    { "earliest", START_EARLIEST, "", 0, "", 0 },
    { "latest", START_LATEST, "", 0, "", 0 },
    { "binlog.000003:4711", START_SPECIFIC, "binlog.000003", 4711, "", 0 },
    { "my-host.example.bin.000003:4", START_SPECIFIC, "my-host.example.bin.000003", 4, "", 0 },
    { "binlog.000003:3", -1, "", 0, "", 0 },
    { "0-1-77,1-2-9", START_SPECIFIC, "", 0, "0-1-77,1-2-9", 0 },
    { "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5:7", START_SPECIFIC, "", 0,
      "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5:7", 0 },
    { "binlog.000003:4711 gtid 0-1-77", START_SPECIFIC, "", 0, "0-1-77", 0 },
    { "2026-11-26T08:00:00Z", START_TIMESTAMP, "", 0, "", 1795680000000 },
    { "2026-11-26 08:00:00", START_TIMESTAMP, "", 0, "", 1795680000000 },
    { "2026-11-26T10:00+02:00", START_TIMESTAMP, "", 0, "", 1795680000000 },
    { "2026-11-26", START_SPECIFIC, "", 0, "2026-11-26", 0 }, /* a GTID of MariaDB */
    { "1795680000000", START_TIMESTAMP, "", 0, "", 1795680000000 },
    { "", -1, "", 0, "", 0 },
    { "earlyest", -1, "", 0, "", 0 },
    { "binlog.000003", -1, "", 0, "", 0 },
    { "binlog.000003:x", -1, "", 0, "", 0 },
    { "2026-13-26T08:00", -1, "", 0, "", 0 },
    { "2026-11-26T08:00:00 CET", -1, "", 0, "", 0 },
    { "0-1", -1, "", 0, "", 0 },
};

static void test_mysql(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        const struct place *place = &places[i];
        struct mysql_options options = { .start_gtid = { (const uint8_t *)"", 0 } };
        struct error err = { 0 };
        bool ok = mysql_source.begin_from(&options, bytes_from(place->text), &err);
        if (ok != (place->mode >= 0))
            fail_msg("'%s' is %s", place->text, ok ? "taken" : err.message);
        if (!ok)
            continue;
        assert_int_equal(options.start_mode, place->mode);
        assert_true(bytes_is(options.start_file, place->file));
        assert_int_equal(options.start_pos, place->pos);
        assert_true(bytes_is(options.start_gtid, place->gtid));
        assert_int_equal(options.start_timestamp_ms, place->time_ms);
        if (!mysql_source.valid(&options, &err))
            fail_msg("'%s': %s", place->text, err.message);
    }
}

static void test_postgres(void **state)
{
    (void)state;
    struct postgres_options options = { 0 };
    struct error err = { 0 };
    assert_true(postgres_source.begin_from(&options, BYTES_LITERAL("earliest"), &err));
    assert_int_equal(options.start_mode, MODE_COMMITTED);
    assert_true(postgres_source.begin_from(&options, BYTES_LITERAL("latest"), &err));
    assert_int_equal(options.start_mode, MODE_LATEST);
    assert_true(postgres_source.begin_from(&options, BYTES_LITERAL("16/B374D848"), &err));
    assert_int_equal(options.start_mode, MODE_SPECIFIC);
    assert_true(bytes_is(options.start_lsn, "16/B374D848"));
    assert_true(postgres_source.valid(&options, &err));
    options.start_lsn = BYTES_LITERAL("16-B374D848");
    assert_false(postgres_source.valid(&options, &err));
    assert_false(postgres_source.begin_from(&options, BYTES_LITERAL("2026-11-26"), &err));
    assert_non_null(strstr(err.message, "no slot can be read from a time"));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_mysql),
                                        cmocka_unit_test(test_postgres) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
