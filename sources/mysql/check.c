/* SPDX-License-Identifier: Apache-2.0
 *
 * Preflight: what must hold on the server for the pipeline to run, each with the statement that
 * mends it. */
#include "sources/mysql/check.h"

#include <stdio.h>

#include "engine/base/buf.h"
#include "sources/mysql/rights.h"
#include "sources/mysql/tables.h"

struct check {
    struct connection *connection;
    struct arena arena;
    struct findings *findings;
    struct rights rights;
    bool mariadb, by_gtid;
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
        finding_add(findings, FINDING_FAIL, "set log_bin in the server's configuration, restart it",
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

static void check_rights(struct check *check)
{
    struct error err;
    if (!rights_read(check->connection, &check->rights, &err)) {
        finding_add(check->findings, FINDING_WARN, "", "grants cannot be read: %s", err.message);
        check->rights.held[RIGHT_LOCK] = true; /* not known: the tables will tell */
        return;
    }
    for (size_t right = 0; right < RIGHT_NEEDED; right++) {
        char cure[280] = "";
        bool held = check->rights.held[right];
        if (!held)
            rights_cure(&check->rights, (enum right)right, cure, sizeof cure);
        finding_add(check->findings, held ? FINDING_OK : FINDING_FAIL, cure, "%s is %s",
                    right_name((enum right)right), held ? "granted" : "missing");
    }
}

static bool may_read(struct check *check, struct bytes place)
{
    struct error err;
    struct result result;
    struct bytes sql = arena_printf(&check->arena, "SELECT * FROM %.*s LIMIT 0", BYTES_ARGS(place));
    return connection_query(check->connection, sql, 0, &check->arena, &result, &err) ||
           err.kind != ERROR_CONFIG;
}

/* A table is listed when the user holds any right on it, not only when it may be read. */
static void check_reading(struct check *check, struct table *const *drafts, size_t count)
{
    size_t refused = 0;
    struct bytes first = { 0 };
    for (size_t i = 0; i < count && !check->rights.select_everywhere; i++) {
        struct buf name;
        buf_init(&name, 4096);
        mysql_quote_identifier(&name, drafts[i]->database);
        buf_u8(&name, '.');
        mysql_quote_identifier(&name, drafts[i]->name);
        if (!may_read(check, buf_view(&name)) && refused++ == 0)
            first = arena_copy(&check->arena, buf_view(&name));
        buf_done(&name);
    }
    if (refused == 0)
        return;
    char cure[300];
    snprintf(cure, sizeof cure, "GRANT SELECT ON %.*s TO %s", BYTES_ARGS(first),
             check->rights.grantee);
    finding_add(check->findings, FINDING_FAIL, cure,
                "%zu of them may not be read; the first is %.*s", refused, BYTES_ARGS(first));
}

/* MySQL: where the log alone cannot tell what a snapshot holds, the table is held still. */
static void check_lock(struct check *check, size_t keyless)
{
    bool needed = !check->mariadb && (!check->by_gtid || keyless > 0);
    if (!needed || check->rights.held[RIGHT_LOCK])
        return;
    char cure[280];
    rights_cure(&check->rights, RIGHT_LOCK, cure, sizeof cure);
    finding_add(check->findings, check->by_gtid ? FINDING_WARN : FINDING_FAIL, cure,
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
    for (size_t i = 0; i < count; i++) {
        keyless += drafts[i]->key_count == 0;
        findings_table(check->findings, drafts[i]);
    }
    if (count == 0)
        finding_add(check->findings, FINDING_FAIL,
                    "look at `tables` in the config, and at the user's SELECT rights",
                    "no table matches");
    else
        finding_add(check->findings, FINDING_OK, "", "%zu table%s, %zu of them without a key",
                    count, count == 1 ? " matches" : "s match", keyless);
    check_reading(check, drafts, count);
    if (keyless && !bytes_is(variable(check, "binlog_row_image"), "FULL"))
        finding_add(check->findings, FINDING_WARN, "SET GLOBAL binlog_row_image=FULL;",
                    "tables without a key need full row images: theirs will park");
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
    check_rights(&check);
    check_tables(&check, options, filter);
    connection_close(check.connection);
    arena_done(&check.arena);
    return true;
}
