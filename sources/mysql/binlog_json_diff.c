/* SPDX-License-Identifier: Apache-2.0
 *
 * The diffs of PARTIAL_UPDATE_ROWS events. A document becomes a tree only along the paths that the
 * diffs touch; everything else stays the view of the before image that it is and is printed from
 * there.
 *   diffs := diff*
 *   diff  := u8 operation, path (packed length, text), value (packed length, binary document; none
 *            for REMOVE)
 *   path  := '$' ( '.' name | '."' JSON string '"' | '[' number ']' | '[last' ['-' number] ']' )*
 */
#include "sources/mysql/binlog_json.h"

#include "sources/mysql/binlog_json_view.h"
#include "sources/mysql/packed.h"

enum diff_operation { DIFF_REPLACE, DIFF_INSERT, DIFF_REMOVE };

/* A value, or (after node_expand) an object or array of them. */
struct node {
    struct json_view view;
    bool expanded, object;
    struct item *items; /* in order */
    uint32_t count, capacity;
};
struct item {
    struct bytes key; /* of objects */
    struct node *node;
};

struct leg {
    bool member, from_last;
    struct bytes key;
    uint64_t index;
};

/* ---- the tree ---- */

static struct node *node_of(struct arena *arena, struct json_view view)
{
    struct node *node = arena_zalloc(arena, sizeof *node);
    node->view = view;
    return node;
}

static bool node_expand(struct node *node, struct arena *arena)
{
    struct json_container container;
    if (node->expanded)
        return true;
    if (!json_is_container(node->view.type) || !json_container_of(&node->view, &container))
        return false;
    struct item *items = arena_array(arena, container.count + 1u, sizeof *items);
    for (uint32_t i = 0; i < container.count; i++) {
        struct json_view view;
        if ((container.object && !json_container_key(&container, i, &items[i].key)) ||
            !json_container_value(&container, i, &view))
            return false;
        items[i].node = node_of(arena, view);
    }
    node->expanded = true;
    node->object = container.object;
    node->items = items;
    node->count = container.count;
    node->capacity = container.count + 1;
    return true;
}

static void node_insert(struct node *node, uint32_t at, struct item item, struct arena *arena)
{
    if (node->count == node->capacity) {
        uint32_t capacity = node->capacity * 2;
        struct item *items = arena_array(arena, capacity, sizeof *items);
        memcpy(items, node->items, node->count * sizeof *items);
        node->items = items;
        node->capacity = capacity;
    }
    memmove(node->items + at + 1, node->items + at, (node->count - at) * sizeof *node->items);
    node->items[at] = item;
    node->count++;
}

static void node_print(const struct node *node, uint32_t depth, struct json_text *text)
{
    if (!node->expanded || depth > JSON_DEPTH_MAX) {
        json_view_print(&node->view, depth, text);
        return;
    }
    json_text_put(text, node->object ? BYTES_LITERAL("{") : BYTES_LITERAL("["));
    for (uint32_t i = 0; i < node->count; i++) {
        if (i)
            json_text_put(text, BYTES_LITERAL(", "));
        if (node->object) {
            json_text_string(text, node->items[i].key);
            json_text_put(text, BYTES_LITERAL(": "));
        }
        node_print(node->items[i].node, depth + 1, text);
    }
    json_text_put(text, node->object ? BYTES_LITERAL("}") : BYTES_LITERAL("]"));
}

/* ---- paths ---- */

static bool hex_take(struct reader *in, uint32_t *out)
{
    struct bytes raw = reader_take(in, 4);
    *out = 0;
    for (size_t i = 0; i < raw.size; i++) {
        uint8_t code = raw.data[i] | 0x20;
        bool digit = code >= '0' && code <= '9', letter = code >= 'a' && code <= 'f';
        if (!digit && !letter)
            return false;
        *out = *out << 4 | (uint32_t)(digit ? code - '0' : code - 'a' + 10);
    }
    return !in->failed;
}

/* An escape behind its backslash; the server escapes only control characters as \u00xx. */
static bool unescape(struct reader *in, uint8_t **at)
{
    static const char from[] = "bfnrt\"\\/", to[] = "\b\f\n\r\t\"\\/";
    uint8_t code = reader_u8(in);
    uint32_t point;
    if (code == 'u') {
        if (!hex_take(in, &point) || point > 0x7f)
            return false;
        *(*at)++ = (uint8_t)point;
        return true;
    }
    const char *found = code ? strchr(from, code) : NULL;
    if (!found)
        return false;
    *(*at)++ = (uint8_t)to[found - from];
    return true;
}

static bool quoted_take(struct reader *in, struct arena *arena, struct bytes *out)
{
    uint8_t *text = arena_raw(arena, in->rest.size), *at = text;
    while (!in->failed) {
        uint8_t code = reader_u8(in);
        if (code == '"' && !in->failed) {
            *out = (struct bytes){ text, (size_t)(at - text) };
            return true;
        }
        if (in->failed || (code == '\\' && !unescape(in, &at)))
            return false;
        if (code != '\\')
            *at++ = code;
    }
    return false;
}

static bool number_take(struct reader *in, uint64_t *out)
{
    size_t digits = 0;
    for (*out = 0; in->rest.size && in->rest.data[0] >= '0' && in->rest.data[0] <= '9'; digits++)
        *out = *out * 10 + (uint64_t)(reader_u8(in) - '0');
    return digits > 0 && digits <= 10;
}

static bool cell_take(struct reader *in, struct leg *out)
{
    out->from_last = in->rest.size >= 4 && memcmp(in->rest.data, "last", 4) == 0;
    if (out->from_last) {
        reader_take(in, 4);
        if (in->rest.size && in->rest.data[0] == ']')
            return reader_u8(in) == ']';
        if (reader_u8(in) != '-')
            return false;
    }
    return number_take(in, &out->index) && reader_u8(in) == ']';
}

static bool leg_take(struct reader *in, struct arena *arena, struct leg *out)
{
    *out = (struct leg){ 0 };
    uint8_t kind = reader_u8(in);
    if (kind == '[')
        return cell_take(in, out);
    if (kind != '.' || !in->rest.size)
        return false;
    out->member = true;
    if (in->rest.data[0] == '"') {
        reader_u8(in);
        return quoted_take(in, arena, &out->key);
    }
    size_t size = 0;
    while (size < in->rest.size && in->rest.data[size] != '.' && in->rest.data[size] != '[')
        size++;
    out->key = reader_take(in, size);
    return size > 0;
}

/* ---- applying ---- */

/* Objects are sorted by the length of the key, then by its bytes. */
static int key_order(struct bytes a, struct bytes b)
{
    if (a.size != b.size)
        return a.size < b.size ? -1 : 1;
    return bytes_compare(a, b);
}

static uint32_t key_place(const struct node *object, struct bytes key, bool *found)
{
    uint32_t low = 0, high = object->count;
    *found = false;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = key_order(object->items[middle].key, key);
        if (order == 0)
            *found = true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Where the leg points inside `parent`: *found when an item is there, else where it would be put.
 */
static bool leg_place(const struct node *parent, const struct leg *leg, uint32_t *at, bool *found)
{
    if (leg->member != parent->object)
        return false;
    if (leg->member) {
        *at = key_place(parent, leg->key, found);
        return true;
    }
    uint64_t index = leg->index;
    if (leg->from_last)
        index = leg->index < parent->count ? parent->count - 1 - leg->index : 0;
    *found = index < parent->count && !(leg->from_last && leg->index >= parent->count);
    *at = (uint32_t)(index < parent->count ? index : parent->count);
    return true;
}

static bool diff_at(struct node *parent, const struct leg *leg, enum diff_operation operation,
                    struct node *value, struct arena *arena)
{
    uint32_t at;
    bool found;
    if (!node_expand(parent, arena) || !leg_place(parent, leg, &at, &found))
        return false;
    switch (operation) {
    case DIFF_INSERT:
        if (found && leg->member)
            return false;
        node_insert(parent, at, (struct item){ leg->key, value }, arena);
        return true;
    case DIFF_REPLACE:
        if (found)
            parent->items[at].node = value;
        return found;
    case DIFF_REMOVE:
        if (!found)
            return false;
        parent->count--;
        memmove(parent->items + at, parent->items + at + 1,
                (parent->count - at) * sizeof *parent->items);
        return true;
    }
    return false;
}

/* One leg down; [0] of what is no array is the value itself. */
static struct node *node_descend(struct node *node, const struct leg *leg, struct arena *arena)
{
    uint32_t at;
    bool found, array = node->expanded ? !node->object
                                       : node->view.type == JSON_SMALL_ARRAY ||
                                             node->view.type == JSON_LARGE_ARRAY;
    if (!leg->member && !array)
        return leg->index == 0 ? node : NULL;
    if (!node_expand(node, arena) || !leg_place(node, leg, &at, &found) || !found)
        return NULL;
    return node->items[at].node;
}

static bool diff_apply(struct node **root, struct bytes path, enum diff_operation operation,
                       struct node *value, struct arena *arena)
{
    struct reader in = reader_of(path);
    struct node *node = *root;
    if (reader_u8(&in) != '$')
        return false;
    if (!in.rest.size) {
        *root = value;
        return operation == DIFF_REPLACE;
    }
    for (uint32_t depth = 0; depth <= JSON_DEPTH_MAX; depth++) {
        struct leg leg;
        if (!leg_take(&in, arena, &leg))
            return false;
        if (!in.rest.size)
            return diff_at(node, &leg, operation, value, arena);
        node = node_descend(node, &leg, arena);
        if (!node)
            return false;
    }
    return false;
}

static bool diff_take(struct reader *in, struct node **root, struct arena *arena)
{
    uint8_t operation = reader_u8(in);
    struct bytes path = reader_take(in, reader_packed(in));
    struct node *value = NULL;
    if (operation > DIFF_REMOVE)
        return false;
    if (operation != DIFF_REMOVE) {
        struct json_view view;
        struct bytes document = reader_take(in, reader_packed(in));
        if (in->failed || !json_view_of(document, &view))
            return false;
        value = node_of(arena, view);
    }
    return !in->failed && diff_apply(root, path, (enum diff_operation)operation, value, arena);
}

bool json_binary_apply(struct bytes document, struct bytes diffs, struct arena *arena,
                       struct bytes *out)
{
    static const uint8_t null_literal[] = { JSON_LITERAL, 0, 0 };
    struct json_view view;
    if (!document.size)
        document = (struct bytes){ null_literal, sizeof null_literal };
    if (!json_view_of(document, &view))
        return false;
    struct node *root = node_of(arena, view);
    struct reader in = reader_of(diffs);
    while (in.rest.size)
        if (!diff_take(&in, &root, arena))
            return false;
    struct json_text text = json_text_of(arena, document.size + diffs.size);
    node_print(root, 0, &text);
    return json_text_finish(&text, out);
}
