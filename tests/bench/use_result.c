/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads whole tables as fast as the client library can: SELECT *, mysql_use_result, every column's
 * length looked at. What a snapshot is measured against:
 *
 *     use_result HOST PORT USER PASSWORD DATABASE TABLE...
 *
 * prints `rows=N bytes=N`. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <mysql.h>

static int fail(MYSQL *connection, const char *what)
{
    fprintf(stderr, "use_result: %s: %s\n", what, mysql_error(connection));
    return 1;
}

static int read_table(MYSQL *connection, const char *table, unsigned long long *rows,
                      unsigned long long *bytes)
{
    char sql[512];
    int size = snprintf(sql, sizeof sql, "SELECT * FROM `%s`", table);
    if (size < 0 || (size_t)size >= sizeof sql)
        return fail(connection, "the table's name is too long");
    if (mysql_real_query(connection, sql, (unsigned long)size) != 0)
        return fail(connection, table);
    MYSQL_RES *result = mysql_use_result(connection);
    if (!result)
        return fail(connection, table);
    unsigned columns = mysql_num_fields(result);
    while (mysql_fetch_row(result)) {
        const unsigned long *lengths = mysql_fetch_lengths(result);
        for (unsigned i = 0; i < columns; i++)
            *bytes += lengths[i];
        ++*rows;
    }
    mysql_free_result(result);
    return mysql_errno(connection) ? fail(connection, table) : 0;
}

int main(int count, char **arguments)
{
    if (count < 7) {
        fprintf(stderr, "usage: use_result HOST PORT USER PASSWORD DATABASE TABLE...\n");
        return 64;
    }
    char *end = NULL;
    errno = 0;
    unsigned long port = strtoul(arguments[2], &end, 10);
    if (errno || *end || port == 0 || port > 65535) {
        fprintf(stderr, "use_result: '%s' is no port\n", arguments[2]);
        return 64;
    }
    MYSQL *connection = mysql_init(NULL);
    if (!connection)
        return 1;
    unsigned long long rows = 0, bytes = 0;
    int status = 0;
    if (!mysql_real_connect(connection, arguments[1], arguments[3], arguments[4], arguments[5],
                            (unsigned)port, NULL, 0))
        status = fail(connection, "connect");
    for (int i = 6; status == 0 && i < count; i++)
        status = read_table(connection, arguments[i], &rows, &bytes);
    mysql_close(connection);
    if (status == 0)
        printf("rows=%llu bytes=%llu\n", rows, bytes);
    return status;
}
