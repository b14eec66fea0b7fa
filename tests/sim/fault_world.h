/* SPDX-License-Identifier: Apache-2.0
 *
 * A farm with a journal in a world of faults, all of it drawn from one seed. While faults happen,
 * each task that begins and each result that is handed out is checked. Then the faults end, and the
 * farm must come to its end. At last some farms are run once more, after a power cut: all that they
 * have recorded must be there.
 */
#ifndef MWT_FAULT_WORLD_H
#define MWT_FAULT_WORLD_H

#include <mw/embed.h>
#include <mw/sim.h>

#include "fault_clock.h"
#include "mwt_random.h"
#include "sim_disk.h"

#define MWT_FAULT_SLAVES_MAX 8
#define MWT_FAULT_TASKS_MAX 300
/* From this tag on all tasks have the same content, as those of a program have that draws random
 * numbers in its tasks. */
#define MWT_FAULT_EQUAL_FROM 240

enum mwt_fault {
    MWT_FAULT_KILL_SLAVE,
    MWT_FAULT_CUT_SLAVE, /* held back for a while, or half-open: one end is killed meanwhile */
    MWT_FAULT_HEAL,
    MWT_FAULT_KILL_MASTER,
    MWT_FAULT_CUT_POWER, /* of the machine of the master and of the disk */
    MWT_FAULT_FILL_DISK,
    MWT_FAULT_BREAK_DISK,
    MWT_FAULT_STALL_MASTER, /* its algorithm computes for a long time */
    MWT_FAULT_JUMP_CLOCK,
    MWT_FAULT_FAIL_MALLOC,
    MWT_FAULTS
};

struct mwt_fault_plan {
    uint64_t seed;
    size_t tasks_count, slaves_count;
    int64_t task_ns_max, delay_ns_max, sync_ns_max;
    unsigned slowness[MWT_FAULT_SLAVES_MAX];
    const char *task_group, *journal_sync; /* option values */
    bool has_journal, has_policies, is_returning, is_speculating, goes_on, is_run_again;
    unsigned counts[MWT_FAULTS];
    int64_t faults_end_ns;
};

/* One task: its runs in all slaves, and its results in the present master. */
struct mwt_fault_task {
    unsigned runs, handed;
    int64_t begun_ns;
    size_t begun_at;   /* the place of the slave that began it last */
    unsigned master;   /* as that slave's */
    int64_t handed_ns; /* when a result was handed out that must not get lost; -1: none was */
    int64_t value;     /* of one of equal content */
    bool is_done;      /* handed out as such, not as failed or unrunnable */
};

struct mwt_fault_slave {
    struct mwt_fault_world *world;
    size_t place;
    mw_sim_host *host;
    struct mwt_fault_clock clock;
    unsigned lives_count;
    unsigned master; /* the number of the master when it was started; its own is no earlier one */
    int64_t loss_until_ns; /* its tasks may be lost until then, and run somewhere else */
};

struct mwt_fault_world {
    struct mwt_fault_plan plan;
    mw_sim *sim;
    struct mwi_sim_disk *disk;
    struct mwt_random random;
    mw_sim_host *master;
    unsigned masters_count;
    struct mwt_fault_clock clock; /* of the master */
    struct mwt_fault_slave slaves[MWT_FAULT_SLAVES_MAX];
    struct mwt_fault_task tasks[MWT_FAULT_TASKS_MAX];
    int64_t next_value;
    int64_t loss_until_ns;   /* as a slave's, of all tasks */
    int64_t stall_ns;        /* of the master's next turn */
    size_t failing_malloc;   /* when the next master starts; 0: none */
    bool is_malloc_failing;  /* an allocation will fail, or has failed since the last watch */
    bool has_journal_failed; /* or may have, in the present master: it may have recorded nothing */
    bool has_stopped;        /* the present master may give up tasks */
    bool has_disk_failed;    /* at any time; so may a journal without memory have done */
    bool has_malloc_failed;  /* at any time */
    bool is_second_run;      /* everything must be in the journal */
    bool is_over;            /* nothing is started any more */
    size_t replayed_count, faults_count;
    const char *broken; /* the first promise that was broken, NULL: none */
    long long broken_at;
};

/* The plan of this seed, the same at any time. */
struct mwt_fault_plan mwt_fault_plan_draw(uint64_t seed);

/* Runs a farm to its end; *world keeps what has become of it. Returns whether no promise was
 * broken, and prints which one, and how to replay it. */
bool mwt_fault_world_run(struct mwt_fault_world *world, const struct mwt_fault_plan *plan);

/* Whether the present master has had all results, and has come to its end. */
bool mwt_fault_world_has_finished(const struct mwt_fault_world *world);

/* For fault_acts.c: arranges the plan's faults. */
void mwt_fault_acts_arrange(struct mwt_fault_world *world);

/* From now on tasks of this slave, or all tasks, may be lost; a fault of that moment may have its
 * effect a while later. */
void mwt_fault_world_lose_slave(struct mwt_fault_slave *slave);
void mwt_fault_world_lose_all(struct mwt_fault_world *world);

/* Fails one allocation, after this many others; 0: none. Does nothing in builds that cannot. */
void mwt_fault_world_fail_malloc(struct mwt_fault_world *world, size_t after);

/* Tasks may be lost until the allocation has failed: to be called from time to time. */
void mwt_fault_world_watch_malloc(struct mwt_fault_world *world);

#endif
