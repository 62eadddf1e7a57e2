/* SPDX-License-Identifier: Apache-2.0
 *
 * Preflight: what must hold on the server for the pipeline to run, each with the statement that
 * mends it. */
#include "sources/postgres/check.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "sources/postgres/ddl_trigger.h"
#include "sources/postgres/publication.h"

enum { NAMED_MAX = 8 };

struct check {
    struct session *connection;
    const struct postgres_options *options;
    struct arena arena;
    struct findings *findings;
};

static struct bytes ask(struct check *check, const char *sql)
{
    struct error err;
    struct bytes value = { 0 };
    if (!session_value(check->connection, sql, &check->arena, &value, &err))
        return (struct bytes){ 0 };
    return value;
}

static void check_keeping(struct check *check)
{
    struct bytes keep = ask(check, "SELECT current_setting('max_slot_wal_keep_size')");
    bool unlimited = bytes_is(keep, "-1");
    finding_add(check->findings, unlimited ? FINDING_WARN : FINDING_OK,
                unlimited ? "ALTER SYSTEM SET max_slot_wal_keep_size = '100GB'; as your disk allows"
                          : "",
                "max_slot_wal_keep_size is %.*s%s", BYTES_ARGS(keep),
                unlimited ? ": while the agent is down the log may fill the disk" : "");
}

/* The server counts every reader of its log by that name, ours too. */
static void check_standbys(struct check *check)
{
    if (bytes_is(ask(check, "SELECT current_setting('synchronous_standby_names') "
                            "~* '\\*|\\mmillrace\\M'"),
                 "t"))
        finding_add(check->findings, FINDING_WARN,
                    "name the standbys in synchronous_standby_names, and none of them millrace",
                    "synchronous_standby_names takes the agent for a standby: each COMMIT of the "
                    "application may wait until the sink has its rows");
}

static void check_server(struct check *check)
{
    struct findings *findings = check->findings;
    uint32_t version = session_version(check->connection);
    bool old = version < LEAST_VERSION;
    finding_add(findings, old ? FINDING_FAIL : FINDING_OK, old ? "upgrade to 12 or later" : "",
                "connected to PostgreSQL %u.%u, %s TLS", version / 10000, version % 10000,
                session_is_tls(check->connection) ? "with" : "without");
    struct bytes level = ask(check, "SELECT current_setting('wal_level')");
    bool logical = bytes_is(level, "logical");
    finding_add(findings, logical ? FINDING_OK : FINDING_FAIL,
                logical ? "" : "ALTER SYSTEM SET wal_level = logical; then restart the server",
                "wal_level is %.*s", BYTES_ARGS(level));
    if (version < ROOTS_VERSION)
        finding_add(findings, FINDING_WARN, "upgrade to 13 or later",
                    "PostgreSQL 12 has no max_slot_wal_keep_size: while the agent is down the log "
                    "may fill the disk");
    else
        check_keeping(check);
    check_standbys(check);
    if (check->options->origin == ORIGIN_NONE && version < ORIGIN_VERSION)
        finding_add(findings, FINDING_FAIL, "upgrade, or set origin: any",
                    "origin: none needs PostgreSQL 16 or later");
}

static void check_rights(struct check *check)
{
    bool may = bytes_is(ask(check, "SELECT rolreplication OR rolsuper OR EXISTS (SELECT FROM "
                                   "pg_roles g WHERE g.rolname IN ('rds_replication', "
                                   "'cloudsqlreplica') AND pg_has_role(r.oid, g.oid, 'member')) "
                                   "FROM pg_roles r WHERE rolname = current_user"),
                        "t");
    finding_add(check->findings, may ? FINDING_OK : FINDING_FAIL,
                may ? "" : "ALTER ROLE the_user REPLICATION;", "REPLICATION is %s",
                may ? "granted" : "missing");
    struct error err;
    struct session *stream;
    bool opens = !may || session_open(check->options, SESSION_REPLICATION, NULL, &stream, &err);
    if (may && opens)
        session_close(stream);
    if (!opens)
        finding_add(check->findings, FINDING_FAIL, "look at pg_hba.conf and max_wal_senders",
                    "the log cannot be connected to: %s", err.message);
}

static void check_slot(struct check *check)
{
    struct findings *findings = check->findings;
    struct buf sql;
    buf_init(&sql, 4096);
    buf_printf(&sql, "SELECT %s FROM pg_replication_slots WHERE slot_name = ",
               session_version(check->connection) < ROOTS_VERSION ? "'kept'" : "wal_status");
    postgres_quote_text(&sql, check->options->slot);
    buf_u8(&sql, 0);
    struct bytes status = ask(check, (const char *)sql.data);
    buf_done(&sql);
    struct bytes name = check->options->slot;
    bool is_lost = bytes_is(status, "lost");
    if (status.data) {
        finding_add(findings, is_lost ? FINDING_FAIL : FINDING_OK,
                    is_lost ? "drop the slot, and begin with a new checkpoint.directory" : "",
                    "slot '%.*s' is there, its log %.*s", BYTES_ARGS(name), BYTES_ARGS(status));
        return;
    }
    struct bytes left =
        ask(check, "SELECT current_setting('max_replication_slots')::int - count(*) "
                   "FROM pg_replication_slots");
    bool none = left.size == 0 || left.data[0] == '-' || bytes_is(left, "0");
    finding_add(findings, none ? FINDING_FAIL : FINDING_OK,
                none ? "ALTER SYSTEM SET max_replication_slots = 20; restart, or drop unused slots"
                     : "",
                "slot '%.*s' will be made, %.*s are left", BYTES_ARGS(name), BYTES_ARGS(left));
}

static void check_publication(struct check *check, struct publication *publication)
{
    struct error err;
    struct findings *findings = check->findings;
    struct bytes name = check->options->publication;
    const char *by_root = check->options->partitions == PARTITIONS_AS_ROOT ? "true" : "false";
    char cure[280];
    if (!publication_read(check->connection, check->options, publication, &err)) {
        finding_add(findings, FINDING_FAIL, "", "publications cannot be read: %s", err.message);
        return;
    }
    if (!publication->exists) {
        bool may =
            bytes_is(ask(check, "SELECT has_database_privilege(current_database(), 'CREATE')"),
                     "t") &&
            check->options->publication_mode == PUBLICATION_FILTERED;
        snprintf(cure, sizeof cure,
                 "GRANT CREATE ON DATABASE .. TO the user, who must own the tables; "
                 "or make the publication '%.*s' with publish_via_partition_root = %s",
                 BYTES_ARGS(name), by_root);
        finding_add(findings, may ? FINDING_OK : FINDING_FAIL, may ? "" : cure,
                    "publication '%.*s' %s be made", BYTES_ARGS(name), may ? "will" : "cannot");
        return;
    }
    bool good = publication->fits && publication->all_changes;
    snprintf(cure, sizeof cure,
             "ALTER PUBLICATION \"%.*s\" SET (publish_via_partition_root = %s, "
             "publish = 'insert, update, delete, truncate');",
             BYTES_ARGS(name), by_root);
    finding_add(findings, good ? FINDING_OK : FINDING_FAIL, good ? "" : cure,
                "publication '%.*s' is there%s%s%s", BYTES_ARGS(name),
                publication->fits ? "" : ", without publish_via_partition_root = ",
                publication->fits ? "" : by_root,
                publication->all_changes ? "" : ", without all kinds of changes");
    if (publication->all_tables)
        finding_add(
            findings, FINDING_WARN, "publish the captured tables by name instead",
            "it is FOR ALL TABLES: an UPDATE of a table without a key fails in the application");
}

static void check_triggers(struct check *check)
{
    struct error err;
    bool exists = false;
    if (check->options->detection != DETECT_TRIGGER)
        return;
    if (session_version(check->connection) < MESSAGES_VERSION) {
        finding_add(check->findings, FINDING_FAIL, "upgrade, or set schema-change.detection: infer",
                    "schema-change.detection: trigger needs PostgreSQL 14 or later");
        return;
    }
    bool may =
        (ddl_trigger_exists(check->connection, &exists, &err) && exists) ||
        bytes_is(ask(check, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"), "t");
    finding_add(check->findings, may ? FINDING_OK : FINDING_FAIL,
                may ? ""
                    : "start once with a superuser's name, or set schema-change.detection: infer",
                "event triggers of schema changes %s",
                exists ? "are there"
                : may  ? "will be made"
                       : "cannot be made by this user");
}

static void check_tables(struct check *check, const struct table_filter *filter, bool generated)
{
    struct error err;
    struct listed_table *tables;
    size_t count, bad = 0, partial = 0;
    if (!listed_tables_read(check->connection, check->options, filter, generated, &check->arena,
                            &tables, &count, &err)) {
        finding_add(check->findings, FINDING_FAIL, "", "tables cannot be listed: %s", err.message);
        return;
    }
    finding_add(check->findings, count ? FINDING_OK : FINDING_FAIL,
                count ? "" : "look at `tables` (database.schema.table) in the config",
                "%zu tables match", count);
    for (size_t i = 0; i < count; i++) {
        const struct table *table = tables[i].table;
        findings_table(check->findings, table);
        partial += tables[i].identity != 'f' && tables[i].replicable;
        if (tables[i].replicable || bad++ >= NAMED_MAX)
            continue;
        struct buf text;
        buf_init(&text, 4096);
        table_identity_complaint(&tables[i], &text);
        finding_add(check->findings, FINDING_FAIL,
                    "run that statement, or leave the table out by "
                    "tables.exclude",
                    "%.*s.%.*s: %.*s", BYTES_ARGS(table->schema), BYTES_ARGS(table->name),
                    BYTES_ARGS(buf_view(&text)));
        buf_done(&text);
    }
    if (bad > NAMED_MAX)
        finding_add(check->findings, FINDING_FAIL, "as above", "%zu more tables of that kind",
                    bad - NAMED_MAX);
    if (partial > 0)
        finding_add(check->findings, FINDING_OK, "",
                    "%zu tables do not have REPLICA IDENTITY FULL: "
                    "large values that an UPDATE leaves alone are looked up in the table",
                    partial);
}

/* Matching relations that logical decoding has no rows of: a line for each kind. */
static void check_others(struct check *check, const struct table_filter *filter)
{
    static const struct {
        const char *kind, *name, *cure;
    } kinds[] = { { "v", "views", "" },
                  { "m", "materialized views", "" },
                  { "f", "foreign tables", "sync them from the server that has them" },
                  { "u", "unlogged tables", "ALTER TABLE .. SET LOGGED;" } };
    struct result found;
    struct error err;
    if (!session_query(check->connection,
                       BYTES_LITERAL("SELECT current_database(), n.nspname, c.relname, CASE WHEN "
                                     "c.relpersistence = 'u' THEN 'u' ELSE c.relkind END FROM "
                                     "pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
                                     "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') "
                                     "AND NOT (c.relkind IN ('r', 'p') AND c.relpersistence = 'p') "
                                     "AND n.nspname NOT IN ('pg_catalog', 'information_schema') "
                                     "ORDER BY 2, 3"),
                       &check->arena, &found, &err))
        return;
    for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
        const struct bytes *first = NULL;
        size_t count = 0;
        for (uint32_t i = 0; i < found.row_count; i++) {
            const struct bytes *cells = &found.cells[i * 4];
            if (!bytes_is(cells[3], kinds[k].kind) ||
                !filter->matches(filter->context, cells[0], cells[1], cells[2]))
                continue;
            first = first ? first : cells;
            count++;
        }
        bool data = kinds[k].cure[0];
        if (count > 0)
            finding_add(check->findings, data ? FINDING_WARN : FINDING_OK, kinds[k].cure,
                        "%zu %s match and are not captured, the log has no rows of them: "
                        "%.*s.%.*s%s",
                        count, kinds[k].name, BYTES_ARGS(first[1]), BYTES_ARGS(first[2]),
                        count > 1 ? ", .." : "");
    }
}

bool postgres_check(const void *raw, const struct table_filter *filter, struct findings *findings,
                    struct error *err)
{
    struct check check = { .options = raw, .findings = findings };
    struct publication publication = { 0 };
    if (!session_open(raw, SESSION_PLAIN, NULL, &check.connection, err))
        return false;
    check_server(&check);
    check_rights(&check);
    check_slot(&check);
    check_publication(&check, &publication);
    check_triggers(&check);
    check_tables(&check, filter, publication.generated);
    check_others(&check, filter);
    session_close(check.connection);
    arena_done(&check.arena);
    return true;
}
