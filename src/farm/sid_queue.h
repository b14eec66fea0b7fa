/* SPDX-License-Identifier: Apache-2.0
 *
 * A queue of slaves' numbers. A master has two: the slaves that connected, and those that
 * disconnected, since the user last took one. Slaves of the unordered group enter neither.
 */
#ifndef MWI_SID_QUEUE_H
#define MWI_SID_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mwi_sid_queue {
    uint32_t *items;
    size_t first, count, capacity;
};

void mwi_sid_queue_init(struct mwi_sid_queue *queue);
void mwi_sid_queue_fini(struct mwi_sid_queue *queue);

/* False out of memory. */
bool mwi_sid_queue_push(struct mwi_sid_queue *queue, uint32_t sid);

/* False if there is none. */
bool mwi_sid_queue_pop(struct mwi_sid_queue *queue, uint32_t *sid);

#endif
