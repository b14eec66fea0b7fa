/* SPDX-License-Identifier: Apache-2.0
 *
 * The bodies of a journal's records: what was written is read, and a body of any bytes is never
 * read beyond its end.
 */
#include "record/journal_items.h"

#include <stdlib.h>
#include <string.h>

#include "mwt_run.h"

static bool is_text(struct mwi_journal_text text, const char *expected)
{
    return text.size == strlen(expected) && memcmp(text.data, expected, text.size) == 0;
}

/* A run comes back with all that it says. */
static void test_run(void)
{
    const struct mwi_journal_run run = {
        .number = UINT64_MAX,
        .wall_ns = -5,
        .pid = 4711,
        .host = {"node7", 5},
        .boot_id = {"boot", 4},
        .identity = {.names = {"a b", 3}, .arguments = {"--n 1", 5}, .executable = {"0123", 4}}};
    struct mwi_journal_run back;
    struct mwi_buffer body;
    mwi_buffer_init(&body);
    mwi_journal_items_write_run(&body, &run);

    CU_ASSERT_TRUE(mwi_journal_items_read_run(&back, body.data, body.size));
    CU_ASSERT_TRUE(back.number == UINT64_MAX && back.wall_ns == -5 && back.pid == 4711);
    CU_ASSERT_TRUE(is_text(back.host, "node7") && is_text(back.boot_id, "boot"));
    CU_ASSERT_TRUE(is_text(back.identity.names, "a b"));
    CU_ASSERT_TRUE(is_text(back.identity.arguments, "--n 1"));
    CU_ASSERT_TRUE(is_text(back.identity.version, ""));
    CU_ASSERT_TRUE(is_text(back.identity.executable, "0123"));
    for (size_t size = 0; size < body.size; size++) {
        unsigned char *copy = malloc(size + 1);
        memcpy(copy, body.data, size);
        CU_ASSERT_FALSE(mwi_journal_items_read_run(&back, copy, size));
        free(copy);
    }
    mwi_buffer_fini(&body);
}

static void write_results(struct mwi_buffer *body)
{
    mwi_buffer_init(body);
    mwi_journal_items_begin_results(body, 77, "alpha");
    for (uint64_t i = 0; i < 5; i++)
        mwi_journal_items_append(
            body, &(struct mwi_journal_result){.key = {i, ~i},
                                               .id = i + 1,
                                               .duration_ns = 1000 * i,
                                               .form = (uint8_t)(i % 2),
                                               .size = i,
                                               .data = (const unsigned char *)"payload"});
}

/* Numbers of any size come back, whether they are written narrow or wide. */
static void test_numbers(void)
{
    static const uint64_t numbers[] = {0,         1, 0xffff, 0x10000, UINT32_MAX, UINT64_C(1) << 32,
                                       UINT64_MAX};
    const size_t count = sizeof numbers / sizeof numbers[0], sizes[] = {0, 0xffff, 0x10000};
    unsigned char *data = calloc(1, 0x10000);
    for (size_t i = 0; i < count * count * 3; i++) {
        const struct mwi_journal_result result = {.key = {i, ~i},
                                                  .id = numbers[i % count],
                                                  .duration_ns = numbers[i / count % count],
                                                  .form = (uint8_t)(i % 4),
                                                  .size = sizes[i / count / count],
                                                  .data = data};
        struct mwi_journal_cursor results;
        struct mwi_journal_result back;
        struct mwi_buffer body;
        mwi_buffer_init(&body);
        mwi_journal_items_begin_results(&body, 1, "alpha");
        mwi_journal_items_append(&body, &result);

        mwi_journal_items_open_results(&results, body.data, body.size);

        CU_ASSERT_TRUE(mwi_journal_items_next(&results, &back));
        CU_ASSERT_TRUE(back.key.low == i && back.key.high == ~i && back.form == result.form);
        CU_ASSERT_TRUE(back.id == result.id && back.duration_ns == result.duration_ns);
        CU_ASSERT_EQUAL(back.size, result.size);
        CU_ASSERT_FALSE(mwi_journal_items_next(&results, &back) || results.is_broken);
        mwi_buffer_fini(&body);
    }
    free(data);
}

/* Results come back one by one, with their run and algorithm. */
static void test_results(void)
{
    struct mwi_journal_cursor results;
    struct mwi_journal_result result;
    struct mwi_buffer body;
    write_results(&body);

    mwi_journal_items_open_results(&results, body.data, body.size);

    CU_ASSERT_TRUE(results.run == 77 && is_text(results.algorithm, "alpha"));
    for (uint64_t i = 0; i < 5; i++) {
        CU_ASSERT_TRUE(mwi_journal_items_next(&results, &result));
        CU_ASSERT_TRUE(result.key.low == i && result.key.high == ~i && result.id == i + 1);
        CU_ASSERT_TRUE(result.duration_ns == 1000 * i && result.form == i % 2);
        CU_ASSERT_TRUE(result.size == i && memcmp(result.data, "payload", i) == 0);
    }
    CU_ASSERT_FALSE(mwi_journal_items_next(&results, &result));
    CU_ASSERT_FALSE(results.is_broken);
    mwi_buffer_fini(&body);
}

/* If the bytes are cut or changed, nothing is read beyond their end; a sanitizer would tell. */
static void test_any_bytes(void)
{
    struct mwi_buffer body;
    write_results(&body);
    for (size_t i = 0; i < 9 * body.size; i++) {
        size_t size = i < body.size ? i : body.size, at = i % body.size, count = 0;
        struct mwi_journal_cursor results;
        struct mwi_journal_result result;
        unsigned char *copy = malloc(size + 1);
        memcpy(copy, body.data, size);
        if (i >= body.size)
            copy[at] ^= (unsigned char)(1u << (i / body.size - 1));
        mwi_journal_items_open_results(&results, copy, size);
        while (mwi_journal_items_next(&results, &result))
            count++;
        CU_ASSERT_TRUE(count <= size);
        free(copy);
    }
    mwi_buffer_fini(&body);
}

/* Saved bytes follow their head. */
static void test_saved(void)
{
    const struct mwi_journal_saved saved = {.run = 1, .id = 2, .key = {3, 4}};
    struct mwi_journal_saved back;
    struct mwi_buffer body;
    mwi_buffer_init(&body);
    mwi_journal_items_write_saved_head(&body, &saved);
    mwi_buffer_append(&body, "bytes", 5);

    CU_ASSERT_TRUE(mwi_journal_items_read_saved(&back, body.data, body.size));
    CU_ASSERT_TRUE(back.run == 1 && back.id == 2 && back.key.low == 3 && back.key.high == 4);
    CU_ASSERT_TRUE(back.size == 5 && memcmp(back.data, "bytes", 5) == 0);
    CU_ASSERT_FALSE(mwi_journal_items_read_saved(&back, body.data, 31));
    mwi_buffer_fini(&body);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"run", test_run},         {"numbers", test_numbers},
        {"results", test_results}, {"any bytes", test_any_bytes},
        {"saved", test_saved},     CU_TEST_INFO_NULL,
    };
    return mwt_run("journal items", tests);
}
