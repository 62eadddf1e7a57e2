/* SPDX-License-Identifier: Apache-2.0
 *
 * One HTTP connection of a sink, kept alive between requests. Bodies are pulled from the caller
 * while they are sent, so that a load is never copied as a whole. One thread, except
 * http_interrupt().
 *
 * Kinds of error: ERROR_RETRY nothing of a body left us; ERROR_UNKNOWN the request was under way
 * and its answer did not come; ERROR_CONFIG the URL or TLS; ERROR_STOP interrupted. A reply with
 * any status is a success here: what it means is the driver's. */
#pragma once

#include "engine/base/arena.h"
#include "engine/base/buf.h"
#include "engine/base/error.h"

struct http;

struct http_options {
    struct bytes ca, cert, key; /* files, PEM, NUL-terminated; empty: the system's, or none */
    bool verify;                /* the server's certificate and its name */
    int64_t connect_timeout_ms;
};

struct http_request {
    const char *url;                                           /* without user and password */
    const char *const *headers;                                /* "Name: value", ends with NULL */
    bool get;                                                  /* no body */
    struct bytes data;                                         /* the body, when `read` is NULL */
    size_t (*read)(void *context, uint8_t *room, size_t size); /* 0: the end */
    void (*rewind)(void *context);                             /* from the start again */
    void *context;
    int64_t
        timeout_ms; /* of the whole request; 0: none, the connection is watched by keep-alives */
};

struct http_reply {
    long status;
    struct bytes body; /* valid until the next request */
};

/* Takes memory from `arena`; http_close before the arena goes. */
bool http_open(const struct http_options *options, struct arena *arena, struct http **out,
               struct error *err);
bool http_send(struct http *http, const struct http_request *request, struct http_reply *reply,
               struct error *err);
/* A header of the last reply, data NULL when it had none. Names compare without case. */
struct bytes http_header(const struct http *http, const char *name);
/* Any thread: the request under way and all later ones fail with ERROR_STOP. */
void http_interrupt(struct http *http);
void http_close(struct http *http); /* NULL is fine */

/* Appends `text` as a part of a query string: all but letters, digits and "-._~" as %XX. */
void http_escape(struct buf *out, struct bytes text);
