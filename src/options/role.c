/* SPDX-License-Identifier: Apache-2.0
 *
 * Decides the mode of a process. The flags --mw-master, --mw-slave and --mw-local win over
 * --mw-transport, and that wins over the guess from the MPI launcher. The public functions of face/
 * call this before they read settings.
 *
 * Invariants: check.c has refused contradictory options before, so mwi_role_mode always finds a
 * mode; the environment is read through `get` alone, so that a test can make it up.
 *
 * To add a mode, add an enumerator in role.h, a test in mwi_role_mode, and its settings in
 * settings.c.
 */
#include "options/role.h"

#include <stdio.h>
#include <stdlib.h>

/* The number in the text; `otherwise` if it is no number or out of range. */
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

/* With a communicator, "tcp" alone comes from the environment and is meant for other programs. */
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
        return mwi_options_integer(options, MWI_OPTION_LOCAL) == 0 ? MWI_MODE_SERIAL
                                                                   : MWI_MODE_LOCAL;
    if (is_mpi || (is_auto && world.size > 1))
        return world.rank == 0 ? mpi_master_mode(options) : MWI_MODE_MPI_SLAVE;
    return MWI_MODE_LOCAL;
}

enum mwi_mode mwi_role_mode_embedded(const mw_options *options, struct mwi_world world,
                                     bool is_slave)
{
    size_t custom_count;
    mwi_options_transports(options, &custom_count);
    if (mwi_options_communicator(options) != NULL)
        return is_slave ? MWI_MODE_MPI_SLAVE : mpi_master_mode(options);
    return custom_count > 0 ? MWI_MODE_CUSTOM : mwi_role_mode(options, world);
}

bool mwi_role_is_slave(enum mwi_mode mode)
{
    return mode == MWI_MODE_TCP_SLAVE || mode == MWI_MODE_CHANNEL_SLAVE ||
           mode == MWI_MODE_MPI_SLAVE || mode == MWI_MODE_SERIAL_SLAVE;
}

mw_error mwi_role_fail_slave(const mw_options *options, struct mwi_world world, mw_reason *why)
{
    enum mwi_option_source source = mwi_options_source(options, MWI_OPTION_SLAVE);
    if (mwi_options_flag(options, MWI_OPTION_SLAVE))
        snprintf(why->text, sizeof why->text,
                 "%s makes this process a slave: open it with mw_slave_open",
                 source == MWI_SOURCE_ENVIRONMENT ? "MW_SLAVE=1" : "--mw-slave");
    else
        snprintf(why->text, sizeof why->text,
                 "the MPI launcher makes this process rank %d of %d, which is a slave: open it "
                 "with mw_slave_open",
                 world.rank, world.size);
    return MW_EUSAGE;
}

mw_error mwi_role_fail_master(const mw_options *options, struct mwi_world world, mw_reason *why)
{
    enum mwi_mode mode = mwi_role_mode(options, world);
    if (world.size > 1 && mode != MWI_MODE_LOCAL && mode != MWI_MODE_SERIAL &&
        mode != MWI_MODE_TCP_MASTER)
        snprintf(why->text, sizeof why->text,
                 "the MPI launcher makes this process rank 0 of %d, which is the master: open it "
                 "with mw_master_open",
                 world.size);
    else
        snprintf(why->text, sizeof why->text,
                 "the options do not make this process a slave: set \"slave\"");
    return MW_EUSAGE;
}
