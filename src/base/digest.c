/* SPDX-License-Identifier: Apache-2.0
 *
 * The only user of <xxhash.h>, whose functions are all inlined here, so that no program needs the
 * library.
 */
#include "base/digest.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

struct mwi_digest mwi_digest_make(uint64_t seed, const void *data, size_t size)
{
    XXH128_hash_t hash = XXH3_128bits_withSeed(data, size, seed);
    return (struct mwi_digest){.low = hash.low64, .high = hash.high64};
}

uint64_t mwi_digest_64(uint64_t seed, const void *data, size_t size)
{
    return XXH3_64bits_withSeed(data, size, seed);
}
