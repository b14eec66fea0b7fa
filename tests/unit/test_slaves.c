/* SPDX-License-Identifier: Apache-2.0
 *
 * The registry of slaves: who is known under which peer and id, in which state, and for how long
 * what was handed out stays valid.
 */
#include "farm/slaves.h"

#include <stdio.h>
#include <string.h>

#include "mwt_death.h"
#include "mwt_run.h"

/* A client that has greeted, so that it is a slave with an id. */
static struct mwi_slave_entry *add_slave(struct mwi_slaves *slaves, mw_peer peer)
{
    struct mwi_slave_entry *slave = mwi_slaves_add(slaves, peer, "tcp", "127.0.0.1:1");
    CU_ASSERT_PTR_NOT_NULL_FATAL(slave);
    CU_ASSERT_TRUE(mwi_slaves_name(slaves, slave));
    mwi_slaves_move(slaves, slave, MWI_SLAVE_IDLE);
    return slave;
}

/* A client is known by its peer number from the beginning, and has no id before it greets. */
static void test_add(void)
{
    char address[] = "127.0.0.1:39950";
    struct mwi_slaves slaves;
    mwi_slaves_init(&slaves);

    struct mwi_slave_entry *slave = mwi_slaves_add(&slaves, UINT64_C(1) << 56 | 7, "tcp", address);
    address[0] = '?';

    CU_ASSERT_PTR_NOT_NULL_FATAL(slave);
    CU_ASSERT_STRING_EQUAL(slave->address, "127.0.0.1:39950");
    CU_ASSERT_STRING_EQUAL(slave->transport, "tcp");
    CU_ASSERT_EQUAL(slave->state, MWI_SLAVE_CONNECTING);
    CU_ASSERT_EQUAL(slave->sid, MWI_NO_SID);
    CU_ASSERT_TRUE(mwi_list_is_empty(&slave->copies));
    CU_ASSERT_PTR_EQUAL(mwi_slaves_find(&slaves, UINT64_C(1) << 56 | 7), slave);
    CU_ASSERT_PTR_NULL(mwi_slaves_find(&slaves, 7));
    CU_ASSERT_PTR_NULL(mwi_slaves_find(&slaves, 0));
    CU_ASSERT_EQUAL(mwi_slaves_ready_count(&slaves), 0);
    mwi_slaves_fini(&slaves);
}

/* Ids count up in the order of greeting, and the id of a slave that left is not used again. */
static void test_ids(void)
{
    char expected[24];
    struct mwi_slaves slaves;
    mwi_slaves_init(&slaves);

    for (unsigned i = 0; i < 100; i++) {
        struct mwi_slave_entry *slave = add_slave(&slaves, i + 1);
        snprintf(expected, sizeof expected, "SLAVE-%u", i);
        CU_ASSERT_EQUAL(slave->sid, i);
        CU_ASSERT_STRING_EQUAL(mwi_slaves_id(&slaves, i), expected);
        mwi_slaves_lose(&slaves, slave, MW_LOSS_CONNECTION);
    }

    CU_ASSERT_PTR_NULL(mwi_slaves_id(&slaves, 100));
    CU_ASSERT_PTR_NULL(mwi_slaves_id(&slaves, MWI_NO_SID));
    mwi_slaves_fini(&slaves);
}

/* A result may name its slave long after that has gone: ids stay where they are. */
static void test_ids_stay(void)
{
    struct mwi_slaves slaves;
    mwi_slaves_init(&slaves);
    mwi_slaves_lose(&slaves, add_slave(&slaves, 1), MW_LOSS_CONNECTION);
    const char *id = mwi_slaves_id(&slaves, 0);

    mwi_slaves_reap(&slaves);
    for (mw_peer peer = 2; peer < 1000; peer++)
        add_slave(&slaves, peer);

    CU_ASSERT_PTR_EQUAL(mwi_slaves_id(&slaves, 0), id);
    CU_ASSERT_STRING_EQUAL(id, "SLAVE-0");
    mwi_slaves_fini(&slaves);
}

/* The slave that is idle for the longest time is the first to get a task. */
static void test_first(void)
{
    struct mwi_slaves slaves;
    mwi_slaves_init(&slaves);
    struct mwi_slave_entry *first = add_slave(&slaves, 1), *second = add_slave(&slaves, 2);
    CU_ASSERT_PTR_EQUAL(mwi_slaves_first(&slaves, MWI_SLAVE_IDLE), first);

    mwi_slaves_move(&slaves, first, MWI_SLAVE_BUSY);
    CU_ASSERT_PTR_EQUAL(mwi_slaves_first(&slaves, MWI_SLAVE_IDLE), second);
    mwi_slaves_move(&slaves, first, MWI_SLAVE_IDLE);

    CU_ASSERT_PTR_EQUAL(mwi_slaves_first(&slaves, MWI_SLAVE_IDLE), second);
    CU_ASSERT_PTR_NULL(mwi_slaves_first(&slaves, MWI_SLAVE_BUSY));
    mwi_slaves_fini(&slaves);
}

/* Ready are those that have greeted and are not told to stop, busy or not. */
static void test_ready_count(void)
{
    struct mwi_slaves slaves;
    mwi_slaves_init(&slaves);
    CU_ASSERT_PTR_NOT_NULL(mwi_slaves_add(&slaves, 1, "tcp", "a"));
    add_slave(&slaves, 2);
    mwi_slaves_move(&slaves, add_slave(&slaves, 3), MWI_SLAVE_BUSY);
    mwi_slaves_move(&slaves, add_slave(&slaves, 4), MWI_SLAVE_SHUTTING_DOWN);
    mwi_slaves_lose(&slaves, add_slave(&slaves, 5), MW_LOSS_CONNECTION);

    CU_ASSERT_EQUAL(mwi_slaves_ready_count(&slaves), 2);
    for (int state = 0; state < MWI_SLAVE_STATES_COUNT; state++)
        CU_ASSERT_EQUAL(slaves.counts[state], 1);

    mwi_slaves_fini(&slaves);
}

/* A slave that is disconnected is known no more, but can be read until it is reaped. */
static void test_disconnected(void)
{
    struct mwi_slaves slaves;
    mwi_slaves_init(&slaves);
    struct mwi_slave_entry *slave = add_slave(&slaves, 1);

    mwi_slaves_lose(&slaves, slave, MW_LOSS_CONNECTION);

    CU_ASSERT_PTR_NULL(mwi_slaves_find(&slaves, 1));
    CU_ASSERT_STRING_EQUAL(slave->address, "127.0.0.1:1");
    mwi_slaves_reap(&slaves);
    CU_ASSERT_EQUAL(slaves.counts[MWI_SLAVE_DISCONNECTED], 0);
    mwi_slaves_reap(&slaves);
    mwi_slaves_fini(&slaves);
}

static void wake_the_dead(void *context)
{
    struct mwi_slaves *slaves = context;
    struct mwi_slave_entry *slave = mwi_slaves_first(slaves, MWI_SLAVE_DISCONNECTED);
    mwi_slaves_move(slaves, slave, MWI_SLAVE_IDLE);
}

/* A move that is not allowed is a bug of the library and stops it. */
static void test_forbidden_move(void)
{
    struct mwi_slaves slaves;
    mwi_slaves_init(&slaves);
    mwi_slaves_lose(&slaves, add_slave(&slaves, 1), MW_LOSS_CONNECTION);

    CU_ASSERT_TRUE(mwt_dies(wake_the_dead, &slaves));

    mwi_slaves_fini(&slaves);
}

/* More slaves are needed for tasks that no idle slave will take, and for groups that lack some.
 * Slaves that join a group take tasks, too, so both are not added up. */
static void test_needed(void)
{
    struct mwi_slaves slaves;
    mwi_slaves_init(&slaves);
    CU_ASSERT_EQUAL(mwi_slaves_needed(&slaves, 0), 0);
    CU_ASSERT_EQUAL(mwi_slaves_needed(&slaves, 1000), 1000);
    for (unsigned i = 0; i < 3; i++)
        add_slave(&slaves, i + 1);
    CU_ASSERT_EQUAL(mwi_slaves_needed(&slaves, 2), 0);
    CU_ASSERT_EQUAL(mwi_slaves_needed(&slaves, 10), 7);

    struct mwi_slave_entry *slave = mwi_slaves_first_ready(&slaves.idle);
    mwi_slaves_move(&slaves, slave, MWI_SLAVE_BUSY);
    CU_ASSERT_EQUAL(mwi_slaves_needed(&slaves, 10), 8);
    mwi_slaves_move(&slaves, slave, MWI_SLAVE_IDLE);
    CU_ASSERT_EQUAL(mwi_slaves_needed(&slaves, 10), 7);

    slaves.wanted[MWI_GROUP_UNORDERED] = 5;
    slaves.wanted[MWI_GROUP_ORDERED] = 1;

    CU_ASSERT_EQUAL(mwi_slaves_needed(&slaves, 0), 3);
    CU_ASSERT_EQUAL(mwi_slaves_needed(&slaves, 10), 8);
    mwi_slaves_fini(&slaves);
}

static struct mwi_slave_entry *add_proven(struct mwi_slaves *slaves, mw_peer peer, size_t bytes_max)
{
    struct mwi_slave_entry *slave = mwi_slaves_add(slaves, peer, "tcp", "127.0.0.1:1");
    CU_ASSERT_TRUE_FATAL(slave != NULL && mwi_slaves_name(slaves, slave));
    slave->frame_bytes_max = bytes_max;
    mwi_slaves_move(slaves, slave, MWI_SLAVE_IDLE);
    mwi_slaves_prove(slaves, slave);
    return slave;
}

/* The largest proven slave is found among those that take tasks from the pool. */
static void test_largest_proven(void)
{
    struct mwi_slaves slaves;
    mwi_slaves_init(&slaves);
    add_slave(&slaves, 1);
    CU_ASSERT_PTR_NULL(mwi_slaves_largest_proven(&slaves));
    struct mwi_slave_entry *small = add_proven(&slaves, 2, 1000);
    struct mwi_slave_entry *large = add_proven(&slaves, 3, 3000);
    struct mwi_slave_entry *middle = add_proven(&slaves, 4, 2000);

    CU_ASSERT_PTR_EQUAL(mwi_slaves_largest_proven(&slaves), large);
    mwi_slaves_move(&slaves, large, MWI_SLAVE_BUSY);
    CU_ASSERT_PTR_EQUAL(mwi_slaves_largest_proven(&slaves), large);
    mwi_slaves_lose(&slaves, large, MW_LOSS_CONNECTION);
    CU_ASSERT_PTR_EQUAL(mwi_slaves_largest_proven(&slaves), middle);
    mwi_slaves_set_leaving(&slaves, middle);
    CU_ASSERT_PTR_EQUAL(mwi_slaves_largest_proven(&slaves), small);
    mwi_slaves_regroup(&slaves, small, MWI_GROUP_ORDERED);
    CU_ASSERT_PTR_NULL(mwi_slaves_largest_proven(&slaves));
    mwi_slaves_fini(&slaves);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"add", test_add},
        {"ids", test_ids},
        {"ids stay", test_ids_stay},
        {"first", test_first},
        {"ready count", test_ready_count},
        {"needed", test_needed},
        {"largest proven", test_largest_proven},
        {"disconnected", test_disconnected},
        {"forbidden move", test_forbidden_move},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("slaves", tests);
}
