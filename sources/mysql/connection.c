/* SPDX-License-Identifier: Apache-2.0
 *
 * One connection, through libmariadb: its public API for login, TLS and statements; its method
 * table for raw commands; its exported packet reader for replies under TLS. Layout of packets:
 * MySQL internals, "Client/Server Protocol": length u24, sequence u8, payload; a payload of
 * 2^24-1 bytes goes on in the next packet.
 *
 * The library reads 16 KB at a time and copies each packet twice. A binlog dump is mostly system
 * calls then, so replies on a plain socket are read here, in mouthfuls of 256 KB into one buffer,
 * and packets are views into it. Statements stay with the library: the two never have bytes of each
 * other, because a command begins only when the reply before has been read to its end. The socket's
 * receive buffer is left to the kernel: a size of our own would switch its growing off. */
#include "sources/mysql/connection.h"

/* ma_pvio.h shows the TLS handle only so, and needs this name for it. */
#define HAVE_TLS 1
typedef unsigned char uchar;

#include <errmsg.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <mysql.h>

#include <ma_pvio.h>

#include "engine/base/assert.h"
#include "engine/base/buf.h"
#include "engine/base/cleanup.h"
#include "engine/base/clock.h"
#include "sources/mysql/connection_errors.h"

enum {
    INPUT_SIZE = 256 * 1024,
    INPUT_KEPT_MAX = 4 * 1024 * 1024, /* a larger buffer is given back when it is empty */
    PACKET_FULL = 0xffffff,
    RESULT_ROWS_MAX = 1000000,
    GATHER_BYTES = 16 * 1024,
    GATHER_US = 500,
};
static const size_t packet_max = 1024u * 1024 * 1024;

struct connection {
    struct arena arena;
    MYSQL mysql;
    bool initialized;
    struct server_info server;
    atomic_bool interrupted;
    atomic_int socket;
    int timeout_ms;   /* of a read; -1: none */
    int64_t heard_us; /* when the server was last heard, where a timeout counts */
    bool library_tls; /* the library's TLS is OpenSSL, whose buffer can be asked */

    /* Replies that are read here: input.data[start, input.size) has not been given out yet. */
    struct buf input;
    size_t start;
    uint8_t sequence;
    size_t flowed; /* bytes since the last rest */
};

const struct server_info *connection_server(const struct connection *connection)
{
    return &connection->server;
}

bool connection_is_tls(const struct connection *connection)
{
    return connection->mysql.net.pvio && connection->mysql.net.pvio->ctls;
}

/* One number stands for a certificate that is refused and for a network that was cut. */
static bool tls_was_cut(struct bytes text)
{
    static const char *const words[] = { "unexpected eof", "Connection reset", "Broken pipe",
                                         "timed out",      "Success",          "(null)" };
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (memmem(text.data, text.size, words[i], strlen(words[i])))
            return true;
    return false;
}

static bool failed(struct connection *connection, struct error *err)
{
    if (atomic_load(&connection->interrupted))
        return error_set(err, ERROR_STOP, "interrupted");
    int code = (int)mysql_errno(&connection->mysql);
    struct bytes text = bytes_from(mysql_error(&connection->mysql));
    if (code == CR_SSL_CONNECTION_ERROR && (connection->server.version || tls_was_cut(text)))
        return error_code(err, ERROR_RETRY, CR_SERVER_LOST, "connection to the server lost: %.*s",
                          BYTES_ARGS(text));
    return connection_failure(err, code, text);
}

static bool broken(struct connection *connection, struct error *err, const char *what)
{
    if (atomic_load(&connection->interrupted))
        return error_set(err, ERROR_STOP, "interrupted");
    return error_code(err, ERROR_RETRY, CR_SERVER_LOST, "connection to the server lost: %s", what);
}

/* ---- opening ---- */

static uint32_t version_number(const char *text)
{
    uint32_t parts[3] = { 0 };
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        char *end;
        unsigned long number = strtoul(text, &end, 10);
        parts[i] = (uint32_t)(number > 9999 ? 9999 : number);
        if (end == text || *end != '.')
            break;
        text = end + 1;
    }
    return (parts[0] * 100 + parts[1]) * 100 + (parts[2] > 99 ? 99 : parts[2]);
}

static void describe_server(struct connection *connection)
{
    const char *text = mysql_get_server_info(&connection->mysql);
    struct server_info *server = &connection->server;
    snprintf(server->text, sizeof server->text, "%s", text ? text : "");
    /* MariaDB takes CLIENT_MYSQL, bit 0, as its own sign; a version text can be configured. */
    bool mariadb =
        strcasestr(server->text, "mariadb") || !(connection->mysql.server_capabilities & 1);
    server->flavor = mariadb ? SERVER_MARIADB : SERVER_MYSQL;
    server->version = version_number(server->text);
}

static const char *text_or_null(struct bytes text)
{
    return text.size ? (const char *)text.data : NULL;
}

static void set_options(MYSQL *mysql, const struct mysql_options *options, bool tls)
{
    unsigned connect_s = (unsigned)((options->connect_timeout_ms + 999) / 1000);
    if (connect_s == 0)
        connect_s = 30;
    unsigned long packet = packet_max;
    my_bool enforce = tls;
    my_bool verify = options->tls_mode == TLS_VERIFY_IDENTITY;
    mysql_optionsv(mysql, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s);
    mysql_optionsv(mysql, MYSQL_OPT_READ_TIMEOUT, &connect_s);
    mysql_optionsv(mysql, MYSQL_OPT_WRITE_TIMEOUT, &connect_s);
    mysql_optionsv(mysql, MYSQL_OPT_MAX_ALLOWED_PACKET, &packet);
    mysql_optionsv(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    mysql_optionsv(mysql, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "millrace");
    if (tls) {
        mysql_ssl_set(mysql, text_or_null(options->tls_key), text_or_null(options->tls_cert),
                      text_or_null(options->tls_ca), NULL, NULL);
        mysql_optionsv(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
    }
    mysql_optionsv(mysql, MYSQL_OPT_SSL_ENFORCE, &enforce);
    if (options->server_public_key.size)
        mysql_optionsv(mysql, MYSQL_SERVER_PUBLIC_KEY, options->server_public_key.data);
}

static void keep_alive(int fd)
{
    int on = 1, idle_s = 30, interval_s = 10, probes = 3;
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

/* verify-ca: a chain to the CA, whatever name the certificate bears. The library looks at the chain
 * only together with the name, so OpenSSL is asked for what it found. */
static bool verify_chain(struct connection *connection, struct error *err)
{
    if (!connection->library_tls)
        return error_set(err, ERROR_CONFIG,
                         "ssl.mode verify-ca needs a client library built with "
                         "OpenSSL; use verify-identity");
    SSL *ssl = connection->mysql.net.pvio->ctls->ssl;
    long verdict = SSL_get_verify_result(ssl);
    if (verdict == X509_V_OK)
        return true;
    return error_code(err, ERROR_CONFIG, CR_SSL_CONNECTION_ERROR,
                      "TLS: the server's certificate: %s", X509_verify_cert_error_string(verdict));
}

static bool try_connect(struct connection *connection, const struct mysql_options *options,
                        bool tls, struct error *err)
{
    MYSQL *mysql = &connection->mysql;
    mysql_init(mysql);
    connection->initialized = true;
    set_options(mysql, options, tls);
    const char *socket = text_or_null(options->socket);
    if (!mysql_real_connect(mysql, socket ? NULL : text_or_null(options->hostname),
                            text_or_null(options->username), text_or_null(options->password), NULL,
                            (unsigned)options->port, socket, 0))
        return failed(connection, err);
    if (tls && options->tls_mode == TLS_VERIFY_CA)
        return verify_chain(connection, err);
    return true;
}

/* The limits of time are for interactive users: a slow sink makes us read slowly, and the server
 * must wait rather than hang up. */
static bool prepare_session(struct connection *connection, struct error *err)
{
    bool mariadb = connection->server.flavor == SERVER_MARIADB;
    return connection_execute(connection, err,
                              "SET SESSION time_zone = '+00:00', sql_mode = '', "
                              "character_set_results = NULL, autocommit = 1, "
                              "net_write_timeout = 3600, net_read_timeout = 3600, "
                              "wait_timeout = 86400, %s = 0",
                              mariadb ? "max_statement_time" : "max_execution_time");
}

static bool connect_with_modes(struct connection *connection, const struct mysql_options *options,
                               struct error *err)
{
    enum tls_mode mode = (enum tls_mode)options->tls_mode;
    if (try_connect(connection, options, mode != TLS_DISABLED, err))
        return true;
    /* "preferred" goes on without TLS only where there is none to be had. */
    if (mode != TLS_PREFERRED || err->code != CR_SSL_CONNECTION_ERROR)
        return false;
    mysql_close(&connection->mysql);
    connection->initialized = false;
    return try_connect(connection, options, false, err);
}

bool connection_open(const struct mysql_options *options, struct connection **out,
                     struct error *err)
{
    struct arena arena = { 0 };
    struct connection *connection = arena_zalloc(&arena, sizeof *connection);
    connection->arena = arena;
    connection->timeout_ms = -1;
    atomic_store(&connection->socket, -1);
    buf_init(&connection->input, packet_max + INPUT_SIZE);
    const char *library = NULL;
    mariadb_get_infov(NULL, MARIADB_TLS_LIBRARY, &library);
    connection->library_tls = library && strncmp(library, "OpenSSL", 7) == 0;
    if (!connect_with_modes(connection, options, err)) {
        connection_close(connection);
        return options->socket.size ? error_context(err, "%.*s", BYTES_ARGS(options->socket))
                                    : error_context(err, "%.*s:%d", BYTES_ARGS(options->hostname),
                                                    (int)options->port);
    }
    int fd = (int)mysql_get_socket(&connection->mysql);
    atomic_store(&connection->socket, fd);
    keep_alive(fd);
    connection_read_timeout(connection, 0);
    describe_server(connection);
    if (!prepare_session(connection, err)) {
        connection_close(connection);
        return error_context(err, "preparing the session");
    }
    *out = connection;
    return true;
}

void connection_close(struct connection *connection)
{
    if (!connection)
        return;
    int fd = atomic_exchange(&connection->socket, -1);
    /* A dump under way would fill the socket for as long as nobody reads it. */
    if (fd >= 0)
        (void)shutdown(fd, SHUT_RD);
    if (connection->initialized)
        mysql_close(&connection->mysql);
    buf_done(&connection->input);
    struct arena arena = connection->arena;
    arena_done(&arena);
}

void connection_interrupt(struct connection *connection)
{
    atomic_store(&connection->interrupted, true);
    int fd = atomic_load(&connection->socket);
    if (fd >= 0)
        (void)shutdown(fd, SHUT_RDWR);
}

void connection_read_timeout(struct connection *connection, uint32_t seconds)
{
    MARIADB_PVIO *pvio = connection->mysql.net.pvio;
    connection->heard_us = clock_now_us();
    connection->timeout_ms = seconds ? (int)(seconds > 86400 ? 86400 : seconds) * 1000 : -1;
    if (pvio && pvio->methods->set_timeout)
        pvio->methods->set_timeout(pvio, PVIO_READ_TIMEOUT, (int)seconds);
}

/* ---- statements ---- */

static bool input_is_used_up(struct connection *connection, struct error *err)
{
    if (connection->start == connection->input.size)
        return true;
    return error_set(err, ERROR_RETRY, "the reply before was not read to its end");
}

static bool run_statement(struct connection *connection, struct bytes sql, struct error *err)
{
    if (!input_is_used_up(connection, err))
        return false;
    if (mysql_real_query(&connection->mysql, (const char *)sql.data, sql.size) != 0)
        return failed(connection, err);
    return true;
}

static void result_cleanup(MYSQL_RES **result) { mysql_free_result(*result); }

static void copy_row(MYSQL_RES *from, MYSQL_ROW row, struct arena *arena, struct bytes *cells,
                     uint32_t count)
{
    const unsigned long *sizes = mysql_fetch_lengths(from);
    for (uint32_t i = 0; i < count; i++)
        cells[i] = row[i] ? arena_copy(arena, (struct bytes){ (const uint8_t *)row[i], sizes[i] })
                          : (struct bytes){ NULL, 0 };
}

static bool collect_rows(struct connection *connection, MYSQL_RES *from, uint32_t limit,
                         struct arena *arena, struct result *result, struct error *err)
{
    uint32_t columns = mysql_num_fields(from), count = 0, capacity = 16;
    struct bytes *cells = arena_array(arena, (size_t)capacity * columns, sizeof *cells);
    MYSQL_ROW row;
    while ((row = mysql_fetch_row(from))) {
        if (count == limit)
            return error_set(err, ERROR_DATA, "a statement gave more than %u rows", limit);
        if (count == capacity) {
            struct bytes *more = arena_array(arena, (size_t)capacity * 2 * columns, sizeof *more);
            memcpy(more, cells, (size_t)count * columns * sizeof *cells);
            cells = more;
            capacity *= 2;
        }
        copy_row(from, row, arena, cells + (size_t)count * columns, columns);
        count++;
    }
    if (mysql_errno(&connection->mysql))
        return failed(connection, err);
    *result = (struct result){ cells, columns, count };
    return true;
}

bool connection_query(struct connection *connection, struct bytes sql, uint32_t limit,
                      struct arena *arena, struct result *result, struct error *err)
{
    if (!run_statement(connection, sql, err))
        return false;
    CLEANUP(result_cleanup) MYSQL_RES *rows = mysql_use_result(&connection->mysql);
    if (!rows) {
        if (mysql_field_count(&connection->mysql) != 0)
            return failed(connection, err);
        *result = (struct result){ 0 };
        return true;
    }
    return collect_rows(connection, rows, limit ? limit : RESULT_ROWS_MAX, arena, result, err);
}

bool connection_execute(struct connection *connection, struct error *err, const char *format, ...)
{
    struct arena scratch = { 0 };
    char text[4096];
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int size = vsnprintf(text, sizeof text, format, args);
    ASSERT(size >= 0);
    char *sql = text;
    if ((size_t)size >= sizeof text) {
        sql = arena_alloc(&scratch, (size_t)size + 1);
        vsnprintf(sql, (size_t)size + 1, format, again);
    }
    va_end(again);
    va_end(args);
    struct result ignored;
    bool good = connection_query(connection, (struct bytes){ (uint8_t *)sql, (size_t)size }, 0,
                                 &scratch, &ignored, err);
    arena_done(&scratch);
    return good;
}

/* ---- raw packets ---- */

/* Bytes that the library took from the socket along with an earlier reply. */
static void adopt_library_cache(struct connection *connection)
{
    MARIADB_PVIO *pvio = connection->mysql.net.pvio;
    if (!pvio || !pvio->cache || pvio->cache + pvio->cache_size <= pvio->cache_pos)
        return;
    size_t size = (size_t)(pvio->cache + pvio->cache_size - pvio->cache_pos);
    buf_put(&connection->input, pvio->cache_pos, size);
    pvio->cache_pos = pvio->cache + pvio->cache_size;
}

bool connection_command(struct connection *connection, uint8_t command, struct bytes payload,
                        struct error *err)
{
    MYSQL *mysql = &connection->mysql;
    if (!input_is_used_up(connection, err))
        return false;
    if (!mysql->net.pvio)
        return broken(connection, err, "it is closed");
    if (mysql->methods->db_command(mysql, (enum enum_server_command)command,
                                   (const char *)payload.data, payload.size, 1, NULL) != 0)
        return failed(connection, err);
    connection->sequence = (uint8_t)mysql->net.pkt_nr;
    buf_reset(&connection->input);
    connection->start = 0;
    return true;
}

/* Makes room behind what is left, moving it to the front; gives back what one huge packet took. */
static bool make_room(struct connection *connection, size_t want)
{
    struct buf *input = &connection->input;
    size_t left = input->size - connection->start;
    if (left == 0 && input->capacity > INPUT_KEPT_MAX && want <= INPUT_SIZE) {
        buf_done(input);
        buf_init(input, packet_max + INPUT_SIZE);
    } else if (left > 0 && connection->start > 0) {
        memmove(input->data, input->data + connection->start, left);
    }
    input->size = left;
    connection->start = 0;
    size_t room = want > left ? want - left : 0;
    return buf_reserve(input, room > INPUT_SIZE ? room : INPUT_SIZE) != NULL;
}

/* A server sends in pieces of 16 KB, and a wake-up for each costs more than to read it: while much
 * flows, the next ones gather in the socket's buffer. */
static bool let_gather(struct connection *connection)
{
    if (connection->flowed < GATHER_BYTES)
        return false;
    connection->flowed = 0;
    clock_sleep_us(GATHER_US);
    return true;
}

static bool read_socket(struct connection *connection, struct error *err)
{
    struct buf *input = &connection->input;
    int fd = atomic_load(&connection->socket);
    for (;;) {
        ssize_t got =
            recv(fd, input->data + input->size, input->capacity - input->size, MSG_DONTWAIT);
        if (got > 0) {
            input->size += (size_t)got;
            connection->flowed += (size_t)got;
            return true;
        }
        if (got == 0)
            return broken(connection, err, "the server closed it");
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return broken(connection, err, strerror(errno));
        if (let_gather(connection))
            continue;
        struct pollfd ready = { .fd = fd, .events = POLLIN };
        int count = poll(&ready, 1, connection->timeout_ms);
        if (count == 0)
            return broken(connection, err, "nothing came, not even a heartbeat");
    }
}

/* At least `want` bytes from `start` on. */
static bool fill(struct connection *connection, size_t want, struct error *err)
{
    struct buf *input = &connection->input;
    if (input->size - connection->start >= want)
        return true;
    if (!make_room(connection, want))
        return error_code(err, ERROR_DATA, 2020, "a packet is larger than 1 GiB");
    while (input->size - connection->start < want)
        if (!read_socket(connection, err))
            return false;
    return true;
}

static bool take_header(struct connection *connection, const uint8_t *at, size_t *size,
                        struct error *err)
{
    *size = (size_t)at[0] | (size_t)at[1] << 8 | (size_t)at[2] << 16;
    if (at[3] != connection->sequence)
        return broken(connection, err, "packets out of order");
    connection->sequence++;
    return true;
}

/* Joins what follows a full packet by moving each next payload down over its header. */
static bool join_packets(struct connection *connection, size_t *total, struct error *err)
{
    size_t size = *total;
    while (size == PACKET_FULL) {
        if (!fill(connection, 4 + *total + 4, err))
            return false;
        if (!take_header(connection, connection->input.data + connection->start + 4 + *total, &size,
                         err) ||
            !fill(connection, 4 + *total + 4 + size, err))
            return false;
        uint8_t *end = connection->input.data + connection->start + 4 + *total;
        size_t behind = (size_t)(connection->input.data + connection->input.size - (end + 4));
        memmove(end, end + 4, behind);
        connection->input.size -= 4;
        *total += size;
    }
    return true;
}

static bool read_plain(struct connection *connection, struct bytes *packet, struct error *err)
{
    size_t size;
    if (!fill(connection, 4, err) ||
        !take_header(connection, connection->input.data + connection->start, &size, err) ||
        !fill(connection, 4 + size, err) || !join_packets(connection, &size, err))
        return false;
    *packet = (struct bytes){ connection->input.data + connection->start + 4, size };
    connection->start += 4 + size;
    return true;
}

static bool read_library(struct connection *connection, struct bytes *packet, struct error *err)
{
    unsigned long size = mysql_net_read_packet(&connection->mysql);
    if ((unsigned int)size == (unsigned int)packet_error)
        return failed(connection, err);
    *packet = (struct bytes){ connection->mysql.net.read_pos, size };
    return true;
}

static bool error_packet(struct connection *connection, struct bytes packet, struct error *err)
{
    if (atomic_load(&connection->interrupted))
        return error_set(err, ERROR_STOP, "interrupted");
    int code = packet.data[1] | packet.data[2] << 8;
    struct bytes text = { packet.data + 3, packet.size - 3 };
    if (text.size >= 6 && text.data[0] == '#') {
        text.data += 6;
        text.size -= 6;
    }
    return connection_failure(err, code, text);
}

bool connection_packet(struct connection *connection, struct bytes *packet, struct error *err)
{
    if (!connection->mysql.net.pvio)
        return broken(connection, err, "it is closed");
    struct bytes got;
    if (connection_is_tls(connection)) {
        if (!read_library(connection, &got, err))
            return false;
    } else {
        if (connection->start == connection->input.size) {
            buf_reset(&connection->input);
            connection->start = 0;
            adopt_library_cache(connection);
        }
        if (!read_plain(connection, &got, err))
            return false;
    }
    if (got.size >= 3 && got.data[0] == 0xff)
        return error_packet(connection, got, err);
    connection->heard_us = clock_now_us();
    *packet = got;
    return true;
}

bool connection_is_silent(const struct connection *connection)
{
    return connection->timeout_ms > 0 &&
           clock_now_us() - connection->heard_us > (int64_t)connection->timeout_ms * 1000;
}

static bool is_buffered(const struct connection *connection)
{
    const MARIADB_PVIO *pvio = connection->mysql.net.pvio;
    if (connection->start < connection->input.size)
        return true;
    if (pvio->cache && pvio->cache + pvio->cache_size > pvio->cache_pos)
        return true;
    /* With another TLS library nobody can be asked: the read that follows waits for a heartbeat. */
    return pvio->ctls && (!connection->library_tls || SSL_pending(pvio->ctls->ssl) > 0);
}

bool connection_wait(struct connection *connection, int timeout_ms)
{
    if (!connection->mysql.net.pvio || is_buffered(connection))
        return true;
    let_gather(connection);
    int64_t end_us = clock_now_us() + (int64_t)timeout_ms * 1000;
    struct pollfd ready = { .fd = atomic_load(&connection->socket), .events = POLLIN };
    for (;;) {
        int count = poll(&ready, 1, timeout_ms);
        if (count >= 0 || errno != EINTR)
            return count != 0;
        if (timeout_ms >= 0) {
            int64_t left_us = end_us - clock_now_us();
            timeout_ms = left_us > 0 ? (int)(left_us / 1000) : 0;
        }
    }
}

/* ---- quoting ---- */

void mysql_quote_identifier(struct buf *out, struct bytes name)
{
    buf_u8(out, '`');
    for (size_t i = 0; i < name.size; i++) {
        if (name.data[i] == '`')
            buf_u8(out, '`');
        buf_u8(out, name.data[i]);
    }
    buf_u8(out, '`');
}

void mysql_quote_text(struct buf *out, struct bytes text)
{
    static const char digits[] = "0123456789abcdef";
    if (text.size == 0) {
        buf_text(out, "_utf8mb4''");
        return;
    }
    buf_text(out, "_utf8mb4 0x");
    for (size_t i = 0; i < text.size; i++) {
        buf_u8(out, (uint8_t)digits[text.data[i] >> 4]);
        buf_u8(out, (uint8_t)digits[text.data[i] & 15]);
    }
}
