/* SPDX-License-Identifier: Apache-2.0
 *
 * Masters with a state of their own, which make checkpoints, and are killed, or lose their power,
 * again and again: `test_checkpoint_farm [--seed FIRST] [--seeds COUNT]`. The state decides which
 * tasks are submitted. In the state that comes to the end each task has been taken exactly once.
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
/* Tasks of one content, as a program has them that draws random numbers in its tasks. */
#define EQUAL_TAG_FROM 300
#define LARGE_BYTES ((size_t)50000)

static struct {
    uint64_t first_seed, seeds_count;
} soak = {1, 300};

/* The state of a master: all that it has submitted and taken. */
struct state {
    size_t submitted_count, taken_count;
    int64_t sum;
    unsigned char taken[TASKS_MAX];
    int64_t equal_values[TASKS_MAX]; /* results of tasks of one content */
    size_t equal_count;
};

struct world {
    mw_sim *sim;
    struct mwi_sim_disk *disk;
    uint64_t seed, random;
    mw_sim_host *master, *slaves[SLAVES_MAX];
    size_t slaves_count, tasks_count;
    int64_t task_ns_max;
    bool has_reconnect, has_power_cuts;
    unsigned crashes_left, checkpoint_every;
    int64_t next_value;   /* each run of a task of the common content has a value of its own */
    struct state durable; /* of the last checkpoint that has returned */
    size_t restored_count;
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

static void work(mw_call *call)
{
    static const unsigned char zeros[LARGE_BYTES];
    struct world *world = mw_call_user(call);
    int64_t tag;
    if (mw_call_args(call, "l", &tag) != MW_OK)
        return;
    if (world->task_ns_max > 0)
        mw_sim_spend(world->sim, (int64_t)draw(world, (uint64_t)world->task_ns_max));
    int64_t value = is_equal_task(tag) ? ++world->next_value : 7 * tag;
    if (tag % 11 == 3 && !is_equal_task(tag))
        mw_call_fail(call, "task %lld is one that fails", (long long)tag);
    else if (is_large(tag))
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

static void take(struct world *world, struct state *state, const mw_result *result)
{
    int64_t tag = result->tag_size == sizeof tag ? *(const int64_t *)result->tag_data : result->tag;
    const void *bytes;
    size_t size;
    int64_t value = -1;
    bool must_fail = tag % 11 == 3 && !is_equal_task(tag);
    bool has_read = is_large(tag) ? mw_result_get(result, "ly", &value, &bytes, &size) == MW_OK
                                  : mw_result_get(result, "l", &value) == MW_OK;
    if (has_read == must_fail || (result->outcome == MW_FAILED) != must_fail)
        complain(world, "a task failed, or did not, against its algorithm", tag);
    if (!must_fail && !is_equal_task(tag) && value != 7 * tag)
        complain(world, "a task has a value of another", tag);
    if (state->taken[tag]++ > 0)
        complain(world, "a result was handed out twice", tag);
    for (size_t i = 0; is_equal_task(tag) && i < state->equal_count; i++)
        if (state->equal_values[i] == value)
            complain(world, "one result was handed out for two tasks", value);
    if (is_equal_task(tag))
        state->equal_values[state->equal_count++] = value;
    state->taken_count++;
    state->sum += must_fail || is_equal_task(tag) ? 0 : value;
}

/* Submits what the state has not submitted yet, some of it with tags of bytes and policies. */
static void submit_some(struct world *world, mw_master *farm, struct state *state)
{
    while (state->submitted_count < world->tasks_count &&
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
        mw_master_submit(farm, &task, "l", is_equal_task(tag) ? (int64_t)EQUAL_TAG_FROM : tag);
    }
}

/* Goes on from the checkpoint, which must not be older than the last one that has returned. */
static void restore(struct world *world, mw_master *farm, struct state *state)
{
    const void *data;
    size_t size;
    if (mw_master_restored(farm, &data, &size)) {
        if (size != sizeof *state)
            complain(world, "a state has another size", (long long)size);
        memcpy(state, data, sizeof *state);
        world->restored_count++;
    }
    if (state->taken_count < world->durable.taken_count)
        complain(world, "a checkpoint was lost", (long long)state->taken_count);
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

static int master_host(mw_sim_host *host, void *context)
{
    struct world *world = context;
    mw_program program = {.algorithms = algorithms, .user = world};
    mw_options *options = make_options(world, host, "");
    struct state *state = calloc(1, sizeof *state);
    mw_master *farm;
    mw_options_set(options, "journal", "s.mwj");
    mwi_options_use_disk(options, &mwi_sim_disk_api, world->disk);
    world->masters_count++;
    if (mw_master_open(&farm, &program, options) != MW_OK) {
        complain(world, mw_options_error(options), 0);
        free(state);
        mw_options_destroy(options);
        return 1;
    }
    if (run_to_end(world, farm, state)) {
        world->is_done = true;
        world->durable = *state;
    }
    mw_master_close(farm);
    free(state);
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

static void crash(mw_sim *sim, void *context)
{
    struct world *world = context;
    if (world->is_done || world->crashes_left == 0 || mw_sim_host_ended(world->master, NULL))
        return;
    world->crashes_left--;
    bool is_power_cut = world->has_power_cuts && draw(world, 2) == 0;
    mw_sim_kill(world->master);
    if (is_power_cut)
        mwi_sim_disk_cut_power(world->disk);
    mw_sim_at(sim, mw_sim_now(sim) + (int64_t)draw(world, 300) * MS, start_master, world);
    mw_sim_at(sim, mw_sim_now(sim) + (int64_t)(300 + draw(world, 900)) * MS, crash, world);
}

static void check(struct world *world)
{
    const struct state *state = &world->durable;
    int64_t sum = 0;
    if (!world->is_done)
        complain(world, "the farm has not come to its end", (long long)world->masters_count);
    for (size_t i = 0; i < world->tasks_count; i++) {
        int64_t tag = (int64_t)i;
        if (state->taken[i] != 1)
            complain(world, "a result was not handed out exactly once", tag);
        sum += (tag % 11 == 3 || is_equal_task(tag)) ? 0 : 7 * tag;
    }
    if (sum != state->sum)
        complain(world, "the sum of the results is wrong", (long long)state->sum);
}

/* Draws a farm from the seed, and lets it run; returns whether all is well. */
static bool run_farm(uint64_t seed, bool has_power_cuts, size_t *restored_count)
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
    world->checkpoint_every = 1 + (unsigned)draw(world, 40);
    if (mw_sim_create(&world->sim, &(mw_sim_config){.seed = seed}) != MW_OK)
        abort();
    world->disk = mwi_sim_disk_create(
        world->sim, &(struct mwi_sim_disk_plan){.sync_min_ns = MS / 20, .sync_max_ns = 3 * MS});
    mw_sim_host_start(world->sim, "keeper", keeper_host, world, NULL);
    start_master(world->sim, world);
    mw_sim_at(world->sim, (int64_t)draw(world, 900) * MS, crash, world);
    mw_sim_run(world->sim, 5000 * SECOND);
    check(world);
    *restored_count += world->restored_count;
    mw_sim_destroy(world->sim);
    bool is_right = !world->is_wrong;
    free(world);
    return is_right;
}

static void run_seeds(bool has_power_cuts)
{
    uint64_t failures = 0;
    size_t restored_count = 0;
    for (uint64_t i = 0; i < soak.seeds_count && failures < 5; i++)
        failures += !run_farm(soak.first_seed + i, has_power_cuts, &restored_count);
    CU_ASSERT_EQUAL(failures, 0);
    CU_ASSERT(restored_count > 0 || soak.seeds_count < 20);
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
    CU_SuiteInfo suites[] = {{"farms with checkpoints", NULL, NULL, NULL, NULL, tests},
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
