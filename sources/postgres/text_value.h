/* SPDX-License-Identifier: Apache-2.0
 *
 * Values as PostgreSQL prints them (in the sessions of session.c) to the canonical form of
 * schema/value.h: the log's tuples and the lines of COPY are the same text, so there is one
 * decoder. And back, as text of SQL, for keys. */
#pragma once

#include "engine/base/arena.h"
#include "engine/base/buf.h"
#include "schema/table.h"
#include "schema/value.h"

/* False: the text is not of this type. What is kept as text is copied into `arena`. */
struct text_decoder {
    bool (*decode)(struct bytes text, const struct type *type, struct arena *arena,
                   struct value *out);
};
struct text_decoder text_decoder_of(const struct type *type);

/* The text of a value as PostgreSQL reads it, unquoted. Not for NULL. */
void value_sql_text(const struct type *type, const struct value *value, struct buf *out);
