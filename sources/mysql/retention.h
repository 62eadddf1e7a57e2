/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "engine/source.h"

/* struct source_driver's retention(). */
bool mysql_retention(const void *options, struct bytes token, int64_t age_ms,
                     struct retention *out, struct error *err);
