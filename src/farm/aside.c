/* SPDX-License-Identifier: Apache-2.0
 *
 * A pool for each class of sizes. tasks is the only user: it sets tasks aside, and searches them
 * for one that fits a slave.
 *
 * Invariant: a bit of `used` is set exactly if the pool of its class has links. Each link inside
 * has taken the level of its priority once, so a level goes with its last link.
 */
#include "farm/aside.h"

#include <assert.h>

void mwi_aside_init(struct mwi_aside *aside)
{
    aside->used = 0;
    for (unsigned i = 0; i < MWI_ASIDE_CLASSES; i++)
        mwi_pool_init(&aside->classes[i]);
}

void mwi_aside_fini(struct mwi_aside *aside)
{
    for (unsigned i = 0; i < MWI_ASIDE_CLASSES; i++)
        mwi_pool_fini(&aside->classes[i]);
    aside->used = 0;
}

bool mwi_aside_reserve(struct mwi_aside *aside, size_t size, int32_t priority)
{
    return mwi_pool_take_level(&aside->classes[mwi_aside_class(size)], priority) != NULL;
}

/* The level of a priority for which room was made. */
static struct mwi_pool_level *level_of(const struct mwi_pool *pool, int32_t priority)
{
    struct mwi_pool_level *level = mwi_pool_find_level(pool, priority);
    assert(level != NULL);
    return level;
}

void mwi_aside_append(struct mwi_aside *aside, size_t size, int32_t priority, struct mwi_list *link)
{
    unsigned size_class = mwi_aside_class(size);
    struct mwi_pool *pool = &aside->classes[size_class];
    mwi_pool_append(pool, level_of(pool, priority), link);
    aside->used |= UINT64_C(1) << size_class;
}

void mwi_aside_remove(struct mwi_aside *aside, size_t size, int32_t priority, struct mwi_list *link)
{
    unsigned size_class = mwi_aside_class(size);
    struct mwi_pool *pool = &aside->classes[size_class];
    struct mwi_pool_level *level = level_of(pool, priority);
    mwi_pool_remove(pool, level, link);
    mwi_pool_put_level(pool, level);
    if (mwi_pool_first(pool) == NULL)
        aside->used &= ~(UINT64_C(1) << size_class);
}

const struct mwi_list *mwi_aside_level(const struct mwi_aside *aside, unsigned size_class,
                                       size_t place)
{
    assert(size_class < MWI_ASIDE_CLASSES);
    return mwi_pool_level(&aside->classes[size_class], place);
}
