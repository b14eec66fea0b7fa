/* SPDX-License-Identifier: Apache-2.0
 *
 * The tasks that were set aside, by size and priority.
 * It also tests how tasks.h searches them.
 */
#include "farm/aside.h"

#include <stdlib.h>

#include "farm/task_search.h"
#include "mwt_policy.h"
#include "mwt_run.h"

static void start(struct mwi_tasks *tasks)
{
    CU_ASSERT_TRUE_FATAL(mwi_tasks_init(tasks, 1));
}

static struct mwi_task_entry *add(struct mwi_tasks *tasks, size_t size, int32_t priority)
{
    struct mwi_task_policy policy = mwt_policy_default();
    policy.priority = priority;
    struct mwi_task_entry *task = mwi_tasks_add(tasks, &policy);
    CU_ASSERT_PTR_NOT_NULL_FATAL(task);
    task->size = size;
    mwi_tasks_move(tasks, task, MWI_TASK_WAITING, NULL);
    return task;
}

static struct mwi_task_entry *add_aside(struct mwi_tasks *tasks, size_t size, int32_t priority)
{
    struct mwi_task_entry *task = add(tasks, size, priority);
    CU_ASSERT_TRUE_FATAL(mwi_tasks_set_aside(tasks, task));
    return task;
}

/* A size belongs to the class of its highest bit. */
static void test_classes(void)
{
    CU_ASSERT_EQUAL(mwi_aside_class(0), 0);
    CU_ASSERT_EQUAL(mwi_aside_class(1), 0);
    CU_ASSERT_EQUAL(mwi_aside_class(4095), 11);
    CU_ASSERT_EQUAL(mwi_aside_class(4096), 12);
    CU_ASSERT_EQUAL(mwi_aside_class(SIZE_MAX), 63);
}

/* A task that was set aside waits, but is not in the pool. It can be cancelled there. */
static void test_waits_outside_of_the_pool(void)
{
    struct mwi_tasks tasks;
    start(&tasks);

    struct mwi_task_entry *task = add_aside(&tasks, 5000, 0);

    CU_ASSERT_PTR_NULL(mwi_tasks_first_waiting(&tasks));
    CU_ASSERT_EQUAL(mwi_tasks_waiting_count(&tasks), 1);
    CU_ASSERT_EQUAL(tasks.by_algorithm[0].waiting, 1);
    mwi_tasks_cancel(&tasks, task);
    CU_ASSERT_EQUAL(mwi_tasks_waiting_count(&tasks), 0);
    CU_ASSERT_EQUAL(tasks.aside.used, 0);
    mwi_tasks_fini(&tasks);
}

/* A search finds the first task that is small enough, by priority and then by age, whether it was
 * set aside or not. */
static void test_next_for(void)
{
    struct mwi_tasks tasks;
    start(&tasks);
    struct mwi_task_entry *huge = add_aside(&tasks, 1 << 20, 5);
    struct mwi_task_entry *old = add_aside(&tasks, 5000, 0);
    struct mwi_task_entry *urgent = add_aside(&tasks, 6000, 1);
    struct mwi_task_entry *in_pool = add(&tasks, 10, 0);

    CU_ASSERT_PTR_EQUAL(mwi_task_search_next_for(&tasks, SIZE_MAX / 2), huge);
    CU_ASSERT_PTR_EQUAL(mwi_task_search_next_for(&tasks, 1 << 20), huge);
    CU_ASSERT_PTR_EQUAL(mwi_task_search_next_for(&tasks, (1 << 20) - 1), urgent);
    CU_ASSERT_PTR_EQUAL(mwi_task_search_next_for(&tasks, 5999), old);
    CU_ASSERT_PTR_EQUAL(mwi_task_search_next_for(&tasks, 4999), in_pool);
    mwi_tasks_fini(&tasks);
}

/* The tasks that are too large for a limit are found as well. */
static void test_over(void)
{
    struct mwi_tasks tasks;
    start(&tasks);
    struct mwi_task_entry *small = add_aside(&tasks, 5000, 1);
    struct mwi_task_entry *large = add_aside(&tasks, 7000, 0);

    CU_ASSERT_PTR_EQUAL(mwi_task_search_first_aside_over(&tasks, 0), small);
    CU_ASSERT_PTR_NULL(mwi_task_search_first_aside_over(&tasks, 7000));
    mwi_tasks_cancel(&tasks, small);
    CU_ASSERT_PTR_EQUAL(mwi_task_search_first_aside_over(&tasks, 6999), large);
    mwi_tasks_fini(&tasks);
}

/* A search looks at a few tasks of about the right size, however many there are, and finds the
 * one behind them when those have gone. */
static void test_search_is_bounded(void)
{
    struct mwi_tasks tasks;
    struct mwi_task_entry *ahead[100];
    start(&tasks);
    for (size_t i = 0; i < 100; i++)
        ahead[i] = add_aside(&tasks, 7000, 0);
    struct mwi_task_entry *behind = add_aside(&tasks, 5000, 0);

    CU_ASSERT_PTR_NULL(mwi_task_search_first_aside(&tasks, 6000));
    for (size_t i = 0; i < 95; i++)
        mwi_tasks_cancel(&tasks, ahead[i]);
    CU_ASSERT_PTR_EQUAL(mwi_task_search_first_aside(&tasks, 6000), behind);
    mwi_tasks_fini(&tasks);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"classes", test_classes},
        {"waits outside of the pool", test_waits_outside_of_the_pool},
        {"next for", test_next_for},
        {"over", test_over},
        {"search is bounded", test_search_is_bounded},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("aside", tests);
}
