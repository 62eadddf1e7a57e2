/* SPDX-License-Identifier: Apache-2.0 */
#include "sinks/clickhouse/options.h"

#include "engine/base/assert.h"

#define FIELD(name) SETTING_FIELD(clickhouse_options, name)

static const char *const compressions[] = { "lz4", "zstd", "none", NULL };
static const char *const verifications[] = { "full", "none", NULL };
static const char *const zero_date_modes[] = { "null", "epoch", "fail", NULL };
static const char *const array_null_modes[] = { "park", "empty", NULL };
static const char *const out_of_range_modes[] = { "clamp", "null", "fail", NULL };

const struct setting clickhouse_settings[] = {
    { .name = "url",
      .type = SETTING_LIST,
      .offset = FIELD(urls),
      .default_text = NULL,
      .help = "HTTP address, e.g. http://127.0.0.1:8123; several are replicas, tried in order." },
    { .name = "username",
      .type = SETTING_TEXT,
      .offset = FIELD(username),
      .default_text = "default",
      .help = "User of the ClickHouse server." },
    { .name = "password",
      .type = SETTING_SECRET,
      .offset = FIELD(password),
      .default_text = "",
      .help = "Its password; sent in a header, never in an address." },
    { .name = "cluster",
      .type = SETTING_TEXT,
      .offset = FIELD(cluster),
      .default_text = "",
      .help = "Runs DDL ON CLUSTER of this name; leave it out in a Replicated database." },
    { .name = "table.create.replicated",
      .type = SETTING_BOOL,
      .offset = FIELD(replicated),
      .default_text = "false",
      .help = "Creates Replicated*MergeTree tables, at the server's default path." },
    { .name = "table.create.order-by",
      .type = SETTING_LIST,
      .offset = FIELD(order_by),
      .default_text = "",
      .help = "Columns that come first in ORDER BY, where they are in a table's key; a table "
              "without a key is sorted by those it has and that are never NULL." },
    { .name = "table.create.partition-by",
      .type = SETTING_TEXT,
      .offset = FIELD(partition_by),
      .default_text = "",
      .help = "PARTITION BY expression of tables with a key; over columns of the key only, or old "
              "and new row of an UPDATE may part, and only FINAL brings them together." },
    { .name = "table.create.final-view",
      .type = SETTING_BOOL,
      .offset = FIELD(final_view),
      .default_text = "false",
      .help = "Makes a view <table>_final beside each table with a key: its rows as of now." },
    { .name = "table.create.properties.",
      .type = SETTING_PAIRS,
      .offset = FIELD(table_properties),
      .default_text = "",
      .help = "Further SETTINGS of CREATE TABLE." },
    { .name = "sink.properties.",
      .type = SETTING_PAIRS,
      .offset = FIELD(insert_properties),
      .default_text = "",
      .help = "Further query settings of each INSERT, e.g. insert_quorum." },
    { .name = "compression",
      .type = SETTING_CHOICE,
      .offset = FIELD(compression),
      .default_text = "lz4",
      .choices = compressions,
      .help = "Of what is sent." },
    { .name = "ssl.ca",
      .type = SETTING_TEXT,
      .offset = FIELD(tls_ca),
      .default_text = "",
      .help = "File of the authorities that https servers are checked against." },
    { .name = "ssl.cert",
      .type = SETTING_TEXT,
      .offset = FIELD(tls_cert),
      .default_text = "",
      .help = "File of our certificate, for servers that ask for one." },
    { .name = "ssl.key",
      .type = SETTING_TEXT,
      .offset = FIELD(tls_key),
      .default_text = "",
      .help = "File of its key." },
    { .name = "ssl.verify",
      .type = SETTING_CHOICE,
      .offset = FIELD(tls_verify),
      .default_text = "full",
      .choices = verifications,
      .help = "full: the certificate and its name are checked; none: neither." },
    { .name = "connect.timeout",
      .type = SETTING_DURATION,
      .offset = FIELD(connect_timeout_ms),
      .default_text = "10s",
      .minimum = 1,
      .maximum = 3600000,
      .help = "For a connection." },
    { .name = "request.timeout",
      .type = SETTING_DURATION,
      .offset = FIELD(request_timeout_ms),
      .default_text = "5min",
      .minimum = 100,
      .maximum = 86400000,
      .help = "For an INSERT or a query; changes of tables may take as long as they need." },
    { .name = "zero-date.handling.mode",
      .type = SETTING_CHOICE,
      .offset = FIELD(zero_date),
      .default_text = "null",
      .choices = zero_date_modes,
      .help = "A date no calendar holds (0000-00-00): null (1970-01-01 where the column takes no "
              "NULL), epoch, or fail. Counted; a date of a key always fails." },
    { .name = "out-of-range.handling.mode",
      .type = SETTING_CHOICE,
      .offset = FIELD(out_of_range),
      .default_text = "clamp",
      .choices = out_of_range_modes,
      .help = "A date that the server cannot hold: clamp to the nearest, null, or fail. Counted; a "
              "date of a key always fails." },
    { .name = "array.null",
      .type = SETTING_CHOICE,
      .offset = FIELD(array_null),
      .default_text = "park",
      .choices = array_null_modes,
      .help = "A NULL in place of a whole array, which ClickHouse's Array cannot be (array.mode: "
              "array of a PostgreSQL source): park the table, or empty, an empty array." },
    { .name = NULL },
};

static bool word_is_plain(struct bytes word)
{
    for (size_t i = 0; i < word.size; i++) {
        uint8_t c = word.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_'))
            return false;
    }
    return word.size > 0;
}

static bool text_has_control(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < ' ')
            return true;
    return false;
}

/* The address is not printed where it may hold a password. */
static bool url_check(struct bytes url, struct error *err)
{
    bool http = url.size > 7 && memcmp(url.data, "http://", 7) == 0;
    bool https = url.size > 8 && memcmp(url.data, "https://", 8) == 0;
    if ((!http && !https) || text_has_control(url))
        return error_set(err, ERROR_CONFIG, "url: an address begins with http:// or https://");
    if (memchr(url.data, '@', url.size))
        return error_set(err, ERROR_CONFIG,
                         "url: put the user and password into 'username' and 'password'");
    if (memchr(url.data, '?', url.size) || memchr(url.data, '#', url.size))
        return error_set(err, ERROR_CONFIG,
                         "url: put query settings into 'sink.properties.<name>'");
    return true;
}

static bool pairs_check(const struct setting_pairs *pairs, const char *what, struct error *err)
{
    for (size_t i = 0; i < pairs->count; i++)
        if (!word_is_plain(pairs->items[i].key))
            return error_set(err, ERROR_CONFIG, "%s%.*s: not the name of a setting", what,
                             BYTES_ARGS(pairs->items[i].key));
    return true;
}

/* These carry the promise of exactly once: no property may take them back. */
static bool reserved_check(const struct setting_pairs *pairs, struct error *err)
{
    static const char *const reserved[] = { "async_insert",
                                            "insert_deduplicate",
                                            "deduplicate_insert",
                                            "insert_deduplication_token",
                                            "wait_end_of_query",
                                            "query",
                                            "query_id",
                                            "user",
                                            "password",
                                            "database",
                                            "decompress",
                                            "input_format_null_as_default",
                                            "insert_distributed_sync",
                                            "session_id" };
    for (size_t i = 0; i < pairs->count; i++)
        for (size_t k = 0; k < ARRAY_SIZE(reserved); k++)
            if (bytes_is(pairs->items[i].key, reserved[k]))
                return error_set(err, ERROR_CONFIG, "sink.properties.%s: is set by the sink itself",
                                 reserved[k]);
    return true;
}

bool clickhouse_options_check(const struct clickhouse_options *options, struct error *err)
{
    if (options->urls.count == 0)
        return error_set(err, ERROR_CONFIG, "url: give the address of a ClickHouse server");
    for (size_t i = 0; i < options->urls.count; i++)
        if (!url_check(options->urls.items[i], err))
            return false;
    if (text_has_control(options->username) || text_has_control(options->password))
        return error_set(err, ERROR_CONFIG,
                         "username, password: a line break or control character");
    return pairs_check(&options->table_properties, "table.create.properties.", err) &&
           pairs_check(&options->insert_properties, "sink.properties.", err) &&
           reserved_check(&options->insert_properties, err);
}
