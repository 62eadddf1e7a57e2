/* SPDX-License-Identifier: Apache-2.0
 *
 * The producer of one worker and its transactions.
 *
 * A transaction is one flush of the worker, and its label is that flush's. With the messages it
 * commits an offset for a group of the worker's own, whose metadata is the label, and how far the
 * log is visible with it: what the group holds is exactly what became visible last, whatever answer
 * was lost, and however old the checkpoint is that is started with. Taking the transactional id
 * again (after a restart or a failure) makes the broker end what its former owner left, so the
 * group's metadata is final from then on.
 *
 * That a broker acknowledged a commit is not enough: one that dies before the markers are written,
 * and comes back while partitions have no leader yet, takes these for deleted and never writes them
 * (Kafka 4, KAFKA-20734). Such rows are undecided, until the next marker of ours in their partition
 * decides. So a transaction is done when the group, read settled, shows its label, and until then
 * its loads are kept. Where it never does they are sent again and aborted, by which both copies go,
 * and then sent again for good.
 *
 * Beside the label stands a number of this process. Who finds another's there was replaced by a
 * newer agent, and stops instead of taking the id back. */
#pragma once

#include "engine/base/map.h"
#include "engine/sink.h"
#include "sinks/kafka/client.h"
#include "sinks/kafka/frame.h"

/* Messages of one topic that go into librdkafka together, which costs its locks and its clock once;
 * one that has headers goes alone. */
struct producer_batch {
    rd_kafka_topic_t *topic;
    rd_kafka_message_t messages[64];
    uint32_t count;
    bool with_headers;
    struct bytes headers, fixed;
};

struct producer {
    struct kafka_client client;
    struct kafka_client *admin; /* for topics and for looking */
    const struct kafka_options *options;
    bool transactional;
    bool open;       /* a transaction is open */
    bool committing; /* its commit was asked for: should the handle go, the outcome is unknown */
    char id[200];    /* transactional id, and name of the group */
    char owned[200]; /* an id that this process has marked */
    char committed[LOAD_LABEL_SIZE]; /* label that the group holds; "-" before the first */
    struct kafka_client looker;      /* reads the group, settled */
    bool undecided; /* brokers left a transaction without markers; until it is purged */
    bool purging;   /* the next transaction has the rows of that one, and is aborted once */
    struct group_facts facts; /* that the group holds beside it */
    bool marked;              /* the group held something when the id was taken */
    int64_t marked_us;        /* when the group was last committed to */
    uint64_t generation;      /* of the handle */
    struct map topics;        /* name -> rd_kafka_topic_t, of the handle */
    struct producer_batch batch;
    rd_kafka_resp_err_t failed; /* the first bad report, or 0 */
    const uint8_t *failed_frame;
};

void producer_init(struct producer *producer, const struct kafka_options *options,
                   struct kafka_client *admin);
/* The handle of this label's worker. When it is new, its id is taken, which ends what a former
 * owner left open, and `committed` is read. */
bool producer_ready(struct producer *producer, const char *label, struct error *err);
/* Whether the transaction of this label is visible. Where it was left undecided it is not, and the
 * next one must be of the same rows. */
bool producer_holds(struct producer *producer, const char *label);
/* What the group of another worker tells; its id is left alone. */
bool producer_facts_of(const struct producer *producer, const char *label, struct group_facts *out,
                       struct error *err);
bool producer_begin(struct producer *producer, struct error *err);
/* Takes a message of `topic` in, whose memory stays until the outcome is known; it may be gathered
 * until the next call. `headers`: a list as in a frame, before its own. Waits while the queue is
 * full. */
bool producer_send(struct producer *producer, rd_kafka_topic_t *topic,
                   const struct frame_view *message, struct bytes headers, struct error *err);
/* Hands over what is gathered: needed behind the last message of each load. */
bool producer_push(struct producer *producer, struct error *err);
/* True: all that was sent since begin is visible. ERROR_UNKNOWN: producer_ready() again, then
 * `committed` tells. After other errors nothing of it is, and *failed is the frame that was
 * refused, or NULL. */
bool producer_commit(struct producer *producer, const char *label, const struct group_facts *facts,
                     const uint8_t **failed, struct error *err);
/* Gives up what is open; no message is under way afterwards. */
void producer_abandon(struct producer *producer);
/* NULL with *err: no topic may have this name. Lives as long as the handle. */
rd_kafka_topic_t *producer_topic(struct producer *producer, struct bytes name, struct error *err);
void producer_done(struct producer *producer);
