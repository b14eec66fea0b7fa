/* SPDX-License-Identifier: Apache-2.0
 *
 * The hash of strings. The hosts of a farm and the places of a simulated world are found by it. It
 * does not resist an enemy: whoever chooses the strings can make them collide.
 */
#ifndef MWI_HASH_H
#define MWI_HASH_H

#include <stddef.h>
#include <stdint.h>

/* The hash of no bytes, to begin with. */
#define MWI_HASH_EMPTY UINT64_C(0xcbf29ce484222325)

/* The hash of what `hash` is the hash of, followed by these bytes. FNV-1a of 64 bits: see
 * http://www.isthe.com/chongo/tech/comp/fnv/. */
static inline uint64_t mwi_hash_bytes(uint64_t hash, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
    return hash;
}

#endif
