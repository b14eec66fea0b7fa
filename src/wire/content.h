/* SPDX-License-Identifier: Apache-2.0
 *
 * What a task is known by beyond the run of one master: its content. That is its scope, the name of
 * its algorithm, the form of its arguments, and the arguments. Tasks of one content have one key,
 * with whichever master and slave it is made.
 */
#ifndef MWI_CONTENT_H
#define MWI_CONTENT_H

#include <stdbool.h>

#include "base/digest.h"

/* The scope of tasks whose results mean nothing to another run: they have no key. */
#define MWI_CONTENT_NO_SCOPE UINT64_C(0)
/* The scope of tasks for which the user has named none. */
#define MWI_CONTENT_SCOPE UINT64_C(1)

/* The scope of this name; none of the two above. */
static inline uint64_t mwi_content_named_scope(const char *name, size_t size)
{
    return mwi_digest_64(1, name, size) | 2;
}

/* The number of an algorithm's name. */
static inline uint64_t mwi_content_name(const char *name, size_t size)
{
    return mwi_digest_64(0, name, size);
}

/* The step of the generator splitmix64. */
static inline uint64_t mwi_content_mix(uint64_t number)
{
    number += UINT64_C(0x9e3779b97f4a7c15);
    number = (number ^ number >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    number = (number ^ number >> 27) * UINT64_C(0x94d049bb133111eb);
    return number ^ number >> 31;
}

/* The seed of all tasks of a scope, an algorithm, and a form. */
static inline uint64_t mwi_content_seed(uint64_t scope, uint64_t name, bool is_bytes)
{
    return mwi_content_mix(mwi_content_mix(scope ^ mwi_content_mix(name)) + is_bytes);
}

/* The key of a task with these arguments. */
static inline struct mwi_digest mwi_content_key(uint64_t seed, const void *arguments, size_t size)
{
    return mwi_digest_make(seed, arguments, size);
}

static inline bool mwi_content_is_same(struct mwi_digest key, struct mwi_digest other)
{
    return key.low == other.low && key.high == other.high;
}

#endif
