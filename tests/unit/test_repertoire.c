/* SPDX-License-Identifier: Apache-2.0
 *
 * The algorithms of a slave by the numbers of its master: who has which, under which name, and what
 * a second master changes.
 */
#include "engine/repertoire.h"

#include <string.h>

#include "mwt_run.h"
#include "mwt_slave.h"
#include "wire/content.h"

static void run_alpha(mw_call *call)
{
    (void)call;
}

static void run_beta(mw_call *call)
{
    (void)call;
}

static const mw_algorithm own[] = {{"alpha", run_alpha}, {"beta", run_beta}, {NULL, NULL}};

/* Learns what the welcome of a master with these algorithms says. */
static void learn(struct mwi_repertoire *repertoire, const mw_algorithm *theirs)
{
    struct mwi_decoder decoder;
    struct mwi_message message;
    struct mwi_buffer frame;
    mw_reason why;
    mwi_buffer_init(&frame);
    mwi_message_write_welcome(&frame, 1, 1, 10000, 77, theirs);
    CU_ASSERT_TRUE_FATAL(mwi_message_decoder_init(&decoder));
    CU_ASSERT_EQUAL_FATAL(mwi_message_decode(&decoder, frame.data, frame.size, &message, &why),
                          MW_OK);
    CU_ASSERT_TRUE_FATAL(mwi_repertoire_learn(repertoire, own, &message));
    mwi_message_decoder_fini(&decoder);
    mwi_buffer_fini(&frame);
}

/* The master's numbers lead to the slave's functions, whatever the order is. A name that only
 * begins like one of the slave's is another one. */
static void test_by_name(void)
{
    static const mw_algorithm theirs[] = {{"gamma", NULL}, {"beta", NULL},   {"alpha", NULL},
                                          {"alph", NULL},  {"alphas", NULL}, {0}};
    struct mwi_repertoire repertoire = {0};

    learn(&repertoire, theirs);

    CU_ASSERT_EQUAL_FATAL(repertoire.count, 5);
    CU_ASSERT_TRUE(mwi_repertoire_run(&repertoire, 0) == NULL);
    CU_ASSERT_TRUE(mwi_repertoire_run(&repertoire, 1) == run_beta);
    CU_ASSERT_TRUE(mwi_repertoire_run(&repertoire, 2) == run_alpha);
    CU_ASSERT_TRUE(mwi_repertoire_run(&repertoire, 3) == NULL);
    CU_ASSERT_TRUE(mwi_repertoire_run(&repertoire, 4) == NULL);
    for (size_t i = 0; i < 5; i++) {
        CU_ASSERT_STRING_EQUAL(mwi_repertoire_name(&repertoire, i), theirs[i].name);
        CU_ASSERT_EQUAL(repertoire.numbers[i],
                        mwi_content_name(theirs[i].name, strlen(theirs[i].name)));
    }
    mwi_repertoire_fini(&repertoire);
}

/* A number that the master has not named, however large, is of no algorithm. Before a welcome, all
 * are. */
static void test_unknown_numbers(void)
{
    static const mw_algorithm theirs[] = {{"alpha", NULL}, {0}};
    struct mwi_repertoire repertoire = {0};
    for (int round = 0; round < 2; round++) {
        CU_ASSERT_TRUE(mwi_repertoire_run(&repertoire, 1) == NULL);
        CU_ASSERT_STRING_EQUAL(mwi_repertoire_name(&repertoire, 1), "?");
        CU_ASSERT_TRUE(mwi_repertoire_run(&repertoire, UINT32_MAX) == NULL);
        CU_ASSERT_STRING_EQUAL(mwi_repertoire_name(&repertoire, UINT32_MAX), "?");
        learn(&repertoire, theirs);
    }
    mwi_repertoire_fini(&repertoire);
}

/* A name is kept printable, but is found, and has its number, as the master has sent it. */
static void test_odd_names(void)
{
    static const mw_algorithm theirs[] = {{"", NULL}, {"a\nb", NULL}, {0}};
    struct mwi_repertoire repertoire = {0};

    learn(&repertoire, theirs);

    CU_ASSERT_TRUE(mwi_repertoire_run(&repertoire, 0) == NULL);
    CU_ASSERT_STRING_EQUAL(mwi_repertoire_name(&repertoire, 0), "");
    CU_ASSERT_STRING_EQUAL(mwi_repertoire_name(&repertoire, 1), "a\\nb");
    CU_ASSERT_EQUAL(repertoire.numbers[1], mwi_content_name("a\nb", 3));
    mwi_repertoire_fini(&repertoire);
}

/* The algorithms of the next master replace those of the one before, also if there are fewer, or
 * none. */
static void test_next_master(void)
{
    static const mw_algorithm first[] = {{"alpha", NULL}, {"beta", NULL}, {0}};
    static const mw_algorithm second[] = {{"beta", NULL}, {0}};
    static const mw_algorithm none[] = {{0}};
    struct mwi_repertoire repertoire = {0};

    learn(&repertoire, first);
    learn(&repertoire, second);
    CU_ASSERT_EQUAL(repertoire.count, 1);
    CU_ASSERT_TRUE(mwi_repertoire_run(&repertoire, 0) == run_beta);
    CU_ASSERT_STRING_EQUAL(mwi_repertoire_name(&repertoire, 1), "?");

    learn(&repertoire, none);
    CU_ASSERT_EQUAL(repertoire.count, 0);
    CU_ASSERT_STRING_EQUAL(mwi_repertoire_name(&repertoire, 0), "?");
    mwi_repertoire_fini(&repertoire);
}

/* Tasks that come are run by the functions that their algorithms have here, and one of an algorithm
 * that the slave has not is handed out under the master's name. */
static void test_tasks(void)
{
    static const char tasks[] = "\x97\x04\x04\x00\xc4\x08\x00\x00\x00\x01\x00\x02\x01\x00"
                                "\x01\x00\xc4\x00";
    static const char *const names[] = {"beta", "alpha", "gamma", "?"};
    static const bool is_known[] = {true, true, false, false};
    static struct mwt_slave slave;
    struct mwi_slave_task task;
    CU_ASSERT_TRUE_FATAL(mwt_slave_start(&slave, NULL));
    mwt_slave_join(&slave, 1, 1 << 20);

    mwt_slave_bytes(&slave, tasks, sizeof tasks - 1);

    for (size_t i = 0; i < 4; i++) {
        CU_ASSERT_TRUE_FATAL(mwi_slave_engine_begin_task(&slave.engine, &task));
        CU_ASSERT_STRING_EQUAL(task.name, names[i]);
        CU_ASSERT_EQUAL(task.run != NULL, is_known[i]);
        mwt_slave_return(&slave, NULL, 0);
        mwi_slave_engine_end_task(&slave.engine, 1, 0);
    }
    CU_ASSERT_EQUAL(slave.engine.effects.error, MW_OK);
    mwt_slave_end(&slave);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"by name", test_by_name},     {"unknown numbers", test_unknown_numbers},
        {"odd names", test_odd_names}, {"next master", test_next_master},
        {"tasks", test_tasks},         CU_TEST_INFO_NULL,
    };
    return mwt_run("repertoire", tests);
}
