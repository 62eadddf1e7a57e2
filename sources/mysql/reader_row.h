/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows of the binary protocol (COM_STMT_EXECUTE): 00, a bitmap of NULLs with two bits in front,
 * then the values that are there. Source: MySQL's "Binary Protocol Resultset" page. */
#pragma once

#include "engine/batch.h"
#include "sources/mysql/charset.h"

struct cell_plan;

/* The packet's column definitions gave these wire types; one function a column is chosen from them.
 * ERROR_DATA, code READER_SHAPE, names the column that cannot be read as the table says. */
bool cell_plan_make(const struct table *table, const uint8_t *wire_types, struct arena *arena,
                    struct cell_plan **out, struct error *err);

/* Adds one row as a snapshot INSERT. The packet's bytes are copied once. */
bool cell_row(const struct cell_plan *plan, struct bytes packet, struct batch *batch,
              struct error *err);
