/* SPDX-License-Identifier: Apache-2.0
 *
 * Offered results that wait for later tasks: each is taken once, by a task of its key, and they are
 * bounded.
 */
#include "farm/spares.h"

#include <string.h>

#include "mwt_run.h"

static void add(struct mwi_spares *spares, uint64_t low, uint64_t high, const char *text)
{
    struct mwi_message_item item = {.size = strlen(text)};
    struct mwi_block *block = mwi_block_copy(text, item.size, &item.data);
    CU_ASSERT_PTR_NOT_NULL_FATAL(block);
    mwi_spares_add(spares, (struct mwi_digest){low, high}, &item, block);
    mwi_block_unref(block);
}

/* The first letter of the result that is taken; '-' if there is none. */
static char take(struct mwi_spares *spares, uint64_t low, uint64_t high)
{
    struct mwi_message_item item;
    struct mwi_block *block;
    if (!mwi_spares_take(spares, (struct mwi_digest){low, high}, &item, &block))
        return '-';
    char letter = (char)item.data[0];
    mwi_block_unref(block);
    return letter;
}

/* Keys differ if one half of them does, and equal results are taken one by one. */
static void test_take(void)
{
    struct mwi_spares spares = {0};
    add(&spares, 2, 5, "a");
    add(&spares, 3, 6, "b");
    add(&spares, 2, 7, "c");
    add(&spares, 2, 5, "a");

    CU_ASSERT_EQUAL(take(&spares, 2, 6), '-');
    CU_ASSERT_EQUAL(take(&spares, 2, 7), 'c');
    CU_ASSERT_EQUAL(take(&spares, 2, 5), 'a');
    CU_ASSERT_EQUAL(take(&spares, 2, 5), 'a');
    CU_ASSERT_EQUAL(take(&spares, 2, 5), '-');
    CU_ASSERT_EQUAL(take(&spares, 3, 6), 'b');
    CU_ASSERT_EQUAL(spares.count, 0);
    CU_ASSERT_EQUAL(spares.payload_bytes, 0);
    add(&spares, 1, 1, "left");
    mwi_spares_fini(&spares);
}

/* However many results are offered, little memory is taken for them. */
static void test_bounded(void)
{
    static char large[1 << 20];
    struct mwi_spares spares = {0};
    memset(large, 'x', sizeof large - 1);

    for (uint64_t i = 0; i < 100; i++)
        add(&spares, i, 0, large);

    CU_ASSERT(spares.count < 70);
    CU_ASSERT_EQUAL(take(&spares, 0, 0), 'x');
    mwi_spares_fini(&spares);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"take", test_take},
        {"bounded", test_bounded},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("spares", tests);
}
