/* SPDX-License-Identifier: Apache-2.0
 *
 * A heap of levels, each with a list of tasks. tasks calls it and owns the links of the lists;
 * policies takes a level for each policy in use.
 *
 * Invariants: a level is in the heap exactly while it has tasks. Making a level reserves room for
 * it in the heap, so putting a task back after its slave was lost never needs memory. To order
 * tasks by something else than priority, change the key in enter_heap.
 */
#include "farm/pool.h"

#include <assert.h>
#include <stdlib.h>

void mwi_pool_init(struct mwi_pool *pool)
{
    *pool = (struct mwi_pool){0};
    mwi_map_init(&pool->levels);
    mwi_heap_init(&pool->waiting);
}

void mwi_pool_fini(struct mwi_pool *pool)
{
    size_t cursor = 0;
    for (void *level; (level = mwi_map_next(&pool->levels, &cursor)) != NULL;)
        free(level);
    mwi_map_fini(&pool->levels);
    mwi_heap_fini(&pool->waiting);
}

/* A key of a map must not be 0. */
static uint64_t level_key(int32_t priority)
{
    return (uint64_t)(uint32_t)priority + 1;
}

static struct mwi_pool_level *make_level(struct mwi_pool *pool, int32_t priority)
{
    if (!mwi_heap_reserve(&pool->waiting, pool->levels.used_count + 1))
        return NULL;
    struct mwi_pool_level *level = calloc(1, sizeof *level);
    if (level == NULL || !mwi_map_set(&pool->levels, level_key(priority), level)) {
        free(level);
        return NULL;
    }
    level->priority = priority;
    mwi_list_init(&level->tasks);
    return level;
}

struct mwi_pool_level *mwi_pool_find_level(const struct mwi_pool *pool, int32_t priority)
{
    return mwi_map_get(&pool->levels, level_key(priority));
}

struct mwi_pool_level *mwi_pool_take_level(struct mwi_pool *pool, int32_t priority)
{
    struct mwi_pool_level *level = mwi_pool_find_level(pool, priority);
    if (level == NULL)
        level = make_level(pool, priority);
    if (level != NULL)
        level->users_count++;
    return level;
}

void mwi_pool_put_level(struct mwi_pool *pool, struct mwi_pool_level *level)
{
    assert(level->users_count > 0);
    if (--level->users_count > 0)
        return;
    assert(level->node.position == 0 && mwi_list_is_empty(&level->tasks));
    mwi_map_remove(&pool->levels, level_key(level->priority));
    free(level);
}

static void enter_heap(struct mwi_pool *pool, struct mwi_pool_level *level)
{
    assert(level->users_count > 0);
    if (level->node.position == 0)
        mwi_heap_put(&pool->waiting, &level->node, -(int64_t)level->priority, 0);
}

void mwi_pool_append(struct mwi_pool *pool, struct mwi_pool_level *level, struct mwi_list *link)
{
    mwi_list_append(&level->tasks, link);
    enter_heap(pool, level);
}

void mwi_pool_prepend(struct mwi_pool *pool, struct mwi_pool_level *level, struct mwi_list *link)
{
    mwi_list_prepend(&level->tasks, link);
    enter_heap(pool, level);
}

void mwi_pool_remove(struct mwi_pool *pool, struct mwi_pool_level *level, struct mwi_list *link)
{
    assert(level->node.position > 0);
    mwi_list_remove(link);
    if (mwi_list_is_empty(&level->tasks))
        mwi_heap_remove(&pool->waiting, &level->node);
}

const struct mwi_list *mwi_pool_level(const struct mwi_pool *pool, size_t place)
{
    if (place >= pool->waiting.count)
        return NULL;
    return &((const struct mwi_pool_level *)pool->waiting.entries[place].node)->tasks;
}

struct mwi_list *mwi_pool_first(const struct mwi_pool *pool)
{
    const struct mwi_heap_entry *first = mwi_heap_first(&pool->waiting);
    if (first == NULL)
        return NULL;
    const struct mwi_pool_level *level = (const struct mwi_pool_level *)first->node;
    assert(!mwi_list_is_empty(&level->tasks));
    return level->tasks.next;
}
