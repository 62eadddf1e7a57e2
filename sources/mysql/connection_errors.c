/* SPDX-License-Identifier: Apache-2.0
 *
 * Error numbers to kinds, as one table; numbers from the manuals "MySQL Error Message Reference"
 * and "MariaDB Error Codes", 2000 to 2061 and 5000 up from the client library. Number 1236 stands
 * for everything that a binlog dump can die of, so only there the text is looked at. A number that
 * is not in the table is tried again: the engine limits and reports that. */
#include "sources/mysql/connection_errors.h"

#include "engine/base/assert.h"
#include "sources/mysql/connection.h"

struct error_rule {
    int code;
    enum error_kind kind;
    const char *cure;
};

static const char grant_cure[] = "grant the user REPLICATION SLAVE, REPLICATION CLIENT (MariaDB: "
                                 "BINLOG MONITOR) and SELECT on the captured tables";

static const struct error_rule rules[] = {
    { 1040, ERROR_RETRY, "the server has no free connection: raise max_connections" },
    { 1044, ERROR_CONFIG, grant_cure },
    { 1045, ERROR_CONFIG,
      "check username and password, and from which hosts the user may connect" },
    { 1049, ERROR_CONFIG, "check the name of the database" },
    { 1053, ERROR_RETRY, NULL }, /* server shutdown in progress */
    { 1064, ERROR_CONFIG,
      "the server does not know this statement: is it MySQL 5.7 or later, or "
      "MariaDB 10.5 or later?" },
    { 1094, ERROR_RETRY, NULL },
    { 1105, ERROR_RETRY, NULL },
    { 1129, ERROR_CONFIG, "the server blocked this host: run mysqladmin flush-hosts" },
    { 1130, ERROR_CONFIG, "create the user for this host, or for '%'" },
    { 1142, ERROR_CONFIG, grant_cure },
    { 1143, ERROR_CONFIG, grant_cure },
    { 1146, ERROR_DATA, NULL }, /* no such table */
    { 1148, ERROR_CONFIG, NULL },
    { 1152, ERROR_RETRY, NULL }, /* aborted connection */
    { 1153, ERROR_CONFIG, "raise max_allowed_packet of the server" },
    { 1158, ERROR_RETRY, NULL },
    { 1159, ERROR_RETRY, NULL },
    { 1160, ERROR_RETRY, NULL },
    { 1161, ERROR_RETRY, NULL },
    { 1184, ERROR_RETRY, NULL },
    { 1193, ERROR_CONFIG, "the server does not know this setting: is its version supported?" },
    { 1203, ERROR_RETRY, "the user has too many connections: raise max_user_connections" },
    { 1205, ERROR_RETRY, NULL }, /* lock wait timeout */
    { 1213, ERROR_RETRY, NULL }, /* deadlock */
    { 1226, ERROR_RETRY, "the user reached a limit of its account" },
    { 1227, ERROR_CONFIG, grant_cure },
    { 1236, ERROR_RETRY, NULL }, /* by text, below */
    { 1251, ERROR_CONFIG, "the user's authentication plugin is too old for this client" },
    { 1290, ERROR_CONFIG, NULL },
    { 1317, ERROR_RETRY, NULL }, /* query interrupted */
    { 1373, ERROR_LOST, NULL },  /* target log not found in the index */
    { 1381, ERROR_CONFIG, "the server writes no binary log: start it with log_bin" },
    { 1698, ERROR_CONFIG, "the user logs in by its system account: create one with a password" },
    { 1789, ERROR_LOST, NULL }, /* purged required GTIDs */
    { 1820, ERROR_CONFIG, "the user must change its password: ALTER USER ... IDENTIFIED BY ..." },
    { 1862, ERROR_CONFIG, "the user's password has expired: ALTER USER ... IDENTIFIED BY ..." },
    { 1927, ERROR_RETRY, NULL }, /* connection was killed */
    { 1969, ERROR_RETRY, NULL }, /* max_statement_time */
    { 2001, ERROR_RETRY, NULL },
    { 2002, ERROR_RETRY, "is the server running, and are host and port (or the socket) right?" },
    { 2003, ERROR_RETRY, "is the server running, and are host and port right?" },
    { 2005, ERROR_RETRY, "the host name cannot be resolved" },
    { 2006, ERROR_RETRY, NULL },
    { 2012, ERROR_RETRY, NULL },
    { 2013, ERROR_RETRY, NULL },
    { 2020, ERROR_DATA, "a packet is larger than 1 GiB" },
    { 2026, ERROR_CONFIG,
      "TLS failed: check ssl.mode, the CA file, and the name in the certificate" },
    { 2027, ERROR_RETRY, NULL },
    { 2054, ERROR_CONFIG, "the user's authentication plugin is not known here" },
    { 2055, ERROR_RETRY, NULL },
    { 2058, ERROR_CONFIG, NULL },
    { 2059, ERROR_CONFIG, "the client's authentication plugins are not installed (libmariadb3)" },
    { 2060, ERROR_CONFIG, NULL },
    { 2061, ERROR_CONFIG,
      "the login failed: without TLS, caching_sha2_password and sha256_password "
      "need ssl.mode: required, or the server's public key file" },
    { 3024, ERROR_RETRY, NULL }, /* max_execution_time */
    { 3118, ERROR_CONFIG, "the account is locked: ALTER USER ... ACCOUNT UNLOCK" },
    { 3159, ERROR_CONFIG, "the server takes TLS only: set ssl.mode: required" },
    { 3169, ERROR_RETRY, NULL }, /* session was killed */
    { 3546, ERROR_LOST, NULL },
    { 4031, ERROR_RETRY, NULL }, /* disconnected for inactivity */
    { 4150, ERROR_CONFIG, "the account is locked: ALTER USER ... ACCOUNT UNLOCK" },
    { 4151, ERROR_CONFIG, "the account is locked: ALTER USER ... ACCOUNT UNLOCK" },
    { 5012, ERROR_RETRY, NULL },
};

/* What a dump died of, MySQL's and MariaDB's words; the first that is found counts. */
static const struct dump_rule {
    const char *text;
    enum error_kind kind;
    int code;
    const char *cure;
} dump_rules[] = {
    { "same server_uuid", ERROR_RETRY, CONNECTION_REPLACED, NULL },
    { "same server_id", ERROR_RETRY, CONNECTION_REPLACED, NULL },
    { "server_uuid/server_id", ERROR_RETRY, CONNECTION_REPLACED, NULL },
    { "purged", ERROR_LOST, 0, NULL },
    { "Could not find first log file", ERROR_LOST, 0, NULL },
    { "could not find next log", ERROR_LOST, 0, NULL },
    { "Could not open log file", ERROR_LOST, 0, NULL },
    { "impossible position", ERROR_LOST, 0, NULL },
    { "position > file size", ERROR_LOST, 0, NULL },
    { "position < 4", ERROR_LOST, 0, NULL },
    { "not in the master's binlog", ERROR_LOST, 0, NULL },
    { "Could not find GTID state", ERROR_LOST, 0, NULL },
    { "more GTIDs than", ERROR_LOST, 0, NULL },
    { "bogus data in log event", ERROR_LOST, 0, "the position is not at an event's start" },
    { "max_allowed_packet", ERROR_CONFIG, 0, "raise max_allowed_packet of the server" },
    { "GTID_MODE", ERROR_CONFIG, 0, "set gtid_mode=ON on the server and keep it so" },
    { "anonymous", ERROR_CONFIG, 0,
      "the log holds transactions without GTID: wait until gtid_mode "
      "is ON everywhere" },
    { "Binary log is not open", ERROR_CONFIG, 0, "start the server with log_bin" },
    { "binary log is not open", ERROR_CONFIG, 0, "start the server with log_bin" },
    { "server_id was not set", ERROR_CONFIG, 0, "set server_id on the server" },
    { "server id", ERROR_CONFIG, 0, "set server_id on the server" },
    { "checksum", ERROR_CONFIG, 0, "set binlog_checksum to CRC32 or NONE" },
};

static const struct error_rule *rule_of(int code)
{
    for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
        if (rules[i].code == code)
            return &rules[i];
    return NULL;
}

enum error_kind connection_error_kind(int code)
{
    const struct error_rule *rule = rule_of(code);
    return rule ? rule->kind : ERROR_RETRY;
}

static const struct dump_rule *dump_rule_of(struct bytes text)
{
    for (size_t i = 0; i < ARRAY_SIZE(dump_rules); i++)
        if (memmem(text.data, text.size, dump_rules[i].text, strlen(dump_rules[i].text)))
            return &dump_rules[i];
    return NULL;
}

bool connection_failure(struct error *err, int code, struct bytes text)
{
    const struct error_rule *rule = rule_of(code);
    const struct dump_rule *dump = code == 1236 && text.data ? dump_rule_of(text) : NULL;
    enum error_kind kind = dump ? dump->kind : rule ? rule->kind : ERROR_RETRY;
    const char *cure = dump ? dump->cure : rule ? rule->cure : NULL;
    int cut = text.size > 300 ? 300 : (int)text.size;
    error_code(err, kind, dump && dump->code ? dump->code : code, "%.*s (error %d)%s%s", cut,
               text.data ? (const char *)text.data : "", code, cure ? ": " : "", cure ? cure : "");
    return false;
}
