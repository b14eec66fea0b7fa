/* SPDX-License-Identifier: Apache-2.0
 *
 * The index of a journal: each result is taken once, and those of one key in the order of the file.
 * MW_TEST_SEED replays a run.
 */
#include "record/journal_index.h"

#include <stdlib.h>

#include "mwt_random.h"
#include "mwt_run.h"

static struct mwi_digest key_of(uint64_t number)
{
    return mwi_digest_make(7, &number, sizeof number);
}

/* Many results of few and of many keys, in random order: whoever takes them all gets each once. */
static void check(uint64_t keys_count)
{
    enum { COUNT = 20000 };
    static uint64_t numbers[COUNT], last[COUNT];
    struct mwi_journal_index index = {0};
    struct mwt_random random;
    uint64_t offset = 0;
    size_t place = 0;
    mwt_random_start(&random);
    for (uint64_t i = 0; i < COUNT; i++) {
        numbers[i] = mwt_random_below(&random, keys_count);
        CU_ASSERT_TRUE(mwi_journal_index_add(&index, key_of(numbers[i]), 16 + i * 100, i % 50));
    }
    mwi_journal_index_sort(&index);
    for (uint64_t i = 0; i < COUNT; i++) {
        last[i] = 0;
    }
    for (uint64_t i = 0; i < COUNT; i++) {
        uint64_t number = numbers[(i * 7919) % COUNT];
        CU_ASSERT_TRUE_FATAL(mwi_journal_index_take(&index, key_of(number), &offset, &place));
        uint64_t at = (offset - 16) / 100;
        CU_ASSERT_TRUE(at < COUNT && numbers[at] == number && place == at % 50);
        CU_ASSERT_TRUE(last[number] == 0 || offset > last[number]);
        last[number] = offset;
    }
    CU_ASSERT_EQUAL(index.left_count, 0);
    for (uint64_t i = 0; i < keys_count; i++)
        CU_ASSERT_FALSE(mwi_journal_index_take(&index, key_of(i), &offset, &place));
    mwi_journal_index_fini(&index);
}

static void test_few_keys(void)
{
    check(1);
    check(7);
}

static void test_many_keys(void)
{
    check(1000);
    check(20000);
}

/* Nothing is found in an empty index, or of an unknown key. */
static void test_unknown(void)
{
    struct mwi_journal_index index = {0};
    uint64_t offset;
    size_t place;
    mwi_journal_index_sort(&index);
    CU_ASSERT_FALSE(mwi_journal_index_take(&index, key_of(1), &offset, &place));
    CU_ASSERT_TRUE(mwi_journal_index_add(&index, key_of(1), 16, 0));
    mwi_journal_index_sort(&index);
    CU_ASSERT_FALSE(mwi_journal_index_take(&index, key_of(2), &offset, &place));
    mwi_journal_index_fini(&index);
}

static bool count_visit(void *context, struct mwi_digest key)
{
    (void)key;
    ++*(uint64_t *)context;
    return true;
}

static bool is_below_1000(void *context, uint64_t offset)
{
    (void)context;
    return offset < 1000;
}

/* Results that a checkpoint has are not taken any more; the others are, in their order. Only those
 * that were taken since then are visited. */
static void test_absorb(void)
{
    struct mwi_journal_index index = {0};
    uint64_t offset = 0, visited_count = 0;
    size_t place;
    for (uint64_t i = 0; i < 40; i++)
        CU_ASSERT_TRUE(
            mwi_journal_index_add(&index, key_of(i % 3), i % 5 == 0 ? 16 + i : 1000 + i, 0));
    mwi_journal_index_sort(&index);

    mwi_journal_index_absorb(&index, is_below_1000, NULL);
    CU_ASSERT_EQUAL(index.left_count, 32);
    CU_ASSERT_TRUE(mwi_journal_index_take(&index, key_of(1), &offset, &place));
    CU_ASSERT_EQUAL(offset, 1001);
    mwi_journal_index_settle(&index);
    CU_ASSERT_TRUE(mwi_journal_index_take(&index, key_of(1), &offset, &place));
    CU_ASSERT_EQUAL(offset, 1004);
    CU_ASSERT_TRUE(mwi_journal_index_take(&index, key_of(2), &offset, &place));
    CU_ASSERT_EQUAL(offset, 1002);
    mwi_journal_index_visit_taken(&index, count_visit, &visited_count);

    CU_ASSERT_EQUAL(visited_count, 2);
    for (uint64_t last = offset; mwi_journal_index_take(&index, key_of(2), &offset, &place);) {
        CU_ASSERT_TRUE(offset > last);
        last = offset;
    }
    CU_ASSERT_EQUAL(offset, 1038);
    mwi_journal_index_fini(&index);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"few keys", test_few_keys}, {"many keys", test_many_keys},
        {"unknown", test_unknown},   {"absorb", test_absorb},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("journal index", tests);
}
