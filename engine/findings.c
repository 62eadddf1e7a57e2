/* SPDX-License-Identifier: Apache-2.0
 *
 * The lines that a driver's check gathers. */
#include <stdarg.h>
#include <stdio.h>

#include "engine/base/assert.h"
#include "engine/source.h"

void finding_add(struct findings *findings, int level, const char *cure, const char *format, ...)
{
    if (findings->count == ARRAY_SIZE(findings->items))
        return; /* more than a screen of them says nothing more */
    struct finding *finding = &findings->items[findings->count++];
    finding->level = level == FINDING_FAIL   ? FINDING_FAIL
                     : level == FINDING_WARN ? FINDING_WARN
                                             : FINDING_OK;
    va_list args;
    va_start(args, format);
    vsnprintf(finding->text, sizeof finding->text, format, args);
    va_end(args);
    snprintf(finding->cure, sizeof finding->cure, "%s", cure ? cure : "");
}

void findings_table(struct findings *findings, const struct table *table)
{
    if (findings->on_table)
        findings->on_table(findings->context, table);
}
