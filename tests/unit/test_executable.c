/* SPDX-License-Identifier: Apache-2.0
 *
 * The path of the program that slaves run: the one that the user asks for, or the program itself,
 * even if its file was removed.
 */
#include "loop/executable.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mwt_folder.h"
#include "mwt_run.h"

/* A path that the user asked for is taken as it is, whether or not the file exists. */
static void test_asked(void)
{
    char *path = mwi_executable_path("no/such program");
    char *start = mwi_executable_to_start("no/such program");

    CU_ASSERT_STRING_EQUAL(path, "no/such program");
    CU_ASSERT_STRING_EQUAL(start, "no/such program");

    free(path);
    free(start);
}

/* Otherwise it is this program, under its absolute path. */
static void test_own(void)
{
    char *path = mwi_executable_path(NULL);
    char *start = mwi_executable_to_start(NULL);

    CU_ASSERT_EQUAL(path[0], '/');
    CU_ASSERT_PTR_NOT_NULL(strstr(path, "/test_executable"));
    CU_ASSERT_EQUAL(access(path, X_OK), 0);
    CU_ASSERT_STRING_EQUAL(start, path);

    free(path);
    free(start);
}

/* In a copy of this program: removes its own file, and says by the exit status whether it could
 * still be started. */
static int run_removed(void)
{
    char *path = mwi_executable_path(NULL);
    bool is_removed = unlink(path) == 0;
    free(path);
    char *start = mwi_executable_to_start(NULL);
    bool can_start = access(start, X_OK) == 0;
    free(start);
    return is_removed && can_start ? 0 : 1;
}

/* A program whose file was removed since it started can still be started. */
static void test_removed(void)
{
    struct mwt_folder folder;
    char command[1000];
    char *path = mwi_executable_path(NULL);
    mwt_folder_create(&folder);

    snprintf(command, sizeof command, "cp '%s' '%s/copy' && '%s/copy' removed", path, folder.path,
             folder.path);
    CU_ASSERT_EQUAL(system(command), 0);

    free(path);
    mwt_folder_destroy(&folder);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "removed") == 0)
        return run_removed();
    CU_TestInfo tests[] = {
        {"asked", test_asked},
        {"own", test_own},
        {"removed", test_removed},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("executable", tests);
}
