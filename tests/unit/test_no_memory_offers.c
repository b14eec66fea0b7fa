/* SPDX-License-Identifier: Apache-2.0
 *
 * Out of memory while slaves that have returned offer results: the slave is dropped, may come
 * again, and the master goes on.
 */
#include "engine/offers.h"

#include <string.h>

#include "mwt_items.h"
#include "mwt_master.h"
#include "mwt_memory.h"

#define PEER 7
#define OLD_RUN 4

static void write_running(struct mwi_buffer *buffer)
{
    mwi_message_write_running(buffer, &(struct mwi_message_running){.run = OLD_RUN, .id = 9});
}

static void write_offer(struct mwi_buffer *buffer)
{
    struct mwi_digest key = {0};
    struct mwi_message_item item = mwt_items_make(9, MWI_PAYLOAD_BYTES, "a", 1);
    mwi_message_begin_offer(buffer, OLD_RUN, &item, &key, 1);
    mwi_buffer_append(buffer, "a", 1);
}

/* A result, or a task that still runs, that cannot be noted costs the master its slave and nothing
 * else. */
static void test_drop(void)
{
    static void (*const writes[])(struct mwi_buffer * buffer) = {write_running, write_offer};
    for (size_t i = 0; i < sizeof writes / sizeof writes[0]; i++) {
        static struct mwt_master master;
        struct mwi_master_engine_config config = mwt_master_config();
        struct mwi_buffer buffer;
        size_t size;
        CU_ASSERT_TRUE_FATAL(mwt_master_start(&master, &config));
        mwt_master_greet_as(&master, PEER,
                            &(struct mwi_message_hello){.host = mwi_message_text("node7"),
                                                        .traits = MWI_TRAIT_RETURNS,
                                                        .offers_count = 1});
        mwi_buffer_init(&buffer);
        writes[i](&buffer);
        void *bytes = mwi_buffer_take(&buffer, &size);
        mw_frame frame = {bytes, size, bytes, NULL};

        mwt_memory_fail(1, false);
        mwi_master_engine_step(
            &master.engine,
            &(struct mwi_event){.kind = MWI_EVENT_FRAME, .peer = PEER, .frame = &frame});
        CU_ASSERT_TRUE(mwt_memory_has_failed());
        mwt_memory_fail(0, false);

        CU_ASSERT_EQUAL(master.engine.effects.error, MW_OK);
        CU_ASSERT_PTR_NULL(mwi_slaves_find(&master.engine.slaves, PEER));
        free(frame.block);
        mwi_buffer_fini(&buffer);
        mwt_outbox_take(&master.outbox, &master.engine.effects);
        CU_ASSERT_PTR_NOT_NULL(strstr(master.outbox.trail, "the master is out of memory"));
        mwt_master_end(&master);
    }
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"drop", test_drop},
        CU_TEST_INFO_NULL,
    };
    return mwt_memory_run("no memory: offers", tests);
}
