/* SPDX-License-Identifier: Apache-2.0
 *
 * Apache Kafka, exactly once: all loads of a worker's flush are one transaction. A load has one
 * part, in which encode() gathers messages; write() hands them to the producer, which sends them
 * from where they lie; commit() ends the transaction. What became visible is read back from the
 * worker's group (see producer.h), never guessed. */
#include "sinks/kafka/kafka.h"

#include <malloc.h>

#include "engine/base/assert.h"
#include "sinks/drivers.h"
#include "sinks/kafka/oversize.h"
#include "sinks/kafka/topic.h"

/* What a broker counts beside key, value and headers; properties.message.max.bytes has 1000 at
 * least. */
enum { SENT_LIMIT = 64 << 20, MESSAGE_OVERHEAD = 512, HEADERS_LIMIT = 64 << 10 };

static const struct format *const formats[] = {
    [FORMAT_DEBEZIUM_JSON] = &format_debezium_json,
    [FORMAT_DEBEZIUM_JSON_FLINK] = &format_debezium_json_flink,
    [FORMAT_CANAL_JSON] = &format_canal_json,
    [FORMAT_MAXWELL_JSON] = &format_maxwell_json,
    [FORMAT_AVRO_CONFLUENT] = &format_avro_confluent,
};

static struct kafka_sink *kafka_of(struct sink *sink) { return (struct kafka_sink *)sink; }

/* ---- opening ---- */

static void kafka_close(struct sink *sink)
{
    if (!sink)
        return;
    struct kafka_sink *self = kafka_of(sink);
    registry_close(self->registry);
    producer_done(&self->producer);
    client_done(&self->admin);
    buf_done(&self->sent);
}

/* librdkafka takes 1 MB for each request (properties.batch.size) and frees it: the C library keeps
 * that at hand, instead of giving it back to the kernel and asking for it anew. */
static void keep_requests(void)
{
    mallopt(M_MMAP_THRESHOLD, 1280 << 10);
    mallopt(M_TRIM_THRESHOLD, 4 << 20);
}

static bool kafka_open(const void *options, struct arena *arena, struct sink_counters *counters,
                       struct sink **out, struct error *err)
{
    const struct kafka_options *own = options;
    if (!kafka_options_check(own, err))
        return false;
    keep_requests();
    struct kafka_sink *self = arena_zalloc(arena, sizeof *self);
    self->base.driver = &sink_kafka;
    self->options = own;
    self->arena = arena;
    self->counters = counters;
    self->format = formats[own->value_format];
    buf_init(&self->sent, SENT_LIMIT);
    client_init(&self->admin, own);
    producer_init(&self->producer, own, &self->admin);
    bool avro = own->value_format == FORMAT_AVRO_CONFLUENT;
    if (!client_open(&self->admin, &(struct client_role){ 0 }, err) ||
        (avro && !registry_open(own, arena, &self->registry, err))) {
        kafka_close(&self->base);
        return false;
    }
    self->message_limit = client_size(&self->admin, "message.max.bytes") - MESSAGE_OVERHEAD;
    *out = &self->base;
    return true;
}

/* ---- targets ---- */

static struct bytes own_name(struct kafka_sink *self, struct buf *name)
{
    struct bytes copy = arena_copy(self->arena, buf_view(name));
    buf_reset(name);
    return copy;
}

/* What sink.custom-header and sink.add-tableId-to-header-enabled give to each message. */
static struct bytes headers_for(struct kafka_sink *self, const struct target *target)
{
    struct bytes rest = self->options->custom_header, name, value;
    struct buf list;
    buf_init(&list, HEADERS_LIMIT);
    while (kafka_list_next(&rest, ',', &name, &value))
        frame_header(&list, name, value);
    if (self->options->table_headers && !target->boundaries) {
        frame_header(&list, BYTES_LITERAL("namespace"), BYTES_LITERAL(""));
        frame_header(&list, BYTES_LITERAL("schemaName"), target->database);
        frame_header(&list, BYTES_LITERAL("tableName"), target->name);
    }
    struct bytes headers = own_name(self, &list);
    buf_done(&list);
    return headers;
}

static struct kafka_target *target_of(struct kafka_sink *self, struct target *target,
                                      const struct table *table)
{
    struct kafka_target *state = target->sink_data;
    if (state)
        return state;
    state = arena_zalloc(self->arena, sizeof *state);
    struct buf name;
    buf_init(&name, 4096);
    if (target->boundaries)
        topic_of_boundaries(self->options, &name);
    else
        topic_name(self->options, target, table, &name);
    state->topics[FRAME_ROWS].name = own_name(self, &name);
    topic_name_by(self->options->ddl_topic, target, table, &name);
    state->topics[FRAME_CHANGES].name = own_name(self, &name);
    topic_name_by(self->options->dead_letter_topic, target, table, &name);
    state->topics[FRAME_DEAD_LETTERS].name = own_name(self, &name);
    buf_done(&name);
    state->headers = headers_for(self, target);
    target->sink_data = state;
    return state;
}

static bool ensure_topic(struct kafka_sink *self, struct target_topic *topic, struct error *err)
{
    if (topic->ensured)
        return true;
    if (topic->name.size == 0 || topic->name.size > TOPIC_NAME_MAX)
        return error_set(err, ERROR_DATA, "the topic's name has %zu characters, %d are allowed",
                         topic->name.size, TOPIC_NAME_MAX);
    topic->ensured = topic_ensure(&self->admin, (const char *)topic->name.data, 0, err);
    return topic->ensured;
}

/* Ready to be written to by the producer as it is now. */
static bool open_topic(struct kafka_sink *self, struct target_topic *topic, struct error *err)
{
    if (!ensure_topic(self, topic, err))
        return false;
    if (topic->generation == self->producer.generation && topic->handle)
        return true;
    topic->handle = producer_topic(&self->producer, topic->name, err);
    topic->generation = self->producer.generation;
    return topic->handle != NULL;
}

static bool make_plan(struct kafka_sink *self, struct target *target, const struct table *table,
                      struct target_plan *plan, struct error *err)
{
    struct kafka_target *state = target->sink_data;
    struct format_context context = { .options = self->options,
                                      .counters = self->counters,
                                      .arena = self->arena,
                                      .target = target,
                                      .table = table,
                                      .topic = state->topics[FRAME_ROWS].name,
                                      .changes_topic = state->topics[FRAME_CHANGES].name,
                                      .registry = self->registry };
    plan->table = table;
    if (target->boundaries)
        return self->format->plan_boundaries(&context, &plan->plan, err);
    if (!partition_plan(self->options, target, table, self->arena, &plan->partition, err))
        return false;
    context.partition = plan->partition;
    return self->format->plan(&context, &plan->plan, err);
}

static bool prepare(struct kafka_sink *self, struct target *target, const struct table *table,
                    struct error *err)
{
    struct kafka_target *state = target_of(self, target, table);
    if (!ensure_topic(self, &state->topics[FRAME_ROWS], err))
        return false;
    for (struct target_plan *plan = state->plans; plan; plan = plan->next) {
        if (plan->table == table) {
            state->plan = plan;
            return true;
        }
    }
    struct target_plan *plan = arena_zalloc(self->arena, sizeof *plan);
    if (!make_plan(self, target, table, plan, err))
        return false;
    plan->next = state->plans;
    state->plans = plan;
    state->plan = plan;
    return true;
}

/* A parked table is read again when it is cured. What is told of transactions could not be, so all
 * waits for the cure. */
static bool must_wait(const struct target *target, struct error *err)
{
    if (target->boundaries && err->kind == ERROR_DATA) {
        error_context(err, "provide.transaction.metadata");
        err->kind = ERROR_RETRY;
        return true;
    }
    return false;
}

static bool kafka_prepare(struct sink *sink, struct target *target, const struct table *table,
                          uint32_t *parts, struct error *err)
{
    *parts = 1;
    bool ok = prepare(kafka_of(sink), target, table, err);
    if (!ok)
        must_wait(target, err);
    return ok;
}

/* ---- loads ---- */

static bool encode(struct kafka_sink *self, struct kafka_target *state, const struct event *event,
                   struct buf *out, struct error *err)
{
    if (event->op == EVENT_BEGIN || event->op == EVENT_END)
        return self->format->boundary(state->plan->plan, event, out, err);
    if (event->op != EVENT_SCHEMA)
        return partition_known(&state->plan->partition, event, err) &&
               self->format->encode(state->plan->plan, event, out, err);
    bool told = self->format->change && state->topics[FRAME_CHANGES].name.size > 0;
    return !told || self->format->change(state->plan->plan, event, out, err);
}

static bool kafka_encode(struct sink *sink, struct load *load, const struct event *event,
                         struct error *err)
{
    struct kafka_sink *self = kafka_of(sink);
    struct kafka_target *state = load->target->sink_data;
    struct buf *out = &load->parts[0];
    size_t before = out->size, limit = self->message_limit, headers = state->headers.size;
    struct oversize oversize = { .policy = self->options->on_oversize,
                                 .limit = limit > headers ? limit - headers : 0,
                                 .topic = state->topics[FRAME_ROWS].name,
                                 .counters = self->counters };
    bool ok = encode(self, state, event, out, err) &&
              (out->failed || oversize_check(&oversize, event, out, before, err));
    if (ok && out->failed)
        ok = error_set(err, ERROR_DATA, "a row is larger than a load may be");
    if (!ok) {
        out->size = before;
        out->failed = false;
        must_wait(load->target, err);
        return false;
    }
    load->rows += out->size > before;
    return true;
}

static bool kafka_begin(struct sink *sink, const char *label, struct error *err)
{
    struct kafka_sink *self = kafka_of(sink);
    producer_abandon(&self->producer);
    buf_reset(&self->sent);
    return producer_ready(&self->producer, label, err) && producer_begin(&self->producer, err);
}

static bool send_load(struct kafka_sink *self, const struct load *load, struct error *err)
{
    struct kafka_target *state = load->target->sink_data;
    buf_put(&self->sent, &load, sizeof load);
    struct bytes rest = buf_view(&load->parts[0]);
    struct frame_view message;
    while (frame_next(&rest, &message)) {
        struct target_topic *topic = &state->topics[message.frame.to];
        if (!open_topic(self, topic, err) ||
            !producer_send(&self->producer, topic->handle, &message, state->headers, err))
            return false;
    }
    return producer_push(&self->producer, err);
}

/* A refusal is of this load's target. */
static bool kafka_write(struct sink *sink, const struct load *load, struct error *err)
{
    bool ok = send_load(kafka_of(sink), load, err);
    if (!ok)
        must_wait(load->target, err);
    return ok;
}

/* Whose message was refused. */
static struct target *target_of_frame(const struct kafka_sink *self, const uint8_t *frame)
{
    for (size_t at = 0; frame && at < self->sent.size; at += sizeof(struct load *)) {
        const struct load *load;
        memcpy(&load, self->sent.data + at, sizeof load);
        struct bytes part = buf_view(&load->parts[0]);
        if (frame >= part.data && frame < part.data + part.size)
            return load->target;
    }
    return NULL;
}

static bool kafka_commit(struct sink *sink, const char *label, const struct group_facts *facts,
                         struct target **refused, struct error *err)
{
    struct kafka_sink *self = kafka_of(sink);
    const uint8_t *frame;
    if (producer_commit(&self->producer, label, facts, &frame, err))
        return true;
    *refused = target_of_frame(self, frame);
    if (*refused) {
        struct kafka_target *state = (*refused)->sink_data;
        for (size_t i = 0; i < ARRAY_SIZE(state->topics); i++)
            state->topics[i].ensured = false; /* they may be gone */
    }
    if (*refused && must_wait(*refused, err))
        *refused = NULL;
    else if (err->kind == ERROR_DATA && !*refused)
        err->kind = ERROR_CONFIG;
    return false;
}

static bool kafka_resolve(struct sink *sink, struct target *target, const char *label,
                          uint64_t first, uint64_t last, enum load_state *out, struct error *err)
{
    (void)target, (void)first, (void)last;
    struct kafka_sink *self = kafka_of(sink);
    struct producer *producer = &self->producer;
    *out = LOAD_ABSENT;
    if (!producer->transactional)
        return true;
    producer_abandon(producer);
    if (!producer_ready(producer, label, err))
        return false;
    if (producer_holds(producer, label))
        *out = LOAD_VISIBLE;
    else if (!producer->marked)
        return error_set(err, ERROR_CONFIG,
                         "Kafka: the group '%s' has lost its offset, so whether the transaction "
                         "'%s' was committed cannot be told: look at the last rows in the topics, "
                         "then start from a new checkpoint",
                         producer->id, label);
    return true;
}

static bool kafka_visible(struct sink *sink, const char *label, bool own, struct group_facts *out,
                          struct error *err)
{
    struct producer *producer = &kafka_of(sink)->producer;
    *out = (struct group_facts){ 0 };
    if (!producer->transactional)
        return true;
    if (!own)
        return producer_facts_of(producer, label, out, err);
    if (!producer_ready(producer, label, err))
        return false;
    *out = producer->facts;
    return true;
}

/* ---- schema changes ---- */

static bool kafka_change(struct sink *sink, struct target *target, struct target *renamed,
                         const struct schema_change *change, struct error *err)
{
    (void)sink, (void)target, (void)renamed, (void)change, (void)err;
    return true; /* topics have no shape: the next rows come in the new one */
}

static bool kafka_truncate(struct sink *sink, struct target *target, struct error *err)
{
    (void)sink, (void)target, (void)err;
    return true; /* a log is not emptied */
}

static bool kafka_numbers(const void *options)
{
    return ((const struct kafka_options *)options)->tells_transactions;
}

static void kafka_interrupt(struct sink *sink) { (void)sink; }

const struct sink_driver sink_kafka = {
    .name = "kafka",
    .help = "Apache Kafka, exactly once by transactions",
    .settings = kafka_settings,
    .options_size = sizeof(struct kafka_options),
    .tells_changes = true,
    .numbers = kafka_numbers,
    .open = kafka_open,
    .prepare = kafka_prepare,
    .encode = kafka_encode,
    .begin = kafka_begin,
    .write = kafka_write,
    .commit = kafka_commit,
    .resolve = kafka_resolve,
    .visible = kafka_visible,
    .change = kafka_change,
    .truncate = kafka_truncate,
    .interrupt = kafka_interrupt,
    .close = kafka_close,
    .check = kafka_check,
};
