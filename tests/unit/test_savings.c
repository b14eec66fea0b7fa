/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of saved bytes has the newest bytes of each task, and no others. It forgets them with
 * the task.
 */
#include "farm/savings.h"

#include <string.h>

#include "mwt_run.h"

/* Saves a copy of the text for the task; the table alone has a reference to it then. */
static bool save(struct mwi_savings *savings, uint64_t task, const char *text)
{
    unsigned char *copy;
    struct mwi_block *block = mwi_block_copy(text, strlen(text), &copy);
    CU_ASSERT_PTR_NOT_NULL_FATAL(block);
    const struct mwi_saved saved = {block, copy, strlen(text)};
    bool is_saved = mwi_savings_set(savings, task, &saved);
    mwi_block_unref(block);
    return is_saved;
}

static bool has(const struct mwi_savings *savings, uint64_t task, const char *text)
{
    const struct mwi_saved *entry = mwi_savings_find(savings, task);
    return entry != NULL && entry->size == strlen(text) &&
           memcmp(entry->data, text, entry->size) == 0;
}

/* A task has what it saved last, and no other task has it. */
static void test_newest(void)
{
    struct mwi_savings savings = {0};

    CU_ASSERT_PTR_NULL(mwi_savings_find(&savings, 7));
    CU_ASSERT_TRUE(save(&savings, 7, "seven"));
    CU_ASSERT_TRUE(save(&savings, 8, "eight"));
    CU_ASSERT_TRUE(save(&savings, 7, "a later seven"));

    CU_ASSERT_TRUE(has(&savings, 7, "a later seven"));
    CU_ASSERT_TRUE(has(&savings, 8, "eight"));
    CU_ASSERT_PTR_NULL(mwi_savings_find(&savings, 9));
    mwi_savings_fini(&savings);
}

/* Nothing is left of a task that is gone; a task that saved nothing may go, too. */
static void test_gone(void)
{
    struct mwi_savings savings = {0};
    CU_ASSERT_TRUE(save(&savings, 7, "seven"));

    mwi_savings_forget(&savings, 7);
    mwi_savings_forget(&savings, 8);

    CU_ASSERT_PTR_NULL(mwi_savings_find(&savings, 7));
    CU_ASSERT_EQUAL(savings.by_task.used_count, 0);
    mwi_savings_fini(&savings);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"newest", test_newest},
        {"gone", test_gone},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("savings", tests);
}
