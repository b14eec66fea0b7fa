/* SPDX-License-Identifier: Apache-2.0
 *
 * The bodies of a checkpoint's records: what was written is read, and a body that is cut off or
 * damaged is broken, or reads as something else, but never beyond its end.
 */
#include "record/checkpoint_items.h"

#include <string.h>

#include "mwt_run.h"

static const struct mwi_checkpoint_item items[] = {
    {.id = 1, .data = "", .policy = {.sid = UINT32_MAX, .max_attempts = 3, .is_retried = true}},
    {.id = 7,
     .tag = -3,
     .policy = {.sid = 4,
                .priority = -5,
                .time_limit_ns = 1234567890123,
                .max_attempts = 255,
                .is_done_anyway = true,
                .is_speculated = true},
     .data = "arguments",
     .size = 9,
     .is_bytes = true},
    {.id = UINT64_MAX,
     .fate = MWI_CHECKPOINT_DONE,
     .tag_data = "a tag",
     .tag_size = 5,
     .duration_ns = 99,
     .sid = 3,
     .data = "result",
     .size = 6},
    {.id = 8, .fate = MWI_CHECKPOINT_FAILED, .sid = 1, .data = "why", .size = 3, .is_bytes = true},
    {.id = 9,
     .fate = MWI_CHECKPOINT_UNRUNNABLE,
     .text = "lost",
     .text_size = 4,
     .data = "x",
     .size = 1},
};
#define ITEMS_COUNT (sizeof items / sizeof items[0])

static void write_all(struct mwi_buffer *body)
{
    mwi_buffer_init(body);
    mwi_checkpoint_items_begin(body, "alpha");
    for (size_t i = 0; i < ITEMS_COUNT; i++)
        mwi_checkpoint_items_append(body, &items[i]);
    CU_ASSERT_FALSE(body->has_failed);
}

static bool is_same_text(const void *one, size_t one_size, const void *other, size_t other_size)
{
    return one_size == other_size && (one_size == 0 || memcmp(one, other, one_size) == 0);
}

static bool is_same(const struct mwi_checkpoint_item *one, const struct mwi_checkpoint_item *other)
{
    return one->id == other->id && one->fate == other->fate && one->tag == other->tag &&
           one->policy.sid == other->policy.sid && one->policy.priority == other->policy.priority &&
           one->policy.time_limit_ns == other->policy.time_limit_ns &&
           one->policy.max_attempts == other->policy.max_attempts &&
           one->policy.is_retried == other->policy.is_retried &&
           one->policy.is_done_anyway == other->policy.is_done_anyway &&
           one->policy.is_speculated == other->policy.is_speculated &&
           one->duration_ns == other->duration_ns && one->sid == other->sid &&
           one->is_bytes == other->is_bytes &&
           (one->tag_data == NULL) == (other->tag_data == NULL) &&
           is_same_text(one->tag_data, one->tag_size, other->tag_data, other->tag_size) &&
           is_same_text(one->text, one->text_size, other->text, other->text_size) &&
           is_same_text(one->data, one->size, other->data, other->size);
}

/* Every field of every kind of task comes back. */
static void test_there_and_back(void)
{
    struct mwi_buffer body;
    struct mwi_checkpoint_reader reader;
    struct mwi_checkpoint_item item;
    write_all(&body);

    mwi_checkpoint_items_open(&reader, body.data, body.size);

    CU_ASSERT_TRUE(is_same_text(reader.algorithm, reader.algorithm_size, "alpha", 5));
    for (size_t i = 0; i < ITEMS_COUNT; i++) {
        CU_ASSERT_TRUE(mwi_checkpoint_items_next(&reader, &item));
        CU_ASSERT_TRUE(is_same(&item, &items[i]));
    }
    CU_ASSERT_FALSE(mwi_checkpoint_items_next(&reader, &item));
    CU_ASSERT_FALSE(reader.is_broken);
    mwi_buffer_fini(&body);
}

/* Reads a body of exactly that size, in memory of its own; returns how many tasks it has. */
static size_t read_all(const unsigned char *data, size_t size, bool *is_broken)
{
    unsigned char *copy = malloc(size + 1);
    struct mwi_checkpoint_reader reader;
    struct mwi_checkpoint_item item;
    size_t count = 0;
    memcpy(copy, data, size);
    mwi_checkpoint_items_open(&reader, copy, size);
    while (mwi_checkpoint_items_next(&reader, &item))
        count++;
    *is_broken = reader.is_broken;
    free(copy);
    return count;
}

/* A body that ends early is broken, unless it ends between two tasks. */
static void test_cut(void)
{
    struct mwi_buffer body;
    bool is_broken;
    size_t whole_count = 0;
    write_all(&body);

    for (size_t size = 0; size < body.size; size++) {
        CU_ASSERT_TRUE(read_all(body.data, size, &is_broken) < ITEMS_COUNT);
        whole_count += !is_broken;
    }

    CU_ASSERT_EQUAL(whole_count, ITEMS_COUNT);
    mwi_buffer_fini(&body);
}

/* If any bit is flipped, nothing is read beyond the end; a sanitizer would tell. */
static void test_damaged(void)
{
    struct mwi_buffer body;
    bool is_broken;
    write_all(&body);
    for (size_t i = 0; i < body.size; i++)
        for (int bit = 0; bit < 8; bit++) {
            body.data[i] ^= (unsigned char)(1 << bit);
            CU_ASSERT_TRUE(read_all(body.data, body.size, &is_broken) <= body.size);
            body.data[i] ^= (unsigned char)(1 << bit);
        }
    mwi_buffer_fini(&body);
}

/* Numbers of tasks are read by their index; behind the last there is none. */
static void test_ids(void)
{
    struct mwi_buffer body;
    mwi_buffer_init(&body);
    mwi_checkpoint_items_append_id(&body, 5);
    mwi_checkpoint_items_append_id(&body, UINT64_MAX);

    CU_ASSERT_EQUAL(mwi_checkpoint_items_id(body.data, body.size, 0), 5);
    CU_ASSERT_EQUAL(mwi_checkpoint_items_id(body.data, body.size, 1), UINT64_MAX);
    CU_ASSERT_EQUAL(mwi_checkpoint_items_id(body.data, body.size, 2), 0);
    CU_ASSERT_EQUAL(mwi_checkpoint_items_id(body.data, 15, 1), 0);
    mwi_buffer_fini(&body);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"there and back", test_there_and_back},
        {"cut", test_cut},
        {"damaged", test_damaged},
        {"ids", test_ids},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("checkpoint items", tests);
}
