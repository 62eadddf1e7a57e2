/* SPDX-License-Identifier: Apache-2.0
 *
 * Preflight: what must hold on the server for the pipeline to run, each with the statement that
 * mends it. */
#include "sources/mysql/check.h"

#include <stdio.h>

#include "sources/mysql/tables.h"

struct check {
    struct connection *connection;
    struct arena arena;
    struct findings *findings;
    bool mariadb, by_gtid, may_lock;
};

static struct bytes variable(struct check *check, const char *name)
{
    struct error err;
    struct result result;
    struct bytes sql = arena_printf(&check->arena, "SELECT @@global.%s", name);
    if (!connection_query(check->connection, sql, 1, &check->arena, &result, &err) ||
        result.row_count == 0)
        return (struct bytes){ 0 };
    return result.cells[0];
}

static void check_log(struct check *check)
{
    struct findings *findings = check->findings;
    struct bytes log_bin = variable(check, "log_bin"), format = variable(check, "binlog_format");
    if (bytes_is(log_bin, "1"))
        finding_add(findings, FINDING_OK, "", "log_bin is on");
    else
        finding_add(findings, FINDING_FAIL,
                    "set log_bin in the server's configuration, restart it",
                    "log_bin is off: there is no log to read");
    if (bytes_is(format, "ROW"))
        finding_add(findings, FINDING_OK, "", "binlog_format is ROW");
    else
        finding_add(findings, FINDING_FAIL,
                    "SET GLOBAL binlog_format=ROW; (and in the configuration)",
                    "binlog_format is %.*s: rows are not in the log", BYTES_ARGS(format));
    struct bytes image = variable(check, "binlog_row_image");
    finding_add(findings, bytes_is(image, "FULL") ? FINDING_OK : FINDING_WARN,
                bytes_is(image, "FULL") ? "" : "SET GLOBAL binlog_row_image=FULL;",
                "binlog_row_image is %.*s%s", BYTES_ARGS(image),
                bytes_is(image, "FULL") ? ""
                                        : ": tables park when an image lacks what the sink needs");
    struct bytes metadata = variable(check, "binlog_row_metadata");
    if (metadata.data)
        finding_add(findings, bytes_is(metadata, "FULL") ? FINDING_OK : FINDING_WARN,
                    bytes_is(metadata, "FULL") ? "" : "SET GLOBAL binlog_row_metadata=FULL;",
                    "binlog_row_metadata is %.*s%s", BYTES_ARGS(metadata),
                    bytes_is(metadata, "FULL") ? ""
                                               : ": FULL makes schema changes safer to follow");
    check->by_gtid = true;
    struct bytes gtid = check->mariadb ? (struct bytes){ 0 } : variable(check, "gtid_mode");
    if (check->mariadb)
        return;
    check->by_gtid = bytes_is(gtid, "ON");
    finding_add(findings, check->by_gtid ? FINDING_OK : FINDING_WARN,
                check->by_gtid ? "" : "turn gtid_mode ON, step by step", "gtid_mode is %.*s%s",
                BYTES_ARGS(gtid),
                check->by_gtid ? "" : ": a failover cannot be followed without it");
}

static bool holds(struct bytes text, const char *word)
{
    return text.data && memmem(text.data, text.size, word, strlen(word));
}

static void check_grants(struct check *check)
{
    struct error err;
    struct result result;
    if (!connection_query(check->connection, BYTES_LITERAL("SHOW GRANTS"), 0, &check->arena,
                          &result, &err)) {
        finding_add(check->findings, FINDING_WARN, "", "grants cannot be read: %s", err.message);
        return;
    }
    bool all = false, slave = false, client = false, select = false;
    for (uint32_t i = 0; i < result.row_count; i++) {
        struct bytes grant = result.cells[i * result.column_count];
        bool everywhere = holds(grant, " ON *.*");
        all |= everywhere && holds(grant, "ALL PRIVILEGES");
        slave |= holds(grant, "REPLICATION SLAVE") || holds(grant, "REPLICATION REPLICA");
        client |= holds(grant, "REPLICATION CLIENT") || holds(grant, "BINLOG MONITOR");
        select |= holds(grant, "SELECT") || holds(grant, "ALL PRIVILEGES");
        check->may_lock |= holds(grant, "LOCK TABLES") || holds(grant, "ALL PRIVILEGES");
    }
    static const char *const rights[] = { "REPLICATION SLAVE", "REPLICATION CLIENT", "SELECT" };
    bool has[] = { all || slave, all || client, all || select };
    for (size_t i = 0; i < 3; i++) {
        char cure[200];
        snprintf(cure, sizeof cure, "GRANT %s ON *.* TO the user of this pipeline;", rights[i]);
        finding_add(check->findings, has[i] ? FINDING_OK : FINDING_FAIL, has[i] ? "" : cure,
                    "%s is %s", rights[i], has[i] ? "granted" : "missing");
    }
}

/* MySQL: where the log alone cannot tell what a snapshot holds, the table is held still. */
static void check_lock(struct check *check, size_t keyless)
{
    if (check->mariadb || check->may_lock || (check->by_gtid && keyless == 0))
        return;
    finding_add(check->findings, check->by_gtid ? FINDING_WARN : FINDING_FAIL,
                "GRANT LOCK TABLES ON *.* TO the user of this pipeline;",
                "LOCK TABLES is missing: %s",
                check->by_gtid
                    ? "tables without a key that are never quiet cannot be read without it"
                    : "without GTIDs no table can be read exactly without it");
}

static void check_tables(struct check *check, const struct mysql_options *options,
                         const struct table_filter *filter)
{
    struct error err;
    struct table **drafts;
    size_t count, keyless = 0;
    if (!tables_list(check->connection, options, filter, &check->arena, &drafts, &count, &err)) {
        finding_add(check->findings, FINDING_FAIL, "", "tables cannot be listed: %s", err.message);
        return;
    }
    for (size_t i = 0; i < count; i++)
        keyless += drafts[i]->key_count == 0;
    finding_add(check->findings, count ? FINDING_OK : FINDING_FAIL,
                count ? "" : "look at `tables` in the config, and at the user's SELECT rights",
                "%zu tables match", count);
    bool full = bytes_is(variable(check, "binlog_row_image"), "FULL");
    if (keyless)
        finding_add(check->findings, full ? FINDING_OK : FINDING_WARN,
                    full ? "" : "SET GLOBAL binlog_row_image=FULL;",
                    "%zu of them have no key: they are kept as signed rows, which takes full row "
                    "images", keyless);
    check_lock(check, keyless);
}

bool mysql_check(const void *raw, const struct table_filter *filter, struct findings *findings,
                 struct error *err)
{
    const struct mysql_options *options = raw;
    struct check check = { .findings = findings };
    if (!connection_open(options, &check.connection, err))
        return false;
    const struct server_info *server = connection_server(check.connection);
    check.mariadb = server->flavor == SERVER_MARIADB;
    bool old = server->version < (check.mariadb ? 100500u : 50700u);
    finding_add(findings, old ? FINDING_FAIL : FINDING_OK, old ? "upgrade the server" : "",
                "connected to %s, version %s%s", check.mariadb ? "MariaDB" : "MySQL", server->text,
                connection_is_tls(check.connection) ? ", with TLS" : ", without TLS");
    check_log(&check);
    check_grants(&check);
    check_tables(&check, options, filter);
    connection_close(check.connection);
    arena_done(&check.arena);
    return true;
}
