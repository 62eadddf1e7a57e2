/* SPDX-License-Identifier: Apache-2.0
 *
 * The settings of `type: clickhouse`. */
#pragma once

#include "config/setting.h"
#include "engine/base/error.h"

enum clickhouse_compression { COMPRESSION_LZ4, COMPRESSION_ZSTD, COMPRESSION_NONE };
enum clickhouse_verify { VERIFY_FULL, VERIFY_NONE };
enum zero_date_mode { ZERO_DATE_NULL, ZERO_DATE_EPOCH, ZERO_DATE_FAIL };
enum array_null_mode { ARRAY_NULL_PARK, ARRAY_NULL_EMPTY };
enum out_of_range_mode { OUT_OF_RANGE_CLAMP, OUT_OF_RANGE_NULL, OUT_OF_RANGE_FAIL };

struct clickhouse_options {
    struct setting_list urls;
    struct bytes username, password;
    struct bytes cluster;
    bool replicated;
    struct setting_list order_by;
    struct bytes partition_by;
    bool final_view;
    struct setting_pairs table_properties;
    struct setting_pairs insert_properties;
    int compression;
    struct bytes tls_ca, tls_cert, tls_key;
    int tls_verify;
    int64_t connect_timeout_ms, request_timeout_ms;
    int zero_date;
    int out_of_range;
    int array_null;
};

extern const struct setting clickhouse_settings[];

/* What a table of settings cannot say: URLs without secrets, names of settings. ERROR_CONFIG. */
bool clickhouse_options_check(const struct clickhouse_options *options, struct error *err);
