/* SPDX-License-Identifier: Apache-2.0
 *
 * The list of sinks. A new driver is a line here and a line in meson.build. */
#include "sinks/sinks.h"

#include "sinks/drivers.h"

const struct sink_driver *const sink_drivers[] = {
    &sink_clickhouse, &sink_kafka, &sink_stdout, &sink_blackhole, NULL,
};

const struct sink_driver *sink_find(struct bytes name)
{
    for (const struct sink_driver *const *driver = sink_drivers; *driver; driver++)
        if (bytes_is(name, (*driver)->name))
            return *driver;
    return NULL;
}
