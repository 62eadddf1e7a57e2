/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing and walking lists of elements. */
#include "schema/array.h"

#include "engine/base/reader.h"

void array_put(struct buf *out, const struct value *element)
{
    buf_u8(out, element->tag);
    if (element->tag == VALUE_TEXT)
        buf_le(out, element->size, 4);
    if (element->tag == VALUE_TEXT)
        buf_bytes(out, value_bytes(element));
    else if (element->tag != VALUE_NULL)
        buf_le(out, element->natural, 8);
}

bool array_next(struct bytes *rest, struct value *element)
{
    struct reader in = reader_of(*rest);
    if (rest->size == 0)
        return false;
    *element = (struct value){ .tag = reader_u8(&in) };
    if (element->tag == VALUE_TEXT)
        *element = value_text(reader_take(&in, reader_le(&in, 4)));
    else if (element->tag != VALUE_NULL)
        element->natural = reader_le(&in, 8);
    *rest = in.rest;
    return !in.failed;
}
