/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/differential/server.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((noreturn)) static void give_up(MYSQL *mysql, const char *what)
{
    fprintf(stderr, "%.200s: %s\n", what, mysql_error(mysql));
    exit(2);
}

static MYSQL *open_connection(const char *address)
{
    char copy[256], *rest = copy;
    snprintf(copy, sizeof copy, "%s", address);
    const char *host = strsep(&rest, ":"), *port = strsep(&rest, ":");
    const char *user = strsep(&rest, ":"), *password = rest;
    MYSQL *mysql = mysql_init(NULL);
    my_bool on = 1, off = 0;
    unsigned long packet = 1UL << 30;
    mysql_options(mysql, MYSQL_OPT_SSL_ENFORCE, &on);
    mysql_options(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &off);
    mysql_options(mysql, MYSQL_OPT_MAX_ALLOWED_PACKET, &packet);
    mysql_options(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    unsigned number = port ? (unsigned)strtoul(port, NULL, 10) : 3306;
    if (mysql_real_connect(mysql, host, user, password, NULL, number, NULL, 0))
        return mysql;
    mysql_close(mysql); /* a server without TLS */
    mysql = mysql_init(NULL);
    mysql_options(mysql, MYSQL_OPT_MAX_ALLOWED_PACKET, &packet);
    mysql_options(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    if (!mysql_real_connect(mysql, host, user, password, NULL, number, NULL, 0))
        give_up(mysql, "connect");
    return mysql;
}

void server_open(struct server *server, const char *address)
{
    *server = (struct server){ .mysql = open_connection(address) };
    const char *version = mysql_get_server_info(server->mysql);
    unsigned long number = mysql_get_server_version(server->mysql);
    server->mariadb = strstr(version, "MariaDB") != NULL;
    server->vectors = number >= (server->mariadb ? 110700 : 90000);
    server_run(server, "SET time_zone = '+00:00', sql_mode = 'ALLOW_INVALID_DATES'");
}

void server_close(struct server *server) { mysql_close(server->mysql); }

void server_run(struct server *server, const char *format, ...)
{
    char *sql = NULL;
    va_list args;
    va_start(args, format);
    int size = vasprintf(&sql, format, args);
    va_end(args);
    if (size < 0 || mysql_real_query(server->mysql, sql, (unsigned long)size))
        give_up(server->mysql, sql);
    MYSQL_RES *result = mysql_store_result(server->mysql);
    if (result)
        mysql_free_result(result);
    free(sql);
}

MYSQL_RES *server_select(struct server *server, const char *sql)
{
    MYSQL_RES *result = NULL;
    if (mysql_query(server->mysql, sql) == 0)
        result = mysql_store_result(server->mysql);
    if (!result)
        give_up(server->mysql, sql);
    return result;
}

void server_mark_log(struct server *server)
{
    bool old = server->mariadb || mysql_get_server_version(server->mysql) < 80400;
    MYSQL_RES *result =
        server_select(server, old ? "SHOW MASTER STATUS" : "SHOW BINARY LOG STATUS");
    MYSQL_ROW row = mysql_fetch_row(result);
    if (!row)
        give_up(server->mysql, "the server writes no log");
    snprintf(server->file, sizeof server->file, "%s", row[0]);
    server->offset = strtoull(row[1], NULL, 10);
    mysql_free_result(result);
}

static uint32_t number_le(const uint8_t *at)
{
    return (uint32_t)(at[0] | at[1] << 8 | at[2] << 16) | (uint32_t)at[3] << 24;
}

static void start_dump(MYSQL *mysql, const struct server *server)
{
    enum { NON_BLOCKING = 1, SERVER_ID = 77123 };
    uint8_t command[530];
    size_t name = strlen(server->file);
    if (mysql_query(mysql, "SET @master_binlog_checksum = 'CRC32', "
                           "@source_binlog_checksum = 'CRC32', @mariadb_slave_capability = 4"))
        give_up(mysql, "checksum");
    for (size_t i = 0; i < 4; i++) {
        command[i] = (uint8_t)(server->offset >> 8 * i);
        command[6 + i] = (uint8_t)(SERVER_ID >> 8 * i);
    }
    command[4] = NON_BLOCKING;
    command[5] = 0;
    memcpy(command + 10, server->file, name);
    if (mysql->methods->db_command(mysql, COM_BINLOG_DUMP, (char *)command, 10 + name, 1, 0))
        give_up(mysql, "dump");
}

void server_read_log(const struct server *server, const char *address,
                     void (*take)(void *context, uint8_t type, uint32_t time, struct bytes body),
                     void *context)
{
    enum { HEADER = 1 + 19, CHECKSUM = 4 };
    MYSQL *mysql = open_connection(address);
    start_dump(mysql, server);
    for (;;) {
        unsigned long size = mysql_net_read_packet(mysql);
        if ((unsigned int)size == (unsigned int)-1)
            give_up(mysql, "log");
        const uint8_t *packet = mysql->net.read_pos;
        if (packet[0] == 0xfe && size < 9)
            break;
        if (packet[0] != 0 || size < HEADER + CHECKSUM)
            give_up(mysql, "packet");
        take(context, packet[5], number_le(packet + 1),
             (struct bytes){ packet + HEADER, size - HEADER - CHECKSUM });
    }
    mysql_close(mysql);
}
