/* SPDX-License-Identifier: Apache-2.0
 *
 * The queue of results: in order of arrival however it grows, and nothing of a block is left when
 * the queue ends, which the sanitizer and valgrind builds watch.
 */
#include "farm/finished.h"

#include "mwt_random.h"
#include "mwt_run.h"

static bool push_tag(struct mwi_finished_queue *queue, int64_t tag)
{
    return mwi_finished_push(queue, &(struct mwi_finished){.tag = tag});
}

/* An empty queue gives nothing and leaves the caller's item alone. */
static void test_empty(void)
{
    struct mwi_finished item = {.tag = 77};
    struct mwi_finished_queue queue;
    struct mwi_finished_end end;
    mwi_finished_init(&queue);

    CU_ASSERT_FALSE(mwi_finished_pop(&queue, &item, &end));

    CU_ASSERT_EQUAL(item.tag, 77);
    mwi_finished_fini(&queue);
    mwi_finished_fini(&queue);
}

/* All of a result comes out as it went in. */
static void test_item_is_kept(void)
{
    unsigned char payload[3] = "ab";
    struct mwi_finished item, in = {.payload = {payload, 2, true},
                                    .tag = INT64_MIN,
                                    .duration_ns = UINT64_MAX,
                                    .sid = 12,
                                    .algorithm = UINT16_MAX,
                                    .is_failed = true};
    struct mwi_finished_queue queue;
    struct mwi_finished_end end;
    mwi_finished_init(&queue);

    CU_ASSERT_TRUE(mwi_finished_push(&queue, &in));
    CU_ASSERT_TRUE(mwi_finished_pop(&queue, &item, &end));

    CU_ASSERT_PTR_EQUAL(item.payload.data, payload);
    CU_ASSERT_EQUAL(item.payload.size, 2);
    CU_ASSERT_TRUE(item.payload.is_bytes && item.is_failed);
    CU_ASSERT_EQUAL(item.tag, INT64_MIN);
    CU_ASSERT_EQUAL(item.duration_ns, UINT64_MAX);
    CU_ASSERT_EQUAL(item.sid, 12);
    CU_ASSERT_EQUAL(item.algorithm, UINT16_MAX);
    mwi_finished_fini(&queue);
}

/* Results come out in order of arrival, whenever the ring grows, wherever it begins. */
static void test_order(void)
{
    struct mwt_random random;
    struct mwi_finished item;
    struct mwi_finished_queue queue;
    struct mwi_finished_end end;
    int64_t in = 0, out = 0;
    mwt_random_start(&random);
    mwi_finished_init(&queue);

    for (int step = 0; step < 2000; step++) {
        for (size_t i = mwt_random_below(&random, 40); i > 0; i--)
            CU_ASSERT_TRUE(push_tag(&queue, in++));
        for (size_t i = mwt_random_below(&random, 39); i > 0 && out < in; i--) {
            CU_ASSERT_TRUE(mwi_finished_pop(&queue, &item, &end));
            CU_ASSERT_EQUAL(item.tag, out++);
        }
        CU_ASSERT_EQUAL(queue.count, (size_t)(in - out));
    }

    while (mwi_finished_pop(&queue, &item, &end))
        CU_ASSERT_EQUAL(item.tag, out++);
    CU_ASSERT_EQUAL(out, in);
    mwi_finished_fini(&queue);
}

/* Several results hold one block: what is popped passes its reference on, what is left at the end
 * is let go. */
static void test_references(void)
{
    unsigned char *data;
    unsigned char bytes[] = "results";
    mw_frame frame = {.data = bytes, .size = sizeof bytes};
    struct mwi_block *block = mwi_block_keep(&frame, &data);
    struct mwi_finished item, in = {.block = block, .payload = {data, 7, true}};
    struct mwi_finished_queue queue;
    struct mwi_finished_end end;
    CU_ASSERT_PTR_NOT_NULL_FATAL(block);
    mwi_finished_init(&queue);
    mwi_block_ref(block);

    CU_ASSERT_TRUE(mwi_finished_push(&queue, &in));
    CU_ASSERT_TRUE(mwi_finished_push(&queue, &in));
    CU_ASSERT_TRUE(mwi_finished_pop(&queue, &item, &end));
    mwi_finished_fini(&queue);

    CU_ASSERT_STRING_EQUAL((const char *)item.payload.data, "results");
    mwi_block_unref(item.block);
}

/* A message with the results of `count` tasks of the batch, which are one byte each, as a group. */
static struct mwi_finished_group make_group(struct mwi_batch_entry *batch, uint32_t place,
                                            uint32_t count, unsigned char *bytes)
{
    return (struct mwi_finished_group){.batch = batch,
                                       .place = place,
                                       .count = count,
                                       .sid = 3,
                                       .had_ns = 50,
                                       .results = {.count = 8,
                                                   .ids = {.first = 1, .step = 1},
                                                   .forms = {.first = MWI_PAYLOAD_BYTES},
                                                   .durations = {.first = 48, .step = 1},
                                                   .sizes = {.first = 1},
                                                   .payloads = bytes,
                                                   .payload_bytes = 8},
                                       .cursor = {.index = place, .offset = place}};
}

/* The results of a group come out one by one between others, with what the batch knows of their
 * tasks. None ran for longer than its slave had it. The last says what is to be released. */
static void test_group(void)
{
    unsigned char bytes[] = "abcdefgh";
    struct mwi_batch_task tasks[8];
    struct mwi_batch_entry batch = {.first_id = 10, .tasks = tasks, .count = 8};
    struct mwi_finished item;
    struct mwi_finished_end end;
    struct mwi_finished_queue queue;
    mwi_finished_init(&queue);
    for (uint32_t i = 0; i < 8; i++)
        tasks[i] = (struct mwi_batch_task){.tag = 100 + i, .id_offset = i, .algorithm = 1};
    struct mwi_finished_group group = make_group(&batch, 1, 3, bytes);
    CU_ASSERT_TRUE(push_tag(&queue, 1));
    CU_ASSERT_TRUE(mwi_finished_push_group(&queue, &group));
    CU_ASSERT_TRUE(push_tag(&queue, 2));
    CU_ASSERT_EQUAL(queue.count, 5);

    CU_ASSERT_TRUE(mwi_finished_pop(&queue, &item, &end));
    CU_ASSERT_PTR_NULL(mwi_finished_group_begun(&queue));
    for (uint32_t i = 1; i <= 3; i++) {
        CU_ASSERT_TRUE(mwi_finished_pop(&queue, &item, &end));
        CU_ASSERT_EQUAL(item.task, 10 + i);
        CU_ASSERT_EQUAL(item.tag, 100 + (int64_t)i);
        CU_ASSERT_EQUAL(item.sid, 3);
        CU_ASSERT_EQUAL(item.duration_ns, i < 2 ? 49 : 50);
        CU_ASSERT_PTR_EQUAL(item.payload.data, bytes + i);
        CU_ASSERT_EQUAL(item.payload.size, 1);
        CU_ASSERT_EQUAL(mwi_finished_group_begun(&queue) != NULL, i < 3);
        CU_ASSERT_PTR_EQUAL(end.batch, i < 3 ? NULL : &batch);
    }
    CU_ASSERT_EQUAL(end.count, 3);
    CU_ASSERT_TRUE(mwi_finished_pop(&queue, &item, &end));
    CU_ASSERT_EQUAL(item.tag, 2);
    CU_ASSERT_EQUAL(queue.count, 0);
    CU_ASSERT_TRUE(mwi_finished_push_group(&queue, &group));
    mwi_finished_fini(&queue);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"empty", test_empty}, {"item is kept", test_item_is_kept},
        {"order", test_order}, {"references", test_references},
        {"group", test_group}, CU_TEST_INFO_NULL,
    };
    return mwt_run("finished", tests);
}
