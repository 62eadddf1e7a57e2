/* SPDX-License-Identifier: Apache-2.0
 *
 * Two versions of a table, written as "a:i b:t? key a", and the steps between them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/assert.h"
#include "engine/base/buf.h"
#include "schema/diff.h"

/* Columns of one letter: name, type (i int, l bigint, t text), ? nullable, * in the key, ! with a
 * comment, = with a default. */
static struct table *table_of(const char *text, struct arena *arena)
{
    struct table *table = arena_zalloc(arena, sizeof *table);
    struct column *columns = arena_array(arena, strlen(text) + 1, sizeof *columns);
    uint16_t keys = 0;
    for (const char *at = text; *at;) {
        struct column *column = &columns[table->column_count++];
        column->name = arena_copy(arena, (struct bytes){ (const uint8_t *)at, 1 });
        column->type = at[1] == 't'
                           ? (struct type){ .kind = TYPE_TEXT, .length = 9 }
                           : (struct type){ .kind = TYPE_INT, .bits = at[1] == 'l' ? 64 : 32 };
        for (at += 2; *at && *at != ' '; at++) {
            column->nullable |= *at == '?';
            column->key_order = *at == '*' ? ++keys : column->key_order;
            if (*at == '!')
                column->comment = BYTES_LITERAL("said");
            if (*at == '=')
                column->default_text = BYTES_LITERAL("7");
        }
        at += *at == ' ';
    }
    table->columns = columns;
    table_index_keys(arena, table);
    return table;
}

static const struct {
    const char *before, *after, *renames, *steps;
} cases[] = {
    { "ai* bt?", "ai* bt?", "", "" },
    { "ai* bt?", "ai* bt? ci", "", "add c after b;" },
    { "ai* bt?", "ci ai* bt?", "", "add c first;" },
    { "ai* bt? ci", "ai* ci", "", "drop b;" },
    { "ai* bt?", "ai* bt", "", "modify b;" },
    { "ai* bi", "ai* bl", "", "modify b;" },
    { "ai* bi", "ai* bi=", "", "default b;" },
    { "ai* bi", "ai* bi!", "", "comment b;" },
    { "ai* bi", "ai* bl!", "", "modify b;comment b;" },
    { "ai* bi", "bi ai*", "", "" },
    { "ai* bi", "ai* ci", "", "add c after a;drop b;" },
    { "ai* bi", "ai* ci", "bc", "rename b c;" },
    { "ai* bi", "ai* cl", "bc", "rename b c;modify c;" },
    { "ai* bi", "ci* bi", "ac", "rename a c;" },
    { "ai* bi", "ai bi*", "", "key;" },
    { "ai* bi", "ai bi", "", "key;" },
    { "ai* bi*", "bi* ai*", "", "key;" },
    { "ai bi", "bi ai", "abba", "rename a b;rename b a;" },
    { "ai bi ci", "ci di", "ad", "rename a d;drop b;" },
};

static void print_step(const struct step *step, struct buf *out)
{
    struct bytes old = step->old ? step->old->name : (struct bytes){ 0 };
    struct bytes new = step->new ? step->new->name : (struct bytes){ 0 };
    switch (step->kind) {
    case STEP_RENAME_COLUMN:
        buf_printf(out, "rename %.*s %.*s;", BYTES_ARGS(old), BYTES_ARGS(new));
        break;
    case STEP_ADD_COLUMN:
        buf_printf(out, "add %.*s %s%.*s;", BYTES_ARGS(new), step->after.data ? "after " : "first",
                   BYTES_ARGS(step->after));
        break;
    case STEP_MODIFY_TYPE:
        buf_printf(out, "modify %.*s;", BYTES_ARGS(new));
        break;
    case STEP_MODIFY_DEFAULT:
        buf_printf(out, "default %.*s;", BYTES_ARGS(new));
        break;
    case STEP_COMMENT_COLUMN:
        buf_printf(out, "comment %.*s;", BYTES_ARGS(new));
        break;
    case STEP_DROP_COLUMN:
        buf_printf(out, "drop %.*s;", BYTES_ARGS(old));
        break;
    case STEP_CHANGE_KEY:
        buf_text(out, "key;");
        break;
    case STEP_COMMENT_TABLE:
        buf_text(out, "comment;");
        break;
    }
}

static void test_steps(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct arena arena = { 0 };
        size_t count, renames = strlen(cases[i].renames) / 2;
        struct column_rename *list = arena_array(&arena, renames + 1, sizeof *list);
        for (size_t k = 0; k < renames; k++) {
            const uint8_t *names = (const uint8_t *)cases[i].renames + 2 * k;
            list[k] = (struct column_rename){ { names, 1 }, { names + 1, 1 } };
        }
        const struct schema_change change = { .kind = CHANGE_ALTER_TABLE,
                                              .before = table_of(cases[i].before, &arena),
                                              .after = table_of(cases[i].after, &arena),
                                              .renames = list,
                                              .rename_count = (uint16_t)renames };
        const struct step *steps = diff_tables(&change, &arena, &count);
        struct buf text;
        buf_init(&text, 4096);
        for (size_t k = 0; k < count; k++)
            print_step(&steps[k], &text);
        buf_u8(&text, 0);
        print_message("%s -> %s\n", cases[i].before, cases[i].after);
        assert_string_equal((const char *)text.data, cases[i].steps);
        buf_done(&text);
        arena_done(&arena);
    }
}

static void test_comment_of_the_table(void **state)
{
    (void)state;
    struct arena arena = { 0 };
    struct table *after = table_of("ai", &arena);
    after->comment = BYTES_LITERAL("said");
    const struct schema_change change = { .before = table_of("ai", &arena), .after = after };
    size_t count;
    const struct step *steps = diff_tables(&change, &arena, &count);
    assert_int_equal(count, 1);
    assert_int_equal(steps[0].kind, STEP_COMMENT_TABLE);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_steps),
                                        cmocka_unit_test(test_comment_of_the_table) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
