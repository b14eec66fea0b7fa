/* SPDX-License-Identifier: Apache-2.0
 *
 * The policies of tasks. Each different policy is kept once, however many tasks have it; a task
 * holds its number.
 */
#ifndef MWI_POLICIES_H
#define MWI_POLICIES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"
#include "farm/pool.h"
#include "wire/content.h"

/* No slave in particular: the task is unordered. */
#define MWI_NO_SID UINT32_MAX

struct mwi_task_policy {
    uint32_t sid;
    int32_t priority;
    int64_t time_limit_ns; /* 0: none */
    uint64_t named_scope;  /* that the user has named, see wire/content.h; 0: none */
    uint8_t max_attempts;
    bool is_retried;
    bool is_done_anyway;
    bool is_unrecorded; /* its result is for this run alone */
    bool is_speculated; /* may have a second copy if it is slow */
    bool is_late;       /* waits behind all others until mwi_policies_end_lateness */
};

/* The scope of tasks of this policy, see wire/content.h. A task for one slave may change that
 * slave, so its result means nothing to another run. */
static inline uint64_t mwi_policies_scope(const struct mwi_task_policy *policy)
{
    if (policy->sid != MWI_NO_SID || policy->is_unrecorded)
        return MWI_CONTENT_NO_SCOPE;
    return policy->named_scope == 0 ? MWI_CONTENT_SCOPE : policy->named_scope;
}

struct mwi_policy_entry {
    struct mwi_task_policy policy;
    struct mwi_pool_level *level;
    size_t users_count; /* 0: the entry is free, and its number that of the next free one */
    uint32_t next_free;
};

struct mwi_policies {
    struct mwi_policy_entry *entries;
    uint32_t count, capacity;
    uint32_t first_free;
    uint32_t last; /* found or made by the last take */
    struct mwi_map by_hash;
};

void mwi_policies_init(struct mwi_policies *policies);
void mwi_policies_fini(struct mwi_policies *policies);

/* Sets *number to the number of a policy, for one more user; its level is taken from the pool.
 * False out of memory. */
bool mwi_policies_take(struct mwi_policies *policies, struct mwi_pool *pool,
                       const struct mwi_task_policy *policy, uint32_t *number);

/* The policy of a number that has users gets one more. */
static inline void mwi_policies_share(struct mwi_policies *policies, uint32_t number)
{
    policies->entries[number].users_count++;
}

/* The policy has one user fewer; without users its number is free for another. */
void mwi_policies_put(struct mwi_policies *policies, struct mwi_pool *pool, uint32_t number);

/* Late tasks wait as others of their priority from now on, behind them. Those of a priority for
 * which there is no memory stay late. */
void mwi_policies_end_lateness(struct mwi_policies *policies, struct mwi_pool *pool);

/* Borrowed until the next take. */
const struct mwi_policy_entry *mwi_policies_get(const struct mwi_policies *policies,
                                                uint32_t number);

#endif
