/* SPDX-License-Identifier: Apache-2.0
 *
 * A handle of librdkafka with the user's properties, and what its background threads last
 * complained of: its calls often only say that they timed out. */
#pragma once

#include <librdkafka/rdkafka.h>
#include <pthread.h>

#include "engine/base/arena.h"
#include "engine/base/buf.h"
#include "engine/base/error.h"
#include "sinks/kafka/options.h"

struct kafka_client {
    rd_kafka_t *handle; /* NULL: closed */
    const struct kafka_options *options;
    pthread_mutex_t lock; /* of what follows: librdkafka's threads write it */
    char trouble[300];
    rd_kafka_resp_err_t refused; /* the newest complaint that only a person can mend, or 0 */
};

/* What a handle is for; all may be NULL. */
struct client_role {
    const char *group; /* a consumer that only reads what this group has committed */
    bool settled;      /* and waits for a commit that is being written */
    const char *transactional_id;
    bool idempotent;
    void (*on_delivery)(rd_kafka_t *handle, const rd_kafka_message_t *message, void *context);
    void *context;
};

void client_init(struct kafka_client *client, const struct kafka_options *options);
/* ERROR_CONFIG in librdkafka's own words when it refuses a property. Does not connect. */
bool client_open(struct kafka_client *client, const struct client_role *role, struct error *err);
/* A property that is a number, as it stands or by default. */
size_t client_size(const struct kafka_client *client, const char *property);
void client_close(struct kafka_client *client); /* at once; what is in flight is given up */
void client_done(struct kafka_client *client);

/* What to do about an error of this code. */
enum error_kind client_error_kind(rd_kafka_resp_err_t code);
/* Fills *err; with the last complaint of the background threads where the call only timed out. */
bool client_fail(struct kafka_client *client, rd_kafka_resp_err_t code, const char *what,
                 const char *text, struct error *err);
/* The same for an error object, which it frees. */
bool client_fail_error(struct kafka_client *client, rd_kafka_error_t *error, const char *what,
                       struct error *err);
