/* SPDX-License-Identifier: Apache-2.0
 *
 * A checkpoint is opened for reading only, so that an agent which runs but does not answer is not
 * disturbed. Where a table goes is not stored: the routes of the config say it. */
#include "agent/stored.h"

#include <string.h>
#include <unistd.h>

#include "agent/build.h"
#include "engine/base/cleanup.h"
#include "engine/base/json_write.h"
#include "engine/claims.h"

struct look {
    struct json_writer json;
    const struct plan *plan;
    const struct checkpoint_image *image;
    struct route *route;
};

bool stored_is_newest(const struct checkpoint_image *image, size_t index)
{
    return index + 1 == image->table_count ||
           image->tables[index + 1]->id != image->tables[index]->id;
}

static void put_pair(struct json_writer *json, const char *key, struct arena *arena,
                     struct bytes database, struct bytes name)
{
    json_member_string(json, key,
                       arena_printf(arena, "%.*s.%.*s", BYTES_ARGS(database), BYTES_ARGS(name)));
}

static void put_stored_table(struct look *look, const struct table *table,
                             const struct table_record *record)
{
    CLEANUP(arena_done) struct arena arena = { 0 };
    struct bytes database, name;
    route_target(look->route, table->database, table->schema, table->name, &arena, &database,
                 &name);
    enum table_state state = checkpoint_state_of(look->image, record);
    json_object(&look->json);
    put_pair(&look->json, "source", &arena, table->database, table->name);
    put_pair(&look->json, "target", &arena, database, name);
    json_member_string(&look->json, "state", bytes_from(table_state_name(state)));
    json_member_string(&look->json, "reason",
                       record->reason.data ? record->reason : BYTES_LITERAL(""));
    json_member_uint(&look->json, "snapshot_rows",
                     checkpoint_progress_of(look->image, table->id).rows);
    json_object_end(&look->json);
}

void stored_position(const struct plan *plan, struct bytes token, struct buf *out)
{
    CLEANUP(arena_done) struct arena arena = { 0 };
    struct source *source = NULL;
    struct error ignored;
    if (!token.data || !plan->source->open(plan->source_options, &arena, &source, &ignored))
        return;
    plan->source->describe(source, token, out);
    plan->source->close(source);
}

static void put_position(struct look *look)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 65536);
    stored_position(look->plan, look->image->position.token, &text);
    json_member_string(&look->json, "position", buf_view(&text));
}

static void put_image(struct look *look)
{
    const struct checkpoint_image *image = look->image;
    put_position(look);
    json_key(&look->json, BYTES_LITERAL("tables"));
    json_array(&look->json);
    for (size_t i = 0; i < image->table_count; i++) {
        const struct table_record *record = checkpoint_record_of(image, image->tables[i]->id);
        if (record && image->tables[i]->version != TABLE_DROPPED_VERSION &&
            stored_is_newest(image, i))
            put_stored_table(look, image->tables[i], record);
    }
    json_array_end(&look->json);
}

/* Is the table one that fills its target? Not where it was refused one that is another's. */
static bool fills(const struct checkpoint_image *image, size_t index)
{
    static const char refused[] = CLAIMS_REASON;
    const struct table_record *record = checkpoint_record_of(image, image->tables[index]->id);
    return record && image->tables[index]->version != TABLE_DROPPED_VERSION &&
           stored_is_newest(image, index) &&
           !(record->reason.size >= sizeof refused - 1 &&
             memcmp(record->reason.data, refused, sizeof refused - 1) == 0);
}

static struct bytes target_key(struct arena *arena, struct bytes database, struct bytes name)
{
    return arena_printf(arena, "%.*s%c%.*s", BYTES_ARGS(database), 0, BYTES_ARGS(name));
}

/* The targets that loads went to. */
static void targets_of(const struct checkpoint_image *image, struct arena *arena, struct map *out)
{
    for (size_t i = 0; i < image->target_count; i++) {
        struct target_record *target = &image->targets[i];
        map_put(out, target_key(arena, target->database, target->name), target);
    }
}

void stored_claim(const struct plan *plan, bool filled)
{
    CLEANUP(map_done) struct map targets = { 0 };
    CLEANUP(route_cleanup) struct route *route = NULL;
    CLEANUP(arena_done) struct arena arena = { 0 };
    struct checkpoint_image image = { 0 };
    struct error ignored; /* the pipeline tells it when it opens them */
    const char *directory = (const char *)plan->options.checkpoint_directory.data;
    if (!route_compile(&plan->options.routes, &route, &ignored) || access(directory, F_OK) != 0 ||
        !checkpoint_peek(directory, &image, &ignored))
        return;
    targets_of(&image, &arena, &targets);
    for (size_t i = 0; i < image.table_count; i++) {
        const struct table *table = image.tables[i];
        struct bytes database, name;
        route_target(route, table->database, table->schema, table->name, &arena, &database, &name);
        if (fills(&image, i) && (!filled || map_get(&targets, target_key(&arena, database, name))))
            claims_take(plan->options.claims, plan->options.claimant, database, name);
    }
    checkpoint_image_done(&image);
}

static bool put_checkpoint(struct look *look, struct error *err)
{
    const struct plan *plan = look->plan;
    struct checkpoint_image image = { 0 };
    struct error why = { 0 };
    const char *directory = (const char *)plan->options.checkpoint_directory.data;
    bool there = access(directory, F_OK) == 0;
    if (!route_compile(&plan->options.routes, &look->route, err))
        return false;
    json_object(&look->json);
    json_member_string(&look->json, "name", plan->sink_config->name);
    json_member_string(&look->json, "source", bytes_from(plan->source->name));
    json_member_string(&look->json, "sink", bytes_from(plan->sink->name));
    json_member_string(&look->json, "state", bytes_from(there ? "stopped" : "never started"));
    json_member_string(&look->json, "directory", bytes_from(directory));
    look->image = &image;
    bool found = there && checkpoint_peek(directory, &image, &why);
    json_member_string(&look->json, "error", bytes_from(found ? "" : why.message));
    put_image(look);
    json_object_end(&look->json);
    if (found)
        checkpoint_image_done(&image);
    route_free(look->route);
    return true;
}

bool stored_status(struct config *config, struct buf *out, struct error *err)
{
    struct plan *plans = NULL;
    uint32_t count = 0;
    if (!build_plans(config, &plans, &count, err))
        return false;
    struct look look = { .json = json_writer_of(out) };
    json_object(&look.json);
    json_member_string(&look.json, "version", bytes_from(MILLRACE_VERSION));
    json_member_string(&look.json, "pipeline",
                       config_folder(&config->arena, config->pipeline.name));
    json_key(&look.json, BYTES_LITERAL("live"));
    json_bool(&look.json, false);
    json_key(&look.json, BYTES_LITERAL("sinks"));
    json_array(&look.json);
    for (uint32_t i = 0; i < count; i++) {
        look.plan = &plans[i];
        if (!put_checkpoint(&look, err))
            return false;
    }
    json_array_end(&look.json);
    json_object_end(&look.json);
    return true;
}
