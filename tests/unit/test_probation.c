/* SPDX-License-Identifier: Apache-2.0
 *
 * Hosts whose slaves are lost with tasks get fewer tasks, and later; the tasks survive. Whole farms
 * are played in virtual time, from a seed, with hosts that do harm and tasks that do.
 */
#include "engine/probation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mwt_hello.h"
#include "mwt_items.h"
#include "mwt_master.h"
#include "mwt_policy.h"
#include "mwt_random.h"
#include "mwt_run.h"

#define MILLISECOND (MWT_SECOND / 1000)
#define PLACES_MAX 16
#define SEEDS 300
/* When a bad task has just killed all good slaves, a good task may be lost at bad hosts alone. */
#define UNLUCKY_MAX 4

/* The slaves of a place do this with a task. */
enum habit { WORKS, CRASHES, LEAVES, HANGS_UP };

/* A place where a slave runs, and is started again when it has gone. */
struct place {
    enum habit habit;
    char host[16];
    mw_peer peer;        /* 0: it is about to be started */
    int64_t due_ns;      /* when it is started, or has done its task */
    size_t starts_count; /* slaves that were lost with a task here */
};

struct world {
    struct mwt_master master;
    struct place places[PLACES_MAX];
    size_t places_count;
    mw_peer peers_count;
    size_t tasks_count, poisons_count;
    int64_t task_ns;
};

static void add_place(struct world *world, enum habit habit, const char *host, int64_t start_ns)
{
    struct place *place = &world->places[world->places_count++];
    *place = (struct place){.habit = habit, .due_ns = start_ns};
    snprintf(place->host, sizeof place->host, "%s", host);
}

static void submit_under(struct world *world, const struct mwi_task_policy *policy, bool is_poison)
{
    uint64_t id;
    struct mwi_lifecycle_task submission = {
        .policy = *policy, .tag = is_poison, .payload = {malloc(1), 1, true}};
    CU_ASSERT_PTR_NOT_NULL_FATAL(submission.payload.data);
    submission.payload.data[0] = 'x';
    CU_ASSERT_EQUAL(mwi_lifecycle_submit(&world->master.engine, &submission, &id), MW_OK);
    world->tasks_count++;
    world->poisons_count += is_poison;
}

static void submit(struct world *world, bool is_poison, unsigned max_attempts)
{
    struct mwi_task_policy policy = mwt_policy_default();
    policy.max_attempts = (uint8_t)max_attempts;
    submit_under(world, &policy, is_poison);
}

static void submit_to(struct world *world, uint32_t sid)
{
    struct mwi_task_policy policy = mwt_policy_default();
    policy.sid = sid;
    submit_under(world, &policy, false);
}

static void start_slave(struct world *world, struct place *place)
{
    place->peer = ++world->peers_count;
    place->due_ns = INT64_MAX;
    mwt_master_greet_as(&world->master, place->peer,
                        &(struct mwi_message_hello){.host = mwi_message_text(place->host),
                                                    .boot_id = mwi_message_text("boot")});
}

static void end_slave(struct world *world, struct place *place)
{
    mwt_master_down(&world->master, place->peer, "gone");
    place->peer = 0;
    place->due_ns = world->master.now_ns + 10 * MILLISECOND;
}

static void say_goodbye(struct world *world, struct place *place)
{
    mwt_master_say(&world->master, place->peer, MWI_MESSAGE_GOODBYE, "I leave");
    place->peer = 0;
    place->due_ns = world->master.now_ns + 10 * MILLISECOND;
}

static void send_result(struct world *world, struct place *place, uint64_t id)
{
    struct mwi_buffer results;
    mwi_buffer_init(&results);
    mwt_items_result(&results, id, MWI_PAYLOAD_BYTES, "y", 1, (uint64_t)world->task_ns);
    mwt_master_frame(&world->master, place->peer, &results);
}

static const struct mwi_copy *task_of(const struct world *world, const struct place *place)
{
    const struct mwi_slave_entry *slave =
        mwi_slaves_find(&world->master.engine.slaves, place->peer);
    return slave == NULL ? NULL : mwi_copies_first(slave);
}

static int64_t tag_of(const struct mwi_copy *copy)
{
    return copy->task != NULL ? copy->task->tag : copy->batch->tasks[copy->from].tag;
}

/* Plays the event that is due at this place. */
static void act(struct world *world, struct place *place)
{
    if (place->peer == 0) {
        start_slave(world, place);
        return;
    }
    const struct mwi_copy *copy = task_of(world, place);
    place->due_ns = INT64_MAX;
    if (copy == NULL)
        return;
    if (place->habit == LEAVES) {
        say_goodbye(world, place);
    } else if (place->habit != WORKS || tag_of(copy) == 1) {
        place->starts_count++;
        end_slave(world, place);
    } else {
        send_result(world, place, mwi_copies_id(copy));
    }
}

/* Slaves that have a task begin it. */
static void begin_tasks(struct world *world)
{
    for (size_t i = 0; i < world->places_count; i++) {
        struct place *place = &world->places[i];
        if (place->peer != 0 && place->due_ns == INT64_MAX && task_of(world, place) != NULL)
            place->due_ns =
                world->master.now_ns + (place->habit == WORKS ? world->task_ns : MILLISECOND);
    }
}

static struct place *next_place(struct world *world)
{
    struct place *next = &world->places[0];
    for (size_t i = 1; i < world->places_count; i++)
        if (world->places[i].due_ns < next->due_ns)
            next = &world->places[i];
    return next;
}

static size_t left_count(const struct world *world)
{
    const size_t *counts = world->master.engine.tasks.counts;
    return counts[MWI_TASK_WAITING] + counts[MWI_TASK_RUNNING];
}

/* Plays until no task is left; false if that takes longer than the time. */
static bool play(struct world *world, int64_t until_ns)
{
    while (left_count(world) > 0 && world->master.now_ns < until_ns) {
        begin_tasks(world);
        struct place *place = next_place(world);
        int64_t due_ns = mwi_master_engine_deadline(&world->master.engine);
        if (place->due_ns <= due_ns) {
            world->master.now_ns = place->due_ns;
            mwt_master_tick_back(&world->master, place->due_ns, 0);
            act(world, place);
        } else {
            mwt_master_tick(&world->master,
                            due_ns > world->master.now_ns ? due_ns : world->master.now_ns);
        }
        mwt_master_forget(&world->master);
        mwt_outbox_clear(&world->master.tasks);
    }
    return left_count(world) == 0;
}

static void start(struct world *world, size_t task_group)
{
    struct mwi_master_engine_config config = mwt_master_config();
    memset(world, 0, sizeof *world);
    config.task_group = task_group;
    CU_ASSERT_TRUE_FATAL(mwt_master_start(&world->master, &config));
    world->master.engine.effects.audited_kinds = 0;
    world->task_ns = 20 * MILLISECOND;
}

static size_t lost_count(const struct world *world)
{
    size_t count = 0;
    for (size_t i = 0; i < world->places_count; i++)
        count += world->places[i].starts_count;
    return count;
}

/* Three good slaves and one that crashes at each task and is started again, all on one host or not:
 * every task is done, and few slaves get the chance to crash. */
static void test_black_hole(void)
{
    for (int i = 0; i < 2; i++) {
        static struct world world;
        start(&world, 0);
        for (int good = 0; good < 3; good++)
            add_place(&world, WORKS, "node1", 0);
        add_place(&world, CRASHES, i == 0 ? "node1" : "node2", 1);
        for (int task = 0; task < 2000; task++)
            submit(&world, false, 3);

        CU_ASSERT_TRUE(play(&world, 60 * MWT_SECOND));

        CU_ASSERT_EQUAL(world.master.engine.tasks.counts[MWI_TASK_UNRUNNABLE], 0);
        CU_ASSERT_EQUAL(world.master.engine.finished.count, 2000);
        CU_ASSERT_TRUE(lost_count(&world) <= 12);
        mwt_master_end(&world.master);
    }
}

/* The same if tasks are so long that good slaves are seldom free. */
static void test_black_hole_and_long_tasks(void)
{
    static struct world world;
    start(&world, 1);
    world.task_ns = 5 * MWT_SECOND;
    for (int good = 0; good < 3; good++)
        add_place(&world, WORKS, "node1", 0);
    add_place(&world, CRASHES, "node1", 1);
    for (int task = 0; task < 50; task++)
        submit(&world, false, 3);

    CU_ASSERT_TRUE(play(&world, 200 * MWT_SECOND));

    CU_ASSERT_EQUAL(world.master.engine.finished.count, 50);
    mwt_master_end(&world.master);
}

/* A host that mends itself is trusted again. */
static void test_host_recovers(void)
{
    static struct world world;
    start(&world, 1);
    add_place(&world, WORKS, "node1", 0);
    add_place(&world, CRASHES, "node2", 0);
    for (int task = 0; task < 1000; task++)
        submit(&world, false, 3);
    CU_ASSERT_FALSE(play(&world, 3 * MWT_SECOND));
    world.places[1].habit = WORKS;

    CU_ASSERT_TRUE(play(&world, 60 * MWT_SECOND));

    CU_ASSERT_TRUE(world.master.now_ns < 16 * MWT_SECOND);
    CU_ASSERT_EQUAL(world.master.engine.finished.count, 1000);
    mwt_master_end(&world.master);
}

/* Where all slaves are local and all tasks crash, nothing waits for anything. */
static void test_only_poison(void)
{
    static struct world world;
    start(&world, 0);
    world.master.engine.is_closed = true;
    add_place(&world, WORKS, "here", 0);
    add_place(&world, WORKS, "here", 0);
    for (int task = 0; task < 50; task++)
        submit(&world, true, 3);

    CU_ASSERT_TRUE(play(&world, 60 * MWT_SECOND));

    CU_ASSERT_EQUAL(world.master.engine.tasks.counts[MWI_TASK_UNRUNNABLE], 50);
    CU_ASSERT_TRUE(world.master.now_ns < 3 * MWT_SECOND);
    mwt_master_end(&world.master);
}

/* A host alone in the farm: a task is given up after its attempts there. */
static void test_one_host(void)
{
    static struct world world;
    start(&world, 1);
    add_place(&world, CRASHES, "node1", 0);
    submit(&world, false, 4);

    CU_ASSERT_TRUE(play(&world, 60 * MWT_SECOND));

    CU_ASSERT_EQUAL(world.master.engine.tasks.counts[MWI_TASK_UNRUNNABLE], 1);
    CU_ASSERT_EQUAL(lost_count(&world), 4);
    mwt_master_end(&world.master);
}

/* Losses at one host count once as long as a host is there that was not asked; yet there is an end
 * to them. */
static void test_losses_at_one_host(void)
{
    static struct world world;
    struct mwt_master *master = &world.master;
    struct place other = {.host = "node2"};
    start(&world, 1);
    mwi_membership_allocate(&master->engine, MWI_GROUP_ORDERED, 1);
    start_slave(&world, &other);
    submit(&world, true, 2);
    for (unsigned i = 1; i <= 6; i++) {
        struct place place = {.host = "node1"};
        start_slave(&world, &place);
        mwt_master_tick(master, master->now_ns + 100 * MWT_SECOND);
        CU_ASSERT_PTR_NOT_NULL_FATAL(task_of(&world, &place));
        CU_ASSERT_EQUAL(
            mwi_copies_first(mwi_slaves_find(&master->engine.slaves, place.peer))->task->attempts,
            i > 1);
        mwt_master_down(master, place.peer, "gone");
    }

    CU_ASSERT_EQUAL(master->engine.tasks.counts[MWI_TASK_UNRUNNABLE], 1);
    mwt_master_end(master);
}

/* A slave that is leaving can have no task any more: nothing is put off for its sake. */
static void test_leaving_slave_is_not_waited_for(void)
{
    static struct world world;
    struct mwt_master *master = &world.master;
    struct place leaving = {.host = "node2"}, lost = {.host = "node1"}, next = lost;
    start(&world, 1);
    submit(&world, false, 3);
    submit(&world, false, 3);
    start_slave(&world, &leaving);
    send_result(&world, &leaving, 1);
    mwt_master_say(master, leaving.peer, MWI_MESSAGE_LEAVING, "I leave");
    submit(&world, false, 3);
    start_slave(&world, &lost);
    CU_ASSERT_PTR_NOT_NULL_FATAL(task_of(&world, &lost));
    mwt_master_down(master, lost.peer, "gone");

    start_slave(&world, &next);

    CU_ASSERT_PTR_NOT_NULL_FATAL(task_of(&world, &next));
    CU_ASSERT_EQUAL(mwi_copies_id(task_of(&world, &next)), 3);
    mwt_master_end(master);
}

/* A slave that is held, and has returned the result of an ordered task, is held no more: it takes
 * tasks of the pool, and is no trial of its host. */
static void test_held_slave_with_ordered_task(void)
{
    static struct world world;
    struct mwt_master *master = &world.master;
    struct place lost = {.host = "node1"}, trial = lost, held = lost;
    start(&world, 1);
    submit(&world, false, 3);
    start_slave(&world, &lost);
    mwt_master_down(master, lost.peer, "gone");
    start_slave(&world, &trial);
    CU_ASSERT_PTR_NOT_NULL(task_of(&world, &trial));
    mwi_membership_allocate(&master->engine, MWI_GROUP_INTERMINGLE, 1);
    start_slave(&world, &held);
    submit(&world, false, 3);
    mwt_master_tick(master, master->now_ns);
    CU_ASSERT_PTR_NULL(task_of(&world, &held));

    const struct mwi_slave_entry *slave = mwi_slaves_find(&master->engine.slaves, held.peer);
    submit_to(&world, slave->sid);
    mwt_master_tick(master, master->now_ns);
    CU_ASSERT_PTR_NOT_NULL_FATAL(task_of(&world, &held));
    CU_ASSERT_EQUAL(mwi_copies_id(task_of(&world, &held)), 3);
    send_result(&world, &held, 3);

    CU_ASSERT_PTR_NOT_NULL_FATAL(task_of(&world, &held));
    CU_ASSERT_EQUAL(mwi_copies_id(task_of(&world, &held)), 2);
    CU_ASSERT_FALSE(slave->is_held || slave->is_on_trial);
    mwt_master_end(master);
}

/* A farm from a seed: good hosts, bad hosts, tasks that kill any slave. */
static void play_seed(uint64_t seed)
{
    static struct world world;
    struct mwt_random random = {.state = seed};
    char name[16];
    start(&world, mwt_random_below(&random, 2));
    size_t good = 2 + mwt_random_below(&random, 5), bad = mwt_random_below(&random, 6);
    size_t hosts_count = 1 + mwt_random_below(&random, 5);
    unsigned poison_every = (unsigned)mwt_random_below(&random, 2) * 37;
    world.task_ns = (int64_t)(1 + mwt_random_below(&random, 60)) * MILLISECOND;
    for (size_t i = 0; i < good + bad; i++) {
        snprintf(name, sizeof name, "node%u", (unsigned)mwt_random_below(&random, hosts_count));
        enum habit habit = i < good ? WORKS : (enum habit)(1 + mwt_random_below(&random, 3));
        int64_t after_ms = i < good ? 0 : 1 + (int64_t)mwt_random_below(&random, 100);
        add_place(&world, habit, name, after_ms * MILLISECOND);
    }
    for (unsigned i = 1; i <= 400; i++)
        submit(&world, poison_every > 0 && i % poison_every == 0, 3);

    bool has_ended = play(&world, 600 * MWT_SECOND);

    size_t unrunnable = world.master.engine.tasks.counts[MWI_TASK_UNRUNNABLE];
    size_t most = world.poisons_count == 0 ? 0 : world.poisons_count + UNLUCKY_MAX;
    if (!has_ended || unrunnable < world.poisons_count || unrunnable > most)
        printf("\nseed %llu: %zu left, %zu unrunnable of %zu, %zu lost\n", (unsigned long long)seed,
               left_count(&world), unrunnable, world.poisons_count, lost_count(&world));
    CU_ASSERT_TRUE(has_ended);
    CU_ASSERT_TRUE(unrunnable >= world.poisons_count && unrunnable <= most);
    mwt_master_end(&world.master);
}

/* A farm with any number of bad hosts and bad tasks does all good tasks and gives up the bad
 * ones. */
static void test_seeds(void)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        play_seed(seed);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"black hole", test_black_hole},
        {"black hole and long tasks", test_black_hole_and_long_tasks},
        {"host recovers", test_host_recovers},
        {"only poison", test_only_poison},
        {"one host", test_one_host},
        {"losses at one host", test_losses_at_one_host},
        {"leaving slave is not waited for", test_leaving_slave_is_not_waited_for},
        {"held slave with ordered task", test_held_slave_with_ordered_task},
        {"seeds", test_seeds},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("probation", tests);
}
