/* SPDX-License-Identifier: Apache-2.0
 *
 * The errors of a slave whose resource file names no way to its master. Each sentence must say
 * what the user can do.
 */
#include <stdio.h>
#include <string.h>

#include <CUnit/Basic.h>

#include <mw/embed.h>

#include "mwt_folder.h"
#include "mwt_run.h"
#include "record/resource_file.h"

/* The resource file of a master that slaves cannot reach says over which transport it is, and so
 * what to do about it; host and port of the options are as good as before. */
static void test_master_without_an_address(void)
{
    static const struct {
        const char *transport, *sentence;
    } cases[] = {
        {"mpi", "takes MPI ranks only: start it with --mw-transport mpi,tcp"},
        {"tcp", "takes only slaves that it starts itself: start it with --mw-master"},
        {"pigeon", "is not reached over TCP: start a master with --mw-master"},
    };
    const mw_program program = {.algorithms = NULL};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct mwi_resource resource = {.member_id = "default-member-id",
                                              .update_interval_s = 300,
                                              .slave_executable = "/bin/program",
                                              .transport = cases[i].transport,
                                              .pid = 1,
                                              .protocol_version = 1};
        struct mwt_folder folder;
        mw_reason why;
        mw_options *options;
        mw_slave *slave;
        mwt_folder_create(&folder);
        CU_ASSERT_EQUAL_FATAL(mw_options_create(&options), MW_OK);
        const char *path = mwt_folder_file(&folder, "farm.rsc");
        CU_ASSERT_EQUAL(mwi_resource_file_write(path, &resource, &why), MW_OK);
        CU_ASSERT_EQUAL(mw_options_set(options, "slave", "1"), MW_OK);
        CU_ASSERT_EQUAL(mw_options_set(options, "quiet", "1"), MW_OK);
        CU_ASSERT_EQUAL(mw_options_set(options, "connect-timeout", "0"), MW_OK);
        CU_ASSERT_EQUAL(mw_options_set(options, "resource-file", path), MW_OK);

        CU_ASSERT_EQUAL(mw_slave_open(&slave, &program, options), MW_ETIMEOUT);
        CU_ASSERT_PTR_NOT_NULL(strstr(mw_options_error(options), path));
        CU_ASSERT_PTR_NOT_NULL(strstr(mw_options_error(options), cases[i].sentence));
        CU_ASSERT_EQUAL(mw_options_set(options, "master-host", "127.0.0.1"), MW_OK);
        CU_ASSERT_EQUAL(mw_options_set(options, "master-port", "1"), MW_OK);
        CU_ASSERT_EQUAL(mw_slave_open(&slave, &program, options), MW_ETIMEOUT);
        CU_ASSERT_PTR_NOT_NULL(strstr(mw_options_error(options), "127.0.0.1:1"));

        mw_options_destroy(options);
        mwt_folder_destroy(&folder);
    }
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"master without an address", test_master_without_an_address},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("slave open", tests);
}
