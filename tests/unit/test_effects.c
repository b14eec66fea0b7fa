/* SPDX-License-Identifier: Apache-2.0
 *
 * The list of effects: their order, their memory, and the error that remains after an allocation
 * has failed.
 */
#include "engine/effects.h"

#include <string.h>

#include "mwt_run.h"

static void *frame_of(const char *text)
{
    void *frame = strdup(text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(frame);
    return frame;
}

/* Effects are kept in the order in which they were left, with all that belongs to them. */
static void test_order(void)
{
    struct mwi_effects effects;
    struct mwi_audit_record record = {.kind = MWI_AUDIT_TASKS_SENT, .sid = 4, .count = 9};
    mwi_effects_init(&effects);
    effects.audited_kinds = mwi_audit_kinds(MWI_AUDIT_LEVEL_ALL);

    mwi_effects_send(&effects, 1, frame_of("frame"), 5);
    mwi_effects_drop(&effects, 2);
    mwi_effects_lost(&effects, 3, true, MW_LOSS_SILENCE);
    mwi_effects_audit(&effects, &record);
    record.count = 0;

    CU_ASSERT_EQUAL_FATAL(effects.count, 4);
    CU_ASSERT_TRUE(effects.items[0].kind == MWI_EFFECT_SEND && effects.items[0].peer == 1);
    CU_ASSERT_STRING_EQUAL((const char *)effects.items[0].frame, "frame");
    CU_ASSERT_EQUAL(effects.items[0].size, 5);
    CU_ASSERT_TRUE(effects.items[1].kind == MWI_EFFECT_DROP && effects.items[1].peer == 2);
    CU_ASSERT_TRUE(effects.items[2].kind == MWI_EFFECT_LOST && effects.items[2].peer == 3);
    CU_ASSERT_TRUE(effects.items[2].was_useful);
    CU_ASSERT_EQUAL(effects.items[2].loss, MW_LOSS_SILENCE);
    CU_ASSERT_EQUAL(effects.items[3].kind, MWI_EFFECT_AUDIT);
    CU_ASSERT_TRUE(effects.items[3].record.sid == 4 && effects.items[3].record.count == 9);
    mwi_effects_fini(&effects);
}

/* Any number of effects fits, and the frames that nobody took are freed at the end. */
static void test_many(void)
{
    struct mwi_effects effects;
    mwi_effects_init(&effects);

    for (mw_peer peer = 1; peer <= 1000; peer++) {
        mwi_effects_send(&effects, peer, frame_of("x"), 1);
        mwi_effects_drop(&effects, peer);
    }

    CU_ASSERT_EQUAL_FATAL(effects.count, 2000);
    for (size_t i = 0; i < 2000; i++)
        CU_ASSERT_EQUAL(effects.items[i].peer, i / 2 + 1);
    CU_ASSERT_EQUAL(effects.error, MW_OK);
    mwi_effects_fini(&effects);
    CU_ASSERT_EQUAL(effects.count, 0);
    mwi_effects_fini(&effects);
}

/* When nobody wants the audit trail, records cost nothing. */
static void test_no_audit(void)
{
    struct mwi_effects effects;
    mwi_effects_init(&effects);

    mwi_effects_audit(&effects, &(struct mwi_audit_record){.kind = MWI_AUDIT_CEOF});

    CU_ASSERT_EQUAL(effects.count, 0);
    CU_ASSERT_EQUAL(effects.error, MW_OK);
    mwi_effects_fini(&effects);
}

/* A message that could not be made is remembered as a failure, and is not sent. */
static void test_frame_out_of_memory(void)
{
    struct mwi_effects effects;
    mwi_effects_init(&effects);

    mwi_effects_send(&effects, 1, NULL, 0);

    CU_ASSERT_EQUAL(effects.error, MW_ENOMEM);
    CU_ASSERT_EQUAL(effects.count, 0);
    mwi_effects_fini(&effects);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"order", test_order},       {"many", test_many},
        {"no audit", test_no_audit}, {"frame out of memory", test_frame_out_of_memory},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("engine", tests);
}
