/* SPDX-License-Identifier: Apache-2.0
 *
 * The settings of `source.type: postgres`, in Flink CDC's words where it has one. */
#pragma once

#include "config/setting.h"
#include "engine/source.h"

enum change_detection { DETECT_INFER, DETECT_TRIGGER };
enum publication_mode { PUBLICATION_FILTERED, PUBLICATION_DISABLED };

enum partition_mode { PARTITIONS_AS_ROOT, PARTITIONS_AS_LEAVES };
enum array_mode { ARRAYS_AS_TEXT, ARRAYS_AS_ARRAYS };
enum origin_filter { ORIGIN_ANY, ORIGIN_NONE };
/* Versions of the server: the oldest that is read; the first that publishes a partitioned table as
 * its root and limits what a slot keeps; that puts logical messages into pgoutput's stream; that
 * knows ORIGIN_NONE. */
enum {
    LEAST_VERSION = 120000,
    ROOTS_VERSION = 130000,
    MESSAGES_VERSION = 140000,
    ORIGIN_VERSION = 160000
};

struct postgres_options {
    struct bytes hostname, service;
    int64_t port;
    struct setting_list databases; /* a pipeline each, by the agent */
    struct bytes database;         /* filled from `tables` when the user left it out */
    struct bytes username, password, passfile;
    int tls_mode; /* index into libpq's words of sslmode */
    struct bytes tls_ca, tls_cert, tls_key;
    struct bytes slot, publication;
    int publication_mode;
    bool failover;
    int start_mode;         /* enum postgres_start_mode */
    struct bytes start_lsn; /* "scan.startup.specific-offset.lsn" */
    int64_t connect_timeout_ms, heartbeat_ms, discovery_ms;
    int64_t fetch_rows; /* "scan.snapshot.fetch.size", accepted for compatibility */
    int origin;         /* enum origin_filter */
    int arrays;         /* enum array_mode */
    int partitions;     /* enum partition_mode */
    bool comments;
    int detection; /* enum change_detection */
};
extern const struct setting postgres_settings[];
extern const char *const postgres_tls_modes[];
