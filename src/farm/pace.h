/* SPDX-License-Identifier: Apache-2.0
 *
 * How long the tasks of each algorithm take: an average of the durations of tasks that have ended,
 * in which the latest count most. Master and slave each keep one.
 */
#ifndef MWI_PACE_H
#define MWI_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mwi_pace_algorithm {
    int64_t task_ns;        /* the average, as mwi_pace_of returns it */
    uint32_t samples_count; /* tasks that have ended */
};

struct mwi_pace {
    struct mwi_pace_algorithm *algorithms;
    size_t algorithms_count;
};

/* False out of memory. */
bool mwi_pace_init(struct mwi_pace *pace, size_t algorithms_count);
void mwi_pace_fini(struct mwi_pace *pace);

/* `count` > 0 tasks of the algorithm have ended, which ran for ran_ns together. An algorithm that
 * is out of range is ignored: its number may come from a peer's message. */
void mwi_pace_learn(struct mwi_pace *pace, size_t algorithm, uint64_t ran_ns, uint32_t count);

/* How long a task of the algorithm takes, with the work around it; 0 if no task has ended yet. */
static inline int64_t mwi_pace_of(const struct mwi_pace *pace, size_t algorithm)
{
    return algorithm < pace->algorithms_count ? pace->algorithms[algorithm].task_ns : 0;
}

/* How many tasks the average is made of. */
static inline size_t mwi_pace_samples(const struct mwi_pace *pace, size_t algorithm)
{
    return algorithm < pace->algorithms_count ? pace->algorithms[algorithm].samples_count : 0;
}

#endif
