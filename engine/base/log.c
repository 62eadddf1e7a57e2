/* SPDX-License-Identifier: Apache-2.0
 *
 * A log call's format is read here rather than by printf alone: its literal text says where the
 * message ends and which `key=` each value belongs to, so a value is quoted as a whole and text
 * from outside can neither forge a key nor a line. A line is: message, the thread's context, the
 * call's own keys; one write(2) puts it out.
 *
 * Lines of the last second are remembered by hash. One that comes again is counted; the count is
 * put out by the first line logged after that second, or at exit. */
#include "engine/base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/assert.h"
#include "engine/base/cleanup.h"
#include "engine/base/clock.h"
#include "engine/base/json_write.h"

enum {
    LOG_LINE_MAX = 4096,
    LOG_FIELDS_MAX = 32,
    LOG_CONTEXT_MAX = 121,
    LOG_RECENT_MAX = 16,
    LOG_REPEAT_US = 1000000,
    LOG_HEAD_MAX = 200
};

struct log_field {
    struct bytes key, value;
};
struct log_line {
    char text[LOG_LINE_MAX]; /* message and values as they came, one after the other */
    size_t size;
    struct bytes message;
    struct log_field fields[LOG_FIELDS_MAX];
    size_t count;
};

static const struct {
    const char *name, *priority;
} levels[] = {
    [LOG_LEVEL_ERROR] = { "error", "<3>" },
    [LOG_LEVEL_WARN] = { "warn", "<4>" },
    [LOG_LEVEL_INFO] = { "info", "<6>" },
    [LOG_LEVEL_DEBUG] = { "debug", "<7>" },
};

static enum log_level wanted = LOG_LEVEL_INFO;
static enum log_format style = LOG_FORMAT_TEXT;
static _Thread_local char thread_context[LOG_CONTEXT_MAX];

static pthread_mutex_t recent_lock = PTHREAD_MUTEX_INITIALIZER;
static void (*before_line)(void); /* under the lock */
static struct recent {
    uint64_t hash; /* 0: free */
    int64_t since_us;
    unsigned long again;
    enum log_level level;
    char head[LOG_HEAD_MAX];
} recents[LOG_RECENT_MAX];

void log_before(void (*hook)(void))
{
    pthread_mutex_lock(&recent_lock);
    before_line = hook;
    pthread_mutex_unlock(&recent_lock);
}

bool log_enabled(enum log_level level) { return level <= wanted; }

void log_context(const char *context)
{
    snprintf(thread_context, sizeof thread_context, "%s", context);
}

/* ---- from a format and its arguments to a message and fields ---- */

static void line_put(struct log_line *line, const char *text, size_t size)
{
    size_t room = sizeof line->text - line->size;
    size = size < room ? size : room;
    memcpy(line->text + line->size, text, size);
    line->size += size;
}

/* The length of `key=` at the front of a format, 0 when there is none. */
static size_t key_size(const char *format)
{
    size_t size = strspn(format, "abcdefghijklmnopqrstuvwxyz0123456789_.-");
    return size > 0 && format[size] == '=' ? size + 1 : 0;
}

/* One conversion, taken apart: flags, width and precision stay in `spec` as numbers. */
struct conversion {
    char spec[48];
    size_t size;
    int longs; /* -2 hh, -1 h, 0, 1 l, 2 ll, j, z or t: all are 64 bits here */
    char type;
};
_Static_assert(sizeof(long) == sizeof(intmax_t) && sizeof(size_t) == sizeof(intmax_t) &&
                   sizeof(long long) == sizeof(intmax_t),
               "the length modifiers are read as one");

static const char *conversion_read(struct conversion *c, const char *format, va_list *args)
{
    *c = (struct conversion){ .spec = "%", .size = 1 };
    for (; *format && strchr("-+ #0123456789.*", *format); format++) {
        ASSERT(c->size + 16 < sizeof c->spec);
        if (*format == '*')
            c->size += (size_t)snprintf(c->spec + c->size, 14, "%d", va_arg(*args, int));
        else
            c->spec[c->size++] = *format;
    }
    for (; *format && strchr("hljzt", *format); format++)
        c->longs += *format == 'h' ? -1 : *format == 'l' ? 1 : 2;
    c->type = *format;
    return *format ? format + 1 : format;
}

/* The formats put together here have passed the compiler's check at the call, piece by piece. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static int conversion_print(struct conversion *c, char *room, size_t size, va_list *args)
{
    const char *length = strchr("diuxXo", c->type) ? "j" : "";
    snprintf(c->spec + c->size, sizeof c->spec - c->size, "%s%c", length, c->type);
    switch (c->type) {
    case 'd':
    case 'i': {
        intmax_t number = c->longs > 0 ? va_arg(*args, long) : va_arg(*args, int);
        return snprintf(room, size, c->spec, number);
    }
    case 'u':
    case 'x':
    case 'X':
    case 'o': {
        uintmax_t number = c->longs > 0 ? va_arg(*args, unsigned long) : va_arg(*args, unsigned);
        return snprintf(room, size, c->spec, number);
    }
    case 'e':
    case 'f':
    case 'g':
    case 'E':
    case 'F':
    case 'G':
        return snprintf(room, size, c->spec, va_arg(*args, double));
    case 'c':
        return snprintf(room, size, c->spec, va_arg(*args, int));
    case 's':
        return snprintf(room, size, c->spec, va_arg(*args, const char *));
    case 'p':
        return snprintf(room, size, c->spec, va_arg(*args, void *));
    default:
        ASSERT(c->type == '%');
        return snprintf(room, size, "%%");
    }
}
#pragma GCC diagnostic pop

/* Three dots end what is cut, between two characters. */
static size_t cut(char *text, size_t room)
{
    size_t end = room - 4;
    while (end > 0 && ((unsigned char)text[end] & 0xc0) == 0x80)
        end--;
    memcpy(text + end, "...", 3);
    return end + 3;
}

static const char *line_convert(struct log_line *line, const char *format, va_list *args)
{
    struct conversion conversion;
    format = conversion_read(&conversion, format, args);
    char text[1024];
    int length = conversion_print(&conversion, text, sizeof text, args);
    ASSERT(length >= 0);
    line_put(line, text, (size_t)length < sizeof text ? (size_t)length : cut(text, sizeof text));
    return format;
}

/* Text up to the next key, with its conversions; *format moves on to that key. */
static struct bytes line_piece(struct log_line *line, const char **format, va_list *args)
{
    size_t start = line->size;
    const char *p = *format;
    for (; *p && !(*p == ' ' && key_size(p + 1) > 0);) {
        if (*p == '%')
            p = line_convert(line, p + 1, args);
        else
            line_put(line, p++, 1);
    }
    *format = *p ? p + 1 : p;
    return (struct bytes){ (const uint8_t *)line->text + start, line->size - start };
}

static void line_field(struct log_line *line, struct bytes key, struct bytes value)
{
    if (line->count < LOG_FIELDS_MAX)
        line->fields[line->count++] = (struct log_field){ key, value };
}

/* "pipeline=shop part=intake": no value of a context holds a space. */
static void line_context(struct log_line *line)
{
    for (const char *p = thread_context; *(p += strspn(p, " "));) {
        size_t size = strcspn(p, " "), key = key_size(p);
        if (key > 0 && key <= size)
            line_field(line, (struct bytes){ (const uint8_t *)p, key - 1 },
                       (struct bytes){ (const uint8_t *)p + key, size - key });
        p += size;
    }
}

static void line_fill(struct log_line *line, const char *format, va_list *args)
{
    line->size = line->count = 0;
    line->message = (struct bytes){ (const uint8_t *)"", 0 };
    if (key_size(format) == 0)
        line->message = line_piece(line, &format, args);
    line_context(line);
    while (*format) {
        size_t size = key_size(format);
        struct bytes key = { (const uint8_t *)format, size - 1 };
        format += size;
        line_field(line, key, line_piece(line, &format, args));
    }
}

/* ---- from fields to a line ---- */

static void text_escaped(struct buf *out, struct bytes text, bool quoted)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        if (byte == '\n')
            buf_text(out, "\\n");
        else if (byte < 0x20 || byte == 0x7f)
            buf_printf(out, "\\x%02x", byte);
        else if (quoted && (byte == '"' || byte == '\\'))
            buf_printf(out, "\\%c", byte);
        else
            buf_u8(out, byte);
    }
}

static bool text_needs_quotes(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] <= ' ' || text.data[i] == 0x7f || strchr("\"\\=", text.data[i]))
            return true;
    return text.size == 0;
}

static void line_write_text(const struct log_line *line, enum log_level level, struct buf *out)
{
    buf_text(out, levels[level].name);
    if (line->message.size > 0)
        buf_u8(out, ' ');
    text_escaped(out, line->message, false);
    for (size_t i = 0; i < line->count; i++) {
        const struct log_field *field = &line->fields[i];
        bool quoted = text_needs_quotes(field->value);
        buf_printf(out, " %.*s=%s", BYTES_ARGS(field->key), quoted ? "\"" : "");
        text_escaped(out, field->value, quoted);
        buf_text(out, quoted ? "\"" : "");
    }
}

static void line_write_json(const struct log_line *line, enum log_level level, const char *time,
                            struct buf *out)
{
    struct json_writer json = json_writer_of(out);
    json_object(&json);
    json_member_string(&json, "time", bytes_from(time));
    json_member_string(&json, "level", bytes_from(levels[level].name));
    json_member_string(&json, "message", line->message);
    for (size_t i = 0; i < line->count; i++) {
        json_key(&json, line->fields[i].key);
        json_string(&json, line->fields[i].value);
    }
    json_object_end(&json);
}

static void time_print(char *out, size_t size)
{
    int64_t now = clock_wall_us();
    time_t seconds = (time_t)(now / 1000000);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    size_t used = strftime(out, size, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(out + used, size - used, ".%03dZ", (int)(now % 1000000 / 1000));
}

static void line_emit(const struct log_line *line, enum log_level level, struct bytes body)
{
    char time[40];
    time_print(time, sizeof time);
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 16 * LOG_LINE_MAX);
    if (style == LOG_FORMAT_JSON) {
        line_write_json(line, level, time, &out);
    } else {
        buf_text(&out, style == LOG_FORMAT_JOURNAL ? levels[level].priority : "");
        buf_printf(&out, "%s ", time);
        buf_bytes(&out, body);
    }
    buf_u8(&out, '\n');
    if (before_line)
        before_line();
    if (write(STDERR_FILENO, out.data, out.size) < 0)
        return; /* nowhere to say it */
}

/* ---- repeats; under the lock ---- */

static void recent_end(struct recent *recent)
{
    if (recent->hash && recent->again > 0) {
        char times[24];
        snprintf(times, sizeof times, "%lu", recent->again);
        struct log_line line = { .message = BYTES_LITERAL("message repeated") };
        line_field(&line, BYTES_LITERAL("times"), bytes_from(times));
        line_field(&line, BYTES_LITERAL("text"), bytes_from(recent->head));
        CLEANUP(buf_done) struct buf body;
        buf_init(&body, 16 * LOG_LINE_MAX);
        line_write_text(&line, recent->level, &body);
        line_emit(&line, recent->level, buf_view(&body));
    }
    recent->hash = 0;
}

/* Was this line put out within the last second? Then it is counted. */
static bool recent_counts(enum log_level level, struct bytes body)
{
    int64_t now = clock_now_us();
    uint64_t hash = bytes_hash(body) | 1;
    struct recent *oldest = &recents[0];
    for (size_t i = 0; i < LOG_RECENT_MAX; i++) {
        if (recents[i].hash && now - recents[i].since_us >= LOG_REPEAT_US)
            recent_end(&recents[i]);
        if (recents[i].hash == hash) {
            recents[i].again++;
            return true;
        }
        if (!recents[i].hash || (oldest->hash && recents[i].since_us < oldest->since_us))
            oldest = &recents[i];
    }
    recent_end(oldest);
    *oldest = (struct recent){ .hash = hash, .since_us = now, .level = level };
    size_t skip = strlen(levels[level].name) + 1;
    if (body.size > skip)
        snprintf(oldest->head, sizeof oldest->head, "%.*s", (int)(body.size - skip),
                 (const char *)body.data + skip);
    return false;
}

static void log_flush(void)
{
    pthread_mutex_lock(&recent_lock);
    for (size_t i = 0; i < LOG_RECENT_MAX; i++)
        recent_end(&recents[i]);
    pthread_mutex_unlock(&recent_lock);
}

void log_setup(enum log_level level, enum log_format format)
{
    static bool registered;
    wanted = level;
    style = format;
    if (!registered)
        atexit(log_flush);
    registered = true;
}

void log_write(enum log_level level, const char *format, ...)
{
    if (!log_enabled(level))
        return;
    struct log_line line;
    va_list args;
    va_start(args, format);
    line_fill(&line, format, &args);
    va_end(args);
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, 16 * LOG_LINE_MAX);
    line_write_text(&line, level, &body);
    pthread_mutex_lock(&recent_lock);
    if (!recent_counts(level, buf_view(&body)))
        line_emit(&line, level, buf_view(&body));
    pthread_mutex_unlock(&recent_lock);
}
