/* SPDX-License-Identifier: Apache-2.0
 *
 * What MariaDB calls a binlog state: the last number that each server wrote in each domain, as in
 * @@gtid_binlog_state, "0-101-77,0-102-40". A position names the last server of a domain alone; the
 * state tells of all of them, so two logs can be compared. */
#pragma once

#include "engine/base/buf.h"
#include "sources/mysql/gtid_set.h"

struct gtid_state {
    struct gtid *items; /* one a domain and server */
    size_t count, capacity;
};

/* A zeroed state is empty. */
void gtid_state_done(struct gtid_state *state);
void gtid_state_note(struct gtid_state *state, const struct gtid *gtid);
/* Brackets around the list, as SHOW BINLOG EVENTS prints it, are passed over. */
bool gtid_state_parse(struct gtid_state *state, struct bytes text, struct error *err);
/* The last number of this one's domain and server; 0: it wrote none. */
uint64_t gtid_state_last(const struct gtid_state *state, const struct gtid *gtid);
void gtid_state_text(const struct gtid_state *state, struct buf *out);
