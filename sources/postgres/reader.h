/* SPDX-License-Identifier: Apache-2.0
 *
 * The snapshot reader: contracts in engine/source.h. */
#pragma once

#include "engine/source.h"

bool postgres_reader_open(const void *options, struct arena *arena, struct table_reader **out,
                          struct error *err);
bool postgres_reader_split(struct table_reader *reader, const struct table *table, uint32_t want,
                           struct arena *arena, struct value ***bounds, uint32_t *count,
                           uint64_t *estimated_rows, struct error *err);
bool postgres_reader_chunk(struct table_reader *reader, const struct chunk_request *request,
                           struct batch *batch, struct chunk_result *result, struct error *err);
bool postgres_reader_scan_open(struct table_reader *reader, const struct chunk_request *request,
                               struct arena *arena, struct chunk_result *result, struct error *err);
bool postgres_reader_scan_next(struct table_reader *reader, struct batch *batch, bool *end,
                               struct error *err);
void postgres_reader_interrupt(struct table_reader *reader);
void postgres_reader_close(struct table_reader *reader);
