/* SPDX-License-Identifier: Apache-2.0
 *
 * Input: u16 size of the diffs, the diffs, a binary JSON document. */
#include "engine/base/assert.h"
#include "engine/base/reader.h"
#include "sources/mysql/binlog_json.h"
#include "sources/mysql/charset.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = { 0 };
    struct bytes printed = { 0 }, applied = { 0 };
    struct reader in = reader_of((struct bytes){ data, size });
    struct bytes diffs = reader_take(&in, reader_le(&in, 2));
    if (in.failed)
        return 0;
    bool ok = json_binary_print(in.rest, &arena, &printed);
    if (ok)
        ASSERT(printed.size <= in.rest.size * 8 + 64 &&
               text_utf8_prefix(printed.data, printed.size) == printed.size);
    if (json_binary_apply(in.rest, diffs, &arena, &applied))
        ASSERT(diffs.size || !ok || bytes_equal(printed, applied));
    arena_done(&arena);
    return 0;
}
