/* SPDX-License-Identifier: Apache-2.0
 *
 * The master and slaves use the public interface alone. They would run unchanged in real
 * processes, except for mw_sim_spend.
 */
#include "farm.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stranger.h"

#define MILLISECOND INT64_C(1000000)
#define SECOND (1000 * MILLISECOND)
#define GRACE (3600 * SECOND)

static uint64_t draw(uint64_t *state, uint64_t below)
{
    uint64_t mixed = *state += UINT64_C(0x9E3779B97F4A7C15);
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94D049BB133111EB);
    return (mixed ^ mixed >> 31) % below;
}

struct mwt_farm_plan mwt_farm_draw(uint64_t seed)
{
    uint64_t state = seed;
    struct mwt_farm_plan plan = {.seed = seed};
    plan.tasks_count = 1 + draw(&state, 300);
    plan.slaves_count = 1 + draw(&state, 8);
    plan.task_group = draw(&state, 2) == 0 ? 0 : 1 + (int)draw(&state, 12);
    plan.result_group = draw(&state, 2) == 0 ? 0 : 1 + (int)draw(&state, 12);
    plan.task_ns_max = draw(&state, 3) == 0 ? 0 : (int64_t)draw(&state, 200) * MILLISECOND;
    plan.failing_every = draw(&state, 2) == 0 ? 0 : 2 + (unsigned)draw(&state, 9);
    plan.has_policies = draw(&state, 4) != 0;
    plan.kills_count = draw(&state, 40);
    plan.cuts_count = draw(&state, 10);
    plan.strangers_count = draw(&state, 6);
    plan.has_returning = draw(&state, 2) == 0;
    /* Faults happen while there is work, and a little longer. */
    int64_t work_ns = (int64_t)plan.tasks_count * (plan.task_ns_max / 2 + MILLISECOND);
    plan.faults_end_ns = SECOND / 10 + work_ns / (int64_t)plan.slaves_count * 3 / 2;
    return plan;
}

static int64_t value_of(int64_t tag)
{
    return tag * 7 + 3;
}

/* A few tasks carry bytes both ways besides, enough for a message of their own. */
#define LARGE_BYTES ((size_t)1 << 20)

static bool is_large(int64_t tag)
{
    return tag % 64 == 5;
}

static struct mwt_farm_order *find_order(struct mwt_farm *farm, const char *sid)
{
    for (size_t i = 0; i < farm->orders_count; i++)
        if (strcmp(farm->orders[i].sid, sid) == 0)
            return &farm->orders[i];
    return NULL;
}

/* Checks a task that a slave begins: whether it may have it, and in this order. */
static void check_begin(struct mwt_farm *farm, const char *sid, int64_t tag)
{
    const struct mwt_farm_task *task = &farm->tasks[tag];
    struct mwt_farm_order *order = find_order(farm, sid);
    bool is_for_it = task->policy.sid != NULL && strcmp(task->policy.sid, sid) == 0;
    if (task->policy.sid != NULL && !is_for_it && task->policy.do_it_anyway != MW_YES)
        farm->is_misplaced = true;
    if (order == NULL || order->is_freed || !is_for_it || !task->is_ordered)
        return;
    if (tag <= order->tag)
        farm->is_out_of_order = true;
    order->tag = tag;
}

static int64_t duration_of(struct mwt_farm *farm, const struct mwt_farm_task *task)
{
    if (task->is_hopeless)
        return (int64_t)(task->policy.time_limit_s * 1e9) + SECOND;
    return farm->plan.task_ns_max == 0
               ? 0
               : (int64_t)(mw_sim_random(farm->sim) % (uint64_t)farm->plan.task_ns_max);
}

/* The bytes that a task saves, and the number of parts of a task. */
struct progress {
    int64_t tag;
    int64_t parts_done;
    unsigned char rest[1 << 16]; /* some save much */
};
#define PARTS 4

/* Computes for that long. Every third task saves its progress, and goes on where an earlier attempt
 * was. */
static void compute(struct mwt_farm *farm, mw_call *call, int64_t tag, int64_t duration_ns)
{
    struct progress progress = {.tag = tag};
    size_t size = tag % 2 == 0 ? sizeof progress : offsetof(struct progress, rest);
    const void *saved;
    size_t saved_size;
    bool has_saved = mw_call_saved(call, &saved, &saved_size);
    if (tag % 3 != 0 || farm->tasks[tag].is_hopeless) {
        farm->tasks[tag].is_wrong = farm->tasks[tag].is_wrong || has_saved;
        mw_sim_spend(farm->sim, duration_ns);
        return;
    }
    if (has_saved) {
        memcpy(&progress, saved, saved_size < sizeof progress ? saved_size : sizeof progress);
        farm->resumed_count++;
        farm->tasks[tag].is_wrong = farm->tasks[tag].is_wrong || saved_size != size ||
                                    progress.tag != tag || progress.parts_done < 1 ||
                                    progress.parts_done > farm->tasks[tag].parts_done;
    }
    while (progress.parts_done < PARTS) {
        mw_sim_spend(farm->sim, duration_ns / PARTS);
        progress.parts_done++;
        if (progress.parts_done > farm->tasks[tag].parts_done)
            farm->tasks[tag].parts_done = progress.parts_done;
        if (mw_call_save(call, &progress, size) == MW_EGONE)
            return;
    }
}

static void work(mw_call *call)
{
    struct mwt_farm *farm = mw_call_user(call);
    int64_t tag;
    const void *bytes = "";
    size_t size = 0;
    if (mw_call_args(call, "l|y", &tag, &bytes, &size) != MW_OK)
        return;
    check_begin(farm, mw_slave_id(mw_call_slave(call)), tag);
    compute(farm, call, tag, duration_of(farm, &farm->tasks[tag]));
    if (farm->plan.failing_every > 0 && tag % farm->plan.failing_every == 0)
        mw_call_fail(call, "task %lld is one that fails", (long long)tag);
    else if (is_large(tag))
        mw_call_return(call, "l y", value_of(tag), bytes, size);
    else
        mw_call_return(call, "l", value_of(tag));
}

static const mw_algorithm algorithms[] = {{"work", work}, {0}};

/* Groups by time have no fixed number. */
static bool exceeds(size_t count, int group)
{
    return group > 0 && count > (size_t)group;
}

/* The slave never holds more than its groups. */
static int slave_algorithm(mw_slave *slave, struct mwt_farm *farm)
{
    mw_slave_counts counts;
    mw_error error = MW_OK;
    do {
        error = mw_slave_loop_iterate(slave, -1, &counts);
        if (exceeds(counts.tasks_waiting, farm->plan.task_group) ||
            exceeds(counts.results_waiting, farm->plan.result_group))
            farm->is_queue_exceeded = true;
    } while (error == MW_OK && !counts.shutdown);
    return counts.shutdown ? 0 : 255;
}

static bool make_options(mw_options **options, mw_sim_host *host, const char *address)
{
    if (mw_options_create(options) != MW_OK)
        return false;
    mw_options_set(*options, "audit-level", "none");
    mw_options_set(*options, "connect-timeout", "1000");
    return mw_options_use_transport(*options, &mw_sim_transport, host, address) == MW_OK;
}

/* A slave that is started again until its status is 0, as a batch system does. */
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
        if (farm->plan.has_returning)
            mw_options_set(options, "reconnect", "1000");
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

/* Every tag is given as bytes by every other task. */
static int64_t tag_of(const mw_result *result)
{
    int64_t tag = result->tag;
    if (result->tag_size == sizeof tag)
        memcpy(&tag, result->tag_data, sizeof tag);
    return tag;
}

static void take(struct mwt_farm *farm, const mw_result *result)
{
    const void *bytes;
    size_t size = 0;
    int64_t value, tag = tag_of(result);
    struct mwt_farm_task *task = &farm->tasks[tag];
    switch (result->outcome) {
    case MW_DONE:
        task->done++;
        if (mw_result_get(result, "l|y", &value, &bytes, &size) != MW_OK ||
            value != value_of(tag) || size != (is_large(tag) ? LARGE_BYTES : 0))
            task->is_wrong = true;
        break;
    case MW_FAILED:
        task->failed++;
        break;
    case MW_UNRUNNABLE:
        task->unrunnable++;
        for (const char *at = result->message; (at = strstr(at, " was lost: ")) != NULL; at++)
            task->losses++;
        if (farm->began_to_stop_ns > 0 && task->losses == 0)
            farm->is_given_up_while_waiting = true;
        if (mw_result_args(result, "l|y", &value, &bytes, &size) != MW_OK || value != tag)
            task->is_wrong = true;
        break;
    }
}

static void draw_policy(struct mwt_farm *farm, struct mwt_farm_task *task)
{
    mw_policy *policy = &task->policy;
    uint64_t *state = &farm->random;
    if (!farm->plan.has_policies)
        return;
    policy->do_it_anyway = (mw_choice)draw(state, 3);
    policy->retry = draw(state, 4) == 0 ? MW_NO : (mw_choice)draw(state, 2);
    policy->max_attempts = (unsigned)draw(state, 5);
    policy->priority = (int)draw(state, 3) - 1;
    if (draw(state, 3) == 0)
        policy->time_limit_s = 5;
    task->is_hopeless = policy->time_limit_s > 0 && draw(state, 10) == 0;
    if (farm->orders_count > 0 && draw(state, 2) == 0) {
        snprintf(task->sid, sizeof task->sid, "%s",
                 farm->orders[draw(state, farm->orders_count)].sid);
        policy->sid = task->sid;
        task->is_ordered = true;
    } else if (draw(state, 40) == 0) {
        snprintf(task->sid, sizeof task->sid, "SLAVE-%u", (unsigned)draw(state, 30));
        policy->sid = task->sid;
    }
}

static void submit_one(struct mwt_farm *farm, mw_master *master)
{
    int64_t tag = (int64_t)farm->submitted_count++;
    struct mwt_farm_task *task = &farm->tasks[tag];
    mw_task form = {.algorithm = "work", .tag = tag, .policy = &task->policy};
    if (tag % 2 == 0) {
        form.tag_data = &tag;
        form.tag_size = sizeof tag;
    }
    draw_policy(farm, task);
    static const unsigned char zeros[LARGE_BYTES];
    mw_error error = is_large(tag) ? mw_master_submit(master, &form, "l y", tag, zeros, LARGE_BYTES)
                                   : mw_master_submit(master, &form, "l", tag);
    if (error == MW_OK)
        task->id = mw_master_last_task(master);
}

static void cancel_one(struct mwt_farm *farm, mw_master *master)
{
    struct mwt_farm_task *task = &farm->tasks[draw(&farm->random, farm->submitted_count)];
    bool has_ended = task->done + task->failed + task->unrunnable > 0;
    if (mw_master_cancel(master, task->id) != MW_OK)
        return;
    task->is_wrong = task->is_wrong || has_ended || task->is_cancelled;
    task->is_cancelled = true;
}

/* A master algorithm that does some of everything at each turn. */
static void meddle(struct mwt_farm *farm, mw_master *master)
{
    uint64_t *state = &farm->random;
    if (!farm->plan.has_policies)
        return;
    if (draw(state, 20) == 0)
        mw_master_allocate(master, draw(state, 3), (mw_group)draw(state, 3));
    if (draw(state, 20) == 0)
        mw_master_deallocate(master, draw(state, 3), (mw_group)draw(state, 3));
    if (draw(state, 20) == 0 && farm->submitted_count > 0)
        cancel_one(farm, master);
    if (draw(state, 40) == 0 && farm->orders_count > 0) {
        struct mwt_farm_order *order = &farm->orders[draw(state, farm->orders_count)];
        /* Freed before the call: the tasks that wait for it go to the pool, and may come back. */
        order->is_freed = true;
        mw_master_free_slave(master, order->sid);
    }
}

static void take_all(struct mwt_farm *farm, mw_master *master)
{
    const mw_result *result;
    const char *sid;
    while ((result = mw_master_next_result(master)) != NULL)
        take(farm, result);
    while ((result = mw_master_next_unrunnable(master)) != NULL)
        take(farm, result);
    while ((sid = mw_master_next_connected(master)) != NULL)
        if (farm->orders_count < MWT_FARM_ORDERS_MAX)
            snprintf(farm->orders[farm->orders_count++].sid, sizeof farm->orders[0].sid, "%s", sid);
    while (mw_master_next_disconnected(master) != NULL)
        ;
}

/* Stops the farm when its time has come. */
static void stop_in_time(struct mwt_farm *farm, mw_master *master)
{
    int64_t now_ns = mw_sim_now(farm->sim);
    if (farm->plan.stop_ns == 0 || now_ns < farm->plan.stop_ns || mw_master_is_stopping(master))
        return;
    take_all(farm, master);
    farm->began_to_stop_ns = now_ns;
    mw_master_stop(master);
}

/* The loop has ended: because the farm was stopped, or with an error. */
static mw_error end_drive(struct mwt_farm *farm, mw_master *master, mw_error error)
{
    farm->stopped_ns = mw_sim_now(farm->sim);
    farm->left_count = mw_master_num_runnable_tasks(master);
    return error == MW_EINTERRUPTED && farm->began_to_stop_ns > 0 ? MW_OK : error;
}

/* Keeps some tasks waiting by the general target number, until all are submitted and back. Slaves
 * that take no unordered tasks are freed at last, so that there is somebody for those. */
static mw_error drive(struct mwt_farm *farm, mw_master *master)
{
    mw_master_counts counts;
    mw_error error = MW_OK;
    mw_master_set_target(master, NULL, 40);
    while (error == MW_OK && (farm->submitted_count < farm->plan.tasks_count ||
                              mw_master_num_runnable_tasks(master) > 0 ||
                              mw_master_num_unrunnable_tasks(master) > 0)) {
        stop_in_time(farm, master);
        for (int64_t upto = mw_master_upto(master, NULL);
             upto > 0 && farm->submitted_count < farm->plan.tasks_count; upto--)
            submit_one(farm, master);
        meddle(farm, master);
        error = mw_master_loop(master, 0.5, &counts);
        take_all(farm, master);
        if (mw_sim_now(farm->sim) < farm->plan.faults_end_ns)
            continue;
        mw_master_deallocate(master, SIZE_MAX / 2, MW_ORDERED);
        for (size_t i = 0; i < farm->orders_count; i++) {
            farm->orders[i].is_freed = true;
            mw_master_free_slave(master, farm->orders[i].sid);
        }
    }
    take_all(farm, master);
    return end_drive(farm, master, error);
}

static void set_group(mw_options *options, const char *name, int group)
{
    char number[16];
    snprintf(number, sizeof number, "%d", group);
    mw_options_set(options, name, group == 0 ? "auto" : number);
}

static int master_main(mw_sim_host *host, void *context)
{
    struct mwt_farm *farm = context;
    mw_program program = {.algorithms = algorithms, .user = farm};
    mw_options *options;
    mw_master *master;
    if (!make_options(&options, host, ""))
        return 1;
    set_group(options, "slave-task-group", farm->plan.task_group);
    set_group(options, "slave-result-group", farm->plan.result_group);
    mw_options_set(options, "client-timeout", "5");
    if (farm->plan.audit_path != NULL) {
        mw_options_set(options, "audit-level", "all");
        mw_options_set(options, "audit-file", farm->plan.audit_path);
    }
    if (mw_master_open(&master, &program, options) != MW_OK) {
        fprintf(stderr, "%s\n", mw_options_error(options));
        mw_options_destroy(options);
        return 1;
    }
    if (farm->plan.has_policies) {
        mw_master_allocate(master, draw(&farm->random, 4), MW_ORDERED);
        mw_master_allocate(master, draw(&farm->random, 4), MW_INTERMINGLE);
    }
    int status = drive(farm, master) == MW_OK ? 0 : 1;
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

/* The faults are over: hosts that have ended are started again, so that there are slaves. */
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
