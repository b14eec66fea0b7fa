/* SPDX-License-Identifier: Apache-2.0
 *
 * The task store: order of the queue, ids that are never mistaken for those of tasks that are gone,
 * histories, and a million tasks at once.
 */
#include "farm/tasks.h"

#include <string.h>

#include "mwt_death.h"
#include "mwt_policy.h"
#include "mwt_random.h"
#include "mwt_run.h"

/* A store with `count` tasks, whose tags count from 0. */
struct store {
    struct mwi_tasks tasks;
};

static struct mwi_task_entry *add_task(struct store *store)
{
    struct mwi_task_policy policy = mwt_policy_default();
    struct mwi_task_entry *task = mwi_tasks_add(&store->tasks, &policy);
    CU_ASSERT_PTR_NOT_NULL_FATAL(task);
    mwi_tasks_move(&store->tasks, task, MWI_TASK_WAITING, NULL);
    return task;
}

static void add_tasks(struct store *store, size_t count)
{
    CU_ASSERT_TRUE_FATAL(mwi_tasks_init(&store->tasks, 1));
    for (size_t i = 0; i < count; i++)
        add_task(store)->tag = (int64_t)i;
}

static struct mwi_task_entry *run_next(struct store *store)
{
    struct mwi_task_entry *task = mwi_tasks_first_waiting(&store->tasks);
    CU_ASSERT_PTR_NOT_NULL_FATAL(task);
    mwi_tasks_move(&store->tasks, task, MWI_TASK_RUNNING, NULL);
    return task;
}

static void finish(struct store *store, struct mwi_task_entry *task)
{
    mwi_tasks_move(&store->tasks, task, MWI_TASK_FREE, NULL);
}

static void check_counts(const struct store *store, size_t waiting, size_t running,
                         size_t unrunnable)
{
    CU_ASSERT_EQUAL(store->tasks.counts[MWI_TASK_WAITING], waiting);
    CU_ASSERT_EQUAL(store->tasks.counts[MWI_TASK_RUNNING], running);
    CU_ASSERT_EQUAL(store->tasks.counts[MWI_TASK_UNRUNNABLE], unrunnable);
}

static void append_ordinary(struct store *store, int64_t tag, const struct mwi_task_policy *policy)
{
    const struct mwi_batch_task task = {.tag = tag};
    CU_ASSERT_TRUE_FATAL(mwi_tasks_append(&store->tasks, policy, &task, "", 0));
}

/* Late tasks, in batches and with entries, wait behind tasks of the lowest priority, and when that
 * ends behind those of their own. */
static void test_late_tasks(void)
{
    static const int64_t before[] = {2, 3, 0, 1}, after[] = {2, 0, 1, 3};
    for (int has_ended = 0; has_ended < 2; has_ended++) {
        struct store store;
        struct mwi_task_policy usual = mwt_policy_default(), late = usual, low = usual;
        late.is_late = true;
        low.priority = -100;
        add_tasks(&store, 0);
        struct mwi_task_entry *entry = mwi_tasks_add(&store.tasks, &late);
        CU_ASSERT_PTR_NOT_NULL_FATAL(entry);
        mwi_tasks_move(&store.tasks, entry, MWI_TASK_WAITING, NULL);
        append_ordinary(&store, 1, &late);
        append_ordinary(&store, 2, &usual);
        append_ordinary(&store, 3, &low);

        if (has_ended == 1)
            mwi_policies_end_lateness(&store.tasks.policies, &store.tasks.pool);

        for (size_t i = 0; i < 4; i++) {
            struct mwi_task_entry *task = run_next(&store);
            CU_ASSERT_EQUAL(task->tag, has_ended == 1 ? after[i] : before[i]);
            finish(&store, task);
        }
        mwi_tasks_fini(&store.tasks);
    }
}

/* Users have millions of tasks, so the memory of a task besides its payload is limited. */
static void test_size_of_a_task(void)
{
    CU_ASSERT_TRUE(sizeof(struct mwi_batch_task) <= 24);
    CU_ASSERT_TRUE(sizeof(struct mwi_task_entry) <= 88);
}

/* Ids count up from 1 in the order of submission, whatever slots are used again. */
static void test_ids_count_up(void)
{
    struct store store;
    add_tasks(&store, 2);
    finish(&store, run_next(&store));

    CU_ASSERT_EQUAL(add_task(&store)->id, 3);
    CU_ASSERT_EQUAL(run_next(&store)->id, 2);
    CU_ASSERT_EQUAL(run_next(&store)->id, 3);

    mwi_tasks_fini(&store.tasks);
}

/* A new task waits, has an id by which it is found, and nothing else yet. */
static void test_add(void)
{
    struct store store;
    add_tasks(&store, 0);
    CU_ASSERT_PTR_NULL(mwi_tasks_first_waiting(&store.tasks));

    struct mwi_task_entry *task = add_task(&store);

    CU_ASSERT_PTR_NOT_NULL_FATAL(task);
    CU_ASSERT_EQUAL(task->state, MWI_TASK_WAITING);
    CU_ASSERT_PTR_EQUAL(mwi_tasks_first_waiting(&store.tasks), task);
    CU_ASSERT_PTR_EQUAL(mwi_tasks_find(&store.tasks, task->id), task);
    CU_ASSERT_PTR_NULL(task->data);
    CU_ASSERT_EQUAL(task->tag + (int64_t)task->size + task->algorithm + task->attempts, 0);
    CU_ASSERT_EQUAL(task->sid, MWI_NO_SID);
    CU_ASSERT_FALSE(task->is_bytes || task->has_tag_bytes);
    check_counts(&store, 1, 0, 0);
    mwi_tasks_fini(&store.tasks);
}

/* A task that takes the slot of another begins as clean as the first one did. */
static void test_add_in_a_used_slot(void)
{
    struct store store;
    add_tasks(&store, 1);
    struct mwi_task_entry *old = run_next(&store);
    old->size = 9;
    old->attempts = 2;
    old->is_bytes = true;
    old->sid = 5;
    uint64_t old_id = old->id;
    finish(&store, old);

    struct mwi_task_entry *task = add_task(&store);

    CU_ASSERT_PTR_EQUAL(task, old);
    CU_ASSERT_NOT_EQUAL(task->id, old_id);
    CU_ASSERT_EQUAL(task->tag + (int64_t)task->size + task->attempts, 0);
    CU_ASSERT_EQUAL(task->sid, MWI_NO_SID);
    CU_ASSERT_FALSE(task->is_bytes);
    mwi_tasks_fini(&store.tasks);
}

/* Tasks are taken in the order in which they were added. */
static void test_first_in_first_out(void)
{
    struct store store;
    add_tasks(&store, 3000);

    for (int64_t i = 0; i < 3000; i++)
        CU_ASSERT_EQUAL(run_next(&store)->tag, i);

    CU_ASSERT_PTR_NULL(mwi_tasks_first_waiting(&store.tasks));
    check_counts(&store, 0, 3000, 0);
    mwi_tasks_fini(&store.tasks);
}

/* Tasks that come back, the last first, stand in their old order before the newer ones. */
static void test_return_to_the_front(void)
{
    struct store store;
    struct mwi_task_entry *running[4];
    add_tasks(&store, 6);
    for (int i = 0; i < 4; i++)
        running[i] = run_next(&store);

    for (int i = 3; i >= 0; i--)
        mwi_tasks_move(&store.tasks, running[i], MWI_TASK_WAITING, NULL);

    for (int64_t i = 0; i < 6; i++)
        CU_ASSERT_EQUAL(run_next(&store)->tag, i);
    mwi_tasks_fini(&store.tasks);
}

/* Unrunnable tasks queue up in order, with their payload, until they are taken. */
static void test_unrunnable(void)
{
    struct store store;
    add_tasks(&store, 3);

    for (int i = 0; i < 3; i++) {
        struct mwi_task_entry *task = run_next(&store);
        task->data = malloc(10);
        mwi_tasks_move(&store.tasks, task, MWI_TASK_UNRUNNABLE, NULL);
    }

    check_counts(&store, 0, 0, 3);
    for (int64_t i = 0; i < 3; i++) {
        struct mwi_task_entry *task = mwi_tasks_of_link(store.tasks.unrunnable.next);
        CU_ASSERT_EQUAL(task->tag, i);
        CU_ASSERT_PTR_NOT_NULL(task->data);
        finish(&store, task);
    }
    check_counts(&store, 0, 0, 0);
    mwi_tasks_fini(&store.tasks);
}

/* Ids that were never given out have no task. */
static void test_ids_of_no_task(void)
{
    struct store store;
    add_tasks(&store, 1);
    uint64_t id = mwi_tasks_first_waiting(&store.tasks)->id;
    uint64_t wrong[] = {0, id + 1, id + 256, id + UINT32_MAX, UINT64_MAX};

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        CU_ASSERT_PTR_NULL(mwi_tasks_find(&store.tasks, wrong[i]));

    mwi_tasks_fini(&store.tasks);
    CU_ASSERT_PTR_NULL(mwi_tasks_find(&store.tasks, id));
    mwi_tasks_fini(&store.tasks);
}

/* The id of a task that is gone stays refused, however many others take its slot. */
static void test_ids_of_freed_slots(void)
{
    enum { ROUNDS = 1000 };
    static uint64_t ids[ROUNDS];
    struct store store;
    add_tasks(&store, 0);

    for (size_t i = 0; i < ROUNDS; i++) {
        CU_ASSERT_PTR_NOT_NULL_FATAL(add_task(&store));
        struct mwi_task_entry *task = run_next(&store);
        ids[i] = task->id;
        finish(&store, task);
    }
    CU_ASSERT_PTR_NOT_NULL(add_task(&store));

    for (size_t i = 0; i < ROUNDS; i++)
        CU_ASSERT_PTR_NULL(mwi_tasks_find(&store.tasks, ids[i]));
    CU_ASSERT_EQUAL(store.tasks.slots_count, 1);
    mwi_tasks_fini(&store.tasks);
}

/* The history of a task is told in order, and freed with the task. */
static void test_history(void)
{
    struct store store;
    add_tasks(&store, 1);
    struct mwi_task_entry *task = run_next(&store);
    CU_ASSERT_STRING_EQUAL(mwi_losses_history(&store.tasks.losses, task->id), "");

    mwi_losses_add_history(&store.tasks.losses, task->id, "first");
    CU_ASSERT_STRING_EQUAL(mwi_losses_history(&store.tasks.losses, task->id), "first");
    mwi_losses_add_history(&store.tasks.losses, task->id, "second");

    CU_ASSERT_STRING_EQUAL(mwi_losses_history(&store.tasks.losses, task->id), "first; second");
    finish(&store, task);
    CU_ASSERT_EQUAL(store.tasks.losses.by_task.used_count, 0);
    CU_ASSERT_STRING_EQUAL(mwi_losses_history(&store.tasks.losses, add_task(&store)->id), "");
    mwi_tasks_fini(&store.tasks);
}

/* A store that ends frees the payloads and histories of tasks in any state. */
static void test_fini_frees_all(void)
{
    struct store store;
    add_tasks(&store, 5);

    for (int i = 0; i < 4; i++) {
        struct mwi_task_entry *task = run_next(&store);
        task->data = malloc(100);
        mwi_losses_add_history(&store.tasks.losses, task->id, "lost");
        if (i % 2 == 0)
            mwi_tasks_move(&store.tasks, task, MWI_TASK_UNRUNNABLE, NULL);
    }
    mwi_tasks_first_waiting(&store.tasks)->data = malloc(100);
    mwi_tasks_fini(&store.tasks);

    CU_ASSERT_PTR_NULL(mwi_tasks_first_waiting(&store.tasks));
    CU_ASSERT_EQUAL(store.tasks.slots_count, 0);
}

/* A million tasks go in and come out in order; the next million uses the same memory. */
static void test_a_million(void)
{
    enum { MILLION = 1000000 };
    struct store store;
    add_tasks(&store, MILLION);
    size_t chunks_count = store.tasks.chunks_count;
    check_counts(&store, MILLION, 0, 0);

    for (int round = 0; round < 2; round++) {
        for (int64_t i = 0; i < MILLION; i++) {
            struct mwi_task_entry *task = run_next(&store);
            if (task->tag != i)
                CU_FAIL_FATAL("a task is out of order");
            finish(&store, task);
            if (round == 0)
                add_task(&store)->tag = i;
        }
    }

    check_counts(&store, 0, 0, 0);
    CU_ASSERT_EQUAL(store.tasks.slots_count, MILLION);
    CU_ASSERT_TRUE(store.tasks.chunks_count == chunks_count);
    mwi_tasks_fini(&store.tasks);
}

/* Any mix of moves leaves each task in one state, and the counts say how many are in each. */
static void test_counts_after_any_moves(void)
{
    enum { COUNT = 500 };
    static uint64_t ids[COUNT];
    struct mwt_random random;
    struct store store;
    mwt_random_start(&random);
    add_tasks(&store, 0);
    size_t counts[MWI_TASK_STATES_COUNT] = {0};
    struct mwi_list ordered;
    mwi_list_init(&ordered);
    for (size_t i = 0; i < COUNT; i++)
        ids[i] = add_task(&store)->id;

    for (size_t step = 0; step < 5000; step++) {
        struct mwi_task_entry *task =
            mwi_tasks_find(&store.tasks, ids[mwt_random_below(&random, COUNT)]);
        enum mwi_task_state to =
            (enum mwi_task_state)mwt_random_below(&random, MWI_TASK_STATES_COUNT);
        if (task == NULL || !mwi_state_task_may_move((enum mwi_task_state)task->state, to))
            continue;
        if (to == MWI_TASK_ASIDE)
            CU_ASSERT_TRUE(mwi_tasks_set_aside(&store.tasks, task))
        else
            mwi_tasks_move(&store.tasks, task, to, to == MWI_TASK_ORDERED ? &ordered : NULL);
    }

    for (size_t i = 0; i < COUNT; i++) {
        const struct mwi_task_entry *task = mwi_tasks_find(&store.tasks, ids[i]);
        counts[task == NULL ? MWI_TASK_FREE : task->state]++;
    }
    check_counts(&store, counts[MWI_TASK_WAITING], counts[MWI_TASK_RUNNING],
                 counts[MWI_TASK_UNRUNNABLE]);
    mwi_tasks_fini(&store.tasks);
}

static void give_up_waiting_task(void *context)
{
    struct store *store = context;
    mwi_tasks_move(&store->tasks, mwi_tasks_first_waiting(&store->tasks), MWI_TASK_UNRUNNABLE,
                   NULL);
}

/* A move that is not allowed is a bug of the library and stops it. */
static void test_forbidden_move(void)
{
    struct store store;
    add_tasks(&store, 1);

    CU_ASSERT_TRUE(mwt_dies(give_up_waiting_task, &store));

    mwi_tasks_fini(&store.tasks);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"late tasks", test_late_tasks},
        {"size of a task", test_size_of_a_task},
        {"ids count up", test_ids_count_up},
        {"add", test_add},
        {"add in a used slot", test_add_in_a_used_slot},
        {"first in, first out", test_first_in_first_out},
        {"return to the front", test_return_to_the_front},
        {"unrunnable", test_unrunnable},
        {"ids of no task", test_ids_of_no_task},
        {"ids of freed slots", test_ids_of_freed_slots},
        {"history", test_history},
        {"fini frees all", test_fini_frees_all},
        {"a million", test_a_million},
        {"counts after any moves", test_counts_after_any_moves},
        {"forbidden move", test_forbidden_move},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("tasks", tests);
}
