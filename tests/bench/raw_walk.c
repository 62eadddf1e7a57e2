/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads a binlog to its end and steps over every column of every row, no more: the least that any
 * reader of the log has to do, and what the agent's log reading is measured against.
 *
 *     raw_walk HOST PORT USER PASSWORD FILE POSITION
 *
 * prints `rows=N bytes=N`, the bytes being those of the values. For the logs of tests/bench/run:
 * full row images, no compression, events below 16 MiB. The client library logs in and sends the
 * commands; the dump is read from the socket, a mebibyte at a time, and walked where it lies. */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <mysql.h>

enum {
    BUFFER_SIZE = 1 << 20,
    PACKET_FULL = 0xffffff,
    COLUMNS_MAX = 4096,
    TABLES_MAX = 64,
    HEADER_SIZE = 19,
    NON_BLOCK = 1
};
enum {
    FORMAT_DESCRIPTION = 15,
    TABLE_MAP = 19,
    WRITE_V1 = 23,
    UPDATE_V1 = 24,
    DELETE_V1 = 25,
    WRITE = 30,
    UPDATE = 31,
    DELETE = 32
};

/* A value is `width` bytes, or a length in `prefix` bytes and as many bytes as it says. */
struct column {
    uint32_t width, prefix;
};
struct table {
    uint64_t id;
    uint32_t count;
    struct column columns[COLUMNS_MAX];
};

struct walk {
    int socket;
    uint8_t *buffer;
    size_t start, end; /* what has come and was not walked yet */
    bool checksums;
    struct table tables[TABLES_MAX]; /* by id modulo TABLES_MAX */
    uint64_t rows, bytes;
};

static bool fail(const char *what)
{
    fprintf(stderr, "raw_walk: %s\n", what);
    return false;
}

static uint64_t number(const uint8_t *at, size_t size)
{
    uint64_t value = 0;
    for (size_t i = size; i > 0; i--)
        value = value << 8 | at[i - 1];
    return value;
}

/* Steps over a packed number, which counts columns here: below 2^16. */
static uint32_t packed(const uint8_t **at)
{
    uint8_t first = *(*at)++;
    if (first < 0xfb)
        return first;
    uint32_t value = (uint32_t)number(*at, 2);
    *at += 2;
    return value;
}

/* ---- tables ---- */

static uint32_t decimal_width(uint32_t precision, uint32_t scale)
{
    static const uint8_t rest[10] = { 0, 1, 1, 2, 2, 3, 3, 4, 4, 4 };
    uint32_t whole = precision - scale;
    return whole / 9 * 4 + rest[whole % 9] + scale / 9 * 4 + rest[scale % 9];
}

static struct column string_column(uint8_t real, uint8_t size)
{
    if (real == 247 || real == 248) /* ENUM, SET */
        return (struct column){ .width = size };
    uint32_t most = (real & 0x30) != 0x30 ? size | ((real & 0x30u) ^ 0x30u) << 4 : size;
    return (struct column){ .prefix = most > 255 ? 2 : 1 };
}

/* Moves past the type's metadata. */
static struct column column_of(uint8_t type, const uint8_t **metadata)
{
    const uint8_t *at = *metadata;
    uint32_t first = at[0], second = at[1];
    switch (type) {
    case 1:
    case 13:
        return (struct column){ .width = 1 }; /* TINY, YEAR */
    case 2:
        return (struct column){ .width = 2 }; /* SHORT */
    case 9:
    case 10:
    case 11:
        return (struct column){ .width = 3 }; /* INT24, DATE, TIME */
    case 3:
    case 7:
        return (struct column){ .width = 4 }; /* LONG, TIMESTAMP */
    case 8:
    case 12:
        return (struct column){ .width = 8 }; /* LONGLONG, DATETIME */
    case 4:
    case 5:
        *metadata += 1;
        return (struct column){ .width = first }; /* FLOAT, DOUBLE */
    case 17:
        *metadata += 1;
        return (struct column){ .width = 4 + (first + 1) / 2 };
    case 18:
        *metadata += 1;
        return (struct column){ .width = 5 + (first + 1) / 2 };
    case 19:
        *metadata += 1;
        return (struct column){ .width = 3 + (first + 1) / 2 };
    case 15:
        *metadata += 2;
        return (struct column){ .prefix = (first | second << 8) > 255 ? 2 : 1 };
    case 16:
        *metadata += 2;
        return (struct column){ .width = second + (first + 7) / 8 }; /* BIT */
    case 246:
        *metadata += 2;
        return (struct column){ .width = decimal_width(first, second) };
    case 254:
        *metadata += 2;
        return string_column(at[0], at[1]);
    case 242:
    case 245:
    case 252:
    case 255:
        *metadata += 1;
        return (struct column){ .prefix = first };
    default:
        return (struct column){ 0 };
    }
}

static bool on_table_map(struct walk *walk, const uint8_t *at)
{
    uint64_t id = number(at, 6);
    struct table *table = &walk->tables[id % TABLES_MAX];
    if (table->id == id)
        return true;
    at += 8;
    at += *at + 2; /* the database */
    at += *at + 2; /* the name */
    uint32_t count = packed(&at);
    if (count > COLUMNS_MAX)
        return fail("a table has too many columns");
    const uint8_t *types = at, *metadata = at + count;
    packed(&metadata);
    for (uint32_t i = 0; i < count; i++) {
        table->columns[i] = column_of(types[i], &metadata);
        if (!table->columns[i].width && !table->columns[i].prefix)
            return fail("a table has a column of a type that is not walked");
    }
    table->count = count;
    table->id = id;
    return true;
}

/* ---- rows ---- */

static const uint8_t *walk_row(const struct table *table, const uint8_t *at, uint64_t *bytes)
{
    const uint8_t *nulls = at;
    at += (table->count + 7) / 8;
    const uint8_t *values = at;
    for (uint32_t i = 0; i < table->count; i++) {
        const struct column *column = &table->columns[i];
        if (nulls[i / 8] >> i % 8 & 1)
            continue;
        at += column->prefix ? column->prefix + number(at, column->prefix) : column->width;
    }
    *bytes += (uint64_t)(at - values);
    return at;
}

static bool on_rows(struct walk *walk, uint8_t type, const uint8_t *at, const uint8_t *end)
{
    uint64_t id = number(at, 6);
    const struct table *table = &walk->tables[id % TABLES_MAX];
    if (table->id != id)
        return fail("rows of a table that no TABLE_MAP named");
    at += 8;
    if (type >= WRITE)
        at += number(at, 2);
    if (packed(&at) != table->count)
        return fail("rows do not have their table's columns");
    bool update = type == UPDATE || type == UPDATE_V1;
    at += (table->count + 7) / 8 * (update ? 2 : 1);
    while (at < end) {
        at = walk_row(table, at, &walk->bytes);
        if (update)
            at = walk_row(table, at, &walk->bytes);
        walk->rows++;
    }
    return at == end || fail("a row is cut off");
}

static bool on_event(struct walk *walk, const uint8_t *event, size_t size)
{
    uint8_t type = event[4];
    const uint8_t *body = event + HEADER_SIZE, *end = event + size;
    if (type == FORMAT_DESCRIPTION) {
        walk->checksums = end[-5] == 1;
        memset(walk->tables, 0, sizeof walk->tables);
        return true;
    }
    if (walk->checksums)
        end -= 4;
    if (type == TABLE_MAP)
        return on_table_map(walk, body);
    if ((type >= WRITE_V1 && type <= DELETE_V1) || (type >= WRITE && type <= DELETE))
        return on_rows(walk, type, body, end);
    return true;
}

/* ---- packets ---- */

static bool fill(struct walk *walk, size_t want)
{
    if (want > BUFFER_SIZE)
        return fail("a packet is too large");
    if (walk->start + want > BUFFER_SIZE) {
        memmove(walk->buffer, walk->buffer + walk->start, walk->end - walk->start);
        walk->end -= walk->start;
        walk->start = 0;
    }
    while (walk->end - walk->start < want) {
        ssize_t got = recv(walk->socket, walk->buffer + walk->end, BUFFER_SIZE - walk->end, 0);
        if (got <= 0)
            return fail("the connection was lost");
        walk->end += (size_t)got;
    }
    return true;
}

/* Packets until the server says that the log ends here. */
static bool walk_log(struct walk *walk)
{
    for (;;) {
        if (!fill(walk, 4))
            return false;
        size_t size = (size_t)number(walk->buffer + walk->start, 3);
        if (size == PACKET_FULL || !fill(walk, 4 + size))
            return fail("a packet could not be read");
        const uint8_t *packet = walk->buffer + walk->start + 4;
        walk->start += 4 + size;
        if (packet[0] == 0xfe && size < 9)
            return true;
        if (packet[0] == 0xff && size > 9)
            return fail(
                (fprintf(stderr, "%.*s\n", (int)(size - 9), packet + 9), "the server refused"));
        if (size < 1 + HEADER_SIZE || !on_event(walk, packet + 1, size - 1))
            return fail("an event could not be read");
    }
}

static bool begin_dump(MYSQL *connection, const char *file, uint32_t position)
{
    uint8_t command[10 + 512];
    size_t size = strlen(file);
    if (size > sizeof command - 10)
        return fail("the file's name is too long");
    for (size_t i = 0; i < 4; i++)
        command[i] = (uint8_t)(position >> 8 * i);
    memcpy(command + 4, (uint8_t[]){ NON_BLOCK, 0, 0xff, 0xff, 0, 0 }, 6); /* flags, server id */
    memcpy(command + 10, file, size);
    const char *prepare = "SET @master_binlog_checksum = @@global.binlog_checksum, "
                          "@source_binlog_checksum = @@global.binlog_checksum, "
                          "@mariadb_slave_capability = 4";
    if (mysql_query(connection, prepare) != 0 ||
        connection->methods->db_command(connection, COM_BINLOG_DUMP, (const char *)command,
                                        10 + size, 1, NULL) != 0)
        return fail(mysql_error(connection));
    return true;
}

static bool run(MYSQL *connection, char **arguments, uint32_t port, uint32_t position)
{
    if (!mysql_real_connect(connection, arguments[1], arguments[3], arguments[4], NULL, port, NULL,
                            0))
        return fail(mysql_error(connection));
    struct walk *walk = calloc(1, sizeof *walk);
    uint8_t *buffer = malloc(BUFFER_SIZE);
    bool ok = walk && buffer && begin_dump(connection, arguments[5], position);
    if (ok) {
        walk->socket = (int)mysql_get_socket(connection);
        walk->buffer = buffer;
        ok = walk_log(walk);
    }
    if (ok)
        printf("rows=%llu bytes=%llu\n", (unsigned long long)walk->rows,
               (unsigned long long)walk->bytes);
    free(buffer);
    free(walk);
    return ok;
}

static bool to_number(const char *text, uint32_t *out)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    *out = (uint32_t)value;
    return !errno && end != text && !*end && value <= UINT32_MAX;
}

int main(int count, char **arguments)
{
    uint32_t port, position;
    if (count != 7 || !to_number(arguments[2], &port) || !to_number(arguments[6], &position)) {
        fprintf(stderr, "usage: raw_walk HOST PORT USER PASSWORD FILE POSITION\n");
        return 64;
    }
    MYSQL *connection = mysql_init(NULL);
    if (!connection)
        return 1;
    bool ok = run(connection, arguments, port, position);
    mysql_close(connection);
    return ok ? 0 : 1;
}
