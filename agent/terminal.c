/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/terminal.h"

void terminal_print(FILE *out, int width, struct bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        fputc(text.data[i] < 0x20 || text.data[i] == 0x7f ? '?' : text.data[i], out);
    for (size_t printed = text.size; (int)printed < width; printed++)
        fputc(' ', out);
}
