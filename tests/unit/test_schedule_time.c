/* SPDX-License-Identifier: Apache-2.0
 *
 * The scheduler by time: how much it sends ahead, when tasks go alone, and how the end of the
 * queue is shared.
 */
#include "farm/schedule.h"

#include "mwt_policy.h"
#include "mwt_random.h"
#include "mwt_run.h"

#define US INT64_C(1000)
#define MS (1000 * US)
#define SLAVES_COUNT 4
/* As many samples as the scheduler trusts. */
#define SAMPLES_COUNT 20000

/* A queue of tasks of two algorithms, one slave of several, and the known times of the tasks. */
struct place {
    struct mwi_tasks tasks;
    struct mwi_pace pace;
    struct mwi_slave_entry slave;
    struct mwi_schedule_limits limits;
};

static void add(struct place *place, int count, uint16_t algorithm,
                const struct mwi_task_policy *policy)
{
    struct mwi_task_policy usual = mwt_policy_default();
    for (int i = 0; i < count; i++) {
        struct mwi_task_entry *task =
            mwi_tasks_add(&place->tasks, policy == NULL ? &usual : policy);
        CU_ASSERT_PTR_NOT_NULL_FATAL(task);
        task->algorithm = algorithm;
        mwi_tasks_move(&place->tasks, task, MWI_TASK_WAITING, NULL);
    }
}

/* Makes a place with `count` tasks of algorithm 0, whose known time is `task_ns` (0: not known). */
static void start(struct place *place, int count, int64_t task_ns)
{
    *place = (struct place){.slave = {.state = MWI_SLAVE_IDLE}};
    CU_ASSERT_TRUE_FATAL(mwi_tasks_init(&place->tasks, 2));
    CU_ASSERT_TRUE_FATAL(mwi_pace_init(&place->pace, 2));
    for (int i = 0; task_ns > 0 && i < SAMPLES_COUNT; i++)
        mwi_pace_learn(&place->pace, 0, (uint64_t)task_ns, 1);
    mwi_list_init(&place->slave.ordered);
    mwi_list_init(&place->slave.copies);
    place->limits = (struct mwi_schedule_limits){.group_bytes_max = (size_t)1 << 20,
                                                 .pace = &place->pace,
                                                 .slaves_count = SLAVES_COUNT,
                                                 .ended_count = SAMPLES_COUNT};
    add(place, count, 0, NULL);
}

static void end(struct place *place)
{
    mwi_tasks_fini(&place->tasks);
    mwi_pace_fini(&place->pace);
}

/* Takes a message's tasks as the dispatcher does; returns how many. */
static size_t take(struct place *place)
{
    struct mwi_schedule_group group = {0};
    struct mwi_task_entry *task;
    while ((task = mwi_schedule_next(&place->tasks, &place->slave, &place->limits, &group)) != NULL)
        mwi_tasks_move(&place->tasks, task, MWI_TASK_RUNNING, NULL);
    if (group.chosen.count > 0)
        mwi_load_add(&place->slave.load, &group.chosen, 1);
    return group.chosen.count;
}

/* Short tasks are sent by the thousand, long ones alone: the slave gets about three milliseconds of
 * work ahead. */
static void test_time_ahead(void)
{
    struct place place;
    start(&place, 100000, 1);
    CU_ASSERT(take(&place) > 1000);
    end(&place);
    start(&place, 100000, 100 * US);
    size_t count = take(&place);
    CU_ASSERT(count >= 28 && count <= 30);
    end(&place);
    start(&place, 100000, 10 * MS);
    CU_ASSERT_EQUAL(take(&place), 1);
    end(&place);
}

/* The way to the slave is to be filled with work too. */
static void test_far_slave(void)
{
    struct place place;
    start(&place, 100000, 100 * US);
    place.slave.load.trip_ns = 10 * MS;

    CU_ASSERT(take(&place) > 190);

    end(&place);
}

/* The next message goes when half of the last is done, and not before. */
static void test_room(void)
{
    struct place place;
    start(&place, 100000, 100 * US);
    take(&place);
    CU_ASSERT_FALSE(mwi_schedule_has_room(&place.slave.load));

    place.slave.load.work_ns /= 2;
    CU_ASSERT_TRUE(mwi_schedule_has_room(&place.slave.load));
    size_t count = take(&place);

    CU_ASSERT(count >= 13 && count <= 16);
    CU_ASSERT_FALSE(mwi_schedule_has_room(&place.slave.load));
    end(&place);
}

/* A task of a few milliseconds is worth sending ahead, since asking for it would cost more than a
 * hundredth of it; one of a second is not. */
static void test_worthwhile(void)
{
    struct place place;
    start(&place, 100, 3 * MS);
    place.slave.load.trip_ns = 60 * US;
    CU_ASSERT_EQUAL(take(&place), 3);
    end(&place);
    start(&place, 100, 1000 * MS);
    place.slave.load.trip_ns = 60 * US;
    CU_ASSERT_EQUAL(take(&place), 1);
    CU_ASSERT_FALSE(mwi_schedule_has_room(&place.slave.load));
    end(&place);
}

/* The first task of an algorithm is sent alone: it may take a second. */
static void test_unknown_goes_alone(void)
{
    struct place place;
    start(&place, 10, 0);
    CU_ASSERT_EQUAL(take(&place), 1);
    CU_ASSERT_TRUE(place.slave.load.is_alone);
    CU_ASSERT_FALSE(mwi_schedule_has_room(&place.slave.load));
    end(&place);

    start(&place, 2, 1);
    place.limits.slaves_count = 1;
    add(&place, 10, 1, NULL);
    CU_ASSERT_EQUAL(take(&place), 2);
    end(&place);
}

/* The time of one task says little about the next thousand. */
static void test_few_samples(void)
{
    struct place place;
    start(&place, 100000, 0);
    for (int i = 0; i < 20; i++)
        mwi_pace_learn(&place.pace, 0, 1, 1);

    size_t count = take(&place);

    CU_ASSERT(count > 1 && count <= 10);
    end(&place);
}

/* A task that must not run twice, has a time limit, or was at a lost slave, goes alone. */
static void test_alone(void)
{
    struct mwi_task_policy policies[2] = {mwt_policy_default(), mwt_policy_default()};
    policies[0].is_retried = false;
    policies[1].time_limit_ns = 1;
    for (int i = 0; i < 2; i++) {
        struct place place;
        start(&place, 0, 1);
        add(&place, 10, 0, &policies[i]);
        CU_ASSERT_EQUAL(take(&place), 1);
        CU_ASSERT_EQUAL(take(&place), 0);
        CU_ASSERT_FALSE(mwi_schedule_has_room(&place.slave.load));
        end(&place);
    }

    struct place place;
    start(&place, 100, 1);
    mwi_tasks_first_waiting(&place.tasks)->is_suspect = true;
    CU_ASSERT_EQUAL(take(&place), 1);
    end(&place);
}

/* Shares shrink with the queue, so that all slaves share its end, and the last tasks are not sent
 * ahead. */
static void test_end_of_queue(void)
{
    struct place place;
    start(&place, 80, 200 * US);
    CU_ASSERT_EQUAL(take(&place), 80 / (2 * SLAVES_COUNT));
    end(&place);
    start(&place, 3, 200 * US);
    CU_ASSERT_EQUAL(take(&place), 1);
    place.slave.load.work_ns = 0;
    CU_ASSERT_EQUAL(take(&place), 0);
    end(&place);
}

/* A step of short tasks, whose results the program waits for, is one message for each slave; one of
 * longer tasks is divided further, in case a slave is slow. */
static void test_last_part(void)
{
    static const struct {
        int tasks_count;
        int64_t task_ns;
        size_t first, second;
    } steps[] = {
        {8, 100 * US, 4, 4}, {64, US / 2, 32, 32}, {9, 50 * US, 5, 4}, {8, 400 * US, 2, 2}};
    struct place place;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        start(&place, steps[i].tasks_count, steps[i].task_ns);
        place.limits.slaves_count = 2;
        CU_ASSERT_EQUAL(take(&place), steps[i].first);
        place.slave.load = (struct mwi_load){0};
        CU_ASSERT_EQUAL(take(&place), steps[i].second);
        end(&place);
    }
}

/* Many slaves that share a queue get messages of their part, not of a task each: the next comes
 * when half of the last is done. */
static void test_many_slaves(void)
{
    struct place place;
    start(&place, 1000, 20 * US);
    place.limits.slaves_count = 10;
    CU_ASSERT_EQUAL(take(&place), 50);

    place.slave.load.tasks_count = 26;
    CU_ASSERT_EQUAL(take(&place), 0);
    place.slave.load.tasks_count = 25;
    CU_ASSERT_EQUAL(take(&place), 25);

    end(&place);
}

/* Tasks that take less than half of the way to a slave are not shared among many. At the beginning
 * of a run, and near its end, they are. */
static void test_short_tasks_are_not_divided(void)
{
    static const struct {
        int waiting_count;
        int64_t trip_ns;
        size_t ended_count, least, most;
    } cases[] = {{1000, 0, 100000, 10, 10},
                 {1000, 40 * US, 100000, 12, 20},
                 {1000, 40 * US, 50, 10, 10},
                 {12, 40 * US, 100000, 3, 3}};
    struct place place;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        start(&place, cases[i].waiting_count, US);
        place.limits.slaves_count = 100;
        place.limits.ended_count = cases[i].ended_count;
        place.slave.load.trip_ns = cases[i].trip_ns;
        size_t count = take(&place);
        CU_ASSERT(count >= cases[i].least && count <= cases[i].most);
        CU_ASSERT_EQUAL(take(&place), 0);
        end(&place);
    }
    start(&place, 1000, US);
    place.limits.slaves_count = 1000;
    place.slave.load.trip_ns = 100 * MS;
    CU_ASSERT_EQUAL(take(&place), 1000 / 4);
    end(&place);
}

/* A slave has a limited number of bytes ahead, whatever the time of its tasks. */
static void test_bytes(void)
{
    struct place place;
    start(&place, 0, 1);
    struct mwi_task_policy policy = mwt_policy_default();
    for (int i = 0; i < 1000; i++) {
        struct mwi_task_entry *task = mwi_tasks_add(&place.tasks, &policy);
        CU_ASSERT_PTR_NOT_NULL_FATAL(task);
        task->size = 64 * 1024;
        mwi_tasks_move(&place.tasks, task, MWI_TASK_WAITING, NULL);
    }

    size_t count = 0, more;
    while ((more = take(&place)) > 0) {
        count += more;
        place.slave.load.work_ns = 0;
    }

    CU_ASSERT(count > 8);
    CU_ASSERT(count < 32);
    CU_ASSERT_FALSE(mwi_schedule_has_room(&place.slave.load));
    end(&place);
}

/* A second large task is on its way while the first is at work, but not a third, nor a huge one. */
static void test_second_large_task(void)
{
    static const struct {
        size_t size, expected;
    } cases[] = {{3 << 20, 2}, {20 << 20, 1}};
    for (int i = 0; i < 2; i++) {
        struct place place;
        start(&place, 0, US);
        struct mwi_task_policy policy = mwt_policy_default();
        for (int task = 0; task < 100; task++) {
            struct mwi_task_entry *added = mwi_tasks_add(&place.tasks, &policy);
            CU_ASSERT_PTR_NOT_NULL_FATAL(added);
            added->size = cases[i].size;
            mwi_tasks_move(&place.tasks, added, MWI_TASK_WAITING, NULL);
        }

        CU_ASSERT_EQUAL(take(&place), 1);
        CU_ASSERT_EQUAL(mwi_schedule_has_room(&place.slave.load), cases[i].expected > 1);
        CU_ASSERT_EQUAL(take(&place), cases[i].expected - 1);
        CU_ASSERT_FALSE(mwi_schedule_has_room(&place.slave.load));
        CU_ASSERT_EQUAL(take(&place), 0);
        end(&place);
    }
}

/* The same tasks of two algorithms, each with an entry of its own, and in batches. */
static void add_alike(struct place *entries, struct place *batches, struct mwt_random *random)
{
    static const unsigned char bytes[MWI_BATCH_TASK_BYTES_MAX];
    struct mwi_task_policy policy = mwt_policy_default();
    size_t count = 1 + mwt_random_below(random, 3000);
    bool has_two = mwt_random_below(random, 4) == 0;
    for (size_t i = 0; i < count; i++) {
        size_t size = mwt_random_below(random, 100);
        struct mwi_batch_task task = {.algorithm = has_two && mwt_random_below(random, 9) == 0};
        CU_ASSERT_TRUE_FATAL(mwi_tasks_append(&batches->tasks, &policy, &task, bytes, size));
        struct mwi_task_entry *entry = mwi_tasks_add(&entries->tasks, &policy);
        CU_ASSERT_PTR_NOT_NULL_FATAL(entry);
        entry->size = size;
        entry->algorithm = task.algorithm;
        mwi_tasks_move(&entries->tasks, entry, MWI_TASK_WAITING, NULL);
    }
}

/* Gives the place known times and a slave with work, by chance. */
static void make_load(struct place *place, struct mwt_random *random)
{
    for (size_t i = 0; i < 2; i++)
        mwi_pace_learn(&place->pace, i,
                       mwt_random_below(random, 1000000) >> mwt_random_below(random, 20),
                       1 + (uint32_t)mwt_random_below(random, SAMPLES_COUNT));
    place->limits.slaves_count = 1 + mwt_random_below(random, 9);
    place->limits.task_group = mwt_random_below(random, 3) == 0 ? mwt_random_below(random, 400) : 0;
    place->slave.state = mwt_random_below(random, 2) == 0 ? MWI_SLAVE_IDLE : MWI_SLAVE_BUSY;
    place->slave.load.trip_ns = (int64_t)mwt_random_below(random, 300000);
    if (place->slave.state == MWI_SLAVE_IDLE)
        return;
    place->slave.load.tasks_count = 1 + mwt_random_below(random, 50);
    place->slave.load.work_ns = (int64_t)mwt_random_below(random, 4000000);
    place->slave.load.bytes = place->slave.load.tasks_count * 100;
}

/* Takes a message's tasks of batches as the dispatcher does; returns how many. */
static size_t take_of_batches(struct place *place)
{
    struct mwi_schedule_group group = {0};
    struct mwi_batch_entry *batch;
    uint32_t count;
    while ((batch = mwi_tasks_first_batch(&place->tasks)) != NULL &&
           (count = mwi_schedule_next_of_batch(&place->tasks, batch, &place->slave, &place->limits,
                                               &group)) > 0)
        mwi_tasks_send(&place->tasks, batch, count);
    return group.chosen.count;
}

/* A slave gets as many tasks of batches as it would if each had an entry of its own. */
static void test_batches_alike(void)
{
    struct mwt_random random;
    mwt_random_start(&random);
    for (int i = 0; i < 300; i++) {
        struct place entries, batches;
        start(&entries, 0, 0);
        start(&batches, 0, 0);
        add_alike(&entries, &batches, &random);
        struct mwt_random same = random;
        make_load(&entries, &random);
        make_load(&batches, &same);

        CU_ASSERT_EQUAL(take_of_batches(&batches), take(&entries));

        end(&entries);
        end(&batches);
    }
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"time ahead", test_time_ahead},
        {"far slave", test_far_slave},
        {"room", test_room},
        {"worthwhile", test_worthwhile},
        {"unknown goes alone", test_unknown_goes_alone},
        {"batches alike", test_batches_alike},
        {"few samples", test_few_samples},
        {"alone", test_alone},
        {"end of queue", test_end_of_queue},
        {"last part", test_last_part},
        {"many slaves", test_many_slaves},
        {"short tasks are not divided", test_short_tasks_are_not_divided},
        {"bytes", test_bytes},
        {"second large task", test_second_large_task},
        CU_TEST_INFO_NULL,
    };

    return mwt_run("schedule by time", tests);
}
