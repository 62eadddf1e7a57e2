/* SPDX-License-Identifier: Apache-2.0
 *
 * The list of sinks: the only place that knows them all. A driver is one visible symbol. */
#pragma once

#include "engine/sink.h"

extern const struct sink_driver *const sink_drivers[]; /* ends with NULL */

/* The driver that `type:` names in a config; NULL when there is none. */
const struct sink_driver *sink_find(struct bytes name);
