/* SPDX-License-Identifier: Apache-2.0
 *
 * The unordered pool: tasks that wait for any slave, higher priority first, and within one priority
 * first come, first served. Each priority in use is a level; finding the next task does not depend
 * on how many there are.
 */
#ifndef MWI_POOL_H
#define MWI_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"

struct mwi_pool_level {
    int32_t priority;
    size_t users_count;
    size_t position; /* among the levels that have tasks, from 1; 0: it has none */
    struct mwi_list tasks;
};

struct mwi_pool {
    struct mwi_map levels;        /* by priority */
    struct mwi_pool_level **heap; /* those that have tasks, highest priority first */
    size_t heap_count, capacity;
};

void mwi_pool_init(struct mwi_pool *pool);
void mwi_pool_fini(struct mwi_pool *pool);

/* The level of a priority, which stays until it is put back as often as it was taken and is empty.
 * NULL out of memory. */
struct mwi_pool_level *mwi_pool_take_level(struct mwi_pool *pool, int32_t priority);
void mwi_pool_put_level(struct mwi_pool *pool, struct mwi_pool_level *level);

/* Puts a link at the end or the front of a level. These cannot fail. */
void mwi_pool_append(struct mwi_pool *pool, struct mwi_pool_level *level, struct mwi_list *link);
void mwi_pool_prepend(struct mwi_pool *pool, struct mwi_pool_level *level, struct mwi_list *link);

/* Takes a link out of its level. */
void mwi_pool_remove(struct mwi_pool *pool, struct mwi_pool_level *level, struct mwi_list *link);

/* The link whose turn it is; NULL if the pool is empty. */
struct mwi_list *mwi_pool_first(const struct mwi_pool *pool);

#endif
