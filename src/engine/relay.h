/* SPDX-License-Identifier: Apache-2.0
 *
 * An isolated slave as a state machine. Between the master and the process that runs the tasks, the
 * child, stands this process, which runs none: to the master it is a slave (engine/slave_engine),
 * to the child it is a master. It hands tasks on, and results back. When the child ends in a task,
 * it tells the master how, and the next child gets the tasks that were not begun.
 *
 *     ALONE --started--> GREETING --HELLO--> SERVING --connection ends--> PARTING
 *       ^----------------------------- process ended -----------------------'
 *
 * The face starts and ends processes; it asks here after each step what is to be done.
 */
#ifndef MWI_RELAY_H
#define MWI_RELAY_H

#include <stdatomic.h>

#include "engine/doomed.h"
#include "engine/slave_engine.h"

/* Memory that this process shares with the child, which writes. */
struct mwi_relay_page {
    _Atomic uint64_t begun_count; /* tasks that the child has begun */
    _Atomic uint64_t ended_count; /* of those, the ones that run no more */
};

enum mwi_relay_phase {
    MWI_RELAY_ALONE,    /* no child: the face may start one */
    MWI_RELAY_GREETING, /* the child is to greet */
    MWI_RELAY_SERVING,  /* it has been welcomed */
    MWI_RELAY_PARTING   /* nothing more is heard of it: its process is to end */
};

struct mwi_relay {
    struct mwi_slave_engine *slave;    /* borrowed: the master's side, with the effects */
    const struct mwi_relay_page *page; /* borrowed */
    struct mwi_decoder decoder;
    enum mwi_relay_phase phase;
    mw_peer child;           /* 0: none */
    size_t given_count;      /* the messages in the slave's queue, from the first, that it has */
    uint64_t answered_count; /* tasks that this child has returned */
    bool is_connected, has_process;
    bool is_dismissed;      /* the tasks of this child are the slave's no more: it is to end */
    bool is_recalled;       /* the master takes back the tasks that were not begun */
    bool has_orphan;        /* the master is gone, and the child still runs a task of it */
    bool is_stopping;       /* this process was asked to end */
    bool has_left;          /* the slave algorithm has returned while the master was there */
    bool must_kill;         /* the face is to kill the child */
    const char *why_killed; /* constant, continues a sentence about the process; NULL: the process
                                has ended by itself */
    struct mwi_saved_outbox saving; /* of the first task of the queue */
    struct mwi_doomed doomed;       /* tasks in the queue whose results are not wanted */
    int64_t doom_ns;                /* when the task that runs is to be ended; INT64_MAX: never */
    int64_t patience_ns;            /* when the child is to be killed; INT64_MAX: never */
    unsigned ends_in_row;           /* of children that have begun no task */
    mw_reason last_end;
};

/* `slave` and `page` are borrowed for the life of the relay. MW_ENOMEM. */
mw_error mwi_relay_init(struct mwi_relay *relay, struct mwi_slave_engine *slave,
                        const struct mwi_relay_page *page);
void mwi_relay_fini(struct mwi_relay *relay);

/* Steps the relay, and the slave's engine, with an event of the master, of the child, or a tick.
 * The effects of both are then to be carried out. Errors: as mwi_slave_engine_step. */
mw_error mwi_relay_step(struct mwi_relay *relay, const struct mwi_event *event);

/* The time at which a tick is due; INT64_MAX: none is. */
int64_t mwi_relay_deadline(const struct mwi_relay *relay);

/* Whether the face is to start a child now. It sets the page to zero, and then says that the child
 * was started, and which peer it will be; or, instead, that it could not be. */
bool mwi_relay_wants_child(const struct mwi_relay *relay);
void mwi_relay_child_started(struct mwi_relay *relay, mw_peer child);
void mwi_relay_cannot_start(struct mwi_relay *relay, const char *reason);

/* Whether the face is to kill the child now: true once. */
bool mwi_relay_pop_kill(struct mwi_relay *relay);

/* The process of the child has ended: `how`, such as "exited with status 3". Messages that
 * it has sent may still be on their way. */
void mwi_relay_child_ended(struct mwi_relay *relay, const char *how, int64_t now_ns);

/* Sends the results that wait, if the master leaves their grouping to the slave, and saved bytes if
 * those before them have left. Call it after each turn of the loop. */
void mwi_relay_flush(struct mwi_relay *relay, int64_t now_ns);

/* This process was asked to end: the task that runs is ended soon, the others are given back when
 * the slave leaves. */
void mwi_relay_stop(struct mwi_relay *relay, int64_t now_ns);

/* Whether all is done: there is no child, and there will be none. */
bool mwi_relay_is_over(const struct mwi_relay *relay);

/* Whether children ended one after the other before they began a task, so that no other is started;
 * then *why says so. */
bool mwi_relay_has_given_up(const struct mwi_relay *relay, mw_reason *why);

#endif
