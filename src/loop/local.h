/* SPDX-License-Identifier: Apache-2.0
 *
 * The slaves of a local farm: starts them, notices when one dies, and starts another in its place,
 * unless the place has lost too many in a row that were of no use: did not even get a task.
 */
#ifndef MWI_LOCAL_H
#define MWI_LOCAL_H

#include "loop/loop.h"
#include "options/settings.h"

/* So many replacements in a row a slave gets. */
#define MWI_LOCAL_REPLACEMENTS_MAX 3

struct mwi_local;

/* Prepares the slaves that the settings ask for, which are copied. Their transport is number
 * `index` of the loop, which is borrowed until close. MW_ENOMEM; MW_EUSAGE in a process that is
 * itself a local slave. */
mw_error mwi_local_open(struct mwi_local **local, const struct mwi_local_settings *settings,
                        struct mwi_loop *loop, size_t index, mw_reason *why);

/* Starts them all. Errors: MW_EIO, MW_ENOMEM, MW_ENETWORK. */
mw_error mwi_local_start(struct mwi_local *local, mw_reason *why);

/* Reaps those that have ended and starts others in their places. What cannot be started is audited,
 * and tried again a little later. Not from an event. */
void mwi_local_tend(struct mwi_local *local);

/* When it wants to be tended at the latest. */
int64_t mwi_local_deadline(const struct mwi_local *local);

/* The slave behind this peer is no slave any more; whether it was of use: it returned a result or
 * had a task. From an event. */
void mwi_local_lost(struct mwi_local *local, mw_peer peer, bool was_useful);

/* Every place is given up; *why says what became of the last. */
bool mwi_local_is_exhausted(const struct mwi_local *local, mw_reason *why);

/* Waits until deadline_ns for the slaves to end, kills those that do not, and frees. NULL is legal.
 */
void mwi_local_close(struct mwi_local *local, int64_t deadline_ns);

#endif
