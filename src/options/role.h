/* SPDX-License-Identifier: Apache-2.0
 *
 * What a process is to be: decided from its options and from what an MPI launcher left in its
 * environment. Pure but for reading the environment.
 */
#ifndef MWI_ROLE_H
#define MWI_ROLE_H

#include "options/options.h"

enum mwi_mode {
    MWI_MODE_LOCAL, /* master, starts its slaves itself */
    MWI_MODE_TCP_MASTER,
    MWI_MODE_TCP_SLAVE,
    MWI_MODE_CHANNEL_SLAVE, /* started by a local master */
    MWI_MODE_MPI_MASTER,
    MWI_MODE_MPI_SLAVE,
    MWI_MODE_MIXED_MASTER, /* MPI master that listens for TCP slaves too */
    MWI_MODE_CUSTOM        /* transports of mw_options_use_transport */
};

/* What an MPI launcher said: processes in the job and which of them this is; 1 and 0 without one.
 */
struct mwi_world {
    int size;
    int rank;
};

/* Reads OMPI_COMM_WORLD_SIZE and _RANK (Open MPI's mpirun), else PMIX_RANK with
 * SLURM_STEP_NUM_TASKS (srun --mpi=pmix). `get` is getenv, or a test's. */
struct mwi_world mwi_role_world(char *(*get)(const char *name));

/* What the options say for a program that is started as a whole. */
enum mwi_mode mwi_role_mode(const mw_options *options, struct mwi_world world);

/* What they say for a master (or slave) that the user opens himself. */
enum mwi_mode mwi_role_mode_embedded(const mw_options *options, bool is_slave);

bool mwi_role_is_slave(enum mwi_mode mode);

/* MW_EUSAGE with a sentence that says which option, or the launcher, makes this process a slave
 * (or master), for a program that opens the other. */
mw_error mwi_role_fail_slave(mw_options *options);
mw_error mwi_role_fail_master(mw_options *options);

/* The program's table of algorithms, an empty one if it has none. */
const mw_algorithm *mwi_role_algorithms(const mw_program *program);

/* MW_EINVAL with a sentence for a table that has a name twice. */
mw_error mwi_role_check_program(const mw_program *program, mw_reason *why);

/* Everything that mw_main knows and an embedder need not say. */
struct mwi_launch {
    enum mwi_mode mode;
    struct mwi_world world;
    int argc; /* the user's arguments, handed on to local slaves; argv[0] first */
    char **argv;
    int wake_fd; /* readable once a signal came; -1: signals are not ours */
    /* Set by opening: a collective call of the communicator was made, and need not be made up for.
     */
    bool has_joined;
};

#endif
