/* SPDX-License-Identifier: Apache-2.0
 *
 * MariaDB's binlog states. They are as many entries as servers ever wrote: a list is enough. */
#include "sources/mysql/gtid_state.h"

#include <stdlib.h>

#include "engine/base/memory.h"

void gtid_state_done(struct gtid_state *state)
{
    free(state->items);
    *state = (struct gtid_state){ 0 };
}

static struct gtid *find(const struct gtid_state *state, const struct gtid *gtid)
{
    for (size_t i = 0; i < state->count; i++)
        if (state->items[i].domain == gtid->domain && state->items[i].server == gtid->server)
            return &state->items[i];
    return NULL;
}

void gtid_state_note(struct gtid_state *state, const struct gtid *gtid)
{
    struct gtid *known = find(state, gtid);
    if (!known) {
        state->items =
            memory_grow(state->items, state->count, &state->capacity, sizeof *state->items);
        known = &state->items[state->count++];
        *known = *gtid;
    }
    if (gtid->number > known->number)
        known->number = gtid->number;
}

bool gtid_state_parse(struct gtid_state *state, struct bytes text, struct error *err)
{
    if (text.size > 1 && text.data[0] == '[' && text.data[text.size - 1] == ']')
        text = (struct bytes){ text.data + 1, text.size - 2 };
    while (text.size > 0) {
        const uint8_t *comma = memchr(text.data, ',', text.size);
        size_t size = comma ? (size_t)(comma - text.data) : text.size;
        struct gtid_set one = { 0 };
        bool ok = gtid_set_parse(&one, (struct bytes){ text.data, size }, err);
        if (ok && one.count == 1) {
            struct gtid gtid = one.sources[0].id;
            gtid.number = one.sources[0].intervals[0].last;
            gtid_state_note(state, &gtid);
        }
        gtid_set_done(&one);
        if (!ok)
            return false;
        size += comma != NULL;
        text = (struct bytes){ text.data + size, text.size - size };
    }
    return true;
}

uint64_t gtid_state_last(const struct gtid_state *state, const struct gtid *gtid)
{
    const struct gtid *known = find(state, gtid);
    return known ? known->number : 0;
}

void gtid_state_text(const struct gtid_state *state, struct buf *out)
{
    for (size_t i = 0; i < state->count; i++) {
        if (i > 0)
            buf_u8(out, ',');
        gtid_text(&state->items[i], out);
    }
}
