/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening and closing a master.
 */
#ifndef MWI_MASTER_OPEN_H
#define MWI_MASTER_OPEN_H

#include "face/master.h"

/* Opens a master, as mw_master_open, by its settings, which are borrowed for the call.
 * `has_signals` says that mwi_signals_install was called: a signal then ends the farm. *has_joined
 * is always set: whether the collective call of the communicator was made, and need not be made up
 * for. On failure the sentence is in *why. */
mw_error mwi_master_open(mw_master **master, const mw_program *program,
                         const struct mwi_master_settings *settings, bool has_signals,
                         bool *has_joined, mw_reason *why) MW_USE_RESULT;

/* As mw_master_open. `argc` and `argv` are for the algorithm of a slave that runs in this process;
 * they are borrowed until the master is closed. */
mw_error mwi_master_open_by_options(mw_master **master, const mw_program *program,
                                    mw_options *options, int argc, char **argv) MW_USE_RESULT;

/* `is_finished` says how the farm ended, for the resource file: whether well. `status` is the exit
 * status of the master, which becomes that of the MPI job if closing must end it. */
void mwi_master_close(mw_master *master, bool is_finished, int status);

#endif
