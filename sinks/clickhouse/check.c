/* SPDX-License-Identifier: Apache-2.0
 *
 * The preflight: is the server there, new enough, ours to log in to, and may we do there what a
 * sync needs? Each finding that is not well comes with the one line that mends it. */
#include <stdio.h>

#include "engine/base/assert.h"
#include "sinks/clickhouse/clickhouse.h"
#include "sinks/clickhouse/errors.h"
#include "sinks/clickhouse/sql.h"
#include "sinks/drivers.h"

struct check {
    const struct clickhouse_options *options;
    struct clickhouse_server server;
    struct findings *findings;
};

static bool url_is_local(struct bytes url)
{
    static const char *const hosts[] = { "http://127.", "http://localhost", "http://[::1]" };
    for (size_t i = 0; i < ARRAY_SIZE(hosts); i++)
        if (url.size >= strlen(hosts[i]) && memcmp(url.data, hosts[i], strlen(hosts[i])) == 0)
            return true;
    return false;
}

static void check_transport(struct check *check)
{
    const struct clickhouse_options *options = check->options;
    for (size_t i = 0; i < options->urls.count; i++) {
        struct bytes url = options->urls.items[i];
        bool plain = url.size > 5 && url.data[4] == ':';
        if (plain && options->password.size > 0 && !url_is_local(url))
            finding_add(check->findings, FINDING_WARN, "use the https port, usually 8443",
                        "the password travels unencrypted to %.*s", BYTES_ARGS(url));
    }
    if (options->tls_verify == VERIFY_NONE)
        finding_add(check->findings, FINDING_WARN, "set ssl.verify: full, with ssl.ca if need be",
                    "the server's certificate is not checked");
}

static const char *cure_of(const struct error *err)
{
    switch (err->code) {
    case 193:
    case 194:
    case 516:
        return "check username and password; the user is made with CREATE USER ... IDENTIFIED BY";
    case 192:
        return "create the user: CREATE USER <name> IDENTIFIED BY '<password>'";
    case 195:
        return "let the user in from this host: ALTER USER <name> HOST ANY";
    default:
        return err->kind == ERROR_CONFIG
                   ? "check url and the ssl settings; the HTTP port is usually 8123, with TLS 8443"
                   : "check that the server runs and that url names its HTTP port (usually 8123)";
    }
}

static bool check_server(struct check *check)
{
    struct error err;
    if (!server_connect(&check->server, &err)) {
        finding_add(check->findings, FINDING_FAIL, cure_of(&err), "%s", err.message);
        return false;
    }
    const struct clickhouse_abilities *abilities = &check->server.abilities;
    finding_add(check->findings, FINDING_OK, "", "ClickHouse %u.%u, TIME as %s, dates from year %d",
                check->server.version / 1000, check->server.version % 1000,
                abilities->time64 ? "Time64" : "String", abilities->date_min < -30000 ? 1 : 1900);
    return true;
}

/* 1 granted, 0 not, -1 not known: CHECK GRANT is younger than the oldest server we take. It knows
 * no FORMAT clause; its answer is the text of a number. */
static int right_held(struct check *check, const char *right)
{
    struct error err;
    struct reader rows;
    buf_printf(server_sql(&check->server), "CHECK GRANT %s ON *.*", right);
    if (!server_query(&check->server, &rows, &err))
        return -1;
    return reader_u8(&rows) == '1';
}

/* Does SHOW GRANTS tell of more than rights on all databases: rights on some, or roles? */
static bool rights_are_partial(struct check *check)
{
    struct error err;
    struct reader rows;
    buf_text(server_sql(&check->server), "SHOW GRANTS");
    if (!server_query(&check->server, &rows, &err))
        return true;
    struct bytes rest = rows.rest;
    while (rest.size > 0) {
        const uint8_t *end = memchr(rest.data, '\n', rest.size);
        size_t size = end ? (size_t)(end - rest.data) : rest.size;
        const uint8_t *place = memmem(rest.data, size, " ON ", 4);
        if (size > 0 && (!place || place + 4 == rest.data + size || place[4] != '*'))
            return true;
        size += end != NULL;
        rest.data += size;
        rest.size -= size;
    }
    return false;
}

static void report_missing(struct check *check, const char *missing)
{
    char cure[300];
    const struct bytes user = check->options->username;
    snprintf(cure, sizeof cure, "on each target database: GRANT %.180s ON <database>.* TO %.*s",
             missing, (int)(user.size < 60 ? user.size : 60), (const char *)user.data);
    if (rights_are_partial(check))
        finding_add(check->findings, FINDING_WARN, cure, "not granted on all databases: %s",
                    missing);
    else
        finding_add(check->findings, FINDING_FAIL, cure, "not granted on any database: %s",
                    missing);
}

static void check_rights(struct check *check)
{
    static const char *const rights[] = { "SELECT",       "INSERT",      "CREATE DATABASE",
                                          "CREATE TABLE", "CREATE VIEW", "ALTER COLUMN",
                                          "ALTER TABLE",  "DROP TABLE",  "DROP VIEW",
                                          "TRUNCATE" };
    char missing[300] = "";
    for (size_t i = 0; i < ARRAY_SIZE(rights); i++) {
        int held = right_held(check, rights[i]);
        if (held < 0) {
            finding_add(check->findings, FINDING_OK, "", "rights: this server cannot be asked");
            return;
        }
        size_t used = strlen(missing);
        if (!held)
            snprintf(missing + used, sizeof missing - used, "%s%s", used ? ", " : "", rights[i]);
    }
    if (missing[0])
        report_missing(check, missing);
    else
        finding_add(check->findings, FINDING_OK, "", "rights: all that a sync needs");
}

/* Opens a sink as a run would: the settings of its INSERTs are tried there. */
static void check_open(struct check *check)
{
    struct arena arena = { 0 };
    struct sink_counters counters = { 0 };
    struct sink *sink;
    struct error err;
    if (sink_clickhouse.open(check->options, &arena, &counters, &sink, &err))
        sink_clickhouse.close(sink);
    else
        finding_add(check->findings, FINDING_FAIL,
                    "see SELECT name FROM system.settings for what this server knows", "%s",
                    err.message);
    arena_done(&arena);
}

static void check_cluster(struct check *check)
{
    struct error err;
    struct reader rows;
    struct bytes cluster = check->options->cluster;
    if (cluster.size == 0)
        return;
    struct buf *sql = server_sql(&check->server);
    buf_text(sql, "SELECT count() FROM system.clusters WHERE cluster = ");
    sql_string(sql, cluster);
    buf_text(sql, " FORMAT RowBinary");
    if (!server_query(&check->server, &rows, &err))
        finding_add(check->findings, FINDING_WARN, "", "%s", err.message);
    else if (reader_le(&rows, 8) == 0)
        finding_add(check->findings, FINDING_FAIL,
                    "use a name of SELECT cluster FROM system.clusters, or leave 'cluster' out",
                    "the server knows no cluster '%.*s'", BYTES_ARGS(cluster));
}

bool clickhouse_check(const void *options, const struct check_target *targets, size_t count,
                      struct findings *findings, struct error *err)
{
    (void)targets, (void)count; /* it makes what is missing, which check_rights() asks for */
    struct arena arena = { 0 };
    struct check check = { .options = options, .findings = findings };
    bool opened = server_open(&check.server, options, &arena, err);
    if (opened) {
        check_transport(&check);
        if (check_server(&check)) {
            check_open(&check);
            check_rights(&check);
            check_cluster(&check);
        }
    }
    server_close(&check.server);
    arena_done(&arena);
    return opened;
}
