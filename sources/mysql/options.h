/* SPDX-License-Identifier: Apache-2.0
 *
 * The settings of `source.type: mysql` and `mariadb`, in Flink CDC's words. */
#pragma once

#include "config/setting.h"
#include "engine/source.h"

enum tls_mode { TLS_DISABLED, TLS_PREFERRED, TLS_REQUIRED, TLS_VERIFY_CA, TLS_VERIFY_IDENTITY };

struct mysql_options {
    struct bytes hostname;
    int64_t port;
    struct bytes socket; /* unix socket instead of host and port */
    struct bytes username, password;
    int tls_mode; /* enum tls_mode; "ssl.mode" */
    struct bytes tls_ca, tls_cert, tls_key;
    struct bytes server_public_key; /* file: caching_sha2_password without TLS */
    struct bytes server_id;         /* "5401" or a range "5401-5404"; empty: chosen by us */
    int64_t connect_timeout_ms;     /* "connect.timeout", 30s */
    int64_t heartbeat_ms;           /* "heartbeat.interval": also the watermark of an idle server */
    int start_mode;                 /* enum start_mode; "scan.startup.mode" */
    struct bytes start_file;        /* "scan.startup.specific-offset.file" */
    int64_t start_pos;              /* "scan.startup.specific-offset.pos" */
    struct bytes start_gtid;        /* "scan.startup.specific-offset.gtid-set" */
    int64_t start_timestamp_ms;     /* "scan.startup.timestamp-millis" */
    int64_t fetch_rows;             /* "scan.snapshot.fetch.size", kept for compatibility */
    bool comments;                  /* "include-comments.enabled" */
    bool tinyint1_is_bool;          /* "treat-tinyint1-as-boolean.enabled" */
    int64_t transaction_memory;     /* "xa.memory" */
};
extern const struct setting mysql_settings[];

bool mysql_begin_from(void *options, struct bytes place, struct error *err); /* start_place.c */
