/* SPDX-License-Identifier: Apache-2.0
 *
 * The faults of a fault world. Each one says which tasks may be lost by it, so that the checks of
 * fault_world.c know. A new fault is the last value of enum mwt_fault, a row of `acts`, and a row
 * of `counts_max` in fault_plan.c.
 */
#include "fault_world.h"

#define MS INT64_C(1000000)
#define SECOND (1000 * MS)

static struct mwt_fault_slave *draw_slave(struct mwt_fault_world *world)
{
    return &world->slaves[mwt_random_below(&world->random, world->plan.slaves_count)];
}

static void kill_slave(struct mwt_fault_world *world)
{
    struct mwt_fault_slave *slave = draw_slave(world);
    mwt_fault_world_lose_slave(slave);
    if (slave->host != NULL)
        mw_sim_kill(slave->host);
}

static void cut_slave(struct mwt_fault_world *world)
{
    struct mwt_fault_slave *slave = draw_slave(world);
    int64_t notice_ns = (int64_t)mwt_random_below(&world->random, 90000) * MS;
    if (slave->host == NULL || mw_sim_cut(world->master, slave->host, notice_ns) != MW_OK)
        return;
    slave->loss_until_ns = INT64_MAX;
    if (mwt_random_below(&world->random, 3) == 0)
        mw_sim_kill(slave->host);
}

static void heal_slave(struct mwt_fault_world *world, struct mwt_fault_slave *slave)
{
    if (slave->loss_until_ns < INT64_MAX || slave->host == NULL)
        return;
    mw_sim_heal(world->master, slave->host);
    mwt_fault_world_lose_slave(slave);
}

static void heal(struct mwt_fault_world *world)
{
    heal_slave(world, draw_slave(world));
}

static void kill_master(struct mwt_fault_world *world)
{
    mw_sim_kill(world->master);
    mwt_fault_world_lose_all(world);
}

/* Results that were handed out a moment ago may not have been on the disk yet. */
static void cut_power(struct mwt_fault_world *world)
{
    int64_t sync_ns = (int64_t)(strtod(world->plan.journal_sync, NULL) * 1e9);
    int64_t window_ns = sync_ns + 2 * world->plan.sync_ns_max + MS;
    kill_master(world);
    mwi_sim_disk_cut_power(world->disk);
    for (size_t i = 0; i < world->plan.tasks_count; i++)
        if (world->tasks[i].handed_ns + window_ns > mw_sim_now(world->sim))
            world->tasks[i].handed_ns = -1;
}

static void fill_disk(struct mwt_fault_world *world)
{
    mwi_sim_disk_fill(world->disk, mwt_random_below(&world->random, 10000));
    world->has_journal_failed = world->has_stopped = world->has_disk_failed = true;
}

static void break_disk(struct mwt_fault_world *world)
{
    mwi_sim_disk_break(world->disk);
    world->has_journal_failed = world->has_stopped = world->has_disk_failed = true;
}

static void stall_master(struct mwt_fault_world *world)
{
    world->stall_ns = (int64_t)mwt_random_below(&world->random, 200) * SECOND;
}

/* A slave's or the master's clock. */
static void jump_clock(struct mwt_fault_world *world)
{
    int64_t ahead_ns = (int64_t)mwt_random_below(&world->random, 4000) * SECOND;
    size_t place = mwt_random_below(&world->random, world->plan.slaves_count + 1);
    if (place < world->plan.slaves_count)
        world->slaves[place].clock.ahead_ns += ahead_ns;
    else
        world->clock.ahead_ns += ahead_ns;
    mwt_fault_world_lose_all(world);
}

/* Of any host, or of the next master before it has opened its journal. It strikes after some time,
 * or when the faults end it never does. */
static void fail_malloc(struct mwt_fault_world *world)
{
    size_t after = 1 + mwt_random_below(&world->random, 300);
    world->has_journal_failed = world->has_stopped = true;
    world->has_disk_failed = world->has_malloc_failed = true;
    mwt_fault_world_lose_all(world);
    if (mw_sim_host_ended(world->master, NULL))
        world->failing_malloc = after;
    else
        mwt_fault_world_fail_malloc(world, after);
}

static void (*const acts[MWT_FAULTS])(struct mwt_fault_world *world) = {
    [MWT_FAULT_KILL_SLAVE] = kill_slave,
    [MWT_FAULT_CUT_SLAVE] = cut_slave,
    [MWT_FAULT_HEAL] = heal,
    [MWT_FAULT_KILL_MASTER] = kill_master,
    [MWT_FAULT_CUT_POWER] = cut_power,
    [MWT_FAULT_FILL_DISK] = fill_disk,
    [MWT_FAULT_BREAK_DISK] = break_disk,
    [MWT_FAULT_STALL_MASTER] = stall_master,
    [MWT_FAULT_JUMP_CLOCK] = jump_clock,
    [MWT_FAULT_FAIL_MALLOC] = fail_malloc,
};

static void cause_fault(mw_sim *sim, void *context)
{
    struct mwt_fault_world *world = context;
    const unsigned *counts = world->plan.counts;
    size_t left = 0;
    (void)sim;
    for (size_t i = 0; i < MWT_FAULTS; i++)
        left += counts[i];
    size_t chosen = mwt_random_below(&world->random, left), fault = 0;
    while (chosen >= counts[fault])
        chosen -= counts[fault++];
    if (world->master != NULL && !mwt_fault_world_has_finished(world)) {
        world->faults_count++;
        acts[fault](world);
    }
}

static void end_faults(mw_sim *sim, void *context)
{
    struct mwt_fault_world *world = context;
    (void)sim;
    mwi_sim_disk_repair(world->disk);
    mwt_fault_world_watch_malloc(world);
    mwt_fault_world_fail_malloc(world, 0);
    world->failing_malloc = 0;
    for (size_t i = 0; i < world->plan.slaves_count; i++)
        heal_slave(world, &world->slaves[i]);
}

void mwt_fault_acts_arrange(struct mwt_fault_world *world)
{
    uint64_t end_ns = (uint64_t)world->plan.faults_end_ns;
    size_t count = 0;
    for (size_t i = 0; i < MWT_FAULTS; i++)
        count += world->plan.counts[i];
    for (size_t i = 0; i < count; i++)
        if (mw_sim_at(world->sim, (int64_t)(mwt_random_next(&world->random) % end_ns), cause_fault,
                      world) != MW_OK)
            abort();
    if (mw_sim_at(world->sim, world->plan.faults_end_ns, end_faults, world) != MW_OK)
        abort();
}
