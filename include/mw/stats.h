/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers of a running farm, for programs that show or log them: its progress, how long tasks wait
 * and run, the state of its slaves, and how the master spends its time. The library always keeps
 * these numbers; a call only copies them.
 *
 * Each struct begins with its size, which the caller sets: `mw_stats stats = {.size = sizeof
 * stats}`. So a program and a library of different versions can work together: the library does not
 * write fields that the program does not have, and sets fields that it does not know itself to 0.
 *
 * Threads: call these functions in the thread that uses the master, at any time while it is open.
 * They never wait, and are not collective over MPI.
 */
#ifndef MW_STATS_H
#define MW_STATS_H

#include <mw/mw.h>

MW_BEGIN_DECLS

/* A histogram of durations, whose buckets double. Bucket 0 counts durations below 1 microsecond,
 * bucket i those from 2^(i-1) to below 2^i microseconds, and the last bucket all longer ones. */
#define MW_TIMES_BUCKETS 44
typedef struct mw_times {
    uint64_t count;
    uint64_t total_ns;
    uint64_t buckets[MW_TIMES_BUCKETS];
} mw_times;

/* Why a slave was lost. */
typedef enum mw_loss {
    MW_LOSS_CONNECTION, /* its connection or its process ended */
    MW_LOSS_GOODBYE,    /* it said goodbye, which costs its tasks no attempt */
    MW_LOSS_PROTOCOL,   /* it broke the protocol and was dropped */
    MW_LOSS_TIME_LIMIT, /* a task overran mw_policy.time_limit_s */
    MW_LOSS_SILENCE,    /* it had no task and did not answer within --mw-client-timeout */
    MW_LOSS_SHUTDOWN,   /* it did not stop in time when the farm ended */
    MW_LOSSES_COUNT
} mw_loss;

/* The buckets of mw_stats.groups. Bucket i counts the messages with 2^i to below 2^(i+1) tasks; the
 * last bucket counts all larger ones. */
#define MW_STATS_GROUP_BUCKETS 24

/* The whole farm. A number counts from the opening of the master on, unless its comment begins with
 * "now". */
typedef struct mw_stats {
    size_t size; /* set by the caller */

    /* Tasks. submitted = done + failed + unrunnable + cancelled + waiting + running. */
    uint64_t submitted;
    uint64_t done;
    uint64_t failed;
    uint64_t unrunnable;
    uint64_t cancelled;
    uint64_t requeued;       /* how often a task came back from a lost slave to the queue */
    size_t waiting;          /* now: tasks that no slave has */
    size_t running;          /* now: tasks that were sent to a slave, begun or not */
    size_t results_ready;    /* now: results for mw_master_next_result */
    size_t unrunnable_ready; /* now: tasks for mw_master_next_unrunnable */

    /* Slaves. */
    size_t slaves_connecting;              /* now: have not been accepted yet */
    size_t slaves_idle;                    /* now: have no task */
    size_t slaves_busy;                    /* now: have a task */
    size_t slaves_stopping;                /* now: were told to stop */
    uint64_t slaves_greeted;               /* the master accepted them */
    uint64_t slaves_stopped;               /* stopped when they were told to */
    uint64_t slaves_lost[MW_LOSSES_COUNT]; /* by enum mw_loss */
    uint64_t clients_refused;              /* peers that never became slaves */

    /* Messages and their bytes, without the framing of the transport. */
    uint64_t messages_sent;
    uint64_t messages_received;
    uint64_t bytes_sent;
    uint64_t bytes_received;
    uint64_t groups[MW_STATS_GROUP_BUCKETS]; /* messages of tasks, by their number of tasks */

    /* The master's time since it was opened, in seconds. */
    double waiting_s;   /* waiting for the network */
    double serving_s;   /* serving slaves */
    double algorithm_s; /* in the caller's code */

    /* Of the slaves that have a task; 0 if there are none. */
    double oldest_task_s; /* now: how long ago the oldest of these tasks was sent */
    double silent_s;      /* now: for how long one of these slaves has said nothing, at most */

    uint64_t copied; /* second copies of slow tasks that were sent, see mw_policy.speculate */
} mw_stats;

/* The tasks of one algorithm; fields as in mw_stats. */
typedef struct mw_algorithm_stats {
    size_t size;           /* set by the caller */
    const char *algorithm; /* its name in mw_program.algorithms */
    uint64_t submitted, done, failed, unrunnable, cancelled, requeued;
    size_t waiting, running;
    mw_times wait;     /* from submission to the first sending, exact to a millisecond */
    mw_times run;      /* of done and failed tasks, as the slaves measured it */
    uint64_t replayed; /* done and failed tasks that an earlier run has ended, see --mw-journal */
} mw_algorithm_stats;

/* A slave that is connected. */
typedef struct mw_slave_stats {
    size_t size;           /* set by the caller */
    const char *sid;       /* "SLAVE-3"; borrowed until the master is closed */
    const char *transport; /* "tcp"; constant */
    const char *address;   /* borrowed until the next call that serves the slaves */
    const char *host;      /* the name of its host, or if unknown its address without the port;
                              borrowed until the master is closed */
    uint32_t pid;          /* its process id on that host; 0 if unknown */
    bool is_busy;          /* whether it has a task */
    mw_group group;
    uint64_t done, failed;               /* tasks that it returned */
    size_t tasks_count;                  /* now: tasks that it has */
    mw_task_id task;                     /* now: the task that it has had for longest; 0: none */
    double task_s;                       /* for how many seconds it has had that task */
    double busy_s;                       /* for how many seconds it had tasks since it connected */
    double connected_s;                  /* for how many seconds it has been connected */
    double heard_s;                      /* how many seconds ago its last message came */
    uint64_t bytes_sent, bytes_received; /* by the master, to and from this slave */
} mw_slave_stats;

/* Sets *stats to the present numbers. Errors: MW_EINVAL if stats->size is smaller than the field
 * `size`. */
MW_API mw_error mw_master_stats(const mw_master *master, mw_stats *stats);

/* Sets *stats to the present numbers of algorithm `index`, counted from 0, of
 * mw_program.algorithms. False, and *stats unchanged, if there is no such algorithm or stats->size
 * is smaller than the field `size`. */
MW_API bool mw_master_algorithm_stats(const mw_master *master, size_t index,
                                      mw_algorithm_stats *stats);

/* Sets *stats to the present numbers of the next connected slave, in the order in which they
 * connected. The caller sets *cursor to 0 before the first call, and the function advances it.
 * False, and *stats unchanged, behind the last slave, or if stats->size is smaller than the field
 * `size`. Slaves may come and go between two calls; one that stays is visited once. */
MW_API bool mw_master_slave_stats(const mw_master *master, size_t *cursor, mw_slave_stats *stats);

MW_END_DECLS

#endif
