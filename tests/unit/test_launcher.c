/* SPDX-License-Identifier: Apache-2.0
 *
 * The launchers and their variables, in environments that are made up. A new launcher gets a line
 * in the first test.
 */
#include "options/launcher.h"

#include <stdio.h>
#include <string.h>

#include "mwt_run.h"

#define VARIABLES_MAX 12

/* The environment that the functions read; a text of NULL ends it. */
static const char *variables[VARIABLES_MAX][2];
static char values[VARIABLES_MAX][MWI_LAUNCHER_MARK_BYTES];
static uint64_t open_socket; /* at each descriptor; 0: none is open */

static char *get(const char *name)
{
    for (size_t i = 0; i < VARIABLES_MAX && variables[i][0] != NULL; i++)
        if (strcmp(variables[i][0], name) == 0)
            return values[i];
    return NULL;
}

static uint64_t socket_of(int fd)
{
    (void)fd;
    return open_socket;
}

static void set(const char *name, const char *value)
{
    size_t i = 0;
    while (variables[i][0] != NULL && strcmp(variables[i][0], name) != 0)
        i++;
    CU_ASSERT_FATAL(i < VARIABLES_MAX - 1);
    variables[i][0] = name;
    snprintf(values[i], sizeof values[i], "%s", value);
}

static void clear(void)
{
    memset(variables, 0, sizeof variables);
    open_socket = 0;
}

static struct mwi_launch read_as(long pid)
{
    struct mwi_launcher_process process = {.pid = pid, .get = get, .socket_of = socket_of};
    return mwi_launcher_read(&process);
}

/* Leaves the mark of the process with this pid in the environment, as mw_main does. */
static void mark_as(long pid)
{
    struct mwi_launcher_process process = {.pid = pid, .get = get, .socket_of = socket_of};
    char mark[MWI_LAUNCHER_MARK_BYTES];
    mwi_launcher_mark(&process, mark);
    set(MWI_LAUNCHER_VARIABLE, mark);
}

static void check_launch(long pid, int size, int rank, const char *name)
{
    struct mwi_launch launch = read_as(pid);
    CU_ASSERT_EQUAL(launch.size, size);
    CU_ASSERT_EQUAL(launch.rank, rank);
    CU_ASSERT_STRING_EQUAL(launch.name == NULL ? "" : launch.name, name);
}

struct expectation {
    const char *variables[7][2];
    int size, rank;
    const char *name;
};

/* Each launcher has its own variables; without one, or with nonsense in them, there is one process.
 * The innermost launcher counts. */
static void test_launchers(void)
{
    static const struct expectation cases[] = {
        {{{NULL}}, 1, 0, ""},
        {{{"OMPI_COMM_WORLD_SIZE", "16"}, {"OMPI_COMM_WORLD_RANK", "7"}}, 16, 7, "mpirun"},
        {{{"MV2_COMM_WORLD_SIZE", "3"}, {"MV2_COMM_WORLD_RANK", "2"}}, 3, 2, "mpirun_rsh"},
        {{{"PMI_SIZE", "3"}, {"PMI_RANK", "1"}}, 3, 1, "mpiexec"},
        {{{"PMI_SIZE", "3"}, {"PMI_RANK", "1"}, {"FLUX_JOB_SIZE", "3"}, {"FLUX_TASK_RANK", "1"}},
         3,
         1,
         "flux run"},
        {{{"MPT_MPI_RANK", "2"}}, 0, 2, "mpiexec_mpt"},
        {{{"ALPS_APP_PE", "2"}}, 0, 2, "aprun"},
        {{{"PMIX_RANK", "2"}}, 0, 2, "prun"},
        {{{"SLURM_STEP_NUM_TASKS", "9"}, {"SLURM_PROCID", "4"}}, 9, 4, "srun"},
        {{{"SLURM_STEP_NUM_TASKS", "8"}, {"SLURM_PROCID", "5"}, {"PMIX_RANK", "5"}}, 8, 5, "srun"},
        {{{"SLURM_STEP_NUM_TASKS", "8"},
          {"SLURM_PROCID", "5"},
          {"PMI_SIZE", "8"},
          {"PMI_RANK", "5"}},
         8,
         5,
         "srun"},
        /* A batch script, and a single process of srun's. */
        {{{"SLURM_NTASKS", "4"}, {"SLURM_PROCID", "0"}}, 1, 0, ""},
        {{{"SLURM_STEP_NUM_TASKS", "1"}, {"SLURM_PROCID", "0"}}, 1, 0, "srun"},
        /* mpirun starts its processes through srun. */
        {{{"OMPI_COMM_WORLD_SIZE", "4"},
          {"OMPI_COMM_WORLD_RANK", "2"},
          {"PMIX_RANK", "2"},
          {"SLURM_STEP_NUM_TASKS", "2"},
          {"SLURM_PROCID", "1"}},
         4,
         2,
         "mpirun"},
        {{{"OMPI_COMM_WORLD_SIZE", "many"}, {"OMPI_COMM_WORLD_RANK", "-1"}}, 1, 0, ""},
        {{{"OMPI_COMM_WORLD_SIZE", "99999999999"}, {"OMPI_COMM_WORLD_RANK", ""}}, 1, 0, ""},
        {{{"OMPI_COMM_WORLD_SIZE", "0"}}, 1, 0, ""},
        {{{"OMPI_COMM_WORLD_SIZE", "2"}}, 2, -1, "mpirun"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        clear();
        for (size_t j = 0; cases[i].variables[j][0] != NULL; j++)
            set(cases[i].variables[j][0], cases[i].variables[j][1]);
        check_launch(100, cases[i].size, cases[i].rank, cases[i].name);
    }
}

static void set_mpirun(const char *size, const char *rank, const char *job)
{
    set("OMPI_COMM_WORLD_SIZE", size);
    set("OMPI_COMM_WORLD_RANK", rank);
    set("PMIX_NAMESPACE", job);
}

/* A program that a rank starts has the rank's variables, and is no rank. The rank itself is one
 * still, also when it has replaced its program. */
static void test_inherited(void)
{
    clear();
    set_mpirun("4", "2", "job-1");
    mark_as(100);

    check_launch(101, 1, 0, "");
    check_launch(100, 4, 2, "mpirun");
}

/* A launcher that is started by a rank has ranks of its own, though they inherit the mark; what
 * these start in turn are no ranks. */
static void test_nested(void)
{
    clear();
    set_mpirun("4", "2", "job-1");
    mark_as(100);

    set_mpirun("4", "2", "job-2");
    check_launch(201, 4, 2, "mpirun");
    mark_as(201);
    check_launch(202, 1, 0, "");
}

/* A launcher of another kind, started by a rank, is found behind the variables of the rank. */
static void test_nested_in_another(void)
{
    clear();
    set_mpirun("4", "2", "job-1");
    mark_as(100);

    set("SLURM_STEP_NUM_TASKS", "3");
    set("SLURM_PROCID", "1");
    set("SLURM_STEP_ID", "7");
    check_launch(201, 3, 1, "srun");
    mark_as(201);
    check_launch(202, 1, 0, "");
}

/* mpiexec of MPICH gives all its jobs the same variables, so its socket tells them apart. Without
 * the socket the variables are not about this process. */
static void test_socket(void)
{
    clear();
    set("PMI_SIZE", "2");
    set("PMI_RANK", "1");
    set("PMI_FD", "6");

    open_socket = 1234;
    mark_as(100);
    check_launch(101, 1, 0, "");
    open_socket = 5678;
    check_launch(201, 2, 1, "mpiexec");
    open_socket = 0;
    check_launch(201, 1, 0, "");
}

/* A mark that makes no sense hides nothing. */
static void test_nonsense(void)
{
    clear();
    set_mpirun("4", "2", "job-1");

    set(MWI_LAUNCHER_VARIABLE, "");
    check_launch(100, 4, 2, "mpirun");
    set(MWI_LAUNCHER_VARIABLE, "yes");
    check_launch(100, 4, 2, "mpirun");
}

/* The mark has room for all launchers at once. */
static void test_all_at_once(void)
{
    static const char *const all[] = {"OMPI_COMM_WORLD_SIZE",
                                      "MV2_COMM_WORLD_SIZE",
                                      "MVP_COMM_WORLD_SIZE",
                                      "PMI_SIZE",
                                      "FLUX_JOB_SIZE",
                                      "MPT_MPI_RANK",
                                      "SLURM_STEP_NUM_TASKS",
                                      "ALPS_APP_PE",
                                      "PMIX_RANK"};
    clear();
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        set(all[i], "2");

    mark_as(2147483647);

    check_launch(5, 1, 0, "");
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"launchers", test_launchers},     {"inherited", test_inherited},
        {"nested", test_nested},           {"nested in another", test_nested_in_another},
        {"socket", test_socket},           {"nonsense", test_nonsense},
        {"all at once", test_all_at_once}, CU_TEST_INFO_NULL,
    };
    return mwt_run("launcher", tests);
}
