/* SPDX-License-Identifier: Apache-2.0
 *
 * Many slaves that lose their master at once and return to another one, or to the same one, in a
 * simulated world. Counted is how often each task was run: a task that a slave has ended, or runs,
 * when it loses its master is not run again.
 */
#include <stdio.h>
#include <stdlib.h>

#include <mw/embed.h>
#include <mw/sim.h>
#include <mw/stats.h>

#include "mwt_host.h"
#include "mwt_random.h"
#include "mwt_run.h"
#include "options/options.h"
#include "transports/sim/sim_disk.h"

#define MS INT64_C(1000000)
#define SECOND (1000 * MS)
#define SLAVES_MAX 1000

/* A farm whose master is killed at kill_ns, and started again at start_ns. */
struct world {
    mw_sim *sim;
    mw_sim_host *master, *slaves[SLAVES_MAX];
    size_t slaves_count, tasks_count;
    int64_t task_ns;
    size_t window;   /* tasks that are submitted and not handed out, at most; 0: all */
    unsigned *runs;  /* of each task: how often it was begun */
    unsigned *lasts; /* its results, as the last master got them */
    unsigned masters_count;
    unsigned wrong_count;
    size_t handed_count; /* results that the first master has handed out */
    unsigned statuses;   /* slaves that ended with a status that is not 0 */
    size_t replayed_count;
    size_t last_count;         /* results that the last master has handed out */
    bool has_ended;            /* a master has handed out all */
    struct mwi_sim_disk *disk; /* of the masters' journal; NULL: there is none */
};

static void work(mw_call *call)
{
    struct world *world = mw_call_user(call);
    int64_t task;
    if (mw_call_args(call, "l", &task) != MW_OK)
        return;
    world->runs[task]++;
    mw_sim_spend(world->sim, world->task_ns);
    mw_call_return(call, "l", 3 * task);
}

static const mw_algorithm algorithms[] = {{"work", work}, {0}};

static const char *const settings[][2] = {
    {"audit-level", "none"}, {"connect-timeout", "1000"}, {"reconnect", "1000"}, {NULL, NULL}};

static void submit(mw_master *farm, size_t task)
{
    CU_ASSERT_EQUAL(mw_master_submit(farm, &(mw_task){.algorithm = "work", .tag = (int64_t)task},
                                     "l", (int64_t)task),
                    MW_OK);
}

static int master_host(mw_sim_host *host, void *context)
{
    struct world *world = context;
    mw_program program = {.algorithms = algorithms, .user = world};
    mw_options *options = mwt_host_options(host, "", settings);
    if (world->disk != NULL) {
        mw_options_set(options, "journal", "farm.mwj");
        mwi_options_use_disk(options, &mwi_sim_disk_api, world->disk);
    }
    const mw_result *result;
    mw_master *farm;
    int64_t value;
    size_t submitted, window = world->window == 0 ? SIZE_MAX : world->window;
    if (mw_master_open(&farm, &program, options) != MW_OK)
        return 1;
    bool is_first = world->masters_count++ == 0;
    world->last_count = 0;
    for (submitted = 0; submitted < world->tasks_count && submitted < window; submitted++)
        submit(farm, submitted);
    while ((result = mw_master_next(farm)) != NULL) {
        world->handed_count += is_first;
        world->last_count++;
        world->lasts[result->tag] += !is_first;
        world->replayed_count += result->is_replayed;
        if (mw_result_get(result, "l", &value) != MW_OK || value != 3 * result->tag)
            world->wrong_count++;
        if (submitted < world->tasks_count)
            submit(farm, submitted++);
    }
    world->has_ended = mw_master_status(farm) == MW_OK;
    mw_master_close(farm);
    mw_options_destroy(options);
    return 0;
}

static int slave_host(mw_sim_host *host, void *context)
{
    struct world *world = context;
    int status = mwt_host_be_slave(mwt_host_options(host, "master", settings), algorithms, world);
    world->statuses += status != 0;
    return status;
}

static void start_master(mw_sim *sim, void *context)
{
    struct world *world = context;
    CU_ASSERT_EQUAL(mw_sim_host_start(sim, "master", master_host, world, &world->master), MW_OK);
}

static void kill_master(mw_sim *sim, void *context)
{
    struct world *world = context;
    (void)sim;
    mw_sim_kill(world->master);
}

/* Only if the one before was killed: it may have ended. */
static void start_if_killed(mw_sim *sim, void *context)
{
    struct world *world = context;
    if (!world->has_ended)
        start_master(sim, world);
}

static void start(struct world *world, uint64_t seed)
{
    char name[32];
    world->runs = calloc(world->tasks_count, sizeof *world->runs);
    world->lasts = calloc(world->tasks_count, sizeof *world->lasts);
    if (world->runs == NULL || world->lasts == NULL)
        abort();
    CU_ASSERT_EQUAL_FATAL(mw_sim_create(&world->sim, &(mw_sim_config){.seed = seed}), MW_OK);
    start_master(world->sim, world);
    for (size_t i = 0; i < world->slaves_count; i++) {
        snprintf(name, sizeof name, "slave%zu", i);
        CU_ASSERT_EQUAL(mw_sim_host_start(world->sim, name, slave_host, world, &world->slaves[i]),
                        MW_OK);
    }
}

static void end(struct world *world)
{
    mw_sim_destroy(world->sim);
    free(world->runs);
    free(world->lasts);
}

/* All slaves lose their master in the same moment, while each runs a task. They come back to the
 * next one with their results, and none of those tasks is run again. */
static void test_thousand_return(void)
{
    struct world world = {.slaves_count = SLAVES_MAX, .tasks_count = 3000, .task_ns = 10 * SECOND};
    start(&world, 1);
    mw_sim_at(world.sim, 5 * SECOND, kill_master, &world);
    mw_sim_at(world.sim, 7 * SECOND, start_master, &world);

    CU_ASSERT_TRUE(mw_sim_run(world.sim, 1000 * SECOND));

    CU_ASSERT_EQUAL(world.masters_count, 2);
    CU_ASSERT_EQUAL(world.handed_count, 0);
    CU_ASSERT_EQUAL(world.wrong_count, 0);
    CU_ASSERT_EQUAL(world.statuses, 0);
    for (size_t i = 0; i < world.tasks_count; i++) {
        CU_ASSERT_EQUAL(world.runs[i], 1);
        CU_ASSERT_EQUAL(world.lasts[i], 1);
    }
    end(&world);
}

/* The same at any moment, with tasks of any length: results that the first master has handed out
 * are computed again, since nobody has kept them, but no others are. */
static void test_return_at_random(void)
{
    struct mwt_random random;
    mwt_random_start(&random);

    for (int round = 0; round < 40; round++) {
        struct world world = {.slaves_count = 1 + mwt_random_below(&random, 20),
                              .tasks_count = 1 + mwt_random_below(&random, 400)};
        int64_t kill_ns = (int64_t)mwt_random_below(&random, 2000) * MS;
        int64_t away_ns = (int64_t)mwt_random_below(&random, 5000) * MS;
        size_t runs = 0;
        world.task_ns = 1 + (int64_t)mwt_random_below(&random, 300) * MS;
        start(&world, mwt_random_next(&random));
        mw_sim_at(world.sim, kill_ns, kill_master, &world);
        mw_sim_at(world.sim, kill_ns + away_ns, start_master, &world);

        CU_ASSERT_TRUE(mw_sim_run(world.sim, 10000 * SECOND));

        CU_ASSERT_EQUAL(world.wrong_count, 0);
        for (size_t i = 0; i < world.tasks_count; i++) {
            runs += world.runs[i];
            if (world.masters_count == 2 && world.lasts[i] != 1)
                CU_FAIL("a task was not handed out once");
        }
        /* A result may be on its way, or taken and not handed out, when the master is killed. */
        CU_ASSERT(runs >= world.tasks_count);
        CU_ASSERT(runs <= world.tasks_count + world.handed_count + 8 * world.slaves_count);
        end(&world);
    }
}

/* With a journal the second master gets the results of the first one, too, and nothing is run a
 * second time: results that the slaves bring are recorded or end tasks, and tasks that they still
 * run are sent to others last. */
static void test_return_to_a_journal(void)
{
    struct world world = {.slaves_count = SLAVES_MAX, .tasks_count = 3000, .task_ns = 10 * SECOND};
    start(&world, 4);
    world.disk = mwi_sim_disk_create(world.sim, &(struct mwi_sim_disk_plan){.sync_max_ns = MS});
    mw_sim_at(world.sim, 15 * SECOND, kill_master, &world);
    mw_sim_at(world.sim, 17 * SECOND, start_master, &world);

    CU_ASSERT_TRUE(mw_sim_run(world.sim, 1000 * SECOND));

    CU_ASSERT_EQUAL(world.handed_count, 1000);
    CU_ASSERT_EQUAL(world.replayed_count, 1000);
    CU_ASSERT_EQUAL(world.wrong_count + world.statuses, 0);
    for (size_t i = 0; i < world.tasks_count; i++) {
        CU_ASSERT_EQUAL(world.runs[i], 1);
        CU_ASSERT_EQUAL(world.lasts[i], 1);
    }
    end(&world);
}

/* The same at any moment, once or several times: each task is handed out once, and what was run is
 * run again only if it was under way when the last tasks were sent. */
static void test_journal_at_random(void)
{
    struct mwt_random random;
    mwt_random_start(&random);

    for (int round = 0; round < 100; round++) {
        struct world world = {.slaves_count = 1 + mwt_random_below(&random, 20),
                              .tasks_count = 1 + mwt_random_below(&random, 400)};
        int64_t at_ns = 0;
        size_t runs = 0, kills_count = 1 + mwt_random_below(&random, 3);
        world.task_ns = 1 + (int64_t)mwt_random_below(&random, 300) * MS;
        world.window = mwt_random_below(&random, 2) * mwt_random_below(&random, 60);
        start(&world, mwt_random_next(&random));
        world.disk = mwi_sim_disk_create(world.sim, &(struct mwi_sim_disk_plan){.sync_max_ns = MS});
        for (size_t i = 0; i < kills_count; i++) {
            at_ns += 1 + (int64_t)mwt_random_below(&random, 2000) * MS;
            mw_sim_at(world.sim, at_ns, kill_master, &world);
            at_ns += 1 + (int64_t)mwt_random_below(&random, 3000) * MS;
            mw_sim_at(world.sim, at_ns, start_if_killed, &world);
        }

        CU_ASSERT_TRUE(mw_sim_run(world.sim, 10000 * SECOND));

        CU_ASSERT_EQUAL(world.wrong_count, 0);
        for (size_t i = 0; i < world.tasks_count; i++)
            runs += world.runs[i];
        CU_ASSERT(runs >= world.tasks_count);
        CU_ASSERT(runs <= world.tasks_count + kills_count * world.slaves_count);
        CU_ASSERT_EQUAL(world.last_count, world.tasks_count);
        end(&world);
    }
}

static void cut_all(mw_sim *sim, void *context)
{
    struct world *world = context;
    (void)sim;
    for (size_t i = 0; i < world->slaves_count; i++)
        CU_ASSERT_EQUAL(mw_sim_cut(world->master, world->slaves[i], SECOND), MW_OK);
}

static void heal_all(mw_sim *sim, void *context)
{
    struct world *world = context;
    (void)sim;
    for (size_t i = 0; i < world->slaves_count; i++)
        mw_sim_heal(world->master, world->slaves[i]);
}

/* The network fails for a while, and the master lives on. The slaves come back to it, and each of
 * their results ends its own task. */
static void test_network_comes_back(void)
{
    struct world world = {.slaves_count = 100, .tasks_count = 300, .task_ns = 10 * SECOND};
    start(&world, 3);
    mw_sim_at(world.sim, 5 * SECOND, cut_all, &world);
    mw_sim_at(world.sim, 8 * SECOND, heal_all, &world);

    CU_ASSERT_TRUE(mw_sim_run(world.sim, 1000 * SECOND));

    CU_ASSERT_EQUAL(world.masters_count, 1);
    CU_ASSERT_EQUAL(world.handed_count, 300);
    CU_ASSERT_EQUAL(world.wrong_count, 0);
    for (size_t i = 0; i < world.tasks_count; i++)
        CU_ASSERT_EQUAL(world.runs[i], 1);
    end(&world);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"thousand return", test_thousand_return},
        {"return at random", test_return_at_random},
        {"return to a journal", test_return_to_a_journal},
        {"journal at random", test_journal_at_random},
        {"network comes back", test_network_comes_back},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("sim: slaves that return", tests);
}
