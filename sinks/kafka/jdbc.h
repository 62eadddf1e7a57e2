/* SPDX-License-Identifier: Apache-2.0
 *
 * What JDBC calls the types of columns: Canal's and Debezium's messages tell it. */
#pragma once

#include "schema/table.h"

/* Of java.sql.Types. */
int jdbc_type(const struct column *column);
