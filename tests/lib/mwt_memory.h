/* SPDX-License-Identifier: Apache-2.0
 *
 * The allocator of a test program, which fails when it is told to. It replaces malloc for the whole
 * program, the C library and msgpack-c included; it needs glibc, and does not go with sanitizers.
 */
#ifndef MWT_MEMORY_H
#define MWT_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* From now on the n-th allocation fails, counting from 1, and those after it too if `for_good`.
 * 0: none does. */
void mwt_memory_fail(size_t n, bool for_good);

/* Whether one has failed since then. */
bool mwt_memory_has_failed(void);

/* How many blocks are allocated and not freed. */
long mwt_memory_blocks(void);

#endif
