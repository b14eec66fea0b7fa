/* SPDX-License-Identifier: Apache-2.0
 *
 * The slaves of a local farm, a chore of the loop: starts them, notices when one dies, and starts
 * another in its place. A place is given up when too many slaves in a row died in it without having
 * begun a task.
 */
#ifndef MWI_LOCAL_H
#define MWI_LOCAL_H

#include <mw/stats.h>

#include "loop/executable.h"
#include "loop/loop.h"
#include "options/settings.h"

/* How many replacements in a row a slave gets that never began a task. */
#define MWI_LOCAL_REPLACEMENTS_MAX 3

struct mwi_local;

/* Prepares the slaves that the settings ask for, which are copied, at *local; the executable is
 * borrowed until the chores are closed. Adds them to the chores of `loop`, which owns *local from
 * now on: mwi_chores_close waits for the slaves to end, kills those that do not, and frees *local.
 * The slaves' transport is number `index` of the loop. `has_own_process`: the process is the
 * farm's, as under mw_main, so that what slaves have started is ended with them. MW_ENOMEM;
 * MW_EUSAGE in a process that is itself a local slave. */
mw_error mwi_local_open(struct mwi_local **local, const struct mwi_local_settings *settings,
                        const struct mwi_executable *executable, struct mwi_loop *loop,
                        size_t index, bool has_own_process, mw_reason *why);

/* Starts them all. From now on dead ones are replaced; a slave that cannot be started is audited,
 * and tried again a little later. Errors: MW_EIO, MW_ENOMEM, MW_ENETWORK. */
mw_error mwi_local_start(struct mwi_local *local, mw_reason *why);

/* From now on no slave is started. */
void mwi_local_stop(struct mwi_local *local);

/* `peer` is no slave any more, for the reason `loss`. `was_useful`: it has returned a result, or
 * begun a task. If a task overran its time limit the process is killed at once. May be called from
 * an event; a peer that is no local slave is passed over. */
void mwi_local_lost(struct mwi_local *local, mw_peer peer, bool was_useful, mw_loss loss);

/* The connection of `peer` has ended, for this reason. True if it is a slave whose process is about
 * to end, too: a moment later mwi_loop_lose is called with the word of how it ended. */
bool mwi_local_withhold(struct mwi_local *local, mw_peer peer, const char *reason);

/* Whether `peer` is a slave whose process a signal has stopped, so that it does not compute however
 * long it takes. */
bool mwi_local_is_halted(struct mwi_local *local, mw_peer peer);

/* Whether every place is given up; then *why says what became of the last slave. */
bool mwi_local_is_exhausted(const struct mwi_local *local, mw_reason *why);

#endif
