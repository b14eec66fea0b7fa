/* SPDX-License-Identifier: Apache-2.0
 *
 * Digests of bytes, by XXH3. They tell different bytes apart, but not if somebody wants them to be
 * taken for each other. A digest is the same on all machines. Other seeds give other digests.
 */
#ifndef MWI_DIGEST_H
#define MWI_DIGEST_H

#include <stddef.h>
#include <stdint.h>

struct mwi_digest {
    uint64_t low, high;
};

struct mwi_digest mwi_digest_make(uint64_t seed, const void *data, size_t size);
uint64_t mwi_digest_64(uint64_t seed, const void *data, size_t size);

#endif
