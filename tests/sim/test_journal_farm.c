/* SPDX-License-Identifier: Apache-2.0
 *
 * Farms with a journal whose master is killed, or whose machine loses its power, again and again,
 * and is started anew: `test_journal_farm [--seed FIRST] [--seeds COUNT]`. The last master has each
 * result exactly once, and nothing that was on the disk is computed again. Tasks that may not run
 * twice are begun once at most, or are unrunnable.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <CUnit/Basic.h>

#include <mw/embed.h>
#include <mw/sim.h>

#include "mwt_random.h"
#include "options/options.h"
#include "sim_disk.h"

#define MS INT64_C(1000000)
#define SECOND (1000 * MS)
#define SLAVES_MAX 8
#define TASKS_MAX 400
/* Of this many tasks one may not run twice. */
#define UNRETRIED_EVERY 9
/* Tasks of one content, as a program has them that draws random numbers in its tasks. */
#define EQUAL_TAG_FROM 300
#define LARGE_BYTES ((size_t)50000)
/* An offered result may end a task that is on the way to another slave, which begins it then. */
#define ON_THE_WAY_NS (10 * MS)

static struct {
    uint64_t first_seed, seeds_count;
} soak = {1, 500};

struct world {
    mw_sim *sim;
    struct mwi_sim_disk *disk;
    uint64_t seed, random;
    mw_sim_host *master, *slaves[SLAVES_MAX];
    size_t slaves_count, tasks_count;
    int64_t task_ns_max;
    bool has_reconnect, has_power_cuts;
    unsigned crashes_left;
    unsigned runs[TASKS_MAX];     /* how often a task was begun */
    unsigned handed[TASKS_MAX];   /* how often its result was handed out, by the present master */
    bool was_handed[TASKS_MAX];   /* by some master */
    int64_t handed_ns[TASKS_MAX]; /* when, the last time */
    unsigned begun_after[TASKS_MAX]; /* how often it was begun after that */
    size_t unrunnable_count;
    int64_t equal_values[TASKS_MAX]; /* results of tasks of one content that were handed out */
    size_t equal_count;
    int64_t next_value; /* each run of such a task has a value of its own */
    size_t replayed_count;
    unsigned masters_count;
    bool is_wrong, is_done;
};

static uint64_t draw(struct world *world, uint64_t below)
{
    uint64_t mixed = world->random += UINT64_C(0x9E3779B97F4A7C15);
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94D049BB133111EB);
    return (mixed ^ mixed >> 31) % below;
}

static void complain(struct world *world, const char *what, long long number)
{
    if (!world->is_wrong)
        fprintf(stderr, "seed %llu: %s (%lld); replay with --seed %llu --seeds 1\n",
                (unsigned long long)world->seed, what, number, (unsigned long long)world->seed);
    world->is_wrong = true;
}

static bool is_equal_task(int64_t tag)
{
    return tag >= EQUAL_TAG_FROM;
}

static bool is_large(int64_t tag)
{
    return tag % 50 == 7 && !is_equal_task(tag);
}

static bool is_unretried(int64_t tag)
{
    return tag % UNRETRIED_EVERY == 4 && !is_equal_task(tag);
}

static void work(mw_call *call)
{
    static const unsigned char zeros[LARGE_BYTES];
    struct world *world = mw_call_user(call);
    int64_t tag;
    if (mw_call_args(call, "l", &tag) != MW_OK)
        return;
    if (!is_equal_task(tag)) {
        world->runs[tag]++;
        world->begun_after[tag] += world->was_handed[tag] &&
                                   mw_sim_now(world->sim) - world->handed_ns[tag] > ON_THE_WAY_NS;
        if (is_unretried(tag) && world->runs[tag] > 1)
            complain(world, "a task that may not run twice did", tag);
    }
    if (world->task_ns_max > 0)
        mw_sim_spend(world->sim, (int64_t)draw(world, (uint64_t)world->task_ns_max));
    int64_t value = is_equal_task(tag) ? ++world->next_value : 7 * tag;
    if (is_large(tag))
        mw_call_return(call, "ly", value, zeros, LARGE_BYTES);
    else
        mw_call_return(call, "l", value);
}

static const mw_algorithm algorithms[] = {{"work", work}, {0}};

static mw_options *make_options(const struct world *world, mw_sim_host *host, const char *address)
{
    mw_options *options;
    if (mw_options_create(&options) != MW_OK ||
        mw_options_set(options, "audit-level", "none") != MW_OK ||
        mw_options_set(options, "connect-timeout", "1000") != MW_OK ||
        mw_options_set(options, "reconnect", world->has_reconnect ? "1000" : "0") != MW_OK ||
        mw_options_use_transport(options, &mw_sim_transport, host, address) != MW_OK)
        abort();
    return options;
}

static void take_equal(struct world *world, int64_t value)
{
    for (size_t i = 0; i < world->equal_count; i++)
        if (world->equal_values[i] == value)
            complain(world, "one result was handed out for two tasks", value);
    world->equal_values[world->equal_count++] = value;
}

static void take(struct world *world, const mw_result *result)
{
    const void *bytes;
    size_t size;
    int64_t value;
    if (world->handed[result->tag]++ > 0)
        complain(world, "a result was handed out twice", result->tag);
    world->was_handed[result->tag] = true;
    world->handed_ns[result->tag] = mw_sim_now(world->sim);
    world->replayed_count += result->is_replayed;
    if (result->outcome == MW_UNRUNNABLE && is_unretried(result->tag)) {
        world->unrunnable_count++;
        return;
    }
    bool has_read =
        is_large(result->tag)
            ? mw_result_get(result, "ly", &value, &bytes, &size) == MW_OK && size == LARGE_BYTES
            : mw_result_get(result, "l", &value) == MW_OK;
    if (!has_read || (!is_equal_task(result->tag) && value != 7 * result->tag))
        complain(world, "a task has a value of another", result->tag);
    if (is_equal_task(result->tag) && has_read)
        take_equal(world, value);
}

static int master_host(mw_sim_host *host, void *context)
{
    struct world *world = context;
    mw_program program = {.algorithms = algorithms, .user = world};
    mw_options *options = make_options(world, host, "");
    const mw_result *result;
    mw_master *farm;
    mw_options_set(options, "journal", "s.mwj");
    mwi_options_use_disk(options, &mwi_sim_disk_api, world->disk);
    memset(world->handed, 0, sizeof world->handed);
    world->equal_count = 0;
    world->masters_count++;
    if (mw_master_open(&farm, &program, options) != MW_OK) {
        complain(world, mw_options_error(options), 0);
        mw_options_destroy(options);
        return 1;
    }
    size_t submitted_count = 0;
    do {
        for (size_t i = 0; i < 60 && submitted_count < world->tasks_count; i++) {
            int64_t tag = (int64_t)submitted_count++;
            mw_policy policy = {.retry = is_unretried(tag) ? MW_NO : MW_DEFAULT};
            mw_master_submit(farm, &(mw_task){.algorithm = "work", .tag = tag, .policy = &policy},
                             "l", is_equal_task(tag) ? (int64_t)EQUAL_TAG_FROM : tag);
        }
        for (size_t i = 0; i < 50 && (result = mw_master_next(farm)) != NULL; i++)
            take(world, result);
    } while (result != NULL || submitted_count < world->tasks_count);
    world->is_done = mw_master_status(farm) == MW_OK && mw_master_num_runnable_tasks(farm) == 0;
    mw_master_close(farm);
    mw_options_destroy(options);
    return 0;
}

static int slave_host(mw_sim_host *host, void *context)
{
    struct world *world = context;
    mw_program program = {.algorithms = algorithms, .user = world};
    mw_options *options = make_options(world, host, "master");
    mw_slave *slave;
    if (mw_slave_open(&slave, &program, options) == MW_OK) {
        mw_slave_loop_simple(slave);
        mw_slave_close(slave);
    }
    mw_options_destroy(options);
    return 0;
}

static void start_slaves(struct world *world)
{
    char name[32];
    for (size_t i = 0; i < world->slaves_count; i++) {
        snprintf(name, sizeof name, "slave-%zu", i);
        if (world->slaves[i] == NULL || mw_sim_host_ended(world->slaves[i], NULL))
            mw_sim_host_start(world->sim, name, slave_host, world, &world->slaves[i]);
    }
}

static void start_master(mw_sim *sim, void *context)
{
    struct world *world = context;
    mw_sim_host_start(sim, "master", master_host, world, &world->master);
}

/* Starts slaves in place of those that have ended with their master. A world whose hosts have all
 * ended would stand still: this one waits for the next master. */
static int keeper_host(mw_sim_host *host, void *context)
{
    struct world *world = context;
    (void)host;
    while (!world->is_done && mw_sim_now(world->sim) < 4000 * SECOND) {
        start_slaves(world);
        mw_sim_spend(world->sim, 100 * MS);
    }
    return 0;
}

/* The master dies. After a power cut its last results may be run again. */
static void crash(mw_sim *sim, void *context)
{
    struct world *world = context;
    if (world->is_done || world->crashes_left == 0 || mw_sim_host_ended(world->master, NULL))
        return;
    world->crashes_left--;
    bool is_power_cut = world->has_power_cuts && draw(world, 2) == 0;
    mw_sim_kill(world->master);
    if (is_power_cut) {
        mwi_sim_disk_cut_power(world->disk);
        memset(world->was_handed, 0, sizeof world->was_handed);
    }
    mw_sim_at(sim, mw_sim_now(sim) + (int64_t)draw(world, 300) * MS, start_master, world);
    mw_sim_at(sim, mw_sim_now(sim) + (int64_t)(300 + draw(world, 900)) * MS, crash, world);
}

static void check(struct world *world)
{
    if (!world->is_done)
        complain(world, "the farm has not come to its end", (long long)world->masters_count);
    for (size_t i = 0; i < world->tasks_count; i++) {
        if (world->handed[i] != 1)
            complain(world, "a result was not handed out exactly once", (long long)i);
        if (world->begun_after[i] > 0)
            complain(world, "a result that was recorded was computed again", (long long)i);
    }
}

/* Draws a farm from the seed, and lets it run; returns whether all is well. */
static bool run_farm(uint64_t seed, bool has_power_cuts, size_t *replayed_count,
                     size_t *unrunnable_count)
{
    struct world *world = calloc(1, sizeof *world);
    world->seed = seed;
    world->random = ~seed;
    world->has_power_cuts = has_power_cuts;
    world->tasks_count = 1 + draw(world, TASKS_MAX);
    world->slaves_count = 1 + draw(world, SLAVES_MAX);
    world->task_ns_max = draw(world, 4) == 0 ? 0 : (int64_t)draw(world, 60) * MS;
    world->has_reconnect = draw(world, 2) == 0;
    world->crashes_left = (unsigned)draw(world, 6);
    if (mw_sim_create(&world->sim, &(mw_sim_config){.seed = seed}) != MW_OK)
        abort();
    world->disk = mwi_sim_disk_create(
        world->sim, &(struct mwi_sim_disk_plan){.sync_min_ns = MS / 20, .sync_max_ns = 3 * MS});
    mw_sim_host_start(world->sim, "keeper", keeper_host, world, NULL);
    start_master(world->sim, world);
    mw_sim_at(world->sim, (int64_t)draw(world, 900) * MS, crash, world);
    mw_sim_run(world->sim, 5000 * SECOND);
    check(world);
    *replayed_count += world->replayed_count;
    *unrunnable_count += world->unrunnable_count;
    mw_sim_destroy(world->sim);
    bool is_right = !world->is_wrong;
    free(world);
    return is_right;
}

static void run_seeds(bool has_power_cuts)
{
    uint64_t failures = 0;
    size_t replayed_count = 0, unrunnable_count = 0;
    for (uint64_t i = 0; i < soak.seeds_count && failures < 5; i++)
        failures +=
            !run_farm(soak.first_seed + i, has_power_cuts, &replayed_count, &unrunnable_count);
    CU_ASSERT_EQUAL(failures, 0);
    CU_ASSERT((replayed_count > 0 && unrunnable_count > 0) || soak.seeds_count < 20);
}

/* A farm that once failed: its seed, and whether its power is cut. */
static void once_wrong(void)
{
    static const struct {
        uint64_t seed;
        bool has_power_cuts;
    } farms[] = {{106987, true}};
    size_t replayed_count = 0, unrunnable_count = 0;
    for (size_t i = 0; i < sizeof farms / sizeof farms[0]; i++)
        CU_ASSERT_TRUE(
            run_farm(farms[i].seed, farms[i].has_power_cuts, &replayed_count, &unrunnable_count));
}

/* Masters that are killed lose nothing that they have handed out. */
static void killed_masters_lose_nothing(void)
{
    run_seeds(false);
}

/* A power cut costs results that were not on the disk yet. These are computed again, and no other
 * result is doubled or lost. */
static void power_cuts_double_nothing(void)
{
    run_seeds(true);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        {"once_wrong", once_wrong},
        {"killed_masters_lose_nothing", killed_masters_lose_nothing},
        {"power_cuts_double_nothing", power_cuts_double_nothing},
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"farms with a journal", NULL, NULL, NULL, NULL, tests},
                             CU_SUITE_INFO_NULL};
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seed") == 0)
            soak.first_seed = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--seeds") == 0)
            soak.seeds_count = strtoull(argv[i + 1], NULL, 10);
    }
    if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
        return 1;
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    bool has_failed = CU_get_number_of_failures() > 0;
    CU_cleanup_registry();
    return has_failed ? 1 : 0;
}
