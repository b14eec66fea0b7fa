/* SPDX-License-Identifier: Apache-2.0
 *
 * The tasks that wait at a slave: in their order, however many come, with payloads and saved bytes
 * that stay while the task runs, whatever is forgotten meanwhile. Frames of an odd size are lent to
 * the queue, others may be kept, so both ways are tested.
 */
#include "engine/task_queue.h"

#include <stdlib.h>
#include <string.h>

#include "mwt_items.h"
#include "mwt_random.h"
#include "mwt_run.h"

#define LARGE MWI_MESSAGE_LARGE_BYTES
#define SCOPE 9

struct rig {
    struct mwi_task_queue queue;
    struct mwi_decoder decoder;
    uint64_t ids_count;
    size_t shift; /* where a frame begins in its block */
};

static void start(struct rig *rig)
{
    memset(rig, 0, sizeof *rig);
    CU_ASSERT_TRUE_FATAL(mwi_message_decoder_init(&rig->decoder));
}

static void end(struct rig *rig)
{
    mwi_task_queue_fini(&rig->queue);
    mwi_message_decoder_fini(&rig->decoder);
}

/* The frame comes. All that the queue only borrows is freed. */
static mw_error take_frame(struct rig *rig, struct mwi_buffer *buffer)
{
    struct mwi_message message;
    mw_reason why;
    size_t size = buffer->size;
    bool is_lent = size % 2 == 1;
    CU_ASSERT_FALSE_FATAL(buffer->has_failed);
    unsigned char *block = malloc(rig->shift + size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(block);
    memcpy(block + rig->shift, buffer->data, size);
    mwi_buffer_fini(buffer);
    mw_frame frame = {.data = block + rig->shift, .size = size, .block = is_lent ? NULL : block};
    CU_ASSERT_EQUAL_FATAL(mwi_message_decode(&rig->decoder, frame.data, size, &message, &why),
                          MW_OK);
    mw_error error = message.kind == MWI_MESSAGE_SAVE
                         ? mwi_task_queue_announce(&rig->queue, &message, &frame)
                         : mwi_task_queue_append(&rig->queue, &message, &frame, SCOPE);
    if (is_lent || frame.block != NULL)
        free(block);
    return error;
}

/* A message of `count` tasks comes. Their ids count up. The payload of each is its id in a byte. */
static mw_error give(struct rig *rig, size_t count)
{
    struct mwi_message_item items[64];
    unsigned char payloads[64];
    struct mwi_buffer buffer;
    CU_ASSERT_FATAL(count <= 64);
    for (size_t i = 0; i < count; i++) {
        payloads[i] = (unsigned char)rig->ids_count;
        items[i] = mwt_items_make(rig->ids_count++, MWI_PAYLOAD_BYTES, &payloads[i], 1);
    }
    mwi_buffer_init(&buffer);
    mwt_items_tasks(&buffer, items, count);
    return take_frame(rig, &buffer);
}

/* Bytes come that an earlier attempt of this task has saved. */
static mw_error give_saved(struct rig *rig, uint64_t id, const void *data, size_t size)
{
    struct mwi_buffer buffer;
    mwi_buffer_init(&buffer);
    mwi_message_begin_save(&buffer, id);
    mwi_buffer_append(&buffer, data, size);
    return take_frame(rig, &buffer);
}

/* Begins the next task. */
static struct mwi_message_item take(struct rig *rig)
{
    CU_ASSERT_FATAL(rig->queue.tasks_count > 0);
    struct mwi_message_item item = mwi_task_queue_next(&rig->queue);
    CU_ASSERT_EQUAL(item.id, mwi_task_queue_next_id(&rig->queue));
    CU_ASSERT_EQUAL(mwi_task_queue_first(&rig->queue)->scope, SCOPE);
    mwi_task_queue_take(&rig->queue, item.size);
    return item;
}

/* Whether the payload is there, while the task runs. */
static bool is_whole(const struct mwi_message_item *item)
{
    return item->size == 1 && item->data[0] == (unsigned char)item->id;
}

/* Tasks come out in the order in which they came. The queue grows with the tasks that come, whether
 * it is emptied meanwhile or not. */
static void test_order(void)
{
    struct rig rig;
    struct mwt_random random;
    uint64_t expected_id = 0;
    mwt_random_start(&random);
    start(&rig);

    for (int round = 0; round < 300; round++) {
        CU_ASSERT_EQUAL(give(&rig, round % 10 == 0 ? 19 : 1 + mwt_random_below(&random, 3)), MW_OK);
        for (size_t i = mwt_random_below(&random, 8); i > 0 && rig.queue.tasks_count > 0; i--) {
            struct mwi_message_item item = take(&rig);
            CU_ASSERT_EQUAL(item.id, expected_id++);
            CU_ASSERT_TRUE(is_whole(&item));
            mwi_task_queue_release(&rig.queue);
        }
        CU_ASSERT_EQUAL(rig.queue.tasks_count, rig.ids_count - expected_id);
    }
    end(&rig);
}

/* The payloads of a group lie in one block, which stays until the last of its tasks has ended. */
static void test_tasks_share_a_frame(void)
{
    struct rig rig;
    start(&rig);
    CU_ASSERT_EQUAL(give(&rig, 3), MW_OK);
    const struct mwi_block *block = mwi_task_queue_first(&rig.queue)->block;

    for (int i = 0; i < 3; i++) {
        CU_ASSERT_PTR_EQUAL(mwi_task_queue_first(&rig.queue)->block, block);
        struct mwi_message_item item = take(&rig);
        CU_ASSERT_TRUE(is_whole(&item));
        CU_ASSERT_PTR_EQUAL(rig.queue.running_block, i == 2 ? block : NULL);
        mwi_task_queue_release(&rig.queue);
    }

    CU_ASSERT_EQUAL(rig.queue.messages_count, 0);
    CU_ASSERT_PTR_NULL(rig.queue.running_block);
    end(&rig);
}

/* A task that waits is found by its id in whichever message it is; one that has begun is not. */
static void test_has(void)
{
    struct rig rig;
    start(&rig);
    CU_ASSERT_FALSE(mwi_task_queue_has(&rig.queue, 0));
    for (int i = 0; i < 6; i++)
        CU_ASSERT_EQUAL(give(&rig, 3), MW_OK);

    for (uint64_t begun = 0; begun <= 18; begun++) {
        for (uint64_t id = 0; id < 20; id++)
            CU_ASSERT_EQUAL(mwi_task_queue_has(&rig.queue, id), id >= begun && id < 18);
        if (begun == 18)
            break;
        take(&rig);
        mwi_task_queue_release(&rig.queue);
    }
    end(&rig);
}

/* When the tasks that wait are forgotten, the payload of the task that runs stays until it has
 * ended: whether it was the last of its message, or others came behind it there. */
static void test_clear(void)
{
    for (size_t count = 1; count <= 2; count++) {
        struct rig rig;
        start(&rig);
        CU_ASSERT_EQUAL(give(&rig, count), MW_OK);
        CU_ASSERT_EQUAL(give(&rig, 5), MW_OK);
        struct mwi_message_item item = take(&rig);

        mwi_task_queue_clear(&rig.queue, true);
        CU_ASSERT_EQUAL(rig.queue.tasks_count, 0);
        CU_ASSERT_EQUAL(rig.queue.messages_count, 0);
        CU_ASSERT_EQUAL(give(&rig, 2), MW_OK);
        mwi_task_queue_clear(&rig.queue, true);
        CU_ASSERT_TRUE(is_whole(&item));

        CU_ASSERT_EQUAL(give(&rig, 2), MW_OK);
        mwi_task_queue_release(&rig.queue);
        item = take(&rig);
        CU_ASSERT_EQUAL(item.id, count + 7);
        CU_ASSERT_TRUE(is_whole(&item));
        end(&rig);
    }
}

/* Saved bytes come with the task behind them alone, and stay until it has ended. They are aligned,
 * few or many of them; few lie at any address when they come. */
static void test_saved(void)
{
    static char many[LARGE + 1];
    static const size_t sizes[] = {0, 1, 1000, LARGE - 1, LARGE, LARGE + 1};
    memset(many, 'm', sizeof many);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct rig rig;
        start(&rig);
        rig.shift = sizes[i] < LARGE ? 3 : 0;
        CU_ASSERT_EQUAL(give(&rig, 1), MW_OK);
        CU_ASSERT_EQUAL(give_saved(&rig, rig.ids_count, many, sizes[i]), MW_OK);
        CU_ASSERT_EQUAL(give(&rig, 1), MW_OK);
        CU_ASSERT_EQUAL(give(&rig, 1), MW_OK);

        for (int task = 0; task < 3; task++) {
            const struct mwi_saved *loaded = &rig.queue.loaded;
            take(&rig);
            CU_ASSERT_EQUAL(loaded->block != NULL, task == 1);
            if (task == 1) {
                CU_ASSERT_EQUAL(loaded->size, sizes[i]);
                CU_ASSERT_EQUAL(memcmp(loaded->data, many, sizes[i]), 0);
                CU_ASSERT_EQUAL((uintptr_t)loaded->data % 16, 0);
            }
            mwi_task_queue_release(&rig.queue);
        }
        end(&rig);
    }
}

/* Saved bytes that have another task behind them, or several, or other saved bytes, break the
 * protocol. Nothing of the message is taken. */
static void test_misplaced(void)
{
    for (int i = 0; i < 3; i++) {
        struct rig rig;
        start(&rig);
        CU_ASSERT_EQUAL(give_saved(&rig, rig.ids_count + (i == 0), "x", 1), MW_OK);
        mw_error error =
            i == 2 ? give_saved(&rig, rig.ids_count, "y", 1) : give(&rig, i == 0 ? 1 : 2);

        CU_ASSERT_EQUAL(error, MW_EPROTOCOL);
        CU_ASSERT_EQUAL(rig.queue.tasks_count, 0);
        CU_ASSERT_EQUAL(rig.queue.messages_count, 0);
        end(&rig);
    }
}

/* Forgetting the tasks that wait also forgets saved bytes whose task has not come: the next master
 * knows nothing of them. */
static void test_clear_announced(void)
{
    struct rig rig;
    start(&rig);
    CU_ASSERT_EQUAL(give_saved(&rig, 1000, "x", 1), MW_OK);

    mwi_task_queue_clear(&rig.queue, false);

    CU_ASSERT_EQUAL(give(&rig, 2), MW_OK);
    take(&rig);
    CU_ASSERT_PTR_NULL(rig.queue.loaded.block);
    end(&rig);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"order", test_order},
        {"tasks share a frame", test_tasks_share_a_frame},
        {"has", test_has},
        {"clear", test_clear},
        {"saved", test_saved},
        {"misplaced", test_misplaced},
        {"clear announced", test_clear_announced},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("task_queue", tests);
}
