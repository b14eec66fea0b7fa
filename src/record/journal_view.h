/* SPDX-License-Identifier: Apache-2.0
 *
 * A journal file that is only looked at, also while a master writes to it: the file is neither
 * locked nor changed.
 */
#ifndef MWI_JOURNAL_VIEW_H
#define MWI_JOURNAL_VIEW_H

#include "record/journal_form.h"
#include "record/journal_items.h"

struct mwi_journal_view {
    void *disk;
    uint64_t file_id;
    struct mwi_journal_reader reader;
};

/* Opens the file at `path`. MW_EIO, MW_EFORMAT if it is no journal, or MW_ENOMEM, with a sentence
 * that names the file; then nothing is to be closed. */
mw_error mwi_journal_view_open(struct mwi_journal_view *view, const char *path,
                               mw_reason *why) MW_USE_RESULT;
void mwi_journal_view_close(struct mwi_journal_view *view);

/* The last run that the file has; false if there is none, or it cannot be read. *run borrows from
 * *body, which is the caller's. */
bool mwi_journal_view_last_run(const char *path, struct mwi_journal_run *run,
                               struct mwi_buffer *body);

#endif
