/* SPDX-License-Identifier: Apache-2.0
 *
 * libmicrohttpd with one thread of its own, a bounded number of connections and a timeout: a slow
 * or silent client holds nothing up. Nothing here changes anything, so there is nobody to log in;
 * what protects the texts is the loopback address, and the look at the Host header, without which
 * any web page could read them through the user's browser. */
#include "agent/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include <microhttpd.h>

#include "agent/report.h"
#include "engine/base/cleanup.h"
#include "engine/base/log.h"

enum {
    CONNECTIONS_MAX = 32,
    TIMEOUT_S = 10,
    CONNECTION_MEMORY = 16 * 1024,
    BODY_MAX = 64 * 1024 * 1024
};

struct http {
    struct MHD_Daemon *daemon;
    const struct running_set *set;
    bool loopback;
};

/* ---- addresses ---- */

static bool port_read(const char *text, uint16_t *port)
{
    char *end = NULL;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (errno || end == text || *end || text[0] < '0' || text[0] > '9' || number < 1 ||
        number > 65535)
        return false;
    *port = (uint16_t)number;
    return true;
}

static bool ip_read(const char *host, uint16_t port, struct http_address *out)
{
    struct http_address address = { 0 };
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
    if (inet_pton(AF_INET, host, &v4.sin_addr) == 1) {
        memcpy(&address.socket, &v4, sizeof v4);
        address.size = sizeof v4;
        address.loopback = ntohl(v4.sin_addr.s_addr) >> 24 == 127;
    } else if (inet_pton(AF_INET6, host, &v6.sin6_addr) == 1) {
        memcpy(&address.socket, &v6, sizeof v6);
        address.size = sizeof v6;
        address.loopback = IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
    } else {
        return false;
    }
    *out = address;
    return true;
}

/* host:port, [host]:port or host alone, the host without brackets. */
static bool host_split(const char *text, char *host, size_t size, const char **port)
{
    const char *start = text, *end, *colon;
    if (*text == '[') {
        start = text + 1;
        end = strchr(text, ']');
        if (!end || (end[1] != ':' && end[1] != '\0'))
            return false;
        colon = end[1] == ':' ? end + 1 : NULL;
    } else {
        colon = strrchr(text, ':');
        end = colon ? colon : text + strlen(text);
    }
    if ((size_t)(end - start) >= size)
        return false;
    memcpy(host, start, (size_t)(end - start));
    host[end - start] = '\0';
    *port = colon ? colon + 1 : NULL;
    return true;
}

bool http_address(struct bytes text, struct http_address *out, struct error *err)
{
    char whole[80], host[64];
    const char *port_text = NULL;
    uint16_t port = 0;
    snprintf(whole, sizeof whole, "%.*s", BYTES_ARGS(text));
    if (port_read(whole, &port) && ip_read("127.0.0.1", port, out))
        return true;
    if (text.size < sizeof whole && host_split(whole, host, sizeof host, &port_text) && port_text &&
        port_read(port_text, &port) &&
        ip_read(strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, port, out))
        return true;
    return error_set(err, ERROR_CONFIG,
                     "http.listen must be an address and a port like 127.0.0.1:8040, or none, but "
                     "is '%s'",
                     whole);
}

bool http_host_allowed(const char *host_header, bool loopback)
{
    char host[64];
    const char *port = NULL;
    struct http_address address;
    if (!host_header || !host_split(host_header, host, sizeof host, &port))
        return false;
    if (ip_read(host, 0, &address) || strcasecmp(host, "localhost") == 0)
        return true;
    /* Names without a dot cannot be had from a public registry: containers call each other so. */
    return !loopback && *host && !strchr(host, '.') && !strchr(host, ':');
}

/* ---- answers ---- */

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *type,
                              struct bytes body)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        body.size, (void *)(uintptr_t)body.data, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer_text(struct MHD_Connection *connection, unsigned status,
                                   const char *text)
{
    return answer(connection, status, "text/plain; charset=utf-8", bytes_from(text));
}

static enum MHD_Result answer_path(const struct http *http, struct MHD_Connection *connection,
                                   const char *path)
{
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, BODY_MAX);
    const char *type = "text/plain; charset=utf-8";
    unsigned status = MHD_HTTP_OK;
    if (strcmp(path, "/healthz") == 0) {
        if (!report_health(http->set, &body))
            status = MHD_HTTP_SERVICE_UNAVAILABLE;
    } else if (strcmp(path, "/metrics") == 0) {
        type = "text/plain; version=0.0.4; charset=utf-8";
        report_metrics(http->set, &body);
    } else if (strcmp(path, "/status") == 0) {
        type = "application/json";
        report_status(http->set, &body);
    } else {
        return answer_text(connection, MHD_HTTP_NOT_FOUND,
                           "there are /healthz, /metrics and /status\n");
    }
    if (body.failed)
        return answer_text(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "too many tables\n");
    return answer(connection, status, type, buf_view(&body));
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
                                  const char *path, const char *method, const char *version,
                                  const char *upload, size_t *upload_size, void **state)
{
    (void)version, (void)upload, (void)upload_size, (void)state;
    const struct http *http = context;
    const char *host =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);
    if (!http_host_allowed(host, http->loopback))
        return answer_text(connection, MHD_HTTP_FORBIDDEN,
                           "this Host is not served: ask by address or as localhost\n");
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return answer_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
    return answer_path(http, connection, path);
}

/* ---- the server ---- */

/* What a client did wrong is of no interest. */
__attribute__((format(printf, 2, 0))) static void on_log(void *context, const char *format,
                                                         va_list args)
{
    (void)context, (void)format, (void)args;
}

bool http_start(const struct http_address *address, const struct running_set *set,
                struct http **out, struct error *err)
{
    static struct http http; /* one a process */
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_ERROR_LOG;
    if (address->socket.ss_family == AF_INET6)
        flags |= MHD_USE_IPv6;
    http = (struct http){ .set = set, .loopback = address->loopback };
    errno = 0;
    http.daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, &http, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
        MHD_OPTION_SOCK_ADDR, &address->socket, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)TIMEOUT_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY, MHD_OPTION_END);
    if (!http.daemon)
        return error_code(err, ERROR_CONFIG, errno, "http.listen: cannot listen there: %s",
                          errno ? strerror(errno) : "no reason given");
    *out = &http;
    return true;
}

void http_stop(struct http *http)
{
    if (!http)
        return;
    MHD_stop_daemon(http->daemon);
    http->daemon = NULL;
}
