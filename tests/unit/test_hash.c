/* SPDX-License-Identifier: Apache-2.0
 *
 * The hash of strings. It is held against the published values of FNV-1a, and a string that is
 * hashed in parts against the whole.
 */
#include "base/hash.h"

#include "mwt_run.h"

static void test_published_values(void)
{
    CU_ASSERT_EQUAL(mwi_hash_bytes(MWI_HASH_EMPTY, "", 0), UINT64_C(0xcbf29ce484222325));
    CU_ASSERT_EQUAL(mwi_hash_bytes(MWI_HASH_EMPTY, "a", 1), UINT64_C(0xaf63dc4c8601ec8c));
    CU_ASSERT_EQUAL(mwi_hash_bytes(MWI_HASH_EMPTY, "foobar", 6), UINT64_C(0x85944171f73967e8));
}

/* A string may be hashed in parts. Bytes above 127 count like the others. */
static void test_parts(void)
{
    static const char bytes[] = "caf\xc3\xa9\0bar";
    uint64_t whole = mwi_hash_bytes(MWI_HASH_EMPTY, bytes, sizeof bytes);
    for (size_t cut = 0; cut <= sizeof bytes; cut++) {
        uint64_t first = mwi_hash_bytes(MWI_HASH_EMPTY, bytes, cut);
        CU_ASSERT_EQUAL(mwi_hash_bytes(first, bytes + cut, sizeof bytes - cut), whole);
    }
    CU_ASSERT_NOT_EQUAL(mwi_hash_bytes(MWI_HASH_EMPTY, "\xe9", 1),
                        mwi_hash_bytes(MWI_HASH_EMPTY, "\x69", 1));
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"published values", test_published_values},
        {"parts", test_parts},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("hash", tests);
}
