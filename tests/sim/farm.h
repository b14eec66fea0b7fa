/* SPDX-License-Identifier: Apache-2.0
 *
 * A whole farm in a simulated world, drawn from one seed: a master that submits tasks and keeps
 * account of what comes back, slaves that are killed, cut off and started again, and strangers that
 * send what they should not. After a time the faults end, and everything must finish.
 */
#ifndef MWT_FARM_H
#define MWT_FARM_H

#include <mw/embed.h>
#include <mw/sim.h>

#define MWT_FARM_SLAVES_MAX 64

/* What the seed decides, unless the test sets it. */
struct mwt_farm_plan {
    uint64_t seed;
    size_t tasks_count;
    size_t slaves_count;
    int task_group, result_group;
    int64_t task_ns_max;    /* tasks take up to so long */
    unsigned failing_every; /* every n-th task fails; 0: none */
    unsigned once_every;    /* every n-th task is submitted with no_retry; 0: none */
    size_t kills_count, cuts_count, strangers_count;
    int64_t faults_end_ns;
    const char *audit_path; /* NULL: no trail */
};

/* What became of one task. */
struct mwt_farm_task {
    unsigned done, failed, unrunnable; /* how often it came back so */
    unsigned losses;                   /* as the message of an unrunnable one says */
    bool is_wrong;                     /* a value that is not this task's */
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
    int master_status;
    int64_t end_ns;
};

struct mwt_farm_plan mwt_farm_draw(uint64_t seed);

/* Runs the farm to its end, or to an hour of virtual time after the faults end. */
void mwt_farm_run(struct mwt_farm *farm, const struct mwt_farm_plan *plan);
void mwt_farm_fini(struct mwt_farm *farm);

#endif
