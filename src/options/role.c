/* SPDX-License-Identifier: Apache-2.0
 *
 * Decides the mode of a process. --mw-slave, --mw-master and --mw-local decide if one of them is
 * set, otherwise --mw-transport. If that is "auto", the launcher decides. A launcher says only that
 * there are several processes; MPI says which of them is the master. The public functions of face/
 * call this before they read settings.
 *
 * Invariant: check.c has refused or unset contradictory options before, so mwi_role_mode always
 * finds a mode.
 *
 * To add a mode, add an enumerator in role.h, a condition in mwi_role_mode, and its settings in
 * settings.c.
 */
#include "options/role.h"

#include <stdio.h>

/* The mode of rank 0. "tcp" without "mpi" is no mixed master: with a communicator, check.c lets
 * that pass only from the environment, where it is meant for other programs. */
static enum mwi_mode mpi_master_mode(const mw_options *options)
{
    bool is_mixed =
        mwi_options_names_transport(options, "mpi") && mwi_options_names_transport(options, "tcp");
    return is_mixed ? MWI_MODE_MIXED_MASTER : MWI_MODE_MPI_MASTER;
}

enum mwi_mode mwi_role_mode(const mw_options *options, struct mwi_launch launch)
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
    return is_mpi || (is_auto && launch.size != 1) ? MWI_MODE_RANK : MWI_MODE_LOCAL;
}

enum mwi_mode mwi_role_mode_of_rank(const mw_options *options, int rank, int size)
{
    if (rank != 0)
        return MWI_MODE_MPI_SLAVE;
    enum mwi_mode mode = mpi_master_mode(options);
    return size == 1 && mode == MWI_MODE_MPI_MASTER ? MWI_MODE_SERIAL : mode;
}

bool mwi_role_is_alone(const mw_options *options, struct mwi_launch launch, int size)
{
    return size == 1 && launch.size < 2 && launch.rank < 1 &&
           mwi_options_names_transport(options, "auto");
}

/* Guesses the mode before MPI has started. The launcher knows the rank; if it does not, the
 * function that the program called says whether the process is the master or a slave. */
static enum mwi_mode guess_rank(const mw_options *options, struct mwi_launch launch, bool is_slave)
{
    int rank = is_slave ? 1 : 0;
    return mwi_role_mode_of_rank(options, launch.rank >= 0 ? launch.rank : rank, 0);
}

enum mwi_mode mwi_role_mode_embedded(const mw_options *options, struct mwi_launch launch,
                                     bool is_slave)
{
    size_t custom_count;
    mwi_options_transports(options, &custom_count);
    if (mwi_options_communicator(options) != NULL)
        return mwi_role_mode_of_rank(options, is_slave ? 1 : 0,
                                     mwi_options_is_alone(options) ? 1 : 0);
    if (custom_count > 0)
        return MWI_MODE_CUSTOM;
    enum mwi_mode mode = mwi_role_mode(options, launch);
    return mode == MWI_MODE_RANK ? guess_rank(options, launch, is_slave) : mode;
}

bool mwi_role_is_slave(enum mwi_mode mode)
{
    return mode == MWI_MODE_TCP_SLAVE || mode == MWI_MODE_CHANNEL_SLAVE ||
           mode == MWI_MODE_MPI_SLAVE || mode == MWI_MODE_SERIAL_SLAVE;
}

bool mwi_role_is_on_network(enum mwi_mode mode)
{
    return mode == MWI_MODE_TCP_MASTER || mode == MWI_MODE_MIXED_MASTER ||
           mode == MWI_MODE_TCP_SLAVE;
}

mw_error mwi_role_fail_slave(const mw_options *options, struct mwi_launch launch, mw_reason *why)
{
    enum mwi_option_source source = mwi_options_source(options, MWI_OPTION_SLAVE);
    if (mwi_options_flag(options, MWI_OPTION_SLAVE))
        snprintf(why->text, sizeof why->text,
                 "%s makes this process a slave: open it with mw_slave_open",
                 source == MWI_SOURCE_ENVIRONMENT ? "MW_SLAVE=1" : "--mw-slave");
    else
        snprintf(why->text, sizeof why->text,
                 "%s makes this process rank %d, which is a slave: open it with mw_slave_open",
                 launch.name, launch.rank);
    return MW_EUSAGE;
}

mw_error mwi_role_fail_master(const mw_options *options, struct mwi_launch launch, mw_reason *why)
{
    enum mwi_mode mode = mwi_role_mode(options, launch);
    if (launch.size != 1 && mode == MWI_MODE_RANK)
        snprintf(why->text, sizeof why->text,
                 "%s makes this process rank 0, which is the master: open it with mw_master_open",
                 launch.name);
    else
        snprintf(why->text, sizeof why->text,
                 "the options do not make this process a slave: set \"slave\"");
    return MW_EUSAGE;
}
