/* SPDX-License-Identifier: Apache-2.0
 *
 * Decides which part a process plays in a farm, from its options, its launcher and its rank. The
 * functions here change nothing.
 */
#ifndef MWI_ROLE_H
#define MWI_ROLE_H

#include "options/launcher.h"
#include "options/options.h"

enum mwi_mode {
    MWI_MODE_LOCAL,        /* master, starts its slaves itself */
    MWI_MODE_SERIAL,       /* master, whose only slave runs in its own process */
    MWI_MODE_SERIAL_SLAVE, /* that slave; no process has this mode alone */
    MWI_MODE_TCP_MASTER,
    MWI_MODE_TCP_SLAVE,
    MWI_MODE_CHANNEL_SLAVE, /* started by a local master */
    MWI_MODE_RANK,          /* of an MPI job: MPI is to be asked which of the next three it is */
    MWI_MODE_MPI_MASTER,
    MWI_MODE_MPI_SLAVE,
    MWI_MODE_MIXED_MASTER, /* MPI master that listens for TCP slaves too */
    MWI_MODE_CUSTOM        /* transports of mw_options_use_transport */
};

/* The mode of a program that mw_main runs. mwi_check_options must have accepted the options; this
 * holds for the functions below, too. */
enum mwi_mode mwi_role_mode(const mw_options *options, struct mwi_launch launch);

/* The mode of a process in MWI_MODE_RANK, once its rank is known. `size` is the number of ranks; 0:
 * not known. A rank that is alone runs its slave itself, unless slaves can join it over TCP. */
enum mwi_mode mwi_role_mode_of_rank(const mw_options *options, int rank, int size);

/* Whether the process is to be a local farm although its mode is MWI_MODE_RANK. It is, if neither
 * the options nor the launcher say that there are other processes, and MPI has found only this one.
 * `size` is the number of processes that MPI has found. */
bool mwi_role_is_alone(const mw_options *options, struct mwi_launch launch, int size);

/* The mode of a master or slave that the program opens itself; is_slave says which. The mode may
 * contradict is_slave: then the caller fails with one of the two functions below. */
enum mwi_mode mwi_role_mode_embedded(const mw_options *options, struct mwi_launch launch,
                                     bool is_slave);

bool mwi_role_is_slave(enum mwi_mode mode);

/* Whether the process listens for others, or connects to another, over TCP. */
bool mwi_role_is_on_network(enum mwi_mode mode);

/* For a program that opens a master in a process that is a slave, and the reverse: MW_EUSAGE with a
 * sentence that says which option, or the launcher, makes the process a slave (or a master). */
mw_error mwi_role_fail_slave(const mw_options *options, struct mwi_launch launch, mw_reason *why);
mw_error mwi_role_fail_master(const mw_options *options, struct mwi_launch launch, mw_reason *why);

#endif
