/* SPDX-License-Identifier: Apache-2.0
 *
 * See producer.h. Each call of librdkafka that blocks gets the request timeout. When that is over,
 * or an error says that the handle is spent, the handle is closed and the next attempt takes the id
 * anew: one way out of every doubt, and it is the one that a restart takes. */
#include "sinks/kafka/producer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/fault.h"
#include "engine/base/log.h"
#include "sinks/kafka/group.h"
#include "sinks/kafka/topic.h"

enum { POLL_MS = 100, ABORT_WAIT_MS = 10000, SETTLE_MS = 10000 };
static const int64_t REMARK_US = (int64_t)3600 * 1000000; /* brokers forget idle groups in days */

static uint64_t process_number;

static void make_process_number(void)
{
    process_number = (uint64_t)clock_wall_us() << 16 ^ (uint64_t)getpid();
}

static void on_delivery(rd_kafka_t *handle, const rd_kafka_message_t *message, void *context)
{
    (void)context;
    struct kafka_client *client = rd_kafka_opaque(handle);
    struct producer *producer = (struct producer *)client; /* its first member */
    if (!message->err || producer->failed)
        return;
    producer->failed = message->err;
    producer->failed_frame = message->_private;
}

void producer_init(struct producer *producer, const struct kafka_options *options,
                   struct kafka_client *admin)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_process_number);
    *producer =
        (struct producer){ .options = options,
                           .admin = admin,
                           .transactional = options->delivery_guarantee == DELIVERY_EXACTLY_ONCE };
    client_init(&producer->client, options);
    client_init(&producer->looker, options);
}

/* ---- handles ---- */

static void close_handle(struct producer *producer)
{
    for (struct map_entry *entry = NULL; (entry = map_next(&producer->topics, entry));)
        rd_kafka_topic_destroy(entry->value);
    map_done(&producer->topics);
    producer->topics = (struct map){ 0 };
    client_close(&producer->client);
    client_close(&producer->looker);
    producer->open = producer->committing = false;
    producer->batch.count = 0;
}

void producer_done(struct producer *producer)
{
    close_handle(producer);
    client_done(&producer->client);
    client_done(&producer->looker);
}

static int32_t partition_of(const rd_kafka_topic_t *topic, const void *key, size_t key_size,
                            int32_t count, void *topic_context, void *message_context)
{
    (void)topic, (void)key, (void)key_size, (void)topic_context;
    return (int32_t)(frame_at(message_context).hash & 0x7fffffff) % count;
}

rd_kafka_topic_t *producer_topic(struct producer *producer, struct bytes name, struct error *err)
{
    rd_kafka_topic_t *topic = map_get(&producer->topics, name);
    if (topic)
        return topic;
    char text[TOPIC_NAME_MAX + 1];
    snprintf(text, sizeof text, "%.*s", BYTES_ARGS(name));
    rd_kafka_topic_conf_t *conf = rd_kafka_default_topic_conf_dup(producer->client.handle);
    rd_kafka_topic_conf_set_partitioner_cb(conf, partition_of);
    topic = rd_kafka_topic_new(producer->client.handle, text, conf);
    if (topic)
        map_put(&producer->topics, name, topic);
    else
        client_fail(&producer->client, rd_kafka_last_error(), "topic",
                    rd_kafka_err2str(rd_kafka_last_error()), err);
    return topic;
}

/* ---- what goes wrong ---- */

static bool is_fenced(int code)
{
    return code == RD_KAFKA_RESP_ERR__FENCED || code == RD_KAFKA_RESP_ERR_PRODUCER_FENCED ||
           code == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH ||
           code == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING;
}

/* An id that was ours may have gone to a newer agent, which marks the group first of all. True: it
 * is still ours, and what took it was the broker, because a transaction was open for too long. */
static bool check_owner(struct producer *producer, const struct group_mark *mark, struct error *err)
{
    return strcmp(producer->owned, producer->id) != 0 || !mark->found ||
           mark->owner == process_number ||
           error_set(err, ERROR_CONFIG,
                     "Kafka: another agent took over the transactional id '%s': this one stops",
                     producer->id);
}

/* Whether messages are under way. Only bad reports are asked for: good ones would cost as much as
 * the sending does. */
static bool is_waiting(struct producer *producer)
{
    rd_kafka_poll(producer->client.handle, 0); /* what else is told counts too, until it is heard */
    return rd_kafka_outq_len(producer->client.handle) > 0;
}

void producer_abandon(struct producer *producer)
{
    producer->batch.count = 0;
    if (!producer->client.handle)
        return;
    rd_kafka_error_t *error = NULL;
    bool spent = producer->committing || (!producer->transactional && is_waiting(producer));
    if (!spent && producer->open) {
        error = rd_kafka_abort_transaction(producer->client.handle, ABORT_WAIT_MS);
        spent = error != NULL;
    }
    if (error)
        rd_kafka_error_destroy(error);
    int64_t until_us = clock_now_us() + (int64_t)ABORT_WAIT_MS * 1000;
    while (!spent && is_waiting(producer)) {
        rd_kafka_poll(producer->client.handle, POLL_MS);
        spent = clock_now_us() > until_us;
    }
    if (spent)
        close_handle(producer);
    producer->open = producer->committing = false;
}

/* *err tells what went wrong; decides what it means for what was sent. librdkafka calls an error of
 * a commit abortable, too, when the brokers may have made it already: the group is asked then. */
static bool give_up(struct producer *producer, struct error *err)
{
    bool fenced = is_fenced(err->code);
    bool unknown = producer->committing;
    producer_abandon(producer);
    if (fenced) {
        close_handle(producer); /* who owns the id is asked before it is taken again */
        err->kind = ERROR_RETRY;
    }
    if (unknown && err->kind == ERROR_RETRY)
        err->kind = ERROR_UNKNOWN;
    return false;
}

static bool fail(struct producer *producer, rd_kafka_error_t *error, const char *what,
                 struct error *err)
{
    bool fatal = rd_kafka_error_is_fatal(error);
    char text[256];
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    if (fatal && code == RD_KAFKA_RESP_ERR__FATAL)
        code = rd_kafka_fatal_error(producer->client.handle, text, sizeof text);
    client_fail(&producer->client, code, what, rd_kafka_error_string(error), err);
    rd_kafka_error_destroy(error);
    if (fatal && err->kind == ERROR_DATA)
        err->kind = ERROR_RETRY; /* with a new handle */
    bool given = give_up(producer, err);
    if (fatal)
        close_handle(producer);
    return given;
}

/* ---- taking an id ---- */

/* "<prefix>-<pipeline>-<worker>" from a label "<pipeline>-<epoch>-<worker>-<number>". */
static void id_of(const struct kafka_options *options, const char *label, char *id, size_t size)
{
    const char *dash[3] = { label, label, label }; /* from the end */
    size_t found = 0;
    for (const char *at = label + strlen(label); at > label && found < 3; at--)
        if (at[-1] == '-')
            dash[found++] = at - 1;
    ASSERT(found == 3);
    snprintf(id, size, "%.*s-%.*s%.*s", BYTES_ARGS(options->id_prefix), (int)(dash[2] - label),
             label, (int)(dash[0] - dash[1]), dash[1]);
}

static bool look(struct producer *producer, struct group_mark *found, struct error *err)
{
    int64_t timeout_ms = producer->options->request_timeout_ms;
    struct client_role role = { .group = producer->id, .settled = true };
    return (producer->looker.handle || client_open(&producer->looker, &role, err)) &&
           group_ask(&producer->looker, producer->id,
                     (int)(timeout_ms < SETTLE_MS ? timeout_ms : SETTLE_MS), found, err);
}

/* The commit was acknowledged: its label must become visible. */
static bool confirm(struct producer *producer, const char *label, struct error *err)
{
    struct group_mark found;
    if (look(producer, &found, err) && check_owner(producer, &found, err)) {
        if (strcmp(found.label, label) == 0)
            return true;
        error_set(err, ERROR_UNKNOWN,
                  "Kafka: the commit of '%s' was acknowledged, but the group '%s' holds '%s'",
                  label, producer->id, found.label);
    }
    return give_up(producer, err);
}

static bool commit_label(struct producer *producer, const char *label,
                         const struct group_facts *facts, struct error *err)
{
    rd_kafka_t *handle = producer->client.handle;
    int timeout_ms = (int)producer->options->request_timeout_ms;
    rd_kafka_topic_partition_list_t *offsets =
        group_mark_make(producer->options, label, process_number, facts);
    rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata_new(producer->id);
    rd_kafka_error_t *error =
        rd_kafka_send_offsets_to_transaction(handle, offsets, group, timeout_ms);
    rd_kafka_consumer_group_metadata_destroy(group);
    rd_kafka_topic_partition_list_destroy(offsets);
    if (error)
        return fail(producer, error, "marking a transaction", err);
    fault_point("kafka.before_commit");
    producer->committing = true;
    error = rd_kafka_commit_transaction(handle, timeout_ms);
    if (error)
        return fail(producer, error, "committing a transaction", err);
    fault_point("kafka.after_commit");
    if (!confirm(producer, label, err))
        return false;
    producer->open = producer->committing = false;
    snprintf(producer->committed, sizeof producer->committed, "%s", label);
    producer->facts = *facts;
    producer->marked_us = clock_now_us();
    return true;
}

static bool begin(struct producer *producer, struct error *err)
{
    rd_kafka_error_t *error = rd_kafka_begin_transaction(producer->client.handle);
    if (error)
        return fail(producer, error, "beginning a transaction", err);
    producer->open = true;
    return true;
}

/* Writes the group's label anew, with our number beside it. */
static bool mark(struct producer *producer, struct error *err)
{
    char label[LOAD_LABEL_SIZE];
    memcpy(label, producer->committed, sizeof label);
    struct group_facts facts = producer->facts;
    return begin(producer, err) && commit_label(producer, label, &facts, err);
}

/* Behind the taking of the id nothing is open: a group that still waits for a marker waits for
 * ever, and is freed by the next mark. */
static bool read_settled(struct producer *producer, struct group_mark *found, struct error *err)
{
    if (look(producer, found, err))
        return check_owner(producer, found, err);
    if (err->code != RD_KAFKA_RESP_ERR__TIMED_OUT ||
        !group_read(producer->options, producer->id, false, found, err) ||
        !check_owner(producer, found, err))
        return false;
    struct group_mark again; /* it may have been the group's coordinator that was not ready */
    if (look(producer, &again, err)) {
        *found = again;
        return true;
    }
    log_warn("Kafka: the brokers have ended the last transaction of '%s' without writing its "
             "markers (KAFKA-20734): its rows are sent again",
             producer->id);
    producer->undecided = true;
    return true;
}

static bool take_id(struct producer *producer, struct error *err)
{
    struct group_mark found;
    /* Before, so that a newer agent is left in peace. A transaction of ours may be open still, and
     * only taking the id ends it: it is not waited for, but looked at again behind that. */
    if (!group_read(producer->options, producer->id, false, &found, err) ||
        !check_owner(producer, &found, err))
        return false;
    rd_kafka_error_t *error = rd_kafka_init_transactions(
        producer->client.handle, (int)producer->options->request_timeout_ms);
    if (error)
        return fail(producer, error, "taking the transactional id", err);
    if (!read_settled(producer, &found, err))
        return false;
    producer->marked = found.found;
    snprintf(producer->committed, sizeof producer->committed, "%s",
             found.found ? found.label : GROUP_NO_LABEL);
    producer->facts = found.facts;
    if (!mark(producer, err))
        return false;
    memcpy(producer->owned, producer->id, sizeof producer->owned);
    return true;
}

bool producer_ready(struct producer *producer, const char *label, struct error *err)
{
    char id[sizeof producer->id];
    id_of(producer->options, label, id, sizeof id);
    if (producer->client.handle && strcmp(id, producer->id) == 0)
        return true;
    close_handle(producer);
    memcpy(producer->id, id, sizeof id);
    struct client_role role = { .transactional_id = producer->transactional ? id : NULL,
                                .idempotent = true,
                                .on_delivery = on_delivery };
    if (!client_open(&producer->client, &role, err))
        return false;
    producer->generation++;
    bool ok = !producer->transactional ||
              (topic_ensure(producer->admin,
                            (const char *)producer->options->transaction_topic.data, 1, err) &&
               take_id(producer, err));
    if (!ok) {
        close_handle(producer);
        if (err->kind == ERROR_UNKNOWN)
            err->kind = ERROR_RETRY; /* of a mark only */
    }
    return ok;
}

bool producer_holds(struct producer *producer, const char *label)
{
    bool holds = strcmp(producer->committed, label) == 0;
    producer->purging |= !holds && producer->undecided;
    return holds;
}

bool producer_facts_of(const struct producer *producer, const char *label, struct group_facts *out,
                       struct error *err)
{
    char id[sizeof producer->id];
    struct group_mark found;
    id_of(producer->options, label, id, sizeof id);
    if (!group_read(producer->options, id, true, &found, err))
        return false;
    *out = found.facts;
    return true;
}

/* ---- a transaction ---- */

bool producer_begin(struct producer *producer, struct error *err)
{
    producer->failed = RD_KAFKA_RESP_ERR_NO_ERROR;
    producer->failed_frame = NULL;
    if (!producer->transactional)
        return true;
    producer->marked = true; /* by ourselves, when the id was taken */
    if (clock_now_us() - producer->marked_us > REMARK_US && !mark(producer, err))
        return false;
    return begin(producer, err);
}

static void add_headers(rd_kafka_headers_t *headers, struct bytes list)
{
    while (list.size > 0) {
        uint32_t name_size, value_size;
        memcpy(&name_size, list.data, sizeof name_size);
        const uint8_t *name = list.data + sizeof name_size;
        memcpy(&value_size, name + name_size, sizeof value_size);
        const uint8_t *value = name + name_size + sizeof value_size;
        rd_kafka_header_add(headers, (const char *)name, (ssize_t)name_size, value,
                            (ssize_t)value_size);
        size_t size = (size_t)(value + value_size - list.data);
        list.data += size;
        list.size -= size;
    }
}

static rd_kafka_message_t message_of(const struct frame_view *view)
{
    rd_kafka_message_t message = { ._private = (void *)(uintptr_t)view->start };
    if (!view->frame.null_value) {
        message.payload = (void *)(uintptr_t)view->value.data;
        message.len = view->value.size;
    }
    if (!view->frame.null_key) {
        message.key = (void *)(uintptr_t)view->key.data;
        message.key_len = view->key.size;
    }
    return message;
}

static void produce_with_headers(struct producer *producer, struct producer_batch *batch)
{
    rd_kafka_message_t *message = &batch->messages[0];
    rd_kafka_headers_t *headers = rd_kafka_headers_new(4);
    add_headers(headers, batch->fixed);
    add_headers(headers, batch->headers);
    rd_kafka_vu_t parts[] = {
        { .vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = batch->topic },
        { .vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = 0 }, /* sent from where it lies */
        { .vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = { message->payload, message->len } },
        { .vtype = RD_KAFKA_VTYPE_KEY, .u.mem = { message->key, message->key_len } },
        { .vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers },
        { .vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = message->_private },
    };
    rd_kafka_error_t *error = rd_kafka_produceva(producer->client.handle, parts, ARRAY_SIZE(parts));
    message->err = rd_kafka_error_code(error); /* of NULL: none */
    if (error)
        rd_kafka_headers_destroy(headers);
    rd_kafka_error_destroy(error);
}

/* Moves *sent behind those that were taken in; gives the error of the next one. */
static rd_kafka_resp_err_t produce(struct producer *producer, struct producer_batch *batch,
                                   uint32_t *sent)
{
    if (batch->with_headers)
        produce_with_headers(producer, batch);
    else
        rd_kafka_produce_batch(batch->topic, RD_KAFKA_PARTITION_UA, 0, batch->messages + *sent,
                               (int)(batch->count - *sent));
    while (*sent < batch->count && !batch->messages[*sent].err)
        ++*sent;
    return *sent < batch->count ? batch->messages[*sent].err : RD_KAFKA_RESP_ERR_NO_ERROR;
}

static bool refuse(struct producer *producer, const rd_kafka_message_t *message, struct error *err)
{
    char text[256];
    rd_kafka_resp_err_t code = message->err;
    if (code == RD_KAFKA_RESP_ERR__FATAL)
        code = rd_kafka_fatal_error(producer->client.handle, text, sizeof text);
    if (code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
        error_code(err, ERROR_DATA, (int)code,
                   "a message of %zu bytes is larger than properties.message.max.bytes allows",
                   message->key_len + message->len);
    else
        client_fail(&producer->client, code, "sending", rd_kafka_err2str(code), err);
    return give_up(producer, err);
}

bool producer_push(struct producer *producer, struct error *err)
{
    struct producer_batch *batch = &producer->batch;
    int64_t until_us = clock_now_us() + producer->options->request_timeout_ms * 1000;
    rd_kafka_resp_err_t code;
    uint32_t sent = 0;
    while (sent < batch->count && (code = produce(producer, batch, &sent))) {
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL || clock_now_us() > until_us)
            return refuse(producer, &batch->messages[sent], err);
        rd_kafka_poll(producer->client.handle, POLL_MS);
    }
    batch->count = 0;
    return true;
}

bool producer_send(struct producer *producer, rd_kafka_topic_t *topic,
                   const struct frame_view *message, struct bytes headers, struct error *err)
{
    struct producer_batch *batch = &producer->batch;
    bool with_headers = message->headers.size > 0 || headers.size > 0;
    bool full = batch->count == ARRAY_SIZE(batch->messages) || batch->topic != topic ||
                batch->with_headers || with_headers;
    if (batch->count > 0 && full && !producer_push(producer, err))
        return false;
    batch->topic = topic;
    batch->with_headers = with_headers;
    batch->headers = message->headers;
    batch->fixed = headers;
    batch->messages[batch->count++] = message_of(message);
    return true;
}

/* Waits until none is under way. */
static bool flush(struct producer *producer, const uint8_t **failed, struct error *err)
{
    int64_t until_us = clock_now_us() + producer->options->request_timeout_ms * 1000;
    while (is_waiting(producer) && !producer->failed && clock_now_us() < until_us)
        rd_kafka_flush(producer->client.handle, POLL_MS);
    if (!producer->failed && !is_waiting(producer))
        return true;
    rd_kafka_resp_err_t code = producer->failed ? producer->failed : RD_KAFKA_RESP_ERR__TIMED_OUT;
    *failed = producer->failed_frame;
    char text[256];
    if (code == RD_KAFKA_RESP_ERR__FATAL)
        code = rd_kafka_fatal_error(producer->client.handle, text, sizeof text);
    if (code == RD_KAFKA_RESP_ERR__PURGE_QUEUE || code == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT)
        code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    if (code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) /* of messages that travel together */
        error_code(err, ERROR_DATA, (int)code,
                   "Kafka: delivering messages: Broker: Message size too large: raise "
                   "max.message.bytes of the topic to %zu (properties.message.max.bytes), or lower "
                   "properties.batch.size below it",
                   client_size(&producer->client, "message.max.bytes"));
    else
        client_fail(&producer->client, code, "delivering messages", rd_kafka_err2str(code), err);
    return give_up(producer, err);
}

static bool purge(struct producer *producer, struct error *err)
{
    producer_abandon(producer);
    producer->purging = producer->undecided = false;
    return error_set(err, ERROR_RETRY, "Kafka: rows that the brokers left undecided are dropped");
}

bool producer_commit(struct producer *producer, const char *label, const struct group_facts *facts,
                     const uint8_t **failed, struct error *err)
{
    *failed = NULL;
    ASSERT(producer->batch.count == 0);
    if (!flush(producer, failed, err))
        return false;
    if (producer->purging)
        return purge(producer, err);
    return !producer->transactional || commit_label(producer, label, facts, err);
}
