/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "engine/base/error.h"

enum {
    CODE_UNKNOWN_SETTING = 115,
    CODE_UNKNOWN_TABLE = 60,
    CODE_ACCESS_DENIED = 497,
};

/* What an exception of the server means for who sent the statement. */
enum error_kind clickhouse_error_kind(int code);
