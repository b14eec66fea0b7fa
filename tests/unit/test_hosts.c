/* SPDX-License-Identifier: Apache-2.0
 *
 * The store of hosts: which slaves share one, and what is counted of it.
 * A host outlives its slaves: the losses there must still be known when another slave comes.
 */
#include "farm/hosts.h"

#include <stdio.h>
#include <string.h>

#include "mwt_run.h"

/* Slaves of one name and one boot share a host; another name or another boot is another host. */
static void test_same_host(void)
{
    struct mwi_hosts hosts = {.count = 0};
    struct mwi_host_entry *first = mwi_hosts_join(&hosts, "node1", "boot", "10.0.0.1:5000");

    CU_ASSERT_PTR_NOT_NULL_FATAL(first);
    CU_ASSERT_PTR_EQUAL(mwi_hosts_join(&hosts, "node1", "boot", "10.0.0.1:6000"), first);
    CU_ASSERT_PTR_NOT_EQUAL(mwi_hosts_join(&hosts, "node1", "later boot", "10.0.0.1:7"), first);
    CU_ASSERT_PTR_NOT_EQUAL(mwi_hosts_join(&hosts, "node2", "boot", "10.0.0.1:8"), first);
    CU_ASSERT_PTR_NOT_EQUAL(mwi_hosts_join(&hosts, "node1b", "oot", "10.0.0.1:9"), first);

    CU_ASSERT_EQUAL(hosts.count, 4);
    CU_ASSERT_EQUAL(first->slaves_count, 2);
    CU_ASSERT_STRING_EQUAL(first->name, "node1");
    CU_ASSERT_STRING_EQUAL(first->address, "10.0.0.1");
    mwi_hosts_fini(&hosts);
}

/* A slave that does not name its host is known by the address that it comes from, whatever port. */
static void test_unnamed(void)
{
    struct mwi_hosts hosts = {.count = 0};
    struct mwi_host_entry *host = mwi_hosts_join(&hosts, "", "", "[::1]:5000");

    CU_ASSERT_PTR_NOT_NULL_FATAL(host);
    CU_ASSERT_STRING_EQUAL(host->name, "[::1]");
    CU_ASSERT_PTR_EQUAL(mwi_hosts_join(&hosts, "", "", "[::1]:5001"), host);
    CU_ASSERT_PTR_NOT_EQUAL(mwi_hosts_join(&hosts, "", "", "rank 1"), host);
    mwi_hosts_fini(&hosts);
}

/* A host is remembered, with its losses, when its last slave has gone. */
static void test_losses(void)
{
    struct mwi_hosts hosts = {.count = 0};
    struct mwi_host_entry *host = mwi_hosts_join(&hosts, "node1", "", "a:1");
    CU_ASSERT_PTR_NOT_NULL_FATAL(host);
    mwi_hosts_join(&hosts, "node1", "", "a:2");

    mwi_hosts_lose(&hosts, host, 5);
    CU_ASSERT_EQUAL(hosts.connected_count, 1);
    mwi_hosts_leave(&hosts, host, 0);
    CU_ASSERT_EQUAL(hosts.connected_count, 0);

    CU_ASSERT_EQUAL(host->slaves_count, 0);
    CU_ASSERT_PTR_EQUAL(mwi_hosts_join(&hosts, "node1", "", "a:3"), host);
    CU_ASSERT_EQUAL(host->joined_count, 3);
    CU_ASSERT_EQUAL(host->lost_count, 1);
    CU_ASSERT_EQUAL(host->lost_tasks_count, 5);
    mwi_hosts_fini(&hosts);
}

/* A host whose slaves never had a task is forgotten with the last of them: greeting under one name
 * after the other takes no memory. */
static void test_idle_hosts(void)
{
    struct mwi_hosts hosts = {.count = 0};
    char name[32];
    struct mwi_host_entry *busy = mwi_hosts_join(&hosts, "busy", "", "a:1");
    struct mwi_host_entry *useful = mwi_hosts_join(&hosts, "useful", "", "a:2");
    CU_ASSERT_PTR_NOT_NULL_FATAL(busy);
    CU_ASSERT_PTR_NOT_NULL_FATAL(useful);
    useful->results_count++;
    mwi_hosts_leave(&hosts, busy, 1);
    mwi_hosts_leave(&hosts, useful, 0);

    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "node%d", i);
        struct mwi_host_entry *host = mwi_hosts_join(&hosts, name, "boot", "x");
        CU_ASSERT_PTR_NOT_NULL_FATAL(host);
        CU_ASSERT_PTR_EQUAL(mwi_hosts_join(&hosts, name, "boot", "x"), host);
        mwi_hosts_leave(&hosts, host, 0);
        CU_ASSERT_EQUAL(hosts.count, 3);
        mwi_hosts_lose(&hosts, host, 0);
        CU_ASSERT_EQUAL_FATAL(hosts.count, 2);
        CU_ASSERT_STRING_EQUAL(host->name, name); /* an audit record may refer to it */
        mwi_hosts_reap(&hosts);
    }

    CU_ASSERT_EQUAL(hosts.connected_count, 0);
    CU_ASSERT_PTR_EQUAL(mwi_hosts_join(&hosts, "busy", "", "a:3"), busy);
    CU_ASSERT_PTR_EQUAL(mwi_hosts_join(&hosts, "useful", "", "a:4"), useful);
    mwi_hosts_fini(&hosts);
}

/* Thousands of hosts are all told apart. */
static void test_many(void)
{
    enum { COUNT = 5000 };
    static struct mwi_host_entry *known[COUNT];
    struct mwi_hosts hosts = {.count = 0};
    char name[32];
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "node%d", i);
        known[i] = mwi_hosts_join(&hosts, name, "", "x");
        CU_ASSERT_PTR_NOT_NULL_FATAL(known[i]);
    }

    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "node%d", i);
        if (mwi_hosts_join(&hosts, name, "", "x") != known[i])
            CU_FAIL_FATAL("another host");
    }

    CU_ASSERT_EQUAL(hosts.count, COUNT);
    mwi_hosts_fini(&hosts);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"same host", test_same_host},   {"unnamed", test_unnamed}, {"losses", test_losses},
        {"idle hosts", test_idle_hosts}, {"many", test_many},       CU_TEST_INFO_NULL,
    };
    return mwt_run("hosts", tests);
}
