/* SPDX-License-Identifier: Apache-2.0
 *
 * The role of a process, which follows from its options, its launcher and its rank. A new mode gets
 * lines in `expectations`.
 */
#include "options/role.h"

#include <stdlib.h>
#include <string.h>

#include <mw/sim.h>

#include "mwt_run.h"

/* The options that are set, the number of processes that a launcher started, 0 if it does not say;
 * and the resulting mode. */
struct expectation {
    const char *settings[3][2];
    int size;
    enum mwi_mode mode;
};

static const struct expectation expectations[] = {
    {{{NULL}}, 1, MWI_MODE_LOCAL},
    {{{"local", "3"}}, 1, MWI_MODE_LOCAL},
    {{{"local", "0"}}, 1, MWI_MODE_SERIAL},
    {{{"local", "0"}, {"transport", "local"}}, 1, MWI_MODE_SERIAL},
    {{{"transport", "local"}}, 1, MWI_MODE_LOCAL},
    {{{"master", "1"}}, 1, MWI_MODE_TCP_MASTER},
    {{{"transport", "tcp"}}, 1, MWI_MODE_TCP_MASTER},
    {{{"transport", "tcp"}, {"master", "1"}}, 1, MWI_MODE_TCP_MASTER},
    {{{"slave", "1"}}, 1, MWI_MODE_TCP_SLAVE},
    {{{"transport", "tcp"}, {"slave", "1"}}, 1, MWI_MODE_TCP_SLAVE},
    {{{"slave", "1"}, {"channel", "5"}}, 1, MWI_MODE_CHANNEL_SLAVE},
    {{{"slave", "1"}, {"channel", "0"}}, 1, MWI_MODE_CHANNEL_SLAVE},
    {{{"transport", "mpi"}}, 1, MWI_MODE_RANK},
    /* Under a launcher only MPI knows. */
    {{{NULL}}, 4, MWI_MODE_RANK},
    {{{NULL}}, 0, MWI_MODE_RANK},
    {{{"transport", "mpi"}}, 4, MWI_MODE_RANK},
    {{{"transport", "mpi,tcp"}}, 4, MWI_MODE_RANK},
    /* The user's options win over the launcher. */
    {{{"transport", "local"}}, 4, MWI_MODE_LOCAL},
    {{{"local", "3"}}, 4, MWI_MODE_LOCAL},
    {{{"local", "0"}}, 4, MWI_MODE_SERIAL},
    {{{"master", "1"}}, 4, MWI_MODE_TCP_MASTER},
    {{{"slave", "1"}}, 4, MWI_MODE_TCP_SLAVE},
    {{{"transport", "tcp"}}, 4, MWI_MODE_TCP_MASTER},
    {{{"slave", "1"}}, 0, MWI_MODE_TCP_SLAVE},
    {{{"slave", "1"}, {"channel", "5"}}, 4, MWI_MODE_CHANNEL_SLAVE},
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

        struct mwi_launch launch = {.size = is_expected->size, .rank = 2, .name = "mpirun"};
        CU_ASSERT_EQUAL(mwi_role_mode(options, launch), is_expected->mode);

        mw_options_destroy(options);
    }
}

/* Rank 0 is the master, and listens for TCP slaves too if it is told to. */
static void test_ranks(void)
{
    mw_options *options;
    CU_ASSERT_EQUAL_FATAL(mw_options_create(&options), MW_OK);

    CU_ASSERT_EQUAL(mwi_role_mode_of_rank(options, 0, 2), MWI_MODE_MPI_MASTER);
    CU_ASSERT_EQUAL(mwi_role_mode_of_rank(options, 1, 2), MWI_MODE_MPI_SLAVE);
    CU_ASSERT_EQUAL(mwi_role_mode_of_rank(options, 0, 1), MWI_MODE_SERIAL);
    CU_ASSERT_EQUAL(mw_options_set(options, "transport", "mpi,tcp"), MW_OK);
    CU_ASSERT_EQUAL(mwi_role_mode_of_rank(options, 0, 4), MWI_MODE_MIXED_MASTER);
    CU_ASSERT_EQUAL(mwi_role_mode_of_rank(options, 0, 1), MWI_MODE_MIXED_MASTER);
    CU_ASSERT_EQUAL(mwi_role_mode_of_rank(options, 3, 4), MWI_MODE_MPI_SLAVE);

    mw_options_destroy(options);
}

/* A process that MPI finds alone is a local farm only if the launcher does not say that it has
 * started others, and the options do not ask for MPI. */
static void test_alone(void)
{
    const struct mwi_launch unknown = {.size = 0, .rank = 0, .name = "prun"};
    const struct mwi_launch second = {.size = 0, .rank = 1, .name = "prun"};
    const struct mwi_launch several = {.size = 2, .rank = 0, .name = "srun"};
    mw_options *options;
    CU_ASSERT_EQUAL_FATAL(mw_options_create(&options), MW_OK);

    CU_ASSERT_TRUE(mwi_role_is_alone(options, unknown, 1));
    CU_ASSERT_FALSE(mwi_role_is_alone(options, unknown, 2));
    CU_ASSERT_FALSE(mwi_role_is_alone(options, second, 1));
    CU_ASSERT_FALSE(mwi_role_is_alone(options, several, 1));
    CU_ASSERT_EQUAL(mw_options_set(options, "transport", "mpi"), MW_OK);
    CU_ASSERT_FALSE(mwi_role_is_alone(options, unknown, 1));

    mw_options_destroy(options);
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
    const struct mwi_launch alone = {.size = 1};
    const struct mwi_launch second = {.size = 2, .rank = 1, .name = "mpirun"};
    const struct mwi_launch unknown = {.size = 2, .rank = -1, .name = "mpirun"};
    int comm = 0;
    mw_options *options;
    CU_ASSERT_EQUAL_FATAL(mw_options_create(&options), MW_OK);

    CU_ASSERT_EQUAL(mwi_role_mode_embedded(options, alone, false), MWI_MODE_LOCAL);
    CU_ASSERT_EQUAL(mwi_role_mode_embedded(options, second, true), MWI_MODE_MPI_SLAVE);
    CU_ASSERT_EQUAL(mwi_role_mode_embedded(options, second, false), MWI_MODE_MPI_SLAVE);
    CU_ASSERT_EQUAL(mwi_role_mode_embedded(options, unknown, false), MWI_MODE_MPI_MASTER);
    CU_ASSERT_EQUAL(mwi_role_mode_embedded(options, unknown, true), MWI_MODE_MPI_SLAVE);
    mw_options_set_communicator(options, &comm, 0, 1, NULL);
    CU_ASSERT_EQUAL(mwi_role_mode_embedded(options, second, false), MWI_MODE_SERIAL);
    CU_ASSERT_EQUAL(mwi_role_mode_embedded(options, alone, true), MWI_MODE_MPI_SLAVE);
    mw_options_set_communicator(options, &comm, 1, 1, NULL);
    CU_ASSERT_EQUAL(mwi_role_mode_embedded(options, alone, false), MWI_MODE_MPI_MASTER);
    mw_options_set_communicator(options, &comm, 1, 2, NULL);
    CU_ASSERT_EQUAL(mwi_role_mode_embedded(options, alone, false), MWI_MODE_MPI_MASTER);
    CU_ASSERT_EQUAL(mwi_role_mode_embedded(options, alone, true), MWI_MODE_MPI_SLAVE);
    CU_ASSERT_EQUAL(mw_options_set(options, "transport", "mpi,tcp"), MW_OK);
    CU_ASSERT_EQUAL(mwi_role_mode_embedded(options, alone, false), MWI_MODE_MIXED_MASTER);
    CU_ASSERT_EQUAL(mwi_role_mode_embedded(options, alone, true), MWI_MODE_MPI_SLAVE);
    mw_options_set_communicator(options, NULL, 0, 0, NULL);
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
    mw_options_set_communicator(options, &comm, 1, 0, NULL);
    CU_ASSERT_EQUAL(mw_options_is_slave(options, &is_slave), MW_ESTATE);
    CU_ASSERT_PTR_NOT_NULL(strstr(mw_options_error(options), "rank 1 of the MPI communicator"));
    mw_options_set_communicator(options, NULL, 0, 0, NULL);
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
    CU_ASSERT_PTR_NOT_NULL(strstr(mw_options_error(options), "mpirun makes this process rank 2"));
    set_world("4", "0");
    CU_ASSERT_EQUAL(mw_slave_open(&slave, &program, options), MW_EUSAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(mw_options_error(options), "mpirun makes this process rank 0"));
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

int main(void)
{
    CU_TestInfo tests[] = {
        {"modes", test_modes},           {"ranks", test_ranks},       {"alone", test_alone},
        {"slaves", test_slaves},         {"embedded", test_embedded}, {"is slave", test_is_slave},
        {"wrong role", test_wrong_role}, CU_TEST_INFO_NULL,
    };
    return mwt_run("launch", tests);
}
