/* SPDX-License-Identifier: Apache-2.0
 *
 * The durations of the last tasks of each algorithm, and their median. Unlike the average of pace.h
 * it does not move when a few tasks take very long. It costs memory that does not grow.
 */
#ifndef MWI_DURATIONS_H
#define MWI_DURATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MWI_DURATIONS_KEPT 127

/* A ring. */
struct mwi_durations_entry {
    uint64_t ns[MWI_DURATIONS_KEPT];
    uint32_t next, count;
    uint64_t median_ns; /* as it was found last */
    bool has_changed;   /* since then */
};

struct mwi_durations {
    struct mwi_durations_entry *algorithms;
    size_t algorithms_count;
};

/* False out of memory. */
bool mwi_durations_init(struct mwi_durations *durations, size_t algorithms_count);
void mwi_durations_fini(struct mwi_durations *durations);

/* A task of the algorithm has ended. Several that ended together count as one, with their mean. */
static inline void mwi_durations_add(struct mwi_durations *durations, size_t algorithm,
                                     uint64_t duration_ns)
{
    struct mwi_durations_entry *entry = &durations->algorithms[algorithm];
    entry->ns[entry->next] = duration_ns;
    entry->next = entry->next + 1 < MWI_DURATIONS_KEPT ? entry->next + 1 : 0;
    entry->count += entry->count < MWI_DURATIONS_KEPT;
    entry->has_changed = true;
}

/* The median of the durations that are kept; 0 if there are fewer than `least`. */
uint64_t mwi_durations_median(struct mwi_durations *durations, size_t algorithm, uint32_t least);

#endif
