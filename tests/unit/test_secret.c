/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory for keys: it is in no core, a child of fork() finds nothing there, and digits become bytes
 * and back.
 */
#include "base/secret.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mwt_run.h"

/* Writes the flags of the mapping that has this address, as the kernel shows them. */
static void read_flags(const void *address, char flags[256])
{
    FILE *stream = fopen("/proc/self/smaps", "r");
    char line[512];
    unsigned long first = 0, end = 0;
    flags[0] = '\0';
    CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
    while (fgets(line, sizeof line, stream) != NULL) {
        unsigned long from, to;
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2) {
            first = from;
            end = to;
        }
        bool is_there = (uintptr_t)address >= first && (uintptr_t)address < end;
        if (is_there && strncmp(line, "VmFlags:", 8) == 0)
            snprintf(flags, 256, "%.200s", line + 8);
    }
    fclose(stream);
}

/* A new secret is all zero, and the kernel has it out of cores and children. */
static void test_flags(void)
{
    static const char zeros[100];
    struct mwi_secret secret;
    char flags[256];

    CU_ASSERT_TRUE_FATAL(mwi_secret_init(&secret, sizeof zeros));

    read_flags(secret.data, flags);
    CU_ASSERT_PTR_NOT_NULL(strstr(flags, " dd"));
    CU_ASSERT_TRUE(strstr(flags, " wf") != NULL || strstr(flags, " dc") != NULL);
    CU_ASSERT_EQUAL(memcmp(secret.data, zeros, sizeof zeros), 0);
    CU_ASSERT_FALSE(mwi_secret_is_lost(&secret));
    mwi_secret_fini(&secret);
    CU_ASSERT_PTR_NULL(secret.data);
    mwi_secret_fini(&secret);
}

/* Runs in a child: whether the secret is lost there, and its page has nothing in it. */
static int look_in_child(struct mwi_secret *secret, size_t size)
{
    static const char zeros[4096];
    char flags[256];
    read_flags(secret->data, flags);
    bool is_empty = strstr(flags, " wf") == NULL || memcmp(secret->data, zeros, size) == 0;
    bool is_lost = mwi_secret_is_lost(secret);
    mwi_secret_fini(secret);
    return is_lost && is_empty && secret->data == NULL ? 0 : 1;
}

/* A child of fork() finds nothing of the secret, and knows it. The parent keeps it. */
static void test_fork(void)
{
    struct mwi_secret secret;
    int status = -1;
    CU_ASSERT_TRUE_FATAL(mwi_secret_init(&secret, 64));
    memset(secret.data, 'k', 64);

    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        _exit(look_in_child(&secret, 64));

    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT_EQUAL(status, 0);
    CU_ASSERT_EQUAL(((char *)secret.data)[63], 'k');
    CU_ASSERT_FALSE(mwi_secret_is_lost(&secret));
    mwi_secret_fini(&secret);
}

/* A secret may fill its pages to the last byte, or be larger than one. */
static void test_sizes(void)
{
    static const size_t sizes[] = {1, 4095, 4096, 4097, 1 << 20};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct mwi_secret secret;
        CU_ASSERT_TRUE_FATAL(mwi_secret_init(&secret, sizes[i]));
        memset(secret.data, 0xff, sizes[i]);
        CU_ASSERT_FALSE(mwi_secret_is_lost(&secret));
        mwi_secret_fini(&secret);
    }
}

/* Bytes become digits and the same bytes again; other characters are refused. */
static void test_digits(void)
{
    static const char *const wrong[] = {"0G", "g0", "0A", " 0", "0/", "0:", "0`", "\xff\xff"};
    unsigned char bytes[256], again[256];
    char digits[512];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)i;

    mwi_secret_to_hex(bytes, sizeof bytes, digits);

    CU_ASSERT_EQUAL(strncmp(digits, "000102030405060708090a0b0c0d0e0f10", 34), 0);
    CU_ASSERT_TRUE(mwi_secret_from_hex(digits, again, sizeof again));
    CU_ASSERT_EQUAL(memcmp(bytes, again, sizeof bytes), 0);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        CU_ASSERT_FALSE(mwi_secret_from_hex(wrong[i], again, 1));
}

/* Random bytes are other ones each time, and wiped bytes are zeros. */
static void test_random(void)
{
    static const unsigned char zeros[600];
    unsigned char one[600] = {0}, other[600] = {0};

    CU_ASSERT_TRUE(mwi_secret_fill(one, sizeof one));
    CU_ASSERT_TRUE(mwi_secret_fill(other, sizeof other));

    CU_ASSERT_NOT_EQUAL(memcmp(one, other, sizeof one), 0);
    CU_ASSERT_NOT_EQUAL(memcmp(one + 568, zeros, 32), 0);
    mwi_secret_wipe(one, sizeof one);
    CU_ASSERT_EQUAL(memcmp(one, zeros, sizeof one), 0);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"flags", test_flags},   {"fork", test_fork},     {"sizes", test_sizes},
        {"digits", test_digits}, {"random", test_random}, CU_TEST_INFO_NULL,
    };
    return mwt_run("secret", tests);
}
