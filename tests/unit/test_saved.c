/* SPDX-License-Identifier: Apache-2.0
 *
 * Saved bytes on their way to a master that reads when it likes. mwt_outbox_take plays the
 * transport: until then it has what was sent.
 */
#include "engine/saved.h"

#include <string.h>

#include "mwt_heap.h"
#include "mwt_outbox.h"
#include "mwt_run.h"

#define PEER 5
#define TASK 77

struct rig {
    struct mwi_saved_outbox saving;
    struct mwi_effects effects;
    struct mwt_outbox transport;
};

static void start(struct rig *rig)
{
    memset(rig, 0, sizeof *rig);
    mwi_effects_init(&rig->effects);
    CU_ASSERT_TRUE_FATAL(mwt_outbox_init(&rig->transport));
}

static void end(struct rig *rig)
{
    CU_ASSERT_EQUAL(rig->effects.error, MW_OK);
    mwi_saved_outbox_fini(&rig->saving);
    mwi_effects_fini(&rig->effects);
    mwt_outbox_fini(&rig->transport);
}

static void put(struct rig *rig, const void *bytes, size_t size)
{
    struct mwi_saved saved = {.size = size};
    saved.block = mwi_block_copy(bytes, size, &saved.data);
    CU_ASSERT_PTR_NOT_NULL_FATAL(saved.block);
    mwi_saved_outbox_put(&rig->saving, &saved);
}

static void send_saved(struct rig *rig)
{
    mwi_saved_outbox_send(&rig->saving, &rig->effects, PEER, TASK);
}

/* All that was sent leaves. */
static void let_leave(struct rig *rig)
{
    mwt_outbox_take(&rig->transport, &rig->effects);
}

/* Whether the last frame has these saved bytes. */
static bool has_left(struct rig *rig, const char *text)
{
    const struct mwi_message *message = mwt_outbox_decode(&rig->transport, PEER);
    return message != NULL && message->kind == MWI_MESSAGE_SAVE && message->save.id == TASK &&
           message->save.size == strlen(text) &&
           memcmp(message->save.data, text, message->save.size) == 0;
}

/* The master gets the bytes with the id of the task. They count as under way until they have left,
 * and no longer. */
static void test_send(void)
{
    static struct rig rig;
    start(&rig);
    CU_ASSERT_FALSE(mwi_saved_outbox_has_unsent(&rig.saving));
    CU_ASSERT_FALSE(mwi_saved_outbox_is_sending(&rig.saving));

    put(&rig, "half", 4);
    CU_ASSERT_TRUE(mwi_saved_outbox_has_unsent(&rig.saving));
    CU_ASSERT_FALSE(mwi_saved_outbox_is_sending(&rig.saving));
    send_saved(&rig);

    CU_ASSERT_FALSE(mwi_saved_outbox_has_unsent(&rig.saving));
    CU_ASSERT_TRUE(mwi_saved_outbox_is_sending(&rig.saving));
    let_leave(&rig);
    CU_ASSERT_TRUE(has_left(&rig, "half"));
    CU_ASSERT_FALSE(mwi_saved_outbox_is_sending(&rig.saving));
    end(&rig);
}

/* Of the bytes that are saved while the transport is busy, the master gets the newest. */
static void test_newest(void)
{
    static struct rig rig;
    start(&rig);
    put(&rig, "first", 5);
    send_saved(&rig);
    put(&rig, "second", 6);
    put(&rig, "third", 5);

    let_leave(&rig);
    CU_ASSERT_TRUE(has_left(&rig, "first"));
    CU_ASSERT_FALSE(mwi_saved_outbox_is_sending(&rig.saving));
    send_saved(&rig);
    let_leave(&rig);

    CU_ASSERT_TRUE(has_left(&rig, "third"));
    CU_ASSERT_EQUAL(rig.transport.frames_count, 2);
    end(&rig);
}

/* A task that saves again and again for a master that does not read holds two pieces of memory, and
 * one when it has ended. */
static void test_master_does_not_read(void)
{
    enum { PIECE = 100000 };
    static unsigned char bytes[PIECE];
    static struct rig rig;
    start(&rig);
    size_t before = mwt_heap_bytes();
    put(&rig, bytes, PIECE);
    send_saved(&rig);

    for (int i = 0; i < 10; i++) {
        put(&rig, bytes, PIECE);
        CU_ASSERT_TRUE(mwi_saved_outbox_is_sending(&rig.saving));
    }

    CU_ASSERT_TRUE(mwt_heap_bytes() < before + 2 * PIECE + PIECE / 2);
    mwi_saved_outbox_clear(&rig.saving);
    CU_ASSERT_FALSE(mwi_saved_outbox_has_unsent(&rig.saving));
    CU_ASSERT_TRUE(mwi_saved_outbox_is_sending(&rig.saving));
    CU_ASSERT_TRUE(mwt_heap_bytes() < before + PIECE + PIECE / 2);
    end(&rig);
}

/* Bytes that must leave at once are sent behind those that have not left. Both arrive whole, also
 * if nobody else has a reference any more. */
static void test_send_while_busy(void)
{
    static struct rig rig;
    start(&rig);
    put(&rig, "first", 5);
    send_saved(&rig);
    put(&rig, "second", 6);
    send_saved(&rig);

    mwi_saved_outbox_fini(&rig.saving);
    let_leave(&rig);

    CU_ASSERT_EQUAL_FATAL(rig.transport.frames_count, 2);
    CU_ASSERT_TRUE(has_left(&rig, "second"));
    rig.transport.frames_count = 1;
    CU_ASSERT_TRUE(has_left(&rig, "first"));
    rig.transport.frames_count = 2;
    end(&rig);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"send", test_send},
        {"newest", test_newest},
        {"master does not read", test_master_does_not_read},
        {"send while busy", test_send_while_busy},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("saved", tests);
}
