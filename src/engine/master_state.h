/* SPDX-License-Identifier: Apache-2.0
 *
 * The state of a master's engine: its settings, its stores and its clock. The rooms of the master's
 * engine share it; nothing outside the engine changes it.
 */
#ifndef MWI_MASTER_STATE_H
#define MWI_MASTER_STATE_H

#include "base/digest.h"
#include "base/time.h"
#include "engine/effects.h"
#include "farm/copies.h"
#include "farm/durations.h"
#include "farm/finished.h"
#include "farm/fit.h"
#include "farm/hosts.h"
#include "farm/pace.h"
#include "farm/sid_queue.h"
#include "farm/slaves.h"
#include "farm/spares.h"
#include "farm/targets.h"
#include "farm/tasks.h"

/* The settings of the engine. Copied; the strings and the table are borrowed for the engine's
 * life. */
struct mwi_master_engine_config {
    const char *member_id;
    uint64_t run;                   /* a number of this run alone */
    const mw_algorithm *algorithms; /* ended by a NULL name */
    size_t task_group;              /* 0: by time */
    size_t result_group;            /* 0: by time */
    size_t frame_write_bytes_max;
    size_t frame_read_bytes_max;
    int64_t client_timeout_ns;
    int64_t reconnect_ns;     /* how long slaves may look for this master; 0: they do not */
    int64_t fit_timeout_ns;   /* how long a task waits for a slave that it fits */
    int64_t speculate_factor; /* a task is slow after this multiple of the median */
    bool keeps_failures;      /* in the journal */
    bool is_untimed; /* tasks have no time limits: nobody could end a task that overruns its own */
};

/* The purposes of the engine's timers. */
enum mwi_master_state_timer {
    MWI_TIMER_SHUTDOWN,
    MWI_TIMER_QUIET, /* a client does not greet, or a slave without a task does not answer */
    MWI_TIMER_LIMIT, /* a task overruns its time limit, or its slave has not told that it began */
    MWI_TIMER_HOST,  /* a host in doubt: its next slave may have a task */
    MWI_TIMER_FIT,   /* a part of the time-out of tasks that fit no slave is over */
    MWI_TIMER_STRANGERS,   /* a second is over in which the trail left out strangers */
    MWI_TIMER_SPECULATION, /* some task may be slow */
    MWI_TIMER_OFFERS,      /* results were offered, and their tasks are looked for */
    MWI_TIMER_LATE         /* slaves have had enough time to come back with late tasks */
};

/* The lines of the trail about strangers, see strangers.h. */
struct mwi_strangers {
    int64_t since_ns;      /* when the present second began */
    unsigned lines_count;  /* in it */
    uint64_t untold_count; /* strangers that were turned away without a line */
    struct mwi_timer_entry timer;
};

/* The results that were offered and not looked at yet, see offers.h. */
struct mwi_offers {
    struct mwi_offer_entry *entries;
    size_t count, capacity;
    size_t payload_bytes;
    struct mwi_timer_entry timer;
    struct mwi_map used; /* results of other runs that have ended a task, by run and id */
};

/* Second copies of slow tasks, see speculation.h. */
struct mwi_speculation {
    bool is_wanted; /* by the policy of some task */
    bool has_stuck; /* tasks are slow, and no slave was idle to help */
    uint64_t copies_count;
    struct mwi_timer_entry timer;
};

struct mwi_journal;

struct mwi_master_engine {
    struct mwi_master_engine_config config;
    struct mwi_journal *journal; /* borrowed; NULL: none, or it has failed */
    struct mwi_journal *earlier; /* the same, to be asked for earlier runs even if it has failed */
    struct mwi_effects effects;
    struct mwi_tasks tasks;
    struct mwi_copies copies;
    struct mwi_slaves slaves;
    struct mwi_hosts hosts;
    struct mwi_finished_queue finished;
    struct mwi_timers timers;
    struct mwi_timer_entry shutdown;
    struct mwi_timer_entry fit_timer;
    struct mwi_fit fit;
    size_t misfit_bytes; /* tasks set aside that need larger messages fail; SIZE_MAX: none */
    size_t moves_left;   /* of tasks that do not fit, in this step */
    bool is_behind;      /* the last step left some of those */
    bool is_closed;      /* no more slaves, or none of another kind, can come; set from above */
    struct mwi_decoder decoder;
    struct mwi_targets targets;
    struct mwi_pace pace;
    struct mwi_durations durations;
    struct mwi_speculation speculation;
    struct mwi_sid_queue connected, disconnected; /* ordered and intermingle slaves */
    int64_t now_ns;                               /* of the last step */
    int64_t away_ns;     /* how long nobody polled the network, in all steps together */
    int64_t gap_ns;      /* the latest such times, until it is known whether a slave waited */
    int64_t unheard_ns;  /* how long slaves waited in such times, since the last audit record */
    int64_t may_tell_ns; /* the next such audit record is not written before this */
    struct mwi_strangers strangers;
    struct mwi_list withheld;    /* messages that wait for the journal, see withheld.h */
    struct mwi_list unconfirmed; /* slaves whose results wait to be durable, see receipts.h */
    struct mwi_offers offers;
    struct mwi_spares spares;
    struct mwi_timer_entry late_timer;
    bool has_late;     /* late tasks were submitted */
    bool is_late_over; /* tasks are late no more */
    struct mwi_stats_traffic traffic;
    uint64_t groups[MW_STATS_GROUP_BUCKETS]; /* sent, by their size */
    size_t ended_count;                      /* tasks, since there was nothing to do */
    int64_t later_ns; /* how long the tasks ran whose results follow in the message at work */
    uint16_t algorithms_count;
    bool is_stopping; /* no task is sent any more, and none that waits is given up */
    bool is_shutting_down;
    bool is_hurried; /* who waits for the shutdown does not give it all of its time */
};

/* The clock of all timers: it stands still while nobody looks at the network, so that such time
 * counts against no slave. */
static inline int64_t mwi_master_state_looked(const struct mwi_master_engine *engine)
{
    return engine->now_ns - engine->away_ns;
}

/* Starts a timer on that clock; false out of memory. */
static inline bool mwi_master_state_start_timer(struct mwi_master_engine *engine,
                                                struct mwi_timer_entry *timer,
                                                enum mwi_master_state_timer kind, int64_t after_ns)
{
    timer->kind = (int)kind;
    return mwi_timers_start(&engine->timers, timer,
                            mwi_time_after(mwi_master_state_looked(engine), after_ns));
}

/* For how long a task may run; 0: for ever. */
static inline int64_t mwi_master_state_limit_ns(const struct mwi_master_engine *engine,
                                                const struct mwi_task_entry *task)
{
    return engine->config.is_untimed ? 0 : mwi_tasks_policy(&engine->tasks, task)->time_limit_ns;
}

/* The time of the step that begins. */
static inline void mwi_master_state_set_time(struct mwi_master_engine *engine, int64_t now_ns)
{
    engine->now_ns = now_ns;
    engine->tasks.now_ns = now_ns;
    engine->slaves.now_ns = now_ns;
}

#endif
