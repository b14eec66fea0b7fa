/* SPDX-License-Identifier: Apache-2.0
 *
 * A check of msgpack from strangers, to be done before msgpack-c sees the bytes. msgpack-c reserves
 * room for as many elements as a header claims, so five bytes could ask it for 100 GB; after the
 * check every claim is covered by bytes that are really there. The format is msgpack's
 * specification, https://github.com/msgpack/msgpack/blob/master/spec.md.
 */
#ifndef MWI_GUARD_H
#define MWI_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* msgpack-c 4.0 refuses values that are nested deeper. */
#define MWI_GUARD_DEPTH_MAX 32

/* Whether the bytes are whole msgpack values one after the other, nested no deeper than msgpack-c
 * can read. *values_count, which may be NULL, is set to their number if they are. No bytes are 0
 * values. `data` is borrowed for the call, and may be NULL if size is 0. */
bool mwi_guard_check(const void *data, size_t size, size_t *values_count);

/* Whether mwi_guard_check refuses the bytes because a value is nested deeper than that. */
bool mwi_guard_is_too_deep(const void *data, size_t size);

/* Whether the bytes begin with a value that is nested no deeper than `depth_max`, which is at most
 * MWI_GUARD_DEPTH_MAX. *first_bytes is set to its size if they do. */
bool mwi_guard_first(const void *data, size_t size, size_t depth_max, size_t *first_bytes);

#endif
