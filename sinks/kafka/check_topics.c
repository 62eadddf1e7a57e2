/* SPDX-License-Identifier: Apache-2.0
 *
 * See check_topics.h. Each question is one request for all topics, in Kafka's protocol Metadata,
 * CreateTopics with validate_only, and DescribeConfigs. */
#include "sinks/kafka/check_topics.h"

#include <stdlib.h>

#include "engine/base/cleanup.h"
#include "engine/base/map.h"
#include "sinks/kafka/topic.h"

struct topics {
    struct kafka_client *admin;
    struct findings *findings;
    struct arena arena;
    struct map seen;    /* names */
    const char **names; /* `there` that exist, then `missing` that do not */
    size_t count, there, missing;
};

static void topics_done(struct topics *topics)
{
    map_done(&topics->seen);
    arena_done(&topics->arena);
}

/* ---- which ---- */

static void add_name(struct topics *topics, struct buf *name)
{
    struct bytes view = buf_view(name);
    if (view.size > TOPIC_NAME_MAX)
        finding_add(topics->findings, FINDING_FAIL, "set a shorter `topic` or `topic.prefix`",
                    "topic '%.100s..' has %zu characters, %d are allowed", (const char *)view.data,
                    view.size, TOPIC_NAME_MAX);
    else if (view.size > 0 && !map_get(&topics->seen, view)) {
        topics->names[topics->count] = arena_text(&topics->arena, view);
        map_put(&topics->seen, view, (void *)(uintptr_t)topics->names[topics->count]);
        topics->count++;
    }
    buf_reset(name);
}

static void name_all(struct topics *topics, const struct check_target *targets, size_t count)
{
    const struct kafka_options *options = topics->admin->options;
    CLEANUP(buf_done) struct buf name;
    buf_init(&name, 4096);
    topics->names = arena_array(&topics->arena, count * 3 + 2, sizeof *topics->names);
    if (options->tells_transactions)
        topic_of_boundaries(options, &name);
    add_name(topics, &name);
    for (size_t i = 0; i < count; i++) {
        const struct target target = { .database = targets[i].database, .name = targets[i].name };
        const struct table table = { .schema = targets[i].schema };
        topic_name(options, &target, &table, &name);
        add_name(topics, &name);
        topic_name_by(options->ddl_topic, &target, &table, &name);
        add_name(topics, &name);
        if (options->on_oversize == OVERSIZE_DEAD_LETTER)
            topic_name_by(options->dead_letter_topic, &target, &table, &name);
        add_name(topics, &name);
    }
}

/* Puts those that exist before the others. */
static bool part(struct topics *topics)
{
    CLEANUP(map_done) struct map known = { 0 };
    const struct rd_kafka_metadata *metadata;
    if (rd_kafka_metadata(topics->admin->handle, 1, NULL, &metadata,
                          (int)topics->admin->options->request_timeout_ms) != 0)
        return false; /* the brokers answered a moment ago: a start waits for them, too */
    for (int i = 0; i < metadata->topic_cnt; i++)
        if (!metadata->topics[i].err)
            map_put(&known, bytes_from(metadata->topics[i].topic), topics);
    rd_kafka_metadata_destroy(metadata);
    for (size_t i = 0; i < topics->count; i++) {
        const char *name = topics->names[i];
        if (!map_get(&known, bytes_from(name)))
            continue;
        topics->names[i] = topics->names[topics->there];
        topics->names[topics->there++] = name;
    }
    topics->missing = topics->count - topics->there;
    return true;
}

/* ---- those that are missing ---- */

static void check_missing(struct topics *topics)
{
    struct findings *findings = topics->findings;
    const char *const *missing = topics->names + topics->there;
    struct error why, err;
    size_t refused = 0;
    if (topics->missing == 0)
        finding_add(findings, FINDING_OK, "", "topics: all %zu are there", topics->there);
    else if (!topics->admin->options->create_topics)
        finding_add(findings, FINDING_FAIL, "make them, or set topic.creation.enable: true",
                    "topics: %zu of %zu are missing; the first is '%s'", topics->missing,
                    topics->count, missing[0]);
    else if (!topics_try(topics->admin, missing, topics->missing, &refused, &why, &err))
        finding_add(findings, FINDING_WARN, "", "topics: %s", err.message);
    else if (refused > 0)
        finding_add(findings, FINDING_FAIL,
                    "mend what it says, or make the topics and set topic.creation.enable: false",
                    "topics: %zu of %zu are missing and cannot be made; %s", refused, topics->count,
                    why.message);
    else
        finding_add(findings, FINDING_OK, "", "topics: %zu are there, %zu can be made",
                    topics->there, topics->missing);
}

/* ---- how large a message they take ---- */

static size_t limit_of(const rd_kafka_ConfigResource_t *resource)
{
    size_t count;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &count);
    for (size_t i = 0; i < count; i++) {
        const char *value = rd_kafka_ConfigEntry_value(entries[i]);
        if (value && strcmp(rd_kafka_ConfigEntry_name(entries[i]), "max.message.bytes") == 0)
            return strtoull(value, NULL, 10);
    }
    return SIZE_MAX;
}

static void compare_limits(struct topics *topics, const rd_kafka_ConfigResource_t **resources,
                           size_t count)
{
    size_t ours = client_size(topics->admin, "message.max.bytes");
    size_t batch = client_size(topics->admin, "batch.size");
    size_t lowest = SIZE_MAX, smaller = 0;
    const char *name = "";
    for (size_t i = 0; i < count; i++) {
        size_t limit =
            rd_kafka_ConfigResource_error(resources[i]) ? SIZE_MAX : limit_of(resources[i]);
        smaller += limit < ours;
        if (limit < ours && limit < lowest) {
            lowest = limit;
            name = rd_kafka_ConfigResource_name(resources[i]);
        }
    }
    char cure[200];
    snprintf(cure, sizeof cure,
             "set max.message.bytes of the topic%s to %zu, or properties.message.max.bytes to %zu",
             smaller > 1 ? "s" : "", ours, lowest);
    /* Small messages travel in batches, for which the limit stands too. */
    if (smaller > 0)
        finding_add(topics->findings, lowest < batch ? FINDING_FAIL : FINDING_WARN, cure,
                    "%zu topic%s smaller messages than we send: '%s' has max.message.bytes=%zu, "
                    "properties.message.max.bytes is %zu",
                    smaller, smaller > 1 ? "s take" : " takes", name, lowest, ours);
}

/* Who may not read settings gets no line: nothing is wrong with that. */
static void check_limits(struct topics *topics)
{
    char text[300];
    rd_kafka_t *handle = topics->admin->handle;
    int timeout_ms = (int)topics->admin->options->request_timeout_ms;
    rd_kafka_ConfigResource_t **asked =
        arena_array(&topics->arena, topics->there + 1, sizeof *asked);
    for (size_t i = 0; i < topics->there; i++)
        asked[i] = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topics->names[i]);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(handle, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, text, sizeof text);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(handle);
    rd_kafka_DescribeConfigs(handle, asked, topics->there, options, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, timeout_ms + 1000);
    if (event && !rd_kafka_event_error(event)) {
        size_t count;
        const rd_kafka_ConfigResource_t **resources = rd_kafka_DescribeConfigs_result_resources(
            rd_kafka_event_DescribeConfigs_result(event), &count);
        compare_limits(topics, resources, count);
    }
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ConfigResource_destroy_array(asked, topics->there);
}

void check_topics(struct kafka_client *admin, const struct check_target *targets, size_t count,
                  struct findings *findings)
{
    CLEANUP(topics_done) struct topics topics = { .admin = admin, .findings = findings };
    name_all(&topics, targets, count);
    if (topics.count == 0 || !part(&topics))
        return;
    check_missing(&topics);
    if (topics.there > 0)
        check_limits(&topics);
}
