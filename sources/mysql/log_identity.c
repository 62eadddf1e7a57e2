/* SPDX-License-Identifier: Apache-2.0
 *
 * Is the log at the other end still the one that was read?
 *
 * On the same server (by its uuid or id) the file of our position must have been made when it was:
 * after RESET MASTER, or in a copy that was restored, the numbers of transactions and the names of
 * files soon reach ours again and mean others. When a file was made stands in its first event.
 *
 * On another server, after a failover, file names mean nothing and GTIDs decide. It must have all
 * that was delivered; and before the last of that it must have nothing that was not, for what it
 * wrote by itself as a replica ("errant transactions") is in its tables, and comes too early
 * (MySQL) or never (MariaDB) in what it sends from our position on. MySQL knows such transactions
 * by their uuid, MariaDB by the state that the position carries: the last number of each server.
 * The log is walked, from the file that holds our position, with SHOW BINLOG EVENTS. */
#include "engine/base/log.h"
#include "engine/base/parse.h"
#include "sources/mysql/log.h"

enum { HEADER_SIZE = 19, FORMAT_DESCRIPTION = 15, BINLOG_DUMP = 0x12, DUMP_NON_BLOCK = 1 };
enum { EVENTS_A_PAGE = 10000, HEAD_EVENTS = 4 };

static bool ask(struct log_source *self, struct buf *sql, struct arena *arena,
                struct result *result, struct error *err)
{
    bool ok = connection_query(self->connection, buf_view(sql), 0, arena, result, err);
    buf_done(sql);
    return ok;
}

/* ---- the same server ---- */

/* The time in a file's first event, which a dump of it begins with behind a ROTATE. */
static bool read_created(struct connection *connection, struct bytes dump, uint32_t *created,
                         struct error *err)
{
    struct bytes packet;
    if (!connection_execute(connection, err,
                            "SET @master_binlog_checksum = @@global.binlog_checksum, "
                            "@source_binlog_checksum = @@global.binlog_checksum, "
                            "@mariadb_slave_capability = 4") ||
        !connection_command(connection, BINLOG_DUMP, dump, err))
        return false;
    for (;;) {
        if (!connection_packet(connection, &packet, err))
            return false;
        if (packet.size < 1 + HEADER_SIZE || packet.data[0] != 0)
            return error_set(err, ERROR_RETRY, "the first event of a binary log did not come");
        struct reader in = reader_of((struct bytes){ packet.data + 1, packet.size - 1 });
        *created = (uint32_t)reader_le(&in, 4);
        if (reader_u8(&in) == FORMAT_DESCRIPTION)
            return true;
    }
}

static bool file_created(struct log_source *self, struct bytes file, uint32_t *created,
                         struct error *err)
{
    struct connection *connection;
    struct buf dump;
    if (!connection_open(self->options, &connection, err))
        return false;
    buf_init(&dump, 1024);
    buf_le(&dump, 4, 4);
    buf_le(&dump, DUMP_NON_BLOCK, 2);
    buf_le(&dump, log_server_id(self), 4);
    buf_bytes(&dump, file);
    bool ok = read_created(connection, buf_view(&dump), created, err);
    buf_done(&dump);
    connection_close(connection);
    return ok;
}

static bool same_server(struct log_source *self, const struct token *from, struct arena *arena,
                        struct error *err)
{
    struct result files;
    uint32_t created = 0;
    if (!from->created || from->file.size == 0)
        return true;
    if (!connection_ask(self->connection, "SHOW BINARY LOGS", arena, &files, err))
        return false;
    bool there = false;
    for (uint32_t i = 0; i < files.row_count; i++)
        there |= bytes_equal(files.cells[i * files.column_count], from->file);
    if (!there) {
        struct token first = { .file = files.row_count ? files.cells[0] : (struct bytes){ 0 } };
        struct token ours = { .file = from->file };
        if (files.row_count > 0 && token_place_compare(&ours, &first) < 0)
            return true; /* purged: whether that matters, GTIDs tell */
        return error_set(err, ERROR_LOST,
                         "the server has no binary log %.*s, where reading stopped: its log was "
                         "reset, or an older copy of it was restored",
                         BYTES_ARGS(from->file));
    }
    if (!file_created(self, from->file, &created, err))
        return false;
    return created == from->created ||
           error_set(err, ERROR_LOST,
                     "the server's binary log %.*s is not the one that was read: the log was reset "
                     "(RESET MASTER), or a copy of the server was restored",
                     BYTES_ARGS(from->file));
}

/* ---- walking the log of another server ---- */

struct walk {
    struct log_source *self;
    struct gtid_set *ours;
    struct gtid_state state; /* MariaDB: what the log had that was left */
    struct gtid_set met;     /* MariaDB: domains whose place was met */
    uint8_t uuid[16];        /* MySQL: the server's own */
    uint64_t left;           /* MySQL: of ours, not met yet */
    struct gtid errant;      /* the first */
    bool found, over;
};

static bool errant_error(const struct walk *walk, struct error *err)
{
    struct buf text;
    buf_init(&text, 256);
    gtid_text(&walk->errant, &text);
    error_set(err, ERROR_LOST,
              "the source is another server than before (%s), and wrote transactions of its own "
              "that the one before never had, the first is %.*s: its tables may differ from what "
              "was delivered",
              walk->self->server, BYTES_ARGS(buf_view(&text)));
    buf_done(&text);
    return false;
}

static uint64_t count_of(const struct gtid_set *set)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < set->count; i++)
        for (uint32_t k = 0; k < set->sources[i].count; k++)
            count += set->sources[i].intervals[k].last - set->sources[i].intervals[k].first + 1;
    return count;
}

/* MySQL: ours by its author. What others wrote that we know of may have come in another order. */
static bool is_own_or_unknown(const struct walk *walk, const struct gtid *gtid)
{
    if (memcmp(gtid->uuid, walk->uuid, sizeof walk->uuid) == 0)
        return true;
    for (uint32_t i = 0; i < walk->ours->count; i++)
        if (memcmp(walk->ours->sources[i].id.uuid, gtid->uuid, sizeof gtid->uuid) == 0)
            return false;
    return true;
}

static void on_mysql(struct walk *walk, const struct gtid *gtid)
{
    if (!gtid_set_has(walk->ours, gtid)) {
        if (walk->errant.number == 0 && is_own_or_unknown(walk, gtid))
            walk->errant = *gtid;
        return;
    }
    walk->left -= walk->left > 0;
    walk->found = walk->errant.number > 0;
    walk->over = walk->found || walk->left == 0;
}

/* The last that we have of its domain; NULL: none. */
static const struct gtid_source *place_of(const struct walk *walk, const struct gtid *gtid)
{
    for (uint32_t i = 0; i < walk->ours->count; i++)
        if (walk->ours->sources[i].id.domain == gtid->domain)
            return &walk->ours->sources[i];
    return NULL;
}

static uint64_t number_in(const struct gtid_source *place) { return place->intervals[0].last; }

static bool is_place(const struct gtid_source *place, const struct gtid *gtid)
{
    return place->id.server == gtid->server && number_in(place) == gtid->number;
}

static void meet(struct walk *walk, const struct gtid *gtid)
{
    struct gtid whole = { .mariadb = true, .domain = gtid->domain, .number = INT64_MAX };
    gtid_set_add(&walk->met, &whole);
    walk->over = walk->met.count == walk->ours->count;
}

static void on_mariadb(struct walk *walk, const struct gtid *gtid)
{
    const struct gtid_source *place = place_of(walk, gtid);
    if (!place || gtid_set_has(&walk->met, gtid))
        return;
    if (is_place(place, gtid)) {
        meet(walk, gtid);
    } else if (gtid->number > gtid_state_last(&walk->state, gtid)) {
        walk->errant = *gtid;
        walk->found = walk->over = true;
    }
}

/* "BEGIN GTID 0-1-7 cid=9", "SET @@SESSION.GTID_NEXT= 'uuid:5'" */
static struct bytes gtid_in(struct bytes info)
{
    const uint8_t *quote = memchr(info.data, '\'', info.size);
    if (quote) {
        size_t at = (size_t)(quote - info.data) + 1;
        const uint8_t *end = memchr(info.data + at, '\'', info.size - at);
        return (struct bytes){ info.data + at, end ? (size_t)(end - info.data) - at : 0 };
    }
    const uint8_t *word = memmem(info.data, info.size, "GTID ", 5);
    if (!word)
        return (struct bytes){ 0 };
    size_t at = (size_t)(word - info.data) + 5, size = 0;
    while (at + size < info.size && info.data[at + size] != ' ')
        size++;
    return (struct bytes){ info.data + at, size };
}

static bool on_row(struct walk *walk, struct bytes type, struct bytes info, struct error *err)
{
    bool gtid = type.size >= 4 && memcmp(type.data, "Gtid", 4) == 0 && !bytes_is(type, "Gtid_list");
    struct gtid_set one = { 0 };
    if (!gtid)
        return true;
    bool ok = gtid_set_parse(&one, gtid_in(info), err);
    if (ok && one.count == 1) {
        struct gtid id = one.sources[0].id;
        id.number = one.sources[0].intervals[0].last;
        (walk->self->mariadb ? on_mariadb : on_mysql)(walk, &id);
    }
    gtid_set_done(&one);
    return ok;
}

static void show_events(struct buf *sql, struct bytes file, uint64_t offset, uint32_t limit)
{
    buf_init(sql, 4096);
    buf_text(sql, "SHOW BINLOG EVENTS IN '");
    buf_bytes(sql, file);
    buf_printf(sql, "' FROM %llu LIMIT %u", (unsigned long long)offset, limit);
}

enum { EVENT_TYPE = 2, EVENT_END_POSITION = 4, EVENT_INFO = 5, EVENT_CELLS = 6 };

static bool walk_file(struct walk *walk, struct bytes file, struct error *err)
{
    uint64_t offset = 4;
    for (bool more = true; more && !walk->over;) {
        struct arena page = { 0 };
        struct result events;
        struct buf sql;
        show_events(&sql, file, offset, EVENTS_A_PAGE);
        bool ok = ask(walk->self, &sql, &page, &events, err);
        for (uint32_t i = 0; ok && !walk->over && i < events.row_count; i++) {
            const struct bytes *row = events.cells + (size_t)i * EVENT_CELLS;
            ok = on_row(walk, row[EVENT_TYPE], row[EVENT_INFO], err);
            offset = parse_digits(row[EVENT_END_POSITION]);
        }
        more = ok && events.row_count == EVENTS_A_PAGE;
        arena_done(&page);
        if (!ok)
            return false;
    }
    return true;
}

/* ---- where the walk begins ---- */

/* MySQL: does the file begin where we have all that is before it? */
static bool begins_mysql(struct walk *walk, struct bytes before, bool *begins, struct error *err)
{
    struct gtid_set set = { 0 };
    bool ok = gtid_set_parse(&set, before, err);
    *begins = ok && gtid_set_covers(walk->ours, &set);
    if (*begins)
        walk->left = count_of(walk->ours) - count_of(&set);
    gtid_set_done(&set);
    return ok;
}

/* MariaDB: does it begin before our place in each domain, or right there? What its list tells of
 * files before is looked at as well, of servers that we know of and of this one. */
static bool begins_mariadb(struct walk *walk, struct bytes list, bool *begins, struct error *err)
{
    struct gtid_state state = { 0 };
    bool ok = gtid_state_parse(&state, list, err);
    uint64_t own = parse_digits(bytes_from(walk->self->server));
    *begins = ok;
    for (size_t i = 0; i < state.count; i++) {
        const struct gtid_source *place = place_of(walk, &state.items[i]);
        *begins = *begins && (!place || state.items[i].number <= number_in(place));
    }
    for (size_t i = 0; *begins && i < state.count; i++) {
        const struct gtid *item = &state.items[i];
        const struct gtid_source *place = place_of(walk, item);
        uint64_t known = gtid_state_last(&walk->state, item);
        if (place && (is_place(place, item) || known > 0 || item->server == own))
            on_mariadb(walk, item);
    }
    gtid_state_done(&state);
    return ok;
}

static bool file_begins(struct walk *walk, struct bytes file, bool *begins, struct error *err)
{
    struct arena arena = { 0 };
    struct result events;
    struct buf sql;
    show_events(&sql, file, 4, HEAD_EVENTS);
    bool ok = ask(walk->self, &sql, &arena, &events, err);
    *begins = false;
    for (uint32_t i = 0; ok && i < events.row_count; i++) {
        const struct bytes *row = events.cells + (size_t)i * EVENT_CELLS;
        if (bytes_is(row[EVENT_TYPE], "Previous_gtids"))
            ok = begins_mysql(walk, row[EVENT_INFO], begins, err);
        if (bytes_is(row[EVENT_TYPE], "Gtid_list"))
            ok = begins_mariadb(walk, row[EVENT_INFO], begins, err);
    }
    arena_done(&arena);
    return ok;
}

static bool walk_log(struct walk *walk, struct arena *arena, struct error *err)
{
    struct result files;
    if (!connection_ask(walk->self->connection, "SHOW BINARY LOGS", arena, &files, err))
        return false;
    uint32_t first = files.row_count;
    bool begins = false;
    while (first > 0 && !begins)
        if (!file_begins(walk, files.cells[--first * files.column_count], &begins, err))
            return false;
    if (!begins)
        return true; /* what we miss was purged: the server will say so */
    for (uint32_t i = first; i < files.row_count && !walk->over; i++)
        if (!walk_file(walk, files.cells[i * files.column_count], err))
            return false;
    return !walk->found || errant_error(walk, err);
}

/* ---- another server ---- */

static bool lacks(struct error *err)
{
    return error_set(err, ERROR_LOST,
                     "the source is another server than before and lacks transactions that were "
                     "already delivered");
}

/* MySQL: has it everything, and something that only it can have written? */
static bool walk_mysql(struct walk *walk, struct arena *arena, struct error *err)
{
    struct result executed;
    struct gtid_set theirs = { 0 }, own = { 0 };
    struct bytes uuid = arena_printf(arena, "%s:1", walk->self->server);
    bool ok = connection_ask(walk->self->connection, "SELECT @@global.gtid_executed", arena,
                             &executed, err) &&
              gtid_set_parse(&theirs, executed.cells[0], err) && gtid_set_parse(&own, uuid, err);
    if (ok)
        memcpy(walk->uuid, own.sources[0].id.uuid, sizeof walk->uuid);
    ok = ok && (gtid_set_covers(&theirs, walk->ours) || lacks(err));
    bool suspect = false;
    for (uint32_t i = 0; ok && i < theirs.count; i++) {
        struct gtid_set part = { .sources = &theirs.sources[i], .count = 1 };
        suspect |=
            is_own_or_unknown(walk, &theirs.sources[i].id) && !gtid_set_covers(walk->ours, &part);
    }
    gtid_set_done(&theirs);
    gtid_set_done(&own);
    return ok && (!suspect || walk_log(walk, arena, err));
}

/* MariaDB: a replica may have what its log lacks, before a RESET MASTER. */
static bool walk_mariadb(struct walk *walk, struct arena *arena, struct error *err)
{
    struct result result;
    struct gtid_state theirs = { 0 };
    bool ok = connection_ask(walk->self->connection,
                             "SELECT CONCAT_WS(',', @@global.gtid_binlog_state, "
                             "NULLIF(@@global.gtid_slave_pos, ''))",
                             arena, &result, err) &&
              gtid_state_parse(&theirs, result.cells[0], err);
    for (uint32_t i = 0; ok && i < walk->ours->count; i++) {
        const struct gtid_source *place = &walk->ours->sources[i];
        ok = gtid_state_last(&theirs, &place->id) >= number_in(place) || lacks(err);
    }
    gtid_state_done(&theirs);
    return ok && (walk->state.count == 0 || walk->ours->count == 0 || walk_log(walk, arena, err));
}

static bool other_server(struct log_source *self, const struct token *from, struct arena *arena,
                         struct error *err)
{
    struct gtid_set ours = { 0 };
    struct walk walk = { .self = self, .ours = &ours };
    struct buf executed, state;
    buf_init(&executed, 64 << 20);
    buf_init(&state, 1 << 20);
    bool same_life = self->streamed_from[0] != '\0';
    gtid_set_text(&self->executed, &executed);
    gtid_state_text(&self->state, &state);
    /* Rows of a transaction that is not over may have been delivered too. */
    bool partial = same_life && self->inside && self->has_gtid && self->row > 0;
    bool ok = gtid_set_parse(&ours, same_life ? buf_view(&executed) : from->gtid, err) &&
              gtid_state_parse(&walk.state, same_life ? buf_view(&state) : from->state, err);
    if (ok && partial)
        gtid_set_add(&ours, &self->gtid);
    ok = ok && (self->mariadb ? walk_mariadb(&walk, arena, err) : walk_mysql(&walk, arena, err));
    if (ok)
        log_info("the log goes on at another server: %s, before %.*s", self->server,
                 BYTES_ARGS(from->server));
    gtid_set_done(&ours);
    gtid_set_done(&walk.met);
    gtid_state_done(&walk.state);
    buf_done(&executed);
    buf_done(&state);
    return ok;
}

bool log_identity_check(struct log_source *self, const struct token *from, struct error *err)
{
    struct arena arena = { 0 };
    bool same = from->server.size == 0 || bytes_is(from->server, self->server);
    bool ok = same            ? same_server(self, from, &arena, err)
              : self->by_gtid ? other_server(self, from, &arena, err)
                              : true; /* a place alone cannot go on there: resume() says so */
    arena_done(&arena);
    return ok;
}
