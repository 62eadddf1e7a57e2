/* SPDX-License-Identifier: Apache-2.0
 *
 * Each list of statements ran on the server named (MySQL 9.7, MariaDB 10.11 or 11.8), and the table
 * expected is what its information_schema then showed. Where nothing is expected the version before
 * does not tell, and the table is read again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/assert.h"
#include "schema/change.h"
#include "tests/unit/schema/ddl_servers.h"
#include "tests/unit/schema/ddl_text.h"

static const struct {
    enum ddl_server server;
    const char *create, *alters[6], *want;
} cases[] = {
    { MYSQL,
      "create table t (a int, b int)",
      { "alter table t add c int, add column d varchar(5) after a, add (e int, f "
        "int), add column g int first" },
      "g:int?, a:int?, d:varchar(5)/utf8mb4/utf8mb4_0900_ai_ci?, b:int?, c:int?, "
      "e:int?, f:int?; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int, b int)",
      { "alter table t add column (c int not null, unique (c), d text)" },
      "a:int?, b:int?, c:int k1, d:text/utf8mb4/utf8mb4_0900_ai_ci?; utf8mb4 utf8mb4_0900_ai_"
      "ci" },
    { MYSQL,
      "create table t (a int, b int, c int)",
      { "alter table t change a b int, change b a varchar(3)" },
      "b:int?, a:varchar(3)/utf8mb4/utf8mb4_0900_ai_ci?, c:int?; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int, b int, c int)",
      { "alter table t rename column a to b, rename column b to a" },
      "b:int?, a:int?, c:int?; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int, b int, c int)",
      { "alter table t modify c bigint unsigned not null first, modify a int after "
        "b" },
      "" },
    { MYSQL,
      "create table t (a int, b int, c int)",
      { "alter table t drop a, add column a varchar(5), drop column c" },
      "b:int?, a:varchar(5)/utf8mb4/utf8mb4_0900_ai_ci?; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int, b int, c int)",
      { "alter table t add d int after c, add e int after d, modify a int after e" },
      "b:int?, c:int?, d:int?, e:int?, a:int?; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int, b int, c int)",
      { "alter table t change c cc int first, add x int after cc" },
      "cc:int?, x:int?, a:int?, b:int?; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int primary key, b int)",
      { "alter table t modify a bigint" },
      "a:bigint k1, b:int?; key PRIMARY; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int primary key, b int)",
      { "alter table t change a aa bigint unsigned, add unique (b)" },
      "aa:bigint unsigned k1, b:int?; key PRIMARY; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int primary key, b int not null)",
      { "alter table t drop primary key, add primary key (b,a)" },
      "a:int k2, b:int k1; key PRIMARY; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int, b int)",
      { "alter table t add primary key (b)" },
      "a:int?, b:int k1; key PRIMARY; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int not null, b int)",
      { "alter table t add unique uu (a)" },
      "a:int k1, b:int?; key uu; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int not null, b int not null, unique zz(a))",
      { "alter table t add unique aa (b)" },
      "a:int, b:int k1; key aa; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int not null, b int not null, unique zz(a))",
      { "alter table t add unique aa (a,b)" },
      "a:int k1, b:int; key zz; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int not null, b int not null, unique zz(a))",
      { "alter table t drop index zz, add primary key (b)" },
      "a:int, b:int k1; key PRIMARY; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int not null, b int not null, unique zz(a), key k(b))",
      { "alter table t drop key k" },
      "a:int k1, b:int; key zz; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int, b int)",
      { "create unique index u on t (a)" },
      "a:int?, b:int?; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int not null, b int)",
      { "create unique index u using btree on t (a)" },
      "a:int k1, b:int?; key u; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int not null, b int, primary key (a), unique u (b))",
      { "drop index u on t" },
      "a:int k1, b:int?; key PRIMARY; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a varchar(10), b text, c tinytext, d mediumtext, e longtext, "
      "f enum('a'), j json, bl blob) charset latin1",
      { "alter table t convert to character set utf8mb4" },
      "a:varchar(10)/utf8mb4?, b:mediumtext/utf8mb4?, c:text/utf8mb4?, d:longtext/utf8mb4?, "
      "e:longtext/utf8mb4?, f:enum('a')/utf8mb4?, j:json?, bl:blob?; utf8mb4" },
    { MYSQL,
      "create table t (a varchar(10), b text) charset utf8mb4",
      { "alter table t convert to character set latin1 collate latin1_bin" },
      "a:varchar(10)/latin1/latin1_bin?, b:text/latin1/latin1_bin?; latin1 latin1_bin" },
    { MYSQL,
      "create table t (a varchar(10), b text, c char(2)) charset utf8mb4",
      { "alter table t convert to character set binary" },
      "a:varbinary(10)?, b:blob?, c:binary(2)?; binary" },
    { MYSQL,
      "create table t (a varchar(10))",
      { "alter table t default charset latin1, add b varchar(10)" },
      "a:varchar(10)/utf8mb4/utf8mb4_0900_ai_ci?, b:varchar(10)/latin1?; latin1" },
    { MYSQL,
      "create table t (a varchar(10))",
      { "alter table t add b varchar(10), default charset latin1" },
      "a:varchar(10)/utf8mb4/utf8mb4_0900_ai_ci?, b:varchar(10)/latin1?; latin1" },
    { MYSQL,
      "create table t (a varchar(10))",
      { "alter table t add b varchar(10), convert to character set latin1" },
      "a:varchar(10)/latin1?, b:varchar(10)/latin1?; latin1" },
    { MYSQL,
      "create table t (a varchar(10))",
      { "alter table t add b varchar(10) charset gbk, convert to character set latin1" },
      "a:varchar(10)/latin1?, b:varchar(10)/latin1?; latin1" },
    { MYSQL,
      "create table t (a varchar(10)) charset gbk",
      { "alter table t collate gbk_bin, add b text(100), add c text(200) charset "
        "utf8mb4, add d varchar(3) binary" },
      "a:varchar(10)/gbk?, b:tinytext/gbk/gbk_bin?, c:text/utf8mb4?, d:varchar(3)/gbk/gbk_bin"
      "?; gbk gbk_bin" },
    { MYSQL,
      "create table t (a int) comment 'x'",
      { "alter table t comment='y', engine=innodb, row_format=compact" },
      "a:int?; utf8mb4 utf8mb4_0900_ai_ci 'y'" },
    { MYSQL,
      "create table t (a int) comment 'x'",
      { "alter table t engine=innodb row_format=compact comment 'z', algorithm=copy, "
        "lock=shared" },
      "a:int?; utf8mb4 utf8mb4_0900_ai_ci 'z'" },
    { MYSQL,
      "create table t (a int, b int)",
      { "alter table t alter a set default 7, alter column b set default (1+1)" },
      "a:int?=7, b:int?=(1+1); utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int default 5, b int default 6)",
      { "alter table t alter a drop default, order by b, a desc" },
      "a:int?, b:int?=6; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int, b int)",
      { "alter table t alter column a set invisible" },
      "a:int?i, b:int?; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int, b int)",
      { "alter table t rename to t2", "alter table t2 rename as t" },
      "a:int?, b:int?; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int, b int)",
      { "rename table t to t3, t3 to t" },
      "a:int?, b:int?; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int, b int)",
      { "alter table t add constraint cc check (a > 0), add constraint fk foreign "
        "key (b) references ref_p(id), force" },
      "a:int?, b:int?; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int, b int, constraint cc check (a > 0))",
      { "alter table t drop constraint cc, add index (b), disable keys" },
      "a:int?, b:int?; utf8mb4 utf8mb4_0900_ai_ci" },
    { MARIADB,
      "create table t (a int, b int)",
      { "alter table t add column if not exists b varchar(10), add column if not "
        "exists c int, drop column if exists zz" },
      "a:int(11)?, b:int(11)?, c:int(11)?; utf8mb4 utf8mb4_general_ci" },
    { MYSQL,
      "create table t (a int primary key) partition by range (a) (partition p0 values "
      "less than (10))",
      { "alter table t add partition (partition p1 values less than (20))" },
      "a:int k1; key PRIMARY; utf8mb4 utf8mb4_0900_ai_ci" },
    { MARIADB,
      "create table t (a int)",
      { "alter table t add system versioning" },
      "a:int(11)?; utf8mb4 utf8mb4_general_ci versioned" },
    { MARIADB,
      "create table t (a int) with system versioning",
      { "alter table t drop system versioning" },
      "a:int(11)?; utf8mb4 utf8mb4_general_ci" },
    { MYSQL,
      "create table t (a int primary key)",
      { "alter table t add b int auto_increment unique, modify a int not null" },
      "a:int k1, b:int+; key PRIMARY; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int primary key auto_increment, b int)",
      { "alter table t modify column `a` bigint(20) unsigned not null auto_increment "
        "comment 'pk', modify b int default 3 after a" },
      "a:bigint unsigned k1+'pk', b:int?=3; key PRIMARY; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int, b int)",
      { "alter table t add c int generated always as (a+b) stored after a, add d "
        "varchar(20) as (concat(a,'x')) virtual" },
      "a:int?, c:int?V, b:int?, d:varchar(20)/utf8mb4/utf8mb4_0900_ai_ci?v; utf8mb4 "
      "utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int, b int, c int, primary key (a,b))",
      { "alter table t rename column a to x, change b y bigint not null" },
      "x:int k1, y:bigint k2, c:int?; key PRIMARY; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int) charset latin1",
      { "alter table t add (b varchar(3), c enum('q','r')), add d set('x') charset "
        "utf8mb4" },
      "a:int?, b:varchar(3)/latin1?, c:enum('q','r')/latin1?, d:set('x')/utf8mb4?; "
      "latin1" },
    { MYSQL,
      "create table t (a varchar(10) charset utf8mb3) charset utf8mb3",
      { "alter table t modify a varchar(20), charset utf8mb4" },
      "a:varchar(20)/utf8mb4?; utf8mb4" },
    { MYSQL,
      "create table t (a int, b int)",
      { "alter table t add c int first, add d int first, add e int" },
      "d:int?, c:int?, a:int?, b:int?, e:int?; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int not null, b int not null)",
      { "alter table t add unique (a), add unique (b)" },
      "" },
    { MYSQL,
      "create table t (a int not null, b int not null)",
      { "alter table t add unique u1 (a), add unique u0 (b)" },
      "a:int, b:int k1; key u0; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int not null)",
      { "alter table t add b int not null unique" },
      "a:int, b:int k1; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int)",
      { "alter table t add b int primary key first" },
      "b:int k1, a:int?; key PRIMARY; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL, "create table t (a int primary key)", { "alter table t drop primary key" }, "" },
    { MYSQL,
      "create table t (a int not null, b varchar(20) charset latin1 not null, c int) "
      "row_format=compressed key_block_size=4",
      { "alter table t add unique key u1 (b(5),a), add unique key u2 (a,b)",
        "alter table t drop key u1" },
      "a:int k1, b:varchar(20)/latin1 k2, c:int?; key u2; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int not null, b varchar(20) charset latin1 not null, c int, "
      "unique key u1 (b), unique key u2 (a,b))",
      { "alter table t drop key u2" },
      "a:int, b:varchar(20)/latin1 k1, c:int?; key u1; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int not null, b int not null, c int not null, unique key "
      "u1 (b))",
      { "alter table t modify b bigint not null, change c d varchar(10)" },
      "a:int, b:bigint k1, d:varchar(10)/utf8mb4/utf8mb4_0900_ai_ci?; key u1; utf8mb4 "
      "utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int, b varchar(10))",
      { "alter table t add c varchar(10) collate latin1_bin, modify b varchar(20) "
        "charset ucs2 not null default '' after c, change a id int not null auto_increment "
        "primary key first" },
      "id:int k1+, c:varchar(10)/latin1/latin1_bin?, b:varchar(20)/ucs2=; key PRIMARY; "
      "utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int)",
      { "alter table t add column `b` varchar(10) not null default 'x' comment 'c' "
        "after `a`, engine=InnoDB, add column c text, add index (b), lock=none" },
      "a:int?, b:varchar(10)/utf8mb4/utf8mb4_0900_ai_ci=x'c', c:text/utf8mb4/utf8mb4_0900_ai_"
      "ci?; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int, b text, c varchar(5)) character set utf8mb3",
      { "alter table t modify b mediumtext, modify column c char(5) collate utf8mb4_bin, "
        "default collate utf8mb4_bin" },
      "a:int?, b:mediumtext/utf8mb4/utf8mb4_bin?, c:char(5)/utf8mb4/utf8mb4_bin?; "
      "utf8mb4 utf8mb4_bin" },
    { MYSQL,
      "create table t (a int primary key, b int)",
      { "alter table t partition by hash(a) partitions 3", "alter table t add c int",
        "alter table t coalesce partition 1", "alter table t remove partitioning" },
      "a:int k1, b:int?, c:int?; key PRIMARY; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int, b int)",
      { "alter table t add constraint primary key (a), add constraint uu unique index "
        "uq (b)" },
      "a:int k1, b:int?; key PRIMARY; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int, b int)",
      { "alter table t add constraint pk primary key using btree (a,b), add foreign "
        "key (b) references ref_p(id)" },
      "a:int k1, b:int k2; key PRIMARY; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int auto_increment key, b int)",
      { "alter table t auto_increment = 100, add unique (b), comment 'x''y'" },
      "a:int k1+, b:int?; key PRIMARY; utf8mb4 utf8mb4_0900_ai_ci 'x'y'" },
    { MYSQL,
      "create table t (a int) collate=utf8mb4_general_ci",
      { "alter table t add b varchar(3), convert to character set latin1 collate "
        "latin1_general_ci, add c enum('z')" },
      "a:int?, b:varchar(3)/latin1/latin1_general_ci?, c:enum('z')/latin1/latin1_general_ci?;"
      " latin1 latin1_general_ci" },
    { MYSQL,
      "create table t (a longtext, b mediumtext, c char(10), e set('a','\303\266')) "
      "charset utf8mb3",
      { "alter table t convert to character set utf8mb4 collate utf8mb4_bin" },
      "a:longtext/utf8mb4/utf8mb4_bin?, b:longtext/utf8mb4/utf8mb4_bin?, c:char(10)/utf8mb4/u"
      "tf8mb4_bin?, e:set('a','\303\266')/utf8mb4/utf8mb4_bin?; utf8mb4 utf8mb4_bin" },
    { MARIADB,
      "create table t (j json, k json not null default '{}', l longtext check (json_valid(l))"
      ")",
      { "alter table t add m json after j, convert to character set utf8mb4 collate "
        "utf8mb4_bin" },
      "j:longtext/utf8mb4/utf8mb4_bin?, m:longtext/utf8mb4/utf8mb4_bin?, k:longtext/utf8mb4/u"
      "tf8mb4_bin={}, l:longtext/utf8mb4/utf8mb4_bin?; utf8mb4 utf8mb4_bin" },
    { MYSQL,
      "create table t (a int primary key, b int)",
      { "alter table t drop primary key, drop column a, add id bigint unsigned not "
        "null auto_increment first, add primary key (id)" },
      "id:bigint unsigned k1+, b:int?; key PRIMARY; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a varchar(20) not null, b int, unique u (a))",
      { "alter table t modify a varchar(30) not null, alter b set default 3" },
      "a:varchar(30)/utf8mb4/utf8mb4_0900_ai_ci k1, b:int?=3; key u; utf8mb4 utf8mb4_0900_ai_"
      "ci" },
    { MYSQL,
      "create table t (a int, b int, c varchar(10))",
      { "alter table t change column A aa bigint, modify C varchar(20) first, drop "
        "B" },
      "C:varchar(20)/utf8mb4/utf8mb4_0900_ai_ci?, aa:bigint?; utf8mb4 utf8mb4_0900_ai_ci" },
};

/* The table after one statement of any kind, NULL when it cannot be told. */
static const struct table *follow(const struct table *table, const char *sql,
                                  enum ddl_server server, struct arena *arena)
{
    const struct ddl_statement *statements;
    size_t count;
    bool doubt;
    struct ddl_context context = ddl_server_context(server);
    ddl_parse(bytes_from(sql), &context, arena, &statements, &count, &doubt);
    for (size_t i = 0; i < count && table; i++) {
        struct table *draft = NULL;
        const struct column_rename *renames;
        uint16_t rename_count;
        if (statements[i].kind == DDL_IGNORED)
            continue;
        table =
            ddl_apply(table, &statements[i], arena, &draft, &renames, &rename_count) ? draft : NULL;
    }
    return table;
}

static void test_apply(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct arena arena = { 0 };
        const struct table *table = ddl_one(cases[i].create, cases[i].server, &arena)->created;
        for (size_t k = 0; cases[i].alters[k] && table; k++) {
            print_message("%s\n", cases[i].alters[k]);
            table = follow(table, cases[i].alters[k], cases[i].server, &arena);
        }
        assert_string_equal(table ? (const char *)table_text(table, &arena).data : "",
                            cases[i].want);
        arena_done(&arena);
    }
}

/* What a column was called before, as the change says it. */
static void test_renames(void **state)
{
    (void)state;
    struct arena arena = { 0 };
    const struct table *table =
        ddl_one("create table t (a int, b int, c int, d int)", MYSQL, &arena)->created;
    const struct ddl_statement *alter =
        ddl_one("alter table t change a b int, rename column b to a, change C c2 text after a, "
                "modify d bigint",
                MYSQL, &arena);
    struct table *draft;
    const struct column_rename *renames;
    uint16_t count;
    assert_true(ddl_apply(table, alter, &arena, &draft, &renames, &count));
    static const char *const want[] = { "a", "b", "b", "a", "c", "c2" };
    assert_int_equal(count, ARRAY_SIZE(want) / 2);
    for (size_t i = 0; i < count; i++) {
        assert_true(bytes_is(renames[i].from, want[2 * i]));
        assert_true(bytes_is(renames[i].to, want[2 * i + 1]));
    }
    assert_null(draft->previous);
    arena_done(&arena);
}

/* What a version cannot tell, or what the server would have refused. */
static const struct {
    const char *create, *alter;
} untold[] = {
    { "create table t (a int)", "alter table t drop b" },
    { "create table t (a int)", "alter table t change b c int" },
    { "create table t (a int)", "alter table t add b int after x" },
    { "create table t (a int)", "alter table t add a int" },
    { "create table t (a int, b int)", "alter table t rename column a to b" },
    { "create table t (a int)", "alter table t drop a" },
    { "create table t (a int)", "alter table t add primary key (x)" },
    { "create table t (a int)", "alter table t alter b set default 1" },
    { "create table t (a int primary key)", "alter table t drop primary key" },
    { "create table t (a int, b int, primary key (a,b))", "alter table t drop b" },
    { "create table t (a int not null unique)", "alter table t modify a int" },
    { "create table t (a int not null unique)", "drop index a on t" },
    { "create table t (a int not null unique, b int)", "alter table t rename index a to b" },
    { "create table t (a int not null unique, b int)", "alter table t modify b int not null" },
    { "create table t (a int not null unique, b int not null)", "alter table t add unique (b)" },
    { "create table t (a int)", "alter table t add unique index if not exists u (a)" },
};

static void test_untold(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(untold); i++) {
        print_message("%s; %s\n", untold[i].create, untold[i].alter);
        struct arena arena = { 0 };
        const struct table *table = ddl_one(untold[i].create, MARIADB, &arena)->created;
        const struct ddl_statement *alter = ddl_one(untold[i].alter, MARIADB, &arena);
        assert_int_equal(alter->kind, DDL_ALTER_TABLE);
        struct table *draft = NULL;
        const struct column_rename *renames;
        uint16_t count;
        assert_false(ddl_apply(table, alter, &arena, &draft, &renames, &count));
        assert_null(draft);
        arena_done(&arena);
    }
}

/* A version whose key has no name (it was read in another way): names decide nothing then. */
static void test_unnamed_key(void **state)
{
    (void)state;
    struct arena arena = { 0 };
    struct table *table = table_copy(
        &arena, ddl_one("create table t (a int primary key, b int)", MYSQL, &arena)->created);
    table->key_name = (struct bytes){ 0 };
    struct table *draft;
    const struct column_rename *renames;
    uint16_t count;
    assert_false(ddl_apply(table, ddl_one("drop index x on t", MYSQL, &arena), &arena, &draft,
                           &renames, &count));
    assert_true(ddl_apply(table, ddl_one("alter table t add c int", MYSQL, &arena), &arena, &draft,
                          &renames, &count));
    assert_int_equal(draft->key_count, 1);
    arena_done(&arena);
}

static void test_table_rename(void **state)
{
    (void)state;
    struct arena arena = { 0 };
    const struct table *table = ddl_one("create table t (a int)", MYSQL, &arena)->created;
    struct table *draft;
    const struct column_rename *renames;
    uint16_t count;
    const struct ddl_statement *alter =
        ddl_one("alter table t rename to x.y, comment 'z'", MYSQL, &arena);
    assert_true(ddl_apply(table, alter, &arena, &draft, &renames, &count));
    assert_true(bytes_is(draft->database, "x") && bytes_is(draft->name, "y"));
    assert_true(bytes_is(draft->comment, "z"));
    assert_false(
        ddl_apply(table, ddl_one("drop table t", MYSQL, &arena), &arena, &draft, &renames, &count));
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_apply),        cmocka_unit_test(test_renames),
        cmocka_unit_test(test_untold),       cmocka_unit_test(test_unnamed_key),
        cmocka_unit_test(test_table_rename),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
