/* SPDX-License-Identifier: Apache-2.0
 *
 * Role flags win over guesses; mwi_check_options has refused contradictions before.
 */
#include "options/role.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options/check.h"

static int to_number(const char *text, int otherwise)
{
    char *end;
    if (text == NULL || text[0] == '\0')
        return otherwise;
    long number = strtol(text, &end, 10);
    return *end == '\0' && number >= 0 && number <= INT32_MAX ? (int)number : otherwise;
}

struct mwi_world mwi_role_world(char *(*get)(const char *name))
{
    if (get("OMPI_COMM_WORLD_SIZE") != NULL)
        return (struct mwi_world){to_number(get("OMPI_COMM_WORLD_SIZE"), 1),
                                  to_number(get("OMPI_COMM_WORLD_RANK"), 0)};
    if (get("PMIX_RANK") != NULL && get("SLURM_STEP_NUM_TASKS") != NULL)
        return (struct mwi_world){to_number(get("SLURM_STEP_NUM_TASKS"), 1),
                                  to_number(get("PMIX_RANK"), 0)};
    return (struct mwi_world){1, 0};
}

/* "tcp" alone, in the environment of who gives a communicator, is meant for other programs. */
static enum mwi_mode mpi_master_mode(const mw_options *options)
{
    bool is_mixed =
        mwi_options_names_transport(options, "mpi") && mwi_options_names_transport(options, "tcp");
    return is_mixed ? MWI_MODE_MIXED_MASTER : MWI_MODE_MPI_MASTER;
}

enum mwi_mode mwi_role_mode(const mw_options *options, struct mwi_world world)
{
    bool is_auto = mwi_options_names_transport(options, "auto");
    bool is_mpi = mwi_options_names_transport(options, "mpi");
    bool is_slave = mwi_options_flag(options, MWI_OPTION_SLAVE);
    bool is_master = mwi_options_flag(options, MWI_OPTION_MASTER);
    if (is_slave && mwi_options_is_set(options, MWI_OPTION_CHANNEL))
        return MWI_MODE_CHANNEL_SLAVE;
    if (is_slave)
        return MWI_MODE_TCP_SLAVE;
    if (is_master || (!is_mpi && mwi_options_names_transport(options, "tcp")))
        return MWI_MODE_TCP_MASTER;
    if (mwi_options_is_set(options, MWI_OPTION_LOCAL))
        return MWI_MODE_LOCAL;
    if (is_mpi || (is_auto && world.size > 1))
        return world.rank == 0 ? mpi_master_mode(options) : MWI_MODE_MPI_SLAVE;
    return MWI_MODE_LOCAL;
}

enum mwi_mode mwi_role_mode_embedded(const mw_options *options, bool is_slave)
{
    size_t custom_count;
    mwi_options_transports(options, &custom_count);
    if (mwi_options_communicator(options) != NULL)
        return is_slave ? MWI_MODE_MPI_SLAVE : mpi_master_mode(options);
    return custom_count > 0 ? MWI_MODE_CUSTOM : mwi_role_mode(options, mwi_role_world(getenv));
}

mw_error mw_options_is_slave(mw_options *options, bool *is_slave)
{
    size_t custom_count;
    mw_error error = mwi_check_options(options);
    if (error != MW_OK)
        return error;
    if (mwi_options_communicator(options) != NULL)
        return mwi_options_fail(options, MW_ESTATE,
                                "rank %s of the MPI communicator is the master, its other ranks "
                                "are slaves: ask MPI for the rank",
                                mwi_options_master_rank(options));
    mwi_options_transports(options, &custom_count);
    *is_slave = custom_count > 0
                    ? mwi_options_flag(options, MWI_OPTION_SLAVE)
                    : mwi_role_is_slave(mwi_role_mode(options, mwi_role_world(getenv)));
    return MW_OK;
}

mw_error mwi_role_fail_slave(mw_options *options)
{
    struct mwi_world world = mwi_role_world(getenv);
    enum mwi_option_source source = mwi_options_source(options, MWI_OPTION_SLAVE);
    if (mwi_options_flag(options, MWI_OPTION_SLAVE))
        return mwi_options_fail(options, MW_EUSAGE,
                                "%s makes this process a slave: open it with mw_slave_open",
                                source == MWI_SOURCE_ENVIRONMENT ? "MW_SLAVE=1" : "--mw-slave");
    return mwi_options_fail(options, MW_EUSAGE,
                            "the MPI launcher makes this process rank %d of %d, which is a slave: "
                            "open it with mw_slave_open",
                            world.rank, world.size);
}

mw_error mwi_role_fail_master(mw_options *options)
{
    struct mwi_world world = mwi_role_world(getenv);
    if (world.size > 1 && mwi_role_mode(options, world) != MWI_MODE_LOCAL &&
        mwi_role_mode(options, world) != MWI_MODE_TCP_MASTER)
        return mwi_options_fail(options, MW_EUSAGE,
                                "the MPI launcher makes this process rank 0 of %d, which is the "
                                "master: open it with mw_master_open",
                                world.size);
    return mwi_options_fail(options, MW_EUSAGE,
                            "the options do not make this process a slave: set \"slave\"");
}

bool mwi_role_is_slave(enum mwi_mode mode)
{
    return mode == MWI_MODE_TCP_SLAVE || mode == MWI_MODE_CHANNEL_SLAVE ||
           mode == MWI_MODE_MPI_SLAVE;
}

const mw_algorithm *mwi_role_algorithms(const mw_program *program)
{
    static const mw_algorithm none = {0};
    return program->algorithms == NULL ? &none : program->algorithms;
}

mw_error mwi_role_check_program(const mw_program *program, mw_reason *why)
{
    const mw_algorithm *table = mwi_role_algorithms(program);
    for (size_t i = 0; table[i].name != NULL; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcmp(table[i].name, table[j].name) != 0)
                continue;
            snprintf(why->text, sizeof why->text,
                     "the task algorithm \"%.100s\" is in the program's table twice",
                     table[i].name);
            return MW_EINVAL;
        }
    }
    return MW_OK;
}
