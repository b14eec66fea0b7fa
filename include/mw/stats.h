/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers of a running farm, for programs that show or log them: how far it is, how long tasks wait
 * and run, what the slaves do, and where the master's own time goes. The numbers are kept anyway;
 * asking costs nothing but the copy.
 *
 * Each struct begins with its size, which the caller sets: `mw_stats stats = {.size = sizeof
 * stats}`. So a program and a library of different versions understand each other: fields that
 * only one of them knows are left out, or 0.
 *
 * Threads: as for all calls on a master, from the thread that uses it. Not collective over MPI.
 */
#ifndef MW_STATS_H
#define MW_STATS_H

#include <mw/mw.h>

MW_BEGIN_DECLS

/* A histogram of durations with buckets that double. Bucket 0 counts those below 1 microsecond,
 * bucket i those from 2^(i-1) to below 2^i microseconds, and the last one all that are longer. */
#define MW_TIMES_BUCKETS 44
typedef struct mw_times {
    uint64_t count;
    uint64_t total_ns;
    uint64_t buckets[MW_TIMES_BUCKETS];
} mw_times;

/* Why a slave was lost. */
typedef enum mw_loss {
    MW_LOSS_CONNECTION, /* its connection or its process ended */
    MW_LOSS_GOODBYE,    /* it left of its own accord; its tasks lost no attempt by it */
    MW_LOSS_PROTOCOL,   /* it broke the protocol and was dropped */
    MW_LOSS_TIME_LIMIT, /* a task overran mw_policy.time_limit_s */
    MW_LOSS_SILENCE,    /* it had no task and did not answer within --mw-client-timeout */
    MW_LOSS_SHUTDOWN,   /* it was told to stop and did not within --mw-shutdown-timeout */
    MW_LOSSES_COUNT
} mw_loss;

/* A group of tasks is counted in bucket i if it had from 2^i to below 2^(i+1) tasks; the last
 * bucket counts all larger ones. */
#define MW_STATS_GROUP_BUCKETS 24

/* The whole farm. Counts are since the master was opened, unless they are said to be of now. */
typedef struct mw_stats {
    size_t size; /* set by the caller */

    /* Tasks. submitted = done + failed + unrunnable + cancelled + waiting + running. */
    uint64_t submitted;
    uint64_t done;
    uint64_t failed;
    uint64_t unrunnable;
    uint64_t cancelled;
    uint64_t requeued;       /* how often a task came back from a slave that had gone */
    size_t waiting;          /* now: in the queue, or for their slave */
    size_t running;          /* now: sent to a slave, begun or not */
    size_t results_ready;    /* now: for mw_master_next_result */
    size_t unrunnable_ready; /* now: for mw_master_next_unrunnable */

    /* Slaves now, by what they do. */
    size_t slaves_connecting;
    size_t slaves_idle;
    size_t slaves_busy;
    size_t slaves_stopping;
    /* Slaves so far. */
    uint64_t slaves_greeted;
    uint64_t slaves_stopped;               /* went after they had been told to stop */
    uint64_t slaves_lost[MW_LOSSES_COUNT]; /* by enum mw_loss */
    uint64_t clients_refused;              /* peers that never became slaves */

    /* Messages, without the transport's own framing. */
    uint64_t messages_sent;
    uint64_t messages_received;
    uint64_t bytes_sent;
    uint64_t bytes_received;
    uint64_t groups[MW_STATS_GROUP_BUCKETS]; /* of tasks, by their size */

    /* The master's time since it was opened, by what it did: it waited for the network, it served
     * slaves, or it was in the caller's code. */
    double waiting_s;
    double serving_s;
    double algorithm_s;
} mw_stats;

/* The tasks of one algorithm; fields as in mw_stats. */
typedef struct mw_algorithm_stats {
    size_t size;           /* set by the caller */
    const char *algorithm; /* its name; borrowed as long as the program's table */
    uint64_t submitted, done, failed, unrunnable, cancelled, requeued;
    size_t waiting, running;
    mw_times wait; /* from submission to being sent for the first time, to the millisecond */
    mw_times run;  /* of tasks that ended as done or failed, as their slaves measured it */
} mw_algorithm_stats;

/* A slave that is connected. */
typedef struct mw_slave_stats {
    size_t size;           /* set by the caller */
    const char *sid;       /* "SLAVE-3"; borrowed until the master is closed */
    const char *transport; /* "tcp"; constant */
    const char *address;   /* borrowed until the slave is gone, at most until the next loop */
    const char *host;      /* the name of its host, or else its address without the port; borrowed
                              until the master is closed */
    uint32_t pid;          /* its process there; 0 if unknown */
    bool is_busy;
    mw_group group;
    uint64_t done, failed; /* tasks that it returned */
    size_t tasks_count;    /* now: that it has */
    mw_task_id task;       /* the one it has had for longest; 0: none */
    double task_s;         /* for how long */
    double busy_s;         /* for how long it had tasks, in all */
    double connected_s;
    double heard_s; /* how long ago it was heard of last */
    uint64_t bytes_sent, bytes_received;
} mw_slave_stats;

/* Sets *stats to the numbers of now. MW_EINVAL if stats->size is below that of the first field. */
MW_API mw_error mw_master_stats(const mw_master *master, mw_stats *stats);

/* The same for algorithm `index` of the program's table, from 0; false if there is no such one or
 * stats->size is too small. */
MW_API bool mw_master_algorithm_stats(const mw_master *master, size_t index,
                                      mw_algorithm_stats *stats);

/* The same for the connected slaves, one after the other, in the order in which they came: *cursor
 * is 0 before the first, and otherwise the library's. False at the end, or if stats->size is too
 * small. Slaves may come and go between two calls: one that stays is seen once. */
MW_API bool mw_master_slave_stats(const mw_master *master, size_t *cursor, mw_slave_stats *stats);

MW_END_DECLS

#endif
