/* SPDX-License-Identifier: Apache-2.0
 *
 * hello_world under MPI launchers: mpirun and, where it is installed, srun. The unchanged program
 * is a farm, and its output, status and audit trails are those of the other modes.
 */
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hello.h"
#include "mwt_folder.h"
#include "mwt_run.h"

/* Open MPI itself does not free all its memory. */
#define NO_LEAK_CHECK "ASAN_OPTIONS=detect_leaks=0"

/* Starts mpirun with `ranks_count` ranks of a program and its arguments, and with the variable in
 * their environment if it is not NULL. */
static struct mwt_process *mpirun_with(struct mwt_crew *crew, const char *ranks_count,
                                       const char *variable, const char *const *program)
{
    const char *argv[24] = {MWT_MPIEXEC, "-n", ranks_count};
    for (size_t i = 3; *program != NULL && i < 23; i++)
        argv[i] = *program++;
    return mwt_start(
        crew, &(struct mwt_start){.argv = argv, .environment = MWT_ARGV(NO_LEAK_CHECK, variable)});
}

static struct mwt_process *mpirun(struct mwt_crew *crew, const char *ranks_count,
                                  const char *const *program)
{
    return mpirun_with(crew, ranks_count, NULL, program);
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

/* A program that a task starts inherits the launcher's variables, but it is no rank: it is a farm
 * on its own. */
static void test_started_by_task(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *inner = mwt_format(
        crew, "FARM_COMMAND=%s --mw-quiet --mw-local 2 echo 5 2>&1 | grep farm:", MWT_FARM);
    const char *guess =
        mwt_format(crew, "FARM_COMMAND=%s --mw-quiet echo 5 2>&1 | grep farm:", MWT_FARM);

    struct mwt_process *chosen =
        mpirun_with(crew, "3", inner, MWT_ARGV(MWT_FARM, "--mw-quiet", "command", "2"));
    CU_ASSERT_EQUAL(mwt_await_end(chosen), 0);
    struct mwt_process *automatic =
        mpirun_with(crew, "3", guess, MWT_ARGV(MWT_FARM, "--mw-quiet", "command", "2"));
    CU_ASSERT_EQUAL(mwt_await_end(automatic), 0);
    /* Slaves of a local farm under a launcher start programs, too. */
    struct mwt_process *local = mpirun_with(
        crew, "2", guess, MWT_ARGV(MWT_FARM, "--mw-quiet", "--mw-local", "1", "command", "1"));
    CU_ASSERT_EQUAL(mwt_await_end(local), 0);

    const char *line = ": farm: 5 done, 0 failed, 0 unrunnable, 0 lost";
    CU_ASSERT_EQUAL(mwt_count(mwt_output(chosen, MWT_OUT), line), 2);
    CU_ASSERT_EQUAL(mwt_count(mwt_output(automatic, MWT_OUT), line), 2);
    CU_ASSERT_EQUAL(mwt_count(mwt_output(local, MWT_OUT), line), 2);
    mwt_crew_destroy(crew);
}

/* A launcher of another MPI starts several processes that this MPI does not join. They end with a
 * sentence, unless their options say what each of them is. */
static void test_foreign_launcher(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *const variables[] = {NO_LEAK_CHECK, "MV2_COMM_WORLD_SIZE=3",
                                     "MV2_COMM_WORLD_RANK=0", NULL};
    const char *const of_second[] = {NO_LEAK_CHECK, "MV2_COMM_WORLD_SIZE=3",
                                     "MV2_COMM_WORLD_RANK=1", NULL};

    struct mwt_process *first = mwt_start(
        crew, &(struct mwt_start){.argv = MWT_ARGV(MWT_HELLO_WORLD), .environment = variables});
    struct mwt_process *second = mwt_start(
        crew, &(struct mwt_start){.argv = MWT_ARGV(MWT_HELLO_WORLD, "--mw-transport", "mpi"),
                                  .environment = of_second});
    struct mwt_process *local =
        mwt_start(crew, &(struct mwt_start){.argv = MWT_ARGV(MWT_HELLO_WORLD, "--mw-local", "1"),
                                            .environment = variables});
    struct mwt_process *slave = mwt_start(
        crew,
        &(struct mwt_start){.argv = MWT_ARGV(MWT_HELLO_WORLD, "--mw-slave", "--mw-connect-timeout",
                                             "0.01", "--mw-resource-file", mwt_path(crew, "m.rsc")),
                            .environment = of_second});

    CU_ASSERT_EQUAL(mwt_await_end(first), 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(first, MWT_ERR),
                                  "hello_world: mpirun_rsh started 3 processes, but for "));
    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(first, MWT_ERR), "each of them is alone"));
    CU_ASSERT_EQUAL(mwt_await_end(second), 2);
    CU_ASSERT_STRING_EQUAL(mwt_output(second, MWT_ERR), "");
    CU_ASSERT_EQUAL(mwt_await_end(local), 0);
    check_hello(local, 1, 1);
    CU_ASSERT_EQUAL(mwt_await_end(slave), 255);
    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(slave, MWT_ERR), "no master accepted this slave"));
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

    int status = mwt_await_end(farm);
    CU_ASSERT(status == 128 + SIGKILL || status == SIGKILL); /* Open MPI's, and MPICH's */
    mwt_crew_destroy(crew);
}

/* The process of the master, as its resource file says it; 0 if it does not. */
static pid_t master_pid(const char *path)
{
    char *text = mwt_file_read(path);
    const char *pid = text == NULL ? NULL : strstr(text, "\"pid\": ");
    pid_t number = pid == NULL ? 0 : (pid_t)atol(pid + strlen("\"pid\": "));
    free(text);
    return number;
}

/* Makes a FIFO, and holds both its ends: each byte that is written to it ends a task "token". */
static int open_tokens(const char *path)
{
    CU_ASSERT_EQUAL_FATAL(mkfifo(path, 0600), 0);
    int tokens = open(path, O_RDWR | O_CLOEXEC);
    CU_ASSERT_TRUE_FATAL(tokens >= 0);
    return tokens;
}

/* A batch system sends SIGTERM to all ranks at once. The master stops the farm, and the slaves stay
 * until they have finished the tasks that they run: nothing is lost. */
static void test_signal_to_all_ranks(void)
{
    enum { SLAVES_COUNT = 2 };
    struct mwt_crew *crew = mwt_crew_create();
    const char *path = mwt_path(crew, "farm.rsc"), *fifo = mwt_path(crew, "tokens");
    pid_t pids[SLAVES_COUNT + 1] = {0};
    int tokens = open_tokens(fifo);
    struct mwt_process *farm =
        mpirun_with(crew, "3", mwt_format(crew, "FARM_TOKENS=%s", fifo),
                    MWT_ARGV(MWT_FARM, "--mw-resource-file", path, "token", "100"));
    for (size_t i = 0; i < SLAVES_COUNT; i++) {
        const char *line = mwt_await_line(farm, MWT_ERR, "runs, pid ");
        pids[i] = line == NULL ? 0 : (pid_t)atol(strstr(line, "pid ") + 4);
    }
    pids[SLAVES_COUNT] = master_pid(path);

    for (size_t i = 0; i <= SLAVES_COUNT; i++) {
        CU_ASSERT(pids[i] > 0);
        if (pids[i] > 0)
            kill(pids[i], SIGTERM);
    }
    mwt_await_line(farm, MWT_ERR, "waiting for 2 running tasks");
    CU_ASSERT_EQUAL(write(tokens, "tt", SLAVES_COUNT), SLAVES_COUNT);

    CU_ASSERT_EQUAL(mwt_await_end(farm), 128 + SIGTERM);
    CU_ASSERT_EQUAL(mwt_count(mwt_output(farm, MWT_OUT), " done by SLAVE-"), SLAVES_COUNT);
    CU_ASSERT_EQUAL(mwt_count(mwt_output(farm, MWT_OUT), "unrunnable by"), 0);
    CU_ASSERT_EQUAL(mwt_count(mwt_output(farm, MWT_ERR), "waiting for 2 running tasks"), 1);
    CU_ASSERT_EQUAL(mwt_count(mwt_output(farm, MWT_ERR), "GOODBYE"), 0);
    close(tokens);
    mwt_crew_destroy(crew);
}

/* A task that never ends does not keep the job: when --mw-shutdown-timeout is over the master ends
 * it, and says so. The status is the master's. The other task, whose result ends the farm, lasts
 * until this one has begun. The ranks write to a file, since MPICH's launcher may lose their last
 * lines when the job is aborted. */
static void test_endless_task(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *gate = mwt_path(crew, "gate"), *fifo = mwt_path(crew, "tokens");
    const char *said = mwt_path(crew, "said");
    const char *script = mwt_format(
        crew, "FARM=hasty FARM_GATE='%s' FARM_TOKENS='%s' exec \"$@\" 2>>'%s'", gate, fifo, said);
    int tokens = open_tokens(fifo);
    CU_ASSERT_EQUAL(mkfifo(gate, 0600), 0);
    mwt_file_write(said, "");
    struct mwt_process *reader = mwt_run_program(crew, "tail", "-n", "+1", "-f", said, NULL);

    struct mwt_process *farm = mpirun(crew, "3",
                                      MWT_ARGV("sh", "-c", script, "sh", MWT_FARM, "--mw-quiet",
                                               "--mw-shutdown-timeout", "0.3", "gate,token", "2"));
    mwt_await_line(reader, MWT_OUT, "task 0 runs");
    CU_ASSERT_EQUAL(write(tokens, "t", 1), 1);

    CU_ASSERT_EQUAL(mwt_await_end(farm), 7);
    char *text = mwt_file_read(said);
    CU_ASSERT_EQUAL(mwt_count(text, "mwt_farm: a rank has not come back from its task"), 1);
    free(text);
    close(tokens);
    mwt_kill(reader, SIGTERM);
    mwt_crew_destroy(crew);
}

/* A rank whose task overran its time limit comes back late. The master has handled that, so it does
 * not make the job fail. */
static void test_late_rank(void)
{
    struct mwt_crew *crew = mwt_crew_create();

    struct mwt_process *farm =
        mpirun(crew, "2",
               MWT_ARGV(MWT_POLICY_FARM, "--mw-quiet", "policy=attempts:1,limit:0.2",
                        "task=nap,1000", "take=1"));

    CU_ASSERT_EQUAL(mwt_await_end(farm), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(farm, MWT_OUT), "unrunnable"));
    CU_ASSERT_PTR_NULL(strstr(mwt_output(farm, MWT_ERR), "the master is gone"));
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
            &(struct mwt_start){.argv = MWT_ARGV("srun", MWT_SRUN_MPI, "-n", "4", MWT_HELLO_WORLD),
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
        {"started by a task", test_started_by_task},
        {"foreign launcher", test_foreign_launcher},
        {"many tasks", test_many_tasks},
        {"exit status", test_exit_status},
        {"wrong usage", test_wrong_usage},
        {"audit files", test_audit_files},
        {"audit by default", test_audit_by_default},
        {"killed rank", test_killed_rank},
        {"signal to all ranks", test_signal_to_all_ranks},
        {"endless task", test_endless_task},
        {"late rank", test_late_rank},
        {"srun", test_srun},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("mpirun", tests);
}
