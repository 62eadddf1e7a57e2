/* SPDX-License-Identifier: Apache-2.0
 *
 * How Debezium carries each type: the Connect schema of a column and the form of its values, by the
 * modes that the user chose. */
#pragma once

#include "engine/base/json_write.h"
#include "sinks/kafka/format.h"
#include "sinks/kafka/json_value.h"

/* A Connect schema, as far as columns need it. */
struct connect_schema {
    const char *type;                   /* "int64", "string", "bytes", "struct", "array" */
    const char *name;                   /* NULL: none */
    const struct connect_schema *items; /* of an array; NULL: floats */
    struct bytes parameters[4];         /* key, value, key, value; NULL ends them */
    struct bytes fallback;              /* the column's default as JSON; NULL: none is told */
    struct bytes fallback_raw;          /* its bytes, where the type is "bytes" */
};

struct connect_schema debezium_schema(const struct format_context *context,
                                      const struct column *column);
/* The members of the schema's object: type, optional, name, version, doc, parameters, default. */
void connect_schema_json(const struct connect_schema *schema, bool optional,
                         struct json_writer *json);

/* `doc` of a struct. */
const char *connect_struct_doc(const struct connect_schema *schema);

/* The encoder of a column; `key`: as a part of the message key, where nothing may be replaced. */
struct json_column debezium_column(const struct format_context *context,
                                   const struct column *column, bool key);
