/* SPDX-License-Identifier: Apache-2.0
 *
 * array := '{' [element {',' element}] '}', as the server prints one: an element is in quotes when
 * it is empty, is the word NULL, or has a brace, a comma, a quote, a backslash or white space, and
 * then quotes and backslashes have a backslash in front. Bounds other than 1 stand in front of the
 * braces ("[0:1]={1,2}"), and another dimension begins with another brace: such texts are kept. */
#include "sources/postgres/array_text.h"

#include <strings.h>

#include "sources/postgres/text_value.h"

enum { LIST_MAX = 1 << 30 }; /* a value of the server is not larger */

struct element {
    struct bytes text;
    bool quoted;
};

/* Behind the opening quote, up to the closing one; without its backslashes in `plain`. */
static bool take_quoted(struct bytes *rest, struct buf *plain, struct element *out)
{
    size_t i = 0;
    buf_reset(plain);
    for (; i < rest->size && rest->data[i] != '"'; i++) {
        i += rest->data[i] == '\\';
        if (i == rest->size)
            return false;
        buf_u8(plain, rest->data[i]);
    }
    if (i == rest->size)
        return false;
    *rest = (struct bytes){ rest->data + i + 1, rest->size - i - 1 };
    *out = (struct element){ buf_view(plain), true };
    return true;
}

static bool take_element(struct bytes *rest, struct buf *plain, struct element *out)
{
    size_t i = 0;
    if (rest->size > 0 && rest->data[0] == '"') {
        *rest = (struct bytes){ rest->data + 1, rest->size - 1 };
        return take_quoted(rest, plain, out);
    }
    for (; i < rest->size && rest->data[i] != ',' && rest->data[i] != '}'; i++)
        if (rest->data[i] == '{' || rest->data[i] == '"' || rest->data[i] == '\\')
            return false;
    *out = (struct element){ { rest->data, i }, false };
    *rest = (struct bytes){ rest->data + i, rest->size - i };
    return i > 0;
}

static bool decode_element(const struct element *element, const struct type *type,
                           struct arena *arena, struct buf *list)
{
    struct value value = value_null();
    bool null = !element->quoted && element->text.size == 4 &&
                strncasecmp((const char *)element->text.data, "NULL", 4) == 0;
    if (type->kind == TYPE_TEXT || type->kind == TYPE_JSON)
        value = null ? value : value_text(element->text);
    else if (!null && !text_decoder_of(type).decode(element->text, type, arena, &value))
        return false;
    array_put(list, &value);
    return true;
}

/* Behind the opening brace. */
static bool decode_list(struct bytes rest, const struct type *type, struct arena *arena,
                        struct buf *plain, struct buf *list)
{
    uint8_t next = ',';
    if (bytes_is(rest, "}"))
        return true;
    while (next == ',') {
        struct element element;
        if (!take_element(&rest, plain, &element) || rest.size == 0 ||
            !decode_element(&element, type, arena, list))
            return false;
        next = rest.data[0];
        rest = (struct bytes){ rest.data + 1, rest.size - 1 };
    }
    return next == '}' && rest.size == 0;
}

bool array_text_decode(struct bytes text, const struct type *type, struct arena *arena,
                       struct value *out)
{
    struct type element = array_element(type);
    if (text.size < 2 || text.size > UINT32_MAX)
        return false;
    if (text.data[0] == '[' || (text.data[0] == '{' && text.data[1] == '{')) {
        *out = value_text(arena_copy(arena, text));
        return true;
    }
    struct buf plain, list;
    buf_init(&plain, LIST_MAX);
    buf_init(&list, UINT32_MAX);
    bool ok = text.data[0] == '{' && decode_list((struct bytes){ text.data + 1, text.size - 1 },
                                                 &element, arena, &plain, &list);
    ok = ok && !plain.failed && !list.failed;
    if (ok)
        *out = value_text(arena_copy(arena, buf_view(&list)));
    buf_done(&plain);
    buf_done(&list);
    return ok;
}
