/* SPDX-License-Identifier: Apache-2.0
 *
 * How much memory a test has taken.
 */
#ifndef MWT_HEAP_H
#define MWT_HEAP_H

#include <malloc.h>
#include <stddef.h>

/* The bytes that this process has allocated and not freed. Under a sanitizer it is always 0, so
 * that a comparison of two of them holds. */
static inline size_t mwt_heap_bytes(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

#endif
