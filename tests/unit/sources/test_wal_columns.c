/* SPDX-License-Identifier: Apache-2.0
 *
 * Which columns a Relation message has, by what came and what went since the tracked version. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sources/postgres/wal.h"

enum { COLUMNS_MAX = 8 };

struct version {
    struct table table;
    struct column columns[COLUMNS_MAX];
};

/* "1 2 4/5": their numbers, and how many there have been. */
static const struct table *version_of(const char *text, struct version *out)
{
    *out = (struct version){ .table = { .columns = out->columns } };
    char *rest;
    for (; *text && *text != '/'; text = rest)
        out->columns[out->table.column_count++].source_id = (uint32_t)strtoul(text, &rest, 10);
    out->table.columns_ever = (uint32_t)strtoul(text + 1, NULL, 10);
    return &out->table;
}

static void identify(void **state)
{
    static const struct {
        const char *tracked, *live;
        uint16_t count;
        const char *ids; /* NULL: nothing tells them */
    } cases[] = {
        { "1 2/2", "1 2/2", 2, "1 2 " },
        { "1 2/2", "1 2 3/3", 2, "1 2 " },     /* before it came */
        { "1 2/2", "1 2 3 4/4", 3, "1 2 3 " }, /* one of two */
        { "1 2/2", "1 2 3 4/4", 4, "1 2 3 4 " },
        { "1 2 3/3", "1 3/3", 3, "1 2 3 " }, /* before it went */
        { "1 2 3/3", "1 3/3", 2, "1 3 " },
        { "1 2 3/3", "1/3", 2, NULL },       /* one of two went */
        { "1 2 3/3", "1 3 4/4", 3, NULL },   /* one had the other's name, or not */
        { "1 2/2", "1 2 4/4", 3, NULL },     /* 3 or 4 */
        { "1 2/2", "1 2/3", 2, NULL },       /* 3 came and went */
        { "1 2/3", "1 2 4/4", 3, "1 2 4 " }, /* 3 had gone before */
        { "1 2/0", "1 2 3/3", 3, "1 2 3 " }, /* a version that does not know */
        { "1 0/2", "1 2/2", 2, NULL },       /* a column without a number */
        { "1 2/2", "1 2/2", 1, NULL },       /* fewer than there are */
        { "1 2/2", "1 2/2", 3, NULL },       /* and more */
        { "1 2/4", "1 2 3 5/5", 3, NULL },   /* 3 was not carried before */
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct version tracked, live;
        struct arena arena = { 0 };
        char text[100] = "";
        const uint32_t *ids =
            wal_columns_identify(version_of(cases[i].tracked, &tracked),
                                 version_of(cases[i].live, &live), cases[i].count, &arena);
        for (uint16_t k = 0; ids && k < cases[i].count; k++)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%u ", ids[k]);
        if ((ids != NULL) != (cases[i].ids != NULL) || (ids && strcmp(text, cases[i].ids) != 0))
            fail_msg("%s, then %s with %u: '%s'", cases[i].tracked, cases[i].live, cases[i].count,
                     text);
        arena_done(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(identify) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
