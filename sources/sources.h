/* SPDX-License-Identifier: Apache-2.0
 *
 * The source drivers that there are. */
#pragma once

#include "engine/source.h"

extern const struct source_driver mysql_source, mariadb_source, postgres_source;
extern const struct source_driver *const source_drivers[];        /* ends with NULL */
const struct source_driver *source_driver_find(const char *name); /* NULL: there is none */
