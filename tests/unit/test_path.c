/* SPDX-License-Identifier: Apache-2.0
 *
 * Paths that stay good when the process goes elsewhere: made absolute, beside another file, and
 * with the links of folders followed.
 */
#include "base/path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mwt_folder.h"
#include "mwt_run.h"

/* Compares the malloc'd path, and frees it. */
static void check_path(char *path, const char *expected)
{
    CU_ASSERT_PTR_NOT_NULL_FATAL(path);
    CU_ASSERT_STRING_EQUAL(path, expected);
    free(path);
}

/* Goes to the folder, and returns where it was, which go_back frees. */
static char *go_to(const char *folder)
{
    char *before = getcwd(NULL, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(before);
    CU_ASSERT_EQUAL_FATAL(chdir(folder), 0);
    return before;
}

static void go_back(char *before)
{
    CU_ASSERT_EQUAL(chdir(before), 0);
    free(before);
}

/* A relative path is one of the working directory; an absolute one stays as it is. */
static void test_absolute(void)
{
    struct mwt_folder folder;
    mwt_folder_create(&folder);
    char *before = go_to(folder.path);

    check_path(mwi_path_absolute("m.rsc"), mwt_folder_file(&folder, "m.rsc"));
    check_path(mwi_path_absolute("./a/../m.rsc"), mwt_folder_file(&folder, "./a/../m.rsc"));
    check_path(mwi_path_absolute("/m.rsc"), "/m.rsc");
    CU_ASSERT_EQUAL(chdir("/"), 0);
    check_path(mwi_path_absolute("m.rsc"), "/m.rsc");

    go_back(before);
    mwt_folder_destroy(&folder);
}

/* Without a working directory a path stays as it is, and the call that uses it fails. */
static void test_no_folder(void)
{
    struct mwt_folder folder;
    mwt_folder_create(&folder);
    char *before = go_to(folder.path);
    mwt_folder_destroy(&folder);

    check_path(mwi_path_absolute("m.rsc"), "m.rsc");

    go_back(before);
}

/* A name beside a file is in the file's folder. */
static void test_beside(void)
{
    check_path(mwi_path_beside("/a/b", "c"), "/a/c");
    check_path(mwi_path_beside("/a/b", "../c"), "/a/../c");
    check_path(mwi_path_beside("/b", "c"), "/c");
    check_path(mwi_path_beside("b", "c"), "c");
    check_path(mwi_path_beside("/a/b", "/c"), "/c");
}

/* The name of a file is what stands behind the last slash. */
static void test_name(void)
{
    CU_ASSERT_STRING_EQUAL(mwi_path_name("/a/b"), "b");
    CU_ASSERT_STRING_EQUAL(mwi_path_name("b"), "b");
    CU_ASSERT_STRING_EQUAL(mwi_path_name("a/"), "");
}

/* Links in the folders are followed, the last part is not; an unknown folder stays as it is. */
static void test_settled(void)
{
    struct mwt_folder folder;
    char way[400], link[384], expected[128];
    mwt_folder_create(&folder);
    snprintf(link, sizeof link, "%s", mwt_folder_file(&folder, "link"));
    snprintf(way, sizeof way, "%s/file", link);
    snprintf(expected, sizeof expected, "%s/file", folder.path);
    CU_ASSERT_EQUAL(symlink(folder.path, link), 0);

    check_path(mwi_path_settled(way), expected);
    check_path(mwi_path_settled(link), link);
    check_path(mwi_path_settled("/nonexistent-folder/m.rsc"), "/nonexistent-folder/m.rsc");
    check_path(mwi_path_settled("/m.rsc"), "/m.rsc");

    mwt_folder_destroy(&folder);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"absolute", test_absolute}, {"no folder", test_no_folder}, {"beside", test_beside},
        {"name", test_name},         {"settled", test_settled},     CU_TEST_INFO_NULL,
    };
    return mwt_run("path", tests);
}
