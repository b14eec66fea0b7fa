/* SPDX-License-Identifier: Apache-2.0
 *
 * Decides which part a process plays in a farm, from its options and from the variables that an MPI
 * launcher set in its environment. The functions here change nothing, and the caller hands the
 * environment in.
 */
#ifndef MWI_ROLE_H
#define MWI_ROLE_H

#include "options/options.h"

enum mwi_mode {
    MWI_MODE_LOCAL,        /* master, starts its slaves itself */
    MWI_MODE_SERIAL,       /* master, whose only slave runs in its own process */
    MWI_MODE_SERIAL_SLAVE, /* that slave; no process has this mode alone */
    MWI_MODE_TCP_MASTER,
    MWI_MODE_TCP_SLAVE,
    MWI_MODE_CHANNEL_SLAVE, /* started by a local master */
    MWI_MODE_MPI_MASTER,
    MWI_MODE_MPI_SLAVE,
    MWI_MODE_MIXED_MASTER, /* MPI master that listens for TCP slaves too */
    MWI_MODE_CUSTOM        /* transports of mw_options_use_transport */
};

/* The MPI job around this process: how many processes it has, and the number of this one. Without
 * an MPI launcher 1 and 0. */
struct mwi_world {
    int size;
    int rank;
};

/* Reads OMPI_COMM_WORLD_SIZE and _RANK (Open MPI's mpirun), else PMIX_RANK with
 * SLURM_STEP_NUM_TASKS (srun --mpi=pmix). `get` is getenv, or a test's. */
struct mwi_world mwi_role_world(char *(*get)(const char *name));

/* The mode of a program that mw_main runs. mwi_check_options must have accepted the options; this
 * holds for the function below, too. */
enum mwi_mode mwi_role_mode(const mw_options *options, struct mwi_world world);

/* The mode of a master or slave that the user opens, as he says which. It may contradict is_slave:
 * then the caller fails with one of the two functions below. */
enum mwi_mode mwi_role_mode_embedded(const mw_options *options, struct mwi_world world,
                                     bool is_slave);

bool mwi_role_is_slave(enum mwi_mode mode);

/* For a program that opens a master in a process that is a slave, and the reverse: MW_EUSAGE with a
 * sentence that says which option, or the launcher, makes the process a slave (or a master). */
mw_error mwi_role_fail_slave(const mw_options *options, struct mwi_world world, mw_reason *why);
mw_error mwi_role_fail_master(const mw_options *options, struct mwi_world world, mw_reason *why);

#endif
