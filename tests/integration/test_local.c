/* SPDX-License-Identifier: Apache-2.0
 *
 * Local farms when slaves die, when the master dies, and when a signal asks for the end: no task
 * is lost, and no process is left behind.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "mwt_process.h"
#include "mwt_random.h"
#include "mwt_run.h"

#define NS_PER_S INT64_C(1000000000)
#define MINUTE "60000"
/* Without this a sanitizer would turn the signal of a crash into an exit of its own. */
#define PLAIN_CRASHES "ASAN_OPTIONS=handle_segv=0:handle_abort=0:detect_leaks=0"

/* Starts a local farm with `slaves_count` slaves. */
static struct mwt_process *start_farm(struct mwt_crew *crew, const char *slaves_count,
                                      const char *specs, const char *tasks_count,
                                      const char *const *environment)
{
    const char *const *argv = MWT_ARGV(MWT_FARM, "--mw-local", slaves_count, "--mw-resource-file",
                                       mwt_path(crew, "farm.rsc"), specs, tasks_count);
    return mwt_start(
        crew, &(struct mwt_start){.argv = argv, .environment = environment, .has_own_group = true});
}

/* Returns the next slave that the farm starts, or NULL if the farm ends before. */
static struct mwt_process *await_slave_or_end(struct mwt_crew *crew, struct mwt_process *farm)
{
    const char *line = mwt_await_line_or_end(farm, MWT_ERR, "started local slave, pid ");
    return line == NULL ? NULL : mwt_adopt(crew, (pid_t)atol(strstr(line, "pid ") + 4));
}

static struct mwt_process *await_slave(struct mwt_crew *crew, struct mwt_process *farm)
{
    struct mwt_process *slave = await_slave_or_end(crew, farm);
    CU_ASSERT_PTR_NOT_NULL(slave);
    return slave;
}

static void check_status(const char *path, const char *expected)
{
    json_t *root = json_load_file(path, 0, NULL);
    const char *status = json_string_value(json_object_get(root, "computation-status"));
    CU_ASSERT_PTR_NOT_NULL(status);
    if (status != NULL)
        CU_ASSERT_STRING_EQUAL(status, expected);
    json_decref(root);
}

/* Waits until a slave reports that it runs a task, and returns its pid. */
static pid_t await_task(struct mwt_process *farm)
{
    const char *line = mwt_await_line(farm, MWT_ERR, "runs, pid ");
    return line == NULL ? 0 : (pid_t)atol(strstr(line, "pid ") + 4);
}

/* Waits for `count` results and for one of the newest slave. Returns false if the farm has ended
 * before. */
static bool await_results(struct mwt_crew *crew, struct mwt_process *farm, size_t count,
                          size_t newest_sid)
{
    const char *newest = mwt_format(crew, " done by SLAVE-%zu", newest_sid);
    for (; count > 0; count--)
        if (mwt_await_line_or_end(farm, MWT_OUT, " done by SLAVE-") == NULL)
            return false;
    return mwt_await_line_or_end(farm, MWT_OUT, newest) != NULL;
}

/* Slaves are killed at random moments, each after it was useful. Each is replaced, no task is lost
 * and none comes twice. */
static void test_killed_slaves(void)
{
    enum { SLAVES_COUNT = 2, KILLS_MAX = 12, KILLS_MIN = 2 };
    struct mwt_random random;
    mwt_random_start(&random);
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *slaves[SLAVES_COUNT];
    size_t kills_count = 0;
    const char *const *argv = MWT_ARGV(MWT_FARM, "--mw-local", "2", "--mw-slave-task-group", "8",
                                       "--mw-slave-result-group", "4", "nap:2", "1000", "100");
    struct mwt_process *farm = mwt_start(crew, &(struct mwt_start){.argv = argv});
    for (size_t i = 0; i < SLAVES_COUNT; i++)
        slaves[i] = await_slave(crew, farm);

    while (kills_count < KILLS_MAX &&
           await_results(crew, farm, mwt_random_below(&random, 60), 1 + kills_count)) {
        size_t victim = mwt_random_below(&random, SLAVES_COUNT);
        if (slaves[victim] == NULL)
            break;
        mwt_kill(slaves[victim], SIGKILL);
        kills_count++;
        if (mwt_await_line_or_end(farm, MWT_ERR,
                                  mwt_format(crew, "local slave, pid %ld, was killed by signal 9",
                                             (long)mwt_pid(slaves[victim]))) == NULL)
            break;
        slaves[victim] = await_slave_or_end(crew, farm);
    }

    CU_ASSERT_EQUAL(mwt_await_end(farm), 0);
    CU_ASSERT(kills_count >= KILLS_MIN);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(mwt_output(farm, MWT_OUT), "farm: 1000 done, 0 failed, 0 unrunnable, 0 lost"));
    /* The last one may have been killed as the farm ended anyway. */
    const char *trail = mwt_output(farm, MWT_ERR);
    CU_ASSERT(mwt_count(trail, "was killed by signal 9") + 1 >= kills_count);
    CU_ASSERT(mwt_count(trail, "started local slave") + 1 >= SLAVES_COUNT + kills_count);
    printf("%zu kills ", kills_count);
    mwt_crew_destroy(crew);
}

/* A task that kills each of its slaves is given up after three. Its message and the trail name each
 * slave, and say how it ended. */
static void check_crash(const char *spec, const char *how)
{
    struct mwt_crew *crew = mwt_crew_create();

    struct mwt_process *farm = start_farm(crew, "1", spec, "1", MWT_ARGV(PLAIN_CRASHES));

    CU_ASSERT_EQUAL(mwt_await_end(farm), 3);
    const char *line = mwt_await_line(farm, MWT_OUT, "task 0 unrunnable");
    if (line != NULL) {
        CU_ASSERT_PTR_NOT_NULL(strstr(line, "SLAVE-0 (pid "));
        CU_ASSERT_PTR_NOT_NULL(strstr(line, "SLAVE-1 (pid "));
        CU_ASSERT_PTR_NOT_NULL(strstr(line, "SLAVE-2 (pid "));
        CU_ASSERT_EQUAL(mwt_count(line, mwt_format(crew, ") %s", how)), 3);
    }
    const char *trail = mwt_output(farm, MWT_ERR);
    CU_ASSERT_EQUAL(mwt_count(trail, "MASTER local slave, pid"), 4);
    CU_ASSERT_EQUAL(mwt_count(trail, mwt_format(crew, ", %s", how)), 3);
    for (unsigned sid = 0; sid < 3; sid++)
        CU_ASSERT_EQUAL(mwt_count(trail, mwt_format(crew, "[A] SLAVE-%u (pid ", sid)), 1);
    CU_ASSERT_EQUAL(mwt_count(trail, "requeued after attempt"), 2);
    CU_ASSERT_EQUAL(mwt_count(trail, "is unrunnable"), 1);
    mwt_crew_destroy(crew);
}

static void test_crashing_task(void)
{
    check_crash("crash:11", "was killed by signal 11 (Segmentation fault)");
    check_crash("crash:6", "was killed by signal 6 (Aborted)");
    check_crash("crash:0", "exited with status 3");
}

/* The other tasks of a farm with one task that kills its slaves are all done. */
static void test_crash_among_others(void)
{
    struct mwt_crew *crew = mwt_crew_create();

    struct mwt_process *farm = start_farm(crew, "2", "crash:11,nap:1,echo,echo,echo,echo,echo,echo",
                                          "8", MWT_ARGV(PLAIN_CRASHES));

    CU_ASSERT_EQUAL(mwt_await_end(farm), 3);
    mwt_await_line(farm, MWT_OUT, "farm: 7 done, 0 failed, 1 unrunnable, 0 lost or wrong");
    check_status(mwt_path(crew, "farm.rsc"), "finished");
    mwt_crew_destroy(crew);
}

/* Slaves that die at once are replaced three times each, and then the farm says why it ends. */
static void test_stillborn_slaves(void)
{
    struct mwt_crew *crew = mwt_crew_create();

    struct mwt_process *farm = start_farm(crew, "2", "echo", "10", MWT_ARGV("FARM=die"));

    CU_ASSERT_EQUAL(mwt_await_end(farm), 255);
    const char *trail = mwt_output(farm, MWT_ERR);
    CU_ASSERT_EQUAL(mwt_count(trail, "started local slave"), 8);
    CU_ASSERT_EQUAL(mwt_count(trail, ", exited with status 3"), 8);
    CU_ASSERT_PTR_NOT_NULL(strstr(trail, "\nmwt_farm: every local slave ended"));
    CU_ASSERT_PTR_NOT_NULL(strstr(trail, "the last: exited with status 3"));
    check_status(mwt_path(crew, "farm.rsc"), "failed");
    mwt_crew_destroy(crew);
}

/* A slave program that cannot be run is named, and the resource file does not promise a farm. */
static void test_missing_slave_program(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *file = mwt_path(crew, "farm.rsc");

    struct mwt_process *farm =
        mwt_run_program(crew, MWT_FARM, "--mw-local", "2", "--mw-slave-executable",
                        "/nowhere/slave", "--mw-resource-file", file, "echo", "10", NULL);

    CU_ASSERT_EQUAL(mwt_await_end(farm), 255);
    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(farm, MWT_ERR),
                                  "mwt_farm: --mw-slave-executable: cannot start the slave "
                                  "/nowhere/slave: No such file or directory"));
    check_status(file, "failed");
    mwt_crew_destroy(crew);
}

/* A master that is killed takes its slaves with it, even in the middle of a task. */
static void test_killed_master(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *farm = start_farm(crew, "3", "doze:" MINUTE, "2", NULL);
    struct mwt_process *slaves[3];
    for (size_t i = 0; i < 3; i++)
        slaves[i] = await_slave(crew, farm);
    for (size_t i = 0; i < 2; i++)
        await_task(farm);

    int64_t began_ns = mwt_now_ns();
    mwt_kill(farm, SIGKILL);

    CU_ASSERT_EQUAL(mwt_await_end(farm), -SIGKILL);
    CU_ASSERT(mwt_now_ns() - began_ns < 2 * NS_PER_S);
    for (size_t i = 0; i < 3; i++) {
        if (slaves[i] == NULL)
            continue;
        mwt_await_end(slaves[i]);
        CU_ASSERT_EQUAL(kill(mwt_pid(slaves[i]), 0), -1);
    }
    mwt_crew_destroy(crew);
}

/* The terminal sends Ctrl-C to all processes of the farm. Running tasks finish, then all ends, and
 * the resource file does not claim that the work is done. */
static void check_signal(int signal_number, const char *name)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *farm = start_farm(crew, "2", "doze:300", "1000", NULL);
    for (size_t i = 0; i < 2; i++)
        await_task(farm);

    int64_t began_ns = mwt_now_ns();
    mwt_kill_group(farm, signal_number);

    CU_ASSERT_EQUAL(mwt_await_end(farm), 128 + signal_number);
    CU_ASSERT(mwt_now_ns() - began_ns < 5 * NS_PER_S);
    const char *trail = mwt_output(farm, MWT_ERR);
    CU_ASSERT_PTR_NOT_NULL(strstr(trail, mwt_format(crew, "[A] MASTER SIGNAL %s", name)));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(trail, mwt_format(crew, "\nmwt_farm: %s asked the program to end", name)));
    CU_ASSERT_PTR_NULL(strstr(trail, "killed by"));
    check_status(mwt_path(crew, "farm.rsc"), "failed");
    mwt_crew_destroy(crew);
}

static void test_signals(void)
{
    check_signal(SIGINT, "SIGINT");
    check_signal(SIGTERM, "SIGTERM");
}

/* Tasks that run when the signal comes are handed out, and those that wait are not run. One line
 * tells the person at the terminal why the farm does not end at once. */
static void test_drain(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *farm = start_farm(crew, "3", "doze:700", "1000", NULL);
    for (size_t i = 0; i < 3; i++)
        await_task(farm);

    mwt_kill_group(farm, SIGINT);

    mwt_await_line(farm, MWT_ERR,
                   "mwt_farm: waiting for 3 running tasks, at most 20 s; ^C again ends at once");
    CU_ASSERT_EQUAL(mwt_await_end(farm), 128 + SIGINT);
    CU_ASSERT_EQUAL(mwt_count(mwt_output(farm, MWT_OUT), " done by SLAVE-"), 3);
    CU_ASSERT_EQUAL(mwt_count(mwt_output(farm, MWT_OUT), "unrunnable by"), 0);
    CU_ASSERT_EQUAL(mwt_count(mwt_output(farm, MWT_ERR), "MASTER STOPPING: 3 tasks run"), 1);
    mwt_crew_destroy(crew);
}

/* A farm that has ended, and only waits for a slave, waits no longer when a signal comes. */
static void test_signal_at_close(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *farm =
        start_farm(crew, "2", "doze:1,doze:" MINUTE, "2", MWT_ARGV("FARM=hasty"));
    mwt_await_line(farm, MWT_ERR, "<- TRY-SHUTDOWN");
    int64_t began_ns = mwt_now_ns();

    mwt_kill(farm, SIGTERM);

    CU_ASSERT_EQUAL(mwt_await_end(farm), 7);
    CU_ASSERT(mwt_now_ns() - began_ns < 10 * NS_PER_S);
    mwt_crew_destroy(crew);
}

/* A farm whose master does not look, because it computes, ends on the second signal, and leaves
 * word that it has failed. */
static void test_second_signal_while_thinking(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *farm = start_farm(crew, "2", "doze:1", "1", MWT_ARGV("FARM=think"));
    mwt_await_line(farm, MWT_OUT, "farm: thinks");
    check_status(mwt_path(crew, "farm.rsc"), "in-progress");

    mwt_kill(farm, SIGTERM);
    mwt_kill(farm, SIGINT);

    int status = mwt_await_end(farm);
    CU_ASSERT(status == -SIGINT || status == -SIGTERM);
    check_status(mwt_path(crew, "farm.rsc"), "failed");
    mwt_crew_destroy(crew);
}

/* The same with a signal that only the master gets, as from a batch system. */
static void test_signal_for_master_only(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *farm = start_farm(crew, "2", "doze:100", "1000", NULL);
    await_task(farm);

    mwt_kill(farm, SIGTERM);

    CU_ASSERT_EQUAL(mwt_await_end(farm), 128 + SIGTERM);
    check_status(mwt_path(crew, "farm.rsc"), "failed");
    mwt_crew_destroy(crew);
}

/* The first signal waits for the tasks that run, the second does not. */
static void test_second_signal(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *farm = start_farm(crew, "2", "doze:" MINUTE, "2", NULL);
    for (size_t i = 0; i < 2; i++)
        await_task(farm);

    mwt_kill_group(farm, SIGINT);
    mwt_await_line(farm, MWT_ERR, "MASTER STOPPING: 2 tasks run");
    int64_t began_ns = mwt_now_ns();
    mwt_kill_group(farm, SIGINT);

    CU_ASSERT_EQUAL(mwt_await_end(farm), -SIGINT);
    CU_ASSERT(mwt_now_ns() - began_ns < 2 * NS_PER_S);
    mwt_crew_destroy(crew);
}

/* A task that does not end is not waited for longer than --mw-shutdown-timeout. */
static void test_endless_task(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *farm =
        mwt_start(crew, &(struct mwt_start){.argv = MWT_ARGV(MWT_FARM, "--mw-local", "2",
                                                             "--mw-shutdown-timeout", "0.5",
                                                             "doze:" MINUTE, "2")});
    for (size_t i = 0; i < 2; i++)
        await_task(farm);

    mwt_kill(farm, SIGTERM);

    CU_ASSERT_EQUAL(mwt_await_end(farm), 128 + SIGTERM);
    CU_ASSERT_EQUAL(mwt_count(mwt_output(farm, MWT_ERR), "was killed: it did not end within"), 2);
    mwt_crew_destroy(crew);
}

/* Time-outs that are meant for slaves of other hosts, of the environment for instance, are not
 * those of local slaves: none is lost. */
static void test_foreign_time_outs(void)
{
    struct mwt_crew *crew = mwt_crew_create();

    struct mwt_process *farm =
        start_farm(crew, "2", "echo:0", "50", MWT_ARGV("MW_CONNECT_TIMEOUT=0"));

    CU_ASSERT_EQUAL(mwt_await_end(farm), 0);
    CU_ASSERT_EQUAL(mwt_count(mwt_output(farm, MWT_ERR), "started local slave"), 2);
    CU_ASSERT_EQUAL(mwt_count(mwt_output(farm, MWT_ERR), "the master is gone"), 0);
    mwt_crew_destroy(crew);
}

/* Slaves that end before they have begun a task cost tasks that were sent to them no attempt. */
static void test_stumbling_slaves(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *const *argv =
        MWT_ARGV(MWT_FARM, "--mw-local", "2", "--mw-slave-task-group", "1", "echo:0", "100", "1");

    struct mwt_process *farm =
        mwt_start(crew, &(struct mwt_start){.argv = argv, .environment = MWT_ARGV("FARM=stumble")});

    CU_ASSERT_EQUAL(mwt_await_end(farm), 0);
    CU_ASSERT_EQUAL(mwt_count(mwt_output(farm, MWT_ERR), ", exited with status 3"), 2);
    mwt_crew_destroy(crew);
}

/* A farm that may use one processor has one slave, however many the machine has. */
static void test_bound_farm(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *const *argv =
        MWT_ARGV("sh", "-c",
                 "exec taskset -c $(taskset -cp $$ | sed 's/.*: //; s/[-,].*//') \"$0\" "
                 "echo:0 20",
                 MWT_FARM);

    struct mwt_process *farm = mwt_start(crew, &(struct mwt_start){.argv = argv});

    CU_ASSERT_EQUAL(mwt_await_end(farm), 0);
    CU_ASSERT_EQUAL(mwt_count(mwt_output(farm, MWT_ERR), "started local slave"), 1);
    mwt_crew_destroy(crew);
}

/* A master algorithm may return while tasks are out. Waiting tasks are forgotten, running ones
 * finish. */
static void test_hasty_master(void)
{
    struct mwt_crew *crew = mwt_crew_create();

    struct mwt_process *farm = start_farm(crew, "3", "doze:50", "100", MWT_ARGV("FARM=hasty"));

    CU_ASSERT_EQUAL(mwt_await_end(farm), 7);
    const char *trail = mwt_output(farm, MWT_ERR);
    CU_ASSERT(mwt_count(trail, "runs, pid") < 10);
    CU_ASSERT_EQUAL(mwt_count(trail, ", exited with status 0"), 3);
    check_status(mwt_path(crew, "farm.rsc"), "finished");
    mwt_crew_destroy(crew);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"killed slaves", test_killed_slaves},
        {"crashing task", test_crashing_task},
        {"crash among others", test_crash_among_others},
        {"stillborn slaves", test_stillborn_slaves},
        {"missing slave program", test_missing_slave_program},
        {"killed master", test_killed_master},
        {"signals", test_signals},
        {"signal for the master only", test_signal_for_master_only},
        {"drain", test_drain},
        {"second signal", test_second_signal},
        {"signal at close", test_signal_at_close},
        {"second signal while thinking", test_second_signal_while_thinking},
        {"endless task", test_endless_task},
        {"hasty master", test_hasty_master},
        {"stumbling slaves", test_stumbling_slaves},
        {"bound farm", test_bound_farm},
        {"foreign time-outs", test_foreign_time_outs},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("local", tests);
}
