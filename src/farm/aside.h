/* SPDX-License-Identifier: Apache-2.0
 *
 * The tasks that were set aside: they wait, but a slave that could have been sent them did not
 * accept messages as large as theirs. They are kept by size, so that a slave finds those that fit
 * it in the same time however many wait, and by priority within a size.
 */
#ifndef MWI_ASIDE_H
#define MWI_ASIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "farm/pool.h"

/* Class c holds the sizes from 2^c to below 2^(c+1), and class 0 also size 0. */
#define MWI_ASIDE_CLASSES 64

struct mwi_aside {
    struct mwi_pool classes[MWI_ASIDE_CLASSES];
    uint64_t used; /* bit c: class c has tasks */
};

/* The class of a size. */
static inline unsigned mwi_aside_class(size_t size)
{
    return size == 0 ? 0 : 63 - (unsigned)__builtin_clzll(size);
}

void mwi_aside_init(struct mwi_aside *aside);

/* Frees the memory. Links that are still inside are not touched. */
void mwi_aside_fini(struct mwi_aside *aside);

/* Makes room for one more link of that size and priority, for mwi_aside_append. False out of
 * memory. */
bool mwi_aside_reserve(struct mwi_aside *aside, size_t size, int32_t priority);

/* Puts a link for which room was made at the end of its size and priority, and borrows it until it
 * is removed. */
void mwi_aside_append(struct mwi_aside *aside, size_t size, int32_t priority,
                      struct mwi_list *link);

/* Removes a link that was appended with that size and priority, and its room. */
void mwi_aside_remove(struct mwi_aside *aside, size_t size, int32_t priority,
                      struct mwi_list *link);

/* The links of one priority in a class, as a list, in the order in which they were appended. Place
 * 0 has the highest priority, the places after it are in no order. NULL behind the last place. */
const struct mwi_list *mwi_aside_level(const struct mwi_aside *aside, unsigned size_class,
                                       size_t place);

#endif
