/* SPDX-License-Identifier: Apache-2.0
 *
 * A log reader whose server is a list of events: what connection.c offers is answered from here, so
 * that a program which links this file needs no server. The catalog holds one table, d.t (id INT
 * key); its rows are numbers. */
#pragma once

#include "schema/catalog.h"
#include "sources/mysql/log.h"

struct log_lab {
    struct arena arena;
    struct catalog catalog;
    struct table_filter filter;
    struct mysql_options options;
    struct log_source *log;
    struct batch batch;
    uint32_t position; /* where the newest event ends */
};

void lab_open(struct log_lab *lab, bool mariadb);
void lab_close(struct log_lab *lab);

/* The event's header and body as they come in a packet, appended to `out`. */
void lab_put_event(struct log_lab *lab, uint8_t type, struct bytes body, struct buf *out);

/* What the server is going to send: a whole event, or one of these. */
void lab_packet(struct bytes event);
void lab_event(struct log_lab *lab, uint8_t type, struct bytes body);
void lab_gtid(struct log_lab *lab, uint64_t number);
void lab_query(struct log_lab *lab, const char *sql);
void lab_map(struct log_lab *lab);
void lab_rows(struct log_lab *lab, int32_t first, uint32_t count);
void lab_xid(struct log_lab *lab);

void lab_map_body(struct buf *out);
void lab_rows_body(int32_t first, uint32_t count, struct buf *out);
void lab_query_body(const char *sql, struct buf *out);

/* Reads once into lab->batch, which is emptied first; waits that long where nothing is there. */
enum { LAB_PATIENCE_MS = 100 };
bool lab_read(struct log_lab *lab, struct error *err);
/* Has the server sent all of it? */
bool lab_is_empty(void);
/* For how long the reader was ready to wait for the newest packet, or for none. */
int lab_waited_ms(void);
