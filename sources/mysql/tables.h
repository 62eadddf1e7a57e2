/* SPDX-License-Identifier: Apache-2.0
 *
 * Tables as the server describes them now: information_schema to drafts of table versions. */
#pragma once

#include "engine/source.h"
#include "schema/catalog.h"
#include "sources/mysql/charset.h"
#include "sources/mysql/connection.h"

/* All base tables that match (no views, sequences, system schemas), in a few statements whatever
 * their number. Drafts in `arena`. The key is the primary key, else the first unique index whose
 * columns are all NOT NULL (smallest first, then by name), else none. */
bool tables_list(struct connection *connection, const struct mysql_options *options,
                 const struct table_filter *filter, struct arena *arena, struct table ***drafts,
                 size_t *count, struct error *err);

/* Is there a table or view that matches and is not in the catalog? By names alone, for the servers
 * open each table for all else. */
bool tables_are_new(struct connection *connection, const struct table_filter *filter,
                    const struct catalog *catalog, bool *some, struct error *err);

/* One table; *draft NULL when it is not there. */
bool tables_read(struct connection *connection, const struct mysql_options *options,
                 struct bytes database, struct bytes name, struct arena *arena,
                 struct table **draft, struct error *err);

/* What the user's options say of a draft that was made of a statement. */
void tables_settle(struct table *draft, const struct mysql_options *options, struct arena *arena);

bool tables_collations(struct connection *connection, struct arena *arena,
                       struct collation_table *out, struct error *err);
/* lower_case_table_names */
bool tables_fold_names(struct connection *connection, bool *fold, struct error *err);
/* explicit_defaults_for_timestamp is off; false where the server does not say. */
bool tables_implicit_timestamps(struct connection *connection);
