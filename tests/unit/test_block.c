/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames that outlive their event: copied if they are the transport's, taken if they may be, and
 * freed with the last reference, which the sanitizer and valgrind builds watch.
 */
#include "base/block.h"

#include <string.h>

#include "mwt_run.h"

/* A frame that is only lent is copied: the transport may reuse its bytes. */
static void test_lent_frame_is_copied(void)
{
    unsigned char bytes[] = "lent";
    unsigned char *data = NULL;
    mw_frame frame = {.data = bytes, .size = sizeof bytes};

    struct mwi_block *block = mwi_block_keep(&frame, &data);
    memset(bytes, 0, sizeof bytes);

    CU_ASSERT_PTR_NOT_NULL_FATAL(block);
    CU_ASSERT_STRING_EQUAL((const char *)data, "lent");
    mwi_block_unref(block);
}

/* A frame that comes with its block is taken with it, wherever in it the bytes are. */
static void test_given_frame_is_taken(void)
{
    unsigned char *memory = malloc(16);
    CU_ASSERT_PTR_NOT_NULL_FATAL(memory);
    memcpy(memory + 4, "given", 6);
    unsigned char *data = NULL;
    mw_frame frame = {.data = memory + 4, .size = 6, .block = memory};

    struct mwi_block *block = mwi_block_keep(&frame, &data);

    CU_ASSERT_PTR_NOT_NULL_FATAL(block);
    CU_ASSERT_PTR_NULL(frame.block);
    CU_ASSERT_PTR_EQUAL(data, memory + 4);
    mwi_block_unref(block);
}

static void count_release(void *block)
{
    ++*(int *)block;
}

/* A block that is not malloc'd is given back with its own function, once. */
static void test_block_is_given_back(void)
{
    unsigned char bytes[] = "elsewhere";
    unsigned char *data = NULL;
    int releases_count = 0;
    mw_frame frame = {
        .data = bytes, .size = sizeof bytes, .block = &releases_count, .release = count_release};

    struct mwi_block *block = mwi_block_keep(&frame, &data);
    CU_ASSERT_PTR_NOT_NULL_FATAL(block);
    mwi_block_ref(block);
    mwi_block_unref(block);

    CU_ASSERT_PTR_EQUAL(data, bytes);
    CU_ASSERT_EQUAL(releases_count, 0);
    mwi_block_unref(block);
    CU_ASSERT_EQUAL(releases_count, 1);
}

/* The bytes stay until the last of several references is dropped. */
static void test_references(void)
{
    unsigned char *memory = malloc(8);
    CU_ASSERT_PTR_NOT_NULL_FATAL(memory);
    memcpy(memory, "counted", 8);
    unsigned char *data = NULL;
    mw_frame frame = {.data = memory, .size = 8, .block = memory};
    struct mwi_block *block = mwi_block_keep(&frame, &data);
    CU_ASSERT_PTR_NOT_NULL_FATAL(block);

    mwi_block_ref(block);
    mwi_block_ref(block);
    mwi_block_unref(block);
    CU_ASSERT_TRUE(mwi_block_is_shared(block));
    mwi_block_unref(block);

    CU_ASSERT_FALSE(mwi_block_is_shared(block));
    CU_ASSERT_STRING_EQUAL((const char *)data, "counted");
    mwi_block_unref(block);
}

/* A frame may be empty, and nothing may be unreferenced. */
static void test_nothing(void)
{
    unsigned char *data = NULL;
    mw_frame frame = {.data = NULL, .size = 0};

    struct mwi_block *block = mwi_block_keep(&frame, &data);

    CU_ASSERT_PTR_NOT_NULL_FATAL(block);
    CU_ASSERT_PTR_NOT_NULL(data);
    mwi_block_unref(block);
    mwi_block_unref(NULL);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"lent frame is copied", test_lent_frame_is_copied},
        {"given frame is taken", test_given_frame_is_taken},
        {"block is given back", test_block_is_given_back},
        {"references", test_references},
        {"nothing", test_nothing},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("block", tests);
}
