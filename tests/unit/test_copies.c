/* SPDX-License-Identifier: Apache-2.0
 *
 * Copies of tasks: which slave holds which task, and since when. A task may be at several slaves,
 * and a slave may hold several tasks.
 */
#include "farm/copies.h"

#include "mwt_policy.h"
#include "mwt_run.h"

#define SLAVES_COUNT 2

struct farm {
    struct mwi_tasks tasks;
    struct mwi_copies copies;
    struct mwi_slave_entry slaves[SLAVES_COUNT];
};

static void start(struct farm *farm)
{
    *farm = (struct farm){.copies = {0}};
    CU_ASSERT_TRUE_FATAL(mwi_tasks_init(&farm->tasks, 1));
    for (int i = 0; i < SLAVES_COUNT; i++)
        mwi_list_init(&farm->slaves[i].copies);
}

static void end(struct farm *farm)
{
    mwi_copies_fini(&farm->copies);
    mwi_tasks_fini(&farm->tasks);
}

static struct mwi_task_entry *add_running(struct farm *farm)
{
    struct mwi_task_policy policy = mwt_policy_default();
    struct mwi_task_entry *task = mwi_tasks_add(&farm->tasks, &policy);
    CU_ASSERT_PTR_NOT_NULL_FATAL(task);
    mwi_tasks_move(&farm->tasks, task, MWI_TASK_WAITING, NULL);
    mwi_tasks_move(&farm->tasks, task, MWI_TASK_RUNNING, NULL);
    return task;
}

/* A slave's tasks are found by number, in order and out of order; others are not. */
static void test_find(void)
{
    struct farm farm;
    start(&farm);
    struct mwi_copy *copies[300];
    for (int i = 0; i < 300; i++) {
        copies[i] = mwi_copies_add(&farm.copies, add_running(&farm), &farm.slaves[i % 2], i);
        CU_ASSERT_PTR_NOT_NULL_FATAL(copies[i]);
    }

    CU_ASSERT_PTR_EQUAL(mwi_copies_first(&farm.slaves[1]), copies[1]);
    CU_ASSERT_PTR_EQUAL(
        mwi_copies_find(&farm.copies, &farm.tasks, &farm.slaves[0], copies[0]->task->id),
        copies[0]);
    CU_ASSERT_PTR_EQUAL(
        mwi_copies_find(&farm.copies, &farm.tasks, &farm.slaves[0], copies[298]->task->id),
        copies[298]);
    CU_ASSERT_PTR_NULL(
        mwi_copies_find(&farm.copies, &farm.tasks, &farm.slaves[0], copies[1]->task->id));
    CU_ASSERT_PTR_NULL(mwi_copies_find(&farm.copies, &farm.tasks, &farm.slaves[0], 301));
    CU_ASSERT_EQUAL(farm.copies.count, 300);
    CU_ASSERT_EQUAL(copies[298]->sent_ns, 298);
    end(&farm);
}

/* A task may be at two slaves; each returns its own copy. */
static void test_two_copies(void)
{
    struct farm farm;
    start(&farm);
    struct mwi_task_entry *task = add_running(&farm);
    struct mwi_copy *first = mwi_copies_add(&farm.copies, task, &farm.slaves[0], 1);
    struct mwi_copy *second = mwi_copies_add(&farm.copies, task, &farm.slaves[1], 2);
    CU_ASSERT_PTR_NOT_NULL_FATAL(first);
    CU_ASSERT_PTR_NOT_NULL_FATAL(second);

    CU_ASSERT_PTR_EQUAL(mwi_copies_find(&farm.copies, &farm.tasks, &farm.slaves[0], task->id),
                        first);
    CU_ASSERT_PTR_EQUAL(mwi_copies_find(&farm.copies, &farm.tasks, &farm.slaves[1], task->id),
                        second);
    mwi_copies_remove(&farm.copies, first);

    CU_ASSERT_PTR_NULL(mwi_copies_find(&farm.copies, &farm.tasks, &farm.slaves[0], task->id));
    CU_ASSERT_PTR_EQUAL(task->copies, second);
    mwi_copies_remove(&farm.copies, second);
    CU_ASSERT_PTR_NULL(task->copies);
    CU_ASSERT_EQUAL(farm.copies.count, 0);
    end(&farm);
}

/* A copy that was removed makes room for another. */
static void test_reuse(void)
{
    struct farm farm;
    start(&farm);
    struct mwi_task_entry *task = add_running(&farm);

    for (int i = 0; i < 10000; i++) {
        struct mwi_copy *copy = mwi_copies_add(&farm.copies, task, &farm.slaves[0], i);
        if (copy == NULL || copy != mwi_copies_first(&farm.slaves[0]))
            CU_FAIL_FATAL("a copy is not the one that was added");
        mwi_copies_remove(&farm.copies, copy);
    }

    CU_ASSERT_PTR_NULL(mwi_copies_first(&farm.slaves[0]));
    end(&farm);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"find", test_find},
        {"two copies", test_two_copies},
        {"reuse", test_reuse},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("copies", tests);
}
