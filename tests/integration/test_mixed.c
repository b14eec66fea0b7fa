/* SPDX-License-Identifier: Apache-2.0
 *
 * MPI ranks and TCP slaves on one master: they share the tasks, slaves of either kind may be
 * killed, and the audit trail tells the transports apart.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mwt_folder.h"
#include "mwt_random.h"
#include "mwt_run.h"
#include "tcp_farm.h"

/* Open MPI itself does not free all its memory. */
#define NO_LEAK_CHECK "ASAN_OPTIONS=detect_leaks=0"

/* Starts mpirun with `ranks_count` ranks of the program, with the variable in their environment if
 * it is not NULL. */
static struct mwt_process *start_mixed(struct mwt_crew *crew, const char *ranks_count,
                                       const char *variable, const char *const *program)
{
    const char *argv[32] = {MWT_MPIEXEC, "-n", ranks_count};
    size_t count = 3;
    while (*program != NULL && count < 24)
        argv[count++] = *program++;
    const char *const options[] = {"--mw-transport",     "mpi,tcp",
                                   "--mw-resource-file", mwt_path(crew, "farm.rsc"),
                                   "--mw-master-host",   "127.0.0.1"};
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        argv[count++] = options[i];
    return mwt_start(
        crew, &(struct mwt_start){.argv = argv, .environment = MWT_ARGV(NO_LEAK_CHECK, variable)});
}

/* 10,000 tasks run on two ranks and on TCP slaves that join, leave and are killed at random
 * moments. Task 0 lasts until the last of them has come and gone. */
static void test_joining_leaving_and_killed(void)
{
    enum { SLAVES_COUNT = 3, CHANGES_COUNT = 30 };
    struct mwt_random random;
    mwt_random_start(&random);
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *slaves[SLAVES_COUNT];
    const char *gate = mwt_path(crew, "gate");
    CU_ASSERT_EQUAL(mkfifo(gate, 0600), 0);
    struct mwt_process *master =
        start_mixed(crew, "3", mwt_format(crew, "FARM_GATE=%s", gate),
                    MWT_ARGV(MWT_FARM, "--mw-slave-task-group", "6", "--mw-slave-result-group", "3",
                             "gate:1,echo", "10000", "200"));
    mwt_await_line(master, MWT_ERR, "task 0 runs");
    for (size_t i = 0; i < SLAVES_COUNT; i++)
        slaves[i] = start_slave(crew);

    for (size_t i = 0; i < CHANGES_COUNT; i++) {
        size_t victim = mwt_random_below(&random, SLAVES_COUNT);
        bool is_killed = mwt_random_below(&random, 2) == 0;
        mwt_await_line(slaves[victim], MWT_ERR, "MASTER -> ID SLAVE-");
        for (size_t results = mwt_random_below(&random, 100); results > 0; results--)
            mwt_await_line(master, MWT_OUT, " done by SLAVE-");
        mwt_kill(slaves[victim], is_killed ? SIGKILL : SIGTERM);
        CU_ASSERT_EQUAL(mwt_await_end(slaves[victim]), is_killed ? -SIGKILL : 255);
        slaves[victim] = start_slave(crew);
    }
    for (size_t i = 0; i < SLAVES_COUNT; i++)
        mwt_await_line(slaves[i], MWT_ERR, "MASTER -> ID SLAVE-");
    int fd = open(gate, O_WRONLY | O_CLOEXEC);
    CU_ASSERT(fd >= 0);
    close(fd);

    check_done(crew, master, 10000);
    for (size_t i = 0; i < SLAVES_COUNT; i++)
        CU_ASSERT_EQUAL(mwt_await_end(slaves[i]), 0);
    CU_ASSERT_EQUAL(mwt_count(mwt_output(master, MWT_ERR), "] NEW-CLIENT -> rank "), 2);
    CU_ASSERT_EQUAL(mwt_count(mwt_output(master, MWT_ERR), "] NEW-CLIENT -> 127.0.0.1:"),
                    SLAVES_COUNT + CHANGES_COUNT);
    mwt_crew_destroy(crew);
}

/* The trail names the transport of each slave. */
static void test_trail(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *master =
        start_mixed(crew, "2", NULL,
                    MWT_ARGV(MWT_POLICY_FARM, "--mw-audit-format", "json", "allocate=2,ordered",
                             "connected=2", "task=echo,1", "take=0"));
    mwt_await_line(master, MWT_ERR, "\"resfile-written\"");
    struct mwt_process *slave =
        mwt_start(crew, &(struct mwt_start){.argv = MWT_ARGV(MWT_POLICY_FARM, "--mw-slave",
                                                             "--mw-resource-file",
                                                             mwt_path(crew, "farm.rsc"))});

    CU_ASSERT_EQUAL(mwt_await_end(master), 0);
    CU_ASSERT_EQUAL(mwt_await_end(slave), 0);
    unsigned mpi_count = 0, tcp_count = 0;
    for (const char *line = mwt_output(master, MWT_ERR); line != NULL && *line != '\0';) {
        const char *end = strchr(line, '\n');
        if (end == NULL)
            break;
        const char *text = mwt_format(crew, "%.*s", (int)(end - line), line);
        if (strstr(text, "\"slave-greeted\"") != NULL) {
            mpi_count +=
                strstr(text, "\"transport\":\"mpi\"") != NULL && strstr(text, "\"rank 1\"") != NULL;
            tcp_count +=
                strstr(text, "\"transport\":\"tcp\"") != NULL && strstr(text, "127.0.0.1:") != NULL;
        }
        line = end + 1;
    }
    CU_ASSERT_EQUAL(mpi_count, 1);
    CU_ASSERT_EQUAL(tcp_count, 1);
    mwt_crew_destroy(crew);
}

/* A single rank is a master without MPI slaves, and waits for slaves over TCP. */
static void test_single_rank(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *master = start_mixed(crew, "1", NULL, MWT_ARGV(MWT_FARM, "echo", "20"));
    struct mwt_process *slave = start_slave(crew);

    check_done(crew, master, 20);
    CU_ASSERT_EQUAL(mwt_await_end(slave), 0);
    mwt_crew_destroy(crew);
}

/* A master that cannot bind its TCP address ends the job, and names the address. The ranks write to
 * a file, since MPICH's launcher may lose their last lines when the job is aborted. */
static void test_bad_address(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *said = mwt_path(crew, "said");
    struct mwt_process *job = mwt_start(
        crew, &(struct mwt_start){.argv = MWT_ARGV(MWT_MPIEXEC, "-n", "2", "sh", "-c",
                                                   "exec \"$@\" 2>>\"$0\"", said, MWT_FARM,
                                                   "--mw-transport", "mpi,tcp", "--mw-master-host",
                                                   "192.0.2.1", "echo", "1"),
                                  .environment = MWT_ARGV(NO_LEAK_CHECK)});

    CU_ASSERT_EQUAL(mwt_await_end(job), 255);
    char *text = mwt_file_read(said);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "mwt_farm: "));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "192.0.2.1"));
    free(text);
    mwt_crew_destroy(crew);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"joining, leaving and killed", test_joining_leaving_and_killed},
        {"trail", test_trail},
        {"single rank", test_single_rank},
        {"bad address", test_bad_address},
        CU_TEST_INFO_NULL,
    };

    return mwt_run("mixed", tests);
}
