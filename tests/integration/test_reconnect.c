/* SPDX-License-Identifier: Apache-2.0
 *
 * TCP farms whose master is killed and started again: slaves with --mw-reconnect look for it, and
 * their results are not computed a second time.
 */
#include <signal.h>
#include <string.h>

#include "mwt_run.h"
#include "tcp_farm.h"

static struct mwt_process *start_returning(struct mwt_crew *crew, const char *reconnect_s)
{
    return mwt_start(
        crew, &(struct mwt_start){.argv = MWT_ARGV(MWT_FARM, "--mw-slave", "--mw-resource-file",
                                                   mwt_path(crew, "farm.rsc"), "--mw-reconnect",
                                                   reconnect_s)});
}

static unsigned runs_count(struct mwt_process *const *slaves, size_t count)
{
    unsigned runs = 0;
    for (size_t i = 0; i < count; i++)
        runs += mwt_count(mwt_output(slaves[i], MWT_ERR), " runs, pid ");
    return runs;
}

static void kill_at_once(struct mwt_process *process)
{
    mwt_kill(process, SIGKILL);
    CU_ASSERT_EQUAL(mwt_await_end(process), -SIGKILL);
}

/* The master is killed, twice, while all slaves run a task. They finish it, find the next master,
 * and it takes their results: none of them is lost, and each task is handed out once. */
static void test_killed_master(void)
{
    enum { SLAVES_COUNT = 3 };
    const char *const *tasks = MWT_ARGV("--mw-slave-task-group", "1", "doze:2000", "9");
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *slaves[SLAVES_COUNT];
    struct mwt_process *master = start_master(crew, tasks);
    for (size_t i = 0; i < SLAVES_COUNT; i++) {
        slaves[i] = start_returning(crew, "60");
        mwt_await_line(slaves[i], MWT_ERR, " runs");
    }

    for (int i = 0; i < 2; i++) {
        kill_at_once(master);
        master = start_master(crew, tasks);
        await_port(crew, master);
    }

    check_done(crew, master, 9);
    for (size_t i = 0; i < SLAVES_COUNT; i++) {
        CU_ASSERT_EQUAL(mwt_await_end(slaves[i]), 0);
        check_said(slaves[i], "MASTER <- OFFER of 1 kept results");
    }
    CU_ASSERT_EQUAL(mwt_count(mwt_output(master, MWT_ERR), "-> OFFER of kept results: 1 of use\n"),
                    SLAVES_COUNT);
    /* The first slave that is back may be sent a task that another one still runs. */
    CU_ASSERT(runs_count(slaves, SLAVES_COUNT) < 9 + SLAVES_COUNT);
    mwt_crew_destroy(crew);
}

static struct mwt_process *start_recording(struct mwt_crew *crew, const char *tasks,
                                           const char *count)
{
    return start_master(crew, MWT_ARGV("--mw-journal", mwt_path(crew, "farm.mwj"), "--mw-reconnect",
                                       "60", "--mw-slave-task-group", "1", tasks, count));
}

/* With a journal nothing is run a second time: results that the master had are recorded, slaves
 * bring those that it had not, and the tasks that they still run are not sent to others. */
static void test_journal(void)
{
    enum { SLAVES_COUNT = 3, KILLS_COUNT = 3 };
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *slaves[SLAVES_COUNT];
    struct mwt_process *master = start_recording(crew, "doze:700", "18");
    for (size_t i = 0; i < SLAVES_COUNT; i++) {
        slaves[i] = start_returning(crew, "60");
        mwt_await_line(slaves[i], MWT_ERR, " runs");
    }

    for (int i = 0; i < KILLS_COUNT; i++) {
        mwt_await_line(master, MWT_OUT, " done");
        kill_at_once(master);
        master = start_recording(crew, "doze:700", "18");
    }

    check_done(crew, master, 18);
    for (size_t i = 0; i < SLAVES_COUNT; i++)
        CU_ASSERT_EQUAL(mwt_await_end(slaves[i]), 0);
    /* A task that was sent in the very moment of a kill may not have been written down. */
    CU_ASSERT(runs_count(slaves, SLAVES_COUNT) <= 18 + KILLS_COUNT);
    mwt_crew_destroy(crew);
}

/* SIGTERM asks the master to end, which waits for the task that runs, and leaves its slave. The
 * next master goes on with it. */
static void test_requeue(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *master = start_recording(crew, "doze:300", "5");
    struct mwt_process *slave = start_returning(crew, "60");
    mwt_await_line(slave, MWT_ERR, "task 0 runs");

    mwt_kill(master, SIGTERM);
    CU_ASSERT_EQUAL(mwt_await_end(master), 128 + SIGTERM);
    CU_ASSERT_FALSE(mwt_has_ended(slave));
    mwt_await_line(slave, MWT_ERR, "CONNECT FAILED");
    master = start_recording(crew, "doze:300", "5");

    check_done(crew, master, 5);
    CU_ASSERT_EQUAL(mwt_await_end(slave), 0);
    CU_ASSERT_EQUAL(runs_count(&slave, 1), 5);
    mwt_crew_destroy(crew);
}

/* A second SIGTERM says that no master will follow: the slaves go home, and neither their tasks nor
 * --mw-shutdown-timeout are waited for. */
static void test_second_signal(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *master = start_recording(crew, "doze:4000", "1");
    struct mwt_process *slave = start_returning(crew, "60");
    mwt_await_line(slave, MWT_ERR, "task 0 runs");
    struct mwt_process *idle = start_returning(crew, "60");
    mwt_await_line(idle, MWT_ERR, "MASTER -> ID SLAVE-");

    mwt_kill(master, SIGTERM);
    mwt_await_line(master, MWT_ERR, "SIGTERM");
    mwt_kill(master, SIGTERM);

    CU_ASSERT_EQUAL(mwt_await_end(master), 128 + SIGTERM);
    CU_ASSERT_EQUAL(mwt_await_end(idle), 0);
    CU_ASSERT_EQUAL(mwt_await_end(slave), 0);
    const char *said = mwt_output(master, MWT_ERR);
    CU_ASSERT_EQUAL(mwt_count(said, "and 1 task still ran when SIGTERM came again"), 1);
    CU_ASSERT_EQUAL(
        mwt_count(said, "dropped: the master was asked twice to end, and waits no longer"), 1);
    CU_ASSERT_EQUAL(mwt_count(said, "--mw-shutdown-timeout"), 0);
    CU_ASSERT(mwt_ended_ns(master) - mwt_started_ns(master) < INT64_C(30000000000));
    mwt_crew_destroy(crew);
}

/* An isolated slave does the same: the process for tasks ends the task that it runs, and the next
 * master hears meanwhile that it does. */
static void test_isolated(void)
{
    const char *const *tasks = MWT_ARGV("--mw-slave-task-group", "3", "doze:3000", "2");
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *master = start_master(crew, tasks);
    struct mwt_process *slave = mwt_start(
        crew, &(struct mwt_start){.argv = MWT_ARGV(MWT_FARM, "--mw-slave", "--mw-resource-file",
                                                   mwt_path(crew, "farm.rsc"), "--mw-reconnect",
                                                   "60", "--mw-slave-isolate")});
    mwt_await_line(slave, MWT_ERR, "task 0 runs");

    kill_at_once(master);
    master = start_master(crew, tasks);

    mwt_await_line(slave, MWT_ERR, "MASTER <- OFFER of 0 kept results");
    mwt_await_line(slave, MWT_ERR, "MASTER <- OFFER of 1 kept results");
    check_done(crew, master, 2);
    CU_ASSERT_EQUAL(mwt_await_end(slave), 0);
    CU_ASSERT_EQUAL(mwt_count(mwt_output(slave, MWT_ERR), " runs, pid "), 2);
    mwt_crew_destroy(crew);
}

/* A slave that finds no master in time gives up, and says so. */
static void test_no_master_comes(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *master = start_master(crew, MWT_ARGV("doze:1000", "1", "1"));
    struct mwt_process *slave = start_returning(crew, "1.5");
    mwt_await_line(slave, MWT_ERR, "task 0 runs");

    kill_at_once(master);

    CU_ASSERT_EQUAL(mwt_await_end(slave), 255);
    check_said(slave, "\nmwt_farm: the master is gone: no master accepted this slave within "
                      "--mw-reconnect of 1.5 s: ");
    CU_ASSERT(mwt_ended_ns(slave) - mwt_ended_ns(master) > INT64_C(1400000000));
    mwt_crew_destroy(crew);
}

/* A master that has said goodbye is not looked for. */
static void test_master_ends(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *master = start_master(crew, MWT_ARGV("echo", "10"));
    struct mwt_process *slave = start_returning(crew, "60");

    check_done(crew, master, 10);

    CU_ASSERT_EQUAL(mwt_await_end(slave), 0);
    CU_ASSERT_EQUAL(mwt_count(mwt_output(slave, MWT_ERR), "<- CONNECTED TO"), 1);
    mwt_crew_destroy(crew);
}

/* A slave that looks for its master ends when a signal asks it to. */
static void test_signal_while_looking(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *master = start_master(crew, MWT_ARGV("doze:1000", "1"));
    struct mwt_process *slave = start_returning(crew, "3600");
    mwt_await_line(slave, MWT_ERR, "task 0 runs");
    kill_at_once(master);
    mwt_await_line(slave, MWT_ERR, "CONNECT FAILED");

    mwt_kill(slave, SIGTERM);

    CU_ASSERT_EQUAL(mwt_await_end(slave), 255);
    check_said(slave, "\nmwt_farm: SIGTERM asked the program to end\n");
    mwt_crew_destroy(crew);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"killed master", test_killed_master},
        {"journal", test_journal},
        {"requeue", test_requeue},
        {"second signal", test_second_signal},
        {"isolated", test_isolated},
        {"no master comes", test_no_master_comes},
        {"master ends", test_master_ends},
        {"signal while looking", test_signal_while_looking},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("reconnect", tests);
}
