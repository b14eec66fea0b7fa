/* SPDX-License-Identifier: Apache-2.0
 *
 * A simulated farm, drawn from a seed, whose master keeps a journal. The master is killed, or its
 * machine loses its power, again and again; it is started anew, and so are slaves that ended with
 * it. The test says what a master does. Most tasks have values that follow from their tags. Some
 * are of one content, and each run of them has a value of its own, as in a program that draws
 * random numbers in its tasks.
 */
#ifndef MWT_CRASHES_H
#define MWT_CRASHES_H

#include <mw/embed.h>
#include <mw/sim.h>

#include "mwt_random.h"

#define MWT_CRASHES_MS INT64_C(1000000)
#define MWT_CRASHES_TASKS_MAX 400
#define MWT_CRASHES_SLAVES_MAX 8

struct mwi_sim_disk;

struct mwt_crashes {
    /* The test sets these members. */
    const mw_algorithm *algorithms; /* of tasks; their user is the context */
    /* Does the work of a master. Returns whether the farm has come to its end. A master that was
     * killed gets no results any more, and goes on. */
    bool (*master)(void *context, mw_master *farm);
    void (*lose_power)(void *context); /* called after each power cut; may be NULL */
    void *context;
    /* mwt_crashes_draw sets these. */
    uint64_t seed;
    struct mwt_random random;
    size_t slaves_count, tasks_count;
    int64_t task_ns_max;
    bool has_reconnect, has_power_cuts;
    unsigned crashes_left;
    /* These are of the run. */
    mw_sim *sim;
    struct mwi_sim_disk *disk;
    mw_sim_host *master_host, *slave_hosts[MWT_CRASHES_SLAVES_MAX];
    unsigned masters_count;
    int64_t next_value; /* of the next run of a task of the common content */
    bool is_wrong, is_done;
};

/* Values of tasks of the common content that were handed out. */
struct mwt_crashes_values {
    int64_t values[MWT_CRASHES_TASKS_MAX];
    size_t count;
};

/* Draws the farm. */
void mwt_crashes_draw(struct mwt_crashes *farm, uint64_t seed, bool has_power_cuts);

/* Runs the farm until it has come to its end, or for an hour and more. Complains if it has not. */
void mwt_crashes_run(struct mwt_crashes *farm);

/* Something is wrong: the first complaint about a farm is printed, with how to replay it. */
void mwt_crashes_complain(struct mwt_crashes *farm, const char *what, long long number);

/* Whether the task is one of the common content; and what it is submitted with, as one "l". */
bool mwt_crashes_is_common(int64_t tag);
int64_t mwt_crashes_argument(int64_t tag);

/* In a task algorithm: spends the time of a task, and returns its value. */
void mwt_crashes_spend(struct mwt_crashes *farm);
void mwt_crashes_return(struct mwt_crashes *farm, mw_call *call, int64_t tag);

/* In a master: reads the value of a result. Complains if it is not the tag's. Returns false if the
 * result has none. */
bool mwt_crashes_read(struct mwt_crashes *farm, const mw_result *result, int64_t tag,
                      int64_t *value);

/* Adds the value of a task of the common content. Complains if it is there already. */
void mwt_crashes_add(struct mwt_crashes *farm, struct mwt_crashes_values *values, int64_t value);

/* Which seeds a test plays. */
struct mwt_crashes_seeds {
    uint64_t first, count;
};

/* Reads the arguments `--seed FIRST` and `--seeds COUNT`. Both may be absent. */
void mwt_crashes_read_seeds(struct mwt_crashes_seeds *seeds, int argc, char **argv);

#endif
