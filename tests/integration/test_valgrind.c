/* SPDX-License-Identifier: Apache-2.0
 *
 * hello_world under valgrind: no bad access and no leak, in master and slaves. Valgrind's exit
 * status becomes that of the process.
 */
#include <string.h>

#include "hello.h"
#include "mwt_run.h"

#define VALGRIND                                                                                   \
    "valgrind", "--quiet", "--leak-check=full", "--error-exitcode=99", "--trace-children=yes",     \
        "--track-fds=no"

/* Whether valgrind can watch these programs. If not, it prints why. */
static bool is_usable(struct mwt_crew *crew)
{
#ifdef MWT_IS_SANITIZED
    (void)crew;
    mwt_not_run("valgrind", "this build has a sanitizer");
    return false;
#else
    struct mwt_process *probe =
        mwt_run_program(crew, VALGRIND, MWT_HELLO_WORLD, "--mw-version-string", NULL);
    int status = mwt_await_end(probe);
    bool is_blind = strstr(mwt_output(probe, MWT_ERR), "debug info") != NULL;
    if (status == 127)
        mwt_not_run("valgrind", "it is not installed");
    else if (is_blind)
        mwt_not_run("valgrind", "it cannot read the debug information of this compiler");
    return status != 127 && !is_blind;
#endif
}

/* A local farm. The trail shows the exit statuses of the slaves. */
static void test_local(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    if (is_usable(crew)) {
        struct mwt_process *farm =
            mwt_run_program(crew, VALGRIND, MWT_HELLO_WORLD, "--mw-local", "2", NULL);

        CU_ASSERT_EQUAL(mwt_await_end(farm), 0);
        check_hello(farm, 1, 2);
        CU_ASSERT_EQUAL(mwt_count(mwt_output(farm, MWT_ERR), "exited with status 0"), 2);
        CU_ASSERT_EQUAL(mwt_count(mwt_output(farm, MWT_ERR), "=="), 0);
    }
    mwt_crew_destroy(crew);
}

/* Master and slave in one process, on two stacks. */
static void test_serial(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    if (is_usable(crew)) {
        struct mwt_process *farm =
            mwt_run_program(crew, VALGRIND, MWT_HELLO_WORLD, "--mw-local", "0", NULL);

        CU_ASSERT_EQUAL(mwt_await_end(farm), 0);
        check_hello(farm, 1, 1);
        CU_ASSERT_EQUAL(mwt_count(mwt_output(farm, MWT_ERR), "=="), 0);
    }
    mwt_crew_destroy(crew);
}

/* A master and a slave over TCP. */
static void test_tcp(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *file = mwt_path(crew, "m.rsc");
    if (is_usable(crew)) {
        struct mwt_process *master =
            mwt_run_program(crew, VALGRIND, MWT_HELLO_WORLD, "--mw-master", "--mw-master-host",
                            "127.0.0.1", "--mw-resource-file", file, NULL);
        struct mwt_process *slave = mwt_run_program(crew, VALGRIND, MWT_HELLO_WORLD, "--mw-slave",
                                                    "--mw-resource-file", file, NULL);

        CU_ASSERT_EQUAL(mwt_await_end(master), 0);
        CU_ASSERT_EQUAL(mwt_await_end(slave), 0);
        check_hello(master, 1, 0);
        check_hello(slave, 0, 1);
        CU_ASSERT_EQUAL(mwt_count(mwt_output(master, MWT_ERR), "=="), 0);
        CU_ASSERT_EQUAL(mwt_count(mwt_output(slave, MWT_ERR), "=="), 0);
    }
    mwt_crew_destroy(crew);
}

/* A farm with tasks that fail, become unrunnable and are too large, and with slaves that are
 * lost. */
static void test_trouble(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    if (is_usable(crew)) {
        struct mwt_process *farm = mwt_run_program(
            crew, VALGRIND, MWT_FARM, "--mw-local", "2", "--mw-max-read-buffer-size", "64K",
            "echo,fail,mismatch,big:100000,big:1000,crash:0", "12", "1", NULL);

        CU_ASSERT_EQUAL(mwt_await_end(farm), 3);
        CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(farm, MWT_OUT),
                                      "farm: 4 done, 6 failed, 2 unrunnable, 0 lost or wrong"));
        CU_ASSERT_EQUAL(mwt_count(mwt_output(farm, MWT_ERR), "exit status 99"), 0);
    }
    mwt_crew_destroy(crew);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"local", test_local},     {"serial", test_serial}, {"tcp", test_tcp},
        {"trouble", test_trouble}, CU_TEST_INFO_NULL,
    };
    return mwt_run("valgrind", tests);
}
