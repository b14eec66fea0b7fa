/* SPDX-License-Identifier: Apache-2.0
 *
 * How many tasks go into the next message for a slave.
 */
#include "schedule.h"

#include "mwt_run.h"

#define NO_LIMIT ((size_t)1 << 30)

/* A queue of tasks with these sizes, which end with -1; a size above 1000 is that of a task of
 * 1000 less that was lost with a slave before. */
static void fill(struct mwi_tasks *tasks, const int *sizes)
{
    mwi_tasks_init(tasks);
    for (; *sizes >= 0; sizes++) {
        struct mwi_task *task = mwi_tasks_add(tasks);
        CU_ASSERT_PTR_NOT_NULL_FATAL(task);
        task->size = (uint32_t)(*sizes % 1000);
        task->attempts = *sizes >= 1000;
    }
}

#define LOST(size) ((size) + 1000)

static size_t group_of(const int *sizes, size_t task_group, size_t group_bytes_max)
{
    struct mwi_tasks tasks;
    struct mwi_slave slave = {.state = MWI_SLAVE_IDLE};
    struct mwi_schedule_limits limits = {task_group, group_bytes_max};
    fill(&tasks, sizes);

    size_t count = mwi_schedule_group(&tasks, &slave, &limits);

    mwi_tasks_fini(&tasks);
    return count;
}

/* A slave gets a whole group, or what there is. */
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
    struct mwi_schedule_limits limits = {1, NO_LIMIT};
    struct mwi_tasks tasks;
    fill(&tasks, one);

    for (int state = 0; state < MWI_SLAVE_STATES_COUNT; state++) {
        struct mwi_slave slave = {.state = (enum mwi_slave_state)state};
        CU_ASSERT_EQUAL(mwi_schedule_group(&tasks, &slave, &limits), state == MWI_SLAVE_IDLE);
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
        CU_TEST_INFO_NULL,
    };
    return mwt_run("schedule", tests);
}
