/* SPDX-License-Identifier: Apache-2.0
 *
 * A journal file that is only looked at, also while a master writes to it: the file is neither
 * locked nor changed.
 */
#ifndef MWI_JOURNAL_VIEW_H
#define MWI_JOURNAL_VIEW_H

#include "record/journal_form.h"

struct journal_view {
    void *disk;
    uint64_t file_id;
    struct mwi_journal_reader reader;
};

/* Opens the file at `path`. MW_EIO, MW_EFORMAT if it is no journal, or MW_ENOMEM, with a sentence
 * that names the file; then nothing is to be closed. */
mw_error journal_view_open(struct journal_view *view, const char *path,
                           mw_reason *why) MW_USE_RESULT;
void journal_view_close(struct journal_view *view);

#endif
