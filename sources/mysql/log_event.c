/* SPDX-License-Identifier: Apache-2.0
 *
 * Events of the log, one after the other: what each type means for the transaction under way.
 *
 *   packet  := 00, event                     (fe and less than 9 bytes: the end, non-blocking dump)
 *   event   := header, body, [crc32]
 *   header  := u32 time, u8 type, u32 server id, u32 size, u32 end position, u16 flags
 *
 * A group begins with GTID, ANONYMOUS or MariaDB's GTID and ends with XID, QUERY COMMIT or
 * XA_PREPARE, or with the one statement of a standalone group. Positions are handed out at group
 * boundaries only. Checksums are cut off and not verified: TCP and TLS carry the bytes, and each
 * value is bounds-checked. Sources: MySQL's "Replication Protocol" and libbinlogevents pages;
 * MariaDB's "2-Binlog Event Header" and following. */
#include "sources/mysql/log.h"
#include "sources/mysql/packed.h"

enum {
    HEADER_SIZE = 19,
    FLAG_ARTIFICIAL = 0x20,
    FLAG_IGNORABLE = 0x80,
    BYTES_AT_ONCE_MAX = 16 << 20
};

enum binlog_type {
    QUERY_EVENT = 2,
    STOP_EVENT = 3,
    ROTATE_EVENT = 4,
    INTVAR_EVENT = 5,
    RAND_EVENT = 13,
    USER_VAR_EVENT = 14,
    FORMAT_DESCRIPTION_EVENT = 15,
    XID_EVENT = 16,
    BEGIN_LOAD_QUERY_EVENT = 17,
    EXECUTE_LOAD_QUERY_EVENT = 18,
    TABLE_MAP_EVENT = 19,
    WRITE_ROWS_V1 = 23,
    UPDATE_ROWS_V1 = 24,
    DELETE_ROWS_V1 = 25,
    INCIDENT_EVENT = 26,
    HEARTBEAT_EVENT = 27,
    IGNORABLE_EVENT = 28,
    ROWS_QUERY_EVENT = 29,
    WRITE_ROWS = 30,
    UPDATE_ROWS = 31,
    DELETE_ROWS = 32,
    GTID_EVENT = 33,
    ANONYMOUS_GTID_EVENT = 34,
    PREVIOUS_GTIDS_EVENT = 35,
    TRANSACTION_CONTEXT_EVENT = 36,
    VIEW_CHANGE_EVENT = 37,
    XA_PREPARE_EVENT = 38,
    PARTIAL_UPDATE_ROWS = 39,
    TRANSACTION_PAYLOAD_EVENT = 40,
    HEARTBEAT_V2_EVENT = 41,
    GTID_TAGGED_EVENT = 42,
    ANNOTATE_ROWS_EVENT = 160,
    BINLOG_CHECKPOINT_EVENT = 161,
    MARIADB_GTID_EVENT = 162,
    GTID_LIST_EVENT = 163,
    START_ENCRYPTION_EVENT = 164,
    QUERY_COMPRESSED_EVENT = 165,
    WRITE_ROWS_COMPRESSED_V1 = 166,
    DELETE_ROWS_COMPRESSED = 171,
    PARTIAL_ROW_DATA_EVENT = 172,
};

/* ---- groups ---- */

/* A token has a set only where we go on by it: one that began at a file and an offset holds but a
 * part of what was executed. An empty set of MySQL's is told by the absence of a file. */
static void put_token(struct log_source *self, const char *file, uint64_t offset, struct buf *out)
{
    struct buf gtid, state;
    buf_init(&gtid, 64 << 20);
    buf_init(&state, 1 << 20);
    if (self->by_gtid)
        gtid_set_text(&self->executed, &gtid);
    gtid_state_text(&self->state, &state);
    bool nothing_yet = self->by_gtid && !self->mariadb && gtid.size == 0;
    struct token token = { .file = bytes_from(nothing_yet ? "" : file),
                           .offset = offset,
                           .gtid = buf_view(&gtid),
                           .server = bytes_from(self->server),
                           .created = self->created,
                           .state = buf_view(&state) };
    token_encode(&token, out);
    buf_done(&gtid);
    buf_done(&state);
}

void log_put_token(struct log_source *self, struct buf *out)
{
    put_token(self, self->file, self->offset, out);
}

void log_put_group_token(struct log_source *self, struct buf *out)
{
    put_token(self, self->start_file, self->start_offset, out);
}

void log_begin_group(struct log_source *self, const struct event_header *header,
                     const struct gtid *gtid)
{
    log_trim_tables(self);
    self->group_mark = mark_make(self->commit, MARK_ROW_LAST);
    self->commit++;
    self->row = self->told = 0;
    self->inside = true;
    self->announced = false;
    self->bounded = false;
    self->alter_pending = false;
    self->has_gtid = gtid != NULL;
    self->thread = 0;
    if (gtid)
        self->gtid = *gtid;
    memcpy(self->start_file, self->file, sizeof self->file);
    /* Groups that the server passes over leave our offset behind; 32 bits wrap in a large file. */
    uint32_t start = header->position - header->size;
    self->start_offset = header->position == 0 || start == (uint32_t)self->offset
                             ? self->offset
                             : (self->offset & ~(uint64_t)UINT32_MAX) | start;
    self->begin_offset = self->start_offset;
    self->skipping = (int64_t)header->time * 1000000 < self->skip_before_us;
}

void log_end_group(struct log_source *self)
{
    if (self->has_gtid)
        gtid_set_add(&self->executed, &self->gtid);
    if (self->has_gtid && self->mariadb)
        gtid_state_note(&self->state, &self->gtid);
    self->inside = false;
    self->has_gtid = false;
    self->skipping = false;
    self->moved = true;
}

/* A group that has an end of its own has come to it. */
static void finish_group(struct log_source *self)
{
    if (self->branch)
        xa_commit_now(self); /* ends after the branch's rows */
    else
        log_end_group(self);
}

/* Tells the batch to which transaction its events from `first` on belong. */
static void announce(struct log_source *self, struct batch *batch, uint32_t first)
{
    bool known = self->announced && batch->transaction_count > 0;
    if (known)
        return;
    struct transaction *transaction = batch_add_transaction(batch);
    transaction->first_event = first;
    transaction->continued = self->announced;
    self->announced = true;
    struct buf gtid, id;
    buf_init(&gtid, 256);
    buf_init(&id, 4096);
    if (self->has_gtid)
        gtid_text(&self->gtid, &gtid);
    struct token token = { .file = bytes_from(self->start_file),
                           .offset = self->start_offset,
                           .gtid = buf_view(&gtid) };
    token_encode(&token, &id);
    transaction->id = arena_copy(&batch->arena, buf_view(&id));
    self->origin_file = arena_copy(&batch->arena, bytes_from(self->start_file));
    self->origin_gtid =
        self->has_gtid ? arena_copy(&batch->arena, buf_view(&gtid)) : (struct bytes){ 0 };
    buf_done(&gtid);
    buf_done(&id);
}

/* Events from `from` on are new: they belong to the transaction under way. */
static void enter(struct log_source *self, struct batch *batch, uint32_t from)
{
    if (batch->count > from)
        announce(self, batch, from);
    log_stamp(self, batch, from);
}

/* ---- the plain events ---- */

bool log_malformed(struct log_source *self, const char *what, struct error *err)
{
    return error_set(err, ERROR_RETRY, "binlog %s:%llu: malformed %s event", self->file,
                     (unsigned long long)self->offset, what);
}

static bool on_rotate(struct log_source *self, struct bytes body, struct error *err)
{
    struct reader in = reader_of(body);
    uint64_t offset = reader_le(&in, 8);
    if (in.failed || in.rest.size == 0 || in.rest.size >= sizeof self->file)
        return log_malformed(self, "ROTATE", err);
    if (!bytes_is(in.rest, self->file))
        self->created = 0;
    memset(self->file, 0, sizeof self->file);
    memcpy(self->file, in.rest.data, in.rest.size);
    self->offset = offset;
    log_forget_tables(self);
    return true;
}

/* The checksum's algorithm is the byte before the last four, where the server knows checksums. */
static bool on_format(struct log_source *self, const struct event_header *header, struct bytes body,
                      struct error *err)
{
    if (body.size < 2 + 50 + 4 + 1 + 5)
        return log_malformed(self, "FORMAT_DESCRIPTION", err);
    self->checksums = body.data[body.size - 5] == 1;
    self->created = header->time;
    self->unanswered = false;
    log_forget_tables(self);
    return true;
}

static bool on_gtid(struct log_source *self, const struct event_header *header, struct bytes body,
                    struct error *err)
{
    struct reader in = reader_of(body);
    struct gtid gtid = { 0 };
    reader_u8(&in);
    struct bytes uuid = reader_take(&in, 16);
    if (uuid.size == 16)
        memcpy(gtid.uuid, uuid.data, 16);
    gtid.number = reader_le(&in, 8);
    if (in.failed)
        return log_malformed(self, "GTID", err);
    log_begin_group(self, header, header->type == GTID_EVENT ? &gtid : NULL);
    return true;
}

/* mysql::serialization: the trailing one-bits of the first byte say how many bytes follow. */
static uint64_t take_varlen(struct reader *in)
{
    uint8_t first = reader_u8(in);
    size_t extra = first == 0xff ? 8 : (size_t)__builtin_ctz((unsigned)(uint8_t)~first | 0x100u);
    uint64_t low = extra == 8 ? 0 : (uint64_t)first >> (extra + 1);
    uint64_t high = extra ? reader_le(in, extra) : 0;
    return extra == 8 ? high : low | high << (7 - extra);
}

/* Fields by id: 0 flags, 1 uuid (each byte a varlen), 2 number, 3 tag, then what we do not need. */
static bool on_gtid_tagged(struct log_source *self, const struct event_header *header,
                           struct bytes body, struct error *err)
{
    struct reader in = reader_of(body);
    struct gtid gtid = { 0 };
    take_varlen(&in); /* version */
    take_varlen(&in); /* size */
    take_varlen(&in); /* last field that must be known */
    for (uint64_t expected = 0; expected <= 3 && !in.failed; expected++) {
        uint64_t field = take_varlen(&in);
        if (field != expected)
            return log_malformed(self, "GTID_TAGGED", err);
        if (field == 0)
            take_varlen(&in);
        for (size_t i = 0; field == 1 && i < 16; i++)
            gtid.uuid[i] = (uint8_t)take_varlen(&in);
        if (field == 2)
            gtid.number = take_varlen(&in) >> 1; /* signed: zig-zag, never negative */
        if (field == 3) {
            struct bytes tag = reader_take(&in, (size_t)take_varlen(&in));
            if (in.failed || tag.size > GTID_TAG_MAX)
                return log_malformed(self, "GTID_TAGGED", err);
            memcpy(gtid.tag, tag.data, tag.size);
        }
    }
    if (in.failed)
        return log_malformed(self, "GTID_TAGGED", err);
    log_begin_group(self, header, &gtid);
    return true;
}

enum {
    MARIADB_STANDALONE = 1,
    MARIADB_GROUP_COMMIT = 2,
    MARIADB_PREPARED_XA = 0x40,
    MARIADB_COMPLETED_XA = 0x80
};
enum { MARIADB_EXTRA_ENGINES = 1, MARIADB_START_ALTER = 2, MARIADB_ROLLBACK_ALTER = 8 };

/* u64 number, u32 domain, u8 flags, [u64 group commit id], [xid: u32 format, u8, u8, both parts],
 * [u8 extra flags, ...]; short ones are filled up with zeros. */
static uint8_t mariadb_extra_flags(struct reader *in, uint8_t flags)
{
    if (flags & MARIADB_GROUP_COMMIT)
        reader_take(in, 8);
    if (flags & (MARIADB_PREPARED_XA | MARIADB_COMPLETED_XA)) {
        reader_take(in, 4);
        size_t gtrid = reader_u8(in), bqual = reader_u8(in);
        reader_take(in, gtrid + bqual);
    }
    return in->rest.size > 0 ? reader_u8(in) : 0;
}

static bool on_mariadb_gtid(struct log_source *self, const struct event_header *header,
                            struct bytes body, struct error *err)
{
    struct reader in = reader_of(body);
    struct gtid gtid = { .mariadb = true, .server = header->server };
    gtid.number = reader_le(&in, 8);
    gtid.domain = (uint32_t)reader_le(&in, 4);
    uint8_t flags = reader_u8(&in);
    if (in.failed)
        return log_malformed(self, "GTID", err);
    log_begin_group(self, header, &gtid);
    self->bounded = !(flags & MARIADB_STANDALONE);
    uint8_t extra = mariadb_extra_flags(&in, flags);
    /* A two-phase ALTER is logged twice, as it begins and as it ends: the second time counts. */
    self->alter_pending = extra & (MARIADB_START_ALTER | MARIADB_ROLLBACK_ALTER);
    if (in.failed)
        return log_malformed(self, "GTID", err);
    if (flags & MARIADB_PREPARED_XA)
        xa_start(self);
    return true;
}

static void move_to(struct log_source *self, uint64_t position)
{
    if (position == 0)
        return;
    /* 32 bits wrap in a file over 4 GiB. */
    uint64_t offset = (self->offset & ~(uint64_t)UINT32_MAX) | position;
    if (position <= UINT32_MAX && offset < self->offset && self->offset - offset > UINT32_MAX / 2)
        offset += (uint64_t)1 << 32;
    self->offset = offset;
    self->place_known = true;
}

static bool on_heartbeat(struct log_source *self, const struct event_header *header,
                         struct bytes body)
{
    uint64_t position = header->position;
    struct bytes file = body;
    if (header->type == HEARTBEAT_V2_EVENT) {
        struct reader in = reader_of(body);
        file = (struct bytes){ 0 };
        while (in.rest.size > 0 && !in.failed) {
            uint64_t tag = reader_u8(&in);
            uint64_t size = tag ? reader_u8(&in) : 0;
            struct bytes value = reader_take(&in, (size_t)size);
            if (tag == 1)
                file = value;
            if (tag == 2 && value.size > 0) {
                struct reader number = reader_of(value);
                position = reader_packed(&number);
            }
        }
    }
    if (self->inside || file.size == 0 || file.size >= sizeof self->file)
        return true;
    bool same = bytes_is(file, self->file);
    if (!same) {
        self->created = 0;
        memset(self->file, 0, sizeof self->file);
        memcpy(self->file, file.data, file.size);
    }
    if (!same || position > self->offset) {
        self->offset = position;
        self->moved = true;
    }
    self->place_known = true;
    return true;
}

/* ---- statements ---- */

static bool word_is(struct bytes sql, const char *word)
{
    size_t size = strlen(word);
    if (sql.size < size)
        return false;
    for (size_t i = 0; i < size; i++)
        if ((sql.data[i] & ~0x20) != (word[i] & ~0x20) && sql.data[i] != (uint8_t)word[i])
            return false;
    return true;
}

static bool on_query(struct log_source *self, struct batch *batch,
                     const struct event_header *header, struct bytes body, bool *again,
                     struct error *err)
{
    struct log_query query;
    uint32_t mariadb = self->mariadb ? connection_server(self->connection)->version : 0;
    if (!log_query_parse(body, header->type == EXECUTE_LOAD_QUERY_EVENT, mariadb, &query))
        return log_malformed(self, "QUERY", err);
    struct bytes sql = query.sql;
    if (!self->inside)
        log_begin_group(self, header, NULL); /* a log without GTIDs */
    self->thread = (uint64_t)body.data[0] | (uint64_t)body.data[1] << 8 |
                   (uint64_t)body.data[2] << 16 | (uint64_t)body.data[3] << 24;
    if (word_is(sql, "BEGIN") && sql.size <= 6) {
        self->bounded = true;
        self->begin_offset = self->event_offset;
        return true;
    }
    if (word_is(sql, "COMMIT") || (word_is(sql, "ROLLBACK") && sql.size <= 9)) {
        finish_group(self);
        return true;
    }
    if (word_is(sql, "SAVEPOINT") || word_is(sql, "ROLLBACK TO") || word_is(sql, "RELEASE"))
        return true;
    if (word_is(sql, "XA ") && xa_statement(self, sql))
        return true;
    bool passed_over = self->skipping || self->alter_pending;
    if (!passed_over && batch->count > 0 && log_statement_matters(self, &query)) {
        *again = true; /* it needs a batch of its own */
        return true;
    }
    uint32_t before = batch->count;
    if (!passed_over && !log_statement(self, batch, &query, (int64_t)header->time * 1000000, err))
        return false;
    enter(self, batch, before);
    if (!self->bounded) /* rows of CREATE TABLE ... SELECT may follow otherwise */
        log_end_group(self);
    return true;
}

/* ---- dispatch ---- */

static bool on_rows(struct log_source *self, struct batch *batch, struct event_header header,
                    struct bytes body, struct error *err)
{
    static const uint8_t plain[] = { WRITE_ROWS_V1, UPDATE_ROWS_V1, DELETE_ROWS_V1,
                                     WRITE_ROWS,    UPDATE_ROWS,    DELETE_ROWS };
    if (header.type >= WRITE_ROWS_COMPRESSED_V1 && header.type <= DELETE_ROWS_COMPRESSED) {
        if (!log_unpack(self, header.type, body, &body, err))
            return false;
        header.type = plain[header.type - WRITE_ROWS_COMPRESSED_V1];
    }
    if (self->skipping)
        return true;
    uint32_t before = batch->count;
    if (!log_rows(self, batch, &header, body, err))
        return false;
    enter(self, batch, before);
    return true;
}

static bool on_table_map(struct log_source *self, struct batch *batch,
                         const struct event_header *header, struct bytes body, bool *again,
                         struct error *err)
{
    uint32_t before = batch->count;
    if (!log_table_map(self, batch, body, (int64_t)header->time * 1000000, again, err))
        return false;
    enter(self, batch, before);
    if (!*again)
        log_keep_marks(self);
    return true;
}

static bool on_xa_prepare(struct log_source *self, struct bytes body, struct error *err)
{
    bool one_phase;
    if (!xa_prepared(self, body, &one_phase, err))
        return false;
    if (one_phase)
        finish_group(self);
    else
        log_end_group(self);
    return true;
}

bool log_is_rows(uint8_t type)
{
    return (type >= WRITE_ROWS_V1 && type <= DELETE_ROWS_V1) ||
           (type >= WRITE_ROWS && type <= DELETE_ROWS) || type == PARTIAL_UPDATE_ROWS ||
           (type >= WRITE_ROWS_COMPRESSED_V1 && type <= DELETE_ROWS_COMPRESSED);
}

/* Types that mean nothing to us, or nothing yet. */
static bool is_harmless(uint8_t type)
{
    switch (type) {
    case STOP_EVENT:
    case IGNORABLE_EVENT:
    case ROWS_QUERY_EVENT:
    case PREVIOUS_GTIDS_EVENT:
    case TRANSACTION_CONTEXT_EVENT:
    case VIEW_CHANGE_EVENT:
    case ANNOTATE_ROWS_EVENT:
    case BINLOG_CHECKPOINT_EVENT:
    case GTID_LIST_EVENT:
    case START_ENCRYPTION_EVENT:
    case INTVAR_EVENT:
    case RAND_EVENT:
    case USER_VAR_EVENT:
    case BEGIN_LOAD_QUERY_EVENT:
        return true;
    default:
        return false;
    }
}

static bool on_event(struct log_source *self, struct batch *batch,
                     const struct event_header *header, struct bytes body, bool *again,
                     struct error *err)
{
    switch (header->type) {
    case ROTATE_EVENT:
        return on_rotate(self, body, err);
    case GTID_EVENT:
    case ANONYMOUS_GTID_EVENT:
        return on_gtid(self, header, body, err);
    case GTID_TAGGED_EVENT:
        return on_gtid_tagged(self, header, body, err);
    case MARIADB_GTID_EVENT:
        return on_mariadb_gtid(self, header, body, err);
    case QUERY_EVENT:
    case EXECUTE_LOAD_QUERY_EVENT:
        return on_query(self, batch, header, body, again, err);
    case TABLE_MAP_EVENT:
        return on_table_map(self, batch, header, body, again, err);
    case XID_EVENT:
        finish_group(self);
        return true;
    case XA_PREPARE_EVENT:
        return on_xa_prepare(self, body, err);
    case TRANSACTION_PAYLOAD_EVENT:
        return log_open_payload(self, body, err);
    case HEARTBEAT_EVENT:
    case HEARTBEAT_V2_EVENT:
        return on_heartbeat(self, header, body);
    case QUERY_COMPRESSED_EVENT: {
        struct bytes plain;
        return log_unpack(self, header->type, body, &plain, err) &&
               on_query(self, batch, header, plain, again, err);
    }
    case INCIDENT_EVENT:
        return error_set(err, ERROR_LOST,
                         "binlog %s:%llu: the server says that it lost events (INCIDENT)",
                         self->file, (unsigned long long)self->offset);
    case PARTIAL_ROW_DATA_EVENT: {
        struct bytes whole;
        if (!log_join(self, body, &whole, err))
            return false;
        return whole.size == 0 || log_handle(self, batch, whole, true, again, err);
    }
    default:
        break;
    }
    if (log_is_rows(header->type))
        return on_rows(self, batch, *header, body, err);
    if (is_harmless(header->type) || header->flags & FLAG_IGNORABLE)
        return true;
    return error_set(err, ERROR_CONFIG,
                     "binlog %s:%llu: event type %u is not known to this "
                     "version: a newer millrace may know it",
                     self->file, (unsigned long long)self->offset, header->type);
}

static bool is_kept_for_xa(const struct log_source *self, uint8_t type)
{
    return self->branch && !self->replay && (type == TABLE_MAP_EVENT || log_is_rows(type));
}

/* One event. `inner`: from a payload or a kept branch, without checksum and position. *again: it
 * was not taken in, the batch must go first. */
bool log_handle(struct log_source *self, struct batch *batch, struct bytes event, bool inner,
                bool *again, struct error *err)
{
    struct reader in = reader_of(event);
    struct event_header header = { .time = (uint32_t)reader_le(&in, 4), .type = reader_u8(&in) };
    header.server = (uint32_t)reader_le(&in, 4);
    header.size = (uint32_t)reader_le(&in, 4);
    header.position = (uint32_t)reader_le(&in, 4);
    header.flags = (uint16_t)reader_le(&in, 2);
    if (in.failed)
        return log_malformed(self, "too short an", err);
    struct bytes body = in.rest;
    bool was_inside = self->inside;
    bool format = header.type == FORMAT_DESCRIPTION_EVENT;
    if (format && !on_format(self, &header, body, err))
        return false;
    if (!inner && self->checksums) {
        if (body.size < 4)
            return log_malformed(self, "too short an", err);
        body.size -= 4;
        event.size -= 4;
    }
    log_note_event(self, &header, inner);
    bool ok = format ? true
              : is_kept_for_xa(self, header.type)
                  ? xa_keep(self, event, err)
                  : on_event(self, batch, &header, body, again, err);
    bool heartbeat = header.type == HEARTBEAT_EVENT || header.type == HEARTBEAT_V2_EVENT;
    if (ok && !*again && !inner && !heartbeat && !(header.flags & FLAG_ARTIFICIAL) &&
        header.type != ROTATE_EVENT)
        move_to(self, header.position);
    if (ok && !inner && (was_inside || self->inside)) {
        memcpy(self->given_file, self->file, sizeof self->file);
        self->given_offset = self->offset;
    }
    return ok;
}

/* ---- reading ---- */

static bool next_packet(struct log_source *self, int timeout_ms, bool *none, struct bytes *event,
                        struct error *err)
{
    *none = false;
    if (!connection_wait(self->connection, timeout_ms)) {
        *none = !connection_is_silent(self->connection);
        return *none ||
               error_set(err, ERROR_RETRY, "nothing came from the server, not even a heartbeat");
    }
    struct bytes packet;
    if (!connection_packet(self->connection, &packet, err))
        return false;
    if (packet.size < 9 && packet.size > 0 && packet.data[0] == 0xfe)
        return error_set(err, ERROR_RETRY, "the server ended the dump");
    if (packet.size < 1 + HEADER_SIZE || packet.data[0] != 0)
        return log_malformed(self, "packet without an", err);
    *event = (struct bytes){ packet.data + 1, packet.size - 1 };
    return true;
}

/* Keeps an event that could not be taken in until the batch has gone. */
static void put_back(struct log_source *self, struct bytes event, bool inner)
{
    buf_reset(&self->waiting);
    buf_u8(&self->waiting, inner);
    buf_bytes(&self->waiting, event);
    self->has_waiting = true;
}

/* Where the batch ends, when that is between two groups. */
static void end_batch(struct log_source *self, struct batch *batch)
{
    if (self->inside || !self->moved)
        return;
    struct buf token;
    buf_init(&token, 64 << 20);
    uint64_t mark = mark_make(self->commit, MARK_ROW_LAST);
    if (self->branches) { /* a restart must read the oldest prepared branch again */
        buf_bytes(&token, self->branches->position);
        mark = self->branches->position_mark;
    } else {
        log_put_token(self, &token);
    }
    batch->end = (struct position){ mark, arena_copy(&batch->arena, buf_view(&token)) };
    self->moved = false;
    buf_done(&token);
}

static bool is_alone(const struct batch *batch)
{
    return batch->count > 0 && batch->events[0].op == EVENT_SCHEMA;
}

static bool step(struct log_source *self, struct batch *batch, int timeout_ms, bool *none,
                 struct error *err)
{
    bool inner = false, again = false;
    struct bytes event = { 0 };
    *none = false;
    if (self->cursor_active) {
        uint32_t before = batch->count;
        if (!log_rows_go_on(self, batch, err))
            return false;
        enter(self, batch, before);
        return true;
    }
    if (self->refused) {
        log_put_refusal(self, batch);
        enter(self, batch, 0);
        return true;
    }
    if (self->replay)
        return xa_replay(self, batch, err);
    if (self->has_waiting) {
        self->has_waiting = false;
        inner = self->waiting.data[0];
        event = (struct bytes){ self->waiting.data + 1, self->waiting.size - 1 };
        bool ok = log_handle(self, batch, event, inner, &again, err);
        self->has_waiting = again; /* a change of shape went before it */
        return ok;
    }
    if (self->payload_active) {
        inner = true;
        if (!log_next_inner(self, &event, err) || event.size == 0)
            return event.size == 0 && !self->payload_active;
    } else if (!next_packet(self, timeout_ms, none, &event, err) || *none) {
        return *none;
    }
    batch->bytes += event.size;
    if (!log_handle(self, batch, event, inner, &again, err))
        return false;
    if (again)
        put_back(self, event, inner);
    return true;
}

/* A batch ends between two groups where it can, for only there is a position: from half its size on
 * at the next boundary. What is filtered fills no batch, so the bytes count too. */
static bool is_time_to_return(const struct log_source *self, const struct batch *batch)
{
    if (batch_is_full(batch) || is_alone(batch) || batch->bytes >= BYTES_AT_ONCE_MAX)
        return true;
    if (self->has_waiting || self->refused)
        return batch->count > 0;
    return !self->inside && !self->cursor_active && self->moved &&
           (batch->count >= BATCH_EVENTS_MAX / 2 || batch->arena.total >= BATCH_BYTES_GOAL / 2 ||
            batch->bytes >= BYTES_AT_ONCE_MAX / 2);
}

bool log_read(struct log_source *self, struct batch *batch, int timeout_ms, struct error *err)
{
    bool none = false, first = self->unanswered;
    while (!none && !is_time_to_return(self, batch)) {
        /* With something in hand only what has already come is taken along. */
        int patience_ms = batch->count > 0 || self->moved ? 0
                          : first && !self->unanswered    ? SOURCE_SETTLE_MS
                                                          : timeout_ms;
        if (!step(self, batch, patience_ms, &none, err))
            return false;
    }
    end_batch(self, batch);
    return true;
}
