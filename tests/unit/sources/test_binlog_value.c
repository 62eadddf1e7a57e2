/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "cmocka.h"

#include "engine/base/assert.h"
#include "engine/base/cleanup.h"
#include "sources/mysql/binlog_cell.h"

static void arena_cleanup(struct arena *arena) { arena_done(arena); }

static void assert_text(const struct value *value, const char *text)
{
    assert_int_equal(value->tag, VALUE_TEXT);
    assert_int_equal(value->size, strlen(text));
    assert_memory_equal(value->data, text, value->size);
}

static const struct {
    uint32_t year, month, day;
    int64_t days;
    const char *text; /* what no calendar holds */
} dates[] = {
    { 1970, 1, 1, 0, NULL },          { 1969, 12, 31, -1, NULL },
    { 2000, 2, 29, 11016, NULL },     { 2000, 3, 1, 11017, NULL },
    { 1900, 2, 28, -25509, NULL },    { 1900, 3, 1, -25508, NULL },
    { 9999, 12, 31, 2932896, NULL },  { 0, 1, 1, -719528, NULL },
    { 0, 2, 29, -719469, NULL },      { 0, 12, 31, -719163, NULL },
    { 1, 1, 1, -719162, NULL },       { 4, 2, 29, -718008, NULL },
    { 0, 0, 0, 0, "0000-00-00" },     { 2020, 0, 0, 0, "2020-00-00" },
    { 2020, 0, 31, 0, "2020-00-31" }, { 2021, 2, 29, 0, "2021-02-29" },
    { 1900, 2, 29, 0, "1900-02-29" }, { 2021, 4, 31, 0, "2021-04-31" },
    { 2021, 13, 1, 0, "2021-13-01" },
};

static void test_date(void **state)
{
    (void)state;
    CLEANUP(arena_cleanup) struct arena arena = { 0 };
    for (size_t i = 0; i < ARRAY_SIZE(dates); i++) {
        struct value value = value_date(dates[i].year, dates[i].month, dates[i].day, &arena);
        if (dates[i].text) {
            assert_text(&value, dates[i].text);
        } else {
            assert_int_equal(value.tag, VALUE_INT);
            assert_int_equal(value.integer, dates[i].days);
        }
    }
}

/* Every day of four centuries follows the day before it. */
static void test_days_in_a_row(void **state)
{
    (void)state;
    CLEANUP(arena_cleanup) struct arena arena = { 0 };
    int64_t expected = -719528;
    for (uint32_t year = 0; year < 2101; year++)
        for (uint32_t month = 1; month <= 12; month++)
            for (uint32_t day = 1; day <= 31; day++) {
                struct value value = value_date(year, month, day, &arena);
                if (value.tag == VALUE_INT)
                    assert_int_equal(value.integer, expected++);
                else
                    assert_true(day > 28);
            }
    assert_int_equal(expected, 47847); /* 2101-01-01 */
}

static const struct {
    struct value_clock clock;
    uint8_t scale;
    int64_t micros;
    const char *text;
} datetimes[] = {
    { { 1970, 1, 1, 0, 0, 0, 0 }, 0, 0, NULL },
    { { 1969, 12, 31, 23, 59, 59, 999999 }, 6, -1, NULL },
    { { 2001, 9, 9, 1, 46, 40, 500000 }, 1, INT64_C(1000000000500000), NULL },
    { { 0, 0, 0, 0, 0, 0, 0 }, 0, 0, "0000-00-00 00:00:00" },
    { { 0, 0, 0, 0, 0, 0, 0 }, 3, 0, "0000-00-00 00:00:00.000" },
    { { 0, 0, 0, 0, 0, 0, 0 }, 6, 0, "0000-00-00 00:00:00.000000" },
    { { 2020, 0, 31, 1, 2, 3, 450000 }, 2, 0, "2020-00-31 01:02:03.45" },
    { { 2021, 2, 31, 10, 11, 12, 0 }, 0, 0, "2021-02-31 10:11:12" },
    { { 0, 0, 0, 1, 0, 0, 0 }, 0, 0, "0000-00-00 01:00:00" },
};

static void test_datetime(void **state)
{
    (void)state;
    CLEANUP(arena_cleanup) struct arena arena = { 0 };
    for (size_t i = 0; i < ARRAY_SIZE(datetimes); i++) {
        struct value value = value_datetime(&datetimes[i].clock, datetimes[i].scale, &arena);
        if (datetimes[i].text) {
            assert_text(&value, datetimes[i].text);
        } else {
            assert_int_equal(value.tag, VALUE_INT);
            assert_int_equal(value.integer, datetimes[i].micros);
        }
    }
    assert_int_equal(value_time(true, 0, 0, 0, 500000).integer, -500000);
    assert_int_equal(value_time(false, 838, 59, 59, 0).integer, INT64_C(3020399000000));
}

static const struct {
    const char *text;
    uint8_t precision, scale;
    bool ok;
    int64_t number;
    const char *plain; /* of more digits than an integer carries */
} decimals[] = {
    { "12.50", 10, 2, true, 1250, NULL },
    { "-12.50", 10, 2, true, -1250, NULL },
    { "+7", 10, 2, true, 700, NULL },
    { "00012.5", 10, 2, true, 1250, NULL },
    { "-0.00", 10, 2, true, 0, NULL },
    { ".5", 10, 2, true, 50, NULL },
    { "5.", 10, 0, true, 5, NULL },
    { "1.500", 10, 1, true, 15, NULL },
    { "999999999999999999", 18, 0, true, INT64_C(999999999999999999), NULL },
    { "-0.999999999999999999", 18, 18, true, INT64_C(-999999999999999999), NULL },
    { "1.25", 10, 1, false, 0, NULL },
    { "123", 2, 0, false, 0, NULL },
    { "", 10, 2, false, 0, NULL },
    { "-", 10, 2, false, 0, NULL },
    { ".", 10, 2, false, 0, NULL },
    { "1e5", 10, 2, false, 0, NULL },
    { "1.2.3", 10, 2, false, 0, NULL },
    { "--1", 10, 2, false, 0, NULL },
    { "1", 5, 6, false, 0, NULL },
    { "1", 90, 0, false, 0, NULL },
    { "0012.5", 20, 3, true, 0, "12.500" },
    { "-0.5", 30, 30, true, 0, "-0.500000000000000000000000000000" },
    { "-0.0", 19, 1, true, 0, "0.0" },
    { "-00", 19, 0, true, 0, "0" },
    { "99999999999999999999999999999999999.999999999999999999999999999999", 65, 30, true, 0,
      "99999999999999999999999999999999999.999999999999999999999999999999" },
};

static void test_decimal(void **state)
{
    (void)state;
    CLEANUP(arena_cleanup) struct arena arena = { 0 };
    for (size_t i = 0; i < ARRAY_SIZE(decimals); i++) {
        print_message("'%s'\n", decimals[i].text);
        struct value value;
        bool ok = value_decimal(bytes_from(decimals[i].text), decimals[i].precision,
                                decimals[i].scale, &arena, &value);
        assert_int_equal(ok, decimals[i].ok);
        if (ok && decimals[i].plain)
            assert_text(&value, decimals[i].plain);
        else if (ok)
            assert_int_equal(value.integer, decimals[i].number);
    }
}

static const struct {
    const char *name;
    uint8_t precision, scale, size;
    uint8_t raw[32];
    int64_t number;
    const char *text; /* NULL: malformed */
} binaries[] = {
    { "leftovers on both sides",
      14,
      4,
      7,
      { 0x81, 0x0d, 0xfb, 0x38, 0xd2, 0x04, 0xd2 },
      INT64_C(12345678901234),
      "1234567890.1234" },
    { "negative",
      14,
      4,
      7,
      { 0x7e, 0xf2, 0x04, 0xc7, 0x2d, 0xfb, 0x2d },
      INT64_C(-12345678901234),
      "-1234567890.1234" },
    { "only a fraction", 3, 3, 2, { 0x80, 0x05 }, 5, "0.005" },
    { "minus zero", 3, 1, 2, { 0x7f, 0xff }, 0, "0.0" },
    { "nine digits in four bytes", 9, 0, 4, { 0xbb, 0x9a, 0xc9, 0xff }, 999999999, "999999999" },
    { "a group that is too big", 9, 0, 4, { 0xbb, 0x9a, 0xca, 0x00 }, 0, NULL },
    { "a leftover that is too big", 2, 1, 2, { 0x8a, 0x00 }, 0, NULL },
};

static void test_decimal_of_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(binaries); i++) {
        print_message("%s\n", binaries[i].name);
        struct decimal_layout layout;
        uint8_t text[DECIMAL_TEXT_MAX];
        int64_t number;
        assert_true(decimal_layout_of(binaries[i].precision, binaries[i].scale, &layout));
        assert_int_equal(layout.size, binaries[i].size);
        size_t size = decimal_print(&layout, binaries[i].raw, text);
        assert_int_equal(decimal_scaled(&layout, binaries[i].raw, &number),
                         binaries[i].text != NULL);
        if (!binaries[i].text) {
            assert_int_equal(size, 0);
            continue;
        }
        assert_int_equal(number, binaries[i].number);
        assert_int_equal(size, strlen(binaries[i].text));
        assert_memory_equal(text, binaries[i].text, size);
    }
    struct decimal_layout layout;
    assert_false(decimal_layout_of(0, 0, &layout));
    assert_false(decimal_layout_of(5, 6, &layout));
    assert_false(decimal_layout_of(82, 0, &layout));
    assert_true(decimal_layout_of(81, 40, &layout));
}

static void test_labels(void **state)
{
    (void)state;
    static const struct bytes members[] = { { (const uint8_t *)"a", 1 },
                                            { (const uint8_t *)"", 0 },
                                            { (const uint8_t *)"cd", 2 } };
    struct type type = { .kind = TYPE_SET, .members = members, .member_count = 3 };
    CLEANUP(arena_cleanup) struct arena arena = { 0 };
    struct value value;
    assert_true(value_enum(&type, 0, &value));
    assert_text(&value, "");
    assert_true(value_enum(&type, 3, &value));
    assert_text(&value, "cd");
    assert_false(value_enum(&type, 4, &value));
    assert_true(value_set(&type, 0, &arena, &value));
    assert_text(&value, "");
    assert_true(value_set(&type, 4, &arena, &value));
    assert_text(&value, "cd");
    assert_true(value_set(&type, 7, &arena, &value));
    assert_text(&value, "a,,cd");
    assert_false(value_set(&type, 8, &arena, &value));
    assert_false(value_set(&type, UINT64_C(1) << 63, &arena, &value));
}

static void test_bytes(void **state)
{
    (void)state;
    CLEANUP(arena_cleanup) struct arena arena = { 0 };
    struct value value = value_padded(BYTES_LITERAL("\1"), 3, &arena);
    assert_int_equal(value.size, 3);
    assert_memory_equal(value.data, "\1\0\0", 3);
    value = value_padded(BYTES_LITERAL(""), 2, &arena);
    assert_memory_equal(value.data, "\0\0", 2);
    assert_int_equal(value_bit(BYTES_LITERAL("\1\2")).natural, 258);
    assert_int_equal(value_bit(BYTES_LITERAL("\377\377\377\377\377\377\377\377")).natural,
                     UINT64_MAX);
}

/* Both ways of reading agree on any bytes. */
static void test_decimal_of_any_bytes(void **state)
{
    (void)state;
    uint64_t dice = 1;
    for (uint8_t precision = 1; precision <= DECIMAL_INT_PRECISION; precision++)
        for (uint8_t scale = 0; scale <= precision; scale++) {
            struct decimal_layout layout;
            assert_true(decimal_layout_of(precision, scale, &layout));
            for (size_t i = 0; i < 500; i++) {
                uint8_t raw[DECIMAL_SIZE_MAX + DECIMAL_SPARE], text[DECIMAL_TEXT_MAX];
                for (size_t j = 0; j < sizeof raw; j++) {
                    dice = dice * 6364136223846793005u + 1442695040888963407u;
                    raw[j] = (uint8_t)(dice >> 56) & (i % 2 ? 0xff : 0x83);
                }
                int64_t number, printed = 0;
                size_t size = decimal_print(&layout, raw, text);
                assert_int_equal(decimal_scaled(&layout, raw, &number), size > 0);
                for (size_t j = 0; j < size; j++)
                    printed = text[j] >= '0' ? printed * 10 + (text[j] - '0') : printed;
                if (size > 0)
                    assert_int_equal(number, text[0] == '-' ? -printed : printed);
            }
        }
}

/* ---- layouts of servers of before 5.6, and of MariaDB without mysql56_temporal_format ---- */

static const struct {
    const char *name;
    uint8_t wire, scale;
    enum type_kind kind;
    uint8_t raw[8];
    int64_t number;
    const char *text; /* instead of a number; "!" is refused */
} olds[] = {
    { "timestamp",
      WIRE_TIMESTAMP,
      0,
      TYPE_TIMESTAMP,
      { 1, 2, 3, 4 },
      INT64_C(67305985000000),
      NULL },
    { "timestamp zero", WIRE_TIMESTAMP, 0, TYPE_TIMESTAMP, { 0 }, 0, "0000-00-00 00:00:00" },
    { "time", WIRE_TIME, 0, TYPE_TIME, { 0x40, 0xe2, 0x01 }, INT64_C(45296000000), NULL },
    { "time below zero", WIRE_TIME, 0, TYPE_TIME, { 0xff, 0xff, 0xff }, -1000000, NULL },
    { "time of 61 seconds", WIRE_TIME, 0, TYPE_TIME, { 61, 0, 0 }, 0, "!" },
    { "datetime",
      WIRE_DATETIME,
      0,
      TYPE_DATETIME,
      { 0xd0, 0xd4, 0x8e, 0xc1, 0x30, 0x12, 0x00, 0x00 },
      INT64_C(961061696000000),
      NULL },
    { "datetime zero", WIRE_DATETIME, 0, TYPE_DATETIME, { 0 }, 0, "0000-00-00 00:00:00" },
    { "datetime of no clock", WIRE_DATETIME, 0, TYPE_DATETIME, { 99, 0, 0 }, 0, "!" },
    { "new date", WIRE_NEWDATE, 0, TYPE_DATE, { 0x5d, 0xc8, 0x0f }, 18321, NULL },
    { "year", WIRE_YEAR, 0, TYPE_YEAR, { 0 }, 0, NULL },
    { "year 1901", WIRE_YEAR, 0, TYPE_YEAR, { 1 }, 1901, NULL },
    { "time with minutes above 59", WIRE_TIME2, 0, TYPE_TIME, { 0x80, 0x0f, 0xff }, 0, "!" },
    { "datetime with its sign", WIRE_DATETIME2, 0, TYPE_DATETIME, { 0 }, 0, "!" },
    { "datetime of hour 31",
      WIRE_DATETIME2,
      0,
      TYPE_DATETIME,
      { 0x99, 0xa5, 0x43, 0xff, 0xff },
      0,
      "!" },
    { "timestamp at the end of 32 bits",
      WIRE_TIMESTAMP2,
      0,
      TYPE_TIMESTAMP,
      { 0xff, 0xff, 0xff, 0xff },
      4294967295000000,
      NULL },
    { "datetime below zero", WIRE_DATETIME2, 0, TYPE_DATETIME, { 0x7f, 1 }, 0, "!" },
    { "timestamp with 255 hundredths",
      WIRE_TIMESTAMP2,
      2,
      TYPE_TIMESTAMP,
      { 1, 2, 3, 4, 0xff },
      0,
      "!" },
};

static void test_layouts(void **state)
{
    (void)state;
    CLEANUP(arena_cleanup) struct arena arena = { 0 };
    for (size_t i = 0; i < ARRAY_SIZE(olds); i++) {
        print_message("%s\n", olds[i].name);
        struct column column = { .name = { (const uint8_t *)"c", 1 },
                                 .type = { .kind = olds[i].kind, .scale = olds[i].scale } };
        struct column_decoder decoder;
        struct error err;
        uint8_t metadata = olds[i].wire > WIRE_BIT ? olds[i].scale : 0;
        assert_true(column_decoder_make(olds[i].wire, metadata, &column, NULL, &decoder, &err));
        uint8_t raw[sizeof olds[i].raw + COLUMN_SPARE];
        memset(raw, 0xa5, sizeof raw); /* what is behind the value means nothing */
        memcpy(raw, olds[i].raw, decoder.width);
        struct value_month months[VALUE_MONTHS] = { 0 };
        struct decode_scope scope = { .arena = &arena,
                                      .end = raw + decoder.width,
                                      .months = months };
        struct value value;
        const uint8_t *next = cell_decode(&decoder, raw, scope.end, &scope, &value);
        if (olds[i].text && olds[i].text[0] == '!') {
            assert_null(next);
            continue;
        }
        assert_ptr_equal(next, scope.end);
        assert_ptr_equal(column_skip(&decoder, raw, scope.end), scope.end);
        if (olds[i].text)
            assert_text(&value, olds[i].text);
        else
            assert_int_equal(value.integer, olds[i].number);
        scope.end--;
        assert_null(cell_decode(&decoder, raw, scope.end, &scope, &value));
    }
}

static const struct {
    const char *name;
    uint8_t wire;
    uint16_t metadata;
    struct type type;
} misfits[] = {
    { "wider integer", WIRE_LONG, 0, { .kind = TYPE_INT, .bits = 64 } },
    { "text for an integer", WIRE_LONG, 0, { .kind = TYPE_TEXT } },
    { "other precision",
      WIRE_NEWDECIMAL,
      10 << 8 | 2,
      { .kind = TYPE_DECIMAL, .precision = 12, .scale = 2 } },
    { "no such decimal", WIRE_NEWDECIMAL, 0, { .kind = TYPE_DECIMAL } },
    { "other fraction", WIRE_DATETIME2, 3, { .kind = TYPE_DATETIME, .scale = 6 } },
    { "fraction of seven digits", WIRE_DATETIME2, 7, { .kind = TYPE_DATETIME, .scale = 7 } },
    { "datetime for a timestamp", WIRE_TIMESTAMP2, 0, { .kind = TYPE_DATETIME } },
    { "bit of no bits", WIRE_BIT, 0, { .kind = TYPE_BIT } },
    { "bit of 65 bits", WIRE_BIT, 65, { .kind = TYPE_BIT } },
    { "enum of three bytes", WIRE_ENUM, 3, { .kind = TYPE_ENUM } },
    { "set of nine bytes", WIRE_SET, 9, { .kind = TYPE_SET } },
    { "blob with a length of five bytes", WIRE_BLOB, 5, { .kind = TYPE_BYTES } },
    { "text for bytes of json", WIRE_JSON, 4, { .kind = TYPE_TEXT } },
    { "decimal of before 5.0", WIRE_DECIMAL, 0, { .kind = TYPE_DECIMAL, .precision = 5 } },
};

static void test_misfits(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(misfits); i++) {
        print_message("%s\n", misfits[i].name);
        struct column column = { .name = { (const uint8_t *)"col", 3 }, .type = misfits[i].type };
        struct column_decoder decoder;
        struct error err;
        assert_false(column_decoder_make(misfits[i].wire, misfits[i].metadata, &column,
                                         charset_find(BYTES_LITERAL("utf8mb4")), &decoder, &err));
        assert_int_equal(err.kind, ERROR_DATA);
        assert_non_null(strstr(err.message, "'col'"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_date),
        cmocka_unit_test(test_days_in_a_row),
        cmocka_unit_test(test_datetime),
        cmocka_unit_test(test_decimal),
        cmocka_unit_test(test_decimal_of_rows),
        cmocka_unit_test(test_decimal_of_any_bytes),
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_layouts),
        cmocka_unit_test(test_misfits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
