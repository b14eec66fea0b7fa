/* SPDX-License-Identifier: Apache-2.0
 *
 * When the tcp transport gives up a host: after a time without an answer that it owes, and never
 * while it answers.
 */
#include <CUnit/Basic.h>

#include "mwt_run.h"
#include "silence.h"

/* Returns the number of the look at which a host is given up; 1000 if it is not. An answer comes
 * before the look `answered_at`; 0: none comes. At the first look the last answer is `idle_ms`
 * old. */
static unsigned count_looks(unsigned answered_at, uint32_t idle_ms)
{
    struct mwi_tcp_silence silence = {0};
    uint32_t last_answer_ms = idle_ms;

    for (unsigned look = 1; look < 1000; look++) {
        if (look == answered_at)
            last_answer_ms = 100;
        if (mwi_tcp_silence_is_lost(&silence, true, last_answer_ms))
            return look;
        last_answer_ms += MWI_TCP_SILENCE_LOOK_MS;
    }
    return 1000;
}

/* A host is given up after 45 s of silence, counted from when it first owed an answer. */
static void test_silence(void)
{
    CU_ASSERT_EQUAL(count_looks(0, 0), 10);
    CU_ASSERT_EQUAL(count_looks(0, 1000 * 1000), 10);
    CU_ASSERT_EQUAL(count_looks(5, 0), 14);
}

/* A host that answers is never given up, however little it reads. */
static void test_answers(void)
{
    struct mwi_tcp_silence silence = {0};

    for (int look = 0; look < 1000; look++) {
        CU_ASSERT_FALSE(mwi_tcp_silence_is_lost(&silence, look % 8 != 0, 40000));
        CU_ASSERT_FALSE(mwi_tcp_silence_is_lost(&silence, true, 300));
    }
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"silence", test_silence},
        {"answers", test_answers},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("tcp silence", tests);
}
