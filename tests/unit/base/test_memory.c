/* SPDX-License-Identifier: Apache-2.0
 *
 * Where memory comes from: arenas, buffers, maps, and what lives alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmocka.h"

#include "engine/base/arena.h"
#include "engine/base/assert.h"
#include "engine/base/buf.h"
#include "engine/base/map.h"
#include "engine/base/memory.h"

/* ---- memory.h ---- */

static void test_an_array_grows_and_keeps_its_items(void **unused)
{
    (void)unused;
    uint32_t *items = NULL;
    size_t capacity = 0;
    for (uint32_t i = 0; i < 10000; i++) {
        items = memory_grow(items, i, &capacity, sizeof *items);
        assert_true(capacity > i);
        items[i] = i * 7;
    }
    assert_true(capacity < 20001);
    for (uint32_t i = 0; i < 10000; i++)
        assert_int_equal(items[i], i * 7);
    items = memory_grow(items, 1000000, &capacity, sizeof *items); /* far ahead in one step */
    assert_true(capacity > 1000000);
    assert_int_equal(items[9999], 9999 * 7);
    free(items);
}

static void test_what_lives_alone(void **unused)
{
    (void)unused;
    uint8_t *zeroed = memory_zalloc(100, 3);
    for (size_t i = 0; i < 300; i++)
        assert_int_equal(zeroed[i], 0);
    free(zeroed);
    free(memory_zalloc(0, 8)); /* nothing still is something to give back */

    struct bytes copy = memory_copy(BYTES_LITERAL("a\0b"));
    assert_true(bytes_equal(copy, BYTES_LITERAL("a\0b")));
    free((void *)(uintptr_t)copy.data);
    copy = memory_copy((struct bytes){ (const uint8_t *)"", 0 });
    assert_non_null(copy.data);
    free((void *)(uintptr_t)copy.data);
    assert_null(memory_copy((struct bytes){ NULL, 0 }).data);
    char *text = memory_text("word");
    assert_string_equal(text, "word");
    free(text);
}

/* ---- arena.h ---- */

static void test_an_arena_gives_apart_and_aligned(void **unused)
{
    (void)unused;
    struct arena arena = { 0 };
    uint8_t *taken[2000];
    for (size_t i = 0; i < ARRAY_SIZE(taken); i++) {
        taken[i] = arena_zalloc(&arena, i + 1);
        assert_int_equal((uintptr_t)taken[i] % ARENA_ALIGN, 0);
        for (size_t at = 0; at <= i; at++)
            assert_int_equal(taken[i][at], 0);
        memset(taken[i], (int)(i % 251 + 1), i + 1);
    }
    for (size_t i = 0; i < ARRAY_SIZE(taken); i++)
        for (size_t at = 0; at <= i; at++)
            assert_int_equal(taken[i][at], i % 251 + 1);
    assert_true(arena.total >= 2000 * 2001 / 2);
    arena_reset(&arena);
    assert_true(arena.total < 2000 * 2001 / 2);
    arena_done(&arena);
    assert_int_equal(arena.total, 0);
    arena_done(&arena);
}

static void test_an_arena_takes_back_its_newest(void **unused)
{
    (void)unused;
    struct arena arena = { 0 };
    uint8_t *room = arena_raw(&arena, 100);
    memcpy(room, "used", 4);
    arena_trim(&arena, room + 100, room + 4);
    uint8_t *next = arena_raw(&arena, 10);
    assert_ptr_equal(next, room + 4);
    arena_trim(&arena, room + 100, room); /* not the newest any more: nothing happens */
    assert_ptr_equal(arena_raw(&arena, 1), next + 10);
    struct bytes text = arena_printf(&arena, "%s-%0*d", "x", 2000, 7);
    assert_int_equal(text.size, 2002);
    assert_int_equal(text.data[2001], '7');
    assert_int_equal(text.data[text.size], '\0');
    assert_null(arena_copy(&arena, (struct bytes){ NULL, 0 }).data);
    arena_done(&arena);
}

/* ---- buf.h ---- */

static void test_a_buffer_fails_for_good_past_its_limit(void **unused)
{
    (void)unused;
    struct buf buf;
    buf_init(&buf, 1000);
    for (int i = 0; i < 100; i++)
        buf_text(&buf, "0123456789");
    assert_false(buf.failed);
    assert_int_equal(buf.size, 1000);
    buf_u8(&buf, 'x');
    assert_true(buf.failed);
    assert_int_equal(buf.size, 1000);
    buf_reset(&buf);
    buf.failed = false;
    assert_non_null(buf_reserve(&buf, 1000));
    assert_null(buf_reserve(&buf, 1001));
    assert_null(buf_reserve(&buf, 1));
    assert_null(buf_reserve(&buf, SIZE_MAX));
    buf_done(&buf);
}

static void test_a_buffer_s_numbers_and_sizes(void **unused)
{
    (void)unused;
    struct buf buf;
    buf_init(&buf, 1000);
    buf_le(&buf, 0x0102030405060708, 8);
    buf_le(&buf, 0x010203, 3);
    buf_sized(&buf, BYTES_LITERAL("ab"));
    buf_sized(&buf, (struct bytes){ NULL, 0 });
    buf_printf(&buf, "%d", -5);
    static const uint8_t wanted[] = { 8, 7, 6, 5,   4,   3,    2,    1,    3,    2,   1,  2,
                                      0, 0, 0, 'a', 'b', 0xff, 0xff, 0xff, 0xff, '-', '5' };
    assert_int_equal(buf.size, sizeof wanted);
    assert_memory_equal(buf.data, wanted, sizeof wanted);
    buf_done(&buf);
    buf_done(&buf);
}

/* ---- map.h ---- */

static struct bytes key_of(char *room, size_t size, uint32_t number)
{
    int length = snprintf(room, size, "key-%u", number);
    return (struct bytes){ (const uint8_t *)room, (size_t)length };
}

/* Puts, replacements and removals in a mixed order against a plain array. */
static void test_a_map_holds_what_an_array_holds(void **unused)
{
    (void)unused;
    enum { KEYS = 700, STEPS = 200000 };
    static void *wanted[KEYS];
    static int values[KEYS * 2];
    struct map map = { 0 };
    size_t count = 0;
    uint64_t seed = 7;
    for (int step = 0; step < STEPS; step++) {
        seed = seed * 6364136223846793005U + 1442695040888963407U;
        uint32_t key = (uint32_t)(seed >> 33) % KEYS;
        char room[32];
        struct bytes name = key_of(room, sizeof room, key);
        if (seed >> 62) {
            void *value = &values[(seed >> 40) % ARRAY_SIZE(values)];
            map_put(&map, name, value);
            count += !wanted[key];
            wanted[key] = value;
        } else {
            assert_ptr_equal(map_remove(&map, name), wanted[key]);
            count -= wanted[key] != NULL;
            wanted[key] = NULL;
        }
        assert_int_equal(map.count, count);
        uint32_t other = (key * 31 + 5) % KEYS;
        assert_ptr_equal(map_get(&map, key_of(room, sizeof room, other)), wanted[other]);
    }
    size_t seen = 0;
    for (struct map_entry *entry = NULL; (entry = map_next(&map, entry)); seen++) {
        uint32_t key = (uint32_t)strtoul((const char *)entry->key.data + 4, NULL, 10);
        assert_ptr_equal(entry->value, wanted[key]);
    }
    assert_int_equal(seen, count);
    map_done(&map);
}

static void test_a_map_of_odd_keys(void **unused)
{
    (void)unused;
    struct map map = { 0 };
    int one = 1, two = 2;
    assert_null(map_get(&map, BYTES_LITERAL("")));
    assert_null(map_remove(&map, BYTES_LITERAL("")));
    map_put(&map, BYTES_LITERAL(""), &one);
    map_put(&map, BYTES_LITERAL("a\0b"), &two);
    assert_ptr_equal(map_get(&map, BYTES_LITERAL("")), &one);
    assert_ptr_equal(map_get(&map, BYTES_LITERAL("a\0b")), &two);
    assert_null(map_get(&map, BYTES_LITERAL("a\0c")));
    assert_null(map_get(&map, BYTES_LITERAL("a")));
    map_done(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_array_grows_and_keeps_its_items),
        cmocka_unit_test(test_what_lives_alone),
        cmocka_unit_test(test_an_arena_gives_apart_and_aligned),
        cmocka_unit_test(test_an_arena_takes_back_its_newest),
        cmocka_unit_test(test_a_buffer_fails_for_good_past_its_limit),
        cmocka_unit_test(test_a_buffer_s_numbers_and_sizes),
        cmocka_unit_test(test_a_map_holds_what_an_array_holds),
        cmocka_unit_test(test_a_map_of_odd_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
