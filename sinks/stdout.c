/* SPDX-License-Identifier: Apache-2.0
 *
 * Changes as JSON lines on standard output, short and in Debezium's words:
 *   {"op":"u","table":"shop.orders","mark":7,"ts_ms":0,"before":{"id":1},"after":{"id":1}}
 * with op r (read by the snapshot), c, u, d. The smallest sink that does something: a load has one
 * part, encode() appends a line, write() writes the lines. Bytes are printed in hexadecimal,
 * a column that the log left out is left out. */
#include <arpa/inet.h>
#include <errno.h>
#include <unistd.h>

#include "config/setting.h"
#include "engine/base/json_write.h"
#include "schema/array.h"
#include "schema/value_text.h"
#include "sinks/drivers.h"

struct stdout_sink {
    struct sink base;
    struct buf text; /* of the value under way */
};

enum { TEXT_LIMIT = 1 << 30 };

static const struct setting stdout_settings[] = { { .name = NULL } };

static bool stdout_open(const void *options, struct arena *arena, struct sink_counters *counters,
                        struct sink **out, struct error *err)
{
    (void)options, (void)counters, (void)err;
    struct stdout_sink *self = arena_zalloc(arena, sizeof *self);
    self->base.driver = &sink_stdout;
    buf_init(&self->text, TEXT_LIMIT);
    *out = &self->base;
    return true;
}

static bool stdout_prepare(struct sink *sink, struct target *target, const struct table *table,
                           uint32_t *parts, struct error *err)
{
    (void)sink, (void)target, (void)table, (void)err;
    *parts = 1;
    return true;
}

static void address_text(const struct value *value, struct buf *out)
{
    char text[INET6_ADDRSTRLEN] = "";
    inet_ntop(value->size == 4 ? AF_INET : AF_INET6, value->data, text, sizeof text);
    buf_text(out, text);
}

/* A value whose text is not its own bytes; false: print it as it is. */
static bool value_print(const struct type *type, const struct value *value, struct buf *out)
{
    bool text = value->tag == VALUE_TEXT;
    if (type->kind == TYPE_DECIMAL && !text)
        decimal_text(value->integer, type->scale, out);
    else if (type->kind == TYPE_DATE && !text)
        date_text(value->integer, out);
    else if ((type->kind == TYPE_DATETIME || type->kind == TYPE_TIMESTAMP) && !text)
        datetime_text(value->integer, type->scale, out);
    else if (type->kind == TYPE_TIME && !text)
        time_text(value->integer, type->scale, out);
    else if (type->kind == TYPE_UUID && text && value->size == 16)
        uuid_text(value->data, out);
    else if ((type->kind == TYPE_INET4 && text && value->size == 4) ||
             (type->kind == TYPE_INET6 && text && value->size == 16))
        address_text(value, out);
    else if (text &&
             (type->kind == TYPE_BYTES || type->kind == TYPE_GEOMETRY || type->kind == TYPE_VECTOR))
        for (uint32_t i = 0; i < value->size; i++)
            buf_printf(out, "%02x", value->data[i]);
    else
        return false;
    return true;
}

static void value_json(struct stdout_sink *self, struct json_writer *json, const struct type *type,
                       const struct value *value);

static void array_json(struct stdout_sink *self, struct json_writer *json, const struct type *type,
                       const struct value *value)
{
    struct type element = array_element(type);
    struct bytes rest = value_bytes(value);
    struct value item;
    json_array(json);
    while (array_next(&rest, &item))
        value_json(self, json, &element, &item);
    json_array_end(json);
}

static void value_json(struct stdout_sink *self, struct json_writer *json, const struct type *type,
                       const struct value *value)
{
    buf_reset(&self->text);
    if (value->tag == VALUE_NULL)
        json_null(json);
    else if (type->kind == TYPE_ARRAY && array_is_list(value))
        array_json(self, json, type, value);
    else if (value_print(type, value, &self->text))
        json_string(json, buf_view(&self->text));
    else if (value->tag == VALUE_INT)
        json_int(json, value->integer);
    else if (value->tag == VALUE_UINT)
        json_uint(json, value->natural);
    else if (value->tag == VALUE_DOUBLE)
        json_double(json, value->number);
    else
        json_string(json, value_bytes(value));
}

static void row_json(struct stdout_sink *self, struct json_writer *json, const char *key,
                     const struct table *table, const struct value *row)
{
    if (!row)
        return;
    json_key(json, bytes_from(key));
    json_object(json);
    for (uint16_t i = 0; i < table->column_count; i++) {
        if (row[i].tag == VALUE_ABSENT)
            continue;
        json_key(json, table->columns[i].name);
        value_json(self, json, &table->columns[i].type, &row[i]);
    }
    json_object_end(json);
}

static const char *event_letter(const struct event *event)
{
    if (event->snapshot)
        return "r";
    return event->op == EVENT_INSERT ? "c" : event->op == EVENT_UPDATE ? "u" : "d";
}

static bool stdout_encode(struct sink *sink, struct load *load, const struct event *event,
                          struct error *err)
{
    struct stdout_sink *self = (struct stdout_sink *)sink;
    struct buf *lines = &load->parts[0];
    size_t before = lines->size;
    struct json_writer json = json_writer_of(lines);
    json_object(&json);
    json_member_string(&json, "op", bytes_from(event_letter(event)));
    buf_reset(&self->text);
    buf_printf(&self->text, "%.*s.%.*s", BYTES_ARGS(load->target->database),
               BYTES_ARGS(load->target->name));
    json_member_string(&json, "table", buf_view(&self->text));
    json_member_uint(&json, "mark", event->mark);
    json_member_int(&json, "ts_ms", event->time_us / 1000);
    row_json(self, &json, "before", event->table, event->before);
    row_json(self, &json, "after", event->table, event->after);
    json_object_end(&json);
    buf_u8(lines, '\n');
    if (lines->failed) {
        lines->size = before;
        lines->failed = false;
        return error_set(err, ERROR_DATA, "a row is larger than a load may be");
    }
    load->rows++;
    return true;
}

static bool stdout_write(struct sink *sink, const struct load *load, struct error *err)
{
    (void)sink;
    struct bytes rest = buf_view(&load->parts[0]);
    while (rest.size > 0) {
        ssize_t written = write(STDOUT_FILENO, rest.data, rest.size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return error_code(err, ERROR_CONFIG, errno, "standard output: %s", strerror(errno));
        rest.data += written;
        rest.size -= (size_t)written;
    }
    return true;
}

static bool stdout_change(struct sink *sink, struct target *target, struct target *renamed,
                          const struct schema_change *change, struct error *err)
{
    (void)sink, (void)target, (void)renamed, (void)change, (void)err;
    return true;
}

static bool stdout_truncate(struct sink *sink, struct target *target, struct error *err)
{
    (void)sink, (void)target, (void)err;
    return true;
}

static void stdout_interrupt(struct sink *sink) { (void)sink; }

static void stdout_close(struct sink *sink)
{
    if (sink)
        buf_done(&((struct stdout_sink *)sink)->text);
}

static bool stdout_check(const void *options, const struct check_target *targets, size_t count,
                         struct findings *findings, struct error *err)
{
    (void)options, (void)targets, (void)count, (void)findings, (void)err;
    return true;
}

const struct sink_driver sink_stdout = {
    .name = "stdout",
    .help = "prints each change as a line of JSON",
    .settings = stdout_settings,
    .options_size = 1,
    .transient = true,
    .open = stdout_open,
    .prepare = stdout_prepare,
    .encode = stdout_encode,
    .write = stdout_write,
    .change = stdout_change,
    .truncate = stdout_truncate,
    .interrupt = stdout_interrupt,
    .close = stdout_close,
    .check = stdout_check,
};
