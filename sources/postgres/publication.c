/* SPDX-License-Identifier: Apache-2.0
 *
 * The publication: what the server puts into the stream. It holds the captured tables by name,
 * never FOR ALL TABLES: once published, an UPDATE or DELETE of a table without a replica identity
 * fails in the application. Such tables stay out, and are parked by their reader with the statement
 * that mends them. A partitioned table is published as its root; stored generated columns go along
 * where the server can (18), for with REPLICA IDENTITY FULL they must. */
#include "sources/postgres/publication.h"

#include "sources/postgres/session_errors.h"

enum { SQL_LIMIT = 64 << 20, GENERATED_VERSION = 180000 };

static void put_where(struct buf *sql, const struct postgres_options *options)
{
    buf_text(sql, " WHERE pubname = ");
    postgres_quote_text(sql, options->publication);
}

bool publication_read(struct session *connection, const struct postgres_options *options,
                      struct publication *out, struct error *err)
{
    struct arena arena = { 0 };
    struct buf sql;
    struct result result;
    bool newer = session_version(connection) >= GENERATED_VERSION;
    bool roots = session_version(connection) >= ROOTS_VERSION;
    buf_init(&sql, SQL_LIMIT);
    buf_printf(&sql,
               "SELECT %s, puballtables, pubinsert AND pubupdate AND pubdelete AND pubtruncate, "
               "%s, puballtables OR EXISTS (SELECT FROM pg_publication_rel r JOIN pg_class c "
               "ON c.oid = r.prrelid WHERE r.prpubid = p.oid AND (c.relkind = 'p' OR "
               "c.relispartition)) FROM pg_publication p",
               roots ? "pubviaroot" : "false", newer ? "pubgencols" : "'n'");
    put_where(&sql, options);
    bool ok = session_query(connection, buf_view(&sql), &arena, &result, err);
    *out = (struct publication){ .generated = newer };
    if (ok && result.row_count > 0) {
        out->exists = true;
        out->fits =
            !roots || bytes_is(result.cells[0], "t") == (options->partitions == PARTITIONS_AS_ROOT);
        out->all_tables = bytes_is(result.cells[1], "t");
        out->all_changes = bytes_is(result.cells[2], "t");
        out->generated = bytes_is(result.cells[3], "s");
        out->partitions = bytes_is(result.cells[4], "t");
    }
    buf_done(&sql);
    arena_done(&arena);
    return ok;
}

bool publication_check(const struct postgres_options *options,
                       const struct publication *publication, struct error *err)
{
    if (!publication->exists || publication->fits || !publication->partitions)
        return true;
    return error_set(err, ERROR_CONFIG,
                     "the publication '%.*s' does not tell partitions as partition.mode: %s wants "
                     "them: ALTER PUBLICATION \"%.*s\" SET (publish_via_partition_root = %s)",
                     BYTES_ARGS(options->publication),
                     options->partitions == PARTITIONS_AS_ROOT ? "root" : "leaves",
                     BYTES_ARGS(options->publication),
                     options->partitions == PARTITIONS_AS_ROOT ? "true" : "false");
}

static void put_create(struct buf *sql, const struct postgres_options *options,
                       const struct listed_table *tables, size_t count, uint32_t version)
{
    buf_text(sql, "CREATE PUBLICATION ");
    postgres_quote_identifier(sql, options->publication);
    size_t put = 0;
    for (size_t i = 0; i < count; i++) {
        if (!tables[i].replicable)
            continue;
        buf_text(sql, put++ ? ", " : " FOR TABLE ");
        table_quote(sql, tables[i].table);
    }
    if (version >= ROOTS_VERSION)
        buf_printf(sql, " WITH (publish_via_partition_root = %s",
                   options->partitions == PARTITIONS_AS_ROOT ? "true" : "false");
    if (version >= GENERATED_VERSION)
        buf_text(sql, ", publish_generated_columns = stored");
    if (version >= ROOTS_VERSION)
        buf_u8(sql, ')');
}

static bool create(struct session *connection, const struct postgres_options *options,
                   const struct listed_table *tables, size_t count, struct error *err)
{
    struct arena arena = { 0 };
    struct buf sql;
    struct result result;
    buf_init(&sql, SQL_LIMIT);
    put_create(&sql, options, tables, count, session_version(connection));
    bool disabled = options->publication_mode == PUBLICATION_DISABLED;
    bool ok = !disabled && session_query(connection, buf_view(&sql), &arena, &result, err);
    if (disabled)
        error_set(err, ERROR_CONFIG, "there is no publication '%.*s': run %.*s%s",
                  BYTES_ARGS(options->publication), sql.size > 250 ? 250 : (int)sql.size,
                  (const char *)sql.data, sql.size > 250 ? " .." : "");
    else if (!ok && err->code == sqlstate_code("42501"))
        error_context(err,
                      "the publication '%.*s' cannot be made (make it as the tables' owner, "
                      "with publish_via_partition_root = %s)",
                      BYTES_ARGS(options->publication),
                      options->partitions == PARTITIONS_AS_ROOT ? "true" : "false");
    else if (!ok)
        error_context(err, "the publication '%.*s' cannot be made",
                      BYTES_ARGS(options->publication));
    buf_done(&sql);
    arena_done(&arena);
    /* Another pipeline of the same config was faster. */
    return ok || err->code == sqlstate_code("42710") || err->code == sqlstate_code("23505");
}

bool publication_add(struct session *connection, const struct postgres_options *options,
                     const struct table *table, struct error *err)
{
    struct arena arena = { 0 };
    struct buf sql;
    struct result result;
    buf_init(&sql, SQL_LIMIT);
    buf_text(&sql, "ALTER PUBLICATION ");
    postgres_quote_identifier(&sql, options->publication);
    buf_text(&sql, " ADD TABLE ");
    table_quote(&sql, table);
    bool ok = session_query(connection, buf_view(&sql), &arena, &result, err);
    buf_done(&sql);
    arena_done(&arena);
    return ok;
}

static bool holds(const struct result *published, const struct table *table)
{
    for (uint32_t i = 0; i < published->row_count; i++)
        if (bytes_equal(published->cells[2 * i], table->schema) &&
            bytes_equal(published->cells[2 * i + 1], table->name))
            return true;
    return false;
}

bool publication_prepare(struct session *connection, const struct postgres_options *options,
                         const struct publication *publication, const struct listed_table *tables,
                         size_t count, struct error *err)
{
    if (!publication->exists)
        return create(connection, options, tables, count, err);
    if (publication->all_tables || options->publication_mode == PUBLICATION_DISABLED)
        return true;
    struct arena arena = { 0 };
    struct buf sql;
    struct result published;
    buf_init(&sql, SQL_LIMIT);
    buf_text(&sql, "SELECT schemaname, tablename FROM pg_publication_tables");
    put_where(&sql, options);
    bool ok = session_query(connection, buf_view(&sql), &arena, &published, err);
    buf_done(&sql);
    for (size_t i = 0; ok && i < count; i++) {
        struct error refused;
        /* Without the right to add it the table's reader says so, and parks it. */
        if (tables[i].replicable && !holds(&published, tables[i].table) &&
            !publication_add(connection, options, tables[i].table, &refused) &&
            refused.kind == ERROR_RETRY && refused.code != sqlstate_code("42710")) {
            *err = refused;
            ok = false;
        }
    }
    arena_done(&arena);
    return ok;
}
