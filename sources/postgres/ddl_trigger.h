/* SPDX-License-Identifier: Apache-2.0
 *
 * Event triggers in the source's database that write a logical message for each statement that
 * changes a table: see ddl_trigger.c. */
#pragma once

#include "sources/postgres/session.h"

/* Are all of them there, and enabled? */
bool ddl_trigger_exists(struct session *connection, bool *exists, struct error *err);

/* Makes them where they are not there, which takes a superuser. */
bool ddl_trigger_prepare(struct session *connection, struct error *err);

/* The sum of a table's shape now, in `arena`; NULL data when the table is gone. */
bool ddl_trigger_shape(struct session *connection, uint32_t oid, struct arena *arena,
                       struct bytes *out, struct error *err);
