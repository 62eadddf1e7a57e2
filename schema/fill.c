/* SPDX-License-Identifier: Apache-2.0
 *
 * A server fills and converts values by rules of its own when a table is altered: session time
 * zones, rounding, character sets, expressions. Here stands only what needs no such rule; whatever
 * is not known to be exact is read again. */
#include "schema/fill.h"

#include "schema/diff.h"

/* ---- columns that are added ---- */

static bool is_digits(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    return text.size > 0;
}

/* [-]digits[.digits], with at most `scale` of them after the point. */
static bool is_number(struct bytes text, size_t scale)
{
    if (text.size > 0 && text.data[0] == '-')
        text = (struct bytes){ text.data + 1, text.size - 1 };
    const uint8_t *point = text.size ? memchr(text.data, '.', text.size) : NULL;
    if (!point)
        return is_digits(text);
    struct bytes whole = { text.data, (size_t)(point - text.data) };
    struct bytes fraction = { point + 1, text.size - whole.size - 1 };
    return is_digits(whole) && is_digits(fraction) && fraction.size <= scale;
}

/* Does the text have this form: digits where it has a 9, else the same character? */
static bool has_form(struct bytes text, const char *form)
{
    if (text.size != strlen(form))
        return false;
    for (size_t i = 0; i < text.size; i++) {
        bool digit = text.data[i] >= '0' && text.data[i] <= '9';
        if (form[i] == '9' ? !digit : text.data[i] != (uint8_t)form[i])
            return false;
    }
    return true;
}

/* Of years that every target can hold, and a day of the calendar's form. */
static bool is_plain_day(struct bytes text)
{
    static const char first[] = "1970-01-01", last[] = "2099-12-31";
    bool zero = memcmp(text.data + 5, "00", 2) == 0 || memcmp(text.data + 8, "00", 2) == 0;
    return !zero && memcmp(text.data, first, 10) >= 0 && memcmp(text.data, last, 10) <= 0;
}

static bool is_plain_time(const struct type *type, struct bytes text)
{
    if (type->kind == TYPE_DATE)
        return has_form(text, "9999-99-99") && is_plain_day(text);
    struct bytes whole = { text.data, text.size < 19 ? text.size : 19 };
    bool fraction = text.size > 20 && text.data[19] == '.' && text.size - 20 <= type->scale &&
                    is_digits((struct bytes){ text.data + 20, text.size - 20 });
    return has_form(whole, "9999-99-99 99:99:99") && is_plain_day(text) &&
           (text.size == 19 || fraction);
}

static bool is_member(const struct type *type, struct bytes label)
{
    for (uint16_t i = 0; i < type->member_count; i++)
        if (bytes_equal(type->members[i], label))
            return true;
    return false;
}

static bool is_bits(struct bytes text)
{
    if (text.size < 4 || text.data[0] != 'b' || text.data[1] != '\'')
        return false;
    for (size_t i = 2; i + 1 < text.size; i++)
        if (text.data[i] != '0' && text.data[i] != '1')
            return false;
    return text.data[text.size - 1] == '\'';
}

bool fill_literal_is_told(const struct type *type, struct bytes text)
{
    switch (type->kind) {
    case TYPE_INT:
    case TYPE_UINT:
        return !type->boolean && is_number(text, 0);
    case TYPE_FLOAT:
    case TYPE_DOUBLE:
        return is_number(text, 30);
    case TYPE_DECIMAL:
        return is_number(text, type->scale);
    case TYPE_BIT:
        return is_bits(text);
    case TYPE_YEAR:
        return has_form(text, "9999");
    case TYPE_DATE:
    case TYPE_DATETIME:
        return is_plain_time(type, text);
    case TYPE_TEXT: /* CHAR loses the spaces at its end */
        return !type->fixed || text.size == 0 || text.data[text.size - 1] != ' ';
    case TYPE_ENUM:
    case TYPE_SET:
        return is_member(type, text);
    default:
        return false;
    }
}

/* The zero that a server puts where there is no default and no NULL. */
static bool zero_is_told(const struct type *type)
{
    switch (type->kind) {
    case TYPE_INT:
    case TYPE_UINT:
    case TYPE_FLOAT:
    case TYPE_DOUBLE:
    case TYPE_DECIMAL:
    case TYPE_BIT:
    case TYPE_YEAR:
    case TYPE_TEXT:
    case TYPE_ENUM:
    case TYPE_SET:
        return true;
    case TYPE_BYTES:
        return !type->fixed;
    default:
        return false;
    }
}

bool fill_is_told(const struct column *column)
{
    if (column->generated != COLUMN_STORED_PLAIN || column->auto_increment ||
        column->default_is_expression)
        return false;
    if (column->default_text.data)
        return fill_literal_is_told(&column->type, column->default_text);
    return column->nullable || zero_is_told(&column->type);
}

/* ---- columns that change ---- */

static bool is_integer(const struct type *type)
{
    return type->kind == TYPE_INT || type->kind == TYPE_UINT;
}

static bool integer_holds(const struct type *to, const struct type *from)
{
    if (to->boolean || from->boolean)
        return to->boolean == from->boolean && to->kind == from->kind;
    if (to->kind == from->kind)
        return to->bits >= from->bits;
    return to->kind == TYPE_INT && to->bits > from->bits;
}

static bool decimal_holds(const struct type *to, const struct type *from)
{
    static const uint8_t digits[] = { [1] = 3, [2] = 5, [3] = 8, [4] = 10, [8] = 20 };
    int whole = to->precision - to->scale;
    if (is_integer(from))
        return from->bits <= 64 && whole >= digits[from->bits / 8];
    return from->kind == TYPE_DECIMAL && to->scale >= from->scale &&
           whole >= from->precision - from->scale;
}

static bool text_holds(const struct type *to, const struct type *from)
{
    switch (from->kind) {
    case TYPE_INT:
    case TYPE_UINT:
        return !from->boolean && (to->length == 0 || to->length >= 20);
    case TYPE_TEXT:
        return (!to->fixed || from->fixed) &&
               (to->length == 0 || (from->length > 0 && to->length >= from->length));
    default:
        return false;
    }
}

static bool bytes_hold(const struct type *to, const struct type *from)
{
    if (from->kind != TYPE_BYTES || to->fixed)
        return from->kind == TYPE_BYTES && from->fixed && from->length == to->length;
    return to->length == 0 || (from->length > 0 && to->length >= from->length);
}

/* All labels are still there; of a SET in the same order too, for that is how it is printed. */
static bool labels_hold(const struct type *to, const struct type *from)
{
    uint16_t at = 0;
    for (uint16_t i = 0; i < from->member_count; i++) {
        if (from->kind == TYPE_ENUM)
            at = 0;
        while (at < to->member_count && !bytes_equal(to->members[at], from->members[i]))
            at++;
        if (at == to->member_count)
            return false;
    }
    return true;
}

static bool type_holds(const struct type *to, const struct type *from)
{
    if (type_equal(to, from))
        return true;
    switch (to->kind) {
    case TYPE_INT:
    case TYPE_UINT:
        return is_integer(from) && integer_holds(to, from);
    case TYPE_DECIMAL:
        return decimal_holds(to, from);
    case TYPE_DOUBLE:
        return from->kind == TYPE_FLOAT;
    case TYPE_BIT:
        return from->kind == TYPE_BIT && to->length >= from->length;
    case TYPE_TEXT:
        return text_holds(to, from);
    case TYPE_BYTES:
        return bytes_hold(to, from);
    case TYPE_ENUM:
    case TYPE_SET:
        return from->kind == to->kind && labels_hold(to, from);
    case TYPE_TIME:
    case TYPE_DATETIME:
    case TYPE_TIMESTAMP:
        return from->kind == to->kind && to->scale >= from->scale;
    default:
        return false;
    }
}

static bool texts_equal(struct bytes a, struct bytes b)
{
    return a.size == b.size && (a.size == 0 || bytes_equal(a, b));
}

/* FLOAT(7,2) rounds, and the canonical type does not tell. */
static bool rounds(const struct column *old, const struct column *new)
{
    bool floats = new->type.kind == TYPE_FLOAT || new->type.kind == TYPE_DOUBLE;
    return floats && new->source_type.size > 0 &&
           !texts_equal(old->source_type, new->source_type) &&
           memchr(new->source_type.data, '(', new->source_type.size);
}

bool fill_is_kept(const struct column *old, const struct column *new, bool strict)
{
    if (new->generated != COLUMN_STORED_PLAIN || old->generated != COLUMN_STORED_PLAIN)
        return type_equal(&old->type, &new->type) && old->generated == new->generated;
    if (new->auto_increment && !old->auto_increment)
        return false; /* rows with 0 get numbers */
    if (old->nullable && !new->nullable && !strict)
        return false;
    bool text =
        new->type.kind == TYPE_TEXT || new->type.kind == TYPE_ENUM || new->type.kind == TYPE_SET;
    if (text && old->charset.data && !texts_equal(old->charset, new->charset) && !strict)
        return false; /* characters that the new set lacks */
    if (rounds(old, new))
        return false;
    bool integers = is_integer(&old->type) && is_integer(&new->type) && !old->type.boolean &&
                    !new->type.boolean;
    return (strict && integers) || type_holds(&new->type, &old->type);
}

/* ---- a whole change ---- */

static const struct column *old_column(const struct schema_change *change,
                                       const struct column *column)
{
    struct bytes name = column->name;
    for (uint16_t i = 0; i < change->rename_count; i++)
        if (bytes_equal(change->renames[i].to, column->name))
            name = change->renames[i].from;
    for (uint16_t i = 0; i < change->before->column_count; i++)
        if (bytes_equal(change->before->columns[i].name, name))
            return &change->before->columns[i];
    return NULL;
}

bool fill_needs_reading(const struct schema_change *change, bool strict, struct arena *arena)
{
    size_t count;
    const struct step *steps = diff_tables(change, arena, &count);
    for (size_t i = 0; i < count; i++)
        if (steps[i].kind == STEP_ADD_COLUMN && !fill_is_told(steps[i].new))
            return true;
    const struct table *after = change->after;
    for (uint16_t i = 0; i < after->column_count; i++) {
        const struct column *old = old_column(change, &after->columns[i]);
        if (old && !fill_is_kept(old, &after->columns[i], strict))
            return true;
    }
    return false;
}
