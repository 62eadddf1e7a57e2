/* SPDX-License-Identifier: Apache-2.0
 *
 * The distance of Damerau and Levenshtein (optimal string alignment): three rows of the usual
 * table, of which the oldest serves the swap of two neighbours. */
#include "config/nearest.h"

enum { WORD_MAX = 64 };

static uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }

uint32_t nearest_distance(struct bytes a, struct bytes b)
{
    uint32_t rows[3][WORD_MAX + 1];
    size_t height = a.size > WORD_MAX ? WORD_MAX : a.size;
    size_t width = b.size > WORD_MAX ? WORD_MAX : b.size;
    for (size_t j = 0; j <= width; j++)
        rows[0][j] = (uint32_t)j;
    for (size_t i = 1; i <= height; i++) {
        uint32_t *now = rows[i % 3];
        const uint32_t *above = rows[(i + 2) % 3], *older = rows[(i + 1) % 3];
        now[0] = (uint32_t)i;
        for (size_t j = 1; j <= width; j++) {
            uint32_t change = above[j - 1] + (a.data[i - 1] != b.data[j - 1]);
            now[j] = least(change, least(above[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a.data[i - 1] == b.data[j - 2] && a.data[i - 2] == b.data[j - 1])
                now[j] = least(now[j], older[j - 2] + 1);
        }
    }
    return rows[height % 3][width];
}

bool nearest_is_near(struct bytes word, uint32_t distance)
{
    return distance <= (word.size < 4 ? 1 : word.size / 2);
}
