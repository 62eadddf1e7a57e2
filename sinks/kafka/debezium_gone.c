/* SPDX-License-Identifier: Apache-2.0 */
#include "sinks/kafka/debezium_gone.h"

#define TEXT(text)                                                                                 \
    {                                                                                              \
        (const uint8_t *)(text), sizeof(text) - 1                                                  \
    }
#define ZEROS_16 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"

/* The first line whose type is the schema's and whose word is in its name. */
static const struct {
    const char *type, *word;
    struct gone gone;
} forms[] = {
    { "boolean", "", { TEXT("false"), TEXT("\0") } },
    { "float", "", { TEXT("0.0"), TEXT("\0\0\0\0") } },
    { "double", "", { TEXT("0.0"), TEXT("\0\0\0\0\0\0\0\0") } },
    { "array", "", { TEXT("[]"), TEXT("\0") } },
    { "bytes", ".Decimal", { TEXT("\"AA==\""), TEXT("\2\0") } },
    { "bytes", "", { TEXT("\"\""), TEXT("\0") } },
    { "string",
      ".ZonedTimestamp",
      { TEXT("\"1970-01-01T00:00:00Z\""), TEXT("\50"
                                               "1970-01-01T00:00:00Z") } },
    { "string",
      ".ZonedTime",
      { TEXT("\"00:00:00Z\""), TEXT("\22"
                                    "00:00:00Z") } },
    { "string",
      ".Interval",
      { TEXT("\"P0Y0M0DT0H0M0S\""), TEXT("\34"
                                         "P0Y0M0DT0H0M0S") } },
    { "string", "", { TEXT("\"\""), TEXT("\0") } },
    { "struct",
      ".VariableScaleDecimal",
      { TEXT("{\"scale\":0,\"value\":\"AA==\"}"), TEXT("\0\2\0") } },
    { "struct",
      ".Point",
      { TEXT("{\"x\":0.0,\"y\":0.0,\"wkb\":\"AQEAAAAAAAAAAAAAAAAAAAAAAAAA\",\"srid\":null}"),
        TEXT(ZEROS_16 "\2\52\1\1\0\0\0" ZEROS_16 "\0") } },
    { "struct",
      "",
      { TEXT("{\"wkb\":\"AQcAAAAAAAAA\",\"srid\":null}"), TEXT("\22\1\7\0\0\0\0\0\0\0\0") } },
    { "", "", { TEXT("0"), TEXT("\0") } },
};

struct gone debezium_gone(const struct connect_schema *schema)
{
    const char *name = schema->name ? schema->name : "";
    size_t i = 0;
    while (*forms[i].type &&
           (strcmp(forms[i].type, schema->type) != 0 || !strstr(name, forms[i].word)))
        i++;
    return forms[i].gone;
}
