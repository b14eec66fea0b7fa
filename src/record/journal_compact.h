/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes a journal anew without what is of no use any more: results that belong to the state of the
 * newest checkpoint, the records of earlier checkpoints, bytes that a task has saved before others,
 * or whose result is there, and what damage has left.
 */
#ifndef MWI_JOURNAL_COMPACT_H
#define MWI_JOURNAL_COMPACT_H

#include <stdbool.h>
#include <stdint.h>

#include <mw/error.h>

struct mwi_journal_compaction {
    uint64_t before_bytes, after_bytes;
    uint64_t damages_count; /* places that could not be read */
};

/* Writes the journal at `path` anew: into a file beside it whose name ends in ".new", which then
 * takes its place. At each moment one of them is whole and durable under the name. Waits for the
 * disk. `keeps_failures` is as in struct mwi_journal_settings. Errors, with a sentence that names
 * the file, after which the journal is as it was: MW_ESTATE if another process has it; MW_EFORMAT
 * if it is no journal, or its newest checkpoint is damaged; MW_EIO, MW_ENOMEM. */
mw_error mwi_journal_compact(const char *path, bool keeps_failures,
                             struct mwi_journal_compaction *outcome, mw_reason *why) MW_USE_RESULT;

#endif
