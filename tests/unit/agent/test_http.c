/* SPDX-License-Identifier: Apache-2.0
 *
 * Addresses, hosts, and the server itself over a socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

#include "agent/http.h"
#include "engine/base/assert.h"

static const struct {
    const char *text;
    bool ok, loopback;
    int port;
} addresses[] = {
    { "127.0.0.1:8040", true, true, 8040 },
    { "127.1.2.3:1", true, true, 1 },
    { "8040", true, true, 8040 },
    { "localhost:65535", true, true, 65535 },
    { "0.0.0.0:8040", true, false, 8040 },
    { "10.0.0.7:8040", true, false, 8040 },
    { "[::1]:8040", true, true, 8040 },
    { "[::]:8040", true, false, 8040 },
    { "", false, false, 0 },
    { "127.0.0.1", false, false, 0 },
    { "127.0.0.1:", false, false, 0 },
    { "127.0.0.1:0", false, false, 0 },
    { "127.0.0.1:65536", false, false, 0 },
    { "127.0.0.1:80x", false, false, 0 },
    { "127.0.0.1:-1", false, false, 0 },
    { "127.0.0.1: 80", false, false, 0 },
    { "999.0.0.1:80", false, false, 0 },
    { ":8040", false, false, 0 },
    { "example.org:80", false, false, 0 },
    { "[::1]8040", false, false, 0 },
    { "[::1:8040", false, false, 0 },
    { "11111111111111111111111111111111111111111111111111111111111111111111111111111111:80", false,
      false, 0 },
};

static void test_address(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
        struct http_address address = { 0 };
        struct error err = { 0 };
        print_message("%s\n", addresses[i].text);
        assert_int_equal(http_address(bytes_from(addresses[i].text), &address, &err),
                         addresses[i].ok);
        if (!addresses[i].ok) {
            assert_int_equal(err.kind, ERROR_CONFIG);
            continue;
        }
        assert_int_equal(address.loopback, addresses[i].loopback);
        struct sockaddr_in socket; /* the port stands at the same place in both families */
        memcpy(&socket, &address.socket, sizeof socket);
        assert_int_equal(ntohs(socket.sin_port), addresses[i].port);
    }
}

static const struct {
    const char *host;
    bool on_loopback, on_network;
} hosts[] = {
    { "127.0.0.1:8040", true, true },
    { "localhost", true, true },
    { "LOCALHOST:8040", true, true },
    { "[::1]:8040", true, true },
    { "10.1.2.3", true, true },
    { "millrace:8040", false, true },
    { "evil.example:8040", false, false },
    { "localhost.evil.example", false, false },
    { "127.0.0.1.evil.example", false, false },
    { "", false, false },
    { ":8040", false, false },
    { "[::1", false, false },
    { NULL, false, false },
};

static void test_host(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
        print_message("%s\n", hosts[i].host ? hosts[i].host : "(none)");
        assert_int_equal(http_host_allowed(hosts[i].host, true), hosts[i].on_loopback);
        assert_int_equal(http_host_allowed(hosts[i].host, false), hosts[i].on_network);
    }
}

/* A port that is free now. */
static int free_port(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    int file = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(file, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(file, (struct sockaddr *)&address, &size), 0);
    close(file);
    return ntohs(address.sin_port);
}

static void ask(const struct http_address *address, const char *request, char *reply, size_t size)
{
    int file = socket(AF_INET, SOCK_STREAM, 0);
    size_t used = 0;
    assert_int_equal(connect(file, (const struct sockaddr *)&address->socket, address->size), 0);
    assert_int_equal(write(file, request, strlen(request)), strlen(request));
    for (ssize_t got; (got = read(file, reply + used, size - 1 - used)) > 0;)
        used += (size_t)got;
    reply[used] = '\0';
    close(file);
}

#define END "\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
static const struct {
    const char *request, *status, *body;
} requests[] = {
    { "GET /healthz HTTP/1.1" END, "HTTP/1.1 200", "\r\n\r\nok\n" },
    { "HEAD /healthz HTTP/1.1" END, "HTTP/1.1 200", "Content-Length: 3" },
    { "GET /metrics HTTP/1.1" END, "HTTP/1.1 200", "millrace_up{pipeline=\"shop\"" },
    { "GET /status HTTP/1.1" END, "HTTP/1.1 200", "\"pipeline\":\"shop\"" },
    { "GET /status?x=1 HTTP/1.1" END, "HTTP/1.1 200", "\"pipeline\":\"shop\"" },
    { "GET / HTTP/1.1" END, "HTTP/1.1 404", "/healthz" },
    { "GET /../etc/passwd HTTP/1.1" END, "HTTP/1.1 404", "" },
    { "DELETE /status HTTP/1.1" END, "HTTP/1.1 405", "Allow: GET, HEAD" },
    { "POST /status HTTP/1.1\r\nContent-Length: 3" END "abc", "HTTP/1.1 405", "" },
    { "GET /status HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", "HTTP/1.1 403",
      "" },
    { "GET /status HTTP/1.0\r\n\r\n", "HTTP/1.1 403", "" },
};

static void test_server(void **state)
{
    (void)state;
    struct pipeline_metrics metrics;
    metrics_init(&metrics);
    struct running running = { .pipeline_name = "shop", .sink_name = "olap", .metrics = &metrics };
    struct running_set set = { &running, 1 };
    struct http_address address;
    struct http *http = NULL;
    struct error err = { 0 };
    char text[32], reply[65536];
    snprintf(text, sizeof text, "127.0.0.1:%d", free_port());
    assert_true(http_address(bytes_from(text), &address, &err));
    if (!http_start(&address, &set, &http, &err))
        fail_msg("%s", err.message);
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
        print_message("%.40s\n", requests[i].request);
        ask(&address, requests[i].request, reply, sizeof reply);
        if (strncmp(reply, requests[i].status, 12) != 0 || !strstr(reply, requests[i].body))
            fail_msg("%s", reply);
    }
    http_stop(http);
    metrics_done(&metrics);
}

static void test_taken(void **state)
{
    (void)state;
    struct running_set set = { NULL, 0 };
    struct http_address address;
    struct http *http = NULL;
    struct error err = { 0 };
    char text[32];
    int port = free_port();
    snprintf(text, sizeof text, "127.0.0.1:%d", port);
    assert_true(http_address(bytes_from(text), &address, &err));
    int file = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(file, (struct sockaddr *)&address.socket, address.size), 0);
    assert_int_equal(listen(file, 1), 0);
    assert_false(http_start(&address, &set, &http, &err));
    assert_int_equal(err.kind, ERROR_CONFIG);
    assert_non_null(strstr(err.message, "Address already in use"));
    close(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_address),
        cmocka_unit_test(test_host),
        cmocka_unit_test(test_server),
        cmocka_unit_test(test_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
