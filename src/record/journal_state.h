/* SPDX-License-Identifier: Apache-2.0
 *
 * The state of an open journal. Only record/journal, journal_open, journal_take and journal_restore
 * include this header; all others see the functions of those rooms.
 */
#ifndef MWI_JOURNAL_STATE_H
#define MWI_JOURNAL_STATE_H

#include "base/map.h"
#include "record/checkpoint_log.h"
#include "record/journal_form.h"
#include "record/journal_index.h"
#include "record/journal_items.h"

struct mwi_journal {
    const struct mwi_disk_api *api;
    void *disk;
    char *path;
    uint64_t file_id, run;
    int64_t sync_ns;
    struct mwi_journal_writer writer;
    struct mwi_buffer gathered; /* the body of a record of results; empty: none was begun */
    const char *gathered_algorithm;
    uint64_t gathered_run;
    size_t gathered_count;
    struct mwi_buffer head;           /* of the record at work */
    bool has_unflushed;               /* something was appended since the last flush */
    bool is_behind;                   /* at the last flush */
    uint64_t durable_bytes;           /* at least, see note_behind */
    bool has_lost_disk;               /* the disk has told that it has failed */
    struct mwi_journal_index results; /* of earlier runs */
    struct mwi_journal_index saved;
    struct mwi_journal_index begun; /* tasks that may not run twice, and may have run */
    struct mwi_map sent; /* how many tasks were sent and have no result, by a part of their key */
    struct mwi_buffer known; /* struct mwi_journal_known: of results that a rewrite has left out */
    struct mwi_checkpoint_log checkpoints; /* of earlier runs */
    uint64_t restored;                     /* the STATE that this run has gone on from; 0: none */
    uint64_t checkpoint_records_count;     /* of this run */
    bool has_noted_taken;                  /* there was a checkpoint in this run */
    struct mwi_buffer taken; /* the keys of results that were taken since the last one */
    struct mwi_journal_reader reader;
    uint64_t loaded; /* the offset of the record that is in the reader; 0: none */
    struct mwi_journal_record record;
    /* Stands in the record at offset `walked`, at the result of number `place`: those of a record
     * are asked for one after the other as a rule. */
    struct mwi_journal_cursor results_cursor;
    uint64_t walked;
    size_t place;
};

#endif
