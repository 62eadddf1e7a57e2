/* SPDX-License-Identifier: Apache-2.0
 *
 * What the user of a connection may do, as SHOW GRANTS tells it, roles in force included. */
#pragma once

#include "sources/mysql/connection.h"

enum right {
    RIGHT_STREAM,
    RIGHT_STATUS,
    RIGHT_SELECT,
    RIGHT_NEEDED,
    RIGHT_LOCK = RIGHT_NEEDED,
    RIGHT_COUNT
};

struct rights {
    bool held[RIGHT_COUNT]; /* SELECT and LOCK TABLES: on something at least */
    bool select_everywhere;
    char grantee[200]; /* `user`@`host` */
};

bool rights_read(struct connection *connection, struct rights *rights, struct error *err);
const char *right_name(enum right right);
/* The statement that gives it: "GRANT SELECT ON *.* TO `u`@`%`". */
void rights_cure(const struct rights *rights, enum right right, char *out, size_t size);
/* ERROR_CONFIG that names the first needed right that is missing and the statement that gives it.
 */
bool rights_suffice(const struct rights *rights, struct error *err);
