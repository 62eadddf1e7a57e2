/* SPDX-License-Identifier: Apache-2.0 */
#include "sinks/kafka/flat.h"

#include "engine/base/clock.h"
#include "schema/array.h"

struct json_column flat_column(const struct format_context *context, const struct column *column,
                               const json_put forms[FLAT_KINDS])
{
    const struct type *type = &column->type;
    int kind = type->kind == TYPE_INT && type->boolean       ? FLAT_BOOLEAN
               : type->kind == TYPE_BIT && type->length <= 1 ? FLAT_ONE_BIT
                                                             : (int)type->kind;
    struct json_column out = { .put = forms[kind],
                               .lead = json_lead(context->arena, column->name),
                               .zeros = &context->counters->zero_dates,
                               .width = (type->length + 7) / 8,
                               .scale = type->scale };
    if (type->kind == TYPE_ARRAY) {
        struct column element = array_element_column(column);
        struct json_column *inner = arena_zalloc(context->arena, sizeof *inner);
        *inner = flat_column(context, &element, forms);
        out.element = inner;
    }
    return out;
}

struct flat_plan *flat_plan_make(const struct format_context *context, const struct key_form *form,
                                 const json_put forms[FLAT_KINDS])
{
    const struct table *table = context->table;
    struct flat_plan *plan = arena_zalloc(context->arena, sizeof *plan);
    plan->context = *context;
    row_key_plan(context, form, &plan->key);
    plan->columns = arena_array(context->arena, table->column_count, sizeof *plan->columns);
    for (uint16_t i = 0; i < table->column_count; i++)
        plan->columns[i] = flat_column(context, &table->columns[i], forms);
    plan->merged = arena_array(context->arena, table->column_count, sizeof *plan->merged);
    return plan;
}

bool flat_encode(struct flat_plan *plan, const struct event *event, flat_put put, struct buf *out,
                 struct error *err)
{
    struct row_change changes[2];
    uint32_t count = row_changes(&plan->key, event, plan->merged, changes);
    for (uint32_t i = 0; i < count; i++) {
        const struct row_change *change = &changes[i];
        struct frame frame;
        size_t at = frame_open(out);
        if (!row_key_put(&plan->key, change->after ? change->after : change->before, out, &frame,
                         err))
            return false;
        size_t value_at = out->size;
        if (!put(plan, event, change, out, err))
            return false;
        frame.value_size = (uint32_t)(out->size - value_at);
        frame_close(out, at, &frame);
    }
    return true;
}

int64_t flat_time_us(const struct event *event)
{
    return event->time_us ? event->time_us : clock_wall_us();
}
