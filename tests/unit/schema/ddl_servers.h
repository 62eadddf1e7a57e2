/* SPDX-License-Identifier: Apache-2.0
 *
 * The servers whose information_schema gave the expected tables, with the defaults of the database
 * that the statements ran in, and one statement parsed for such a server. */
#pragma once

#include "schema/mysql_ddl.h"

enum ddl_server { MYSQL, MARIADB, MARIADB_11 };

static inline struct ddl_context ddl_server_context(enum ddl_server server)
{
    static const char *const collations[] = { "utf8mb4_0900_ai_ci", "utf8mb4_general_ci",
                                              "utf8mb4_uca1400_ai_ci" };
    static const uint32_t versions[] = { 90704, 101119, 110806 };
    return (struct ddl_context){ .database = BYTES_LITERAL("shop"),
                                 .server_version = versions[server],
                                 .mariadb = server != MYSQL,
                                 .default_charset = BYTES_LITERAL("utf8mb4"),
                                 .default_collation = bytes_from(collations[server]) };
}

/* The only statement that the text gives. */
static inline const struct ddl_statement *ddl_one(const char *sql, enum ddl_server server,
                                                  struct arena *arena)
{
    const struct ddl_statement *statements;
    size_t count;
    bool doubt;
    struct ddl_context context = ddl_server_context(server);
    ddl_parse(bytes_from(sql), &context, arena, &statements, &count, &doubt);
    assert_int_equal(count, 1);
    assert_false(doubt);
    return statements;
}
