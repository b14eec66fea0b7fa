/* SPDX-License-Identifier: Apache-2.0
 *
 * Second copies of slow tasks in whole farms, in virtual time: what a slow or silent slave costs,
 * and that each task is handed out once.
 */
#include <math.h>
#include <stdio.h>

#include <mw/embed.h>
#include <mw/sim.h>
#include <mw/stats.h>

#include "mwt_host.h"
#include "mwt_normal.h"
#include "mwt_run.h"

#define MS INT64_C(1000000)
#define SLAVES_MAX 16
#define TASKS_MAX 1000

struct farm;

struct slave {
    struct farm *farm;
    unsigned slowness; /* by which its tasks take longer */
};

struct farm {
    mw_sim *sim;
    int64_t task_ns[TASKS_MAX];
    unsigned results[TASKS_MAX]; /* handed out of each task */
    size_t tasks_count, slaves_count;
    struct slave slaves[SLAVES_MAX];
    const char *speculate; /* the option's value */
    mw_policy policy;
    uint64_t copied_count;
    int64_t took_ns;
};

static void spend(mw_call *call)
{
    struct slave *slave = mw_call_user(call);
    int64_t task;
    if (mw_call_args(call, "l", &task) != MW_OK)
        return;
    mw_sim_spend(slave->farm->sim, slave->farm->task_ns[task] * slave->slowness);
    mw_call_return(call, "");
}

static const mw_algorithm algorithms[] = {{"spend", spend}, {0}};

static const char *const quiet[][2] = {{"quiet", "1"}, {NULL, NULL}};

static int master_host(mw_sim_host *host, void *context)
{
    struct farm *farm = context;
    mw_program program = {.algorithms = algorithms};
    mw_stats stats = {.size = sizeof stats};
    mw_options *options = mwt_host_options(host, "", quiet);
    const mw_result *result;
    mw_master *master;
    if (mw_options_set(options, "speculate", farm->speculate) != MW_OK ||
        mw_master_open(&master, &program, options) != MW_OK)
        return 1;
    mw_master_counts counts;
    while (mw_master_num_slaves(master) < farm->slaves_count)
        if (mw_master_loop_iterate(master, 1, &counts) != MW_OK)
            break;
    int64_t began_ns = mw_sim_now(farm->sim);
    for (size_t i = 0; i < farm->tasks_count; i++)
        mw_master_submit(
            master, &(mw_task){.algorithm = "spend", .tag = (int64_t)i, .policy = &farm->policy},
            "l", (int64_t)i);
    while ((result = mw_master_next(master)) != NULL) {
        CU_ASSERT_EQUAL(result->outcome, MW_DONE);
        farm->results[result->tag]++;
        farm->took_ns = mw_sim_now(farm->sim) - began_ns;
    }
    mw_master_stats(master, &stats);
    farm->copied_count = stats.copied;
    mw_master_close(master);
    mw_options_destroy(options);
    return 0;
}

static int slave_host(mw_sim_host *host, void *context)
{
    return mwt_host_be_slave(mwt_host_options(host, "master", quiet), algorithms, context);
}

/* Runs the farm, and checks that each task is handed out once. */
static void run_farm(struct farm *farm, uint64_t seed)
{
    char name[32];
    CU_ASSERT_EQUAL_FATAL(mw_sim_create(&farm->sim, &(mw_sim_config){.seed = seed}), MW_OK);
    CU_ASSERT_EQUAL(mw_sim_host_start(farm->sim, "master", master_host, farm, NULL), MW_OK);
    for (size_t i = 0; i < farm->slaves_count; i++) {
        farm->slaves[i].farm = farm;
        snprintf(name, sizeof name, "slave%zu", i);
        CU_ASSERT_EQUAL(mw_sim_host_start(farm->sim, name, slave_host, &farm->slaves[i], NULL),
                        MW_OK);
    }
    CU_ASSERT_TRUE(mw_sim_run(farm->sim, INT64_MAX / 2));
    mw_sim_destroy(farm->sim);
    for (size_t i = 0; i < farm->tasks_count; i++)
        CU_ASSERT_EQUAL(farm->results[i], 1);
}

static struct farm make_farm(size_t slaves_count, size_t tasks_count, const char *speculate)
{
    struct farm farm = {
        .tasks_count = tasks_count, .slaves_count = slaves_count, .speculate = speculate};
    for (size_t i = 0; i < SLAVES_MAX; i++)
        farm.slaves[i].slowness = 1;
    return farm;
}

/* A slave that is 20 times as slow costs a farm little: it takes at most 10 % longer than the same
 * farm without that slave. */
static void test_slow_slave(void)
{
    enum { SLAVES = 8, TASKS = 200 };
    struct mwt_random random;
    mwt_random_start(&random);
    struct farm slow = make_farm(SLAVES + 1, TASKS, "1");
    slow.slaves[SLAVES].slowness = 20;
    for (size_t i = 0; i < TASKS; i++)
        slow.task_ns[i] = 900 * MS + (int64_t)mwt_random_below(&random, 200) * MS;
    struct farm without = slow;
    without.slaves_count = SLAVES;
    uint64_t seed = mwt_random_next(&random);

    run_farm(&slow, seed);
    run_farm(&without, seed);

    printf("%.3f ", (double)slow.took_ns / (double)without.took_ns);
    CU_ASSERT((double)slow.took_ns < 1.1 * (double)without.took_ns);
    CU_ASSERT(slow.copied_count > 0);
}

/* Where the slowness lies in the tasks, second copies are of no use, and do no harm: at most 2 %.
 */
static void test_uneven_tasks(void)
{
    enum { RUNS = 20, TASKS = 500 };
    struct mwt_random random;
    double with_s = 0, without_s = 0;
    mwt_random_start(&random);
    for (int i = 0; i < RUNS; i++) {
        struct farm with = make_farm(2 + mwt_random_below(&random, 7), TASKS, "1");
        for (size_t j = 0; j < TASKS; j++)
            with.task_ns[j] = (int64_t)(1e9 * exp(2 * mwt_normal(&random) - 2));
        struct farm without = with;
        without.speculate = "0";
        uint64_t seed = mwt_random_next(&random);
        run_farm(&with, seed);
        run_farm(&without, seed);
        CU_ASSERT_EQUAL(without.copied_count, 0);
        with_s += (double)with.took_ns / 1e9;
        without_s += (double)without.took_ns / 1e9;
    }
    printf("%.3f ", with_s / without_s);
    CU_ASSERT(with_s <= 1.02 * without_s);
}

/* A task that must not run twice, or whose policy says no, has no second copy, although all others
 * have; and a task whose policy says yes has one without the option. */
static void test_policies(void)
{
    static const struct {
        mw_policy policy;
        const char *speculate;
        bool is_copied;
    } cases[] = {
        {{.speculate = MW_YES}, "0", true},
        {{.speculate = MW_NO}, "1", false},
        {{.retry = MW_NO}, "1", false},
        {{.retry = MW_NO, .speculate = MW_YES}, "1", false},
        {{.time_limit_s = 1000}, "1", true},
        {{0}, "0", false},
        {{.sid = "SLAVE-3", .do_it_anyway = MW_YES}, "1", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct farm farm = make_farm(4, 40, cases[i].speculate);
        farm.policy = cases[i].policy;
        for (size_t j = 0; j < farm.slaves_count; j++)
            farm.slaves[j].slowness = j == 3 ? 50 : 1;
        for (size_t j = 0; j < farm.tasks_count; j++)
            farm.task_ns[j] = 1000 * MS;
        run_farm(&farm, i + 1);
        CU_ASSERT_EQUAL(farm.copied_count > 0, cases[i].is_copied);
    }
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"slow slave", test_slow_slave},
        {"uneven tasks", test_uneven_tasks},
        {"policies", test_policies},
        CU_TEST_INFO_NULL,
    };

    return mwt_run("stragglers", tests);
}
