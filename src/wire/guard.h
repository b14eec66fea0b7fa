/* SPDX-License-Identifier: Apache-2.0
 *
 * msgpack from strangers: a check that must come before msgpack-c sees the bytes. msgpack-c
 * reserves room for as many elements as a header claims, so five bytes could ask it for 100 GB;
 * after the check every claim is covered by bytes that are really there. Format: the msgpack
 * specification, https://github.com/msgpack/msgpack/blob/master/spec.md.
 */
#ifndef MWI_GUARD_H
#define MWI_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether the bytes are whole msgpack values one after the other, nested no deeper than msgpack-c
 * follows; *values_count (may be NULL) is how many at the top. No bytes are no values. */
bool mwi_guard_check(const void *data, size_t size, size_t *values_count);

/* Whether the bytes begin with such a value; *first_bytes is how many it takes. */
bool mwi_guard_first(const void *data, size_t size, size_t *first_bytes);

/* Writes a number most significant byte first. */
void mwi_guard_put_u32(unsigned char *to, uint32_t number);

#endif
