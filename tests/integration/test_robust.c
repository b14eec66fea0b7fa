/* SPDX-License-Identifier: Apache-2.0
 *
 * TCP farms when slaves come, go, are killed or belong to another farm, and when the master goes:
 * no task is lost, and every process ends.
 */
#include <signal.h>
#include <string.h>

#include "mwt_random.h"
#include "mwt_run.h"
#include "tcp_farm.h"

#define NS_PER_S INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)
#define MINUTE "60000"

/* Slaves are killed at random moments of a run of 1,000 tasks, and others join. */
static void test_killed_slaves(void)
{
    enum { SLAVES_COUNT = 4, KILLS_COUNT = 20 };
    struct mwt_random random;
    mwt_random_start(&random);
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *slaves[SLAVES_COUNT];
    struct mwt_process *master =
        start_master(crew, MWT_ARGV("--mw-slave-task-group", "6", "--mw-slave-result-group", "3",
                                    "gate:1,echo", "1000", "100"));
    struct mwt_process *keeper = start_keeper(crew);
    for (size_t i = 0; i < SLAVES_COUNT; i++)
        slaves[i] = start_slave(crew);

    for (size_t i = 0; i < KILLS_COUNT; i++) {
        size_t victim = mwt_random_below(&random, SLAVES_COUNT);
        for (size_t results = mwt_random_below(&random, 40); results > 0; results--)
            mwt_await_line(master, MWT_OUT, " done by SLAVE-");
        mwt_kill(slaves[victim], SIGKILL);
        CU_ASSERT_EQUAL(mwt_await_end(slaves[victim]), -SIGKILL);
        slaves[victim] = start_slave(crew);
    }
    open_gate(crew);

    check_done(crew, master, 1000);
    CU_ASSERT_EQUAL(mwt_await_end(keeper), 0);
    for (size_t i = 0; i < SLAVES_COUNT; i++)
        CU_ASSERT_EQUAL(mwt_await_end(slaves[i]), 0);
    mwt_crew_destroy(crew);
}

/* Twenty slaves join during a run, and each leaves some time later, politely or not. */
static void test_joining_and_leaving(void)
{
    enum { SLAVES_COUNT = 20, TOGETHER_COUNT = 4 };
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *slaves[SLAVES_COUNT];
    struct mwt_process *master =
        start_master(crew, MWT_ARGV("--mw-slave-task-group", "3", "gate:5", "600", "100"));
    slaves[0] = start_keeper(crew);

    for (size_t i = 1; i < SLAVES_COUNT; i++) {
        slaves[i] = start_slave(crew);
        mwt_await_line(slaves[i], MWT_ERR, "MASTER -> ID SLAVE-");
        if (i <= TOGETHER_COUNT)
            continue;
        struct mwt_process *leaving = slaves[i - TOGETHER_COUNT];
        mwt_kill(leaving, i % 2 == 0 ? SIGTERM : SIGKILL);
        CU_ASSERT_EQUAL(mwt_await_end(leaving), i % 2 == 0 ? 255 : -SIGKILL);
        if (i % 2 == 0)
            check_said(leaving, "SIGTERM asked the program to end");
    }
    open_gate(crew);

    check_done(crew, master, 600);
    CU_ASSERT_EQUAL(mwt_await_end(slaves[0]), 0);
    for (size_t i = SLAVES_COUNT - TOGETHER_COUNT; i < SLAVES_COUNT; i++)
        CU_ASSERT_EQUAL(mwt_await_end(slaves[i]), 0);
    CU_ASSERT_EQUAL(mwt_count(mwt_output(master, MWT_ERR), "GOODBYE: SIGTERM"), 7);
    mwt_crew_destroy(crew);
}

/* A slave that is asked to go finishes its task first. A slave that is asked twice does not. */
static void test_signals_to_slave(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *master = start_master(crew, MWT_ARGV("doze:400,doze:" MINUTE, "2"));

    struct mwt_process *polite = start_slave(crew);
    mwt_await_line(polite, MWT_ERR, "task 0 runs");
    mwt_kill(polite, SIGTERM);
    CU_ASSERT_EQUAL(mwt_await_end(polite), 255);
    mwt_await_line(master, MWT_OUT, "task 0 done");
    struct mwt_process *hasty = start_slave(crew);
    mwt_await_line(hasty, MWT_ERR, "task 1 runs");
    mwt_kill(hasty, SIGINT);
    mwt_kill(hasty, SIGTERM);

    int status = mwt_await_end(hasty);
    CU_ASSERT(status == -SIGINT || status == -SIGTERM);
    mwt_kill(master, SIGTERM);
    CU_ASSERT_EQUAL(mwt_await_end(master), 128 + SIGTERM);
    mwt_crew_destroy(crew);
}

/* A slave that is asked to go says so at once, though its task runs on. So it costs the task no
 * attempt that the slave is killed before the task has ended, however often it happens. */
static void test_killed_while_leaving(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *master = start_master(crew, MWT_ARGV("doze:2000", "1", "1"));

    for (int i = 0; i < 3; i++) {
        struct mwt_process *leaving = start_slave(crew);
        mwt_await_line(leaving, MWT_ERR, "task 0 runs");
        mwt_kill(leaving, SIGTERM);
        mwt_await_line(master, MWT_ERR, "-> LEAVING: a signal asked it to end");
        mwt_kill(leaving, SIGKILL);
        CU_ASSERT_EQUAL(mwt_await_end(leaving), -SIGKILL);
        mwt_await_line(master, MWT_ERR, "requeued after attempt 0");
    }
    struct mwt_process *last = start_slave(crew);

    check_done(crew, master, 1);
    CU_ASSERT_EQUAL(mwt_await_end(last), 0);
    mwt_crew_destroy(crew);
}

/* A master that is asked to end tells its slaves, which finish their tasks first, and does not
 * claim that the work is done. */
static void check_signal_to_master(int signal_number)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *slaves[2];
    struct mwt_process *master = start_master(crew, MWT_ARGV("doze:300", "1000"));
    for (size_t i = 0; i < 2; i++) {
        slaves[i] = start_slave(crew);
        mwt_await_line(slaves[i], MWT_ERR, "runs, pid");
    }

    mwt_kill(master, signal_number);

    CU_ASSERT_EQUAL(mwt_await_end(master), 128 + signal_number);
    for (size_t i = 0; i < 2; i++)
        CU_ASSERT_EQUAL(mwt_await_end(slaves[i]), 0);
    struct mwt_process *cat = mwt_run_program(crew, "cat", mwt_path(crew, "farm.rsc"), NULL);
    CU_ASSERT_EQUAL(mwt_await_end(cat), 0);
    mwt_await_line(cat, MWT_OUT, "\"computation-status\": \"failed\"");
    mwt_crew_destroy(crew);
}

static void test_signals_to_master(void)
{
    check_signal_to_master(SIGINT);
    check_signal_to_master(SIGTERM);
}

/* Slaves whose master is killed end with 255 within two seconds of their task, and give the
 * reason. */
static void test_killed_master(void)
{
    enum { SLAVES_COUNT = 4, TASK_MS = 700 };
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *slaves[SLAVES_COUNT];
    struct mwt_process *master = start_master(crew, MWT_ARGV("doze:700", "2"));
    for (size_t i = 0; i < SLAVES_COUNT; i++)
        slaves[i] = start_slave(crew);
    for (size_t i = 0; i < SLAVES_COUNT; i++)
        mwt_await_line(slaves[i], MWT_ERR, "MASTER -> ID SLAVE-");

    int64_t killed_ns = mwt_now_ns();
    mwt_kill(master, SIGKILL);

    for (size_t i = 0; i < SLAVES_COUNT; i++) {
        CU_ASSERT_EQUAL(mwt_await_end(slaves[i]), 255);
        bool is_busy = mwt_count(mwt_output(slaves[i], MWT_ERR), "runs, pid") > 0;
        int64_t allowed_ns = 2 * NS_PER_S + (is_busy ? TASK_MS * NS_PER_MS : 0);
        CU_ASSERT(mwt_ended_ns(slaves[i]) - killed_ns < allowed_ns);
        check_said(slaves[i], "mwt_farm: the master is gone");
        check_said(slaves[i], "FINI MASTER-GONE");
    }
    mwt_crew_destroy(crew);
}

/* A task that kills its slaves is given up after the attempts of its policy. */
static void test_crashing_task(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *slaves[4];
    struct mwt_process *master = start_master(crew, MWT_ARGV("crash:11,echo", "2", "2"));

    for (size_t i = 0; i < 2; i++) {
        slaves[i] = start_slave(crew);
        CU_ASSERT_EQUAL(mwt_await_end(slaves[i]), -SIGSEGV);
    }
    slaves[2] = start_slave(crew);

    CU_ASSERT_EQUAL(mwt_await_end(master), 3);
    CU_ASSERT_EQUAL(mwt_await_end(slaves[2]), 0);
    mwt_await_line(master, MWT_OUT, "task 0 unrunnable");
    mwt_await_line(master, MWT_OUT, "task 1 done");
    mwt_crew_destroy(crew);
}

/* A slave with another member id does not get in: with keys since the proof fails, which both sides
 * say, and without since the master refuses the greeting. */
static void check_wrong_member_id(const char *option, const char *slave_says,
                                  const char *master_says)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *master = mwt_run_program(
        crew, MWT_FARM, "--mw-master", "--mw-master-host", "127.0.0.1", "--mw-resource-file",
        mwt_path(crew, "farm.rsc"), "--mw-member-id", "red", "echo", "10", option, NULL);
    const char *line = mwt_await_line(master, MWT_ERR, "MASTER READY");
    const char *port = mwt_format(crew, "%s", line == NULL ? "" : strrchr(line, ':') + 1);

    struct mwt_process *stranger = mwt_run_program(
        crew, MWT_FARM, "--mw-slave", "--mw-master-host", "127.0.0.1", "--mw-master-port", port,
        "--mw-member-id", "blue", "--mw-connect-timeout", "2", option, NULL);
    CU_ASSERT_EQUAL(mwt_await_end(stranger), 255);
    struct mwt_process *slave = mwt_run_program(crew, MWT_FARM, "--mw-slave", "--mw-resource-file",
                                                mwt_path(crew, "farm.rsc"), option, NULL);

    check_done(crew, master, 10);
    CU_ASSERT_EQUAL(mwt_await_end(slave), 0);
    check_said(stranger, slave_says);
    check_said(master, master_says);
    mwt_crew_destroy(crew);
}

/* Over a farm that encrypts, and over one that does not. */
static void test_wrong_member_id(void)
{
    check_wrong_member_id("--mw-insecure", "MASTER -> REFUSED: refused\n",
                          "refused: the slave's --mw-member-id is \"blue\"");
#ifndef MWT_WITHOUT_TLS
    check_wrong_member_id(NULL, "another key, or another --mw-member-id",
                          "or another --mw-member-id");
#endif
}

/* A slave gives up when no master comes, and names the place where it looked. */
static void test_no_master(void)
{
    struct mwt_crew *crew = mwt_crew_create();

    struct mwt_process *no_file =
        mwt_run_program(crew, MWT_FARM, "--mw-slave", "--mw-resource-file",
                        mwt_path(crew, "none.rsc"), "--mw-connect-timeout", "1", NULL);
    struct mwt_process *nobody =
        mwt_run_program(crew, MWT_FARM, "--mw-slave", "--mw-master-host", "127.0.0.1",
                        "--mw-master-port", "1", "--mw-connect-timeout", "1", NULL);

    CU_ASSERT_EQUAL(mwt_await_end(no_file), 255);
    CU_ASSERT_EQUAL(mwt_await_end(nobody), 255);
    CU_ASSERT(mwt_ended_ns(no_file) - mwt_started_ns(no_file) > NS_PER_S * 9 / 10);
    CU_ASSERT(mwt_ended_ns(nobody) - mwt_started_ns(nobody) > NS_PER_S * 9 / 10);
    check_said(no_file, "\nmwt_farm: no master accepted this slave within --mw-connect-timeout");
    check_said(no_file, "none.rsc");
    check_said(nobody, "\nmwt_farm: no master accepted this slave within --mw-connect-timeout");
    check_said(nobody, "refused");
    check_said(nobody, "FINI NO-MASTER");
    mwt_crew_destroy(crew);
}

/* A slave that still looks for its master can be stopped. */
static void test_signal_while_searching(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *slave = start_slave(crew);
    mwt_await_line(slave, MWT_ERR, "INIT SLAVE");

    mwt_kill(slave, SIGTERM);

    CU_ASSERT_EQUAL(mwt_await_end(slave), 255);
    CU_ASSERT(mwt_ended_ns(slave) - mwt_started_ns(slave) < 5 * NS_PER_S);
    check_said(slave, "SIGTERM asked the program to end");
    mwt_crew_destroy(crew);
}

/* A program without a master algorithm fails with a sentence, and its slave is told to stop. */
static void test_no_master_algorithm(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *const *environment = MWT_ARGV("FARM=no-master");

    struct mwt_process *local =
        mwt_start(crew, &(struct mwt_start){.argv = MWT_ARGV(MWT_FARM, "--mw-local", "1"),
                                            .environment = environment});
    struct mwt_process *master =
        mwt_start(crew, &(struct mwt_start){.argv = MWT_ARGV(MWT_FARM, "--mw-master",
                                                             "--mw-master-host", "127.0.0.1"),
                                            .environment = environment});

    CU_ASSERT_EQUAL(mwt_await_end(local), 255);
    CU_ASSERT_EQUAL(mwt_await_end(master), 255);
    check_said(local, "[A] MASTER No master algorithm is defined");
    check_said(master, "[A] MASTER No master algorithm is defined");
    mwt_crew_destroy(crew);
}

/* A slave needs no standard input, nor any other stream. */
static void test_closed_streams(void)
{
    static const char *const closed[] = {"0", "012"};
    for (size_t i = 0; i < 2; i++) {
        struct mwt_crew *crew = mwt_crew_create();
        struct mwt_process *master = start_master(crew, MWT_ARGV("echo,say", "10"));

        struct mwt_process *slave = mwt_start(
            crew, &(struct mwt_start){.argv = MWT_ARGV(MWT_FARM, "--mw-slave", "--mw-resource-file",
                                                       mwt_path(crew, "farm.rsc")),
                                      .closed = closed[i]});

        check_done(crew, master, 10);
        CU_ASSERT_EQUAL(mwt_await_end(slave), 0);
        mwt_crew_destroy(crew);
    }
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"killed slaves", test_killed_slaves},
        {"joining and leaving", test_joining_and_leaving},
        {"signals to a slave", test_signals_to_slave},
        {"killed while leaving", test_killed_while_leaving},
        {"signals to the master", test_signals_to_master},
        {"killed master", test_killed_master},
        {"crashing task", test_crashing_task},
        {"wrong member id", test_wrong_member_id},
        {"no master", test_no_master},
        {"signal while searching", test_signal_while_searching},
        {"no master algorithm", test_no_master_algorithm},
        {"closed streams", test_closed_streams},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("robust", tests);
}
