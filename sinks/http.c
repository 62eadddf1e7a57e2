/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP by libcurl: an easy handle driven by a multi handle, because only a multi handle can be
 * woken by another thread (curl_multi_wakeup), so that an interrupt takes no second to be noticed.
 *
 * A connection that the server closed while it was idle is the ordinary case of a failed first
 * write: libcurl then sends the request again on a new connection, which is why bodies can be
 * rewound. Proxies of the environment are not used: a database is reached directly. */
#include "sinks/http.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <strings.h>

#include "engine/base/assert.h"

enum {
    REPLY_LIMIT = 64 << 20,
    HEADERS_LIMIT = 256 << 10,
    UPLOAD_BUFFER = 512 << 10,
    KEEP_ALIVE_S = 30,
    IDLE_S = 5, /* an older connection may just be closed by the server: open a new one */
    POLL_MS = 1000,
};

struct http {
    CURL *easy;
    CURLM *multi;
    struct buf body, headers; /* headers: the lines of the last reply, as they came */
    const struct http_request *request;
    bool body_started;
    atomic_bool interrupted;
    char reason[CURL_ERROR_SIZE];
};

static void curl_setup(void) { curl_global_init(CURL_GLOBAL_DEFAULT); }

static size_t http_on_body(char *data, size_t unit, size_t count, void *context)
{
    struct http *http = context;
    buf_put(&http->body, data, unit * count);
    return http->body.failed ? 0 : unit * count;
}

static size_t http_on_header(char *data, size_t unit, size_t count, void *context)
{
    struct http *http = context;
    if (count >= 5 && memcmp(data, "HTTP/", 5) == 0)
        buf_reset(&http->headers); /* of the final reply, not of a "100 Continue" before it */
    buf_put(&http->headers, data, unit * count);
    return http->headers.failed ? 0 : unit * count;
}

static size_t http_on_read(char *room, size_t unit, size_t count, void *context)
{
    struct http *http = context;
    http->body_started = true;
    return http->request->read(http->request->context, (uint8_t *)room, unit * count);
}

static int http_on_seek(void *context, curl_off_t offset, int origin)
{
    struct http *http = context;
    if (offset != 0 || origin != SEEK_SET || !http->request->rewind)
        return CURL_SEEKFUNC_CANTSEEK;
    http->request->rewind(http->request->context);
    return CURL_SEEKFUNC_OK;
}

static void http_set_text(CURL *easy, CURLoption option, struct bytes text)
{
    if (text.size > 0)
        curl_easy_setopt(easy, option, (const char *)text.data);
}

static void http_configure(struct http *http, const struct http_options *options)
{
    CURL *easy = http->easy;
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, http->reason);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "millrace");
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, (long)KEEP_ALIVE_S);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, (long)KEEP_ALIVE_S);
    curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, (long)IDLE_S);
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)UPLOAD_BUFFER);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)options->connect_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, options->verify ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, options->verify ? 2L : 0L);
    http_set_text(easy, CURLOPT_CAINFO, options->ca);
    http_set_text(easy, CURLOPT_SSLCERT, options->cert);
    http_set_text(easy, CURLOPT_SSLKEY, options->key);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, http_on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, http);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, http_on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, http);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, http_on_read);
    curl_easy_setopt(easy, CURLOPT_READDATA, http);
    curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, http_on_seek);
    curl_easy_setopt(easy, CURLOPT_SEEKDATA, http);
}

bool http_open(const struct http_options *options, struct arena *arena, struct http **out,
               struct error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, curl_setup);
    struct http *http = arena_zalloc(arena, sizeof *http);
    buf_init(&http->body, REPLY_LIMIT);
    buf_init(&http->headers, HEADERS_LIMIT);
    http->easy = curl_easy_init();
    http->multi = curl_multi_init();
    if (!http->easy || !http->multi) {
        http_close(http);
        return error_set(err, ERROR_CONFIG, "libcurl does not start");
    }
    http_configure(http, options);
    *out = http;
    return true;
}

static enum error_kind http_kind(CURLcode code, bool under_way)
{
    switch (code) {
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CIPHER:
    case CURLE_PEER_FAILED_VERIFICATION:
        return ERROR_CONFIG;
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_SSL_CONNECT_ERROR:
        return ERROR_RETRY;
    default:
        return under_way ? ERROR_UNKNOWN : ERROR_RETRY;
    }
}

static bool http_fail(struct http *http, CURLcode code, struct error *err)
{
    if (atomic_load(&http->interrupted))
        return error_set(err, ERROR_STOP, "interrupted");
    bool under_way = http->body_started;
    curl_off_t uploaded = 0;
    if (curl_easy_getinfo(http->easy, CURLINFO_SIZE_UPLOAD_T, &uploaded) == CURLE_OK)
        under_way |= uploaded > 0;
    const char *reason = http->body.failed      ? "the reply is too large"
                         : http->headers.failed ? "the reply's headers are too large"
                         : http->reason[0]      ? http->reason
                                                : curl_easy_strerror(code);
    return error_code(err, http_kind(code, under_way), 0, "%s", reason);
}

/* Drives the one transfer to its end. */
static CURLcode http_perform(struct http *http)
{
    int running = 1;
    while (running && !atomic_load(&http->interrupted)) {
        if (curl_multi_perform(http->multi, &running) != CURLM_OK)
            return CURLE_FAILED_INIT;
        if (running)
            curl_multi_poll(http->multi, NULL, 0, POLL_MS, NULL);
    }
    int left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(http->multi, &left)))
        if (message->msg == CURLMSG_DONE)
            return message->data.result;
    return CURLE_ABORTED_BY_CALLBACK;
}

static void http_set_body(CURL *easy, const struct http_request *request)
{
    if (request->get) {
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
        return;
    }
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    if (request->read) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, NULL);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)-1);
        return;
    }
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->data.size);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, (const char *)request->data.data);
}

/* A reply that is cut within its headers is one without a body to libcurl. */
static bool http_headers_ended(const struct http *http)
{
    return http->headers.size > 0 &&
           memmem(http->headers.data, http->headers.size, "\r\n\r\n", 4) != NULL;
}

bool http_send(struct http *http, const struct http_request *request, struct http_reply *reply,
               struct error *err)
{
    /* Without "Expect:" libcurl would wait for the server's leave before each larger body. */
    struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
    if (request->read)
        headers = curl_slist_append(headers, "Transfer-Encoding: chunked");
    for (const char *const *header = request->headers; header && *header; header++)
        headers = curl_slist_append(headers, *header);
    buf_reset(&http->body);
    buf_reset(&http->headers);
    http->request = request;
    http->body_started = false;
    http->reason[0] = '\0';
    curl_easy_setopt(http->easy, CURLOPT_URL, request->url);
    curl_easy_setopt(http->easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(http->easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    http_set_body(http->easy, request);
    curl_multi_add_handle(http->multi, http->easy);
    CURLcode code = http_perform(http);
    if (code == CURLE_OK && !http_headers_ended(http))
        code = CURLE_PARTIAL_FILE;
    bool ok = code == CURLE_OK || http_fail(http, code, err);
    if (ok) {
        curl_easy_getinfo(http->easy, CURLINFO_RESPONSE_CODE, &reply->status);
        reply->body = buf_view(&http->body);
    }
    curl_multi_remove_handle(http->multi, http->easy);
    curl_slist_free_all(headers);
    http->request = NULL;
    return ok;
}

struct bytes http_header(const struct http *http, const char *name)
{
    size_t name_size = strlen(name);
    struct bytes rest = buf_view(&http->headers);
    while (rest.size > 0) {
        const uint8_t *end = memchr(rest.data, '\n', rest.size);
        size_t line = end ? (size_t)(end - rest.data) : rest.size;
        if (line > name_size && rest.data[name_size] == ':' &&
            strncasecmp((const char *)rest.data, name, name_size) == 0) {
            struct bytes value = { rest.data + name_size + 1, line - name_size - 1 };
            while (value.size > 0 && (*value.data == ' ' || *value.data == '\t'))
                value.data++, value.size--;
            while (value.size > 0 && value.data[value.size - 1] <= ' ')
                value.size--;
            return value;
        }
        size_t step = end ? line + 1 : line;
        rest.data += step;
        rest.size -= step;
    }
    return (struct bytes){ 0 };
}

void http_interrupt(struct http *http)
{
    if (!http)
        return;
    atomic_store(&http->interrupted, true);
    curl_multi_wakeup(http->multi);
}

void http_close(struct http *http)
{
    if (!http)
        return;
    curl_easy_cleanup(http->easy);
    curl_multi_cleanup(http->multi);
    buf_done(&http->body);
    buf_done(&http->headers);
}

void http_escape(struct buf *out, struct bytes text)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] && strchr(plain, text.data[i]))
            buf_u8(out, text.data[i]);
        else
            buf_printf(out, "%%%02X", text.data[i]);
    }
}
