/* SPDX-License-Identifier: Apache-2.0
 *
 * Topics: their names from the user's pattern, and their making. */
#pragma once

#include "sinks/kafka/client.h"

struct target;
struct table;

enum { TOPIC_NAME_MAX = 249 };

/* ERROR_CONFIG for a placeholder that is not known or a character that no topic has. */
/* ERROR_CONFIG: not a list of database.table:topic. */
bool topic_mapping_check(struct bytes mapping, struct error *err);
bool topic_pattern_check(const char *setting, struct bytes pattern, struct error *err);

/* Appends the topic of a target. Characters that no topic may have become '_'. */
void topic_name(const struct kafka_options *options, const struct target *target,
                const struct table *table, struct buf *out);
/* Where transactions are told to begin and end. */
void topic_of_boundaries(const struct kafka_options *options, struct buf *out);
/* The same for a pattern of its own. */
void topic_name_by(struct bytes pattern, const struct target *target, const struct table *table,
                   struct buf *out);

/* Asks whether the topics of these names, at least one, could be made, and makes none. *refused of
 * them cannot, the first as *why says. false: the brokers did not answer. */
bool topics_try(struct kafka_client *client, const char *const *names, size_t count,
                size_t *refused, struct error *why, struct error *err);
/* Makes the topic when it is missing and that is wanted; `partitions` 0: as the options say. Then
 * waits until the brokers know it. */
bool topic_ensure(struct kafka_client *client, const char *name, int partitions, struct error *err);
