/* SPDX-License-Identifier: Apache-2.0
 *
 * Addresses of tcp: those that can be listened on and connected to, and the errors of all others.
 * Parsing alone is tested in test_tcp_address.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "raw.h"
#include "tcp_case.h"

/* Malformed addresses are refused with MW_EINVAL, and the sentence quotes the address. */
static void test_bad_addresses(void)
{
    static const char *const bad[] = {"nonsense", "127.0.0.1:x", "::1:80", "fd:x"};
    static const char *const bad_to_connect[] = {"nonsense", "*:7000", "127.0.0.1:0",
                                                 "127.0.0.1:7000-7009"};
    struct mwt_end end;
    char bound[64];
    mw_peer peer;
    mwt_tcp_open(&end);

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        mw_reason why = {""};
        CU_ASSERT_EQUAL(mwi_tcp_transport.listen(end.transport, bad[i], bound, sizeof bound, &why),
                        MW_EINVAL);
        CU_ASSERT_PTR_NOT_NULL(strstr(why.text, bad[i]));
    }
    for (size_t i = 0; i < sizeof bad_to_connect / sizeof bad_to_connect[0]; i++) {
        mw_reason why = {""};
        CU_ASSERT_EQUAL(mwi_tcp_transport.connect(end.transport, bad_to_connect[i], &peer, &why),
                        MW_EINVAL);
        CU_ASSERT_PTR_NOT_NULL(strstr(why.text, bad_to_connect[i]));
    }

    mwt_tcp_close(&end);
}

/* A port in use, a host that is not ours and an unknown name are MW_ENETWORK. */
static void test_addresses_not_to_be_had(void)
{
    struct mwt_tcp_master master;
    struct mwt_end end;
    char bound[64];
    mwt_tcp_open_master(&master, "127.0.0.1:0");
    mwt_tcp_open(&end);
    const char *const none[] = {master.address, "192.0.2.1:0", "no-such-host.invalid:0"};

    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        mw_reason why = {""};
        CU_ASSERT_EQUAL(mwi_tcp_transport.listen(end.transport, none[i], bound, sizeof bound, &why),
                        MW_ENETWORK);
        CU_ASSERT_PTR_NOT_NULL(strstr(why.text, none[i]));
    }

    mwt_tcp_close(&end);
    mwt_tcp_close(&master.end);
}

/* Listens on two neighbouring ports; returns the first. */
static unsigned take_two_ports(struct mwt_end *end)
{
    for (;;) {
        mw_reason why;
        char bound[64], next[64];
        CU_ASSERT_EQUAL_FATAL(
            mwi_tcp_transport.listen(end->transport, "127.0.0.1:0", bound, sizeof bound, &why),
            MW_OK);
        unsigned port = (unsigned)atoi(strrchr(bound, ':') + 1);
        snprintf(next, sizeof next, "127.0.0.1:%u", port + 1);
        if (port < 65000 &&
            mwi_tcp_transport.listen(end->transport, next, bound, sizeof bound, &why) == MW_OK)
            return port;
    }
}

/* A range without a free port is refused, and the sentence has the range. */
static void test_range_taken(void)
{
    struct mwt_end end, other;
    char range[64], bound[64];
    mw_reason why = {""};
    mwt_tcp_open(&end);
    mwt_tcp_open(&other);
    unsigned port = take_two_ports(&end);
    snprintf(range, sizeof range, "127.0.0.1:%u-%u", port, port + 1);

    CU_ASSERT_EQUAL(mwi_tcp_transport.listen(other.transport, range, bound, sizeof bound, &why),
                    MW_ENETWORK);

    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, range));
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "none of these ports can be had, the last: "));
    mwt_tcp_close(&other);
    mwt_tcp_close(&end);
}

/* The first free port of a range is taken. */
static void test_range(void)
{
    struct mwt_tcp_master master;
    struct mwt_end end;
    char range[64];
    mwt_tcp_open(&end);
    unsigned port = take_two_ports(&end);
    snprintf(range, sizeof range, "127.0.0.1:%u-%u", port, port + 500);

    mwt_tcp_open_master(&master, range);

    unsigned bound = (unsigned)atoi(strrchr(master.address, ':') + 1);
    CU_ASSERT_TRUE(bound >= port + 2 && bound <= port + 500);
    mwt_tcp_check_reachable(&master, master.address);
    mwt_tcp_close(&master.end);
    mwt_tcp_close(&end);
}

/* The same holds on all interfaces. */
static void test_range_on_all_interfaces(void)
{
    struct mwt_tcp_master master;
    struct mwt_end end;
    char range[64], address[64];
    mwt_tcp_open(&end);
    unsigned port = take_two_ports(&end);
    snprintf(range, sizeof range, "*:%u-%u", port, port + 500);

    mwt_tcp_open_master(&master, range);

    const char *bound = strrchr(master.address, ':');
    CU_ASSERT_TRUE((unsigned)atoi(bound + 1) >= port + 2);
    snprintf(address, sizeof address, "127.0.0.1%s", bound);
    mwt_tcp_check_reachable(&master, address);
    mwt_tcp_close(&master.end);
    mwt_tcp_close(&end);
}

/* An error that is not about the port is not tried again with another port, and the sentence does
 * not blame the port. */
static void test_range_of_a_bad_host(void)
{
    static const char *const none[] = {"192.0.2.1:7000-7009", "no-such-host.invalid:7000-7009"};
    struct mwt_end end;
    char bound[64];
    mwt_tcp_open(&end);

    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        mw_reason why = {""};
        CU_ASSERT_EQUAL(mwi_tcp_transport.listen(end.transport, none[i], bound, sizeof bound, &why),
                        MW_ENETWORK);
        CU_ASSERT_PTR_NOT_NULL(strstr(why.text, none[i]));
        CU_ASSERT_PTR_NULL(strstr(why.text, "none of these ports"));
    }

    mwt_tcp_close(&end);
}

/* A fixed port can be listened on again right after a connection over it has ended. */
static void test_port_again(void)
{
    struct mwt_tcp_master master;
    char address[256];
    mwt_tcp_open_master(&master, "127.0.0.1:0");
    snprintf(address, sizeof address, "%s", master.address);
    mw_peer peer;
    int raw = mwt_tcp_connect_raw(&master, &peer);
    mwt_tcp_close(&master.end);

    mwt_tcp_open_master(&master, address);

    CU_ASSERT_STRING_EQUAL(master.address, address);
    close(raw);
    mwt_tcp_close(&master.end);
}

/* One transport may listen on several addresses. */
static void test_several_addresses(void)
{
    struct mwt_tcp_master master;
    char second[256];
    mwt_tcp_open_master(&master, "127.0.0.1:0");

    CU_ASSERT_EQUAL(mwi_tcp_transport.listen(master.end.transport, "127.0.0.1:0", second,
                                             sizeof second, &master.end.why),
                    MW_OK);

    CU_ASSERT_STRING_NOT_EQUAL(second, master.address);
    mwt_tcp_check_reachable(&master, master.address);
    mwt_tcp_check_reachable(&master, second);
    mwt_tcp_close(&master.end);
}

/* Port 0 becomes a port, and the peer's name is its address. */
static void test_ipv4(void)
{
    struct mwt_tcp_master master;
    mwt_tcp_open_master(&master, "127.0.0.1:0");

    CU_ASSERT_EQUAL(strncmp(master.address, "127.0.0.1:", 10), 0);
    CU_ASSERT_NOT_EQUAL(atoi(master.address + 10), 0);
    int raw = mwt_raw_connect(master.address);
    struct mwt_event up = mwt_tcp_expect(&master.end, MWT_UP);

    CU_ASSERT_EQUAL(strncmp(up.text, "127.0.0.1:", 10), 0);
    close(raw);
    mwt_tcp_close(&master.end);
}

static void test_ipv6(void)
{
    struct mwt_tcp_master master;
    if (!mwt_tcp_has_ipv6())
        return;

    mwt_tcp_open_master(&master, "[::1]:0");

    CU_ASSERT_EQUAL(strncmp(master.address, "[::1]:", 6), 0);
    mwt_tcp_check_reachable(&master, master.address);
    mwt_tcp_close(&master.end);
}

/* A host name works for both ends. The addresses of a name are tried until one answers. */
static void test_host_name(void)
{
    struct mwt_tcp_master master;
    char address[300];

    mwt_tcp_open_master(&master, "localhost:0");
    mwt_tcp_check_reachable(&master, master.address);
    mwt_tcp_close(&master.end);

    mwt_tcp_open_master(&master, "127.0.0.1:0");
    snprintf(address, sizeof address, "localhost%s", strrchr(master.address, ':'));
    mwt_tcp_check_reachable(&master, address);
    mwt_tcp_close(&master.end);
}

/* "*" is every interface of both families, and slaves get this machine's name. */
static void test_all_interfaces(void)
{
    struct mwt_tcp_master master;
    char name[200] = "";
    char address[300];
    mwt_tcp_open_master(&master, "*:0");
    const char *port = strrchr(master.address, ':');
    gethostname(name, sizeof name - 1);

    CU_ASSERT_EQUAL(strncmp(master.address, name, strlen(name)), 0);
    CU_ASSERT_PTR_EQUAL(port, master.address + strlen(name));
    snprintf(address, sizeof address, "127.0.0.1%s", port);
    mwt_tcp_check_reachable(&master, address);
    if (mwt_tcp_has_ipv6()) {
        snprintf(address, sizeof address, "[::1]%s", port);
        mwt_tcp_check_reachable(&master, address);
    }
    int raw = mwt_raw_connect(address);
    struct mwt_event up = mwt_tcp_expect(&master.end, MWT_UP);
    CU_ASSERT_EQUAL(strncmp(up.text, "127.0.0.1:", 10), 0);

    close(raw);
    mwt_tcp_close(&master.end);
}

/* An unknown name is the outcome of a connect, not an error of the call. */
static void test_no_such_host(void)
{
    struct mwt_end end;
    mwt_tcp_open(&end);

    CU_ASSERT_NOT_EQUAL(mwt_end_connect(&end, "no-such-host.invalid:7000"), 0);

    mwt_tcp_expect_down(&end, "no-such-host.invalid");
    mwt_tcp_close(&end);
}

/* A look-up may be dropped at any point, without a leak. */
static void test_drop_while_looking_up(void)
{
    for (int polls = 0; polls < 3; polls++) {
        struct mwt_end end;
        mwt_tcp_open(&end);
        mw_peer dropped = mwt_end_connect(&end, "no-such-host.invalid:7000");
        CU_ASSERT_NOT_EQUAL(mwt_end_connect(&end, "no-such-host.example:7000"), 0);
        for (int i = 0; i < polls; i++)
            mwt_end_poll(&end, 0);

        mwt_end_drop(&end, dropped);

        mwt_end_poll(&end, 0);
        mwt_tcp_close(&end);
    }
}

/* If nobody listens, the reason has the kernel's words. */
static void test_refused(void)
{
    struct mwt_end end;
    mwt_tcp_open(&end);

    CU_ASSERT_NOT_EQUAL(mwt_end_connect(&end, "127.0.0.1:1"), 0);

    mwt_tcp_expect_down(&end, "Connection refused");
    mwt_tcp_close(&end);
}

/* Without an environment no port is opened and nobody is called, with a sentence. */
static void test_no_environment(void)
{
    struct mwt_end end;
    char bound[64];
    mw_peer peer;
    CU_ASSERT_EQUAL_FATAL(
        mwt_end_open(&end, &mwi_tcp_transport, NULL, MWT_TCP_LIMIT_BYTES, -1, MW_WAIT_AUTO), MW_OK);

    CU_ASSERT_EQUAL(
        mwi_tcp_transport.listen(end.transport, "127.0.0.1:0", bound, sizeof bound, &end.why),
        MW_EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(end.why.text, "environment"));
    end.why.text[0] = '\0';
    CU_ASSERT_EQUAL(mwi_tcp_transport.connect(end.transport, "127.0.0.1:1", &peer, &end.why),
                    MW_EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(end.why.text, "environment"));

    mwt_tcp_close(&end);
}

void mwt_tcp_addresses(CU_pSuite suite)
{
    static const CU_TestInfo tests[] = {
        {"bad addresses", test_bad_addresses},
        {"addresses not to be had", test_addresses_not_to_be_had},
        {"range", test_range},
        {"range taken", test_range_taken},
        {"range on all interfaces", test_range_on_all_interfaces},
        {"range of a bad host", test_range_of_a_bad_host},
        {"port again", test_port_again},
        {"several addresses", test_several_addresses},
        {"ipv4", test_ipv4},
        {"ipv6", test_ipv6},
        {"host name", test_host_name},
        {"all interfaces", test_all_interfaces},
        {"no such host", test_no_such_host},
        {"drop while looking up", test_drop_while_looking_up},
        {"refused", test_refused},
        {"no environment", test_no_environment},
    };

    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        mwt_tcp_add(suite, &tests[i]);
}
