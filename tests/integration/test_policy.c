/* SPDX-License-Identifier: Apache-2.0
 *
 * The promises of policies, groups of slaves, cancelling and target numbers, tested with real
 * processes: policy_farm.c does the steps, and the test reads its lines.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "policy_farm.h"

/* Open MPI itself does not free all its memory. */
#define NO_LEAK_CHECK "ASAN_OPTIONS=detect_leaks=0"

enum mode { TCP, LOCAL, MPI, MIXED };

/* Starts a farm of two slaves in that mode. NULL if this build lacks the mode. Slaves over TCP end
 * by themselves. */
static struct mwt_process *start_farm(struct mwt_crew *crew, enum mode mode,
                                      const char *const *rest)
{
    struct words words = {.count = 0};
    if (mode == TCP) {
        struct mwt_process *master = start_master(crew, rest);
        start_slave(crew, MWT_ARGV(NULL));
        start_slave(crew, MWT_ARGV(NULL));
        return master;
    }
#ifdef MWT_MPIEXEC
    if (mode == MPI)
        add_words(&words, MWT_ARGV(MWT_MPIEXEC, "-n", "3", MWT_POLICY_FARM));
    if (mode == MIXED) {
        add_words(&words, MWT_ARGV(MWT_MPIEXEC, "-n", "2", MWT_POLICY_FARM, "--mw-transport",
                                   "mpi,tcp", "--mw-master-host", "127.0.0.1", "--mw-resource-file",
                                   mwt_path(crew, "farm.rsc")));
        start_slave(crew, MWT_ARGV(NULL));
    }
#else
    if (mode == MPI || mode == MIXED) {
        mwt_not_run("ordered slaves over MPI", "this build has MW_WITH_MPI=OFF");
        return NULL;
    }
#endif
    if (mode == LOCAL)
        add_words(&words, MWT_ARGV(MWT_POLICY_FARM, "--mw-local", "2"));
    add_words(&words, rest);
    return mwt_start(
        crew, &(struct mwt_start){.argv = words.argv, .environment = MWT_ARGV(NO_LEAK_CHECK)});
}

/* Reads the lines "task N done by SLAVE-M" of a mix of the first tasks. Checks that each kind ran
 * on its slave, and in the order in which it was submitted. */
static void check_mix(const char *output, int tasks_count)
{
    static const long slaves[] = {0, 1, 1};
    long last[] = {-1, -1, -1};
    int count = 0;
    for (const char *line = output; (line = strstr(line, "task ")) != NULL; line += 5) {
        char *rest;
        long task = strtol(line + 5, &rest, 10);
        if (task >= tasks_count || strncmp(rest, " done by SLAVE-", 15) != 0)
            continue;
        CU_ASSERT_EQUAL(strtol(rest + 15, NULL, 10), slaves[task % 3]);
        CU_ASSERT(task > last[task % 3]);
        last[task % 3] = task;
        count++;
    }
    CU_ASSERT_EQUAL(count, tasks_count);
}

/* With an ordered and an intermingle slave, ordered tasks run on their slave, in order however they
 * are grouped, and the others run where they may. A freed slave takes no ordered task any more. */
static void check_groups(enum mode mode)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *farm =
        start_farm(crew, mode,
                   MWT_ARGV("--mw-slave-task-group", "4", "--mw-slave-result-group", "3",
                            "allocate=1,ordered", "allocate=1,intermingle", "connected=2", "mix=60",
                            "take=60", "free=SLAVE-0", "policy=sid:SLAVE-0", "task=echo,1",
                            "policy=sid:SLAVE-0,anyway:yes", "task=echo,1", "take=2"));

    if (farm != NULL) {
        check_steps(farm);
        const char *output = mwt_output(farm, MWT_OUT);
        check_mix(output, 60);
        CU_ASSERT_PTR_NOT_NULL(strstr(output, "task 60 unrunnable by nobody: "));
        CU_ASSERT_PTR_NOT_NULL(strstr(output, "task 61 done by SLAVE-"));
        CU_ASSERT_EQUAL(mwt_count(output, "connected SLAVE-"), 2);
        CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(farm, MWT_ERR), "SLAVE-0 -> [:unordered]"));
    }
    mwt_crew_destroy(crew);
}

static void test_groups_over_tcp(void)
{
    check_groups(TCP);
}

static void test_groups_in_local_mode(void)
{
    check_groups(LOCAL);
}

static void test_groups_over_mpi(void)
{
    check_groups(MPI);
}

/* One of the two slaves is a rank, the other connects over TCP. */
static void test_groups_in_mixed_farm(void)
{
    check_groups(MIXED);
}

/* When an ordered slave is killed, its tasks that must not run elsewhere become unrunnable, both
 * running and waiting ones. Its other tasks are done, and the master gets to know that the slave is
 * gone. */
static void test_killed_ordered_slave(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *master = start_master(
        crew, MWT_ARGV("allocate=1,ordered", "slaves=2", "policy=sid:SLAVE-0", "task=nap," MINUTE,
                       "task=echo,1", "policy=sid:SLAVE-0,anyway:yes", "task=echo,2",
                       "sent=", "take=3", "policy=sid:SLAVE-0", "task=echo,3", "take=1"));
    struct mwt_process *ordered = start_welcome_slave(crew), *other = start_welcome_slave(crew);
    mwt_await_line(ordered, MWT_ERR, "task runs");

    mwt_kill(ordered, SIGKILL);

    check_steps(master);
    CU_ASSERT_EQUAL(mwt_await_end(ordered), -SIGKILL);
    CU_ASSERT_EQUAL(mwt_await_end(other), 0);
    const char *output = mwt_output(master, MWT_OUT);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(output, mwt_format(crew, "task 0 unrunnable by SLAVE-0: SLAVE-0 (pid %ld on ",
                                  (long)mwt_pid(ordered))));
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "task 1 unrunnable by SLAVE-0: its policy"));
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "task 2 done by SLAVE-1"));
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "task 3 unrunnable by nobody: there is no SLAVE-0"));
    CU_ASSERT_EQUAL(mwt_count(output, "allows no other slave than SLAVE-0"), 2);
    CU_ASSERT_EQUAL(mwt_count(output, "disconnected SLAVE-0"), 1);
    mwt_crew_destroy(crew);
}

/* A task without retry becomes unrunnable when its slave is lost with it, even if it may run
 * anywhere. The farm goes on. */
static void test_no_retry(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *master =
        start_master(crew, MWT_ARGV("policy=retry:no", "task=crash,9", "take=1", "task=echo,1",
                                    "slaves=1", "take=1"));
    struct mwt_process *first = start_slave(crew, MWT_ARGV(NULL));
    CU_ASSERT_EQUAL(mwt_await_end(first), -SIGKILL);

    struct mwt_process *second = start_slave(crew, MWT_ARGV(NULL));

    check_steps(master);
    CU_ASSERT_EQUAL(mwt_await_end(second), 0);
    const char *output = mwt_output(master, MWT_OUT);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(output, mwt_format(crew, "task 0 unrunnable by SLAVE-0: SLAVE-0 (pid %ld on ",
                                  (long)mwt_pid(first))));
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "its policy allows no retry"));
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "task 1 done by SLAVE-1"));
    mwt_crew_destroy(crew);
}

/* A slave that is asked to go finishes the task that it runs and gives back the others. These lose
 * no attempt, even if they have a single one. */
static void test_goodbye(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *master =
        start_master(crew, MWT_ARGV("--mw-slave-task-group", "3", "policy=attempts:1,retry:no",
                                    "task=nap,1000", "task=echo,1", "task=echo,2", "take=3"));
    struct mwt_process *leaving = start_slave(crew, MWT_ARGV(NULL));
    mwt_await_line(leaving, MWT_ERR, "task runs");

    mwt_kill(leaving, SIGTERM);

    CU_ASSERT_EQUAL(mwt_await_end(leaving), 255);
    struct mwt_process *other = start_slave(crew, MWT_ARGV(NULL));
    check_steps(master);
    CU_ASSERT_EQUAL(mwt_await_end(other), 0);
    const char *output = mwt_output(master, MWT_OUT), *trail = mwt_output(master, MWT_ERR);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "task 0 done by SLAVE-0"));
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "task 1 done by SLAVE-1"));
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "task 2 done by SLAVE-1"));
    CU_ASSERT_PTR_NOT_NULL(strstr(trail, "SLAVE-0 -> GOODBYE: SIGTERM"));
    CU_ASSERT_EQUAL(mwt_count(trail, "requeued after attempt 0"), 2);
    mwt_crew_destroy(crew);
}

/* A cancelled task that waits is forgotten. The result of one that runs is not taken. A finished
 * one cannot be cancelled. */
static void test_cancel(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *master = start_master(
        crew, MWT_ARGV("task=echo,0", "task=echo,1", "cancel=0", "cancel=0", "take=1", "cancel=1",
                       "task=nap,500", "sent=", "cancel=2", "task=echo,3", "take=1"));
    struct mwt_process *slave = start_slave(crew, MWT_ARGV(NULL));

    check_steps(master);

    CU_ASSERT_EQUAL(mwt_await_end(slave), 0);
    const char *output = mwt_output(master, MWT_OUT);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "cancel 0: no error\n"
                                          "cancel 0: the call is not allowed at this point\n"
                                          "task 1 done by SLAVE-0\n"
                                          "cancel 1: the call is not allowed at this point\n"
                                          "cancel 2: no error\n"
                                          "task 3 done by SLAVE-0\n"
                                          "farm: all steps are done, 0 tasks are left\n"));
    CU_ASSERT_EQUAL(mwt_count(mwt_output(master, MWT_ERR), " is cancelled"), 2);
    mwt_crew_destroy(crew);
}

/* Unordered tasks of higher priority are sent first, and tasks of one priority in the order of
 * submission. */
static void test_priorities(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *master = start_master(
        crew, MWT_ARGV("policy=priority:-1", "task=echo,0", "policy=priority:5", "task=echo,1",
                       "policy=", "task=echo,2", "policy=priority:5", "task=echo,3", "take=4"));
    start_slave(crew, MWT_ARGV(NULL));

    check_steps(master);

    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(master, MWT_OUT), "task 1 done by SLAVE-0\n"
                                                               "task 3 done by SLAVE-0\n"
                                                               "task 2 done by SLAVE-0\n"
                                                               "task 0 done by SLAVE-0\n"));
    mwt_crew_destroy(crew);
}

/* A tag of bytes comes back unchanged, zeros included, whatever the outcome of the task. */
static void test_tags_of_bytes(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *master =
        start_master(crew, MWT_ARGV("tag=_a_b_", "policy=sid:SLAVE-7", "task=echo,0",
                                    "policy=", "task=echo,1", "tag=xyz", "task=nap,0,5", "take=3"));
    start_slave(crew, MWT_ARGV(NULL));

    check_steps(master);

    const char *output = mwt_output(master, MWT_OUT);
    CU_ASSERT_EQUAL(mwt_count(output, ", tag 00 61 00 62 00\n"), 2);
    CU_ASSERT_EQUAL(mwt_count(output, ", tag 78 79 7a\n"), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "task 0 unrunnable by nobody: "));
    mwt_crew_destroy(crew);
}

/* Target numbers give the number of missing tasks, and are never below 0. */
static void test_targets(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *master =
        start_master(crew, MWT_ARGV("target=3", "task=echo,0", "task=echo,1", "target=3",
                                    "target=1", "target=-4", "take=2", "target=3"));
    start_slave(crew, MWT_ARGV(NULL));

    check_steps(master);

    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(master, MWT_OUT), "target 3 pending 0 upto 3\n"
                                                               "target 3 pending 2 upto 1\n"
                                                               "target 1 pending 2 upto 0\n"
                                                               "target 0 pending 2 upto 0\n"));
    CU_ASSERT_EQUAL(mwt_count(mwt_output(master, MWT_OUT), "target 3 pending 0 upto 3\n"), 2);
    mwt_crew_destroy(crew);
}

/* A task that is larger than any slave reads fails as that task after a while, and names the
 * option. */
static void test_read_buffer_of_slave(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *master = start_master(
        crew, MWT_ARGV("--mw-connect-timeout", "1", "load=100000", "load=1000", "take=2"));

    struct mwt_process *slave = start_slave(crew, MWT_ARGV("--mw-max-read-buffer-size", "64K"));

    check_steps(master);
    CU_ASSERT_EQUAL(mwt_await_end(slave), 0);
    const char *output = mwt_output(master, MWT_OUT);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "task 0 failed by nobody: the task's "));
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "--mw-max-read-buffer-size of all slaves seen, 65536"));
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "task 1 done by SLAVE-0"));
    mwt_crew_destroy(crew);
}

/* Options reach the ranks of an MPI job as variables of its launcher. */
static void test_variables_over_mpi(void)
{
#ifdef MWT_MPIEXEC
    struct mwt_crew *crew = mwt_crew_create();

    struct mwt_process *farm = mwt_start(
        crew, &(struct mwt_start){
                  .argv = MWT_ARGV(MWT_MPIEXEC, "-n", "2", "-x", "MW_SLAVE_TASK_GROUP=5", "-x",
                                   "MW_MEMBER_ID=blue", MWT_POLICY_FARM, "--mw-member-id", "red",
                                   "task=echo,0", "task=echo,1", "task=echo,2", "task=echo,3",
                                   "task=echo,4", "task=echo,5", "take=6"),
                  .environment = MWT_ARGV(NO_LEAK_CHECK)});

    check_steps(farm);
    const char *trail = mwt_output(farm, MWT_ERR);
    CU_ASSERT_PTR_NOT_NULL(strstr(trail, "SLAVE-0 <- 5 tasks"));
    CU_ASSERT_PTR_NOT_NULL(strstr(trail, "INIT MASTER \"red\""));
    mwt_crew_destroy(crew);
#else
    mwt_not_run("variables over MPI", "this build has MW_WITH_MPI=OFF");
#endif
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"groups over tcp", test_groups_over_tcp},
        {"groups in local mode", test_groups_in_local_mode},
        {"groups over mpi", test_groups_over_mpi},
        {"groups in a mixed farm", test_groups_in_mixed_farm},
        {"killed ordered slave", test_killed_ordered_slave},
        {"no retry", test_no_retry},
        {"goodbye", test_goodbye},
        {"cancel", test_cancel},
        {"priorities", test_priorities},
        {"tags of bytes", test_tags_of_bytes},
        {"targets", test_targets},
        {"slave's read buffer", test_read_buffer_of_slave},
        {"variables over mpi", test_variables_over_mpi},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("policy", tests);
}
