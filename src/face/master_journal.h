/* SPDX-License-Identifier: Apache-2.0
 *
 * The journal of a master: opened with it, tended in each turn, and waited for at its end.
 */
#ifndef MWI_MASTER_JOURNAL_H
#define MWI_MASTER_JOURNAL_H

#include "engine/journaling.h"
#include "face/master.h"
#include "record/journal.h"

/* Opens the journal that the settings name, if they do; the loop has a transport, and the run its
 * number. Errors, with a sentence: those of mwi_journal_open. */
mw_error mwi_master_journal_open(mw_master *master, const struct mwi_journal_options *settings,
                                 mw_reason *why) MW_USE_RESULT;

/* Tells the trail of something in the journal that is not in order; the sentence is copied. */
void mwi_master_journal_audit(mw_master *master, const char *reason);

/* Tells a person what opening has found that was not in order. */
void mwi_master_journal_tell(const mw_master *master);

/* After each turn: what has come in it is to be written now. Notices a failure of the disk. */
void mwi_master_journal_tend(mw_master *master);

/* Serves the slaves until all that was recorded is durable. Errors: those of the disk, or of the
 * loop, with the sentence in master->error. */
mw_error mwi_master_journal_await(mw_master *master);

/* Frees it. It must not be used by the engine afterwards. */
void mwi_master_journal_close(mw_master *master);

/* Whether a task that is submitted now may have a result already. */
static inline bool mwi_master_journal_has_replays(const mw_master *master)
{
    return master->journal != NULL && mwi_journaling_has_replays(&master->engine);
}

/* Enters a task: as mwi_lifecycle_submit, but it may end at once with a recorded result. Sets
 * master->last_task. */
mw_error mwi_master_journal_submit(mw_master *master, const struct mwi_lifecycle_task *submission);

#endif
