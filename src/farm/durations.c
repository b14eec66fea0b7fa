/* SPDX-License-Identifier: Apache-2.0
 *
 * Keeps a ring of durations for each algorithm. Adding costs a few instructions, since it is done
 * for each task; the median is looked for seldom, and then a copy is sorted.
 */
#include "farm/durations.h"

#include <stdlib.h>
#include <string.h>

bool mwi_durations_init(struct mwi_durations *durations, size_t algorithms_count)
{
    durations->algorithms = calloc(algorithms_count + 1, sizeof *durations->algorithms);
    durations->algorithms_count = algorithms_count;
    return durations->algorithms != NULL;
}

void mwi_durations_fini(struct mwi_durations *durations)
{
    free(durations->algorithms);
    *durations = (struct mwi_durations){0};
}

static int compare(const void *left, const void *right)
{
    uint64_t first_ns = *(const uint64_t *)left, second_ns = *(const uint64_t *)right;
    return (first_ns > second_ns) - (first_ns < second_ns);
}

uint64_t mwi_durations_median(struct mwi_durations *durations, size_t algorithm, uint32_t least)
{
    uint64_t sorted[MWI_DURATIONS_KEPT];
    struct mwi_durations_entry *entry = &durations->algorithms[algorithm];
    if (entry->count < least)
        return 0;
    if (entry->has_changed) {
        memcpy(sorted, entry->ns, entry->count * sizeof sorted[0]);
        qsort(sorted, entry->count, sizeof sorted[0], compare);
        entry->median_ns = sorted[entry->count / 2];
        entry->has_changed = false;
    }
    return entry->median_ns;
}
