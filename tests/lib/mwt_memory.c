/* SPDX-License-Identifier: Apache-2.0
 *
 * Replaces the functions of the allocator, and calls glibc's underneath. It counts without locks,
 * so the test program must have one thread. A function of the allocator that the library begins to
 * use needs a counterpart here.
 */
#include "mwt_memory.h"

#include <errno.h>
#include <stdlib.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *block);

/* Visible to the shared libraries as well. */
#define REPLACES __attribute__((__visibility__("default")))

static size_t until_failure;
static bool has_later_failures, has_failed;
static long blocks_count;

void mwt_memory_fail(size_t index, bool fails_later)
{
    until_failure = index;
    has_later_failures = fails_later;
    has_failed = false;
}

bool mwt_memory_has_failed(void)
{
    return has_failed;
}

long mwt_memory_blocks(void)
{
    return blocks_count;
}

static bool shall_fail(void)
{
    bool is_due = until_failure > 0 && --until_failure == 0;
    if (is_due || (has_failed && has_later_failures)) {
        has_failed = true;
        errno = ENOMEM;
        return true;
    }
    return false;
}

static void *count(void *block)
{
    blocks_count += block != NULL;
    return block;
}

REPLACES void *malloc(size_t size)
{
    return shall_fail() ? NULL : count(__libc_malloc(size));
}

REPLACES void *calloc(size_t members, size_t size)
{
    return shall_fail() ? NULL : count(__libc_calloc(members, size));
}

REPLACES void *aligned_alloc(size_t alignment, size_t size)
{
    return shall_fail() ? NULL : count(__libc_memalign(alignment, size));
}

REPLACES void *realloc(void *block, size_t size)
{
    if (shall_fail())
        return NULL;
    return block == NULL ? count(__libc_malloc(size)) : __libc_realloc(block, size);
}

REPLACES void free(void *block)
{
    blocks_count -= block != NULL;
    __libc_free(block);
}
