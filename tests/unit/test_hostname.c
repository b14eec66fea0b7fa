/* SPDX-License-Identifier: Apache-2.0
 *
 * Host names, and the address that stands for all interfaces: which are valid, and how host and
 * port are joined.
 */
#include "options/hostname.h"

#include <stdio.h>
#include <string.h>

#include "mwt_run.h"

/* Names and addresses of every form, IPv6 with and without brackets and zones. */
static void test_valid(void)
{
    static const char *const hosts[] = {
        "node1",
        "node-7.example.org",
        "a_b",
        "*",
        "127.0.0.1",
        "::",
        "::1",
        "[::1]",
        "fd77::1",
        "[FD77::1]",
        "fe80::1%eth0",
        "[fe80::1%eth0]",
        "::ffff:10.0.0.1",
        "[1:2:3:4:5:6:7:8]",
        "cafe",
        "fe80::1%2",
    };

    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++)
        CU_ASSERT_TRUE(mwi_hostname_is_valid(hosts[i]));
}

/* Above all a host with a port behind it; half a pair of brackets; and brackets around a name. */
static void test_invalid(void)
{
    static const char *const hosts[] = {
        "",           "node1:7000", "127.0.0.1:7000",
        "[::1]:7000", "[::1",       "::1]",
        "[]",         "[node1]",    "[10.0.0.1]",
        "a b",        "a\nb",       "\xc3\xa4",
        "[[::1]]",    "::1%",       "cafe:1",
        "[::1%]",     "[::1% ]",    "::g",
        "[",          "]",          "[:",
    };

    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        if (mwi_hostname_is_valid(hosts[i]))
            printf("\n\"%s\" passes\n", hosts[i]);
        CU_ASSERT_FALSE(mwi_hostname_is_valid(hosts[i]));
    }
}

/* All interfaces, however they are written, and what only looks a little like them. */
static void test_all(void)
{
    static const char *const all[] = {
        "*",   "0.0.0.0",         "0",       "::",        "[::]",
        "::0", "0:0:0:0:0:0:0:0", "::%eth0", "[::%eth0]", "::0.0.0.0"};
    static const char *const one[] = {"0.0.0.1", "::1",      "[::1]",    "a",
                                      "0a",      "10.0.0.0", "fe80::%0", "**"};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        CU_ASSERT_TRUE(mwi_hostname_is_valid(all[i]) && mwi_hostname_is_all(all[i]));
    for (size_t i = 0; i < sizeof one / sizeof one[0]; i++)
        CU_ASSERT_FALSE(mwi_hostname_is_all(one[i]));
}

/* Brackets are there exactly if they are needed, with a port and with a range. */
static void test_join(void)
{
    static const char *const cases[][3] = {
        {"node1", "7000", "node1:7000"},
        {"*", "7000-7009", "*:7000-7009"},
        {"127.0.0.1", "0", "127.0.0.1:0"},
        {"::1", "7000", "[::1]:7000"},
        {"[::1]", "7000", "[::1]:7000"},
        {"[fe80::1%eth0]", "7000-7009", "[fe80::1%eth0]:7000-7009"},
    };
    char text[64], small[8];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        mwi_hostname_join(cases[i][0], cases[i][1], text, sizeof text);
        CU_ASSERT_STRING_EQUAL(text, cases[i][2]);
    }
    mwi_hostname_join("::1", "7000", small, sizeof small);
    CU_ASSERT_STRING_EQUAL(small, "[::1]:7");
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"valid", test_valid}, {"invalid", test_invalid}, {"all interfaces", test_all},
        {"join", test_join},   CU_TEST_INFO_NULL,
    };

    return mwt_run("host", tests);
}
