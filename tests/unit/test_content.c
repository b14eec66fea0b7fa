/* SPDX-License-Identifier: Apache-2.0
 *
 * The keys of tasks: equal for equal content, and different if anything differs. They are on disks
 * and in messages, so they must never change.
 */
#include "wire/content.h"

#include <string.h>

#include "mwt_run.h"

static struct mwi_digest key_of(uint64_t scope, const char *name, bool is_bytes,
                                const char *arguments)
{
    uint64_t seed = mwi_content_seed(scope, mwi_content_name(name, strlen(name)), is_bytes);
    return mwi_content_key(seed, arguments, strlen(arguments));
}

/* Scope, name, form and arguments each make a difference; nothing else does. */
static void test_differences(void)
{
    const struct mwi_digest keys[] = {
        key_of(1, "alpha", false, "x"), key_of(2, "alpha", false, "x"),
        key_of(1, "beta", false, "x"),  key_of(1, "alpha", true, "x"),
        key_of(1, "alpha", false, "y"), key_of(1, "alpha", false, "")};
    enum { COUNT = sizeof keys / sizeof keys[0] };

    CU_ASSERT(mwi_content_is_same(keys[0], key_of(1, "alpha", false, "x")));
    for (size_t i = 0; i < COUNT; i++)
        for (size_t j = 0; j < i; j++)
            CU_ASSERT(!mwi_content_is_same(keys[i], keys[j]));
}

/* A key is the same in each build and on each machine. */
static void test_constant(void)
{
    struct mwi_digest key = key_of(MWI_CONTENT_SCOPE, "alpha", true, "arguments");

    CU_ASSERT_EQUAL(key.low, UINT64_C(0xd47ab13cf6253ba5));
    CU_ASSERT_EQUAL(key.high, UINT64_C(0x43b469f1b9324c90));
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"differences", test_differences},
        {"constant", test_constant},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("content", tests);
}
