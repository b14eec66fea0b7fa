/* SPDX-License-Identifier: Apache-2.0
 *
 * The store of policies. tasks takes one for each task and puts it back when the task is gone.
 *
 * Most tasks have the policy of the task before, so that is compared first; else the hash finds the
 * entry. Two policies of one hash are harmless: the second gets a new entry each time.
 *
 * A new rule is a field of struct mwi_task_policy, which is_equal and hash_of must know, and of
 * mw_policy, which master_submit.c translates.
 */
#include "farm/policies.h"

#include <stdlib.h>

#define NONE UINT32_MAX

void mwi_policies_init(struct mwi_policies *policies)
{
    *policies = (struct mwi_policies){.first_free = NONE, .last = NONE};
    mwi_map_init(&policies->by_hash);
}

void mwi_policies_fini(struct mwi_policies *policies)
{
    mwi_map_fini(&policies->by_hash);
    free(policies->entries);
}

static bool is_equal(const struct mwi_task_policy *left, const struct mwi_task_policy *right)
{
    return left->sid == right->sid && left->priority == right->priority &&
           left->time_limit_ns == right->time_limit_ns && left->named_scope == right->named_scope &&
           left->is_unrecorded == right->is_unrecorded &&
           left->max_attempts == right->max_attempts && left->is_retried == right->is_retried &&
           left->is_done_anyway == right->is_done_anyway &&
           left->is_speculated == right->is_speculated && left->is_late == right->is_late;
}

static uint64_t mix(uint64_t hash, uint64_t number)
{
    hash = (hash ^ number) * UINT64_C(0xBF58476D1CE4E5B9);
    return hash ^ hash >> 29;
}

/* Never 0, which is no key of a map. */
static uint64_t hash_of(const struct mwi_task_policy *policy)
{
    uint64_t hash = mix(mix(0, policy->sid), (uint32_t)policy->priority);
    hash = mix(hash, (uint64_t)policy->time_limit_ns);
    hash = mix(hash, policy->named_scope);
    hash = mix(hash, (uint64_t)policy->max_attempts << 5 | (uint64_t)policy->is_unrecorded << 4 |
                         (uint64_t)policy->is_late << 3 | (uint64_t)policy->is_speculated << 2 |
                         (uint64_t)policy->is_retried << 1 | policy->is_done_anyway);
    return hash | 1;
}

static bool is_used(const struct mwi_policies *policies, uint32_t number,
                    const struct mwi_task_policy *policy)
{
    return number < policies->count && policies->entries[number].users_count > 0 &&
           is_equal(&policies->entries[number].policy, policy);
}

/* The map holds numbers from 1, as pointers. */
static uint32_t find_entry(const struct mwi_policies *policies,
                           const struct mwi_task_policy *policy)
{
    uintptr_t found = (uintptr_t)mwi_map_get(&policies->by_hash, hash_of(policy));
    uint32_t number = found == 0 ? NONE : (uint32_t)(found - 1);
    return number != NONE && is_used(policies, number, policy) ? number : NONE;
}

static uint32_t unused_entry(struct mwi_policies *policies)
{
    if (policies->first_free != NONE)
        return policies->first_free;
    if (policies->count == policies->capacity) {
        uint32_t capacity = policies->capacity == 0 ? 8 : policies->capacity * 2;
        struct mwi_policy_entry *entries = realloc(policies->entries, capacity * sizeof *entries);
        if (entries == NULL)
            return NONE;
        policies->entries = entries;
        policies->capacity = capacity;
    }
    policies->entries[policies->count] = (struct mwi_policy_entry){.next_free = NONE};
    policies->first_free = policies->count;
    return policies->count++;
}

static uint32_t make_entry(struct mwi_policies *policies, struct mwi_pool *pool,
                           const struct mwi_task_policy *policy)
{
    uint32_t number = unused_entry(policies);
    struct mwi_pool_level *level =
        number == NONE ? NULL
                       : mwi_pool_take_level(pool, policy->is_late ? INT32_MIN : policy->priority);
    if (level == NULL)
        return NONE;
    if (!mwi_map_set(&policies->by_hash, hash_of(policy), (void *)((uintptr_t)number + 1))) {
        mwi_pool_put_level(pool, level);
        return NONE;
    }
    struct mwi_policy_entry *entry = &policies->entries[number];
    policies->first_free = entry->next_free;
    *entry = (struct mwi_policy_entry){.policy = *policy, .level = level};
    return number;
}

/* Makes the last one a user of its own, so that it need not be made anew for each task of a farm
 * that has one at a time. */
static void keep(struct mwi_policies *policies, struct mwi_pool *pool, uint32_t number)
{
    uint32_t before = policies->last;
    policies->entries[number].users_count++;
    policies->last = number;
    if (before != NONE)
        mwi_policies_put(policies, pool, before);
}

bool mwi_policies_take(struct mwi_policies *policies, struct mwi_pool *pool,
                       const struct mwi_task_policy *policy, uint32_t *number)
{
    uint32_t found =
        is_used(policies, policies->last, policy) ? policies->last : find_entry(policies, policy);
    if (found == NONE)
        found = make_entry(policies, pool, policy);
    if (found == NONE)
        return false;
    policies->entries[found].users_count++;
    if (found != policies->last)
        keep(policies, pool, found);
    *number = found;
    return true;
}

void mwi_policies_put(struct mwi_policies *policies, struct mwi_pool *pool, uint32_t number)
{
    struct mwi_policy_entry *entry = &policies->entries[number];
    if (--entry->users_count > 0)
        return;
    uint64_t hash = hash_of(&entry->policy);
    if ((uintptr_t)mwi_map_get(&policies->by_hash, hash) == (uintptr_t)number + 1)
        mwi_map_remove(&policies->by_hash, hash);
    mwi_pool_put_level(pool, entry->level);
    entry->next_free = policies->first_free;
    policies->first_free = number;
}

/* Moves the waiting tasks of one policy from one level to another. */
static void move_tasks(struct mwi_pool *pool, uint32_t number, struct mwi_pool_level *from,
                       struct mwi_pool_level *to)
{
    struct mwi_list *list = &from->tasks;
    for (struct mwi_list *link = list->next, *next; link != list; link = next) {
        const struct mwi_pool_item *item = MWI_LIST_ENTRY(link, struct mwi_pool_item, link);
        next = link->next;
        if (item->policy != number)
            continue;
        mwi_pool_remove(pool, from, link);
        mwi_pool_append(pool, to, link);
    }
}

void mwi_policies_end_lateness(struct mwi_policies *policies, struct mwi_pool *pool)
{
    for (uint32_t number = 0; number < policies->count; number++) {
        struct mwi_policy_entry *entry = &policies->entries[number];
        struct mwi_pool_level *late = entry->level, *usual;
        if (entry->users_count == 0 || !entry->policy.is_late ||
            late->priority == entry->policy.priority)
            continue;
        usual = mwi_pool_take_level(pool, entry->policy.priority);
        if (usual == NULL)
            continue;
        move_tasks(pool, number, late, usual);
        entry->level = usual;
        mwi_pool_put_level(pool, late);
    }
}

const struct mwi_policy_entry *mwi_policies_get(const struct mwi_policies *policies,
                                                uint32_t number)
{
    return &policies->entries[number];
}
