/* SPDX-License-Identifier: Apache-2.0
 *
 * ClickHouse's SQL, quoted in one place. */
#pragma once

#include "engine/base/buf.h"

void sql_identifier(struct buf *out, struct bytes name);                   /* `name`, escaped */
void sql_string(struct buf *out, struct bytes text);                       /* 'text', escaped */
void sql_table(struct buf *out, struct bytes database, struct bytes name); /* `database`.`name` */
