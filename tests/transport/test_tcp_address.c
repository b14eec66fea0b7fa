/* SPDX-License-Identifier: Apache-2.0
 *
 * Addresses and hosts of the tcp transport: what users write, what they are shown, and how the
 * names of hosts are looked up.
 */
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CUnit/Basic.h>

#include "address.h"
#include "getent.h"
#include "mwt_run.h"
#include "poller.h"
#include "resolve.h"

/* Every form of address that there is. */
static void test_forms(void)
{
    static const struct {
        const char *text;
        enum mwi_tcp_address_kind kind;
        const char *host;
        unsigned port, port_last;
        int fd;
    } forms[] = {
        {"127.0.0.1:7000", MWI_TCP_ADDRESS_HOST, "127.0.0.1", 7000, 7000, -1},
        {"localhost:0", MWI_TCP_ADDRESS_HOST, "localhost", 0, 0, -1},
        {"node-17.cluster.example:65535", MWI_TCP_ADDRESS_HOST, "node-17.cluster.example", 65535,
         65535, -1},
        {"[::1]:0", MWI_TCP_ADDRESS_HOST, "::1", 0, 0, -1},
        {"[fe80::1%eth0]:80", MWI_TCP_ADDRESS_HOST, "fe80::1%eth0", 80, 80, -1},
        {"*:7000", MWI_TCP_ADDRESS_ANY, "*", 7000, 7000, -1},
        {"localhost:7000-7009", MWI_TCP_ADDRESS_HOST, "localhost", 7000, 7009, -1},
        {"[::1]:1-65535", MWI_TCP_ADDRESS_HOST, "::1", 1, 65535, -1},
        {"*:7000-7000", MWI_TCP_ADDRESS_ANY, "*", 7000, 7000, -1},
        {"fd:5", MWI_TCP_ADDRESS_FD, "", 0, 0, 5},
        {"fd:0", MWI_TCP_ADDRESS_FD, "", 0, 0, 0},
    };

    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct mwi_tcp_address address;
        mw_reason why;

        CU_ASSERT_EQUAL(mwi_tcp_address_parse(forms[i].text, &address, &why), MW_OK);

        CU_ASSERT_EQUAL(address.kind, forms[i].kind);
        CU_ASSERT_STRING_EQUAL(address.host, forms[i].host);
        CU_ASSERT_EQUAL(address.port, forms[i].port);
        CU_ASSERT_EQUAL(address.port_last, forms[i].port_last);
        CU_ASSERT_EQUAL(address.fd, forms[i].fd);
    }
}

/* Malformed addresses of any length are refused with a sentence that quotes them. */
static void test_errors(void)
{
    static const char *const bad[] = {
        "",
        "host",
        ":7000",
        "host:",
        "host:x",
        "host:65536",
        "host:-1",
        "host:+1",
        "host: 1",
        "host:1 ",
        "host:0x10",
        "host:0-1",
        "host:2-1",
        "host:1-",
        "host:-",
        "host:1-65536",
        "host:1-2-3",
        "host:1-x",
        "host:0000000000000001-2",
        "::1:7000",
        "::1",
        "[::1]",
        "[::1]7000",
        "[::1:70",
        "[]:7000",
        "fd:",
        "fd:x",
        "fd:-1",
        "fd:99999999999",
        "a:b:c",
        "host:99999999999999999999",
    };
    struct mwi_tcp_address address = {.port = 77};
    char long_host[400];

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        mw_reason why = {""};
        CU_ASSERT_EQUAL(mwi_tcp_address_parse(bad[i], &address, &why), MW_EINVAL);
        CU_ASSERT_PTR_NOT_NULL(strstr(why.text, bad[i]));
    }
    memset(long_host, 'h', sizeof long_host);
    strcpy(long_host + 390, ":7000");
    mw_reason why = {""};
    CU_ASSERT_EQUAL(mwi_tcp_address_parse(long_host, &address, &why), MW_EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "too long"));
    CU_ASSERT_EQUAL(address.port, 77);
}

/* Addresses are printed in the form in which users write them. An IPv4 address that an IPv6 socket
 * reports is printed as IPv4. */
static void test_format(void)
{
    struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_port = htons(36107)};
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6, .sin6_port = htons(4000)};
    char name[256];
    char text[300];

    ipv4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    mwi_tcp_address_format((struct sockaddr *)&ipv4, text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, "127.0.0.1:36107");
    mwi_tcp_address_format_bound((struct sockaddr *)&ipv4, text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, "127.0.0.1:36107");

    ipv6.sin6_addr = in6addr_loopback;
    mwi_tcp_address_format((struct sockaddr *)&ipv6, text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, "[::1]:4000");

    ipv6.sin6_scope_id = if_nametoindex("lo");
    mwi_tcp_address_format((struct sockaddr *)&ipv6, text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, "[::1%lo]:4000");
    ipv6.sin6_scope_id = 999999999;
    mwi_tcp_address_format((struct sockaddr *)&ipv6, text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, "[::1%999999999]:4000");
    ipv6.sin6_scope_id = 0;

    static const unsigned char mapped[16] = {[10] = 0xff, [11] = 0xff, 10, 0, 0, 1};
    memcpy(&ipv6.sin6_addr, mapped, sizeof mapped);
    mwi_tcp_address_format((struct sockaddr *)&ipv6, text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, "10.0.0.1:4000");

    ipv6.sin6_addr = in6addr_any;
    gethostname(name, sizeof name);
    mwi_tcp_address_format_bound((struct sockaddr *)&ipv6, text, sizeof text);
    CU_ASSERT_EQUAL(strncmp(text, name, strlen(name)), 0);
    CU_ASSERT_STRING_EQUAL(strrchr(text, ':'), ":4000");
}

struct answer {
    struct mwi_tcp_getent *getent;
    bool has_come, is_found;
};

static void take_answer(void *context, struct evutil_addrinfo *found)
{
    struct answer *answer = context;
    answer->has_come = true;
    answer->is_found = found != NULL;
    if (found != NULL)
        evutil_freeaddrinfo(found);
    mwi_tcp_getent_destroy(answer->getent);
}

/* Whether the system's program knows the host. */
static bool is_known(struct event_base *base, const char *host)
{
    struct answer answer = {.has_come = false};
    answer.getent = mwi_tcp_getent_begin(base, host, "80", take_answer, &answer);
    CU_ASSERT_PTR_NOT_NULL_FATAL(answer.getent);
    while (!answer.has_come)
        CU_ASSERT_EQUAL_FATAL(event_base_loop(base, EVLOOP_ONCE), 0);
    return answer.is_found;
}

/* The system's program `getent` finds a name and a number of this machine. No process of it is
 * left, even if the look-up is given up. */
static void test_getent(void)
{
    struct answer answer = {.has_come = false};
    struct event_base *base = mwi_tcp_poller_create_base();
    CU_ASSERT_PTR_NOT_NULL_FATAL(base);

    CU_ASSERT_TRUE(is_known(base, "localhost"));
    CU_ASSERT_TRUE(is_known(base, "127.0.0.1"));
    CU_ASSERT_FALSE(is_known(base, ""));
    CU_ASSERT_PTR_NULL(mwi_tcp_getent_begin(base, "-s", "80", take_answer, &answer));
    mwi_tcp_getent_destroy(mwi_tcp_getent_begin(base, "localhost", "80", take_answer, &answer));

    CU_ASSERT_FALSE(answer.has_come);
    CU_ASSERT_EQUAL(waitpid(-1, NULL, WNOHANG), -1);
    event_base_free(base);
}

/* A look-up that blocks returns the addresses of a name or number, or an error message. */
static void test_resolve_now(void)
{
    static const char *const hosts[] = {"localhost", "127.0.0.1", "::1"};
    char problem[200];
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        struct evutil_addrinfo *found = mwi_tcp_resolve_now(hosts[i], 0, problem, sizeof problem);
        CU_ASSERT_PTR_NOT_NULL_FATAL(found);
        evutil_freeaddrinfo(found);
    }

    CU_ASSERT_PTR_NULL(mwi_tcp_resolve_now("no-such-host.invalid", 0, problem, sizeof problem));

    CU_ASSERT_PTR_NOT_NULL(strstr(problem, "host \"no-such-host.invalid\": "));
    CU_ASSERT_EQUAL(waitpid(-1, NULL, WNOHANG), -1);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"forms", test_forms},   {"errors", test_errors},           {"format", test_format},
        {"getent", test_getent}, {"resolve now", test_resolve_now}, CU_TEST_INFO_NULL,
    };
    return mwt_run("tcp addresses", tests);
}
