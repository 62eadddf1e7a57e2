/* SPDX-License-Identifier: Apache-2.0
 *
 * /healthz, /metrics and /status on one address. Reads only. */
#pragma once

#include <sys/socket.h>

#include "agent/running.h"
#include "engine/base/bytes.h"

struct http;

struct http_address {
    struct sockaddr_storage socket;
    socklen_t size;
    bool loopback;
};

/* "127.0.0.1:8040", "[::1]:8040", "localhost:8040", "8040" (loopback). Only literal addresses:
 * a name could mean another interface tomorrow. ERROR_CONFIG. */
bool http_address(struct bytes text, struct http_address *out, struct error *err);

/* Is this Host header one that a person or a monitoring system would send, and not a web page of
 * somebody else's whose name was pointed here (DNS rebinding)? */
bool http_host_allowed(const char *host, bool loopback);

/* `set` must outlive the server. ERROR_CONFIG: the address is taken or not ours. */
bool http_start(const struct http_address *address, const struct running_set *set,
                struct http **out, struct error *err);
void http_stop(struct http *http); /* NULL is fine */
