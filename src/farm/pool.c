/* SPDX-License-Identifier: Apache-2.0
 *
 * A binary heap of the levels that have tasks; its room is reserved when a level is made.
 */
#include "farm/pool.h"

#include <stdlib.h>

static void put(struct mwi_pool *pool, size_t position, struct mwi_pool_level *level)
{
    pool->heap[position - 1] = level;
    level->position = position;
}

static void sift_up(struct mwi_pool *pool, struct mwi_pool_level *level, size_t position)
{
    while (position > 1 && pool->heap[position / 2 - 1]->priority < level->priority) {
        put(pool, position, pool->heap[position / 2 - 1]);
        position /= 2;
    }
    put(pool, position, level);
}

static void sift_down(struct mwi_pool *pool, struct mwi_pool_level *level, size_t position)
{
    for (size_t child = position * 2; child <= pool->heap_count; child = position * 2) {
        if (child < pool->heap_count &&
            pool->heap[child]->priority > pool->heap[child - 1]->priority)
            child++;
        if (pool->heap[child - 1]->priority <= level->priority)
            break;
        put(pool, position, pool->heap[child - 1]);
        position = child;
    }
    put(pool, position, level);
}

static void enter_heap(struct mwi_pool *pool, struct mwi_pool_level *level)
{
    if (level->position == 0)
        sift_up(pool, level, ++pool->heap_count);
}

static void leave_heap(struct mwi_pool *pool, struct mwi_pool_level *level)
{
    size_t position = level->position;
    struct mwi_pool_level *last = pool->heap[--pool->heap_count];
    level->position = 0;
    if (last == level)
        return;
    sift_down(pool, last, position);
    sift_up(pool, last, last->position);
}

void mwi_pool_init(struct mwi_pool *pool)
{
    *pool = (struct mwi_pool){0};
    mwi_map_init(&pool->levels);
}

void mwi_pool_fini(struct mwi_pool *pool)
{
    size_t cursor = 0;
    for (void *level; (level = mwi_map_next(&pool->levels, &cursor)) != NULL;)
        free(level);
    mwi_map_fini(&pool->levels);
    free(pool->heap);
    mwi_pool_init(pool);
}

static bool reserve_heap(struct mwi_pool *pool)
{
    if (pool->levels.used_count < pool->capacity)
        return true;
    size_t capacity = pool->capacity == 0 ? 4 : pool->capacity * 2;
    struct mwi_pool_level **heap = realloc(pool->heap, capacity * sizeof *heap);
    if (heap == NULL)
        return false;
    pool->heap = heap;
    pool->capacity = capacity;
    return true;
}

/* Keys of a map are not 0. */
static uint64_t level_key(int32_t priority)
{
    return (uint64_t)(uint32_t)priority + 1;
}

struct mwi_pool_level *mwi_pool_take_level(struct mwi_pool *pool, int32_t priority)
{
    struct mwi_pool_level *level = mwi_map_get(&pool->levels, level_key(priority));
    if (level == NULL) {
        level = reserve_heap(pool) ? calloc(1, sizeof *level) : NULL;
        if (level == NULL || !mwi_map_set(&pool->levels, level_key(priority), level)) {
            free(level);
            return NULL;
        }
        level->priority = priority;
        mwi_list_init(&level->tasks);
    }
    level->users_count++;
    return level;
}

void mwi_pool_put_level(struct mwi_pool *pool, struct mwi_pool_level *level)
{
    if (--level->users_count > 0)
        return;
    mwi_map_remove(&pool->levels, level_key(level->priority));
    free(level);
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
    mwi_list_remove(link);
    if (mwi_list_is_empty(&level->tasks))
        leave_heap(pool, level);
}

struct mwi_list *mwi_pool_first(const struct mwi_pool *pool)
{
    return pool->heap_count == 0 ? NULL : pool->heap[0]->tasks.next;
}
