/* SPDX-License-Identifier: Apache-2.0
 *
 * What `status` and `tables` look at: the document of /status, from the running agent when it
 * answers, else made from the checkpoints, in the same shape. */
#pragma once

#include <stdio.h>

#include <jansson.h>

#include "config/config.h"

/* The config is read leniently: no secret is needed to look. */
bool inspect_document(const char *config_path, json_t **out, struct error *err);

/* Members, "" or 0 where they are missing. */
const char *inspect_text(const json_t *object, const char *key);
int64_t inspect_number(const json_t *object, const char *key);

void inspect_cleanup(json_t **document); /* for CLEANUP */

/* A text from a server or a file on a terminal: control characters become '?'. */
void inspect_print(FILE *out, int width, const char *text);
