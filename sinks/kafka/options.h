/* SPDX-License-Identifier: Apache-2.0
 *
 * The settings of `type: kafka`. */
#pragma once

#include "config/setting.h"
#include "engine/base/error.h"

enum kafka_value_format {
    FORMAT_DEBEZIUM_JSON,
    FORMAT_DEBEZIUM_JSON_FLINK,
    FORMAT_CANAL_JSON,
    FORMAT_MAXWELL_JSON,
    FORMAT_AVRO_CONFLUENT
};
enum partition_strategy { PARTITION_BY_KEY, PARTITION_BY_TABLE, PARTITION_ALL_TO_ZERO };
enum delivery_guarantee { DELIVERY_EXACTLY_ONCE, DELIVERY_AT_LEAST_ONCE };
enum decimal_mode { DECIMAL_PRECISE, DECIMAL_STRING, DECIMAL_DOUBLE };
enum interval_mode { INTERVAL_NUMERIC, INTERVAL_STRING };
enum unsigned_mode { UNSIGNED_LONG, UNSIGNED_PRECISE };
enum time_mode { TIME_ADAPTIVE_MICROSECONDS, TIME_ADAPTIVE, TIME_CONNECT };
enum binary_mode { BINARY_BYTES, BINARY_BASE64, BINARY_BASE64_URL_SAFE, BINARY_HEX };
enum kafka_zero_date { ZERO_NULL, ZERO_EPOCH, ZERO_FAIL };

enum oversize_policy { OVERSIZE_FAIL, OVERSIZE_DEAD_LETTER };

struct kafka_options {
    struct setting_pairs properties; /* of librdkafka */
    struct bytes topic, topic_mapping, topic_prefix, ddl_topic, dead_letter_topic;
    struct bytes custom_header, partition_columns;
    bool table_headers;
    int on_oversize;
    int value_format;
    bool include_schema;
    int partition_strategy;
    int delivery_guarantee;
    struct bytes id_prefix, transaction_topic; /* the topic of our own ones */
    bool tells_transactions;
    struct bytes boundary_topic;
    bool tombstones;
    int decimal, bigint_unsigned, interval, time, binary, zero_date;
    struct bytes placeholder;
    bool create_topics;
    int64_t topic_partitions, topic_replication;
    struct setting_pairs topic_configs;
    int64_t request_timeout_ms;
    struct bytes registry_url, registry_username, registry_password;
    struct bytes registry_ca, registry_cert, registry_key;
    int registry_verify;
};

extern const struct setting kafka_settings[];

/* What a table of settings cannot say. ERROR_CONFIG. */
bool kafka_options_check(const struct kafka_options *options, struct error *err);
/* Takes the first `name:value` off a list whose items end with `end`; false at its end. The value
 * is NULL where there is no colon. */
bool kafka_list_next(struct bytes *rest, char end, struct bytes *name, struct bytes *value);
