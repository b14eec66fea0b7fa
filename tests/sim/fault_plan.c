/* SPDX-License-Identifier: Apache-2.0
 *
 * Draws the plan of a fault world from its seed. test_fault_plan keeps seeds that have found
 * mistakes, so a seed must stay the same farm: a new draw comes last, and a new fault at the end of
 * enum mwt_fault.
 */
#include "fault_world.h"

#define MS INT64_C(1000000)
#define SECOND (1000 * MS)

struct mwt_fault_plan mwt_fault_plan_draw(uint64_t seed)
{
    static const unsigned counts_max[MWT_FAULTS] = {
        [MWT_FAULT_KILL_SLAVE] = 30,  [MWT_FAULT_CUT_SLAVE] = 10,   [MWT_FAULT_HEAL] = 20,
        [MWT_FAULT_KILL_MASTER] = 6,  [MWT_FAULT_CUT_POWER] = 6,    [MWT_FAULT_FILL_DISK] = 3,
        [MWT_FAULT_BREAK_DISK] = 3,   [MWT_FAULT_STALL_MASTER] = 3, [MWT_FAULT_JUMP_CLOCK] = 6,
        [MWT_FAULT_FAIL_MALLOC] = 12,
    };
    static const char *const groups[] = {"auto", "1", "3", "20"};
    static const char *const syncs[] = {"0", "0.005", "0.1"};
    static const int64_t delays_ns[] = {MS / 5, 20 * MS, 500 * MS};
    struct mwt_random random = {.state = seed * 31 + 7};
    struct mwt_fault_plan plan = {.seed = seed};
    plan.tasks_count = 1 + mwt_random_below(&random, MWT_FAULT_TASKS_MAX);
    plan.slaves_count = 1 + mwt_random_below(&random, MWT_FAULT_SLAVES_MAX);
    plan.task_ns_max = (int64_t)mwt_random_below(&random, 4) * 50 * MS;
    plan.delay_ns_max = delays_ns[mwt_random_below(&random, 3)];
    plan.sync_ns_max = (1 + (int64_t)mwt_random_below(&random, 2) * 100) * MS;
    for (size_t i = 0; i < MWT_FAULT_SLAVES_MAX; i++)
        plan.slowness[i] = mwt_random_below(&random, 6) == 0 ? 20 : 1;
    plan.task_group = groups[mwt_random_below(&random, 4)];
    plan.journal_sync = syncs[mwt_random_below(&random, 3)];
    plan.has_journal = mwt_random_below(&random, 8) > 0;
    plan.has_policies = mwt_random_below(&random, 2) == 0;
    plan.is_returning = mwt_random_below(&random, 2) == 0;
    plan.is_speculating = mwt_random_below(&random, 3) == 0;
    plan.goes_on = mwt_random_below(&random, 2) == 0;
    plan.is_run_again = plan.has_journal && mwt_random_below(&random, 2) == 0;
    for (size_t i = 0; i < MWT_FAULTS; i++)
        plan.counts[i] = mwt_random_below(&random, 2) == 0
                             ? 0
                             : (unsigned)mwt_random_below(&random, counts_max[i] + 1);
    plan.faults_end_ns = (1 + (int64_t)mwt_random_below(&random, 20)) * SECOND;
    return plan;
}
