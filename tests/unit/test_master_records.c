/* SPDX-License-Identifier: Apache-2.0
 *
 * The records of tasks that have ended, which a master leaves if they are asked for: their times,
 * outcomes, tags and sizes.
 */
#include <stdlib.h>
#include <string.h>

#include "mwt_master.h"
#include "mwt_policy.h"
#include "mwt_run.h"

/* An engine that is asked for nothing but these records, with groups of two tasks. */
static void start(struct mwt_master *master)
{
    struct mwi_master_engine_config config = mwt_master_config();
    config.task_group = 2;
    CU_ASSERT_TRUE_FATAL(mwt_master_start(master, &config));
    master->engine.effects.audited_kinds = UINT64_C(1) << MWI_AUDIT_TASK_ENDED;
}

static void end(struct mwt_master *master)
{
    CU_ASSERT_FALSE(master->outbox.has_overflowed);
    mwt_master_end(master);
}

/* Lets time pass to a second, at which the tasks are submitted. */
static void submit_at(struct mwt_master *master, int64_t second, const char *names)
{
    mwt_master_tick(master, second * MWT_SECOND);
    mwt_master_submit(master, names);
}

/* Of the results of a message, the later ones ran after the earlier ones, and the last has just
 * ended. */
static void test_times(void)
{
    static struct mwt_master master;
    start(&master);
    submit_at(&master, 5, "a bcd");
    mwt_master_tick(&master, 6 * MWT_SECOND);
    mwt_master_greet(&master, 1);
    mwt_master_tick(&master, 7 * MWT_SECOND);

    mwt_master_return(&master, 1, "a bcd");

    CU_ASSERT_STRING_EQUAL(
        master.outbox.trail,
        "{\"time_ns\":7000000000,\"subject\":\"TASK\",\"event\":\"task\",\"id\":1,\"tag\":0,"
        "\"slave\":0,\"submitted\":4.999610368,\"sent\":6.000000000,\"begun\":6.999997000,"
        "\"ended\":6.999998000,\"seconds\":0.000001000,\"outcome\":\"done\",\"bytes\":1,"
        "\"result_bytes\":1,\"algorithm\":\"alpha\"}\n"
        "{\"time_ns\":7000000000,\"subject\":\"TASK\",\"event\":\"task\",\"id\":2,\"tag\":1,"
        "\"slave\":0,\"submitted\":4.999610368,\"sent\":6.000000000,\"begun\":6.999998000,"
        "\"ended\":7.000000000,\"seconds\":0.000002000,\"outcome\":\"done\",\"bytes\":3,"
        "\"result_bytes\":3,\"algorithm\":\"alpha\"}\n");
    end(&master);
}

/* A slave that claims to have worked for longer than it had the task is not believed. */
static void test_claims(void)
{
    static struct mwt_master master;
    start(&master);
    submit_at(&master, 5, "a b");
    mwt_master_greet(&master, 1);

    mwt_master_fail(&master, 1, "a b");

    CU_ASSERT_PTR_NOT_NULL(strstr(master.outbox.trail, "\"sent\":5.000000000,\"begun\":5.000000000,"
                                                       "\"ended\":5.000000000,\"seconds\":0."
                                                       "000000000,\"outcome\":\"failed\""));
    CU_ASSERT_PTR_NULL(strstr(master.outbox.trail, "\"begun\":4."));
    end(&master);
}

/* A task that is given up was sent, but nobody knows whether it was begun. One that is cancelled in
 * the queue was not even sent. Each task has one record. */
static void test_other_outcomes(void)
{
    static struct mwt_master master;
    start(&master);
    mwt_master_tick(&master, 5 * MWT_SECOND);
    mwt_master_submit_one(&master, "a", true, 1);
    mwt_master_submit_one(&master, "b", false, 3);
    mwt_master_submit_one(&master, "c", false, 3);
    mwt_master_greet(&master, 1);

    CU_ASSERT_EQUAL(mwi_lifecycle_cancel(&master.engine, 3), MW_OK);
    CU_ASSERT_EQUAL(mwi_lifecycle_cancel(&master.engine, 2), MW_OK);
    mwt_master_return(&master, 1, "b");
    mwt_master_down(&master, 1, "gone");

    CU_ASSERT_STRING_EQUAL(
        master.outbox.trail,
        "{\"time_ns\":5000000000,\"subject\":\"TASK\",\"event\":\"task\",\"id\":3,\"tag\":2,"
        "\"slave\":null,\"submitted\":4.999610368,\"sent\":null,\"begun\":null,"
        "\"ended\":5.000000000,\"seconds\":null,\"outcome\":\"cancelled\",\"bytes\":1,"
        "\"result_bytes\":0,\"algorithm\":\"alpha\"}\n"
        "{\"time_ns\":5000000000,\"subject\":\"TASK\",\"event\":\"task\",\"id\":2,\"tag\":1,"
        "\"slave\":0,\"submitted\":4.999610368,\"sent\":5.000000000,\"begun\":null,"
        "\"ended\":5.000000000,\"seconds\":null,\"outcome\":\"cancelled\",\"bytes\":1,"
        "\"result_bytes\":0,\"algorithm\":\"alpha\"}\n"
        "{\"time_ns\":5000000000,\"subject\":\"TASK\",\"event\":\"task\",\"id\":1,\"tag\":0,"
        "\"slave\":0,\"submitted\":4.999610368,\"sent\":null,\"begun\":null,"
        "\"ended\":5.000000000,\"seconds\":null,\"outcome\":\"unrunnable\",\"bytes\":1,"
        "\"result_bytes\":0,\"algorithm\":\"alpha\"}\n");
    end(&master);
}

/* A tag of bytes is written in hexadecimal, and cut after 64 bytes. */
static void test_tags_of_bytes(void)
{
    static struct mwt_master master;
    char expected[160] = "\"tag\":\"00ff";
    uint64_t id;
    start(&master);
    struct mwi_lifecycle_task submission = {.policy = mwt_policy_default(),
                                            .payload = {(unsigned char *)strdup("a"), 1, true}};
    submission.tag_bytes = calloc(1, sizeof(struct mwi_tag) + 100);
    CU_ASSERT_PTR_NOT_NULL_FATAL(submission.tag_bytes);
    submission.tag_bytes->size = 100;
    submission.tag_bytes->bytes[1] = 0xff;
    for (int i = 2; i < MWI_AUDIT_TAG_BYTES; i++)
        strcat(expected, "00");
    strcat(expected, "\",");

    CU_ASSERT_EQUAL(mwi_lifecycle_submit(&master.engine, &submission, &id), MW_OK);
    CU_ASSERT_EQUAL(mwi_lifecycle_cancel(&master.engine, id), MW_OK);
    mwt_master_tick(&master, 1);

    CU_ASSERT_PTR_NOT_NULL(strstr(master.outbox.trail, expected));
    end(&master);
}

/* Without being asked, the engine leaves no such record. */
static void test_only_when_asked(void)
{
    static struct mwt_master master;
    start(&master);
    master.engine.effects.audited_kinds = mwi_audit_kinds(MWI_AUDIT_LEVEL_ALL);
    mwt_master_submit(&master, "a");
    mwt_master_greet(&master, 1);
    mwt_master_return(&master, 1, "a");

    CU_ASSERT_PTR_NOT_NULL(strstr(master.outbox.trail, "SLAVE-0 -> 1 results"));
    CU_ASSERT_PTR_NULL(strstr(master.outbox.trail, "TASK"));
    end(&master);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"times", test_times},
        {"claims", test_claims},
        {"other outcomes", test_other_outcomes},
        {"tags of bytes", test_tags_of_bytes},
        {"only when asked", test_only_when_asked},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("master_records", tests);
}
