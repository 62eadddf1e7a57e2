/* SPDX-License-Identifier: Apache-2.0
 *
 * The topics that a sync will write to: are they there or can be made, and do they take messages as
 * large as ours may be? Nothing is made. */
#pragma once

#include "engine/sink.h"
#include "sinks/kafka/client.h"

void check_topics(struct kafka_client *admin, const struct check_target *targets, size_t count,
                  struct findings *findings);
