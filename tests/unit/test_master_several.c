/* SPDX-License-Identifier: Apache-2.0
 *
 * A master to which the user gives several transports: slaves of all of them join one farm. Two
 * fake transports (mwt_fake.h) say what happens, so there are no real slaves.
 */
#include <string.h>

#include <mw/embed.h>

#include "mwt_fake.h"
#include "mwt_folder.h"
#include "mwt_run.h"

/* The bytes of a HELLO: [1, "mw", protocol 5, member id, 32767, "", "", 7, 0, 0]. */
#define HELLO                                                                                      \
    "\x9a\x01\xa2mw\x05\xb1"                                                                       \
    "default-member-id\xcd\x7f\xff\xa0\xa0\x07\x00\x00"

static const mw_algorithm algorithms[] = {{"none", NULL}, {NULL, NULL}};
static const mw_program program = {.algorithms = algorithms};

/* Options with two transports, "ranks" and "hosts", which share one clock. */
struct place {
    int64_t clock;
    struct mwt_fake fakes[2];
    mw_options *options;
};

static void start(struct place *place)
{
    memset(place, 0, sizeof *place);
    place->fakes[0].clock = place->fakes[1].clock = &place->clock;
    CU_ASSERT_EQUAL_FATAL(mw_options_create(&place->options), MW_OK);
    mw_options_set(place->options, "quiet", "1");
    CU_ASSERT_EQUAL(
        mw_options_use_transport(place->options, &mwt_fake_napping, &place->fakes[0], "ranks"),
        MW_OK);
    CU_ASSERT_EQUAL(
        mw_options_use_transport(place->options, &mwt_fake_sleeping, &place->fakes[1], "hosts"),
        MW_OK);
}

/* A slave of each transport joins the farm, though both are peer 1 of their transport. */
static void test_slaves_of_both(void)
{
    static struct place place;
    mw_master *master;
    mw_master_counts counts;
    start(&place);
    for (size_t i = 0; i < 2; i++) {
        mwt_fake_up(&place.fakes[i], 0, 1, "x");
        mwt_fake_bytes(&place.fakes[i], 0, 1, HELLO, sizeof HELLO - 1);
    }
    CU_ASSERT_EQUAL_FATAL(mw_master_open(&master, &program, place.options), MW_OK);
    CU_ASSERT_STRING_EQUAL(place.fakes[0].calls, "open, listen ranks");
    CU_ASSERT_STRING_EQUAL(place.fakes[1].calls, "open, listen hosts");

    CU_ASSERT_EQUAL(mw_master_loop(master, 1, &counts), MW_OK);
    CU_ASSERT_EQUAL(mw_master_num_slaves(master), 2);
    for (int i = 0; i < 2; i++)
        CU_ASSERT_EQUAL(mw_master_submit(master, &(mw_task){.algorithm = "none"}, ""), MW_OK);
    CU_ASSERT_EQUAL(mw_master_loop(master, 1, &counts), MW_OK);

    for (size_t i = 0; i < 2; i++)
        CU_ASSERT_PTR_NOT_NULL(strstr(place.fakes[i].calls, "send 1 \x97\x04"));
    mwt_fake_down(&place.fakes[0], place.clock, 1, "gone");
    CU_ASSERT_EQUAL(mw_master_loop(master, 1, &counts), MW_OK);
    CU_ASSERT_EQUAL(mw_master_num_slaves(master), 1);
    mw_master_close(master);
    CU_ASSERT_PTR_NOT_NULL(strstr(place.fakes[0].calls, ", close"));
    CU_ASSERT_PTR_NOT_NULL(strstr(place.fakes[1].calls, "drop 1, close"));
    mw_options_destroy(place.options);
}

/* The audit trail has the addresses of all transports. */
static void test_trail(void)
{
    static struct place place;
    struct mwt_folder folder;
    mw_master *master;
    mwt_folder_create(&folder);
    start(&place);
    mw_options_set(place.options, "audit-file", mwt_folder_file(&folder, "trail"));
    CU_ASSERT_EQUAL_FATAL(mw_master_open(&master, &program, place.options), MW_OK);

    mw_master_close(master);

    char *trail = mwt_file_read(mwt_folder_file(&folder, "trail"));
    CU_ASSERT_PTR_NOT_NULL_FATAL(trail);
    CU_ASSERT_PTR_NOT_NULL(strstr(trail, "[A] MASTER READY ranks:7000\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(trail, "[A] MASTER READY hosts:7000\n"));
    free(trail);
    mw_options_destroy(place.options);
    mwt_folder_destroy(&folder);
}

/* If one transport cannot listen, no master is opened, and all transports are closed. */
static void test_one_fails(void)
{
    static struct place place;
    mw_master *master = (mw_master *)&place;
    start(&place);
    place.fakes[1].listen_error = MW_ENETWORK;

    CU_ASSERT_EQUAL(mw_master_open(&master, &program, place.options), MW_ENETWORK);

    CU_ASSERT_PTR_EQUAL(master, (mw_master *)&place);
    CU_ASSERT_STRING_EQUAL(mw_options_error(place.options), "fake trouble");
    CU_ASSERT_STRING_EQUAL(place.fakes[0].calls, "open, listen ranks, close");
    CU_ASSERT_STRING_EQUAL(place.fakes[1].calls, "open, listen hosts, close");
    mw_options_destroy(place.options);
}

/* A slave has only one master, so it uses the first transport and does not open the other. */
static void test_slave_takes_the_first(void)
{
    static struct place place;
    mw_slave *slave;
    start(&place);
    mw_options_set(place.options, "connect-timeout", "1");

    CU_ASSERT_EQUAL(mw_slave_open(&slave, &program, place.options), MW_ETIMEOUT);

    CU_ASSERT_STRING_EQUAL(place.fakes[0].calls, "open, connect ranks, close");
    CU_ASSERT_STRING_EQUAL(place.fakes[1].calls, "");
    mw_options_destroy(place.options);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"slaves of both", test_slaves_of_both},
        {"trail", test_trail},
        {"one fails", test_one_fails},
        {"slave takes the first", test_slave_takes_the_first},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("master: several transports", tests);
}
