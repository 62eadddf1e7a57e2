/* SPDX-License-Identifier: Apache-2.0
 *
 * The checkpoints of a config's sinks as text, for people, for programs, and for moving: JSON
 * lines.
 *   {"millrace-checkpoint":1,"pipeline":...}             the first line
 *   {"record":"sink","name":...,"identity":...}           then what belongs to it, until the next:
 *   {"record":"position"|"table"|"state"|"range"|"intent"|"target",...}
 *   {"record":"end","records":N,"crc32":"..."}            of all bytes before this line
 * Marks are texts "commit:row". Bytes that are no plain text are {"hex":"..."}, absent ones null.
 * Every field of every record is there, so that what is read back is the same checkpoint. It holds
 * names, types, positions and key values of rows; nothing of the config, so no secret. */
#pragma once

#include "engine/base/buf.h"
#include "engine/checkpoint.h"

enum { EXPORT_FORMAT = 1, EXPORT_SINKS_MAX = 16 };

struct export
{
    struct buf *out;
    uint64_t records;
    bool bare; /* records alone, separated by commas: a part of a larger document */
};

void export_begin(struct export *export, struct bytes pipeline);
/* `shown`: the position as its driver describes it, for people; not read back. */
void export_sink(struct export *export, struct bytes name, const struct checkpoint_image *image,
                 struct bytes shown);
void export_end(struct export *export);

struct imported {
    struct arena arena;
    struct bytes pipeline;
    struct imported_sink {
        struct bytes name;
        struct checkpoint_image image; /* its arena is not used */
    } sinks[EXPORT_SINKS_MAX];
    uint32_t count;
};

/* ERROR_CONFIG names the line, and what is wrong there. `out` may be given to import_done in any
 * case. */
bool import_read(struct bytes text, struct imported *out, struct error *err);
void import_done(struct imported *imported);
