/* SPDX-License-Identifier: Apache-2.0
 *
 * POST <url>/subjects/<subject>/versions with {"schema":"<text>"} answers {"id":n}, the same again
 * for a schema that is there. Refusals come as {"error_code":..,"message":".."}. */
#include "sinks/kafka/registry.h"

#include <stdio.h>

#include "engine/base/json_write.h"
#include "schema/value_text.h"
#include "sinks/http.h"
#include "sinks/kafka/registry_reply.h"

enum { SUBJECT_MAX = 300, URL_LIMIT = 4096, BODY_LIMIT = 16 << 20, CREDENTIALS_LIMIT = 4096 };

struct registry {
    const struct kafka_options *options;
    struct http *http;
    struct buf url, body;
    const char *headers[4];
};

/* The header of a user and password, in the arena. */
static const char *authorization(const struct kafka_options *options, struct arena *arena)
{
    struct buf plain, header;
    buf_init(&plain, CREDENTIALS_LIMIT);
    buf_init(&header, 2 * CREDENTIALS_LIMIT);
    buf_bytes(&plain, options->registry_username);
    buf_u8(&plain, ':');
    buf_bytes(&plain, options->registry_password);
    buf_text(&header, "Authorization: Basic ");
    base64_text(buf_view(&plain), false, &header);
    const char *text = arena_text(arena, buf_view(&header));
    buf_done(&plain);
    buf_done(&header);
    return text;
}

bool registry_open(const struct kafka_options *options, struct arena *arena, struct registry **out,
                   struct error *err)
{
    struct registry *registry = arena_zalloc(arena, sizeof *registry);
    struct http_options http = { .ca = options->registry_ca,
                                 .cert = options->registry_cert,
                                 .key = options->registry_key,
                                 .verify = options->registry_verify == 0,
                                 .connect_timeout_ms = options->request_timeout_ms };
    registry->options = options;
    registry->headers[0] = "Content-Type: application/vnd.schemaregistry.v1+json";
    registry->headers[1] = "Accept: application/vnd.schemaregistry.v1+json, application/json";
    if (options->registry_username.size > 0)
        registry->headers[2] = authorization(options, arena);
    buf_init(&registry->url, URL_LIMIT);
    buf_init(&registry->body, BODY_LIMIT);
    if (!http_open(&http, arena, &registry->http, err))
        return error_context(err, "schema registry");
    *out = registry;
    return true;
}

void registry_close(struct registry *registry)
{
    if (!registry)
        return;
    http_close(registry->http);
    buf_done(&registry->url);
    buf_done(&registry->body);
}

/* The configured address, a path and all, without a slash at its end. */
static void begin_url(struct registry *registry)
{
    struct bytes url = registry->options->registry_url;
    while (url.size > 0 && url.data[url.size - 1] == '/')
        url.size--;
    buf_reset(&registry->url);
    buf_bytes(&registry->url, url);
}

static bool request(struct registry *registry, bool post, struct http_reply *reply,
                    struct error *err)
{
    buf_u8(&registry->url, '\0');
    struct http_request request = { .url = (const char *)registry->url.data,
                                    .headers = registry->headers,
                                    .data = buf_view(&registry->body),
                                    .get = !post,
                                    .timeout_ms = registry->options->request_timeout_ms };
    if (http_send(registry->http, &request, reply, err))
        return true;
    if (err->kind == ERROR_UNKNOWN)
        err->kind = ERROR_RETRY; /* registering again finds what is there */
    return error_context(err, "schema registry");
}

static bool refuse(const struct http_reply *reply, const char *what, struct error *err)
{
    char text[300];
    registry_refusal(reply->body, text, sizeof text);
    long status = reply->status;
    enum error_kind kind = status == 409 || status == 422                    ? ERROR_DATA
                           : status >= 500 || status == 429 || status == 408 ? ERROR_RETRY
                                                                             : ERROR_CONFIG;
    const char *cure =
        status == 409 ? "; allow the change with PUT <url>/config/<subject>, or give the topic "
                        "another name"
        : status == 401 || status == 403
            ? "; check schema.registry.username and schema.registry.password"
        : status == 404 ? "; check the path of schema.registry.url"
                        : "";
    return error_code(err, kind, (int)status, "schema registry: %s: status %ld: %.200s%s", what,
                      status, text, cure);
}

bool registry_ping(struct registry *registry, struct error *err)
{
    struct http_reply reply;
    begin_url(registry);
    buf_reset(&registry->body);
    buf_text(&registry->url, "/subjects");
    return request(registry, false, &reply, err) &&
           (reply.status == 200 || refuse(&reply, "listing subjects", err));
}

bool registry_register(struct registry *registry, struct bytes topic, const char *part,
                       struct bytes schema, uint32_t *id, struct error *err)
{
    struct http_reply reply;
    char what[SUBJECT_MAX];
    snprintf(what, sizeof what, "subject '%.*s-%s'", BYTES_ARGS(topic), part);
    begin_url(registry);
    buf_text(&registry->url, "/subjects/");
    http_escape(&registry->url, topic);
    buf_printf(&registry->url, "-%s/versions", part);
    buf_reset(&registry->body);
    struct json_writer json = json_writer_of(&registry->body);
    json_object(&json);
    json_member_string(&json, "schema", schema);
    json_object_end(&json);
    return request(registry, true, &reply, err) &&
           (reply.status == 200 || refuse(&reply, what, err)) && registry_id(reply.body, id, err);
}
