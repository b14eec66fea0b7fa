/* SPDX-License-Identifier: Apache-2.0
 *
 * Farms with a journal whose master is killed, or whose machine loses its power, again and again,
 * and is started anew: `test_journal_farm [--seed FIRST] [--seeds COUNT]`. The last master has each
 * result exactly once, and nothing that was on the disk is computed again. Tasks that may not run
 * twice are begun once at most, or are unrunnable.
 */
#include <stdlib.h>
#include <string.h>

#include "crashes.h"
#include "mwt_run.h"

/* Of this many tasks one may not run twice. */
#define UNRETRIED_EVERY 9
/* An offered result may end a task that is on the way to another slave, which begins it then. */
#define ON_THE_WAY_NS (10 * MWT_CRASHES_MS)
#define TASKS_MAX MWT_CRASHES_TASKS_MAX

static struct mwt_crashes_seeds soak = {1, 500};

struct world {
    struct mwt_crashes farm;
    unsigned runs[TASKS_MAX];     /* how often a task was begun */
    unsigned handed[TASKS_MAX];   /* how often its result was handed out, by the present master */
    bool was_handed[TASKS_MAX];   /* by some master */
    int64_t handed_ns[TASKS_MAX]; /* when, the last time */
    unsigned begun_after[TASKS_MAX]; /* how often it was begun after that */
    size_t replayed_count, unrunnable_count;
    struct mwt_crashes_values common; /* by the present master */
};

static bool is_unretried(int64_t tag)
{
    return tag % UNRETRIED_EVERY == 4 && !mwt_crashes_is_common(tag);
}

static void work(mw_call *call)
{
    struct world *world = mw_call_user(call);
    int64_t tag;
    if (mw_call_args(call, "l", &tag) != MW_OK)
        return;
    if (!mwt_crashes_is_common(tag)) {
        world->runs[tag]++;
        world->begun_after[tag] +=
            world->was_handed[tag] &&
            mw_sim_now(world->farm.sim) - world->handed_ns[tag] > ON_THE_WAY_NS;
        if (is_unretried(tag) && world->runs[tag] > 1)
            mwt_crashes_complain(&world->farm, "a task that may not run twice did", tag);
    }
    mwt_crashes_spend(&world->farm);
    mwt_crashes_return(&world->farm, call, tag);
}

static const mw_algorithm algorithms[] = {{"work", work}, {0}};

static void take(struct world *world, const mw_result *result)
{
    int64_t value;
    if (world->handed[result->tag]++ > 0)
        mwt_crashes_complain(&world->farm, "a result was handed out twice", result->tag);
    world->was_handed[result->tag] = true;
    world->handed_ns[result->tag] = mw_sim_now(world->farm.sim);
    world->replayed_count += result->is_replayed;
    if (result->outcome == MW_UNRUNNABLE && is_unretried(result->tag))
        world->unrunnable_count++;
    else if (!mwt_crashes_read(&world->farm, result, result->tag, &value))
        mwt_crashes_complain(&world->farm, "a task has no value", result->tag);
    else if (mwt_crashes_is_common(result->tag))
        mwt_crashes_add(&world->farm, &world->common, value);
}

static bool run_master(void *context, mw_master *farm)
{
    struct world *world = context;
    const mw_result *result;
    memset(world->handed, 0, sizeof world->handed);
    world->common.count = 0;
    size_t submitted_count = 0, tasks_count = world->farm.tasks_count;
    do {
        for (size_t i = 0; i < 60 && submitted_count < tasks_count; i++) {
            int64_t tag = (int64_t)submitted_count++;
            mw_policy policy = {.retry = is_unretried(tag) ? MW_NO : MW_DEFAULT};
            mw_master_submit(farm, &(mw_task){.algorithm = "work", .tag = tag, .policy = &policy},
                             "l", mwt_crashes_argument(tag));
        }
        for (size_t i = 0; i < 50 && (result = mw_master_next(farm)) != NULL; i++)
            take(world, result);
    } while (result != NULL || submitted_count < tasks_count);
    return mw_master_status(farm) == MW_OK && mw_master_num_runnable_tasks(farm) == 0;
}

/* After a power cut the last results may be computed again. */
static void lose_power(void *context)
{
    struct world *world = context;
    memset(world->was_handed, 0, sizeof world->was_handed);
}

static void check(struct world *world)
{
    for (size_t i = 0; i < world->farm.tasks_count; i++) {
        if (world->handed[i] != 1)
            mwt_crashes_complain(&world->farm, "a result was not handed out exactly once",
                                 (long long)i);
        if (world->begun_after[i] > 0)
            mwt_crashes_complain(&world->farm, "a result that was recorded was computed again",
                                 (long long)i);
    }
}

/* Draws a farm from the seed, and lets it run; returns whether all is well. */
static bool run_farm(uint64_t seed, bool has_power_cuts, size_t *replayed_count,
                     size_t *unrunnable_count)
{
    struct world *world = calloc(1, sizeof *world);
    CU_ASSERT_PTR_NOT_NULL_FATAL(world);
    world->farm = (struct mwt_crashes){
        .algorithms = algorithms, .master = run_master, .lose_power = lose_power, .context = world};
    mwt_crashes_draw(&world->farm, seed, has_power_cuts);
    mwt_crashes_run(&world->farm);
    check(world);
    *replayed_count += world->replayed_count;
    *unrunnable_count += world->unrunnable_count;
    bool is_right = !world->farm.is_wrong;
    free(world);
    return is_right;
}

static void run_seeds(bool has_power_cuts)
{
    uint64_t failures = 0;
    size_t replayed_count = 0, unrunnable_count = 0;
    for (uint64_t i = 0; i < soak.count && failures < 5; i++)
        failures += !run_farm(soak.first + i, has_power_cuts, &replayed_count, &unrunnable_count);
    CU_ASSERT_EQUAL(failures, 0);
    CU_ASSERT((replayed_count > 0 && unrunnable_count > 0) || soak.count < 20);
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
    mwt_crashes_read_seeds(&soak, argc, argv);
    return mwt_run("farms with a journal", tests);
}
