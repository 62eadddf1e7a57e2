/* SPDX-License-Identifier: Apache-2.0 */
#include "sinks/kafka/topic.h"

#include "engine/base/assert.h"
#include "engine/base/cleanup.h"
#include "engine/base/clock.h"
#include "engine/sink.h"

enum { METADATA_PAUSE_US = 50 * 1000 };

static const char *const placeholders[] = { "${database}", "${schema}", "${table}" };

static bool is_topic_byte(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

/* Which placeholder stands at the front of `rest`; -1: none. */
static int placeholder_at(struct bytes rest)
{
    for (size_t i = 0; i < ARRAY_SIZE(placeholders); i++)
        if (rest.size >= strlen(placeholders[i]) &&
            memcmp(rest.data, placeholders[i], strlen(placeholders[i])) == 0)
            return (int)i;
    return -1;
}

bool topic_pattern_check(const char *setting, struct bytes pattern, struct error *err)
{
    for (size_t i = 0; i < pattern.size; i++) {
        int known = placeholder_at((struct bytes){ pattern.data + i, pattern.size - i });
        if (known >= 0)
            i += strlen(placeholders[known]) - 1;
        else if (!is_topic_byte(pattern.data[i]))
            return error_set(err, ERROR_CONFIG,
                             "%s: a topic has letters, digits, '.', '_' and '-'; ${database}, "
                             "${schema} and ${table} stand for names",
                             setting);
    }
    return true;
}

static void put_name(struct buf *out, struct bytes name)
{
    for (size_t i = 0; i < name.size; i++)
        buf_u8(out, is_topic_byte(name.data[i]) ? name.data[i] : '_');
}

void topic_name_by(struct bytes pattern, const struct target *target, const struct table *table,
                   struct buf *out)
{
    const struct bytes names[] = { target->database, table->schema, target->name };
    for (size_t i = 0; i < pattern.size; i++) {
        int known = placeholder_at((struct bytes){ pattern.data + i, pattern.size - i });
        if (known < 0) {
            buf_u8(out, pattern.data[i]);
            continue;
        }
        put_name(out, names[known]);
        i += strlen(placeholders[known]) - 1;
    }
}

bool topic_mapping_check(struct bytes mapping, struct error *err)
{
    static const char setting[] = "sink.tableId-to-topic.mapping";
    struct bytes table, topic;
    while (kafka_list_next(&mapping, ';', &table, &topic)) {
        if (!memchr(table.data, '.', table.size) || topic.size == 0)
            return error_set(err, ERROR_CONFIG, "%s: database.table:topic, with ; between",
                             setting);
        if (!topic_pattern_check(setting, topic, err))
            return false;
    }
    return true;
}

/* The topic that the mapping gives to this very target; empty: none. */
static struct bytes mapped_topic(const struct kafka_options *options, const struct target *target)
{
    struct bytes rest = options->topic_mapping, table, topic;
    struct bytes database = target->database, name = target->name;
    while (kafka_list_next(&rest, ';', &table, &topic)) {
        struct bytes end = { table.data + database.size + 1, name.size };
        if (table.size == database.size + 1 + name.size && table.data[database.size] == '.' &&
            bytes_equal((struct bytes){ table.data, database.size }, database) &&
            bytes_equal(end, name))
            return topic;
    }
    return (struct bytes){ 0 };
}

static void put_prefix(const struct kafka_options *options, struct buf *out)
{
    put_name(out, options->topic_prefix);
    if (options->topic_prefix.size > 0)
        buf_u8(out, '.');
}

void topic_of_boundaries(const struct kafka_options *options, struct buf *out)
{
    put_prefix(options, out);
    put_name(out, options->boundary_topic);
}

void topic_name(const struct kafka_options *options, const struct target *target,
                const struct table *table, struct buf *out)
{
    struct bytes mapped = mapped_topic(options, target);
    if (mapped.size > 0) {
        topic_name_by(mapped, target, table, out);
        return;
    }
    if (options->topic.size > 0) {
        topic_name_by(options->topic, target, table, out);
        return;
    }
    put_prefix(options, out);
    topic_name_by(BYTES_LITERAL("${database}.${table}"), target, table, out);
}

static rd_kafka_NewTopic_t *new_topic(const struct kafka_client *client, const char *name,
                                      int partitions, struct error *err)
{
    const struct kafka_options *options = client->options;
    char text[300];
    int count = partitions ? partitions : (int)options->topic_partitions;
    rd_kafka_NewTopic_t *topic =
        rd_kafka_NewTopic_new(name, count, (int)options->topic_replication, text, sizeof text);
    if (!topic) {
        error_set(err, ERROR_DATA, "topic '%s': %s", name, text);
        return NULL;
    }
    for (size_t i = 0; i < options->topic_configs.count && !partitions; i++)
        rd_kafka_NewTopic_set_config(topic, (const char *)options->topic_configs.items[i].key.data,
                                     (const char *)options->topic_configs.items[i].value.data);
    return topic;
}

/* What the broker said to our wish for one topic. */
static bool create_result(struct kafka_client *client, const rd_kafka_topic_result_t *result,
                          struct error *err)
{
    rd_kafka_resp_err_t code = rd_kafka_topic_result_error(result);
    const char *text = rd_kafka_topic_result_error_string(result);
    if (!code || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
        return true;
    char what[320];
    snprintf(what, sizeof what, "making topic '%s'", rd_kafka_topic_result_name(result));
    return client_fail(client, code, what, text ? text : rd_kafka_err2str(code), err);
}

/* *refused of them are, the first as *why says; false: they could not be asked for. */
static bool create_results(struct kafka_client *client, rd_kafka_event_t *event, size_t wanted,
                           size_t *refused, struct error *why, struct error *err)
{
    rd_kafka_resp_err_t code = event ? rd_kafka_event_error(event) : RD_KAFKA_RESP_ERR__TIMED_OUT;
    if (code)
        return client_fail(client, code, "making topics",
                           event ? rd_kafka_event_error_string(event) : "no answer", err);
    size_t count = 0;
    const rd_kafka_CreateTopics_result_t *result = rd_kafka_event_CreateTopics_result(event);
    const rd_kafka_topic_result_t **topics =
        result ? rd_kafka_CreateTopics_result_topics(result, &count) : NULL;
    if (count != wanted)
        return client_fail(client, RD_KAFKA_RESP_ERR__BAD_MSG, "making topics", "a short answer",
                           err);
    *refused = 0;
    for (size_t i = 0; i < count; i++) {
        struct error one;
        if (!create_result(client, topics[i], &one) && (*refused)++ == 0)
            *why = one;
    }
    return true;
}

static bool create(struct kafka_client *client, rd_kafka_NewTopic_t **topics, size_t count,
                   bool only_try, size_t *refused, struct error *why, struct error *err)
{
    char text[300];
    int timeout_ms = (int)client->options->request_timeout_ms;
    rd_kafka_AdminOptions_t *admin =
        rd_kafka_AdminOptions_new(client->handle, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_AdminOptions_set_request_timeout(admin, timeout_ms, text, sizeof text);
    rd_kafka_AdminOptions_set_operation_timeout(admin, timeout_ms, text, sizeof text);
    rd_kafka_AdminOptions_set_validate_only(admin, only_try, text, sizeof text);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client->handle);
    rd_kafka_CreateTopics(client->handle, topics, count, admin, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, timeout_ms + 1000);
    bool ok = create_results(client, event, count, refused, why, err);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(admin);
    return ok;
}

static bool create_one(struct kafka_client *client, const char *name, int partitions,
                       struct error *err)
{
    rd_kafka_NewTopic_t *topic = new_topic(client, name, partitions, err);
    size_t refused = 0;
    struct error why;
    if (!topic)
        return false;
    bool ok = create(client, &topic, 1, false, &refused, &why, err);
    rd_kafka_NewTopic_destroy(topic);
    if (refused)
        *err = why;
    return ok && !refused;
}

bool topics_try(struct kafka_client *client, const char *const *names, size_t count,
                size_t *refused, struct error *why, struct error *err)
{
    size_t made = 0;
    CLEANUP(arena_done) struct arena arena = { 0 };
    rd_kafka_NewTopic_t **topics = arena_array(&arena, count, sizeof *topics);
    while (made < count && (topics[made] = new_topic(client, names[made], 0, err)))
        made++;
    bool ok = made == count && create(client, topics, count, true, refused, why, err);
    rd_kafka_NewTopic_destroy_array(topics, made);
    return ok;
}

/* *known: the brokers have its partitions. */
static bool look(struct kafka_client *client, const char *name, bool *known, struct error *err)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(client->handle, name, NULL);
    if (!topic)
        return client_fail(client, rd_kafka_last_error(), "topic name",
                           rd_kafka_err2str(rd_kafka_last_error()), err);
    rd_kafka_resp_err_t code = rd_kafka_metadata(client->handle, 0, topic, &metadata,
                                                 (int)client->options->request_timeout_ms);
    rd_kafka_topic_destroy(topic);
    if (code)
        return client_fail(client, code, "asking the brokers", rd_kafka_err2str(code), err);
    code = metadata->topic_cnt ? metadata->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    *known = !code && metadata->topics[0].partition_cnt > 0;
    rd_kafka_metadata_destroy(metadata);
    if (!code || code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
        code == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE)
        return true;
    char what[320];
    snprintf(what, sizeof what, "topic '%s'", name);
    return client_fail(client, code, what, rd_kafka_err2str(code), err);
}

/* librdkafka knocks without a pause while a wish to make a topic waits for a broker that is gone.
 */
static bool brokers_answer(struct kafka_client *client, struct error *err)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t code = rd_kafka_metadata(client->handle, 0, NULL, &metadata,
                                                 (int)client->options->request_timeout_ms);
    if (code)
        return client_fail(client, code, "asking the brokers", rd_kafka_err2str(code), err);
    rd_kafka_metadata_destroy(metadata);
    return true;
}

bool topic_ensure(struct kafka_client *client, const char *name, int partitions, struct error *err)
{
    bool refused = false;
    if (!brokers_answer(client, err))
        return false;
    if (client->options->create_topics && !create_one(client, name, partitions, err)) {
        refused = err->kind == ERROR_DATA || err->kind == ERROR_CONFIG;
        if (!refused)
            return false;
    }
    /* Who may not make topics may still write to one that is there. */
    struct error missing = refused ? *err : (struct error){ 0 };
    int64_t until_us = clock_now_us() + client->options->request_timeout_ms * 1000;
    for (;;) {
        bool known = false;
        if (!look(client, name, &known, err))
            return false;
        if (known)
            return true;
        if (refused) {
            *err = missing;
            return false;
        }
        if (clock_now_us() > until_us)
            return error_set(err, ERROR_DATA,
                             "topic '%s' does not exist: make it, or set "
                             "topic.creation.enable: true",
                             name);
        clock_sleep_us(METADATA_PAUSE_US);
    }
}
