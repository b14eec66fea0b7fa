/* SPDX-License-Identifier: Apache-2.0
 *
 * The example long_simulation in every mode: a slave is killed while it simulates, and the task
 * goes on at another slave from the bytes that it saved last, with the same result.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mwt_process.h"
#include "mwt_run.h"

/* A rod takes long enough to be killed after a few of its saves. */
#define STEPS "1600000"
#define SAVE_EVERY "16000"
#define ALL "--mw-audit-level", "all"

/* Starts the example with `rods` rods: `before` is a launcher, `options` say the mode. */
static struct mwt_process *start(struct mwt_crew *crew, const char *const *before, const char *rods,
                                 const char *const *options)
{
    const char *argv[32];
    size_t count = 0;
    for (; *before != NULL; before++)
        argv[count++] = *before;
    const char *const own[] = {MWT_LONG_SIMULATION, "--rods",  rods, "--steps", STEPS,
                               "--save-every",      SAVE_EVERY};
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        argv[count++] = own[i];
    for (; *options != NULL; options++)
        argv[count++] = *options;
    argv[count] = NULL;
    return mwt_start(
        crew,
        &(struct mwt_start){.argv = argv, .environment = MWT_ARGV("ASAN_OPTIONS=detect_leaks=0")});
}

/* The output of a run that nothing interrupts. Its slave is in the master's process, and saves,
 * too. */
static const char *quiet_output(struct mwt_crew *crew, const char *rods)
{
    static char outputs[3][100];
    char *output = outputs[rods[0] - '0'];
    if (output[0] != '\0')
        return output;
    struct mwt_process *farm = start(crew, MWT_ARGV(NULL), rods, MWT_ARGV("--mw-local", "0", ALL));
    CU_ASSERT_EQUAL(mwt_await_end(farm), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(farm, MWT_ERR), "has saved 8008 bytes"));
    CU_ASSERT_PTR_NULL(strstr(mwt_output(farm, MWT_ERR), "went on"));
    snprintf(output, sizeof outputs[0], "%s", mwt_output(farm, MWT_OUT));
    return output;
}

/* Waits until the slave of this number has saved three times. */
static void await_saves(struct mwt_crew *crew, struct mwt_process *master, int sid)
{
    const char *text = mwt_format(crew, "SLAVE-%d -> task", sid);
    for (int i = 0; i < 3; i++)
        mwt_await_line(master, MWT_ERR, text);
}

/* The farm ends with this output, and a rod went on, at the end of its third save or later. */
static void check_went_on(struct mwt_process *master, const char *output, const char *rod)
{
    CU_ASSERT_EQUAL(mwt_await_end(master), 0);
    CU_ASSERT_STRING_EQUAL(mwt_output(master, MWT_OUT), output);
    const char *line = strstr(mwt_output(master, MWT_ERR), " went on at step ");
    CU_ASSERT_PTR_NOT_NULL_FATAL(line);
    CU_ASSERT_EQUAL(strncmp(line - strlen(rod), rod, strlen(rod)), 0);
    long step = strtol(line + strlen(" went on at step "), NULL, 10);
    CU_ASSERT_TRUE(step >= 3 * strtol(SAVE_EVERY, NULL, 10) && step < strtol(STEPS, NULL, 10));
}

/* A local slave is killed; the one that replaces it goes on. */
static void test_local(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *output = quiet_output(crew, "1");
    struct mwt_process *farm = start(crew, MWT_ARGV(NULL), "1", MWT_ARGV("--mw-local", "1", ALL));
    const char *line = mwt_await_line(farm, MWT_ERR, "started local slave, pid ");
    CU_ASSERT_PTR_NOT_NULL_FATAL(line);
    pid_t pid = (pid_t)strtol(strstr(line, "pid ") + 4, NULL, 10);
    await_saves(crew, farm, 0);

    CU_ASSERT_EQUAL(kill(pid, SIGKILL), 0);

    check_went_on(farm, output, "rod 0");
    mwt_crew_destroy(crew);
}

static struct mwt_process *start_slave(struct mwt_crew *crew)
{
    return mwt_run_program(crew, MWT_LONG_SIMULATION, "--mw-slave", "--mw-resource-file",
                           mwt_path(crew, "farm.rsc"), NULL);
}

/* A slave over TCP is killed; another one, which waits, goes on. */
static void test_tcp(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *output = quiet_output(crew, "1");
    struct mwt_process *master =
        start(crew, MWT_ARGV(NULL), "1",
              MWT_ARGV("--mw-master", "--mw-master-host", "127.0.0.1", "--mw-resource-file",
                       mwt_path(crew, "farm.rsc"), ALL));
    struct mwt_process *first = start_slave(crew);
    mwt_await_line(master, MWT_ERR, "SLAVE-0 -> task");
    struct mwt_process *second = start_slave(crew);
    await_saves(crew, master, 0);

    mwt_kill(first, SIGKILL);

    check_went_on(master, output, "rod 0");
    CU_ASSERT_EQUAL(mwt_await_end(first), -SIGKILL);
    CU_ASSERT_EQUAL(mwt_await_end(second), 0);
    mwt_crew_destroy(crew);
}

/* A slave that is asked to end by SIGTERM and killed before its task has ended, as a batch system
 * does at the end of a walltime, costs the task neither its steps nor an attempt. */
static void test_walltime(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *output = quiet_output(crew, "1");
    struct mwt_process *master =
        start(crew, MWT_ARGV(NULL), "1",
              MWT_ARGV("--mw-master", "--mw-master-host", "127.0.0.1", "--mw-resource-file",
                       mwt_path(crew, "farm.rsc"), ALL));
    struct mwt_process *first = start_slave(crew);
    await_saves(crew, master, 0);

    mwt_kill(first, SIGTERM);
    mwt_await_line(master, MWT_ERR, "-> LEAVING");
    mwt_kill(first, SIGKILL);
    mwt_await_line(master, MWT_ERR, "requeued after attempt 0");
    struct mwt_process *second = start_slave(crew);

    check_went_on(master, output, "rod 0");
    CU_ASSERT_EQUAL(mwt_await_end(first), -SIGKILL);
    CU_ASSERT_EQUAL(mwt_await_end(second), 0);
    mwt_crew_destroy(crew);
}

#ifdef MWT_MPIEXEC
/* Ranks save, too. */
static void test_mpi(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *output = quiet_output(crew, "2");
    struct mwt_process *farm = start(crew, MWT_ARGV(MWT_MPIEXEC, "-n", "3"), "2", MWT_ARGV(ALL));

    CU_ASSERT_EQUAL(mwt_await_end(farm), 0);

    CU_ASSERT_STRING_EQUAL(mwt_output(farm, MWT_OUT), output);
    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(farm, MWT_ERR), "has saved 8008 bytes"));
    mwt_crew_destroy(crew);
}

/* In a mixed farm a TCP slave is killed, and a rank goes on with its task. */
static void test_mixed(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *output = quiet_output(crew, "2");
    struct mwt_process *master =
        start(crew, MWT_ARGV(MWT_MPIEXEC, "-n", "2"), "2",
              MWT_ARGV("--mw-transport", "mpi,tcp", "--mw-master-host", "127.0.0.1",
                       "--mw-resource-file", mwt_path(crew, "farm.rsc"), ALL));
    mwt_await_line(master, MWT_ERR, "SLAVE-0 -> task");
    struct mwt_process *slave = start_slave(crew);
    await_saves(crew, master, 1);

    mwt_kill(slave, SIGKILL);

    check_went_on(master, output, "rod 1");
    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(master, MWT_ERR), "at SLAVE-0"));
    CU_ASSERT_EQUAL(mwt_await_end(slave), -SIGKILL);
    mwt_crew_destroy(crew);
}
#endif

int main(void)
{
    CU_TestInfo tests[] = {
        {"local", test_local}, {"tcp", test_tcp},     {"walltime", test_walltime},
#ifdef MWT_MPIEXEC
        {"mpi", test_mpi},     {"mixed", test_mixed},
#endif
        CU_TEST_INFO_NULL,
    };
    return mwt_run("saves", tests);
}
