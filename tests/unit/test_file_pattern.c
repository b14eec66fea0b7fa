/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of files with placeholders: what they stand for, wrong ones, and names that stay the same
 * when the program goes to another folder.
 */
#include "options/file_pattern.h"

#include <sys/stat.h>

#include "mwt_folder.h"
#include "mwt_run.h"

/* The path of a pattern, for SLAVE-3 of team/x. The caller frees it. */
static char *expand(const char *text)
{
    struct mwi_file_pattern pattern;
    mw_reason why;
    CU_ASSERT_EQUAL_FATAL(mwi_file_pattern_init(&pattern, "--mw-file", text, "team/x", &why),
                          MW_OK);
    char *path = mwi_file_pattern_expand(&pattern, "SLAVE-3");
    mwi_file_pattern_fini(&pattern);
    return path;
}

/* Each letter behind a % stands for one thing, and %% for a percent sign. */
static void test_placeholders(void)
{
    char host[256] = "", expected[512];
    CU_ASSERT_EQUAL(gethostname(host, sizeof host - 1), 0);
    snprintf(expected, sizeof expected, "/a/SLAVE-3-%ld-%s-team_x-%%n", (long)getpid(), host);

    char *path = expand("/a/%n-%p-%h-%m-%%n");

    CU_ASSERT_STRING_EQUAL(path, expected);
    free(path);
}

/* A slave that no master has given a number has a node of its own. */
static void test_own_node(void)
{
    struct mwi_file_pattern pattern;
    mw_reason why;
    char host[256] = "", expected[512];
    CU_ASSERT_EQUAL(gethostname(host, sizeof host - 1), 0);
    snprintf(expected, sizeof expected, "/a/slave-%s-%ld", host, (long)getpid());
    CU_ASSERT_EQUAL_FATAL(mwi_file_pattern_init(&pattern, "--mw-file", "/a/%n", NULL, &why), MW_OK);

    char *path = mwi_file_pattern_expand(&pattern, NULL);

    CU_ASSERT_STRING_EQUAL(path, expected);
    free(path);
    mwi_file_pattern_fini(&pattern);
}

/* Other letters are refused with a sentence that names the option. */
static void test_wrong_placeholders(void)
{
    static const char *const wrong[] = {"%", "a%", "%x", "%%%", "%n%d"};
    struct mwi_file_pattern pattern;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        mw_reason why = {""};
        CU_ASSERT_EQUAL(mwi_file_pattern_init(&pattern, "--mw-file", wrong[i], NULL, &why),
                        MW_EUSAGE);
        CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "--mw-file"));
    }
}

/* Only %n asks for a node. */
static void test_node(void)
{
    struct mwi_file_pattern pattern;
    mw_reason why;

    CU_ASSERT_EQUAL(mwi_file_pattern_init(&pattern, "--mw-file", "a%%n-%p", NULL, &why), MW_OK);
    CU_ASSERT_FALSE(pattern.has_node);
    mwi_file_pattern_fini(&pattern);
    CU_ASSERT_EQUAL(mwi_file_pattern_init(&pattern, "--mw-file", "a%%-%n", NULL, &why), MW_OK);
    CU_ASSERT_TRUE(pattern.has_node);
    mwi_file_pattern_fini(&pattern);
}

/* A relative name means the folder in which the pattern was made, even if that has a % in it. */
static void test_folder(void)
{
    struct mwt_folder folder;
    struct mwi_file_pattern pattern;
    mw_reason why;
    char before[1024], expected[1024];
    mwt_folder_create(&folder);
    CU_ASSERT_PTR_NOT_NULL_FATAL(getcwd(before, sizeof before));
    snprintf(expected, sizeof expected, "%s/%%n/a-SLAVE-3", folder.path);
    CU_ASSERT_EQUAL_FATAL(mkdir(mwt_folder_file(&folder, "%n"), 0700), 0);
    CU_ASSERT_EQUAL_FATAL(chdir(folder.file), 0);

    CU_ASSERT_EQUAL(mwi_file_pattern_init(&pattern, "--mw-file", "a-%n", NULL, &why), MW_OK);
    CU_ASSERT_EQUAL(chdir("/"), 0);
    char *path = mwi_file_pattern_expand(&pattern, "SLAVE-3");

    CU_ASSERT_STRING_EQUAL(path, expected);
    free(path);
    mwi_file_pattern_fini(&pattern);
    CU_ASSERT_EQUAL(chdir(before), 0);
    mwt_folder_destroy(&folder);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"placeholders", test_placeholders},
        {"own node", test_own_node},
        {"wrong placeholders", test_wrong_placeholders},
        {"node", test_node},
        {"folder", test_folder},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("file_pattern", tests);
}
