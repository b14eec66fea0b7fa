/* SPDX-License-Identifier: Apache-2.0
 *
 * Output that goes to a file for a while: what is printed before and after does not, programs that
 * are started write there too, and a file that cannot be opened changes nothing.
 */
#include "loop/redirect.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "mwt_folder.h"
#include "mwt_run.h"

/* Both streams go to the file while it is in place, and lines appear at once. */
static void test_redirect(void)
{
    struct mwt_folder folder;
    struct mwi_redirect redirect;
    mw_reason why;
    char pattern[400], expected[400];
    struct stat before, after;
    mwt_folder_create(&folder);
    snprintf(pattern, sizeof pattern, "%s/out-%%n-%%m", folder.path);
    CU_ASSERT_EQUAL_FATAL(fstat(STDOUT_FILENO, &before), 0);

    printf("(before) ");
    CU_ASSERT_EQUAL_FATAL(mwi_redirect_open(&redirect, pattern, "farm", "SLAVE-3", &why), MW_OK);
    printf("to output\n");
    fprintf(stderr, "to error output\n");
    int status = system("echo from a program");
    char *seen = mwt_file_read(mwt_folder_file(&folder, "out-SLAVE-3-farm"));
    mwi_redirect_close(&redirect);
    printf("(after) ");

    CU_ASSERT_EQUAL(status, 0);
    snprintf(expected, sizeof expected, "to output\nto error output\nfrom a program\n");
    CU_ASSERT_PTR_NOT_NULL_FATAL(seen);
    CU_ASSERT_STRING_EQUAL(seen, expected);
    free(seen);
    seen = mwt_file_read(folder.file);
    CU_ASSERT_STRING_EQUAL(seen, expected);
    free(seen);
    CU_ASSERT_EQUAL(fstat(STDOUT_FILENO, &after), 0);
    CU_ASSERT_EQUAL(before.st_ino, after.st_ino);
    mwt_folder_destroy(&folder);
}

/* Without a pattern nothing happens; a wrong or unusable one is an error, and nothing happens. */
static void test_nothing(void)
{
    struct mwi_redirect redirect;
    struct stat before, after;
    mw_reason why = {""};
    CU_ASSERT_EQUAL_FATAL(fstat(STDERR_FILENO, &before), 0);

    CU_ASSERT_EQUAL(mwi_redirect_open(&redirect, NULL, "farm", "SLAVE-3", &why), MW_OK);
    mwi_redirect_close(&redirect);
    CU_ASSERT_EQUAL(mwi_redirect_open(&redirect, "/tmp/%x", "farm", "SLAVE-3", &why), MW_EUSAGE);
    mwi_redirect_close(&redirect);
    CU_ASSERT_EQUAL(mwi_redirect_open(&redirect, "/no-folder/%n", "farm", "SLAVE-3", &why), MW_EIO);
    mwi_redirect_close(&redirect);

    CU_ASSERT_STRING_EQUAL(why.text,
                           "--mw-slave-output /no-folder/SLAVE-3: No such file or directory");
    CU_ASSERT_EQUAL(fstat(STDERR_FILENO, &after), 0);
    CU_ASSERT_EQUAL(before.st_ino, after.st_ino);
}

/* Output that cannot be written does not hide why the file could not be opened. */
static void test_full_output(void)
{
    struct mwi_redirect redirect;
    mw_reason why = {""};
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    fflush(stdout);
    int before = dup(STDOUT_FILENO);
    CU_ASSERT_TRUE_FATAL(full >= 0 && before >= 0);
    dup2(full, STDOUT_FILENO);
    fputs("lost", stdout);

    mw_error error = mwi_redirect_open(&redirect, "/no-folder/%n", "farm", "SLAVE-3", &why);

    mwi_redirect_close(&redirect);
    dup2(before, STDOUT_FILENO);
    clearerr(stdout);
    CU_ASSERT_EQUAL(error, MW_EIO);
    CU_ASSERT_STRING_EQUAL(why.text,
                           "--mw-slave-output /no-folder/SLAVE-3: No such file or directory");
    close(before);
    close(full);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"redirect", test_redirect},
        {"nothing", test_nothing},
        {"full output", test_full_output},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("redirect", tests);
}
