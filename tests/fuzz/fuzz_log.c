/* SPDX-License-Identifier: Apache-2.0
 *
 * Input: u8 (odd: MariaDB; 2: events end with a checksum), then events: u16 size and its bytes, as
 * they come in packets. They are read to the end, or to the first error. */
#include "engine/base/assert.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/scripted_log.h"

enum { HEADER = 19, READS_MAX = 10000 };

static volatile uint64_t touched; /* keeps the compiler from leaving the values out */

static void touch(const struct batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct event *event = &batch->events[i];
        if (event->op == EVENT_SCHEMA)
            touched += event->change->sql.size;
        else
            touched += (event->before ? event->before[0].natural : 0) +
                       (event->after ? event->after[0].natural : 0);
        ASSERT(i == 0 || event->mark > batch->events[i - 1].mark);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct log_lab lab;
    struct error err = { 0 };
    struct reader in = reader_of((struct bytes){ data, size });
    uint8_t flags = reader_u8(&in);
    lab_open(&lab, flags & 1);
    lab.log->checksums = flags & 2;
    while (in.rest.size > 0 && !in.failed)
        lab_packet(reader_take(&in, (size_t)reader_le(&in, 2)));
    for (unsigned i = 0; i < READS_MAX; i++) {
        bool waits = lab.log->has_waiting || lab.log->payload_active || lab.log->cursor_active ||
                     lab.log->replay || lab.log->refused;
        if (lab_is_empty() && !waits)
            break;
        if (!lab_read(&lab, &err)) {
            ASSERT(err.message[0]);
            break;
        }
        touch(&lab.batch);
    }
    lab_close(&lab);
    return 0;
}
