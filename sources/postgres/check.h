/* SPDX-License-Identifier: Apache-2.0
 *
 * `millrace check` for PostgreSQL. */
#pragma once

#include "engine/source.h"

bool postgres_check(const void *options, const struct table_filter *filter,
                    struct findings *findings, struct error *err);
