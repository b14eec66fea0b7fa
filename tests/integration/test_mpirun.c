/* SPDX-License-Identifier: Apache-2.0
 *
 * hello_world under MPI launchers: mpirun and, where it is installed, srun. The unchanged program
 * is a farm, and its output, status and audit trails are those of the other modes.
 */
#include <glob.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hello.h"
#include "mwt_folder.h"
#include "mwt_run.h"

/* Open MPI itself does not free all its memory. */
#define NO_LEAK_CHECK "ASAN_OPTIONS=detect_leaks=0"

/* Starts mpirun with `ranks_count` ranks of a program and its arguments. */
static struct mwt_process *mpirun(struct mwt_crew *crew, const char *ranks_count,
                                  const char *const *program)
{
    const char *argv[24] = {MWT_MPIEXEC, "-n", ranks_count};
    for (size_t i = 3; *program != NULL && i < 23; i++)
        argv[i] = *program++;
    return mwt_start(crew,
                     &(struct mwt_start){.argv = argv, .environment = MWT_ARGV(NO_LEAK_CHECK)});
}

/* The same unchanged program is a farm: rank 0 is the master, the others are slaves. */
static void test_ranks(void)
{
    struct mwt_crew *crew = mwt_crew_create();

    struct mwt_process *four = mpirun(crew, "4", MWT_ARGV(MWT_HELLO_WORLD));
    CU_ASSERT_EQUAL(mwt_await_end(four), 0);
    struct mwt_process *two = mpirun(crew, "2", MWT_ARGV(MWT_HELLO_WORLD, "--mw-transport", "mpi"));
    CU_ASSERT_EQUAL(mwt_await_end(two), 0);

    check_hello(four, 1, 3);
    check_hello(two, 1, 1);
    mwt_crew_destroy(crew);
}

/* A single rank is a local farm, as without a launcher. --mw-local makes a local farm under any
 * launcher. */
static void test_local_under_launcher(void)
{
    struct mwt_crew *crew = mwt_crew_create();

    struct mwt_process *one = mpirun(crew, "1", MWT_ARGV(MWT_HELLO_WORLD, "--mw-local", "2"));
    CU_ASSERT_EQUAL(mwt_await_end(one), 0);
    struct mwt_process *two = mpirun(crew, "2", MWT_ARGV(MWT_HELLO_WORLD, "--mw-local", "1"));
    CU_ASSERT_EQUAL(mwt_await_end(two), 0);

    check_hello(one, 1, 2);
    check_hello(two, 2, 2);
    mwt_crew_destroy(crew);
}

/* Many tasks, with groups and without, and large results. */
static void test_many_tasks(void)
{
    struct mwt_crew *crew = mwt_crew_create();

    struct mwt_process *many =
        mpirun(crew, "3",
               MWT_ARGV(MWT_FARM, "--mw-quiet", "--mw-slave-task-group", "10",
                        "--mw-slave-result-group", "7", "echo", "3000"));
    CU_ASSERT_EQUAL(mwt_await_end(many), 0);
    struct mwt_process *large =
        mpirun(crew, "3", MWT_ARGV(MWT_FARM, "--mw-quiet", "echo,big:5000000", "10"));
    CU_ASSERT_EQUAL(mwt_await_end(large), 0);

    CU_ASSERT_PTR_NOT_NULL(
        strstr(mwt_output(many, MWT_OUT), "farm: 3000 done, 0 failed, 0 unrunnable, 0 lost"));
    CU_ASSERT_EQUAL(mwt_count(mwt_output(large, MWT_OUT), ": 5000000 bytes"), 5);
    mwt_crew_destroy(crew);
}

/* The master algorithm's return value is the exit status of mpirun. */
static void test_exit_status(void)
{
    struct mwt_crew *crew = mwt_crew_create();

    struct mwt_process *farm =
        mpirun(crew, "2", MWT_ARGV(MWT_FARM, "--mw-quiet", "echo,fail", "4"));

    CU_ASSERT_EQUAL(mwt_await_end(farm), 3);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(mwt_output(farm, MWT_OUT), "farm: 2 done, 2 failed, 0 unrunnable, 0 lost"));
    mwt_crew_destroy(crew);
}

/* One rank alone reports wrong usage. */
static void test_wrong_usage(void)
{
    struct mwt_crew *crew = mwt_crew_create();

    struct mwt_process *farm = mpirun(crew, "3", MWT_ARGV(MWT_HELLO_WORLD, "--mw-nonsense"));

    CU_ASSERT_EQUAL(mwt_await_end(farm), 2);
    CU_ASSERT_EQUAL(mwt_count(mwt_output(farm, MWT_ERR), "hello_world: --mw-nonsense"), 1);
    CU_ASSERT_STRING_EQUAL(mwt_output(farm, MWT_OUT), "");
    mwt_crew_destroy(crew);
}

/* Ranks with the same --mw-audit-file have a file each. So have ranks that came too late to get a
 * name from the master. */
static void test_audit_files(void)
{
    unsigned slaves_count = 0;
    glob_t files;
    struct mwt_crew *crew = mwt_crew_create();

    struct mwt_process *farm = mpirun(crew, "4",
                                      MWT_ARGV(MWT_HELLO_WORLD, "--mw-slave-result-group", "1",
                                               "--mw-audit-file", mwt_path(crew, "trail-%n")));

    CU_ASSERT_EQUAL(mwt_await_end(farm), 0);
    CU_ASSERT_EQUAL(glob(mwt_path(crew, "trail-*"), 0, NULL, &files), 0);
    CU_ASSERT_EQUAL(files.gl_pathc, 4);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        char *trail = mwt_file_read(files.gl_pathv[i]);
        bool is_master = strstr(files.gl_pathv[i], "trail-master") != NULL;
        slaves_count += !is_master;
        CU_ASSERT_EQUAL(mwt_count(trail, "INIT MASTER \"default-member-id\"\n"), is_master);
        CU_ASSERT_EQUAL(mwt_count(trail, "INIT SLAVE \"default-member-id\"\n"), !is_master);
        CU_ASSERT_EQUAL(mwt_count(trail, "FINI "), 1);
        if (is_master)
            CU_ASSERT_EQUAL(mwt_count(trail, " -> 1 results\n"), HELLO_TASKS_COUNT);
        free(trail);
    }
    globfree(&files);
    CU_ASSERT_EQUAL(slaves_count, 3);
    CU_ASSERT_EQUAL(access(mwt_path(crew, "trail-SLAVE-0"), R_OK), 0);
    CU_ASSERT_EQUAL(mwt_count(mwt_output(farm, MWT_ERR), "[A]"), 0);
    mwt_crew_destroy(crew);
}

/* Without a file there is one trail on standard error, the master's. */
static void test_audit_by_default(void)
{
    struct mwt_crew *crew = mwt_crew_create();

    struct mwt_process *farm = mpirun(crew, "3", MWT_ARGV(MWT_HELLO_WORLD));

    CU_ASSERT_EQUAL(mwt_await_end(farm), 0);
    CU_ASSERT_EQUAL(mwt_count(mwt_output(farm, MWT_ERR), "[A] INIT MASTER"), 1);
    CU_ASSERT_EQUAL(mwt_count(mwt_output(farm, MWT_ERR), "[A] INIT SLAVE"), 0);
    CU_ASSERT_EQUAL(mwt_count(mwt_output(farm, MWT_ERR), "[A] MASTER READY rank 0\n"), 1);
    mwt_crew_destroy(crew);
}

/* The launcher ends the job when a rank is killed, and nothing stays behind. */
static void test_killed_rank(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *farm = mpirun(crew, "3", MWT_ARGV(MWT_FARM, "doze:60000", "2"));
    const char *line = mwt_await_line(farm, MWT_ERR, "runs, pid ");

    if (line != NULL)
        kill((pid_t)atol(strstr(line, "pid ") + 4), SIGKILL);

    CU_ASSERT_EQUAL(mwt_await_end(farm), 128 + SIGKILL);
    mwt_crew_destroy(crew);
}

/* The same under Slurm. */
static void test_srun(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *ping = mwt_run_program(crew, "scontrol", "ping", NULL);
    int status = mwt_await_end(ping);

    if (status != 0 || strstr(mwt_output(ping, MWT_OUT), "is UP") == NULL) {
        mwt_not_run("srun", "no Slurm controller answers on this machine");
    } else {
        struct mwt_process *farm = mwt_start(
            crew,
            &(struct mwt_start){.argv = MWT_ARGV("srun", "--mpi=pmix", "-n", "4", MWT_HELLO_WORLD),
                                .environment = MWT_ARGV(NO_LEAK_CHECK)});
        CU_ASSERT_EQUAL(mwt_await_end(farm), 0);
        check_hello(farm, 1, 3);
    }
    mwt_crew_destroy(crew);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"ranks", test_ranks},
        {"local under a launcher", test_local_under_launcher},
        {"many tasks", test_many_tasks},
        {"exit status", test_exit_status},
        {"wrong usage", test_wrong_usage},
        {"audit files", test_audit_files},
        {"audit by default", test_audit_by_default},
        {"killed rank", test_killed_rank},
        {"srun", test_srun},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("mpirun", tests);
}
