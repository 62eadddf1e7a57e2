/* SPDX-License-Identifier: Apache-2.0
 *
 * The visible symbol of each driver, for the list in sinks.c. */
#pragma once

#include "engine/sink.h"

extern const struct sink_driver sink_clickhouse;
extern const struct sink_driver sink_kafka;
extern const struct sink_driver sink_stdout;
extern const struct sink_driver sink_blackhole;
