/* SPDX-License-Identifier: Apache-2.0
 *
 * Prepared branches of XA transactions. Their rows stand in the log before XA COMMIT, with other
 * groups between, so they are kept (as raw events, small ones in memory) and given when the commit
 * comes, under the commit's own mark. While a branch is pending the position handed out stays
 * before the group that prepared it: a restart reads it again. */
#include "sources/mysql/log.h"

#include "engine/base/parse.h"

static const uint64_t branch_bytes_max = UINT64_C(64) << 30; /* the disk is full long before */

static void branch_free(struct xa_branch *branch)
{
    if (!branch)
        return;
    spill_done(&branch->events);
    struct arena arena = branch->arena; /* which holds the branch itself */
    arena_done(&arena);
}

void xa_forget(struct log_source *self)
{
    for (struct xa_branch *branch = self->branches, *next; branch; branch = next) {
        next = branch->next;
        branch_free(branch);
    }
    branch_free(self->branch);
    branch_free(self->replay);
    self->branches = self->branch = self->replay = NULL;
}

void xa_start(struct log_source *self)
{
    branch_free(self->branch);
    struct arena arena = { 0 };
    struct xa_branch *branch = arena_zalloc(&arena, sizeof *branch);
    struct buf position;
    buf_init(&position, 64 << 20);
    log_put_group_token(self, &position);
    branch->position = arena_copy(&arena, buf_view(&position));
    branch->position_mark = self->group_mark;
    branch->arena = arena;
    buf_done(&position);
    spill_init(&branch->events, (size_t)self->options->transaction_memory, branch_bytes_max);
    self->branch = branch;
}

bool xa_keep(struct log_source *self, struct bytes event, struct error *err)
{
    return spill_add(&self->branch->events, event, err) ||
           error_context(err, "a prepared transaction");
}

/* u8 one phase, u32 format, u32 size of gtrid, u32 size of bqual, both. */
bool xa_prepared(struct log_source *self, struct bytes body, bool *one_phase, struct error *err)
{
    struct reader in = reader_of(body);
    *one_phase = reader_u8(&in) != 0;
    uint32_t format = (uint32_t)reader_le(&in, 4);
    size_t gtrid = (size_t)reader_le(&in, 4), bqual = (size_t)reader_le(&in, 4);
    struct bytes data = reader_take(&in, gtrid + bqual);
    if (in.failed || (!self->branch && !*one_phase))
        return error_set(err, ERROR_RETRY, "a malformed XA_PREPARE event");
    if (*one_phase)
        return true; /* committed with this event */
    struct buf xid;
    buf_init(&xid, 1024);
    buf_le(&xid, format, 4);
    buf_u8(&xid, (uint8_t)gtrid);
    buf_bytes(&xid, data);
    self->branch->xid = arena_copy(&self->branch->arena, buf_view(&xid));
    buf_done(&xid);
    struct xa_branch **end = &self->branches;
    while (*end)
        end = &(*end)->next;
    *end = self->branch;
    self->branch = NULL;
    return true;
}

void xa_commit_now(struct log_source *self)
{
    self->replay = self->branch;
    self->branch = NULL;
}

/* X'6162' */
static bool take_hex(struct reader *in, struct buf *out)
{
    while (in->rest.size && in->rest.data[0] == ' ')
        reader_u8(in);
    if ((reader_u8(in) | 32) != 'x' || reader_u8(in) != '\'')
        return false;
    for (;;) {
        uint8_t first = reader_u8(in);
        if (first == '\'')
            return true;
        int high = parse_hex_digit(first), low = parse_hex_digit(reader_u8(in));
        if (in->failed || high < 0 || low < 0)
            return false;
        buf_u8(out, (uint8_t)(high << 4 | low));
    }
}

/* XA COMMIT X'gtrid',X'bqual',format, as the server writes it. */
static bool parse_xid(struct bytes text, struct buf *xid)
{
    struct buf gtrid, bqual;
    buf_init(&gtrid, 64);
    buf_init(&bqual, 64);
    struct reader in = reader_of(text);
    bool ok = take_hex(&in, &gtrid) && reader_u8(&in) == ',' && take_hex(&in, &bqual) &&
              reader_u8(&in) == ',';
    uint32_t format = 0;
    while (ok && in.rest.size && in.rest.data[0] >= '0' && in.rest.data[0] <= '9')
        format = format * 10 + (uint32_t)(reader_u8(&in) - '0');
    buf_le(xid, format, 4);
    buf_u8(xid, (uint8_t)gtrid.size);
    buf_bytes(xid, buf_view(&gtrid));
    buf_bytes(xid, buf_view(&bqual));
    buf_done(&gtrid);
    buf_done(&bqual);
    return ok;
}

static struct xa_branch *take_branch(struct log_source *self, struct bytes xid)
{
    for (struct xa_branch **link = &self->branches; *link; link = &(*link)->next)
        if (bytes_equal((*link)->xid, xid)) {
            struct xa_branch *branch = *link;
            *link = branch->next;
            branch->next = NULL;
            return branch;
        }
    return NULL;
}

static bool starts(struct bytes *sql, const char *word)
{
    size_t size = strlen(word);
    if (sql->size < size || strncasecmp((const char *)sql->data, word, size) != 0)
        return false;
    *sql = (struct bytes){ sql->data + size, sql->size - size };
    return true;
}

bool xa_statement(struct log_source *self, struct bytes sql)
{
    if (starts(&sql, "XA START")) {
        self->bounded = true;
        xa_start(self);
        return true;
    }
    if (starts(&sql, "XA END"))
        return true;
    bool commit = starts(&sql, "XA COMMIT");
    if (!commit && !starts(&sql, "XA ROLLBACK"))
        return false;
    struct buf xid;
    buf_init(&xid, 1024);
    struct xa_branch *branch = parse_xid(sql, &xid) ? take_branch(self, buf_view(&xid)) : NULL;
    buf_done(&xid);
    if (commit && branch) {
        self->replay = branch; /* its rows come in this group, which ends after them */
        return true;
    }
    branch_free(branch);
    log_end_group(self);
    return true;
}

bool xa_replay(struct log_source *self, struct batch *batch, struct error *err)
{
    bool end, again = false;
    if (!spill_next(&self->replay->events, &self->replay_event, &end, err))
        return error_context(err, "a prepared transaction");
    if (end) {
        branch_free(self->replay);
        self->replay = NULL;
        log_forget_tables(self);
        log_end_group(self);
        return true;
    }
    if (!log_handle(self, batch, buf_view(&self->replay_event), true, &again, err))
        return false;
    if (again)
        spill_back(&self->replay->events);
    return true;
}
