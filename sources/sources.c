/* SPDX-License-Identifier: Apache-2.0
 *
 * One array: what is not in it is not there. */
#include "sources/sources.h"

const struct source_driver *const source_drivers[] = { &mysql_source, &mariadb_source,
                                                       &postgres_source, NULL };

const struct source_driver *source_driver_find(const char *name)
{
    for (const struct source_driver *const *driver = source_drivers; *driver; driver++)
        if (strcmp((*driver)->name, name) == 0)
            return *driver;
    return NULL;
}
