/* SPDX-License-Identifier: Apache-2.0
 *
 * The role of a process, which follows from its options and its launcher. A new launcher gets its
 * variables in the last test.
 */
#include "options/role.h"

#include <stdlib.h>
#include <string.h>

#include <mw/sim.h>

#include "mwt_run.h"

/* The options that are set, the size of the world and the rank in it; and the resulting mode or
 * sentence. */
struct expectation {
    const char *settings[3][2];
    struct mwi_world world;
    enum mwi_mode mode;
};

static const struct expectation expectations[] = {
    {{{NULL}}, {1, 0}, MWI_MODE_LOCAL},
    {{{"local", "3"}}, {1, 0}, MWI_MODE_LOCAL},
    {{{"local", "0"}}, {1, 0}, MWI_MODE_SERIAL},
    {{{"local", "0"}, {"transport", "local"}}, {1, 0}, MWI_MODE_SERIAL},
    {{{"transport", "local"}}, {1, 0}, MWI_MODE_LOCAL},
    {{{"master", "1"}}, {1, 0}, MWI_MODE_TCP_MASTER},
    {{{"transport", "tcp"}}, {1, 0}, MWI_MODE_TCP_MASTER},
    {{{"transport", "tcp"}, {"master", "1"}}, {1, 0}, MWI_MODE_TCP_MASTER},
    {{{"slave", "1"}}, {1, 0}, MWI_MODE_TCP_SLAVE},
    {{{"transport", "tcp"}, {"slave", "1"}}, {1, 0}, MWI_MODE_TCP_SLAVE},
    {{{"slave", "1"}, {"channel", "5"}}, {1, 0}, MWI_MODE_CHANNEL_SLAVE},
    {{{"slave", "1"}, {"channel", "0"}}, {1, 0}, MWI_MODE_CHANNEL_SLAVE},
    {{{"transport", "mpi"}}, {1, 0}, MWI_MODE_MPI_MASTER},
    /* Under an MPI launcher. */
    {{{NULL}}, {4, 0}, MWI_MODE_MPI_MASTER},
    {{{NULL}}, {4, 1}, MWI_MODE_MPI_SLAVE},
    {{{NULL}}, {4, 3}, MWI_MODE_MPI_SLAVE},
    {{{"transport", "mpi"}}, {4, 0}, MWI_MODE_MPI_MASTER},
    {{{"transport", "mpi"}}, {4, 2}, MWI_MODE_MPI_SLAVE},
    {{{"transport", "mpi,tcp"}}, {4, 0}, MWI_MODE_MIXED_MASTER},
    {{{"transport", "mpi,tcp"}}, {4, 2}, MWI_MODE_MPI_SLAVE},
    /* The user's options win over the launcher. */
    {{{"transport", "local"}}, {4, 2}, MWI_MODE_LOCAL},
    {{{"local", "3"}}, {4, 2}, MWI_MODE_LOCAL},
    {{{"local", "0"}}, {4, 2}, MWI_MODE_SERIAL},
    {{{"master", "1"}}, {4, 2}, MWI_MODE_TCP_MASTER},
    {{{"slave", "1"}}, {4, 0}, MWI_MODE_TCP_SLAVE},
    {{{"slave", "1"}, {"channel", "5"}}, {4, 0}, MWI_MODE_CHANNEL_SLAVE},
};

/* Role flags win over --mw-transport, and that over guesses. */
static void test_modes(void)
{
    for (size_t i = 0; i < sizeof expectations / sizeof expectations[0]; i++) {
        const struct expectation *is_expected = &expectations[i];
        mw_options *options;
        CU_ASSERT_EQUAL_FATAL(mw_options_create(&options), MW_OK);
        for (size_t j = 0; j < 3 && is_expected->settings[j][0] != NULL; j++)
            CU_ASSERT_EQUAL(
                mw_options_set(options, is_expected->settings[j][0], is_expected->settings[j][1]),
                MW_OK);

        CU_ASSERT_EQUAL(mwi_role_mode(options, is_expected->world), is_expected->mode);

        mw_options_destroy(options);
    }
}

/* The modes that are slaves. */
static void test_slaves(void)
{
    CU_ASSERT_TRUE(mwi_role_is_slave(MWI_MODE_TCP_SLAVE));
    CU_ASSERT_TRUE(mwi_role_is_slave(MWI_MODE_CHANNEL_SLAVE));
    CU_ASSERT_TRUE(mwi_role_is_slave(MWI_MODE_MPI_SLAVE));
    CU_ASSERT_TRUE(mwi_role_is_slave(MWI_MODE_SERIAL_SLAVE));
    CU_ASSERT_FALSE(mwi_role_is_slave(MWI_MODE_LOCAL));
    CU_ASSERT_FALSE(mwi_role_is_slave(MWI_MODE_SERIAL));
    CU_ASSERT_FALSE(mwi_role_is_slave(MWI_MODE_TCP_MASTER));
    CU_ASSERT_FALSE(mwi_role_is_slave(MWI_MODE_MPI_MASTER));
    CU_ASSERT_FALSE(mwi_role_is_slave(MWI_MODE_MIXED_MASTER));
}

/* A program that opens a master or a slave itself, on a communicator, has chosen its role. */
static void test_embedded(void)
{
    const struct mwi_world alone = {1, 0};
    int comm = 0;
    mw_options *options;
    CU_ASSERT_EQUAL_FATAL(mw_options_create(&options), MW_OK);

    CU_ASSERT_EQUAL(mwi_role_mode_embedded(options, alone, false), MWI_MODE_LOCAL);
    mw_options_set_communicator(options, &comm, 1);
    CU_ASSERT_EQUAL(mwi_role_mode_embedded(options, alone, false), MWI_MODE_MPI_MASTER);
    CU_ASSERT_EQUAL(mwi_role_mode_embedded(options, alone, true), MWI_MODE_MPI_SLAVE);
    CU_ASSERT_EQUAL(mw_options_set(options, "transport", "mpi,tcp"), MW_OK);
    CU_ASSERT_EQUAL(mwi_role_mode_embedded(options, alone, false), MWI_MODE_MIXED_MASTER);
    CU_ASSERT_EQUAL(mwi_role_mode_embedded(options, alone, true), MWI_MODE_MPI_SLAVE);
    mw_options_set_communicator(options, NULL, 0);
    CU_ASSERT_EQUAL(mw_options_set(options, "transport", "tcp"), MW_OK);
    CU_ASSERT_EQUAL(mwi_role_mode_embedded(options, alone, false), MWI_MODE_TCP_MASTER);

    mw_options_destroy(options);
}

static void set_world(const char *size, const char *rank)
{
    setenv("OMPI_COMM_WORLD_SIZE", size, 1);
    setenv("OMPI_COMM_WORLD_RANK", rank, 1);
}

static void check_is_slave(mw_options *options, bool is_expected)
{
    bool is_slave = !is_expected;
    CU_ASSERT_EQUAL(mw_options_is_slave(options, &is_slave), MW_OK);
    CU_ASSERT_EQUAL(is_slave, is_expected);
}

/* A program without mw_main learns its role from its options, or from the launcher if they do not
 * say. It is an error if they contradict each other or only MPI knows. */
static void test_is_slave(void)
{
    int comm = 0;
    bool is_slave;
    mw_options *options;
    CU_ASSERT_EQUAL_FATAL(mw_options_create(&options), MW_OK);

    check_is_slave(options, false);
    set_world("4", "2");
    check_is_slave(options, true);
    set_world("4", "0");
    check_is_slave(options, false);
    set_world("4", "2");
    mw_options_set_communicator(options, &comm, 1);
    CU_ASSERT_EQUAL(mw_options_is_slave(options, &is_slave), MW_ESTATE);
    CU_ASSERT_PTR_NOT_NULL(strstr(mw_options_error(options), "rank 1 of the MPI communicator"));
    mw_options_set_communicator(options, NULL, 0);
    CU_ASSERT_EQUAL(mw_options_set(options, "local", "2"), MW_OK);
    check_is_slave(options, false);
    CU_ASSERT_EQUAL(mw_options_use_transport(options, &mw_sim_transport, NULL, "x"), MW_OK);
    check_is_slave(options, false);
    CU_ASSERT_EQUAL(mw_options_set(options, "slave", "1"), MW_OK);
    CU_ASSERT_EQUAL(mw_options_is_slave(options, &is_slave), MW_EUSAGE);
    mw_options_destroy(options);
    CU_ASSERT_EQUAL_FATAL(mw_options_create(&options), MW_OK);
    CU_ASSERT_EQUAL(mw_options_set(options, "slave", "1"), MW_OK);
    CU_ASSERT_EQUAL(mw_options_use_transport(options, &mw_sim_transport, NULL, "x"), MW_OK);
    check_is_slave(options, true);

    mw_options_destroy(options);
    unsetenv("OMPI_COMM_WORLD_SIZE");
    unsetenv("OMPI_COMM_WORLD_RANK");
}

/* A program that opens the wrong one gets a sentence with the reason for its role. */
static void test_wrong_role(void)
{
    const mw_program program = {.algorithms = NULL};
    mw_master *master;
    mw_slave *slave;
    mw_options *options;
    CU_ASSERT_EQUAL_FATAL(mw_options_create(&options), MW_OK);

    set_world("4", "2");
    CU_ASSERT_EQUAL(mw_master_open(&master, &program, options), MW_EUSAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(mw_options_error(options), "launcher makes this process rank 2"));
    set_world("4", "0");
    CU_ASSERT_EQUAL(mw_slave_open(&slave, &program, options), MW_EUSAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(mw_options_error(options), "launcher makes this process rank 0"));
    CU_ASSERT_EQUAL(mw_options_set(options, "local", "2"), MW_OK);
    CU_ASSERT_EQUAL(mw_slave_open(&slave, &program, options), MW_EUSAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(mw_options_error(options), "set \"slave\""));
    mw_options_destroy(options);
    CU_ASSERT_EQUAL_FATAL(mw_options_create(&options), MW_OK);
    setenv("MW_SLAVE", "1", 1);
    CU_ASSERT_EQUAL(mw_options_environment(options), MW_OK);
    CU_ASSERT_EQUAL(mw_options_set(options, "master-host", "localhost"), MW_OK);
    CU_ASSERT_EQUAL(mw_options_set(options, "master-port", "1"), MW_OK);
    CU_ASSERT_EQUAL(mw_master_open(&master, &program, options), MW_EUSAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(mw_options_error(options), "MW_SLAVE=1 makes this process"));

    mw_options_destroy(options);
    unsetenv("MW_SLAVE");
    unsetenv("OMPI_COMM_WORLD_SIZE");
    unsetenv("OMPI_COMM_WORLD_RANK");
}

static char *get_nothing(const char *name)
{
    (void)name;
    return NULL;
}

static char *find(const char *const variables[][2], const char *name)
{
    static char value[64];
    for (; variables[0][0] != NULL; variables++)
        if (strcmp(variables[0][0], name) == 0)
            return strcpy(value, variables[0][1]);
    return NULL;
}

static char *get_of_mpirun(const char *name)
{
    static const char *const variables[][2] = {
        {"OMPI_COMM_WORLD_SIZE", "16"}, {"OMPI_COMM_WORLD_RANK", "7"}, {NULL, NULL}};
    return find(variables, name);
}

static char *get_of_srun(const char *name)
{
    static const char *const variables[][2] = {
        {"PMIX_RANK", "3"}, {"SLURM_STEP_NUM_TASKS", "8"}, {"SLURM_PROCID", "5"}, {NULL, NULL}};
    return find(variables, name);
}

/* mpirun inside a batch job: mpirun's variables count, not the job's. */
static char *get_of_mpirun_in_slurm(const char *name)
{
    static const char *const variables[][2] = {{"OMPI_COMM_WORLD_SIZE", "4"},
                                               {"OMPI_COMM_WORLD_RANK", "2"},
                                               {"PMIX_RANK", "1"},
                                               {"SLURM_STEP_NUM_TASKS", "9"},
                                               {NULL, NULL}};
    return find(variables, name);
}

/* A job of Slurm's that was not started by its PMIx. */
static char *get_of_plain_srun(const char *name)
{
    static const char *const variables[][2] = {{"SLURM_STEP_NUM_TASKS", "9"}, {NULL, NULL}};
    return find(variables, name);
}

static char *get_of_plain_pmix(const char *name)
{
    static const char *const variables[][2] = {{"PMIX_RANK", "2"}, {NULL, NULL}};
    return find(variables, name);
}

static char *get_nonsense(const char *name)
{
    static const char *const variables[][2] = {
        {"OMPI_COMM_WORLD_SIZE", "many"}, {"OMPI_COMM_WORLD_RANK", "-1"}, {NULL, NULL}};
    return find(variables, name);
}

static char *get_huge(const char *name)
{
    static const char *const variables[][2] = {
        {"OMPI_COMM_WORLD_SIZE", "99999999999"}, {"OMPI_COMM_WORLD_RANK", ""}, {NULL, NULL}};
    return find(variables, name);
}

/* Each launcher has its own variables; without one, or with nonsense in them, there is one process.
 */
static void test_worlds(void)
{
    static const struct {
        char *(*get)(const char *name);
        struct mwi_world world;
    } cases[] = {
        {get_nothing, {1, 0}},       {get_of_mpirun, {16, 7}},
        {get_of_srun, {8, 3}},       {get_of_mpirun_in_slurm, {4, 2}},
        {get_of_plain_srun, {1, 0}}, {get_of_plain_pmix, {1, 0}},
        {get_nonsense, {1, 0}},      {get_huge, {1, 0}},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct mwi_world world = mwi_role_world(cases[i].get);
        CU_ASSERT_EQUAL(world.size, cases[i].world.size);
        CU_ASSERT_EQUAL(world.rank, cases[i].world.rank);
    }
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"modes", test_modes},       {"slaves", test_slaves},         {"embedded", test_embedded},
        {"is slave", test_is_slave}, {"wrong role", test_wrong_role}, {"worlds", test_worlds},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("launch", tests);
}
