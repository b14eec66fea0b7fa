/* SPDX-License-Identifier: Apache-2.0
 *
 * Goes on from a checkpoint that an earlier run has left.
 */
#ifndef MWI_JOURNAL_RESTORE_H
#define MWI_JOURNAL_RESTORE_H

#include "record/journal_take.h"

/* Goes on from the newest checkpoint that is whole; there must be one. Calls `take` with each
 * record TASKS and GONE of it, in their order, and forgets the results that belong to its state.
 * *state is the program's bytes, whose block is the caller's. Only before any result was taken.
 * Errors, with a sentence, after which nothing may be taken: MW_EIO, MW_ENOMEM. */
mw_error mwi_journal_restore(struct mwi_journal *journal,
                             bool (*take)(void *context, const struct mwi_journal_record *record),
                             void *context, struct mwi_journal_replay *state,
                             mw_reason *why) MW_USE_RESULT;

#endif
