/* SPDX-License-Identifier: Apache-2.0
 *
 * Takes what earlier runs have left in a journal, by the contents of tasks.
 */
#ifndef MWI_JOURNAL_TAKE_H
#define MWI_JOURNAL_TAKE_H

#include "base/block.h"
#include "record/journal.h"

/* A result of an earlier run. */
struct mwi_journal_replay {
    uint64_t duration_ns;
    uint8_t form;
    unsigned char *data; /* in the block */
    size_t size;
    struct mwi_block *block; /* with a reference, which is the caller's */
};

/* Takes the next result of this key. MW_OK; MW_ESTATE: there is none; MW_EIO, MW_ENOMEM with a
 * sentence: it cannot be read. */
mw_error mwi_journal_take(struct mwi_journal *journal, struct mwi_digest key,
                          struct mwi_journal_replay *replay, mw_reason *why) MW_USE_RESULT;

/* The same with the bytes that a task of this key has saved last, whose result is not there. */
mw_error mwi_journal_take_saved(struct mwi_journal *journal, struct mwi_digest key,
                                struct mwi_journal_replay *replay, mw_reason *why) MW_USE_RESULT;

/* Sets the data, the size and the block of *replay to a copy of these bytes. MW_ENOMEM, with a
 * sentence. */
mw_error mwi_journal_copy_replay(struct mwi_journal_replay *replay, const unsigned char *data,
                                 size_t size, mw_reason *why) MW_USE_RESULT;

/* Whether an earlier run has recorded the result of this key, run and task. Also true if that
 * cannot be found out: a result must not be recorded twice. */
bool mwi_journal_knows(struct mwi_journal *journal, struct mwi_digest key, uint64_t run,
                       uint64_t id);

/* Whether an earlier run has sent a task of this key, and no run has recorded its result. Each such
 * task is reported once. */
bool mwi_journal_take_sent(struct mwi_journal *journal, struct mwi_digest key);

/* Whether an earlier run has appended that a task of this key, which may not run twice and has no
 * result, was going to be sent; takes one. */
bool mwi_journal_take_begun(struct mwi_journal *journal, struct mwi_digest key);

#endif
