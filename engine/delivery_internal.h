/* SPDX-License-Identifier: Apache-2.0
 *
 * What delivery.c (the loop), load.c (sending one) and delivery_change.c (schema changes) share. */
#pragma once

#include "engine/base/retry.h"
#include "engine/delivery.h"
#include "engine/spare.h"

/* The delivery's side of a target. */
struct delivery_target {
    struct target *target;
    const struct table *prepared; /* version that the sink was last made ready for */
    struct load load;             /* its open load; parts NULL: none open */
    uint32_t part_count;
    uint64_t first_sequence; /* of the batch of the load's first row */
    int64_t opened_us;
    uint64_t seen;               /* stream mark up to which rows were taken in */
    struct chunk_record *chunks; /* that become durable with the load; cursors owned */
    uint32_t chunk_count;
    size_t chunk_capacity;
    bool has_snapshot_rows;
    uint64_t inserts, updates, deletes, reads;
    int64_t event_time_us;
    uint64_t cut; /* a load sent before the restart: its last mark; 0: none */
    char cut_label[LOAD_LABEL_SIZE];
    struct delivery_target *next_open; /* list of targets with open loads */
    bool open;
    bool learned;                 /* how far the target is */
    struct delivery_target *next; /* of the worker */
};

struct worker {
    struct delivery_shared *shared;
    uint32_t index;
    pthread_t thread;
    struct queue inbox;
    struct arena arena; /* the sink instance's and the targets' */
    struct sink *sink;
    struct delivery_target *targets; /* all that it has met */
    struct delivery_target *open;    /* oldest first */
    uint64_t taking_sequence;        /* of the batch that is being taken in */
    uint64_t last_sequence;          /* of the last one that was taken in wholly */
    uint64_t load_number;
    int64_t last_advance_us;
    int64_t interval_us; /* of flushes; grows when the sink asks for rarer loads */
    size_t open_bytes;
    struct spare spare;
    size_t flowed; /* of batches since the inbox was last left to fill */
    struct pending_intent *pending;
    uint32_t pending_count;
    /* Groups: load_group.c. */
    struct group_facts facts; /* of what is visible */
    uint64_t known;           /* what the checkpoint knows to be visible */
    bool asked;               /* they were read after the restart */
    struct group_facts old[SINK_WORKERS_MAX]; /* likewise of those who shared the targets before */
    uint32_t old_workers;                     /* how many they were */
    bool told[2];             /* that the checkpoint is older: exactly known, or not */
    bool doubted;             /* a table is being read, or parked, or was so a moment ago */
    uint64_t doubt_until;     /* the batch with which that is over */
    struct retry retry;
    struct flush_watch *flush; /* the worker's, in the metrics */
    pthread_mutex_t ready_lock;
    pthread_cond_t ready_changed;
    bool ready, ended;
};

/* load.c */
struct delivery_target *load_state(struct worker *worker, struct target *target);
void load_new_label(struct worker *worker, char label[LOAD_LABEL_SIZE]);
void load_worker_label(struct worker *worker, uint32_t index, char label[LOAD_LABEL_SIZE]);
void load_open(struct worker *worker, struct delivery_target *state, const struct table *table);
/* Everything of the target at or below is durable once its open load is. */
void load_close(struct worker *worker, struct delivery_target *state); /* forgets the chunks */
/* The load from before the restart cannot be cut alike: an open load gets a label of its own. */
void load_forget_cut(struct worker *worker, struct delivery_target *state);
bool load_flush_all(struct worker *worker, struct error *err);
bool load_advance(struct worker *worker, struct error *err);
void load_note_durable(struct worker *worker); /* how far the worker is, for those who wait */
/* After a failure (*err), waits as the policy says. False: it is over, or asked to stop; *err says
 * which. */
bool load_back_off(struct worker *worker, const char *what, struct error *err);
/* Another pipeline fills the target: the table is parked, and nothing is done to what is there. */
bool load_refused(struct worker *worker, struct target *target, const struct table *table);
/* The target is set aside: its rows are not delivered until it is read again. */
void load_park(struct worker *worker, struct target *target, uint32_t table_id, const char *reason);
/* Before the first row or change of a table without a key: how far is its target? */
bool load_learn(struct worker *worker, struct delivery_target *state, const struct table *table,
                struct error *err);
/* An older checkpoint: which targets were emptied since, and are to be read again? */
bool load_look_back(struct worker *worker, struct error *err);
/* After both: BEGIN and END of what is durable were told, or there was nothing to tell. */
void load_boundaries(struct worker *worker);
bool load_resolve_pending(struct worker *worker, struct error *err);
/* Asks the sink until it knows. True with *visible; false: stop, or an error for a person. */
bool load_resolve(struct worker *worker, struct target *target, const char *label, uint64_t first,
                  uint64_t last, bool *visible, struct error *err);
/* One synced record says what is going to be sent, before anything is. */
bool load_intend(struct worker *worker, struct error *err);
void load_recovered(struct worker *worker);                                  /* the sink answered */
void load_count(struct worker *worker, const struct delivery_target *state); /* it is visible */

/* load_group.c: for sinks whose loads become visible together. */
void load_group_label(struct worker *worker); /* gives all open loads one new label */
/* After a restart, once: what does the sink hold of this worker's targets? */
bool load_group_learn(struct worker *worker, struct error *err);
/* Changes of the target at or below are visible, as far as that goes beyond the checkpoint. */
uint64_t load_group_visible(struct worker *worker, const struct target *target);
bool load_group_send(struct worker *worker, struct error *err);

/* delivery.c: makes the sink ready for the event's table, opens a load and appends the event. */
bool worker_encode(struct worker *worker, struct delivery_target *state, const struct event *event,
                   struct error *err);

/* delivery_change.c */
bool delivery_change(struct worker *worker, const struct event *event, struct error *err);
