/* SPDX-License-Identifier: Apache-2.0
 *
 * One count is in memory that a child of fork() shares with its parent, and one in memory that it
 * does not. A process may begin a record only if both are equal, and moves the shared one on in the
 * same step.
 *
 * Invariant: of all processes with the same private count, one can begin the next record. The
 * private count follows when the record is encrypted. So a child which another thread forks in
 * between cannot begin one.
 */
#include "owner.h"

#include <assert.h>
#include <stddef.h>
#include <sys/mman.h>

bool mwi_tcp_owner_init(struct mwi_tcp_owner *owner)
{
    void *page = mmap(NULL, sizeof *owner->shared, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    *owner = (struct mwi_tcp_owner){.shared = page == MAP_FAILED ? NULL : page};
    return owner->shared != NULL;
}

void mwi_tcp_owner_fini(struct mwi_tcp_owner *owner)
{
    if (owner->shared != NULL)
        munmap((void *)owner->shared, sizeof *owner->shared);
    owner->shared = NULL;
}

bool mwi_tcp_owner_is_lost(const struct mwi_tcp_owner *owner)
{
    return atomic_load_explicit(owner->shared, memory_order_relaxed) != owner->count;
}

bool mwi_tcp_owner_begin(struct mwi_tcp_owner *owner)
{
    unsigned long count = owner->count;
    return atomic_compare_exchange_strong(owner->shared, &count, count + 1);
}

void mwi_tcp_owner_end(struct mwi_tcp_owner *owner)
{
    owner->count++;
    assert(!mwi_tcp_owner_is_lost(owner));
}
