/* SPDX-License-Identifier: Apache-2.0
 *
 * Isolated slaves as real processes: a task that crashes, exits, overruns its limits, is cancelled,
 * or is in the way of a signal costs an attempt at most, and no slave, in local farms, over TCP and
 * over MPI.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mwt_folder.h"
#include "mwt_process.h"
#include "mwt_run.h"

#define NS_PER_S INT64_C(1000000000)
#define MINUTE "60000"
#define ISOLATED "--mw-slave-isolate"
/* Without this a sanitizer would turn the signal of a crash into an exit of its own. */
#define PLAIN_CRASHES "ASAN_OPTIONS=handle_segv=0:handle_abort=0:detect_leaks=0"

static const struct {
    const char *specs, *how;
} crashes[] = {
    {"crash:11,echo:0", "was killed by signal 11 (Segmentation fault)"},
    {"crash:6,echo:0", "was killed by signal 6 (Aborted)"},
    {"crash:9,echo:0", "was killed by signal 9 (Killed)"},
    {"crash:0,echo:0", "exited with status 3"},
    {"crash:15,echo:0", "was killed by signal 15 (Terminated)"},
    {"crash:2,echo:0", "was killed by signal 2 (Interrupt)"},
    {"group:9,echo:0", "was killed by signal 9 (Killed)"},
    {"group:15,echo:0", "was killed by signal 15 (Terminated)"},
    {"group:2,echo:0", "was killed by signal 2 (Interrupt)"},
};

#define CRASHES_COUNT (sizeof crashes / sizeof crashes[0])

static struct mwt_process *start(struct mwt_crew *crew, const char *const *argv)
{
    return mwt_start(crew,
                     &(struct mwt_start){.argv = argv, .environment = MWT_ARGV(PLAIN_CRASHES)});
}

/* Checks that of 20 tasks 10 are unrunnable after two attempts that ended so, and that no slave was
 * lost. */
static void check_farm(struct mwt_crew *crew, struct mwt_process *master, const char *how)
{
    mwt_await_line(master, MWT_OUT, "farm: 10 done, 0 failed, 10 unrunnable, 0 lost or wrong");
    const char *told = mwt_format(crew, "ran it in a process that %s; ", how);
    CU_ASSERT_EQUAL(mwt_count(mwt_output(master, MWT_OUT), told), 20);
    CU_ASSERT_EQUAL(mwt_count(mwt_output(master, MWT_OUT), "its policy allows 2 attempts"), 10);
    CU_ASSERT_EQUAL(mwt_count(mwt_output(master, MWT_ERR), "was lost"), 0);
    CU_ASSERT_EQUAL(mwt_count(mwt_output(master, MWT_ERR), "SLAVE-2"), 0);
}

/* A task that ends its process, or all of its process group, fails an attempt, says how, and costs
 * no slave: in a local farm. */
static void test_local(void)
{
    for (size_t i = 0; i < CRASHES_COUNT; i++) {
        struct mwt_crew *crew = mwt_crew_create();

        struct mwt_process *farm = start(
            crew, MWT_ARGV(MWT_FARM, "--mw-local", "2", ISOLATED, crashes[i].specs, "20", "2"));

        CU_ASSERT_EQUAL(mwt_await_end(farm), 3);
        check_farm(crew, farm, crashes[i].how);
        mwt_crew_destroy(crew);
    }
}

/* Runs the farm over TCP. */
static void check_tcp(const char *specs, const char *how)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *resource = mwt_path(crew, "farm.rsc");
    struct mwt_process *slaves[2];

    struct mwt_process *master =
        start(crew, MWT_ARGV(MWT_FARM, "--mw-master", "--mw-master-host", "127.0.0.1",
                             "--mw-resource-file", resource, specs, "20", "2"));
    for (size_t i = 0; i < 2; i++)
        slaves[i] =
            start(crew, MWT_ARGV(MWT_FARM, "--mw-slave", "--mw-resource-file", resource, ISOLATED));

    CU_ASSERT_EQUAL(mwt_await_end(master), 3);
    check_farm(crew, master, how);
    for (size_t i = 0; i < 2; i++)
        CU_ASSERT_EQUAL(mwt_await_end(slaves[i]), 0);
    mwt_crew_destroy(crew);
}

/* The same over TCP. */
static void test_tcp(void)
{
    for (size_t i = 0; i < CRASHES_COUNT; i++)
        check_tcp(crashes[i].specs, crashes[i].how);
}

/* Over MPI a crash in a task does not end the job. */
static void test_mpi(void)
{
#ifdef MWT_MPIEXEC
    for (size_t i = 0; i < CRASHES_COUNT; i++) {
        struct mwt_crew *crew = mwt_crew_create();

        struct mwt_process *job = start(crew, MWT_ARGV(MWT_MPIEXEC, "-n", "3", MWT_FARM, ISOLATED,
                                                       crashes[i].specs, "20", "2"));

        CU_ASSERT_EQUAL(mwt_await_end(job), 3);
        check_farm(crew, job, crashes[i].how);
        mwt_crew_destroy(crew);
    }
#else
    mwt_not_run("isolated ranks", "this is a build without MPI");
#endif
}

/* Over MPI a time limit ends the task, and the rank goes on. */
static void test_mpi_time_limit(void)
{
#ifdef MWT_MPIEXEC
    struct mwt_crew *crew = mwt_crew_create();

    struct mwt_process *job =
        start(crew, MWT_ARGV(MWT_MPIEXEC, "-n", "2", MWT_POLICY_FARM, ISOLATED,
                             "policy=limit:0.3,attempts:1", "task=nap," MINUTE, "take=1",
                             "policy=", "task=echo,1", "take=1"));

    CU_ASSERT_EQUAL(mwt_await_end(job), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(job, MWT_OUT), "overran its time limit of 0.3 s"));
    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(job, MWT_OUT), "task 1 done by SLAVE-0"));
    CU_ASSERT(mwt_ended_ns(job) - mwt_started_ns(job) < 20 * NS_PER_S);
    mwt_crew_destroy(crew);
#else
    mwt_not_run("a time limit of an isolated rank", "this is a build without MPI");
#endif
}

/* Runs the steps in a local farm with one isolated slave. */
static struct mwt_process *run_steps(struct mwt_crew *crew, const char *const *steps)
{
    const char *argv[24] = {MWT_POLICY_FARM, "--mw-local", "1", ISOLATED};
    for (size_t i = 4; *steps != NULL && i < 23; i++)
        argv[i] = *steps++;
    struct mwt_process *farm = start(crew, argv);
    mwt_await_line(farm, MWT_OUT, "farm: all steps are done");
    CU_ASSERT_EQUAL(mwt_await_end(farm), 0);
    CU_ASSERT_EQUAL(mwt_count(mwt_output(farm, MWT_ERR), "SLAVE-1"), 0);
    return farm;
}

/* A time limit costs an attempt, and no slave. */
static void test_time_limit(void)
{
    struct mwt_crew *crew = mwt_crew_create();

    struct mwt_process *farm =
        run_steps(crew, MWT_ARGV("policy=limit:0.3,attempts:2", "task=nap," MINUTE, "take=1",
                                 "policy=", "task=echo,1", "take=1"));

    CU_ASSERT_EQUAL(mwt_count(mwt_output(farm, MWT_OUT),
                              "ended it: task 1 of \"nap\" overran its time limit of 0.3 s"),
                    2);
    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(farm, MWT_OUT), "task 1 done by SLAVE-0"));
    mwt_crew_destroy(crew);
}

/* A process that takes more memory than it may is ended, and the task says so. */
static void test_memory(void)
{
    struct mwt_crew *crew = mwt_crew_create();

    struct mwt_process *farm =
        run_steps(crew, MWT_ARGV("--mw-slave-memory", "256M", "policy=attempts:1", "task=hoard,600",
                                 "task=echo,1", "take=2"));

    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(farm, MWT_OUT),
                                  "had more than the 268435456 bytes of --mw-slave-memory"));
    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(farm, MWT_OUT), "task 1 done by SLAVE-0"));
    mwt_crew_destroy(crew);
}

/* A cancelled task is ended, and the slave has another one soon. */
static void test_cancel(void)
{
    struct mwt_crew *crew = mwt_crew_create();

    struct mwt_process *farm =
        run_steps(crew, MWT_ARGV("task=nap," MINUTE, "sent=", "cancel=0", "task=echo,1", "take=1"));

    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(farm, MWT_OUT), "task 1 done by SLAVE-0"));
    CU_ASSERT(mwt_ended_ns(farm) - mwt_started_ns(farm) < 20 * NS_PER_S);
    mwt_crew_destroy(crew);
}

/* The number behind "pid " in a line; 0 if there is none. */
static pid_t pid_in(const char *line)
{
    const char *pid = line == NULL ? NULL : strstr(line, "pid ");
    return pid == NULL ? 0 : (pid_t)atol(pid + strlen("pid "));
}

/* Whom a signal reaches. */
enum target { SLAVE, GROUP, SLAVE_AND_TASK };

/* Sends SIGTERM while a task runs. */
static void terminate(enum target target)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *resource = mwt_path(crew, "farm.rsc");
    const char *const *argv =
        MWT_ARGV(MWT_FARM, "--mw-slave", "--mw-resource-file", resource, ISOLATED);
    struct mwt_process *master =
        start(crew, MWT_ARGV(MWT_FARM, "--mw-master", "--mw-master-host", "127.0.0.1",
                             "--mw-resource-file", resource, "doze:5000", "1", "1"));
    struct mwt_process *slave = mwt_start(
        crew, &(struct mwt_start){
                  .argv = argv, .environment = MWT_ARGV(PLAIN_CRASHES), .has_own_group = true});
    pid_t child = pid_in(mwt_await_line(slave, MWT_ERR, "task 0 runs, pid "));
    CU_ASSERT(child > 0);

    int64_t asked_ns = mwt_now_ns();
    if (target == GROUP)
        mwt_kill_group(slave, SIGTERM);
    else
        mwt_kill(slave, SIGTERM);
    if (target == SLAVE_AND_TASK && child > 0)
        kill(child, SIGTERM);
    CU_ASSERT_EQUAL(mwt_await_end(slave), 255);
    CU_ASSERT(mwt_now_ns() - asked_ns < 4 * NS_PER_S);

    struct mwt_process *other = start(crew, argv);
    CU_ASSERT_EQUAL(mwt_await_end(master), 0);
    CU_ASSERT_EQUAL(mwt_await_end(other), 0);
    mwt_crew_destroy(crew);
}

/* SIGTERM ends a slave within moments although its task is long, also if its process group or the
 * process of the task gets it, too. The task goes to another slave, and no attempt is counted. */
static void test_terminate(void)
{
    terminate(SLAVE);
    terminate(GROUP);
    terminate(SLAVE_AND_TASK);
}

/* Ctrl-C in a local farm does not reach the tasks: those that run finish, and the farm ends. */
static void test_interrupt(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *farm =
        mwt_start(crew, &(struct mwt_start){.argv = MWT_ARGV(MWT_FARM, "--mw-local", "2", ISOLATED,
                                                             "doze:1000", "9"),
                                            .environment = MWT_ARGV(PLAIN_CRASHES),
                                            .has_own_group = true});
    for (size_t i = 0; i < 2; i++)
        mwt_await_line(farm, MWT_ERR, "runs, pid ");

    mwt_kill_group(farm, SIGINT);

    CU_ASSERT_EQUAL(mwt_await_end(farm), 128 + SIGINT);
    CU_ASSERT_EQUAL(mwt_count(mwt_output(farm, MWT_OUT), " done by SLAVE-"), 2);
    CU_ASSERT_EQUAL(mwt_count(mwt_output(farm, MWT_OUT), "unrunnable by"), 0);
    mwt_crew_destroy(crew);
}

/* Copies what the status of a process in /proc has behind `name`; "" if it has nothing. */
static void read_status(pid_t pid, const char *name, char value[32])
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
    char *text = mwt_file_read(path);
    const char *at = text == NULL ? NULL : strstr(text, name);
    snprintf(value, 32, "%.31s", at == NULL ? "" : at + strlen(name));
    free(text);
}

#ifdef MWT_MPIEXEC
static pid_t parent_of(pid_t pid)
{
    char value[32];
    read_status(pid, "\nPPid:\t", value);
    return (pid_t)atol(value);
}
#endif

/* A batch system sends SIGTERM to each process of a job: it ends in order, and the task that runs
 * finishes first. */
static void test_terminate_job(void)
{
#ifdef MWT_MPIEXEC
    struct mwt_crew *crew = mwt_crew_create();
    const char *path = mwt_path(crew, "farm.rsc"), *gate = mwt_path(crew, "gate");
    CU_ASSERT_EQUAL(mkfifo(gate, 0600), 0);
    struct mwt_process *job = mwt_start(
        crew, &(struct mwt_start){
                  .argv = MWT_ARGV(MWT_MPIEXEC, "-n", "2", MWT_FARM, ISOLATED, "--mw-resource-file",
                                   path, "gate", "3", "1"),
                  .environment = MWT_ARGV(PLAIN_CRASHES, mwt_format(crew, "FARM_GATE=%s", gate))});
    pid_t child = pid_in(mwt_await_line(job, MWT_ERR, "task 0 runs, pid "));
    char *resource = mwt_file_read(path);
    const char *master = resource == NULL ? NULL : strstr(resource, "\"pid\": ");
    const pid_t pids[] = {master == NULL ? 0 : (pid_t)atol(master + strlen("\"pid\": ")),
                          parent_of(parent_of(child)), parent_of(child), child};
    free(resource);

    for (size_t i = 0; i < sizeof pids / sizeof pids[0]; i++) {
        CU_ASSERT(pids[i] > 1);
        if (pids[i] > 1)
            kill(pids[i], SIGTERM);
    }

    mwt_await_line(job, MWT_ERR, "waiting for 1 running task");
    int opened = open(gate, O_RDWR | O_CLOEXEC);

    CU_ASSERT_EQUAL(mwt_await_end(job), 128 + SIGTERM);
    CU_ASSERT_EQUAL(mwt_count(mwt_output(job, MWT_OUT), "task 0 done by"), 1);
    CU_ASSERT_EQUAL(mwt_count(mwt_output(job, MWT_OUT), "unrunnable by"), 0);
    close(opened);
    mwt_crew_destroy(crew);
#else
    mwt_not_run("SIGTERM for an isolated job", "this is a build without MPI");
#endif
}

/* Waits until the process is stopped. */
static void await_stop(pid_t pid)
{
    char value[32] = "";
    int64_t deadline_ns = mwt_now_ns() + MWT_WAIT_S * NS_PER_S;
    while (value[0] != 'T' && mwt_now_ns() < deadline_ns)
        read_status(pid, "\nState:\t", value);
    CU_ASSERT_EQUAL(value[0], 'T');
}

/* A task stops and goes on with its slave. */
static void test_stopped_slave(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *resource = mwt_path(crew, "farm.rsc"), *gate = mwt_path(crew, "gate");
    CU_ASSERT_EQUAL(mkfifo(gate, 0600), 0);
    struct mwt_process *master =
        start(crew, MWT_ARGV(MWT_FARM, "--mw-master", "--mw-master-host", "127.0.0.1",
                             "--mw-resource-file", resource, "gate", "1"));
    struct mwt_process *slave = mwt_start(
        crew,
        &(struct mwt_start){
            .argv = MWT_ARGV(MWT_FARM, "--mw-slave", "--mw-resource-file", resource, ISOLATED),
            .environment = MWT_ARGV(PLAIN_CRASHES, mwt_format(crew, "FARM_GATE=%s", gate))});
    pid_t child = pid_in(mwt_await_line(slave, MWT_ERR, "task 0 runs, pid "));

    mwt_kill(slave, SIGSTOP);
    await_stop(child);
    mwt_kill(slave, SIGCONT);
    int opened = open(gate, O_RDWR | O_CLOEXEC);

    CU_ASSERT_EQUAL(mwt_await_end(master), 0);
    CU_ASSERT_EQUAL(mwt_await_end(slave), 0);
    close(opened);
    mwt_crew_destroy(crew);
}

/* However a slave ends, nothing is left of it: neither the process that ran its task, nor what the
 * task has started. The test waits for a FIFO that they hold open. */
static void test_nothing_is_left(void)
{
    static const int signals[] = {SIGKILL, SIGTERM};
    for (size_t i = 0; i < 2; i++) {
        struct mwt_crew *crew = mwt_crew_create();
        const char *path = mwt_path(crew, "fifo"), *resource = mwt_path(crew, "farm.rsc");
        CU_ASSERT_EQUAL(mkfifo(path, 0600), 0);
        int fifo = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        const char *line = mwt_format(
            crew, "FARM_COMMAND=exec 9> %s; setsid sleep 1000 & echo left >&2; sleep 1000", path);
        start(crew, MWT_ARGV(MWT_FARM, "--mw-master", "--mw-master-host", "127.0.0.1",
                             "--mw-resource-file", resource, "shell", "1"));
        struct mwt_process *slave = mwt_start(
            crew, &(struct mwt_start){.argv = MWT_ARGV(MWT_FARM, "--mw-slave", "--mw-resource-file",
                                                       resource, ISOLATED),
                                      .environment = MWT_ARGV(PLAIN_CRASHES, line)});
        mwt_await_line(slave, MWT_ERR, "left");

        mwt_kill(slave, signals[i]);

        char byte;
        struct pollfd end = {.fd = fifo, .events = POLLIN};
        CU_ASSERT_EQUAL(poll(&end, 1, 30000), 1);
        CU_ASSERT_EQUAL(read(fifo, &byte, 1), 0);
        mwt_await_end(slave);
        close(fifo);
        mwt_crew_destroy(crew);
    }
}

/* The slave algorithm runs in the child, anew in each; a slave whose children end before they begin
 * a task ends, and says why. */
static void test_slave_algorithm(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *resource = mwt_path(crew, "farm.rsc");

    start(crew, MWT_ARGV(MWT_FARM, "--mw-master", "--mw-master-host", "127.0.0.1",
                         "--mw-resource-file", resource, "echo", "1"));
    struct mwt_process *slave = mwt_start(
        crew, &(struct mwt_start){.argv = MWT_ARGV(MWT_FARM, "--mw-slave", "--mw-resource-file",
                                                   resource, ISOLATED),
                                  .environment = MWT_ARGV("FARM=quit")});

    CU_ASSERT_EQUAL(mwt_await_end(slave), 255);
    CU_ASSERT_EQUAL(mwt_count(mwt_output(slave, MWT_ERR), "a slave algorithm quits"), 4);
    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(slave, MWT_ERR),
                                  "the process for tasks ended 4 times in a row before it began "
                                  "one; the last exited with status 4"));
    mwt_crew_destroy(crew);
}

/* Options that contradict each other are refused. */
static void test_refused(void)
{
    struct mwt_crew *crew = mwt_crew_create();

    struct mwt_process *alone =
        start(crew, MWT_ARGV(MWT_FARM, "--mw-local", "1", "--mw-slave-memory", "1G", "echo", "1"));
    struct mwt_process *serial =
        start(crew, MWT_ARGV(MWT_FARM, "--mw-local", "0", ISOLATED, "echo", "1"));

    CU_ASSERT_EQUAL(mwt_await_end(alone), 2);
    CU_ASSERT_EQUAL(mwt_await_end(serial), 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(alone, MWT_ERR), "needs --mw-slave-isolate"));
    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(serial, MWT_ERR), "contradicts --mw-slave-isolate"));
    mwt_crew_destroy(crew);
}

int main(void)
{
    /* A test that a shell has started in the background would hand an ignored SIGINT on. */
    signal(SIGINT, SIG_DFL);
    CU_TestInfo tests[] = {
        {"local", test_local},
        {"tcp", test_tcp},
        {"mpi", test_mpi},
        {"time limit over mpi", test_mpi_time_limit},
        {"time limit", test_time_limit},
        {"memory", test_memory},
        {"cancel", test_cancel},
        {"terminate", test_terminate},
        {"interrupt", test_interrupt},
        {"terminate job", test_terminate_job},
        {"stopped slave", test_stopped_slave},
        {"nothing is left", test_nothing_is_left},
        {"slave algorithm", test_slave_algorithm},
        {"refused", test_refused},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("isolated slaves", tests);
}
