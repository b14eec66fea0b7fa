/* SPDX-License-Identifier: Apache-2.0
 *
 * The numbers of a farm, asked for in simulated farms whose course is known. A new number gets a
 * check in the farm that moves it.
 */
#include <mw/stats.h>

#include <stddef.h>
#include <string.h>

#include "farm/stats.h"
#include "mwt_run.h"
#include "mwt_world.h"

#define SECOND MWT_WORLD_SECOND

static void run_fail(mw_call *call)
{
    mw_call_fail(call, "as asked");
}

static const mw_algorithm algorithms[] = {
    {"spend", mwt_world_spend}, {"fail", run_fail}, {NULL, NULL}};

static void run_farm(size_t slaves_count, int (*master)(struct mwt_world *world, mw_master *master))
{
    struct mwt_world world = {
        .program = {.algorithms = algorithms}, .master = master, .slaves_count = slaves_count};
    world.program.user = &world;
    CU_ASSERT_TRUE(mwt_world_run(&world));
    CU_ASSERT_EQUAL(world.master_error, MW_OK);
    CU_ASSERT_TRUE(world.has_finished);
}

static mw_stats stats_of(const mw_master *master)
{
    mw_stats stats = {.size = sizeof stats};
    CU_ASSERT_EQUAL(mw_master_stats(master, &stats), MW_OK);
    CU_ASSERT_EQUAL(stats.size, sizeof stats);
    CU_ASSERT_EQUAL(stats.submitted, stats.done + stats.failed + stats.unrunnable +
                                         stats.cancelled + stats.waiting + stats.running);
    return stats;
}

static int master_of_counts(struct mwt_world *world, mw_master *master)
{
    (void)world;
    for (int i = 0; i < 10; i++)
        mw_master_submit(master, &(mw_task){.algorithm = "spend"}, "d", 1.0);
    mw_master_submit(master, &(mw_task){.algorithm = "fail"}, "");
    mw_master_submit(master,
                     &(mw_task){.algorithm = "spend", .policy = &(mw_policy){.sid = "SLAVE-99"}},
                     "d", 1.0);
    mw_master_submit(master, &(mw_task){.algorithm = "spend"}, "d", 1.0);
    CU_ASSERT_EQUAL(mw_master_cancel(master, mw_master_last_task(master)), MW_OK);
    CU_ASSERT_EQUAL(stats_of(master).waiting, 11);
    CU_ASSERT_EQUAL(stats_of(master).unrunnable_ready, 1);

    while (mw_master_next(master) != NULL)
        stats_of(master);

    mw_stats stats = stats_of(master);
    CU_ASSERT_EQUAL(stats.submitted, 13);
    CU_ASSERT_EQUAL(stats.done, 10);
    CU_ASSERT_EQUAL(stats.failed, 1);
    CU_ASSERT_EQUAL(stats.unrunnable, 1);
    CU_ASSERT_EQUAL(stats.cancelled, 1);
    CU_ASSERT_EQUAL(stats.requeued, 0);
    CU_ASSERT_EQUAL(stats.waiting + stats.running + stats.results_ready + stats.unrunnable_ready,
                    0);
    CU_ASSERT_EQUAL(stats.slaves_greeted, 2);
    CU_ASSERT_EQUAL(stats.slaves_idle, 2);
    CU_ASSERT_TRUE(stats.messages_sent >= stats.groups[0] + 2);
    CU_ASSERT_TRUE(stats.bytes_sent > stats.messages_sent);
    CU_ASSERT_TRUE(stats.bytes_received > stats.messages_received);
    return 0;
}

/* Every task is counted once, under what became of it. */
static void test_counts(void)
{
    run_farm(2, master_of_counts);
}

static int master_of_times(struct mwt_world *world, mw_master *master)
{
    (void)world;
    mw_algorithm_stats stats = {.size = sizeof stats};
    for (int i = 0; i < 4; i++)
        mw_master_submit(master, &(mw_task){.algorithm = "spend"}, "d", 2.0);
    while (mw_master_next(master) != NULL)
        ;

    CU_ASSERT_TRUE(mw_master_algorithm_stats(master, 0, &stats));

    CU_ASSERT_STRING_EQUAL(stats.algorithm, "spend");
    CU_ASSERT_EQUAL(stats.done, 4);
    CU_ASSERT_EQUAL(stats.running, 0);
    CU_ASSERT_EQUAL(stats.run.count, 4);
    CU_ASSERT_EQUAL(stats.run.total_ns, 8 * SECOND);
    /* 2 s are between 2^20 and 2^21 microseconds. */
    CU_ASSERT_EQUAL(stats.run.buckets[21], 4);
    /* One slave: they waited for about 0, 2, 4 and 6 s. */
    CU_ASSERT_EQUAL(stats.wait.count, 4);
    CU_ASSERT_TRUE(stats.wait.total_ns > 11 * SECOND && stats.wait.total_ns < 13 * SECOND);
    CU_ASSERT_TRUE(mw_master_algorithm_stats(master, 1, &stats));
    CU_ASSERT_EQUAL(stats.submitted, 0);
    CU_ASSERT_FALSE(mw_master_algorithm_stats(master, 2, &stats));
    return 0;
}

/* How long tasks waited and ran is known for each algorithm. */
static void test_times(void)
{
    run_farm(1, master_of_times);
}

static int master_of_losses(struct mwt_world *world, mw_master *master)
{
    mw_master_counts counts;
    for (int i = 0; i < 2; i++)
        mw_master_submit(master, &(mw_task){.algorithm = "spend"}, "d", 10.0);
    CU_ASSERT_EQUAL(mw_master_loop(master, 5.0, &counts), MW_OK);
    mw_sim_kill(world->slave_hosts[0]);

    while (mw_master_next(master) != NULL)
        ;

    mw_stats stats = stats_of(master);
    CU_ASSERT_EQUAL(stats.done, 2);
    CU_ASSERT_EQUAL(stats.requeued, 1);
    CU_ASSERT_EQUAL(stats.slaves_greeted, 2);
    CU_ASSERT_EQUAL(stats.slaves_lost[MW_LOSS_CONNECTION], 1);
    CU_ASSERT_EQUAL(stats.slaves_lost[MW_LOSS_PROTOCOL] + stats.slaves_lost[MW_LOSS_SILENCE], 0);
    return 0;
}

/* A lost slave is counted by the reason, and its task as requeued. */
static void test_losses(void)
{
    run_farm(2, master_of_losses);
}

static int master_of_slaves(struct mwt_world *world, mw_master *master)
{
    mw_slave_stats stats = {.size = sizeof stats};
    mw_master_counts counts;
    size_t cursor = 0;
    (void)world;
    mw_master_submit(master, &(mw_task){.algorithm = "spend"}, "d", 10.0);
    CU_ASSERT_EQUAL(mw_master_loop(master, 4.0, &counts), MW_OK);

    size_t busy_count = 0, slaves_count = 0;
    for (; mw_master_slave_stats(master, &cursor, &stats); slaves_count++) {
        CU_ASSERT_EQUAL(strncmp(stats.sid, "SLAVE-", 6), 0);
        CU_ASSERT_STRING_EQUAL(stats.transport, "sim");
        CU_ASSERT_EQUAL(stats.group, MW_UNORDERED);
        busy_count += stats.is_busy;
        if (!stats.is_busy)
            continue;
        CU_ASSERT_EQUAL(stats.task, 1);
        CU_ASSERT_EQUAL(stats.tasks_count, 1);
        CU_ASSERT_DOUBLE_EQUAL(stats.task_s, 4.0, 0.5);
        CU_ASSERT_DOUBLE_EQUAL(stats.busy_s, 4.0, 0.5);
        CU_ASSERT_TRUE(stats.bytes_sent > 0);
    }
    CU_ASSERT_EQUAL(slaves_count, 3);
    CU_ASSERT_EQUAL(busy_count, 1);

    while (mw_master_next(master) != NULL)
        ;
    cursor = 0;
    uint64_t done_count = 0;
    double busy_s = 0;
    while (mw_master_slave_stats(master, &cursor, &stats)) {
        done_count += stats.done;
        busy_s += stats.busy_s;
    }
    CU_ASSERT_EQUAL(done_count, 1);
    CU_ASSERT_DOUBLE_EQUAL(busy_s, 10.0, 0.5);
    return 0;
}

/* Each connected slave is seen once, with the task that it has and for how long it was busy. */
static void test_slaves(void)
{
    run_farm(3, master_of_slaves);
}

static int master_of_time(struct mwt_world *world, mw_master *master)
{
    mw_master_submit(master, &(mw_task){.algorithm = "spend"}, "d", 3.0);
    (void)mw_master_next(master);
    mw_sim_spend(world->sim, 5 * SECOND);
    mw_master_counts counts;
    CU_ASSERT_EQUAL(mw_master_loop_iterate(master, 0, &counts), MW_OK);

    mw_stats stats = stats_of(master);

    CU_ASSERT_DOUBLE_EQUAL(stats.algorithm_s, 5.0, 0.5);
    CU_ASSERT_TRUE(stats.waiting_s > 2.5);
    CU_ASSERT_TRUE(stats.serving_s < 0.5);
    return 0;
}

/* The master's time is divided into waiting, serving and the algorithm's own. */
static void test_own_time(void)
{
    run_farm(1, master_of_time);
}

static int master_of_sizes(struct mwt_world *world, mw_master *master)
{
    struct {
        mw_stats stats;
        char more[64];
    } larger = {.stats = {.size = sizeof larger}};
    struct {
        size_t size;
        uint64_t submitted;
        unsigned char guard;
    } smaller = {.size = offsetof(mw_stats, done), .guard = 77};
    mw_stats none = {.size = 0};
    (void)world;
    memset(larger.more, 'x', sizeof larger.more);
    mw_master_submit(master, &(mw_task){.algorithm = "spend"}, "d", 0.0);

    CU_ASSERT_EQUAL(mw_master_stats(master, &larger.stats), MW_OK);
    CU_ASSERT_EQUAL(mw_master_stats(master, (mw_stats *)(void *)&smaller), MW_OK);
    CU_ASSERT_EQUAL(mw_master_stats(master, &none), MW_EINVAL);

    CU_ASSERT_EQUAL(larger.stats.submitted, 1);
    CU_ASSERT_EQUAL(larger.stats.size, sizeof larger);
    CU_ASSERT_EQUAL(larger.more[63], 0);
    CU_ASSERT_EQUAL(smaller.submitted, 1);
    CU_ASSERT_EQUAL(smaller.guard, 77);
    while (mw_master_next(master) != NULL)
        ;
    return 0;
}

/* Structs of an older program are filled as far as they go, those of a newer one with zeros behind
 * what is known. */
static void test_sizes(void)
{
    run_farm(1, master_of_sizes);
}

/* Each duration falls into the bucket that mw/stats.h says. */
static void test_buckets(void)
{
    static const struct {
        uint64_t ns;
        size_t bucket;
    } cases[] = {{0, 0},        {999, 0},      {1000, 1},
                 {1999, 1},     {2000, 2},     {4000, 3},
                 {1000000, 10}, {1024000, 11}, {UINT64_MAX, MW_TIMES_BUCKETS - 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        mw_times times = {0};
        mwi_stats_add_time(&times, cases[i].ns);
        CU_ASSERT_EQUAL(times.buckets[cases[i].bucket], 1);
        CU_ASSERT_EQUAL(times.count, 1);
    }
    uint64_t groups[MW_STATS_GROUP_BUCKETS] = {0};
    for (size_t count = 1; count <= 4; count++)
        mwi_stats_add_group(groups, count);
    mwi_stats_add_group(groups, SIZE_MAX);
    CU_ASSERT_EQUAL(groups[0], 1);
    CU_ASSERT_EQUAL(groups[1], 2);
    CU_ASSERT_EQUAL(groups[2], 1);
    CU_ASSERT_EQUAL(groups[MW_STATS_GROUP_BUCKETS - 1], 1);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"counts", test_counts},   {"times", test_times},       {"losses", test_losses},
        {"slaves", test_slaves},   {"own time", test_own_time}, {"sizes", test_sizes},
        {"buckets", test_buckets}, CU_TEST_INFO_NULL,
    };
    return mwt_run("stats", tests);
}
