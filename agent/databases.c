/* SPDX-License-Identifier: Apache-2.0
 *
 * A slot of PostgreSQL is of one database, so each database has a pipeline, as each sink has. A
 * folder is called `sink@database`: no sink's folder has that sign, so none can be another's. */
#include "agent/databases.h"

#include <dirent.h>
#include <inttypes.h>
#include <string.h>

#include "engine/base/cleanup.h"

enum { SLOT_NAME_MAX = 63 };

struct bytes *databases_text(const struct source_driver *driver, const char *name, void *options)
{
    const struct setting *row = setting_find(driver->settings, bytes_from(name));
    bool is_text = row && row->type == SETTING_TEXT;
    return is_text ? (struct bytes *)(void *)((uint8_t *)options + row->offset) : NULL;
}

/* ---- which ---- */

static bool is_plain(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '$' || c >= 0x80;
}

bool build_database(struct bytes pattern, struct bytes *out, struct error *err)
{
    size_t end = 0, dots = 0;
    while (end < pattern.size && is_plain(pattern.data[end]))
        end++;
    for (size_t i = end; i < pattern.size; i++) {
        dots += pattern.data[i] == '.';
        i += pattern.data[i] == '\\';
    }
    if (end == 0 || end == pattern.size || pattern.data[end] != '.' || dots < 2)
        return error_set(err, ERROR_CONFIG,
                         "tables: of which database? Set 'database', or write "
                         "database.schema.table, as in shop.public.\\.*");
    *out = (struct bytes){ pattern.data, end };
    return true;
}

static bool is_listed(const struct setting_list *list, size_t count, struct bytes name)
{
    for (size_t i = 0; i < count; i++)
        if (bytes_equal(list->items[i], name))
            return true;
    return false;
}

static bool list_fits(const struct config_source *source, const struct setting_list *list,
                      struct error *err)
{
    CLEANUP(route_cleanup) struct route *route = NULL;
    struct route_options options = { .tables = source->tables.items,
                                     .table_count = (uint32_t)source->tables.count };
    if (!route_compile(&options, &route, err))
        return false;
    for (size_t i = 0; i < list->count; i++) {
        struct bytes name = list->items[i];
        if (name.size == 0)
            return error_set(err, ERROR_CONFIG, "databases: a name is empty");
        if (is_listed(list, i, name))
            return error_set(err, ERROR_CONFIG, "databases: '%.*s' stands there twice",
                             BYTES_ARGS(name));
        if (!route_reaches(route, name))
            return error_set(err, ERROR_CONFIG,
                             "databases: no pattern of 'tables' is for '%.*s': add "
                             "%.*s.schema.table",
                             BYTES_ARGS(name), BYTES_ARGS(name));
    }
    return true;
}

/* Patterns whose database is a plain name must be of those that are read. */
static bool patterns_fit(const struct config_source *source, const struct setting_list *list,
                         struct error *err)
{
    struct bytes first = { 0 }, name;
    struct error none;
    for (size_t i = 0; i < source->tables.count; i++) {
        if (!build_database(source->tables.items[i], &name, &none))
            continue;
        if (list->count > 0 && !is_listed(list, list->count, name))
            return error_set(err, ERROR_CONFIG,
                             "tables: '%.*s' is of a database that 'databases' does not name",
                             BYTES_ARGS(source->tables.items[i]));
        if (list->count == 0 && first.size > 0 && !bytes_equal(first, name))
            return error_set(err, ERROR_CONFIG,
                             "tables: they are of more than one database: list them, as in "
                             "databases: [%.*s, %.*s]",
                             BYTES_ARGS(first), BYTES_ARGS(name));
        first = name;
    }
    return true;
}

bool databases_of(const struct config_source *source, const struct source_driver *driver,
                  const void *options, struct setting_list *out, struct error *err)
{
    const struct setting *row = setting_find(driver->settings, BYTES_LITERAL("databases"));
    *out = (struct setting_list){ 0 };
    if (!row || row->type != SETTING_LIST)
        return true;
    memcpy(out, (const uint8_t *)options + row->offset, sizeof *out);
    const struct bytes *one = databases_text(driver, "database", (void *)(uintptr_t)options);
    bool chosen = one && one->size > 0;
    if (out->count > 0 && chosen)
        return error_set(err, ERROR_CONFIG, "databases: write either 'database' or 'databases'");
    return chosen ||
           ((out->count == 0 || list_fits(source, out, err)) && patterns_fit(source, out, err));
}

/* ---- their names ---- */

struct bytes databases_label(struct arena *arena, struct bytes database)
{
    bool plain = true;
    for (size_t i = 0; i < database.size; i++) {
        uint8_t c = database.data[i];
        plain = plain && ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_');
    }
    /* "Shop" and "shop" are two databases, and the letters of a slot are small. */
    return plain
               ? database
               : arena_printf(arena, "%.*s-%08" PRIx32, BYTES_ARGS(config_folder(arena, database)),
                              (uint32_t)bytes_hash(database));
}

/* A slot's name is made of small letters, digits and underscores. */
struct bytes databases_slot(struct arena *arena, struct bytes slot, struct bytes reader)
{
    struct bytes name = arena_printf(arena, "%.*s_%.*s", BYTES_ARGS(slot), BYTES_ARGS(reader));
    uint8_t *out = arena_raw(arena, name.size + 1);
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];
        uint8_t small = c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
        bool fits = (small >= 'a' && small <= 'z') || (c >= '0' && c <= '9');
        out[i] = fits ? small : '_';
    }
    out[name.size] = '\0';
    return (struct bytes){ out, name.size };
}

bool databases_fill(struct config *config, const struct source_driver *driver, void *options,
                    struct bytes reader, struct bytes database, struct error *err)
{
    struct arena *arena = &config->arena;
    struct bytes *slot = databases_text(driver, "slot.name", options);
    struct bytes *field = databases_text(driver, "database", options);
    if (slot && reader.size > 0)
        *slot = databases_slot(arena, *slot, reader);
    if (slot && database.size > 0)
        *slot = databases_slot(arena, *slot, databases_label(arena, database));
    if (slot && database.size > 0 && slot->size > SLOT_NAME_MAX)
        return error_set(err, ERROR_CONFIG,
                         "slot.name: '%.*s' is longer than %d letters: give a shorter one",
                         BYTES_ARGS(*slot), SLOT_NAME_MAX);
    if (!field || field->size > 0)
        return true;
    *field = database;
    if (database.size == 0 && !build_database(config->source.tables.items[0], field, err))
        return false;
    *field = arena_copy(arena, *field);
    return true;
}

bool databases_slots_differ(const struct plan *plans, uint32_t count, struct error *err)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct bytes *slot =
            databases_text(plans[i].source, "slot.name", plans[i].source_options);
        for (uint32_t k = 0; slot && k < i; k++) {
            const struct bytes *other =
                databases_text(plans[k].source, "slot.name", plans[k].source_options);
            if (other && bytes_equal(*slot, *other))
                return error_set(err, ERROR_CONFIG,
                                 "slot.name: '%.*s' would be the slot of '%.*s' and of '%.*s': "
                                 "give one of these sinks another name",
                                 BYTES_ARGS(*slot), BYTES_ARGS(plans[k].sink_config->name),
                                 BYTES_ARGS(plans[i].sink_config->name));
        }
    }
    return true;
}

/* ---- those that are gone ---- */

/* The part of a folder's name behind the sink's, "" for the sink's own; NULL: of no sink, or of one
 * that is read. */
static const char *label_left(const char *folder, struct bytes sink, const struct plan *plans,
                              uint32_t count)
{
    if (strncmp(folder, (const char *)sink.data, sink.size) != 0 || strstr(folder, "-backfill-"))
        return NULL;
    const char *rest = folder + sink.size;
    for (uint32_t i = 0; i < count; i++)
        if (bytes_is(plans[i].sink_config->folder, folder))
            return NULL;
    return *rest == '@' ? rest + 1 : *rest == '\0' ? rest : NULL;
}

static void warn_left(struct config *config, uint32_t sink, struct bytes slot, const char *folder,
                      const char *label)
{
    struct arena *arena = &config->arena;
    if (config->sink_count > 1)
        slot = databases_slot(arena, slot, config->sinks[sink].folder);
    if (*label)
        slot = databases_slot(arena, slot, bytes_from(label));
    config_warn(config,
                arena_printf(arena,
                             "'%.*s/%s' is the checkpoint of a database that is not read any more, "
                             "and its slot holds the server's log: name the database again, or "
                             "SELECT pg_drop_replication_slot('%.*s') and remove that folder",
                             BYTES_ARGS(config->pipeline.checkpoint_directory), folder,
                             BYTES_ARGS(slot)));
}

void databases_warn_left(struct config *config, const struct source_driver *driver,
                         const void *options, const struct plan *plans, uint32_t count)
{
    const struct bytes *slot = databases_text(driver, "slot.name", (void *)(uintptr_t)options);
    if (!slot)
        return;
    DIR *listed = opendir((const char *)config->pipeline.checkpoint_directory.data);
    for (struct dirent *entry; listed && (entry = readdir(listed));) {
        for (uint32_t i = 0; i < config->sink_count; i++) {
            const char *label = label_left(entry->d_name, config->sinks[i].folder, plans, count);
            if (label)
                warn_left(config, i, *slot, entry->d_name, label);
        }
    }
    if (listed)
        closedir(listed);
}
