/* SPDX-License-Identifier: Apache-2.0
 *
 * The unordered pool: tasks that wait for any slave, higher priority first, and within one priority
 * first come, first served. Each priority in use is a level. Finding the next task takes the same
 * time however many tasks and levels there are.
 */
#ifndef MWI_POOL_H
#define MWI_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"

/* The beginning of a task's entry and of a batch, by which they lie in the pool. */
struct mwi_pool_item {
    struct mwi_list link;
    uint32_t policy; /* its number in policies.h */
    bool is_batch;
};

/* Of one priority: its waiting tasks, and how often it was taken. */
struct mwi_pool_level {
    struct mwi_heap_node node; /* first, so that the node is the level */
    int32_t priority;
    size_t users_count;
    struct mwi_list tasks;
};

struct mwi_pool {
    struct mwi_map levels;   /* all levels, by priority */
    struct mwi_heap waiting; /* the levels that have tasks, highest priority first */
};

void mwi_pool_init(struct mwi_pool *pool);

/* Frees the levels, also those that are still taken. Their links are not touched. */
void mwi_pool_fini(struct mwi_pool *pool);

/* The level of a priority, valid until it was put back as often as it was taken. It must be empty
 * when it is put back for the last time. NULL out of memory. */
struct mwi_pool_level *mwi_pool_take_level(struct mwi_pool *pool, int32_t priority);
void mwi_pool_put_level(struct mwi_pool *pool, struct mwi_pool_level *level);

/* The level of a priority that was taken; NULL if it was not. */
struct mwi_pool_level *mwi_pool_find_level(const struct mwi_pool *pool, int32_t priority);

/* Puts a link at the end or at the front of a level, and borrows it until it is removed. These
 * cannot fail. */
void mwi_pool_append(struct mwi_pool *pool, struct mwi_pool_level *level, struct mwi_list *link);
void mwi_pool_prepend(struct mwi_pool *pool, struct mwi_pool_level *level, struct mwi_list *link);

/* Removes a link from its level. */
void mwi_pool_remove(struct mwi_pool *pool, struct mwi_pool_level *level, struct mwi_list *link);

/* The links of a level that has tasks. Place 0 has the highest priority, the places after it are in
 * no order. NULL behind the last place. */
const struct mwi_list *mwi_pool_level(const struct mwi_pool *pool, size_t place);

/* The link of the task whose turn it is; NULL if the pool is empty. */
struct mwi_list *mwi_pool_first(const struct mwi_pool *pool);

#endif
