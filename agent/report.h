/* SPDX-License-Identifier: Apache-2.0
 *
 * What the running pipelines have to say, as texts: Prometheus, JSON, and whether all is well. */
#pragma once

#include "agent/running.h"
#include "engine/base/buf.h"

/* The text format of Prometheus, version 0.0.4. */
void report_metrics(const struct running_set *set, struct buf *out);
/* The document of /status; agent/status.c reads it. */
void report_status(const struct running_set *set, struct buf *out);
/* "ok" or the reasons, a line each; true when every pipeline runs and none is in trouble. Parked
 * tables are told and do not count: the others go on. */
bool report_health(const struct running_set *set, struct buf *out);
