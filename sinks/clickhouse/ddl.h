/* SPDX-License-Identifier: Apache-2.0
 *
 * The statements that make and change targets. Each writes one statement into a buffer. */
#pragma once

#include "schema/table.h"
#include "sinks/clickhouse/options.h"
#include "sinks/clickhouse/types.h"

#define COLUMN_VERSION "_version"
#define COLUMN_DELETED "_is_deleted"
#define COLUMN_SIGN    "_sign"

struct ddl {
    const struct clickhouse_options *options;
    const struct clickhouse_abilities *abilities;
    struct bytes database, name; /* of the target */
    struct arena *arena;         /* scratch */
};

/* The type a column is made with. */
struct clickhouse_type ddl_type(const struct ddl *ddl, const struct column *column);

void ddl_create_database(const struct ddl *ddl, struct buf *sql);
void ddl_create_table(const struct ddl *ddl, const struct table *table, struct buf *sql);
/* after: NULL data = leave the place to the server, which puts it last. */
void ddl_add_column(const struct ddl *ddl, const struct column *column, struct bytes after,
                    struct buf *sql);
void ddl_modify_column(const struct ddl *ddl, struct bytes column, struct bytes type,
                       struct buf *sql);
/* UPDATE: every row holds what an ADD COLUMN at the source gives to it. */
void ddl_fill_column(const struct ddl *ddl, const struct column *column, struct bytes name,
                     struct buf *sql);
void ddl_rename_column(const struct ddl *ddl, struct bytes from, struct bytes to, struct buf *sql);
void ddl_drop_column(const struct ddl *ddl, struct bytes column, struct buf *sql);
void ddl_comment_column(const struct ddl *ddl, struct bytes column, struct bytes comment,
                        struct buf *sql);
void ddl_comment_table(const struct ddl *ddl, struct bytes comment, struct buf *sql);
void ddl_set_window(const struct ddl *ddl, struct buf *sql);
void ddl_rename_table(const struct ddl *ddl, struct bytes database, struct bytes name,
                      struct buf *sql);
/* Both names change hands at once; `other` is in the same database. */
void ddl_exchange_table(const struct ddl *ddl, struct bytes other, struct buf *sql);
/* The table becomes `old`, and `new` takes its name. */
void ddl_replace_table(const struct ddl *ddl, struct bytes old, struct bytes new, struct buf *sql);
void ddl_drop_table(const struct ddl *ddl, struct buf *sql);
void ddl_truncate(const struct ddl *ddl, struct buf *sql);

/* The view beside a table that shows the source's rows: `<table>_rows` of one without a key,
 * `<table>_final` of one with. `columns` are the target's names. */
struct bytes ddl_view_name(const struct ddl *ddl, bool keyed);
void ddl_create_view(const struct ddl *ddl, bool keyed, const struct bytes *columns, uint16_t count,
                     struct buf *sql);
void ddl_drop_view(const struct ddl *ddl, bool keyed, struct buf *sql);
