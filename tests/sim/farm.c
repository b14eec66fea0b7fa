/* SPDX-License-Identifier: Apache-2.0
 *
 * The master and slaves are written against the public interface alone and would run in real
 * processes unchanged, but for mw_sim_spend.
 */
#include "farm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stranger.h"

#define MILLISECOND INT64_C(1000000)
#define SECOND (1000 * MILLISECOND)
#define GRACE (3600 * SECOND)

static uint64_t draw(uint64_t *state, uint64_t below)
{
    uint64_t x = *state += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
    return (x ^ x >> 31) % below;
}

struct mwt_farm_plan mwt_farm_draw(uint64_t seed)
{
    uint64_t state = seed;
    struct mwt_farm_plan plan = {.seed = seed};
    plan.tasks_count = 1 + draw(&state, 300);
    plan.slaves_count = 1 + draw(&state, 8);
    plan.task_group = 1 + (int)draw(&state, 12);
    plan.result_group = 1 + (int)draw(&state, 12);
    plan.task_ns_max = draw(&state, 3) == 0 ? 0 : (int64_t)draw(&state, 200) * MILLISECOND;
    plan.failing_every = draw(&state, 2) == 0 ? 0 : 2 + (unsigned)draw(&state, 9);
    plan.once_every = draw(&state, 2) == 0 ? 0 : 2 + (unsigned)draw(&state, 9);
    plan.kills_count = draw(&state, 40);
    plan.cuts_count = draw(&state, 10);
    plan.strangers_count = draw(&state, 6);
    /* Faults are for the time in which there is work, and a little after. */
    int64_t work_ns = (int64_t)plan.tasks_count * (plan.task_ns_max / 2 + MILLISECOND);
    plan.faults_end_ns = SECOND / 10 + work_ns / (int64_t)plan.slaves_count * 3 / 2;
    return plan;
}

static int64_t value_of(int64_t tag)
{
    return tag * 7 + 3;
}

static void work(mw_call *call)
{
    struct mwt_farm *farm = mw_call_user(call);
    int64_t tag;
    if (mw_call_args(call, "l", &tag) != MW_OK)
        return;
    if (farm->plan.task_ns_max > 0)
        mw_sim_spend(farm->sim,
                     (int64_t)(mw_sim_random(farm->sim) % (uint64_t)farm->plan.task_ns_max));
    if (farm->plan.failing_every > 0 && tag % farm->plan.failing_every == 0)
        mw_call_fail(call, "task %lld is one that fails", (long long)tag);
    else
        mw_call_return(call, "l", value_of(tag));
}

static const mw_algorithm algorithms[] = {{"work", work}, {0}};

/* Whatever the slave is told, it never holds more than its groups. */
static int slave_algorithm(mw_slave *slave, struct mwt_farm *farm)
{
    mw_slave_counts counts;
    mw_error error = MW_OK;
    do {
        error = mw_slave_loop_iterate(slave, -1, &counts);
        if (counts.tasks_waiting > (size_t)farm->plan.task_group ||
            counts.results_waiting > (size_t)farm->plan.result_group)
            farm->is_queue_exceeded = true;
    } while (error == MW_OK && !counts.shutdown);
    return counts.shutdown ? 0 : 255;
}

static bool make_options(mw_options **options, mw_sim_host *host, const char *address)
{
    if (mw_options_create(options) != MW_OK)
        return false;
    mw_options_set(*options, "quiet", "1");
    mw_options_set(*options, "connect-timeout", "1000");
    return mw_options_use_transport(*options, &mw_sim_transport, host, address) == MW_OK;
}

/* A slave that is started again until its status is 0, as a batch system would. */
static int slave_main(mw_sim_host *host, void *context)
{
    struct mwt_farm *farm = context;
    mw_program program = {.algorithms = algorithms, .user = farm};
    mw_error error = MW_OK;
    int status = 255;
    while (status != 0 && error != MW_ENETWORK && error != MW_ETIMEOUT) {
        mw_options *options;
        mw_slave *slave;
        if (!make_options(&options, host, "master"))
            return 255;
        error = mw_slave_open(&slave, &program, options);
        if (error == MW_OK) {
            status = slave_algorithm(slave, farm);
            error = status == 0 || strstr(mw_slave_error(slave), "killed") == NULL ? MW_OK
                                                                                   : MW_ENETWORK;
            mw_slave_close(slave);
        }
        mw_options_destroy(options);
    }
    return status;
}

static void take(struct mwt_farm *farm, const mw_result *result)
{
    struct mwt_farm_task *task = &farm->tasks[result->tag];
    int64_t value;
    switch (result->outcome) {
    case MW_DONE:
        task->done++;
        if (mw_result_get(result, "l", &value) != MW_OK || value != value_of(result->tag))
            task->is_wrong = true;
        break;
    case MW_FAILED:
        task->failed++;
        break;
    case MW_UNRUNNABLE:
        task->unrunnable++;
        for (const char *at = result->message; (at = strstr(at, "was lost")) != NULL; at++)
            task->losses++;
        if (mw_result_get(result, "l", &value) != MW_OK || value != result->tag)
            task->is_wrong = true;
        break;
    }
}

static int master_main(mw_sim_host *host, void *context)
{
    struct mwt_farm *farm = context;
    mw_program program = {.algorithms = algorithms, .user = farm};
    mw_options *options;
    mw_master *master;
    char group[16];
    const mw_result *result;
    if (!make_options(&options, host, ""))
        return 1;
    snprintf(group, sizeof group, "%d", farm->plan.task_group);
    mw_options_set(options, "slave-task-group", group);
    snprintf(group, sizeof group, "%d", farm->plan.result_group);
    mw_options_set(options, "slave-result-group", group);
    mw_options_set(options, "client-timeout", "5");
    if (farm->plan.audit_path != NULL)
        mw_options_set(options, "audit-file", farm->plan.audit_path);
    if (mw_master_open(&master, &program, options) != MW_OK) {
        fprintf(stderr, "%s\n", mw_options_error(options));
        mw_options_destroy(options);
        return 1;
    }
    for (size_t i = 0; i < farm->plan.tasks_count; i++)
        mw_master_submit(
            master,
            &(mw_task){.algorithm = "work",
                       .tag = (int64_t)i,
                       .no_retry = farm->plan.once_every > 0 && i % farm->plan.once_every == 0},
            "l", (int64_t)i);
    while ((result = mw_master_next(master)) != NULL)
        take(farm, result);
    int status = mw_master_num_runnable_tasks(master) == 0 ? 0 : 1;
    mw_master_close(master);
    mw_options_destroy(options);
    return status;
}

static void start_slave(struct mwt_farm *farm, size_t place)
{
    char name[32];
    static const char form[] = "slave-%zu";
    snprintf(name, sizeof name, form, place);
    mw_sim_host_start(farm->sim, name, slave_main, farm, &farm->slaves[place]);
}

static size_t random_place(struct mwt_farm *farm)
{
    return draw(&farm->random, farm->plan.slaves_count);
}

static void kill_one(mw_sim *sim, void *context)
{
    struct mwt_farm *farm = context;
    size_t place = random_place(farm);
    (void)sim;
    mw_sim_kill(farm->slaves[place]);
    if (!mw_sim_host_ended(farm->master, NULL))
        start_slave(farm, place);
}

static void heal_all(mw_sim *sim, void *context)
{
    struct mwt_farm *farm = context;
    (void)sim;
    for (size_t i = 0; i < farm->plan.slaves_count; i++)
        mw_sim_heal(farm->master, farm->slaves[i]);
}

static void cut_one(mw_sim *sim, void *context)
{
    struct mwt_farm *farm = context;
    int64_t notice_ns = (int64_t)draw(&farm->random, 2000) * MILLISECOND;
    if (mw_sim_cut(farm->master, farm->slaves[random_place(farm)], notice_ns) == MW_OK)
        mw_sim_at(sim, mw_sim_now(sim) + (int64_t)draw(&farm->random, 3000) * MILLISECOND, heal_all,
                  farm);
}

static void send_stranger(mw_sim *sim, void *context)
{
    struct mwt_farm *farm = context;
    char name[32];
    snprintf(name, sizeof name, "stranger-%llu", (unsigned long long)draw(&farm->random, 1u << 30));
    mw_sim_host_start(sim, name, mwt_stranger_main, NULL, NULL);
}

/* The faults are over: whoever has ended is started again, so that there are slaves. */
static void end_faults(mw_sim *sim, void *context)
{
    struct mwt_farm *farm = context;
    heal_all(sim, farm);
    for (size_t i = 0; i < farm->plan.slaves_count; i++)
        if (mw_sim_host_ended(farm->slaves[i], NULL) && !mw_sim_host_ended(farm->master, NULL))
            start_slave(farm, i);
}

static void plan_faults(struct mwt_farm *farm, size_t count, void (*act)(mw_sim *, void *))
{
    for (size_t i = 0; i < count; i++)
        mw_sim_at(farm->sim, (int64_t)draw(&farm->random, (uint64_t)farm->plan.faults_end_ns), act,
                  farm);
}

void mwt_farm_run(struct mwt_farm *farm, const struct mwt_farm_plan *plan)
{
    *farm = (struct mwt_farm){.plan = *plan, .random = ~plan->seed};
    farm->tasks = calloc(plan->tasks_count, sizeof *farm->tasks);
    if (farm->tasks == NULL ||
        mw_sim_create(&farm->sim, &(mw_sim_config){.seed = plan->seed}) != MW_OK)
        return;
    mw_sim_host_start(farm->sim, "master", master_main, farm, &farm->master);
    for (size_t i = 0; i < plan->slaves_count; i++)
        start_slave(farm, i);
    plan_faults(farm, plan->kills_count, kill_one);
    plan_faults(farm, plan->cuts_count, cut_one);
    plan_faults(farm, plan->strangers_count, send_stranger);
    mw_sim_at(farm->sim, plan->faults_end_ns, end_faults, farm);
    farm->has_finished = mw_sim_run(farm->sim, plan->faults_end_ns + GRACE);
    farm->end_ns = mw_sim_now(farm->sim);
    mw_sim_host_ended(farm->master, &farm->master_status);
}

void mwt_farm_fini(struct mwt_farm *farm)
{
    mw_sim_destroy(farm->sim);
    free(farm->tasks);
}
