/* SPDX-License-Identifier: Apache-2.0
 *
 * A farm that stops before its work is done: what runs is waited for and handed out, what waits is
 * left as it is, and the master algorithm is told when it is over. The farms are simulated.
 */
#include "face/master_stop.h"

#include <string.h>

#include "mwt_run.h"
#include "mwt_world.h"

#define SECOND MWT_WORLD_SECOND

static const mw_algorithm algorithms[] = {{"spend", mwt_world_spend}, {NULL, NULL}};

static const mw_task spend = {.algorithm = "spend"};

/* Runs a farm of `slaves_count` slaves with these options, and returns what is known of it. */
static struct mwt_world run(size_t slaves_count,
                            int (*master)(struct mwt_world *world, mw_master *master),
                            const char *const (*settings)[2])
{
    struct mwt_world world = {.program = {.algorithms = algorithms},
                              .master = master,
                              .slaves_count = slaves_count,
                              .settings = settings};
    world.program.user = &world;
    CU_ASSERT_TRUE(mwt_world_run(&world));
    CU_ASSERT_EQUAL(world.master_error, MW_OK);
    CU_ASSERT_TRUE(world.has_finished);
    return world;
}

static void submit(mw_master *master, size_t count, double seconds)
{
    for (size_t i = 0; i < count; i++)
        CU_ASSERT_EQUAL(mw_master_submit(master, &spend, "d", seconds), MW_OK);
}

/* Serves the slaves for some time without taking anything. */
static void serve(mw_master *master, double seconds)
{
    mw_master_counts counts;
    int64_t end_ns = mwi_loop_now(master->loop) + (int64_t)(seconds * (double)SECOND);
    while (mwi_loop_now(master->loop) < end_ns)
        CU_ASSERT_EQUAL(
            mw_master_loop_iterate(
                master, (double)(end_ns - mwi_loop_now(master->loop)) / (double)SECOND, &counts),
            MW_OK);
}

static size_t take_all(mw_master *master)
{
    size_t count = 0;
    for (const mw_result *result; (result = mw_master_next(master)) != NULL; count++)
        CU_ASSERT_EQUAL(result->outcome, MW_DONE);
    return count;
}

static int stop_and_take(struct mwt_world *world, mw_master *master)
{
    (void)world;
    submit(master, 10, 2);
    serve(master, 1);
    CU_ASSERT_FALSE(mw_master_is_stopping(master));

    mw_master_stop(master);

    CU_ASSERT_TRUE(mw_master_is_stopping(master));
    submit(master, 1, 2);
    CU_ASSERT_EQUAL(take_all(master), 3);
    CU_ASSERT_EQUAL(mw_master_num_runnable_tasks(master), 8);
    CU_ASSERT_EQUAL(mw_master_num_unrunnable_tasks(master), 0);
    CU_ASSERT_EQUAL(mw_master_status(master), MW_OK);
    CU_ASSERT_STRING_EQUAL(mw_master_error(master), "mw_master_stop was called");
    CU_ASSERT_PTR_NULL(mw_master_next(master));
    return 0;
}

/* The tasks that run are handed out, those that wait stay, and so do those that are submitted
 * later. The farm ends with them, and its status is the algorithm's own. */
static void test_stop(void)
{
    struct mwt_world world = run(3, stop_and_take, NULL);

    CU_ASSERT(world.end_ns < 4 * SECOND);
    CU_ASSERT_EQUAL(world.slave_status, 0);
}

static int stop_in_the_full_loop(struct mwt_world *world, mw_master *master)
{
    mw_master_counts counts;
    size_t count = 0;
    (void)world;
    submit(master, 10, 2);
    serve(master, 1);
    mw_master_stop(master);

    while (mw_master_loop(master, -1, &counts) == MW_OK) {
        CU_ASSERT(counts.results > 0);
        for (; counts.results > 0; counts.results--, count++)
            CU_ASSERT_PTR_NOT_NULL(mw_master_next_result(master));
    }

    CU_ASSERT_EQUAL(count, 3);
    CU_ASSERT_EQUAL(mw_master_loop_iterate(master, 0, &counts), MW_EINTERRUPTED);
    CU_ASSERT_EQUAL(mw_master_loop(master, -1, &counts), MW_EINTERRUPTED);
    CU_ASSERT_TRUE(mw_master_timeout(master) <= 0);
    return 0;
}

/* The full loop goes on while something runs, and then says that it is over, each time. */
static void test_full_loop(void)
{
    run(3, stop_in_the_full_loop, NULL);
}

static int stop_in_a_loop_of_its_own(struct mwt_world *world, mw_master *master)
{
    mw_master_counts counts;
    mw_error error;
    size_t count = 0;
    submit(master, 10, 2);
    serve(master, 1);
    mw_master_stop(master);

    do {
        mw_sim_spend(world->sim, (int64_t)(mw_master_timeout(master) * (double)SECOND));
        error = mw_master_loop_iterate(master, 0, &counts);
        while (mw_master_next_result(master) != NULL)
            count++;
    } while (error == MW_OK);

    CU_ASSERT_EQUAL(error, MW_EINTERRUPTED);
    CU_ASSERT_EQUAL(count, 3);
    return 0;
}

/* A loop of the program's own ends too: its time-out is 0 as soon as there is something to hear. */
static void test_own_loop(void)
{
    struct mwt_world world = run(3, stop_in_a_loop_of_its_own, NULL);

    CU_ASSERT(world.end_ns < 8 * SECOND);
}

static int stop_too_long_tasks(struct mwt_world *world, mw_master *master)
{
    submit(master, 2, 60);
    submit(master, 1, 3);
    serve(master, 1);
    mw_master_stop(master);
    int64_t stopped_ns = mw_sim_now(world->sim);

    CU_ASSERT_EQUAL(take_all(master), 1);

    CU_ASSERT_EQUAL(mw_sim_now(world->sim) - stopped_ns, 5 * SECOND);
    CU_ASSERT_STRING_EQUAL(
        mw_master_error(master),
        "mw_master_stop was called, and 2 tasks still ran after --mw-shutdown-timeout");
    CU_ASSERT_EQUAL(mw_master_num_runnable_tasks(master), 2);
    return 0;
}

/* Tasks are waited for no longer than --mw-shutdown-timeout. */
static void test_time_is_up(void)
{
    static const char *const settings[][2] = {{"shutdown-timeout", "5"}, {NULL, NULL}};
    run(3, stop_too_long_tasks, settings);
}

static int stop_when_nothing_runs(struct mwt_world *world, mw_master *master)
{
    int64_t began_ns = mw_sim_now(world->sim);
    submit(master, 5, 1);
    mw_master_stop(master);

    CU_ASSERT_PTR_NULL(mw_master_next(master));

    CU_ASSERT_EQUAL(mw_sim_now(world->sim), began_ns);
    CU_ASSERT_EQUAL(mw_master_num_runnable_tasks(master), 5);
    return 0;
}

/* A farm in which nothing runs stops at once, with slaves and without. */
static void test_nothing_runs(void)
{
    run(0, stop_when_nothing_runs, NULL);
    run(2, stop_when_nothing_runs, NULL);
}

static int stop_long_groups(struct mwt_world *world, mw_master *master)
{
    submit(master, 10, 2);
    serve(master, 3);
    mw_master_stop(master);
    int64_t stopped_ns = mw_sim_now(world->sim);

    CU_ASSERT_EQUAL(take_all(master), 2);

    CU_ASSERT_EQUAL(mw_master_num_runnable_tasks(master), 8);
    CU_ASSERT(mw_sim_now(world->sim) - stopped_ns < 2 * SECOND);
    return 0;
}

/* Tasks that a slave was sent and has not begun are not waited for, and results that it keeps for a
 * larger message come. */
static void test_groups(void)
{
    static const char *const settings[][2] = {
        {"slave-task-group", "10"}, {"slave-result-group", "10"}, {NULL, NULL}};
    run(1, stop_long_groups, settings);
}

static int stop_with_cancelled(struct mwt_world *world, mw_master *master)
{
    int64_t began_ns = mw_sim_now(world->sim);
    submit(master, 1, 60);
    serve(master, 1);
    CU_ASSERT_EQUAL(mw_master_cancel(master, mw_master_last_task(master)), MW_OK);
    submit(master, 1, 60);

    mw_master_stop(master);

    CU_ASSERT_PTR_NULL(mw_master_next(master));
    CU_ASSERT(mw_sim_now(world->sim) - began_ns < 2 * SECOND);
    return 0;
}

/* A task whose result nobody wants is not waited for. */
static void test_cancelled(void)
{
    static const char *const settings[][2] = {{"shutdown-timeout", "1"}, {NULL, NULL}};
    run(1, stop_with_cancelled, settings);
}

static int stop_twice(struct mwt_world *world, mw_master *master)
{
    submit(master, 1, 60);
    serve(master, 1);
    int64_t stopped_ns = mw_sim_now(world->sim);

    mw_master_stop(master);
    serve(master, 3);
    mw_master_stop(master);

    CU_ASSERT_PTR_NULL(mw_master_next(master));
    CU_ASSERT_EQUAL(mw_sim_now(world->sim) - stopped_ns, 5 * SECOND);
    return 0;
}

/* A second stop gives no more time. */
static void test_second_stop(void)
{
    static const char *const settings[][2] = {{"shutdown-timeout", "5"}, {NULL, NULL}};
    run(1, stop_twice, settings);
}

static int ask_for_patience(struct mwt_world *world, mw_master *master)
{
    (void)world;
    submit(master, 1, 60);
    serve(master, 1);
    CU_ASSERT_EQUAL(mwi_master_stop_patience(master), 5 * SECOND);

    mw_master_stop(master);

    serve(master, 2);
    CU_ASSERT_EQUAL(mwi_master_stop_patience(master), 3 * SECOND);
    CU_ASSERT_EQUAL(take_all(master), 0);
    CU_ASSERT_EQUAL(mwi_master_stop_patience(master), SECOND);
    return 0;
}

/* The close has what is left of the time, but at least a second. */
static void test_patience(void)
{
    static const char *const settings[][2] = {{"shutdown-timeout", "5"}, {NULL, NULL}};
    run(1, ask_for_patience, settings);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"stop", test_stop},
        {"full loop", test_full_loop},
        {"own loop", test_own_loop},
        {"time is up", test_time_is_up},
        {"nothing runs", test_nothing_runs},
        {"groups", test_groups},
        {"cancelled", test_cancelled},
        {"second stop", test_second_stop},
        {"patience", test_patience},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("master_stop", tests);
}
