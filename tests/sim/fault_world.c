/* SPDX-License-Identifier: Apache-2.0
 *
 * The programs of the hosts, and the checks of a fault world; fault_plan.c draws its plan. The
 * promises that are checked:
 *
 * - Each task ends exactly once to the last master, with its own value, and with a value that no
 *   other task of the same content has.
 * - A task whose result was handed out and must be on the disk never begins again (begin_task).
 * - A task begins again only if its first run may have been lost (begin_task).
 * - A task is given up only after as many losses as it has attempts (is_rightly_given_up).
 * - When the faults have ended, the farm and all hosts come to an end (GRACE).
 * - A farm that has ended has everything in its journal (is_second_run).
 */
#include "fault_world.h"

#include <stdio.h>
#include <string.h>

#include "mwt_host.h"
#include "options/options.h"
#ifdef MWT_HAS_FAILING_MALLOC
#include "mwt_memory.h"
#endif

#define MS INT64_C(1000000)
#define SECOND (1000 * MS)
#define GRACE (7200 * SECOND)
#define LARGE_BYTES ((size_t)50000)
/* A slave has at most about this many tasks. */
#define QUEUE_MAX 25
#define ATTEMPTS_DEFAULT 3
#define ATTEMPTS_MANY 250

/* The kinds of tasks, by their tags: of each `every` tags it is the one that leaves `rest`. A task
 * may be of several kinds. */
struct kind {
    int64_t every, rest;
};

static const struct kind large = {50, 7}; /* its result has LARGE_BYTES more */
static const struct kind never_retried = {10, 3};
static const struct kind patient = {2, 0}; /* it has ATTEMPTS_MANY */

static bool is_of(int64_t tag, struct kind kind)
{
    return tag % kind.every == kind.rest;
}

static void complain(struct mwt_fault_world *world, const char *what, long long number)
{
    if (world->broken != NULL)
        return;
    world->broken = what;
    world->broken_at = number;
}

/* How long after a fault a slave may still begin tasks that it had, and messages arrive. */
static int64_t slack_ns(const struct mwt_fault_plan *plan)
{
    unsigned slowest = 1;
    for (size_t i = 0; i < plan->slaves_count; i++)
        slowest = plan->slowness[i] > slowest ? plan->slowness[i] : slowest;
    return 2 * SECOND + 10 * plan->delay_ns_max + QUEUE_MAX * slowest * plan->task_ns_max;
}

void mwt_fault_world_lose_slave(struct mwt_fault_slave *slave)
{
    slave->loss_until_ns = mw_sim_now(slave->world->sim) + slack_ns(&slave->world->plan);
}

void mwt_fault_world_lose_all(struct mwt_fault_world *world)
{
    world->loss_until_ns = mw_sim_now(world->sim) + slack_ns(&world->plan);
}

void mwt_fault_world_fail_malloc(struct mwt_fault_world *world, size_t after)
{
#ifdef MWT_HAS_FAILING_MALLOC
    mwt_memory_fail(after, false);
    world->is_malloc_failing = after > 0;
#else
    (void)world;
    (void)after;
#endif
}

void mwt_fault_world_watch_malloc(struct mwt_fault_world *world)
{
    if (!world->is_malloc_failing)
        return;
    mwt_fault_world_lose_all(world);
#ifdef MWT_HAS_FAILING_MALLOC
    world->is_malloc_failing = !mwt_memory_has_failed();
#endif
}

static bool is_equal_task(int64_t tag)
{
    return tag >= MWT_FAULT_EQUAL_FROM;
}

static bool is_large(int64_t tag)
{
    return is_of(tag, large) && !is_equal_task(tag);
}

static bool is_never_retried(const struct mwt_fault_world *world, int64_t tag)
{
    return world->plan.has_policies && is_of(tag, never_retried) && !is_equal_task(tag);
}

static unsigned attempts_of(const struct mwt_fault_world *world, int64_t tag)
{
    return world->plan.has_policies && is_of(tag, patient) ? ATTEMPTS_MANY : ATTEMPTS_DEFAULT;
}

/* Whether a run of a task in this slave may be in vain at this time. */
static bool may_be_lost(const struct mwt_fault_world *world, size_t place, int64_t time_ns)
{
    return time_ns <= world->loss_until_ns || time_ns <= world->slaves[place].loss_until_ns;
}

/* Whether the master of this slave must know that the task was begun before: it has sent it itself,
 * or the journal says so. */
static bool is_known(const struct mwt_fault_world *world, size_t place,
                     const struct mwt_fault_task *task)
{
    bool has_same_master = !world->plan.is_returning &&
                           world->slaves[place].master == world->masters_count &&
                           task->master == world->masters_count;
    return has_same_master || (world->plan.has_journal && !world->has_disk_failed);
}

/* A slave begins a task. A task may have ended that waits in a slow slave's queue, by its other
 * copy or by the offer of a slave that has returned. */
static void begin_task(struct mwt_fault_world *world, size_t place, int64_t tag)
{
    struct mwt_fault_task *task = &world->tasks[tag];
    int64_t now_ns = mw_sim_now(world->sim);
    bool has_copies = world->plan.is_speculating || world->plan.is_returning;
    if (task->handed_ns >= 0 && !has_copies && !may_be_lost(world, place, now_ns))
        complain(world, "a task was run again whose result was recorded", tag);
    if (task->runs > 0 && !world->plan.is_speculating &&
        !may_be_lost(world, task->begun_at, task->begun_ns))
        complain(world, "a task was run again without a loss", tag);
    if (is_never_retried(world, tag) && task->runs > 0 && is_known(world, place, task))
        complain(world, "a task was run again that must not be", tag);
    if (world->is_second_run && task->is_done)
        complain(world, "a farm that had ended has lost a result", tag);
    task->runs++;
    task->begun_ns = now_ns;
    task->begun_at = place;
    task->master = world->slaves[place].master;
}

static void work(mw_call *call)
{
    static const unsigned char zeros[LARGE_BYTES];
    struct mwt_fault_slave *me = mw_call_user(call);
    struct mwt_fault_world *world = me->world;
    int64_t tag;
    if (mw_call_args(call, "l", &tag) != MW_OK)
        return;
    if (!is_equal_task(tag))
        begin_task(world, me->place, tag);
    if (world->plan.task_ns_max > 0)
        mw_sim_spend(world->sim,
                     (int64_t)mwt_random_below(&world->random, (size_t)world->plan.task_ns_max) *
                         world->plan.slowness[me->place]);
    int64_t value = is_equal_task(tag) ? ++world->next_value : 7 * tag;
    if (is_large(tag))
        mw_call_return(call, "ly", value, zeros, LARGE_BYTES);
    else
        mw_call_return(call, "l", value);
}

static const mw_algorithm algorithms[] = {{"work", work}, {0}};

/* NULL: out of memory. */
static mw_options *make_options(const struct mwt_fault_world *world, struct mwt_fault_clock *clock,
                                const char *address)
{
    bool can_jump = world->plan.counts[MWT_FAULT_JUMP_CLOCK] > 0;
    mw_options *options;
    if (mw_options_create(&options) != MW_OK)
        return NULL;
    if (mw_options_set(options, "audit-level", "none") == MW_OK &&
        mw_options_set(options, "connect-timeout", "100") == MW_OK &&
        mw_options_set(options, "client-timeout", "5") == MW_OK &&
        mw_options_set(options, "slave-task-group", world->plan.task_group) == MW_OK &&
        mw_options_set(options, "speculate", world->plan.is_speculating ? "1" : "0") == MW_OK &&
        mw_options_set(options, "reconnect", world->plan.is_returning ? "20" : "0") == MW_OK &&
        mw_options_use_transport(options, can_jump ? &mwt_fault_clock_transport : &mw_sim_transport,
                                 can_jump ? (void *)clock : (void *)clock->host, address) == MW_OK)
        return options;
    mw_options_destroy(options);
    return NULL;
}

/* It has had its attempts, as the message says; or, of a master that stops, maybe fewer. */
static bool is_rightly_given_up(const struct mwt_fault_world *world, const mw_result *result)
{
    unsigned losses = 0;
    for (const char *at = result->message; (at = strstr(at, " was lost: ")) != NULL; at++)
        losses++;
    return world->has_stopped || losses >= attempts_of(world, result->tag) ||
           (is_never_retried(world, result->tag) &&
            (losses > 0 || strstr(result->message, "may have run") != NULL));
}

static void take_value(struct mwt_fault_world *world, int64_t tag, int64_t value)
{
    if (!is_equal_task(tag) && value != 7 * tag)
        complain(world, "a task has a value of another", tag);
    for (size_t i = MWT_FAULT_EQUAL_FROM; is_equal_task(tag) && i < world->plan.tasks_count; i++)
        if (world->tasks[i].value == value)
            complain(world, "one result was handed out for two tasks", tag);
    world->tasks[tag].value = value;
    world->tasks[tag].is_done = true;
    world->tasks[tag].handed_ns = mw_sim_now(world->sim);
}

/* False if there is no memory to read it. */
static bool take(struct mwt_fault_world *world, const mw_result *result)
{
    const void *bytes;
    size_t size = LARGE_BYTES;
    int64_t value;
    if (world->tasks[result->tag].handed++ > 0)
        complain(world, "a result was handed out twice", result->tag);
    world->tasks[result->tag].is_done = false;
    world->replayed_count += result->is_replayed;
    if (result->outcome == MW_UNRUNNABLE && !is_rightly_given_up(world, result))
        complain(world, "a task was given up that should not be", result->tag);
    if (result->outcome == MW_FAILED && !world->has_malloc_failed)
        complain(world, "a task has failed that cannot fail", result->tag);
    if (result->outcome != MW_DONE)
        return true;
    mw_error error = is_large(result->tag) ? mw_result_get(result, "ly", &value, &bytes, &size)
                                           : mw_result_get(result, "l", &value);
    if (error == MW_ENOMEM)
        return false;
    if (error != MW_OK || size != LARGE_BYTES)
        complain(world, "a result cannot be read", result->tag);
    else
        take_value(world, result->tag, value);
    return true;
}

static bool submit_some(struct mwt_fault_world *world, mw_master *master, size_t *submitted_count)
{
    for (size_t i = 0; i < 60 && *submitted_count < world->plan.tasks_count; i++) {
        int64_t tag = (int64_t)(*submitted_count)++;
        mw_policy policy = {.max_attempts = attempts_of(world, tag)};
        if (is_never_retried(world, tag))
            policy.retry = MW_NO;
        if (mw_master_submit(master, &(mw_task){.algorithm = "work", .tag = tag, .policy = &policy},
                             "l",
                             is_equal_task(tag) ? (int64_t)MWT_FAULT_EQUAL_FROM : tag) != MW_OK)
            return false;
    }
    return true;
}

/* The master algorithm; whether it has come to its end. */
static bool farm_out(struct mwt_fault_world *world, mw_master *master)
{
    const mw_result *result;
    size_t submitted_count = 0;
    do {
        if (!submit_some(world, master, &submitted_count))
            return false;
        for (size_t i = 0; i < 50 && (result = mw_master_next(master)) != NULL; i++)
            if (!take(world, result))
                return false;
        int64_t stall_ns = world->stall_ns;
        world->stall_ns = 0;
        mw_sim_spend(world->sim, stall_ns);
    } while (result != NULL || submitted_count < world->plan.tasks_count);
    return mw_master_status(master) == MW_OK && mw_master_num_runnable_tasks(master) == 0;
}

/* Each master begins anew, with a disk that was repaired. */
static void begin_master(struct mwt_fault_world *world, mw_sim_host *host)
{
    world->clock.host = host;
    world->masters_count++;
    /* Without memory it may record nothing, and it may stop and give up tasks. */
    world->has_journal_failed = world->failing_malloc > 0;
    world->has_stopped = world->failing_malloc > 0;
    mwi_sim_disk_repair(world->disk);
    for (size_t i = 0; i < world->plan.tasks_count; i++) {
        world->tasks[i].handed = 0;
        world->tasks[i].value = 0;
    }
    mwt_fault_world_fail_malloc(world, world->failing_malloc);
    world->failing_malloc = 0;
}

static bool use_journal(const struct mwt_fault_world *world, mw_options *options)
{
    if (!world->plan.has_journal)
        return true;
    mwi_options_use_disk(options, &mwi_sim_disk_api, world->disk);
    return mw_options_set(options, "journal", "faults.mwj") == MW_OK &&
           mw_options_set(options, "journal-sync", world->plan.journal_sync) == MW_OK &&
           mw_options_set(options, "journal-on-error", world->plan.goes_on ? "continue" : "stop") ==
               MW_OK;
}

static int master_host(mw_sim_host *host, void *context)
{
    struct mwt_fault_world *world = context;
    mw_program program = {.algorithms = algorithms};
    bool has_finished = false;
    begin_master(world, host);
    mw_options *options = make_options(world, &world->clock, "");
    mw_master *master;
    if (options == NULL)
        return 1;
    if (use_journal(world, options) && mw_master_open(&master, &program, options) == MW_OK) {
        has_finished = farm_out(world, master);
        mw_master_close(master);
    } else if (!world->has_journal_failed) {
        complain(world, "the master cannot be opened", 0);
    }
    mw_options_destroy(options);
    return has_finished ? 0 : 1;
}

static int slave_host(mw_sim_host *host, void *context)
{
    struct mwt_fault_slave *me = context;
    me->clock.host = host;
    mw_options *options = make_options(me->world, &me->clock, "master");
    return options == NULL ? 1 : mwt_host_be_slave(options, algorithms, me);
}

static bool is_gone(const mw_sim_host *host)
{
    return host == NULL || mw_sim_host_ended(host, NULL);
}

bool mwt_fault_world_has_finished(const struct mwt_fault_world *world)
{
    int status;
    return world->master != NULL && mw_sim_host_ended(world->master, &status) && status == 0;
}

/* A slave that comes in the place of another has another name, so a cut concerns it no more. */
static void start_slave(struct mwt_fault_slave *slave)
{
    char name[32];
    slave->master = slave->world->masters_count;
    snprintf(name, sizeof name, "slave-%zu.%u", slave->place, ++slave->lives_count);
    if (mw_sim_host_start(slave->world->sim, name, slave_host, slave, &slave->host) != MW_OK)
        slave->host = NULL;
    else if (slave->loss_until_ns == INT64_MAX)
        mwt_fault_world_lose_slave(slave);
}

/* The master is gone, and is started again, as by a batch system. Without a journal it begins
 * anew. */
static void start_master(struct mwt_fault_world *world)
{
    mwt_fault_world_lose_all(world);
    for (size_t i = 0; i < world->plan.tasks_count; i++)
        if (world->has_journal_failed || !world->plan.has_journal)
            world->tasks[i].handed_ns = -1;
    if (mw_sim_host_start(world->sim, "master", master_host, world, &world->master) != MW_OK)
        world->master = NULL; /* out of memory: started later */
}

/* Whether a farm that has ended is run once more, with all in its journal. */
static bool wants_second_run(const struct mwt_fault_world *world)
{
    return world->plan.is_run_again && !world->has_journal_failed && !world->is_second_run &&
           world->broken == NULL;
}

/* The machine of the farm loses its power, and the program is run again. */
static void start_second_run(struct mwt_fault_world *world)
{
    world->is_second_run = true;
    mwi_sim_disk_cut_power(world->disk);
    start_master(world);
}

/* Starts hosts in place of those that are gone. */
static int keeper_host(mw_sim_host *host, void *context)
{
    struct mwt_fault_world *world = context;
    int64_t end_ns = world->plan.faults_end_ns + GRACE / 2;
    (void)host;
    while (!world->is_over && mw_sim_now(world->sim) < end_ns) {
        mwt_fault_world_watch_malloc(world);
        for (size_t i = 0; i < world->plan.slaves_count; i++)
            if (is_gone(world->slaves[i].host))
                start_slave(&world->slaves[i]);
        mw_sim_spend(world->sim, 50 * MS + (int64_t)mwt_random_below(&world->random, 300) * MS);
        if (!mwt_fault_world_has_finished(world)) {
            if (is_gone(world->master))
                start_master(world);
            continue;
        }
        if (mw_sim_now(world->sim) <= world->plan.faults_end_ns)
            continue;
        world->is_over = !wants_second_run(world);
        if (!world->is_over)
            start_second_run(world);
    }
    return 0;
}

static void check_ends(struct mwt_fault_world *world, bool has_ended)
{
    if (!world->is_over)
        complain(world, "the farm has not come to its end", mw_sim_now(world->sim) / SECOND);
    if (!has_ended)
        complain(world, "a host has not come to its end", mw_sim_now(world->sim) / SECOND);
    for (size_t i = 0; i < world->plan.tasks_count; i++)
        if (world->tasks[i].handed != 1)
            complain(world, "a task has not ended exactly once", (long long)i);
}

static void start_world(struct mwt_fault_world *world, const struct mwt_fault_plan *plan)
{
    const mw_sim_config config = {
        .seed = plan->seed, .delay_min_ns = MS / 20, .delay_max_ns = plan->delay_ns_max};
    *world = (struct mwt_fault_world){.plan = *plan, .random = {.state = ~plan->seed}};
    if (mw_sim_create(&world->sim, &config) != MW_OK)
        abort();
    world->disk = mwi_sim_disk_create(
        world->sim,
        &(struct mwi_sim_disk_plan){.sync_min_ns = MS / 20, .sync_max_ns = plan->sync_ns_max});
    for (size_t i = 0; i < MWT_FAULT_TASKS_MAX; i++)
        world->tasks[i].handed_ns = -1;
    for (size_t i = 0; i < MWT_FAULT_SLAVES_MAX; i++)
        world->slaves[i] = (struct mwt_fault_slave){.world = world, .place = i};
    if (world->disk == NULL ||
        mw_sim_host_start(world->sim, "keeper", keeper_host, world, NULL) != MW_OK)
        abort();
    start_master(world);
    mwt_fault_acts_arrange(world);
}

/* The blocks that are allocated, in builds that count them. */
static long count_blocks(void)
{
#ifdef MWT_HAS_FAILING_MALLOC
    return mwt_memory_blocks();
#else
    return 0;
#endif
}

bool mwt_fault_world_run(struct mwt_fault_world *world, const struct mwt_fault_plan *plan)
{
    long before = count_blocks();
    start_world(world, plan);
    check_ends(world, mw_sim_run(world->sim, plan->faults_end_ns + GRACE));
    mw_sim_destroy(world->sim);
    if (count_blocks() != before)
        complain(world, "blocks of memory are left", count_blocks() - before);
    if (world->broken != NULL)
        fprintf(stderr,
                "\n  seed %" PRIu64 ": %s (%lld); replay: test_fault_plan --seed %" PRIu64
                " --seeds 1\n",
                plan->seed, world->broken, world->broken_at, plan->seed);
    return world->broken == NULL;
}
