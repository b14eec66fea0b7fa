/* SPDX-License-Identifier: Apache-2.0
 *
 * The scheduler without times: slaves of the three groups, ordered and unordered tasks, and groups
 * of a fixed size.
 */
#include "farm/schedule.h"

#include "mwt_policy.h"
#include "mwt_run.h"

#define NO_LIMIT ((size_t)1 << 30)

/* A task of that size; above 1000, of 1000 less, which was lost with a slave before. */
static void add_sized(struct mwi_tasks *tasks, int size, const struct mwi_task_policy *policy,
                      struct mwi_list *ordered)
{
    struct mwi_task_entry *task = mwi_tasks_add(tasks, policy);
    CU_ASSERT_PTR_NOT_NULL_FATAL(task);
    task->size = (uint32_t)(size % 1000);
    task->attempts = size >= 1000;
    mwi_tasks_move(tasks, task, ordered == NULL ? MWI_TASK_WAITING : MWI_TASK_ORDERED, ordered);
}

/* A pool of tasks with these sizes, which end with -1. */
static void fill(struct mwi_tasks *tasks, const int *sizes)
{
    struct mwi_task_policy policy = mwt_policy_default();
    CU_ASSERT_TRUE_FATAL(mwi_tasks_init(tasks, 1));
    for (; *sizes >= 0; sizes++)
        add_sized(tasks, *sizes, &policy, NULL);
}

static void start_slave(struct mwi_slave_entry *slave, enum mwi_slave_group group)
{
    *slave = (struct mwi_slave_entry){.state = MWI_SLAVE_IDLE, .group = group};
    mwi_list_init(&slave->ordered);
    mwi_list_init(&slave->copies);
}

#define LOST(size) ((size) + 1000)

/* The tasks of a group, in order. */
struct taken {
    struct mwi_task_entry *tasks[64];
    size_t count;
};

/* Takes one group for the slave. */
static struct taken take(struct mwi_tasks *tasks, struct mwi_slave_entry *slave,
                         const struct mwi_schedule_limits *limits)
{
    struct mwi_schedule_group group = {0};
    struct mwi_task_entry *task;
    struct taken taken = {.count = 0};
    while ((task = mwi_schedule_next(tasks, slave, limits, &group)) != NULL) {
        mwi_tasks_move(tasks, task, MWI_TASK_RUNNING, NULL);
        CU_ASSERT_TRUE_FATAL(taken.count < 64);
        taken.tasks[taken.count++] = task;
    }
    return taken;
}

static size_t take_group(struct mwi_tasks *tasks, struct mwi_slave_entry *slave,
                         const struct mwi_schedule_limits *limits)
{
    return take(tasks, slave, limits).count;
}

static size_t group_of(const int *sizes, size_t task_group, size_t group_bytes_max)
{
    struct mwi_tasks tasks;
    struct mwi_slave_entry slave;
    struct mwi_schedule_limits limits = {.task_group = task_group,
                                         .group_bytes_max = group_bytes_max};
    start_slave(&slave, MWI_GROUP_UNORDERED);
    fill(&tasks, sizes);

    size_t count = take_group(&tasks, &slave, &limits);

    mwi_tasks_fini(&tasks);
    return count;
}

/* The tasks that slaves of the three groups get, of two ordered and two unordered ones. */
static void test_groups_of_slaves(void)
{
    static const size_t counts[] = {
        [MWI_GROUP_UNORDERED] = 4, [MWI_GROUP_INTERMINGLE] = 4, [MWI_GROUP_ORDERED] = 2};
    static const int unordered[] = {10, 11, -1};
    struct mwi_schedule_limits limits = {.task_group = 4, .group_bytes_max = NO_LIMIT};
    struct mwi_task_policy policy = mwt_policy_default();
    struct mwi_tasks tasks;
    struct mwi_slave_entry slave;
    policy.sid = 0;

    for (int group = MWI_GROUP_INTERMINGLE; group < MWI_GROUPS_COUNT; group++) {
        start_slave(&slave, (enum mwi_slave_group)group);
        fill(&tasks, unordered);
        add_sized(&tasks, 1, &policy, &slave.ordered);
        add_sized(&tasks, 2, &policy, &slave.ordered);

        struct taken taken = take(&tasks, &slave, &limits);

        CU_ASSERT_EQUAL_FATAL(taken.count, counts[group]);
        CU_ASSERT_EQUAL(taken.tasks[0]->size, 1);
        CU_ASSERT_EQUAL(taken.tasks[1]->size, 2);
        mwi_tasks_fini(&tasks);
    }
}

/* Higher priority first; within one, first come, first served. */
static void test_priorities(void)
{
    static const int none[] = {-1};
    static const int priorities[] = {0, 5, -3, 5, 0};
    static const uint32_t expected[] = {1, 3, 0, 4, 2};
    struct mwi_schedule_limits limits = {.task_group = 5, .group_bytes_max = NO_LIMIT};
    struct mwi_tasks tasks;
    struct mwi_slave_entry slave;
    start_slave(&slave, MWI_GROUP_UNORDERED);
    fill(&tasks, none);
    for (int i = 0; i < 5; i++) {
        struct mwi_task_policy policy = mwt_policy_default();
        policy.priority = priorities[i];
        add_sized(&tasks, i, &policy, NULL);
    }

    struct taken taken = take(&tasks, &slave, &limits);

    CU_ASSERT_EQUAL_FATAL(taken.count, 5);
    for (int i = 0; i < 5; i++)
        CU_ASSERT_EQUAL(taken.tasks[i]->size, expected[i]);
    mwi_tasks_fini(&tasks);
}

/* A task with a time limit goes alone, so that its clock starts when it is sent. */
static void test_time_limit_goes_alone(void)
{
    static const int one[] = {1, -1};
    struct mwi_schedule_limits limits = {.task_group = 5, .group_bytes_max = NO_LIMIT};
    struct mwi_task_policy policy = mwt_policy_default();
    struct mwi_tasks tasks;
    struct mwi_slave_entry slave;
    start_slave(&slave, MWI_GROUP_UNORDERED);
    fill(&tasks, one);
    policy.time_limit_ns = 1;
    add_sized(&tasks, 2, &policy, NULL);
    policy.time_limit_ns = 0;
    add_sized(&tasks, 3, &policy, NULL);

    CU_ASSERT_EQUAL(take_group(&tasks, &slave, &limits), 1);
    CU_ASSERT_EQUAL(take_group(&tasks, &slave, &limits), 1);
    CU_ASSERT_EQUAL(take_group(&tasks, &slave, &limits), 1);
    mwi_tasks_fini(&tasks);
}

/* A slave gets a whole group, or all that there are. */
static void test_fixed_groups(void)
{
    static const int five[] = {1, 1, 1, 1, 1, -1};

    CU_ASSERT_EQUAL(group_of(five, 1, NO_LIMIT), 1);
    CU_ASSERT_EQUAL(group_of(five, 4, NO_LIMIT), 4);
    CU_ASSERT_EQUAL(group_of(five, 5, NO_LIMIT), 5);
    CU_ASSERT_EQUAL(group_of(five, 9, NO_LIMIT), 5);
}

/* Without a task there is no group. */
static void test_no_task(void)
{
    static const int none[] = {-1};

    CU_ASSERT_EQUAL(group_of(none, 3, NO_LIMIT), 0);
}

/* Only a slave that has nothing gets anything. */
static void test_only_idle_slaves(void)
{
    static const int one[] = {1, -1};
    struct mwi_schedule_limits limits = {.task_group = 1, .group_bytes_max = NO_LIMIT};
    struct mwi_tasks tasks;
    fill(&tasks, one);

    for (int state = 0; state < MWI_SLAVE_STATES_COUNT; state++) {
        struct mwi_slave_entry slave;
        struct mwi_schedule_group group = {0};
        start_slave(&slave, MWI_GROUP_UNORDERED);
        slave.state = (enum mwi_slave_state)state;
        CU_ASSERT_EQUAL(mwi_schedule_next(&tasks, &slave, &limits, &group) != NULL,
                        state == MWI_SLAVE_IDLE);
    }

    mwi_tasks_fini(&tasks);
}

/* A group ends before the task with which it would be larger than a message may be. */
static void test_limited_by_bytes(void)
{
    static const int sizes[] = {100, 100, 100, 100, -1};
    size_t each = 100 + MWI_MESSAGE_OVERHEAD_BYTES;

    CU_ASSERT_EQUAL(group_of(sizes, 4, 4 * each), 4);
    CU_ASSERT_EQUAL(group_of(sizes, 4, 4 * each - 1), 3);
    CU_ASSERT_EQUAL(group_of(sizes, 4, 2 * each), 2);
    CU_ASSERT_EQUAL(group_of(sizes, 4, each), 1);
}

/* A task that is over the limit by itself goes alone. */
static void test_large_task_goes_alone(void)
{
    static const int first[] = {900, 1, 1, -1}, later[] = {1, 900, 1, -1};

    CU_ASSERT_EQUAL(group_of(first, 3, 200), 1);
    CU_ASSERT_EQUAL(group_of(later, 3, 200), 1);
}

/* A task that was lost with a slave goes alone, and those before it go without it. */
static void test_lost_task_goes_alone(void)
{
    static const int first[] = {LOST(1), 1, 1, -1}, both[] = {LOST(1), LOST(1), -1},
                     later[] = {1, 1, LOST(1), 1, -1};

    CU_ASSERT_EQUAL(group_of(first, 3, NO_LIMIT), 1);
    CU_ASSERT_EQUAL(group_of(both, 3, NO_LIMIT), 1);
    CU_ASSERT_EQUAL(group_of(later, 4, NO_LIMIT), 2);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"fixed groups", test_fixed_groups},
        {"no task", test_no_task},
        {"only idle slaves", test_only_idle_slaves},
        {"limited by bytes", test_limited_by_bytes},
        {"large task goes alone", test_large_task_goes_alone},
        {"lost task goes alone", test_lost_task_goes_alone},
        {"groups of slaves", test_groups_of_slaves},
        {"priorities", test_priorities},
        {"time limit goes alone", test_time_limit_goes_alone},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("schedule", tests);
}
