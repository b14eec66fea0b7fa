/* SPDX-License-Identifier: Apache-2.0
 *
 * The functions of the allocator, around glibc's. One thread.
 */
#include "mwt_memory.h"

#include <errno.h>
#include <stdlib.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void __libc_free(void *block);

/* Seen by the shared libraries as well. */
#define REPLACES __attribute__((__visibility__("default")))

static size_t until_failure;
static bool fails_for_good, has_failed;
static long blocks_count;

void mwt_memory_fail(size_t n, bool for_good)
{
    until_failure = n;
    fails_for_good = for_good;
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
    bool now = until_failure > 0 && --until_failure == 0;
    if (now || (has_failed && fails_for_good)) {
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
