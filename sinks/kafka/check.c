/* SPDX-License-Identifier: Apache-2.0
 *
 * The preflight: are the brokers there, under the names that they give of themselves, and may we do
 * what a sync does? */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "sinks/kafka/check_topics.h"
#include "sinks/kafka/kafka.h"
#include "sinks/kafka/topic.h"

enum { CONNECT_TIMEOUT_S = 5 };

/* Before 2.6.1 librdkafka repeated its first nonce wrongly, which brokers of Kafka 4 refuse. */
enum { SCRAM_WORKS = 0x02060100 };

/* The value of either property begins so, in any case of letters. */
static bool begins(const struct kafka_options *options, const char *key, const char *other,
                   const char *value)
{
    for (size_t i = 0; i < options->properties.count; i++) {
        const struct setting_pair *pair = &options->properties.items[i];
        if ((bytes_is(pair->key, key) || bytes_is(pair->key, other)) &&
            pair->value.size >= strlen(value) &&
            strncasecmp((const char *)pair->value.data, value, strlen(value)) == 0)
            return true;
    }
    return false;
}

static bool is_old_scram(const struct kafka_options *options)
{
    return rd_kafka_version() < SCRAM_WORKS &&
           begins(options, "sasl.mechanism", "sasl.mechanisms", "SCRAM");
}

static const char *away_cure(const struct kafka_options *options)
{
    if (begins(options, "security.protocol", "security.protocol", "ssl"))
        return "check properties.bootstrap.servers and that the brokers run; those that ask for a "
               "certificate want properties.ssl.certificate.location and "
               "properties.ssl.key.location";
    return "check properties.bootstrap.servers and that the brokers run";
}

static const char *cure_of(const struct kafka_options *options, const struct error *err)
{
    switch (err->code) {
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
        if (is_old_scram(options))
            return "SCRAM with brokers of Kafka 4 needs librdkafka 2.6.1, and fails before "
                   "whatever the password is; or set properties.sasl.mechanisms: PLAIN, over TLS";
        return "check properties.security.protocol, properties.sasl.mechanisms, "
               "properties.sasl.username and properties.sasl.password";
    case RD_KAFKA_RESP_ERR__SSL:
        return "check properties.security.protocol and properties.ssl.ca.location";
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
        return "give the user of properties.sasl.username, or of the certificate, these rights";
    default:
        return err->kind == ERROR_CONFIG ? "change the setting that is named" : away_cure(options);
    }
}

/* A connection to the address that a broker gives of itself: what a producer will use. */
static bool reachable(const char *host, int port)
{
    char service[16];
    snprintf(service, sizeof service, "%d", port);
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list;
    if (getaddrinfo(host, service, &hints, &list) != 0)
        return false;
    bool ok = false;
    for (struct addrinfo *item = list; item && !ok; item = item->ai_next) {
        int fd = socket(item->ai_family, item->ai_socktype | SOCK_CLOEXEC, item->ai_protocol);
        struct timeval timeout = { .tv_sec = CONNECT_TIMEOUT_S };
        if (fd < 0)
            continue;
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
        ok = connect(fd, item->ai_addr, item->ai_addrlen) == 0;
        close(fd);
    }
    freeaddrinfo(list);
    return ok;
}

static bool check_brokers(struct kafka_client *admin, struct findings *findings)
{
    const struct kafka_options *options = admin->options;
    const struct rd_kafka_metadata *metadata;
    struct error err;
    rd_kafka_resp_err_t code =
        rd_kafka_metadata(admin->handle, 0, NULL, &metadata, (int)options->request_timeout_ms);
    if (code) {
        client_fail(admin, code, "asking the brokers", rd_kafka_err2str(code), &err);
        bool old = is_old_scram(options);
        finding_add(findings, FINDING_FAIL, cure_of(options, &err), "%s%s%s", err.message,
                    old ? "; SCRAM by librdkafka " : "", old ? rd_kafka_version_str() : "");
        return false;
    }
    bool all = true;
    for (int i = 0; i < metadata->broker_cnt; i++) {
        const struct rd_kafka_metadata_broker *broker = &metadata->brokers[i];
        if (reachable(broker->host, broker->port))
            continue;
        all = false;
        finding_add(findings, FINDING_FAIL,
                    "set advertised.listeners of the broker to a name that this machine reaches",
                    "broker %d calls itself %.200s:%d, which does not answer from here", broker->id,
                    broker->host, broker->port);
    }
    if (all)
        finding_add(findings, FINDING_OK, "", "Kafka: %d broker%s, reachable under %s own name%s",
                    metadata->broker_cnt, metadata->broker_cnt == 1 ? "" : "s",
                    metadata->broker_cnt == 1 ? "its" : "their",
                    metadata->broker_cnt == 1 ? "" : "s");
    rd_kafka_metadata_destroy(metadata);
    return all;
}

/* Takes a transactional id of the check's own and commits an empty transaction. */
static void check_transactions(struct kafka_client *admin, struct findings *findings)
{
    const struct kafka_options *options = admin->options;
    struct producer producer;
    struct error err;
    producer_init(&producer, options, admin);
    if (!producer.transactional)
        finding_add(findings, FINDING_WARN, "set sink.delivery-guarantee: exactly-once",
                    "at-least-once: a restart may repeat rows in the topics");
    else if (producer_ready(&producer, "check-0-0-0", &err))
        finding_add(findings, FINDING_OK, "", "transactions: allowed, and committed once");
    else
        finding_add(findings, FINDING_FAIL, cure_of(options, &err), "%s", err.message);
    producer_done(&producer);
}

static void check_registry(const struct kafka_options *options, struct findings *findings)
{
    struct arena arena = { 0 };
    struct registry *registry = NULL;
    struct error err;
    if (registry_open(options, &arena, &registry, &err) && registry_ping(registry, &err))
        finding_add(findings, FINDING_OK, "", "schema registry: answers");
    else
        finding_add(findings, FINDING_FAIL,
                    "check schema.registry.url, its path too, and that the registry runs", "%s",
                    err.message);
    registry_close(registry);
    arena_done(&arena);
}

bool kafka_check(const void *options, const struct check_target *targets, size_t count,
                 struct findings *findings, struct error *err)
{
    const struct kafka_options *own = options;
    if (!kafka_options_check(own, err))
        return false;
    struct kafka_client admin;
    client_init(&admin, own);
    bool opened = client_open(&admin, &(struct client_role){ 0 }, err);
    if (opened && check_brokers(&admin, findings)) {
        check_transactions(&admin, findings);
        check_topics(&admin, targets, count, findings);
    }
    if (opened && own->value_format == FORMAT_AVRO_CONFLUENT)
        check_registry(own, findings);
    client_done(&admin);
    return opened;
}
