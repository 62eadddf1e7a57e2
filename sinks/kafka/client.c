/* SPDX-License-Identifier: Apache-2.0
 *
 * See client.h. librdkafka connects and retries by itself, in threads of its own; what it logs is
 * kept here instead of being printed, and told when a call fails. */
#include "sinks/kafka/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <syslog.h>

#include "engine/base/assert.h"
#include "engine/base/log.h"

enum { ERROR_TEXT_MAX = 512 };

static bool is_refusal(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR__AUTHENTICATION || code == RD_KAFKA_RESP_ERR__SSL ||
           code == RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE;
}

static void note_trouble(struct kafka_client *client, const char *text)
{
    pthread_mutex_lock(&client->lock);
    snprintf(client->trouble, sizeof client->trouble, "%s", text);
    pthread_mutex_unlock(&client->lock);
}

static void on_log(const rd_kafka_t *handle, int level, const char *facility, const char *text)
{
    struct kafka_client *client = rd_kafka_opaque(handle);
    if (level <= LOG_ERR)
        note_trouble(client, text);
    log_debug("librdkafka %s: %s", facility, text);
}

static void on_error(rd_kafka_t *handle, int code, const char *reason, void *context)
{
    (void)handle;
    struct kafka_client *client = context;
    note_trouble(client, reason);
    if (!is_refusal((rd_kafka_resp_err_t)code))
        return;
    pthread_mutex_lock(&client->lock);
    client->refused = (rd_kafka_resp_err_t)code;
    pthread_mutex_unlock(&client->lock);
}

void client_init(struct kafka_client *client, const struct kafka_options *options)
{
    *client = (struct kafka_client){ .options = options };
    pthread_mutex_init(&client->lock, NULL);
}

/* librdkafka names the value that it refuses; a secret's is not shown. */
static bool is_secret(struct bytes key)
{
    static const char *const marks[] = { "password", "secret", "pem", "jaas" };
    char name[128];
    snprintf(name, sizeof name, "%.*s", BYTES_ARGS(key));
    for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
        if (strcasestr(name, marks[i]))
            return true;
    return false;
}

static bool set_property(rd_kafka_conf_t *conf, const struct setting_pair *pair, struct error *err)
{
    char text[ERROR_TEXT_MAX];
    char name[128];
    snprintf(name, sizeof name, "%.*s", BYTES_ARGS(pair->key));
    rd_kafka_conf_res_t result =
        rd_kafka_conf_set(conf, name, (const char *)pair->value.data, text, sizeof text);
    if (result == RD_KAFKA_CONF_OK)
        return true;
    if (result == RD_KAFKA_CONF_INVALID && is_secret(pair->key))
        return error_set(err, ERROR_CONFIG, "properties.%s: librdkafka refuses the value", name);
    return error_set(err, ERROR_CONFIG, "properties.%s: %s", name, text);
}

static void set_default(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char text[ERROR_TEXT_MAX];
    ASSERT(rd_kafka_conf_set(conf, name, value, text, sizeof text) == RD_KAFKA_CONF_OK);
}

static bool set_all(rd_kafka_conf_t *conf, const struct kafka_options *options,
                    const struct client_role *role, struct error *err)
{
    set_default(conf, "client.id", "millrace");
    set_default(conf, "socket.keepalive.enable", "true");
    set_default(conf, "log.connection.close", "false");
    for (size_t i = 0; i < options->properties.count; i++)
        if (!set_property(conf, &options->properties.items[i], err))
            return false;
    set_default(conf, "sticky.partitioning.linger.ms",
                "0"); /* messages without a key go by table */
    if (role->group) {
        set_default(conf, "group.id", role->group);
        set_default(conf, "isolation.level", role->settled ? "read_committed" : "read_uncommitted");
        set_default(conf, "retry.backoff.ms", "5"); /* a marker takes a few */
    }
    if (role->idempotent) {
        set_default(conf, "enable.idempotence", "true");
        set_default(conf, "delivery.report.only.error", "true");
    }
    if (role->transactional_id)
        set_default(conf, "transactional.id", role->transactional_id);
    return true;
}

bool client_open(struct kafka_client *client, const struct client_role *role, struct error *err)
{
    ASSERT(!client->handle);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (!set_all(conf, client->options, role, err)) {
        rd_kafka_conf_destroy(conf);
        return false;
    }
    rd_kafka_conf_set_opaque(conf, client);
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    if (role->on_delivery)
        rd_kafka_conf_set_dr_msg_cb(conf, role->on_delivery);
    char text[ERROR_TEXT_MAX];
    client->trouble[0] = '\0';
    client->refused = RD_KAFKA_RESP_ERR_NO_ERROR;
    client->handle =
        rd_kafka_new(role->group ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER, conf, text, sizeof text);
    if (client->handle)
        return true;
    rd_kafka_conf_destroy(conf);
    return error_set(err, ERROR_CONFIG, "properties: %s", text);
}

size_t client_size(const struct kafka_client *client, const char *property)
{
    char text[32];
    size_t size = sizeof text;
    ASSERT(rd_kafka_conf_get(rd_kafka_conf(client->handle), property, text, &size) ==
           RD_KAFKA_CONF_OK);
    return strtoull(text, NULL, 10);
}

void client_close(struct kafka_client *client)
{
    if (!client->handle)
        return;
    if (rd_kafka_type(client->handle) == RD_KAFKA_PRODUCER)
        rd_kafka_purge(client->handle, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_destroy_flags(client->handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    client->handle = NULL;
}

void client_done(struct kafka_client *client)
{
    client_close(client);
    pthread_mutex_destroy(&client->lock);
}

enum error_kind client_error_kind(rd_kafka_resp_err_t code)
{
    switch ((int)code) {
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR__SSL:
    case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
    case RD_KAFKA_RESP_ERR__NOT_CONFIGURED:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
    case RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION:
    case RD_KAFKA_RESP_ERR_SECURITY_DISABLED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT:
        return ERROR_CONFIG;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_INVALID_PARTITIONS:
    case RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR:
    case RD_KAFKA_RESP_ERR_INVALID_CONFIG:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
        return ERROR_DATA;
    default:
        return ERROR_RETRY;
    }
}

/* What brokers with an authorizer want to be told; "": the error is another one. */
static const char *missing_right(rd_kafka_resp_err_t code)
{
    switch ((int)code) {
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        return "; grant CREATE, DESCRIBE and WRITE on the topics, and READ too on "
               "sink.transaction-topic";
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
        return "; grant WRITE and DESCRIBE on transactional ids that begin with "
               "sink.transactional-id-prefix";
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
        return "; grant READ on groups that begin with sink.transactional-id-prefix";
    default:
        return "";
    }
}

bool client_fail(struct kafka_client *client, rd_kafka_resp_err_t code, const char *what,
                 const char *text, struct error *err)
{
    if (client->handle)
        rd_kafka_poll(client->handle, 0); /* brings the complaints */
    pthread_mutex_lock(&client->lock);
    bool vague = code == RD_KAFKA_RESP_ERR__TIMED_OUT || code == RD_KAFKA_RESP_ERR__TRANSPORT ||
                 code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
    if (vague && client->refused)
        code = client->refused;
    bool told = vague && client->trouble[0];
    error_code(err, client_error_kind(code), (int)code, "Kafka: %s: %s%s%.*s%s%s", what, text,
               told ? " (" : "", told ? 280 : 0, client->trouble, told ? ")" : "",
               missing_right(code));
    pthread_mutex_unlock(&client->lock);
    return false;
}

bool client_fail_error(struct kafka_client *client, rd_kafka_error_t *error, const char *what,
                       struct error *err)
{
    client_fail(client, rd_kafka_error_code(error), what, rd_kafka_error_string(error), err);
    rd_kafka_error_destroy(error);
    return false;
}
