/* SPDX-License-Identifier: Apache-2.0
 *
 * The tasks at an isolated slave that its master does not want any more. They are few.
 */
#ifndef MWI_DOOMED_H
#define MWI_DOOMED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero at first. */
struct mwi_doomed {
    uint64_t *ids;
    size_t count, capacity;
};

void mwi_doomed_fini(struct mwi_doomed *doomed);

/* Adds a task, unless it is there. False out of memory. */
bool mwi_doomed_add(struct mwi_doomed *doomed, uint64_t id);

bool mwi_doomed_has(const struct mwi_doomed *doomed, uint64_t id);

/* Removes a task, if it is there; and all. */
void mwi_doomed_remove(struct mwi_doomed *doomed, uint64_t id);
void mwi_doomed_clear(struct mwi_doomed *doomed);

#endif
