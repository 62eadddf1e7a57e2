/* SPDX-License-Identifier: Apache-2.0
 *
 * MySQL and MariaDB error numbers: what the program should do, and what a person should do. */
#pragma once

#include "engine/base/bytes.h"
#include "engine/base/error.h"

/* A replica with our server id or uuid took our place: ask again under another one. */
enum { CONNECTION_REPLACED = 1000001 };

/* Fills *err from a number and the text of the server or of the library, adds the cure; false. */
bool connection_failure(struct error *err, int code, struct bytes text);
