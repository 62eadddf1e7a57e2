/* SPDX-License-Identifier: Apache-2.0
 *
 * One row a word, or a prefix where the name ends in a dot. */
#include "config/flink.h"

#include "engine/base/assert.h"

static const char jvm[] = "there is no JVM, JDBC driver or Debezium inside";
static const char chunks[] = "chunks are read by keyset walks, which need no tuning";
static const char workers[] = "see snapshot.parallelism and sink.parallelism";

static const struct ignored {
    enum flink_part part;
    const char *name, *why;
} ignored[] = {
    { FLINK_SOURCE, "debezium.", jvm },
    { FLINK_SOURCE, "jdbc.properties.", jvm },
    { FLINK_SOURCE, "server-time-zone", "TIMESTAMP is read in UTC, DATETIME has no zone" },
    { FLINK_SOURCE, "chunk-meta.group.size", chunks },
    { FLINK_SOURCE, "chunk-key.even-distribution.factor.upper-bound", chunks },
    { FLINK_SOURCE, "chunk-key.even-distribution.factor.lower-bound", chunks },
    { FLINK_SOURCE, "scan.incremental.snapshot.chunk.key-column", chunks },
    { FLINK_SOURCE, "scan.incremental.snapshot.unbounded-chunk-first.enabled", chunks },
    { FLINK_SOURCE, "scan.incremental.snapshot.backfill.skip",
      "each chunk knows which changes it holds, nothing is read twice" },
    { FLINK_SOURCE, "scan.incremental.close-idle-reader.enabled", "readers end with the snapshot" },
    { FLINK_SOURCE, "scan.newly-added-table.enabled",
      "a table that newly matches is always captured" },
    { FLINK_SOURCE, "scan.binlog.newly-added-table.enabled",
      "a table that newly matches is always captured" },
    { FLINK_SOURCE, "scan.parse.online.schema.changes.enabled",
      "renames of online schema change tools are followed as renames" },
    { FLINK_SOURCE, "scan.startup.specific-offset.skip-events",
      "a position is always at a transaction's boundary" },
    { FLINK_SOURCE, "scan.startup.specific-offset.skip-rows",
      "a position is always at a transaction's boundary" },
    { FLINK_SOURCE, "scan.snapshot.fetch.size", "rows are read as a stream" },
    { FLINK_SOURCE, "decoding.plugin.name", "the plugin is pgoutput, which every server has" },
    { FLINK_SOURCE, "scan.lsn-commit.checkpoints-num-delay",
      "a position is confirmed once it is durable in the sink" },
    { FLINK_SOURCE, "scan.include-partitioned-tables.enabled",
      "a partitioned table is always read as one" },
    { FLINK_SOURCE, "table-id.include-database",
      "without a route a table goes to the database named as its schema" },
    { FLINK_SOURCE, "use.legacy.json.format", "JSON is written as MySQL writes it" },
    { FLINK_SOURCE, "metadata.list", "there is no transform that could use it" },
    { FLINK_SOURCE, "connect.max-retries", "see restart-strategy in the pipeline section" },
    { FLINK_SOURCE, "connection.pool.size", "a reader has one connection" },
    { FLINK_SINK, "sink.delivery-guarantee", "delivery is always exactly once" },
    { FLINK_SINK, "sink.label-prefix", "labels are unique by themselves" },
    { FLINK_SINK, "sink.max-retries", "see restart-strategy in the pipeline section" },
    { FLINK_ROUTE, "description", "" },
    { FLINK_PIPELINE, "parallelism", workers },
    { FLINK_PIPELINE, "sink.partitioning.strategy", workers },
    { FLINK_PIPELINE, "local-time-zone", "times are carried as they are, without a zone of ours" },
    { FLINK_PIPELINE, "execution.runtime-mode", "see the commands run and backfill" },
    { FLINK_PIPELINE, "route-mode", "of several rules the first that matches a table decides" },
    { FLINK_PIPELINE, "operator.uid.prefix", "there are no operators" },
    { FLINK_PIPELINE, "schema.operator.uid", "there are no operators" },
    { FLINK_PIPELINE, "schema-operator.rpc-timeout", "there are no operators" },
    { FLINK_PIPELINE, "user-defined-function", "there is no transform that could use it" },
    { FLINK_PIPELINE, "transform.", "there is no transform that could use it" },
    { FLINK_PIPELINE, "model", "there is no transform that could use it" },
};

static bool is_word(struct bytes key, const char *name)
{
    size_t size = strlen(name);
    if (name[size - 1] == '.')
        return key.size > size && memcmp(key.data, name, size) == 0;
    return bytes_is(key, name);
}

const char *flink_ignored(enum flink_part part, struct bytes key)
{
    for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
        if (ignored[i].part == part && is_word(key, ignored[i].name))
            return ignored[i].why;
    return NULL;
}
