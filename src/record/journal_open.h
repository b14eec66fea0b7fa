/* SPDX-License-Identifier: Apache-2.0
 *
 * Opens a journal, and tells what was found in it.
 */
#ifndef MWI_JOURNAL_OPEN_H
#define MWI_JOURNAL_OPEN_H

#include "record/journal.h"

struct mwi_journal_settings {
    const char *path;
    const struct mwi_disk_api *api;
    void *environment;   /* of the disk */
    int64_t sync_ns;     /* after this time bytes become durable, at the latest */
    bool is_accepted;    /* the file may be of another program */
    bool keeps_failures; /* recorded failures stand */
    struct mwi_journal_run run;
};

/* The findings of opening it. */
struct mwi_journal_findings {
    uint64_t runs_count, results_count; /* of earlier runs */
    uint64_t damages_count, damage;     /* the offset of the first */
    uint64_t torn_bytes, torn;          /* of an end that was not whole, and was cut off: from this
                                           offset on; 0: there was none */
    uint64_t file_bytes, dead_bytes;    /* how much is of no use any more, estimated */
    bool is_checkpoint_damaged;         /* the newest; an older one is used */
    mw_reason difference;               /* how the program differs from the file's, if it was
                                           accepted; "": it does not */
};

/* Opens the file, or makes it. All is borrowed for the call. Errors, with a sentence that names the
 * file: MW_ESTATE if another process has it; MW_EUSAGE if it is of another program; MW_EFORMAT
 * if it is no journal, or has no sound record; MW_EIO, MW_ENOMEM. After an error the file is as it
 * was. */
mw_error mwi_journal_open(struct mwi_journal **journal, const struct mwi_journal_settings *settings,
                          struct mwi_journal_findings *findings, mw_reason *why) MW_USE_RESULT;

#endif
