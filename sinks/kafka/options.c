/* SPDX-License-Identifier: Apache-2.0 */
#include "sinks/kafka/options.h"

#include "engine/base/assert.h"
#include "sinks/kafka/partition.h"
#include "sinks/kafka/topic.h"

#define FIELD(name) SETTING_FIELD(kafka_options, name)

static const char *const value_formats[] = { "debezium-json", "debezium-json-flink", "canal-json",
                                             "maxwell-json",  "avro-confluent",      NULL };
static const char *const strategies[] = { "hash-by-key", "hash-by-table", "all-to-zero", NULL };
static const char *const guarantees[] = { "exactly-once", "at-least-once", NULL };
static const char *const decimal_modes[] = { "precise", "string", "double", NULL };
static const char *const unsigned_modes[] = { "long", "precise", NULL };
static const char *const interval_modes[] = { "numeric", "string", NULL };
static const char *const time_modes[] = { "adaptive_time_microseconds", "adaptive", "connect",
                                          NULL };
static const char *const binary_modes[] = { "bytes", "base64", "base64-url-safe", "hex", NULL };
static const char *const oversize_policies[] = { "fail", "dead-letter", NULL };
static const char *const verifications[] = { "full", "none", NULL };
static const char *const zero_date_modes[] = { "null", "epoch", "fail", NULL };

const struct setting kafka_settings[] = {
    { .name = "properties.",
      .type = SETTING_PAIRS,
      .offset = FIELD(properties),
      .default_text = "",
      .help = "Settings of librdkafka, e.g. properties.bootstrap.servers, "
              "properties.security.protocol, properties.compression.type." },
    { .name = "topic",
      .type = SETTING_TEXT,
      .offset = FIELD(topic),
      .default_text = "",
      .help = "Topic of the rows; ${database}, ${schema} and ${table} stand for the target's. Left "
              "out: database.table, and the schema between where there is one, behind "
              "topic.prefix." },
    { .name = "sink.tableId-to-topic.mapping",
      .type = SETTING_TEXT,
      .offset = FIELD(topic_mapping),
      .default_text = "",
      .help = "Topics of single tables, database.table:topic, with ; between; the others go by "
              "topic." },
    { .name = "topic.prefix",
      .type = SETTING_TEXT,
      .offset = FIELD(topic_prefix),
      .default_text = "",
      .help = "Begins the names of topics and schemas, with a dot behind it; also source.name." },
    { .name = "ddl.topic",
      .type = SETTING_TEXT,
      .offset = FIELD(ddl_topic),
      .default_text = "",
      .help = "Topic of schema changes, in the value's format, but for debezium-json-flink, which "
              "has none; with placeholders as in topic. Left out: they are not told." },
    { .name = "on-oversize",
      .type = SETTING_CHOICE,
      .offset = FIELD(on_oversize),
      .default_text = "fail",
      .choices = oversize_policies,
      .help = "A message larger than properties.message.max.bytes: fail parks its table, "
              "dead-letter sends a note of it instead. Counted." },
    { .name = "dead-letter.topic",
      .type = SETTING_TEXT,
      .offset = FIELD(dead_letter_topic),
      .default_text = "millrace-dead-letters",
      .help = "Topic of these notes, with placeholders as in topic." },
    { .name = "value.format",
      .type = SETTING_CHOICE,
      .offset = FIELD(value_format),
      .default_text = "debezium-json",
      .choices = value_formats,
      .help = "Form of the messages: Debezium's, the same as Flink CDC writes it, Canal's, "
              "Maxwell's; or Debezium's in Avro, with a schema registry." },
    { .name = "debezium-json.include-schema.enabled",
      .type = SETTING_BOOL,
      .offset = FIELD(include_schema),
      .default_text = "false",
      .help = "Puts the Connect schema into each key and value, as Debezium does with "
              "schemas.enable." },
    { .name = "sink.custom-header",
      .type = SETTING_TEXT,
      .offset = FIELD(custom_header),
      .default_text = "",
      .help = "Headers of every message, name:value, with commas between." },
    { .name = "sink.add-tableId-to-header-enabled",
      .type = SETTING_BOOL,
      .offset = FIELD(table_headers),
      .default_text = "false",
      .help = "Puts the target into headers namespace (empty), schemaName and tableName." },
    { .name = "partition.strategy",
      .type = SETTING_CHOICE,
      .offset = FIELD(partition_strategy),
      .default_text = "hash-by-key",
      .choices = strategies,
      .help = "hash-by-key: murmur2 of the key as the Java client does, rows without a key by "
              "table; hash-by-table; all-to-zero: partition 0." },
    { .name = "partition.columns",
      .type = SETTING_TEXT,
      .offset = FIELD(partition_columns),
      .default_text = "",
      .help = "Columns that decide the partition instead: database.table:column,column of one "
              "table, or column,column alone for every table that has them, with ; between. A row "
              "whose columns change comes as a delete and a new row." },
    { .name = "sink.delivery-guarantee",
      .type = SETTING_CHOICE,
      .offset = FIELD(delivery_guarantee),
      .default_text = "exactly-once",
      .choices = guarantees,
      .help = "exactly-once: transactions, readers use isolation.level=read_committed; "
              "at-least-once: none, a restart may repeat rows." },
    { .name = "sink.transactional-id-prefix",
      .type = SETTING_TEXT,
      .offset = FIELD(id_prefix),
      .default_text = "millrace",
      .help = "Begins the transactional ids and the groups that keep what was committed: "
              "<prefix>-<pipeline>-<worker>." },
    { .name = "sink.transaction-topic",
      .type = SETTING_TEXT,
      .offset = FIELD(transaction_topic),
      .default_text = "millrace-transactions",
      .help = "Topic that these groups commit to; made when missing, nothing is written to it." },
    { .name = "provide.transaction.metadata",
      .type = SETTING_BOOL,
      .offset = FIELD(tells_transactions),
      .default_text = "false",
      .help = "Tells of each change its place in its transaction, and BEGIN and END of "
              "transactions in a topic of their own; debezium-json and avro-confluent, "
              "sink.parallelism 1." },
    { .name = "topic.transaction",
      .type = SETTING_TEXT,
      .offset = FIELD(boundary_topic),
      .default_text = "transaction",
      .help = "Name of that topic, behind topic.prefix and a dot." },
    { .name = "tombstones.on.delete",
      .type = SETTING_BOOL,
      .offset = FIELD(tombstones),
      .default_text = "true",
      .help = "A message without value follows each DELETE, so that compacted topics forget the "
              "key." },
    { .name = "decimal.handling.mode",
      .type = SETTING_CHOICE,
      .offset = FIELD(decimal),
      .default_text = "precise",
      .choices = decimal_modes,
      .help = "DECIMAL as bytes of the unscaled number (base64), as text, or as a double." },
    { .name = "bigint.unsigned.handling.mode",
      .type = SETTING_CHOICE,
      .offset = FIELD(bigint_unsigned),
      .default_text = "long",
      .choices = unsigned_modes,
      .help = "BIGINT UNSIGNED as a number, or as a DECIMAL of scale 0." },
    { .name = "interval.handling.mode",
      .type = SETTING_CHOICE,
      .offset = FIELD(interval),
      .default_text = "numeric",
      .choices = interval_modes,
      .help = "PostgreSQL's interval as microseconds, of which a month has those of 30.4375 days, "
              "or as a text of ISO 8601, which is exact." },
    { .name = "time.precision.mode",
      .type = SETTING_CHOICE,
      .offset = FIELD(time),
      .default_text = "adaptive_time_microseconds",
      .choices = time_modes,
      .help = "Units of DATE, TIME and DATETIME, as in Debezium; connect cuts to milliseconds." },
    { .name = "binary.handling.mode",
      .type = SETTING_CHOICE,
      .offset = FIELD(binary),
      .default_text = "bytes",
      .choices = binary_modes,
      .help = "BINARY and BLOB: bytes and base64 look alike in JSON; or base64-url-safe, hex." },
    { .name = "zero-date.handling.mode",
      .type = SETTING_CHOICE,
      .offset = FIELD(zero_date),
      .default_text = "null",
      .choices = zero_date_modes,
      .help = "A date no calendar holds (0000-00-00): null (1970-01-01 where the column takes no "
              "NULL), epoch, or fail. Counted; a date of a key always fails." },
    { .name = "unavailable.value.placeholder",
      .type = SETTING_TEXT,
      .offset = FIELD(placeholder),
      .default_text = "__debezium_unavailable_value",
      .help = "Stands for a text or binary value that the log does not hold; values of other "
              "types are left out." },
    { .name = "topic.creation.enable",
      .type = SETTING_BOOL,
      .offset = FIELD(create_topics),
      .default_text = "true",
      .help = "Makes topics that are missing." },
    { .name = "topic.creation.partitions",
      .type = SETTING_INT,
      .offset = FIELD(topic_partitions),
      .default_text = "-1",
      .minimum = -1,
      .maximum = 100000,
      .help = "Partitions of a topic that is made; -1: as the broker is set." },
    { .name = "topic.creation.replication.factor",
      .type = SETTING_INT,
      .offset = FIELD(topic_replication),
      .default_text = "-1",
      .minimum = -1,
      .maximum = 1000,
      .help = "Its replicas; -1: as the broker is set." },
    { .name = "topic.creation.config.",
      .type = SETTING_PAIRS,
      .offset = FIELD(topic_configs),
      .default_text = "",
      .help = "Its further settings, e.g. topic.creation.config.cleanup.policy: compact." },
    { .name = "schema.registry.url",
      .type = SETTING_TEXT,
      .offset = FIELD(registry_url),
      .default_text = "",
      .help = "Registry with Confluent's API, with its path, e.g. http://127.0.0.1:8081; for "
              "avro-confluent." },
    { .name = "schema.registry.username",
      .type = SETTING_TEXT,
      .offset = FIELD(registry_username),
      .default_text = "",
      .help = "User of the registry." },
    { .name = "schema.registry.password",
      .type = SETTING_SECRET,
      .offset = FIELD(registry_password),
      .default_text = "",
      .help = "Its password." },
    { .name = "schema.registry.ssl.ca",
      .type = SETTING_TEXT,
      .offset = FIELD(registry_ca),
      .default_text = "",
      .help = "File of the authorities that the registry is checked against." },
    { .name = "schema.registry.ssl.cert",
      .type = SETTING_TEXT,
      .offset = FIELD(registry_cert),
      .default_text = "",
      .help = "File of our certificate, for a registry that asks for one." },
    { .name = "schema.registry.ssl.key",
      .type = SETTING_TEXT,
      .offset = FIELD(registry_key),
      .default_text = "",
      .help = "File of its key." },
    { .name = "schema.registry.ssl.verify",
      .type = SETTING_CHOICE,
      .offset = FIELD(registry_verify),
      .default_text = "full",
      .choices = verifications,
      .help = "full: the registry's certificate and its name are checked; none: neither." },
    { .name = "request.timeout",
      .type = SETTING_DURATION,
      .offset = FIELD(request_timeout_ms),
      .default_text = "15s",
      .minimum = 1000,
      .maximum = 3600000,
      .help = "How long one attempt waits for the brokers, before it counts as failed." },
    { .name = NULL },
};

/* These carry the promise of exactly once and of order: no property may take them back. */
static bool properties_check(const struct setting_pairs *pairs, struct error *err)
{
    static const char *const reserved[] = {
        "transactional.id",         "enable.idempotence", "acks",       "request.required.acks",
        "enable.gapless.guarantee", "group.id",           "partitioner"
    };
    bool servers = false;
    for (size_t i = 0; i < pairs->count; i++) {
        struct bytes key = pairs->items[i].key;
        servers |= bytes_is(key, "bootstrap.servers") || bytes_is(key, "metadata.broker.list");
        for (size_t k = 0; k < ARRAY_SIZE(reserved); k++)
            if (bytes_is(key, reserved[k]))
                return error_set(err, ERROR_CONFIG, "properties.%s: is set by the sink itself",
                                 reserved[k]);
    }
    return servers ||
           error_set(err, ERROR_CONFIG,
                     "properties.bootstrap.servers: give the address of a broker, host:port");
}

/* The address is not printed where it may hold a password. */
static bool registry_check(const struct kafka_options *options, struct error *err)
{
    struct bytes url = options->registry_url;
    if (options->value_format != FORMAT_AVRO_CONFLUENT)
        return true;
    bool http = (url.size > 7 && memcmp(url.data, "http://", 7) == 0) ||
                (url.size > 8 && memcmp(url.data, "https://", 8) == 0);
    if (!http)
        return error_set(err, ERROR_CONFIG,
                         "schema.registry.url: avro-confluent needs one, and it "
                         "begins with http:// or https://");
    if (memchr(url.data, '@', url.size))
        return error_set(err, ERROR_CONFIG,
                         "schema.registry.url: put the user and password into "
                         "schema.registry.username and schema.registry.password");
    return true;
}

static bool header_check(struct bytes headers, struct error *err)
{
    struct bytes name, value;
    while (kafka_list_next(&headers, ',', &name, &value))
        if (name.size == 0 || !value.data)
            return error_set(err, ERROR_CONFIG,
                             "sink.custom-header: name:value, with commas between");
    return true;
}

static bool transactions_check(const struct kafka_options *options, struct error *err)
{
    bool debezium = options->value_format == FORMAT_DEBEZIUM_JSON ||
                    options->value_format == FORMAT_AVRO_CONFLUENT;
    if (!options->tells_transactions)
        return true;
    if (!debezium)
        return error_set(err, ERROR_CONFIG,
                         "provide.transaction.metadata: value.format debezium-json and "
                         "avro-confluent have a place for it, %s has none",
                         value_formats[options->value_format]);
    if (options->partition_columns.size > 0)
        return error_set(err, ERROR_CONFIG,
                         "provide.transaction.metadata: a row that partition.columns move comes as "
                         "two messages, which cannot be counted ahead: leave out one of the two");
    if (options->boundary_topic.size == 0 ||
        memchr(options->boundary_topic.data, '$', options->boundary_topic.size))
        return error_set(err, ERROR_CONFIG,
                         "topic.transaction: one name for all, without placeholders");
    return topic_pattern_check("topic.transaction", options->boundary_topic, err);
}

bool kafka_list_next(struct bytes *rest, char end, struct bytes *name, struct bytes *value)
{
    if (rest->size == 0)
        return false;
    const uint8_t *stop = memchr(rest->data, end, rest->size);
    size_t size = stop ? (size_t)(stop - rest->data) : rest->size;
    const uint8_t *colon = memchr(rest->data, ':', size);
    *name = (struct bytes){ rest->data, colon ? (size_t)(colon - rest->data) : size };
    *value = colon ? (struct bytes){ colon + 1, size - name->size - 1 } : (struct bytes){ 0 };
    rest->data += size + (stop != NULL);
    rest->size -= size + (stop != NULL);
    return true;
}

bool kafka_options_check(const struct kafka_options *options, struct error *err)
{
    if (options->topic_partitions == 0 || options->topic_replication == 0)
        return error_set(err, ERROR_CONFIG,
                         "topic.creation.partitions, "
                         "topic.creation.replication.factor: -1, or 1 and more");
    if (options->id_prefix.size == 0 || options->id_prefix.size > 100)
        return error_set(err, ERROR_CONFIG, "sink.transactional-id-prefix: 1 to 100 characters");
    return properties_check(&options->properties, err) && registry_check(options, err) &&
           topic_pattern_check("topic", options->topic, err) &&
           topic_mapping_check(options->topic_mapping, err) &&
           header_check(options->custom_header, err) &&
           partition_columns_check(options->partition_columns, err) &&
           transactions_check(options, err) &&
           topic_pattern_check("ddl.topic", options->ddl_topic, err) &&
           topic_pattern_check("dead-letter.topic", options->dead_letter_topic, err);
}
