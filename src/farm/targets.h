/* SPDX-License-Identifier: Apache-2.0
 *
 * Target numbers: how many tasks the user wants to have in memory, of all algorithms together and
 * of each. They only advise the master algorithm: no task is refused because of them.
 */
#ifndef MWI_TARGETS_H
#define MWI_TARGETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The place of the general target number. */
#define MWI_TARGET_GENERAL SIZE_MAX

struct mwi_targets {
    int64_t general;
    int64_t *by_algorithm;
};

/* All 0. False out of memory. */
bool mwi_targets_init(struct mwi_targets *targets, size_t algorithms_count);
void mwi_targets_fini(struct mwi_targets *targets);

/* A negative number counts as 0. */
void mwi_targets_set(struct mwi_targets *targets, size_t algorithm, int64_t number);
int64_t mwi_targets_get(const struct mwi_targets *targets, size_t algorithm);

/* How many more tasks the target asks for when `pending` wait. */
int64_t mwi_targets_upto(const struct mwi_targets *targets, size_t algorithm, size_t pending);

#endif
