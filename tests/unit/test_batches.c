/* SPDX-License-Identifier: Apache-2.0
 *
 * Batches of ordinary tasks: what is kept together, in what order they wait, and that a task that
 * is taken out of its batch is the task that it was.
 */
#include "farm/tasks.h"

#include <stdio.h>
#include <stdlib.h>

#include "farm/copies.h"
#include "farm/task_search.h"
#include "mwt_policy.h"
#include "mwt_random.h"
#include "mwt_run.h"

#define ALGORITHMS_COUNT 2

static void start(struct mwi_tasks *tasks)
{
    CU_ASSERT_TRUE_FATAL(mwi_tasks_init(tasks, ALGORITHMS_COUNT));
}

/* Appends a task whose arguments are its tag, as text, up to `size` bytes. */
static void append(struct mwi_tasks *tasks, int64_t tag, size_t size, int32_t priority)
{
    char text[MWI_BATCH_TASK_BYTES_MAX];
    struct mwi_task_policy policy = mwt_policy_default();
    policy.priority = priority;
    memset(text, '.', sizeof text);
    snprintf(text, sizeof text, "%lld", (long long)tag);
    CU_ASSERT_TRUE_FATAL(mwi_tasks_append(
        tasks, &policy,
        &(struct mwi_batch_task){
            .tag = tag, .algorithm = (uint16_t)(tag % ALGORITHMS_COUNT), .is_bytes = tag % 3 == 0},
        text, size));
}

static void append_some(struct mwi_tasks *tasks, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        append(tasks, i, 16, 0);
}

static void check_task(const struct mwi_task_entry *task, int64_t tag, size_t size)
{
    char text[32];
    CU_ASSERT_PTR_NOT_NULL_FATAL(task);
    snprintf(text, sizeof text, "%lld", (long long)tag);
    CU_ASSERT_EQUAL(task->tag, tag);
    CU_ASSERT_EQUAL(task->id, (uint64_t)tag + 1);
    CU_ASSERT_EQUAL(task->size, size);
    CU_ASSERT_EQUAL(task->algorithm, tag % ALGORITHMS_COUNT);
    CU_ASSERT_EQUAL(task->is_bytes, tag % 3 == 0);
    CU_ASSERT_STRING_EQUAL(task->data, text);
}

/* The next task of the pool is the oldest of the highest priority, and has all that was given. */
static void test_order(void)
{
    struct mwi_tasks tasks;
    start(&tasks);
    for (int64_t i = 0; i < 6; i++)
        append(&tasks, i, 16, i < 3 ? 0 : 1);
    CU_ASSERT_EQUAL(tasks.counts[MWI_TASK_WAITING], 6);

    static const int64_t order[] = {3, 4, 5, 0, 1, 2};
    for (int i = 0; i < 6; i++) {
        struct mwi_task_entry *task = mwi_tasks_first_waiting(&tasks);
        check_task(task, order[i], 16);
        CU_ASSERT_EQUAL(task->state, MWI_TASK_WAITING);
        mwi_tasks_move(&tasks, task, MWI_TASK_RUNNING, NULL);
        mwi_tasks_move(&tasks, task, MWI_TASK_FREE, NULL);
    }
    CU_ASSERT_PTR_NULL(mwi_tasks_first_waiting(&tasks));
    CU_ASSERT_EQUAL(tasks.counts[MWI_TASK_WAITING], 0);
    mwi_tasks_fini(&tasks);
}

/* A task that has an entry of its own stands between those that were submitted before and after. */
static void test_entry_between(void)
{
    struct mwi_tasks tasks;
    struct mwi_task_policy policy = mwt_policy_default();
    start(&tasks);
    append(&tasks, 0, 16, 0);
    struct mwi_task_entry *entry = mwi_tasks_add(&tasks, &policy);
    CU_ASSERT_PTR_NOT_NULL_FATAL(entry);
    mwi_tasks_move(&tasks, entry, MWI_TASK_WAITING, NULL);
    append(&tasks, 2, 16, 0);

    for (uint64_t id = 1; id <= 3; id++) {
        struct mwi_task_entry *task = mwi_tasks_first_waiting(&tasks);
        CU_ASSERT_EQUAL(task->id, id);
        mwi_tasks_move(&tasks, task, MWI_TASK_RUNNING, NULL);
    }
    mwi_tasks_fini(&tasks);
}

/* A batch is closed when it is full of tasks or of bytes; the tasks go on in the next one. */
static void test_full(void)
{
    struct mwi_tasks tasks;
    start(&tasks);
    append_some(&tasks, MWI_BATCH_TASKS_MAX);
    const struct mwi_batch_entry *first = tasks.batches.open;
    append(&tasks, MWI_BATCH_TASKS_MAX, 16, 0);
    CU_ASSERT_PTR_NOT_EQUAL(tasks.batches.open, first);
    CU_ASSERT_EQUAL(first->count, MWI_BATCH_TASKS_MAX);

    const struct mwi_batch_entry *second = tasks.batches.open;
    size_t large_count = MWI_BATCH_BYTES_MAX / MWI_BATCH_TASK_BYTES_MAX;
    for (size_t i = 0; i < large_count; i++) {
        CU_ASSERT_PTR_EQUAL(tasks.batches.open, second);
        append(&tasks, (int64_t)i, MWI_BATCH_TASK_BYTES_MAX, 0);
    }
    append(&tasks, 0, MWI_BATCH_TASK_BYTES_MAX, 0);
    CU_ASSERT_PTR_NOT_EQUAL(tasks.batches.open, second);
    mwi_tasks_fini(&tasks);
}

/* While priorities alternate a batch has room for its one task, and no more; it grows to a whole
 * one if others follow. */
static void test_alternating(void)
{
    struct mwi_tasks tasks;
    start(&tasks);
    for (int64_t i = 0; i < 10; i++)
        append(&tasks, i, 300, (int32_t)(i % 2));
    const struct mwi_batch_entry *open = tasks.batches.open;
    CU_ASSERT_EQUAL(open->count, 1);
    CU_ASSERT_EQUAL(open->capacity, 1);
    CU_ASSERT_EQUAL(open->bytes_capacity, 300);

    for (int64_t i = 10; i < 9 + MWI_BATCH_TASKS_MAX; i++)
        append(&tasks, i, 16, 1);
    CU_ASSERT_PTR_EQUAL(tasks.batches.open, open);
    CU_ASSERT_EQUAL(open->count, MWI_BATCH_TASKS_MAX);
    append(&tasks, 9 + MWI_BATCH_TASKS_MAX, 16, 1);
    CU_ASSERT_PTR_NOT_EQUAL(tasks.batches.open, open);
    CU_ASSERT_EQUAL(tasks.batches.open->capacity, MWI_BATCH_TASKS_MAX);
    for (int64_t i = 9; i < 10 + MWI_BATCH_TASKS_MAX; i += 2) {
        uint32_t place;
        struct mwi_batch_entry *batch = mwi_batches_find(&tasks.batches, (uint64_t)i + 1, &place);
        check_task(mwi_tasks_take_out(&tasks, batch, place), i, i == 9 ? 300 : 16);
    }
    mwi_tasks_fini(&tasks);
}

/* Tasks that are sent, end and are released leave nothing behind. The open batch begins anew. */
static void test_whole_life(void)
{
    struct mwi_tasks tasks;
    start(&tasks);
    for (int round = 0; round < 3; round++) {
        int64_t first = (int64_t)tasks.last_id;
        for (int64_t i = 0; i < 10; i++)
            append(&tasks, first + i, 16, 0);
        struct mwi_batch_entry *batch = mwi_tasks_first_batch(&tasks);
        CU_ASSERT_PTR_NOT_NULL_FATAL(batch);
        CU_ASSERT_EQUAL(mwi_batch_id(batch, batch->next), (uint64_t)first + 1);

        mwi_tasks_send(&tasks, batch, 10);
        CU_ASSERT_EQUAL(tasks.counts[MWI_TASK_RUNNING], 10);
        CU_ASSERT_PTR_NULL(mwi_tasks_first_batch(&tasks));
        for (uint32_t i = 0; i < 10; i++) {
            batch->tasks[i].is_gone = true;
            mwi_tasks_end_sent(&tasks, batch, batch->tasks[i].algorithm, 1);
        }
        mwi_tasks_release(&tasks, batch, 10);

        CU_ASSERT_EQUAL(tasks.counts[MWI_TASK_RUNNING] + tasks.counts[MWI_TASK_WAITING], 0);
        CU_ASSERT_PTR_EQUAL(tasks.batches.open, batch);
        CU_ASSERT_EQUAL(batch->count, 0);
    }
    CU_ASSERT_EQUAL(tasks.by_algorithm[0].done + tasks.by_algorithm[1].done, 30);
    CU_ASSERT_EQUAL(tasks.by_algorithm[0].waiting + tasks.by_algorithm[1].waiting, 0);
    mwi_tasks_fini(&tasks);
}

/* The copies of a slave, as text: "1-3 4 5-6". */
static void tell_copies(const struct mwi_slave_entry *slave, char *text, size_t size)
{
    size_t at = 0;
    const struct mwi_list *list = &slave->copies;
    text[0] = '\0';
    for (struct mwi_list *link = list->next; link != list && at < size; link = link->next) {
        const struct mwi_copy *copy = mwi_copies_of_link(link);
        const char *space = at == 0 ? "" : " ";
        unsigned long long id = mwi_copies_id(copy);
        at += (size_t)(copy->task != NULL ? snprintf(text + at, size - at, "%s%llu", space, id)
                                          : snprintf(text + at, size - at, "%s%llu-%llu", space, id,
                                                     id + copy->count - 1));
    }
}

/* A task is taken out of the range in which it was sent; the others stay with the slave, in order.
 */
static void test_take_out_of_range(void)
{
    struct mwi_tasks tasks;
    struct mwi_copies copies = {0};
    struct mwi_slave_entry slave = {.sid = 5}, other = {.sid = 6};
    char text[64];
    start(&tasks);
    mwi_list_init(&slave.copies);
    mwi_list_init(&other.copies);
    append_some(&tasks, 8);
    struct mwi_batch_entry *batch = mwi_tasks_first_batch(&tasks);
    mwi_tasks_send(&tasks, batch, 6);
    CU_ASSERT_PTR_NOT_NULL_FATAL(mwi_copies_add_range(&copies, batch, 0, 4, &slave, 7));
    CU_ASSERT_PTR_NOT_NULL_FATAL(mwi_copies_add_range(&copies, batch, 4, 2, &other, 8));

    CU_ASSERT_PTR_NULL(mwi_copies_find(&copies, &tasks, &slave, 5));
    CU_ASSERT_PTR_NULL(mwi_copies_find(&copies, &tasks, &slave, 7));
    struct mwi_copy *copy = mwi_copies_find(&copies, &tasks, &slave, 2);
    CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
    check_task(copy->task, 1, 16);
    CU_ASSERT_EQUAL(copy->task->state, MWI_TASK_RUNNING);
    CU_ASSERT_EQUAL(copy->task->sid, 5);
    CU_ASSERT_EQUAL(copy->sent_ns, 7);
    tell_copies(&slave, text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, "1-1 2 3-4");
    CU_ASSERT_EQUAL(tasks.counts[MWI_TASK_RUNNING], 6);
    CU_ASSERT_EQUAL(tasks.counts[MWI_TASK_WAITING], 2);

    CU_ASSERT_TRUE(mwi_copies_take_all_out(&copies, &tasks, &slave));
    tell_copies(&slave, text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, "1 2 3 4");
    tell_copies(&other, text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, "5-6");
    mwi_copies_fini(&copies);
    mwi_tasks_fini(&tasks);
}

/* A task that may be lost, and fits, is found behind one of its batch that is too large. */
static void test_carefree_behind_large(void)
{
    struct mwi_tasks tasks;
    start(&tasks);
    append(&tasks, 0, 3000, 0);
    append(&tasks, 1, 16, 0);
    append(&tasks, 2, 16, 1);
    mwi_tasks_move(&tasks, mwi_tasks_first_waiting(&tasks), MWI_TASK_RUNNING, NULL);

    check_task(mwi_task_search_first_carefree(&tasks, 900), 1, 16);
    CU_ASSERT_EQUAL(tasks.counts[MWI_TASK_WAITING], 2);
    CU_ASSERT_PTR_NULL(mwi_task_search_first_carefree(&tasks, 15));
    mwi_tasks_fini(&tasks);
}

/* Checks what `id` is against the model: 0 waits in a batch, 1 has an entry, 2 is gone. */
static bool is_as_expected(struct mwi_tasks *tasks, uint64_t id, int kind)
{
    uint32_t place;
    const struct mwi_batch_entry *batch = mwi_batches_find(&tasks->batches, id, &place);
    bool is_in_batch = batch != NULL && !batch->tasks[place].is_gone;
    bool has_entry = mwi_tasks_find(tasks, id) != NULL;
    return is_in_batch == (kind == 0) && has_entry == (kind == 1);
}

/* Tasks are taken out and forgotten in any order. Each is found where it is, and the counts are
 * right. */
static void test_any_order(void)
{
    enum { COUNT = 3000 };
    static char kinds[COUNT];
    struct mwt_random random;
    struct mwi_tasks tasks;
    size_t left = COUNT;
    mwt_random_start(&random);
    start(&tasks);
    memset(kinds, 0, sizeof kinds);
    for (int64_t i = 0; i < COUNT; i++)
        append(&tasks, i, mwt_random_below(&random, 300),
               (int32_t)mwt_random_below(&random, 40) / 39);

    while (left > 0) {
        size_t i = mwt_random_below(&random, COUNT);
        uint32_t place = 0;
        if (kinds[i] == 2)
            continue;
        struct mwi_task_entry *task = mwi_tasks_find(&tasks, i + 1);
        struct mwi_batch_entry *batch =
            task == NULL ? mwi_batches_find(&tasks.batches, i + 1, &place) : NULL;
        if (batch != NULL) {
            task = mwi_tasks_take_out(&tasks, batch, place);
            kinds[i] = 1;
        } else {
            CU_ASSERT_PTR_NOT_NULL_FATAL(task);
            CU_ASSERT_EQUAL(task->tag, (int64_t)i);
            mwi_tasks_cancel(&tasks, task);
            kinds[i] = 2;
            left--;
        }
        if (tasks.counts[MWI_TASK_WAITING] != left || !is_as_expected(&tasks, i + 1, kinds[i]))
            CU_FAIL_FATAL("a task is not where it was put");
    }
    for (size_t i = 0; i < COUNT; i++)
        CU_ASSERT_TRUE(is_as_expected(&tasks, i + 1, 2));
    mwi_tasks_fini(&tasks);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"order", test_order},
        {"entry between", test_entry_between},
        {"full", test_full},
        {"alternating", test_alternating},
        {"whole life", test_whole_life},
        {"take out of range", test_take_out_of_range},
        {"carefree behind large", test_carefree_behind_large},
        {"any order", test_any_order},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("batches", tests);
}
