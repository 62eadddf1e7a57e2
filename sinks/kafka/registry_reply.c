/* SPDX-License-Identifier: Apache-2.0 */
#include "sinks/kafka/registry_reply.h"

#include <jansson.h>
#include <stdio.h>

void registry_refusal(struct bytes body, char *out, size_t size)
{
    json_t *root = json_loadb((const char *)body.data, body.size, 0, NULL);
    const char *message = json_string_value(json_object_get(root, "message"));
    if (message)
        snprintf(out, size, "%s", message);
    else
        snprintf(out, size, "%.*s", body.size > 120 ? 120 : (int)body.size,
                 (const char *)body.data);
    json_decref(root);
}

bool registry_id(struct bytes body, uint32_t *id, struct error *err)
{
    json_t *root = json_loadb((const char *)body.data, body.size, 0, NULL);
    const json_t *found = json_object_get(root, "id");
    bool ok = json_is_integer(found);
    if (ok)
        *id = (uint32_t)json_integer_value(found);
    json_decref(root);
    return ok || error_set(err, ERROR_RETRY, "schema registry: an answer without an id");
}
