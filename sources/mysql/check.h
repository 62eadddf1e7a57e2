/* SPDX-License-Identifier: Apache-2.0
 *
 * `millrace check` for MySQL and MariaDB. */
#pragma once

#include "engine/source.h"

bool mysql_check(const void *options, const struct table_filter *filter, struct findings *findings,
                 struct error *err);
