/* SPDX-License-Identifier: Apache-2.0
 *
 * A whole farm in a simulated world, drawn from one seed. A master submits tasks and keeps account
 * of the results. Slaves are killed, cut off and started again, and strangers send wrong frames.
 * After a time the faults end, and everything must finish.
 */
#ifndef MWT_FARM_H
#define MWT_FARM_H

#include <mw/embed.h>
#include <mw/sim.h>

#define MWT_FARM_SLAVES_MAX 64
#define MWT_FARM_ORDERS_MAX 256

/* The settings that the seed decides, unless the test sets them. */
struct mwt_farm_plan {
    uint64_t seed;
    size_t tasks_count;
    size_t slaves_count;
    int task_group, result_group; /* 0: by time */
    int64_t task_ns_max;          /* the longest task */
    unsigned failing_every;       /* every n-th task fails; 0: none */
    bool has_policies;  /* tasks have random policies, some are cancelled; slaves have groups */
    bool has_returning; /* slaves look for the master again when the connection was lost */
    size_t kills_count, cuts_count, strangers_count;
    int64_t faults_end_ns;
    int64_t stop_ns;        /* when the master stops the farm; 0: never */
    const char *audit_path; /* NULL: no trail */
};

/* The request for one task, and its outcome. */
struct mwt_farm_task {
    mw_task_id id;
    mw_policy policy;
    char sid[16];                      /* for the policy */
    bool is_ordered;                   /* its slave had connected when it was submitted */
    bool is_hopeless;                  /* takes longer than its time limit */
    bool is_cancelled;                 /* and the cancel came in time */
    unsigned done, failed, unrunnable; /* how often it came back so */
    unsigned losses;                   /* as the message of an unrunnable one says */
    int64_t parts_done;                /* the most that an attempt has saved */
    bool is_wrong;                     /* a value, or saved bytes, that are not this task's */
};

/* The last ordered task that a slave has begun; ordered ones must come in order of submission. */
struct mwt_farm_order {
    char sid[16];
    int64_t tag;
    bool is_freed; /* takes any task since */
};

struct mwt_farm {
    struct mwt_farm_plan plan;
    mw_sim *sim;
    mw_sim_host *master;
    mw_sim_host *slaves[MWT_FARM_SLAVES_MAX];
    struct mwt_farm_task *tasks;
    uint64_t random; /* the plan's own, apart from the world's */
    bool has_finished;
    bool is_queue_exceeded; /* a slave held more tasks or results than its groups allow */
    bool is_out_of_order;   /* a slave began an ordered task before one submitted earlier */
    bool is_misplaced;      /* a task ran on a slave that its policy forbids */
    struct mwt_farm_order orders[MWT_FARM_ORDERS_MAX]; /* ordered and intermingle slaves */
    size_t orders_count;
    size_t submitted_count;
    size_t left_count;        /* tasks that a farm that was stopped has left waiting or running */
    int64_t began_to_stop_ns; /* 0: it has not */
    int64_t stopped_ns;       /* when the loop said that it is over */
    bool is_given_up_while_waiting; /* a task became unrunnable that no slave had when it stopped */
    size_t resumed_count;           /* attempts that went on where another was */
    int master_status;
    int64_t end_ns;
};

struct mwt_farm_plan mwt_farm_draw(uint64_t seed);

/* Runs the farm to its end, or until an hour of virtual time after the faults end. */
void mwt_farm_run(struct mwt_farm *farm, const struct mwt_farm_plan *plan);
void mwt_farm_fini(struct mwt_farm *farm);

#endif
