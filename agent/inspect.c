/* SPDX-License-Identifier: Apache-2.0
 *
 * Two ways to one document. Asking the agent is first: it knows what is under way. This file reads
 * JSON and never writes it: jansson's names for writing are our own writer's, too. */
#include "agent/inspect.h"

#include <string.h>

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>

#include "agent/http.h"
#include "agent/stored.h"
#include "agent/terminal.h"
#include "engine/base/buf.h"
#include "engine/base/cleanup.h"

enum { DOCUMENT_MAX = 64 * 1024 * 1024, TIMEOUT_MS = 3000 };

const char *inspect_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

int64_t inspect_number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

void inspect_cleanup(json_t **document) { json_decref(*document); }

void inspect_print(FILE *out, int width, const char *text)
{
    terminal_print(out, width, bytes_from(text));
}

/* ---- the agent that runs ---- */

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
    struct buf *body = context;
    buf_put(body, data, size * count);
    return body->failed ? 0 : size * count;
}

/* Where an agent that listens there is reached from this machine. */
static bool status_url(const struct http_address *address, char *out, size_t size)
{
    char host[INET6_ADDRSTRLEN];
    if (address->socket.ss_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, &address->socket, sizeof v4);
        if (v4.sin_addr.s_addr == htonl(INADDR_ANY))
            v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return inet_ntop(AF_INET, &v4.sin_addr, host, sizeof host) &&
               snprintf(out, size, "http://%s:%u/status", host, ntohs(v4.sin_port)) > 0;
    }
    struct sockaddr_in6 v6;
    memcpy(&v6, &address->socket, sizeof v6);
    if (IN6_IS_ADDR_UNSPECIFIED(&v6.sin6_addr))
        v6.sin6_addr = in6addr_loopback;
    return inet_ntop(AF_INET6, &v6.sin6_addr, host, sizeof host) &&
           snprintf(out, size, "http://[%s]:%u/status", host, ntohs(v6.sin6_port)) > 0;
}

static void curl_cleanup(CURL **curl) { curl_easy_cleanup(*curl); }

static bool fetch(const char *url, struct buf *body)
{
    CLEANUP(curl_cleanup) CURL *curl = curl_easy_init();
    long status = 0;
    if (!curl)
        return false;
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
    if (curl_easy_perform(curl) != CURLE_OK)
        return false;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    return status == 200;
}

static bool from_agent(struct config *config, struct buf *body)
{
    struct http_address address;
    struct error ignored;
    char url[128];
    return !bytes_is(config->pipeline.http_listen, "none") &&
           http_address(config->pipeline.http_listen, &address, &ignored) &&
           status_url(&address, url, sizeof url) && fetch(url, body);
}

/* Another agent may have answered: then the document is not of this pipeline. */
static json_t *document_of(struct config *config, const struct buf *body)
{
    struct bytes name = config_folder(&config->arena, config->pipeline.name);
    json_t *document = json_loadb((const char *)body->data, body->size, JSON_ALLOW_NUL, NULL);
    if (bytes_is(name, inspect_text(document, "pipeline")))
        return document;
    json_decref(document);
    return NULL;
}

bool inspect_document(const char *config_path, json_t **out, struct error *err)
{
    CLEANUP(config_done) struct config config = { 0 };
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, DOCUMENT_MAX);
    if (!config_load(config_path, true, &config, err))
        return false;
    json_t *document = from_agent(&config, &body) ? document_of(&config, &body) : NULL;
    if (!document) {
        buf_reset(&body);
        if (!stored_status(&config, &body, err))
            return false;
        document = document_of(&config, &body);
    }
    if (!document)
        return error_set(err, ERROR_NONE, "the state cannot be shown");
    *out = document;
    return true;
}
