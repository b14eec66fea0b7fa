/* SPDX-License-Identifier: Apache-2.0
 *
 * Tasks over TCP that fail, that are too large, or that share a message with many others. farm.c
 * has the algorithms; a failed task must never cost a slave.
 */
#include "mwt_run.h"
#include "tcp_farm.h"

/* A result that is larger than the master accepts makes its task fail, whichever option sets the
 * limit. */
static void test_large_results(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *master = start_master(
        crew, MWT_ARGV("--mw-max-read-buffer-size", "64K", "--mw-slave-task-group", "8",
                       "--mw-slave-result-group", "8", "echo,big:70000,big:30000", "12"));
    struct mwt_process *slave = start_slave(crew);

    CU_ASSERT_EQUAL(mwt_await_end(master), 3);
    CU_ASSERT_EQUAL(mwt_await_end(slave), 0);
    const char *output = mwt_output(master, MWT_OUT);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "farm: 8 done, 4 failed, 0 unrunnable, 0 lost"));
    CU_ASSERT_EQUAL(mwt_count(output, "over the master's --mw-max-read-buffer-size of 65536"), 4);
    CU_ASSERT_EQUAL(mwt_count(output, ": 30000 bytes"), 4);
    mwt_crew_destroy(crew);
}

/* Results of a few megabytes arrive. */
static void test_very_large_results(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *master = start_master(crew, MWT_ARGV("big:20000000,echo", "4"));
    struct mwt_process *slaves[2];
    for (size_t i = 0; i < 2; i++)
        slaves[i] = start_slave(crew);

    check_done(crew, master, 4);

    for (size_t i = 0; i < 2; i++)
        CU_ASSERT_EQUAL(mwt_await_end(slaves[i]), 0);
    CU_ASSERT_EQUAL(mwt_count(mwt_output(master, MWT_OUT), ": 20000000 bytes"), 2);
    mwt_crew_destroy(crew);
}

/* Tasks that fail, or get wrong arguments, cost no slave. */
static void test_failing_tasks(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *master = start_master(crew, MWT_ARGV("echo,fail,mismatch", "9"));
    struct mwt_process *slave = start_slave(crew);

    CU_ASSERT_EQUAL(mwt_await_end(master), 3);
    CU_ASSERT_EQUAL(mwt_await_end(slave), 0);
    const char *output = mwt_output(master, MWT_OUT);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "farm: 3 done, 6 failed, 0 unrunnable, 0 lost"));
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "task 1 failed by SLAVE-0: task 1 cannot be done"));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(output, "task 2 failed by SLAVE-0: argument 1: expected a string"));
    CU_ASSERT_EQUAL(mwt_count(mwt_output(master, MWT_ERR),
                              "of \"mismatch\" failed: argument 1: expected a string"),
                    3);
    mwt_crew_destroy(crew);
}

/* A slave of another program runs the algorithms that it has. Its other tasks fail. */
static void test_other_program(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *master = start_master(crew, MWT_ARGV("echo,big:10", "10"));

    struct mwt_process *slave = mwt_start(
        crew, &(struct mwt_start){.argv = MWT_ARGV(MWT_FARM, "--mw-slave", "--mw-resource-file",
                                                   mwt_path(crew, "farm.rsc")),
                                  .environment = MWT_ARGV("FARM=other")});

    CU_ASSERT_EQUAL(mwt_await_end(master), 3);
    CU_ASSERT_EQUAL(mwt_await_end(slave), 0);
    const char *output = mwt_output(master, MWT_OUT);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "farm: 5 done, 5 failed, 0 unrunnable, 0 lost"));
    CU_ASSERT_EQUAL(mwt_count(output, "this slave has no task algorithm \"big\""), 5);
    mwt_crew_destroy(crew);
}

/* With many tasks in a message, and with few, all arrive. */
static void test_groups(void)
{
    static const char *const groups[][2] = {{"1", "100"}, {"100", "1"}, {"1000000", "1000000"}};
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        struct mwt_crew *crew = mwt_crew_create();
        struct mwt_process *master =
            start_master(crew, MWT_ARGV("--mw-quiet", "--mw-slave-task-group", groups[i][0],
                                        "--mw-slave-result-group", groups[i][1], "echo", "3000"));
        start_slave(crew);
        start_slave(crew);

        check_done(crew, master, 3000);
        mwt_crew_destroy(crew);
    }
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"large results", test_large_results},
        {"very large results", test_very_large_results},
        {"failing tasks", test_failing_tasks},
        {"other program", test_other_program},
        {"groups", test_groups},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("tasks", tests);
}
