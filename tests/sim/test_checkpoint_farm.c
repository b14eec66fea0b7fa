/* SPDX-License-Identifier: Apache-2.0
 *
 * Masters with a state of their own, which make checkpoints, and are killed, or lose their power,
 * again and again: `test_checkpoint_farm [--seed FIRST] [--seeds COUNT]`. The state decides which
 * tasks are submitted. In the state that comes to the end each task has been taken exactly once.
 */
#include <stdlib.h>
#include <string.h>

#include "crashes.h"
#include "mwt_run.h"

#define TASKS_MAX MWT_CRASHES_TASKS_MAX

static struct mwt_crashes_seeds soak = {1, 300};

/* The state of a master: all that it has submitted and taken. */
struct state {
    size_t submitted_count, taken_count;
    int64_t sum;
    unsigned char taken[TASKS_MAX];
    struct mwt_crashes_values common;
};

struct world {
    struct mwt_crashes farm;
    unsigned checkpoint_every;
    struct state durable; /* of the last checkpoint that has returned */
    size_t restored_count;
};

static bool must_fail(int64_t tag)
{
    return tag % 11 == 3 && !mwt_crashes_is_common(tag);
}

static void work(mw_call *call)
{
    struct world *world = mw_call_user(call);
    int64_t tag;
    if (mw_call_args(call, "l", &tag) != MW_OK)
        return;
    mwt_crashes_spend(&world->farm);
    if (must_fail(tag))
        mw_call_fail(call, "task %lld is one that fails", (long long)tag);
    else
        mwt_crashes_return(&world->farm, call, tag);
}

static const mw_algorithm algorithms[] = {{"work", work}, {0}};

static void take(struct world *world, struct state *state, const mw_result *result)
{
    int64_t tag = result->tag_size == sizeof tag ? *(const int64_t *)result->tag_data : result->tag;
    int64_t value = -1;
    bool has_read = mwt_crashes_read(&world->farm, result, tag, &value);
    if (has_read == must_fail(tag) || (result->outcome == MW_FAILED) != must_fail(tag))
        mwt_crashes_complain(&world->farm, "a task failed, or did not, against its algorithm", tag);
    if (state->taken[tag]++ > 0)
        mwt_crashes_complain(&world->farm, "a result was handed out twice", tag);
    if (mwt_crashes_is_common(tag))
        mwt_crashes_add(&world->farm, &state->common, value);
    else if (!must_fail(tag))
        state->sum += value;
    state->taken_count++;
}

/* Submits what the state has not submitted yet, some of it with tags of bytes and policies. */
static void submit_some(struct world *world, mw_master *farm, struct state *state)
{
    while (state->submitted_count < world->farm.tasks_count &&
           state->submitted_count < state->taken_count + 60) {
        int64_t tag = (int64_t)state->submitted_count++;
        mw_policy policy = {.priority = (int)(tag % 3), .max_attempts = 200};
        mw_task task = {.algorithm = "work", .tag = tag};
        if (tag % 4 == 1)
            task.policy = &policy;
        if (tag % 5 == 2) {
            task.tag_data = &tag;
            task.tag_size = sizeof tag;
        }
        mw_master_submit(farm, &task, "l", mwt_crashes_argument(tag));
    }
}

/* Goes on from the checkpoint, which must not be older than the last one that has returned. */
static void restore(struct world *world, mw_master *farm, struct state *state)
{
    const void *data;
    size_t size;
    if (mw_master_restored(farm, &data, &size)) {
        if (size != sizeof *state)
            mwt_crashes_complain(&world->farm, "a state has another size", (long long)size);
        memcpy(state, data, sizeof *state);
        world->restored_count++;
    }
    if (state->taken_count < world->durable.taken_count)
        mwt_crashes_complain(&world->farm, "a checkpoint was lost", (long long)state->taken_count);
}

/* False if a checkpoint has failed: the host was killed. */
static bool run_to_end(struct world *world, mw_master *farm, struct state *state)
{
    const mw_result *result;
    restore(world, farm, state);
    submit_some(world, farm, state);
    while ((result = mw_master_next(farm)) != NULL) {
        take(world, state, result);
        submit_some(world, farm, state);
        if (state->taken_count % world->checkpoint_every != 0)
            continue;
        if (mw_master_checkpoint(farm, state, sizeof *state) != MW_OK)
            return false;
        world->durable = *state;
    }
    return mw_master_status(farm) == MW_OK && mw_master_num_runnable_tasks(farm) == 0;
}

static bool run_master(void *context, mw_master *farm)
{
    struct world *world = context;
    struct state *state = calloc(1, sizeof *state);
    if (state == NULL)
        abort();
    bool is_done = run_to_end(world, farm, state);
    if (is_done)
        world->durable = *state;
    free(state);
    return is_done;
}

static void check(struct world *world)
{
    const struct state *state = &world->durable;
    int64_t sum = 0;
    for (size_t i = 0; i < world->farm.tasks_count; i++) {
        int64_t tag = (int64_t)i;
        if (state->taken[i] != 1)
            mwt_crashes_complain(&world->farm, "a result was not handed out exactly once", tag);
        sum += must_fail(tag) || mwt_crashes_is_common(tag) ? 0 : 7 * tag;
    }
    if (sum != state->sum)
        mwt_crashes_complain(&world->farm, "the sum of the results is wrong",
                             (long long)state->sum);
}

/* Draws a farm from the seed, and lets it run; returns whether all is well. */
static bool run_farm(uint64_t seed, bool has_power_cuts, size_t *restored_count)
{
    struct world *world = calloc(1, sizeof *world);
    CU_ASSERT_PTR_NOT_NULL_FATAL(world);
    world->farm =
        (struct mwt_crashes){.algorithms = algorithms, .master = run_master, .context = world};
    mwt_crashes_draw(&world->farm, seed, has_power_cuts);
    world->checkpoint_every = 1 + (unsigned)mwt_random_below(&world->farm.random, 40);
    mwt_crashes_run(&world->farm);
    check(world);
    *restored_count += world->restored_count;
    bool is_right = !world->farm.is_wrong;
    free(world);
    return is_right;
}

static void run_seeds(bool has_power_cuts)
{
    uint64_t failures = 0;
    size_t restored_count = 0;
    for (uint64_t i = 0; i < soak.count && failures < 5; i++)
        failures += !run_farm(soak.first + i, has_power_cuts, &restored_count);
    CU_ASSERT_EQUAL(failures, 0);
    CU_ASSERT(restored_count > 0 || soak.count < 20);
}

/* A master that is killed goes on from its last checkpoint, with the results that have come
 * since. */
static void killed_masters_go_on(void)
{
    run_seeds(false);
}

/* A power cut loses no checkpoint that has returned. */
static void power_cuts_lose_no_checkpoint(void)
{
    run_seeds(true);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        {"killed_masters_go_on", killed_masters_go_on},
        {"power_cuts_lose_no_checkpoint", power_cuts_lose_no_checkpoint},
        CU_TEST_INFO_NULL,
    };
    mwt_crashes_read_seeds(&soak, argc, argv);
    return mwt_run("farms with checkpoints", tests);
}
