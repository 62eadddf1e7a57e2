/* SPDX-License-Identifier: Apache-2.0
 *
 * The HTTP client and the ClickHouse sink's INSERT against a server that breaks off, hangs, lies or
 * talks at length: a thread that plays one scripted part a connection. */
#include "tests/unit/sinks/fixture.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "sinks/clickhouse/server.h"
#include "sinks/http.h"

enum part_kind {
    PART_REPLY,        /* reads the request to its end, answers `text` */
    PART_BREAK_OFF,    /* reads `bytes` of the request, closes */
    PART_SILENT,       /* reads everything, never answers */
    PART_REPLY_AND_GO, /* answers, then closes the connection without saying so */
};

struct part {
    enum part_kind kind;
    const char *text;
    size_t bytes;
};

struct stand_in {
    int listener;
    uint16_t port;
    pthread_t thread;
    const struct part *parts;
    size_t count;
    char request[4096]; /* the beginning of the last one */
    size_t requests;
    char url[64];
};

static bool request_ended(const char *request, size_t size)
{
    const char *headers = memmem(request, size, "\r\n\r\n", 4);
    if (!headers)
        return false;
    if (memmem(request, size, "chunked", 7))
        return size >= 5 && memcmp(request + size - 5, "0\r\n\r\n", 5) == 0;
    const char *length = memmem(request, size, "Content-Length: ", 16);
    size_t wanted = length ? (size_t)strtoul(length + 16, NULL, 10) : 0;
    return size - (size_t)(headers + 4 - request) >= wanted;
}

/* False: the client closed. */
static bool stand_in_read(struct stand_in *self, int client, size_t limit)
{
    static char room[1 << 22];
    size_t size = 0;
    while (size < limit && size < sizeof room && !request_ended(room, size)) {
        ssize_t got = read(client, room + size, limit - size < 65536 ? limit - size : 65536);
        if (got <= 0)
            return false;
        size += (size_t)got;
    }
    size_t kept = size < sizeof self->request - 1 ? size : sizeof self->request - 1;
    memcpy(self->request, room, kept);
    self->request[kept] = '\0';
    self->requests++;
    return true;
}

static void stand_in_play(struct stand_in *self, int client, const struct part *part)
{
    if (!stand_in_read(self, client, part->kind == PART_BREAK_OFF ? part->bytes : SIZE_MAX))
        return;
    if (part->kind == PART_REPLY || part->kind == PART_REPLY_AND_GO)
        assert_true(write(client, part->text, strlen(part->text)) > 0);
    if (part->kind == PART_SILENT) {
        struct pollfd gone = { .fd = client, .events = POLLIN };
        poll(&gone, 1, 5000);
    }
}

static void *stand_in_main(void *context)
{
    struct stand_in *self = context;
    for (size_t i = 0; i < self->count;) {
        int client = accept(self->listener, NULL, NULL);
        if (client < 0)
            return NULL;
        do /* parts that leave the connection open are played on the same one */
            stand_in_play(self, client, &self->parts[i]);
        while (self->parts[i++].kind == PART_REPLY && i < self->count);
        struct linger at_once = { .l_onoff = self->parts[i - 1].kind == PART_BREAK_OFF };
        setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        close(client);
    }
    return NULL;
}

static void stand_in_start(struct stand_in *self, const struct part *parts, size_t count)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    *self = (struct stand_in){ .parts = parts, .count = count };
    self->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(self->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(self->listener, 8), 0);
    getsockname(self->listener, (struct sockaddr *)&address, &size);
    self->port = ntohs(address.sin_port);
    snprintf(self->url, sizeof self->url, "http://127.0.0.1:%u", self->port);
    assert_int_equal(pthread_create(&self->thread, NULL, stand_in_main, self), 0);
}

static void stand_in_stop(struct stand_in *self)
{
    shutdown(self->listener, SHUT_RDWR);
    pthread_join(self->thread, NULL);
    close(self->listener);
}

#define REPLY_OK "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-Word: one \r\n\r\nyes"
#define REPLY_CODE(status, code, body)                                                             \
    "HTTP/1.1 " status "\r\nX-ClickHouse-Exception-Code: " code "\r\nConnection: "                 \
    "close\r\n\r\n" body

/* ---- the client ---- */

static size_t read_x(void *context, uint8_t *room, size_t size)
{
    size_t *left = context;
    size_t taken = *left < size ? *left : size;
    memset(room, 'x', taken);
    *left -= taken;
    return taken;
}

static size_t rewound_to;
static void rewind_x(void *context) { *(size_t *)context = rewound_to; }

static struct http *client_open(struct arena *arena)
{
    struct http *http;
    struct error err;
    const struct http_options options = { .connect_timeout_ms = 2000, .verify = true };
    assert_true(http_open(&options, arena, &http, &err));
    return http;
}

static void test_outcomes(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct part part;
        size_t upload; /* 0: a plain body */
        enum error_kind kind;
    } cases[] = {
        { "a reply", { PART_REPLY, REPLY_OK, 0 }, 0, ERROR_NONE },
        { "a reply to an upload", { PART_REPLY, REPLY_OK, 0 }, 3000000, ERROR_NONE },
        { "an error is a reply",
          { PART_REPLY, "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", 0 },
          0,
          ERROR_NONE },
        { "cut off in the upload", { PART_BREAK_OFF, NULL, 100000 }, 3000000, ERROR_UNKNOWN },
        { "no answer", { PART_SILENT, NULL, 0 }, 3000000, ERROR_UNKNOWN },
        { "no answer to a plain body", { PART_SILENT, NULL, 0 }, 0, ERROR_UNKNOWN },
        { "an answer cut off",
          { PART_REPLY_AND_GO, "HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\nyes", 0 },
          3000,
          ERROR_UNKNOWN },
        { "an answer cut off in its headers",
          { PART_REPLY_AND_GO, "HTTP/1.1 200 OK\r\nContent-Type: text/pl", 0 },
          3000,
          ERROR_UNKNOWN },
        { "a question's answer cut off behind its first line",
          { PART_REPLY_AND_GO, "HTTP/1.1 200 OK\r\n", 0 },
          0,
          ERROR_UNKNOWN },
        { "not HTTP", { PART_REPLY_AND_GO, "220 mail.example ESMTP\r\n", 0 }, 3000, ERROR_CONFIG },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct arena arena = { 0 };
        struct stand_in server;
        struct error err = { 0 };
        struct http_reply reply = { 0 };
        size_t left = cases[i].upload;
        print_message("%s\n", cases[i].name);
        stand_in_start(&server, &cases[i].part, 1);
        struct http *http = client_open(&arena);
        const char *const headers[] = { "X-Secret: word", NULL };
        struct http_request request = { .url = server.url,
                                        .headers = headers,
                                        .data = BYTES_LITERAL("SELECT 1"),
                                        .timeout_ms = 400 };
        if (left)
            request.read = read_x, request.rewind = rewind_x, request.context = &left;
        rewound_to = cases[i].upload;
        bool ok = http_send(http, &request, &reply, &err);
        if (ok != (cases[i].kind == ERROR_NONE))
            fail_msg("%s: %s", cases[i].name, err.message);
        assert_int_equal(err.kind, cases[i].kind);
        assert_null(strstr(err.message, "word"));
        http_close(http);
        stand_in_stop(&server);
        arena_done(&arena);
    }
}

static void test_nobody_there(void **state)
{
    (void)state;
    struct arena arena = { 0 };
    struct error err;
    struct http_reply reply;
    struct http *http = client_open(&arena);
    struct http_request request = { .url = "http://127.0.0.1:1/", .data = BYTES_LITERAL("x") };
    assert_false(http_send(http, &request, &reply, &err));
    assert_int_equal(err.kind, ERROR_RETRY);
    request.url = "http://no-such-host.invalid/";
    assert_false(http_send(http, &request, &reply, &err));
    assert_int_equal(err.kind, ERROR_RETRY);
    request.url = "ftp://127.0.0.1/";
    assert_false(http_send(http, &request, &reply, &err));
    assert_int_equal(err.kind, ERROR_CONFIG);
    http_close(http);
    arena_done(&arena);
}

/* The server closes an idle connection: the next request goes out on a new one, body and all. */
static void test_idle_close(void **state)
{
    (void)state;
    static const struct part parts[] = { { PART_REPLY_AND_GO, REPLY_OK, 0 },
                                         { PART_REPLY, REPLY_OK, 0 } };
    struct arena arena = { 0 };
    struct stand_in server;
    struct error err;
    struct http_reply reply;
    stand_in_start(&server, parts, 2);
    struct http *http = client_open(&arena);
    for (int i = 0; i < 2; i++) {
        size_t left = rewound_to = 100000;
        struct http_request request = { .url = server.url,
                                        .read = read_x,
                                        .rewind = rewind_x,
                                        .context = &left,
                                        .timeout_ms = 3000 };
        if (!http_send(http, &request, &reply, &err))
            fail_msg("%s", err.message);
        assert_int_equal(reply.status, 200);
        assert_true(bytes_is(reply.body, "yes"));
        assert_true(bytes_is(http_header(http, "x-word"), "one"));
        assert_null(http_header(http, "X-Wor").data);
        usleep(50000);
    }
    assert_int_equal(server.requests, 2);
    http_close(http);
    stand_in_stop(&server);
    arena_done(&arena);
}

static void *interrupt_later(void *http)
{
    usleep(100000);
    http_interrupt(http);
    return NULL;
}

static void test_interrupt(void **state)
{
    (void)state;
    static const struct part part = { PART_SILENT, NULL, 0 };
    struct arena arena = { 0 };
    struct stand_in server;
    struct error err;
    struct http_reply reply;
    pthread_t thread;
    stand_in_start(&server, &part, 1);
    struct http *http = client_open(&arena);
    struct http_request request = { .url = server.url, .data = BYTES_LITERAL("x") };
    int64_t begun_us = clock_now_us();
    assert_int_equal(pthread_create(&thread, NULL, interrupt_later, http), 0);
    assert_false(http_send(http, &request, &reply, &err));
    assert_int_equal(err.kind, ERROR_STOP);
    assert_true(clock_now_us() - begun_us < 1000000);
    pthread_join(thread, NULL);
    assert_false(http_send(http, &request, &reply, &err)); /* for good */
    assert_int_equal(err.kind, ERROR_STOP);
    http_close(http);
    stand_in_stop(&server);
    arena_done(&arena);
}

static void test_escape(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 100);
    http_escape(&out, BYTES_LITERAL("aZ09-._~ &=?%\0\xc3\xa9"));
    assert_true(bytes_is(buf_view(&out), "aZ09-._~%20%26%3D%3F%25%00%C3%A9"));
    buf_done(&out);
}

/* ---- what the ClickHouse sink makes of a server's answers ---- */

static size_t insert_left;

static bool insert_into(struct stand_in *server, const struct part *part, struct error *err)
{
    struct arena arena = { 0 };
    struct clickhouse_server client;
    struct clickhouse_options options = fixture_options();
    struct clickhouse_upload upload = { .read = read_x,
                                        .rewind = rewind_x,
                                        .context = &insert_left,
                                        .encoding = "Content-Encoding: lz4" };
    stand_in_start(server, part, 1);
    struct bytes url = bytes_from(server->url);
    options.urls = (struct setting_list){ &url, 1 };
    options.password = BYTES_LITERAL("s3cret");
    options.request_timeout_ms = 400;
    assert_true(server_open(&client, &options, &arena, err));
    buf_text(server_sql(&client), "INSERT INTO `a`.`b` FORMAT Native");
    insert_left = rewound_to = 1000;
    *err = (struct error){ .kind = ERROR_NONE };
    bool ok = server_insert(&client, BYTES_LITERAL("&insert_deduplication_token=x"), &upload, err);
    server_close(&client);
    stand_in_stop(server);
    arena_done(&arena);
    return ok;
}

static void test_insert_answers(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct part part;
        enum error_kind kind;
        int code;
        const char *message; /* in it */
    } cases[] = {
        { "stored", { PART_REPLY, REPLY_OK, 0 }, ERROR_NONE, 0, "" },
        { "too many parts",
          { PART_REPLY,
            REPLY_CODE("500 E", "252",
                       "Code: 252. DB::Exception: Too many. (TOO_MANY_PARTS)"
                       " (version 26.7)\n"),
            0 },
          ERROR_RETRY,
          252,
          "(TOO_MANY_PARTS)" },
        { "values are not shown",
          { PART_REPLY,
            REPLY_CODE("400 E", "691",
                       "Code: 691. DB::Exception: Unknown element 'row data'"
                       " for enum"),
            0 },
          ERROR_DATA,
          691,
          "Unknown element '' for enum" },
        { "a code, though the status is 200",
          { PART_REPLY, REPLY_CODE("200 OK", "241", "Code: 241."), 0 },
          ERROR_RETRY,
          241,
          "241" },
        { "unknown status",
          { PART_REPLY, REPLY_CODE("500 E", "319", "x"), 0 },
          ERROR_UNKNOWN,
          319,
          "x" },
        { "a proxy in between",
          { PART_REPLY, "HTTP/1.1 502 Bad\r\nConnection: close\r\n\r\nBad gateway", 0 },
          ERROR_UNKNOWN,
          0,
          "502" },
        { "another kind of server",
          { PART_REPLY, "HTTP/1.1 404 No\r\nConnection: close\r\n\r\n<html>", 0 },
          ERROR_CONFIG,
          0,
          "no ClickHouse" },
        { "refused",
          { PART_REPLY, REPLY_CODE("403 E", "516", "Code: 516. Authentication failed"), 0 },
          ERROR_CONFIG,
          516,
          "Authentication" },
        { "the reply is lost", { PART_SILENT, NULL, 0 }, ERROR_UNKNOWN, 0, "127.0.0.1" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct stand_in server;
        struct error err;
        print_message("%s\n", cases[i].name);
        assert_int_equal(insert_into(&server, &cases[i].part, &err), cases[i].kind == ERROR_NONE);
        assert_int_equal(err.kind, cases[i].kind);
        assert_int_equal(err.code, cases[i].code);
        if (cases[i].kind != ERROR_NONE && !strstr(err.message, cases[i].message))
            fail_msg("'%s' is not in '%s'", cases[i].message, err.message);
        assert_null(strstr(err.message, "row data"));
        assert_null(strstr(err.message, "s3cret"));
    }
}

static void test_insert_request(void **state)
{
    (void)state;
    static const struct part part = { PART_REPLY, REPLY_OK, 0 };
    struct stand_in server;
    struct error err;
    assert_true(insert_into(&server, &part, &err));
    char *end = strstr(server.request, "\r\n");
    assert_non_null(end);
    assert_null(memmem(server.request, (size_t)(end - server.request), "s3cret", 6));
    assert_non_null(strstr(server.request,
                           "POST /?wait_end_of_query=1&insert_deduplication_token=x&"
                           "query=INSERT%20INTO%20%60a%60.%60b%60%20FORMAT%20Native "));
    assert_non_null(strstr(server.request, "X-ClickHouse-User: default\r\n"));
    assert_non_null(strstr(server.request, "X-ClickHouse-Key: s3cret\r\n"));
    assert_non_null(strstr(server.request, "Content-Encoding: lz4\r\n"));
    assert_null(strstr(server.request, "Expect:"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outcomes),       cmocka_unit_test(test_nobody_there),
        cmocka_unit_test(test_idle_close),     cmocka_unit_test(test_interrupt),
        cmocka_unit_test(test_escape),         cmocka_unit_test(test_insert_answers),
        cmocka_unit_test(test_insert_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
