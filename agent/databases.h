/* SPDX-License-Identifier: Apache-2.0
 *
 * A source that serves one database at a time: which one, and a pipeline for each of several. Each
 * has a slot, a folder and a name of its own, made of the sink's and the database's. */
#pragma once

#include "agent/build.h"

/* The databases of a source that has a pipeline for each; count 0: it has one, or knows of none.
 * ERROR_CONFIG: twice the same, one that no pattern is for, a pattern of one that is not listed. */
bool databases_of(const struct config_source *source, const struct source_driver *driver,
                  const void *options, struct setting_list *out, struct error *err);

/* What stands for a database in names of folders and slots. */
struct bytes databases_label(struct arena *arena, struct bytes database);

/* Fills the slot's name and the database into `options`, for a reader called `reader` (empty: the
 * only one) of `database` (empty: the one that the options or the patterns name). ERROR_CONFIG. */
bool databases_fill(struct config *config, const struct source_driver *driver, void *options,
                    struct bytes reader, struct bytes database, struct error *err);

/* The driver's slot of one more reader, made of `slot` and `reader`. */
struct bytes databases_slot(struct arena *arena, struct bytes slot, struct bytes reader);
/* The field of a setting that is a text; NULL: the driver has none of that name. */
struct bytes *databases_text(const struct source_driver *driver, const char *name, void *options);

/* No two pipelines may have one slot. ERROR_CONFIG names both. */
bool databases_slots_differ(const struct plan *plans, uint32_t count, struct error *err);

/* Warns of the checkpoints of databases that are not listed any more: their slots stay, and hold
 * the server's log. */
void databases_warn_left(struct config *config, const struct source_driver *driver,
                         const void *options, const struct plan *plans, uint32_t count);
