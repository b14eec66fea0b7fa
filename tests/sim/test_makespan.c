/* SPDX-License-Identifier: Apache-2.0
 *
 * How long a farm takes for its tasks, in virtual time, against what an ideal scheduler would need:
 * list scheduling, which gives each task to the slave that is free first, at no cost.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <mw/embed.h>
#include <mw/sim.h>
#include <mw/stats.h>

#include "mwt_host.h"
#include "mwt_normal.h"
#include "mwt_run.h"

#define MS INT64_C(1000000)
#define SLAVES_MAX 16
#define RUNS_COUNT 20
#define TOLERANCE 1.05

/* One run: its tasks, and what became of them. */
struct run {
    mw_sim *sim;
    int64_t *task_ns;
    size_t tasks_count, slaves_count, done_count;
    size_t
        first_count; /* of the tasks: these are submitted first, and are done before the others */
    int64_t began_ns, ended_ns, ideal_ns;
    bool is_taken_slowly;
};

static void spend(mw_call *call)
{
    struct run *run = mw_call_user(call);
    int64_t task;
    if (mw_call_args(call, "l", &task) != MW_OK)
        return;
    mw_sim_spend(run->sim, run->task_ns[task]);
    mw_call_return(call, "");
}

static const mw_algorithm algorithms[] = {{"spend", spend}, {0}};

static const char *const quiet[][2] = {{"quiet", "1"}, {NULL, NULL}};

static void run_tasks(struct run *run, mw_master *farm, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        mw_master_submit(farm, &(mw_task){.algorithm = "spend"}, "l", (int64_t)i);
    while (mw_master_next(farm) != NULL)
        run->done_count++;
}

static uint64_t messages_received(const mw_master *farm)
{
    mw_stats stats = {.size = sizeof stats};
    mw_master_stats(farm, &stats);
    return stats.messages_received;
}

/* Waits for some results and takes the first of them quickly. Then the master takes 5 ms for each:
 * meanwhile it must hear of its slaves. */
static void take_slowly(struct run *run, mw_master *farm)
{
    enum { READY = 40, QUICK = 9, ROUNDS = 4, SLOW = 4 };
    mw_stats stats = {.size = sizeof stats};
    mw_master_counts counts;
    for (size_t i = 0; i < run->tasks_count; i++)
        mw_master_submit(farm, &(mw_task){.algorithm = "spend"}, "l", (int64_t)i);
    while (stats.results_ready < READY && mw_master_loop_iterate(farm, 1, &counts) == MW_OK)
        mw_master_stats(farm, &stats);
    for (int i = 0; i < QUICK; i++)
        CU_ASSERT_PTR_NOT_NULL(mw_master_next(farm));
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t before = messages_received(farm);
        for (int i = 0; i < SLOW; i++) {
            mw_sim_spend(run->sim, 5 * MS);
            CU_ASSERT_PTR_NOT_NULL(mw_master_next(farm));
        }
        CU_ASSERT(messages_received(farm) > before);
    }
    run->done_count = QUICK + ROUNDS * SLOW;
}

/* The clock runs from when all slaves are there, and the first tasks are done, to the last result.
 */
static int master_host(mw_sim_host *host, void *context)
{
    struct run *run = context;
    mw_program program = {.algorithms = algorithms, .user = run};
    mw_options *options = mwt_host_options(host, "", quiet);
    mw_master_counts counts;
    mw_master *farm;
    if (mw_master_open(&farm, &program, options) != MW_OK)
        return 1;
    while (mw_master_num_slaves(farm) < run->slaves_count)
        if (mw_master_loop_iterate(farm, 1, &counts) != MW_OK)
            break;
    if (run->is_taken_slowly)
        take_slowly(run, farm);
    run_tasks(run, farm, 0, run->is_taken_slowly ? 0 : run->first_count);
    run->began_ns = mw_sim_now(run->sim);
    run_tasks(run, farm, run->first_count, run->tasks_count);
    run->ended_ns = mw_sim_now(run->sim);
    mw_master_close(farm);
    mw_options_destroy(options);
    return 0;
}

static int slave_host(mw_sim_host *host, void *context)
{
    return mwt_host_be_slave(mwt_host_options(host, "master", quiet), algorithms, context);
}

static int64_t ideal_ns(const struct run *run)
{
    int64_t free_ns[SLAVES_MAX] = {0}, last_ns = 0;
    for (size_t i = run->first_count; i < run->tasks_count; i++) {
        size_t first = 0;
        for (size_t j = 1; j < run->slaves_count; j++)
            if (free_ns[j] < free_ns[first])
                first = j;
        free_ns[first] += run->task_ns[i];
        if (free_ns[first] > last_ns)
            last_ns = free_ns[first];
    }
    return last_ns;
}

static void run_farm(struct run *run, uint64_t seed)
{
    char name[32];
    CU_ASSERT_EQUAL_FATAL(mw_sim_create(&run->sim, &(mw_sim_config){.seed = seed}), MW_OK);
    CU_ASSERT_EQUAL(mw_sim_host_start(run->sim, "master", master_host, run, NULL), MW_OK);
    for (size_t i = 0; i < run->slaves_count; i++) {
        snprintf(name, sizeof name, "slave%zu", i);
        CU_ASSERT_EQUAL(mw_sim_host_start(run->sim, name, slave_host, run, NULL), MW_OK);
    }
    CU_ASSERT_TRUE(mw_sim_run(run->sim, INT64_MAX / 2));
    mw_sim_destroy(run->sim);
    run->ideal_ns = ideal_ns(run);
    CU_ASSERT_EQUAL(run->done_count, run->tasks_count);
}

static int64_t draw_equal(struct mwt_random *random)
{
    (void)random;
    return MS;
}

static int64_t draw_short(struct mwt_random *random)
{
    return (int64_t)mwt_random_below(random, 20000);
}

/* Log-normal of mean 1 ms, sigma 2. */
static int64_t draw_uneven(struct mwt_random *random)
{
    return (int64_t)(1e6 * exp(2 * mwt_normal(random) - 2));
}

/* The mean over runs of what the farm takes to what it ideally would. */
static double measure(int64_t (*draw)(struct mwt_random *), size_t tasks_count)
{
    struct mwt_random random;
    double sum = 0;
    mwt_random_start(&random);
    for (int i = 0; i < RUNS_COUNT; i++) {
        struct run run = {.tasks_count = tasks_count};
        run.slaves_count = 2 + mwt_random_below(&random, 7);
        run.task_ns = malloc(tasks_count * sizeof *run.task_ns);
        CU_ASSERT_PTR_NOT_NULL_FATAL(run.task_ns);
        for (size_t j = 0; j < tasks_count; j++)
            run.task_ns[j] = draw(&random);
        run_farm(&run, mwt_random_next(&random));
        sum += (double)(run.ended_ns - run.began_ns) / (double)run.ideal_ns;
        free(run.task_ns);
    }
    printf("%.3f ", sum / RUNS_COUNT);
    return sum / RUNS_COUNT;
}

static void test_equal_tasks(void)
{
    CU_ASSERT(measure(draw_equal, 4000) < TOLERANCE);
}

/* Tasks that are much shorter than the way to a slave. */
static void test_short_tasks(void)
{
    CU_ASSERT(measure(draw_short, 50000) < TOLERANCE);
}

/* A few tasks take as long as all others together, and nobody knows which. */
static void test_uneven_tasks(void)
{
    CU_ASSERT(measure(draw_uneven, 4000) < TOLERANCE);
}

/* A few long tasks after many short ones of the same algorithm, as from a warm-up: each slave has
 * its part of them. */
static void test_long_after_short(void)
{
    enum { SHORT = 20000, LONG = 16, SLAVES = 8 };
    static int64_t task_ns[SHORT + LONG];
    struct run run = {.task_ns = task_ns,
                      .tasks_count = SHORT + LONG,
                      .slaves_count = SLAVES,
                      .first_count = SHORT};
    for (size_t i = 0; i < run.tasks_count; i++)
        task_ns[i] = i < SHORT ? 1000 : 500 * MS;

    run_farm(&run, 1);

    double ratio = (double)(run.ended_ns - run.began_ns) / (double)run.ideal_ns;
    printf("%.3f ", ratio);
    CU_ASSERT(ratio < TOLERANCE);
}

/* Results that are handed out without a look at the farm are few: slaves are served although the
 * master has results to take and takes its time for each. */
static void test_slow_taker(void)
{
    enum { TASKS = 2000 };
    static int64_t task_ns[TASKS];
    struct run run = {.task_ns = task_ns,
                      .tasks_count = TASKS,
                      .first_count = TASKS,
                      .slaves_count = 2,
                      .is_taken_slowly = true};
    for (size_t i = 0; i < TASKS; i++)
        task_ns[i] = MS;

    run_farm(&run, 1);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"equal tasks", test_equal_tasks},   {"short tasks", test_short_tasks},
        {"uneven tasks", test_uneven_tasks}, {"long after short", test_long_after_short},
        {"slow taker", test_slow_taker},     CU_TEST_INFO_NULL,
    };

    return mwt_run("makespan", tests);
}
