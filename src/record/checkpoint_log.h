/* SPDX-License-Identifier: Apache-2.0
 *
 * Which checkpoints a journal has, and which results they have made useless. It is told of all
 * records of a file in their order, by record/journal_open and record/journal_compact. These ask it
 * then, and so does record/journal_restore.
 */
#ifndef MWI_CHECKPOINT_LOG_H
#define MWI_CHECKPOINT_LOG_H

#include "record/journal_form.h"

/* A run of the program, and its last checkpoint that is whole. No record begins at offset 0, where
 * the head of the file is. */
struct mwi_checkpoint_run {
    uint64_t begin, number;
    uint64_t state;    /* where its record STATE is; 0: there is none */
    uint64_t restored; /* the STATE of an earlier run that this run has gone on from; 0: none */
    uint64_t records_count;
    bool has_damaged; /* a later one is not whole */
    bool is_usable;   /* it has a checkpoint, and so has each run that this one builds on */
    bool is_in_chain; /* the newest usable checkpoint is of this run, or builds on it */
};

/* All zero at first. */
struct mwi_checkpoint_log {
    struct mwi_checkpoint_run *runs;
    size_t count, capacity;
    /* Records in which a run has results of another one. They are sorted, since they are noted in
     * the order of the file, and they are searched by bisection. */
    uint64_t *foreign;
    size_t foreign_count, foreign_capacity;
    bool has_lost_run;                       /* the last run's own record may be damaged */
    uint64_t lost_state;                     /* the last STATE of such a run; 0: none */
    const struct mwi_checkpoint_run *newest; /* see mwi_checkpoint_log_newest; NULL until sealed */
};

void mwi_checkpoint_log_fini(struct mwi_checkpoint_log *log);

/* The run of this number begins with the record at `offset`. False out of memory. */
bool mwi_checkpoint_log_note_run(struct mwi_checkpoint_log *log, uint64_t offset, uint64_t number);

/* Something is damaged from this offset on. */
void mwi_checkpoint_log_note_damage(struct mwi_checkpoint_log *log, uint64_t offset);

/* A record TASKS, GONE, TAKEN or STATE, which belongs to a checkpoint of the last run. */
void mwi_checkpoint_log_note_record(struct mwi_checkpoint_log *log,
                                    const struct mwi_journal_record *record);

/* The record at `offset` has results of tasks of the run of this number. False out of memory. */
bool mwi_checkpoint_log_note_results(struct mwi_checkpoint_log *log, uint64_t offset, uint64_t run);

/* All records were noted: finds the newest checkpoint, which the functions that follow tell of. */
void mwi_checkpoint_log_seal(struct mwi_checkpoint_log *log);

/* The run with the newest whole checkpoint whose own beginnings are there, too; NULL if there is
 * none. */
const struct mwi_checkpoint_run *mwi_checkpoint_log_newest(const struct mwi_checkpoint_log *log);

/* Whether a checkpoint that is newer than that is not whole. */
bool mwi_checkpoint_log_is_damaged(const struct mwi_checkpoint_log *log);

/* Whether the results of the record at `offset` belong to the state of the newest checkpoint. */
bool mwi_checkpoint_log_is_absorbed(const struct mwi_checkpoint_log *log, uint64_t offset);

/* The head of a record STATE, behind which the program's bytes follow: how many records belong to
 * the checkpoint, and the STATE that the run has gone on from. */
#define MWI_CHECKPOINT_HEAD_BYTES 16
void mwi_checkpoint_log_write_head(unsigned char head[MWI_CHECKPOINT_HEAD_BYTES],
                                   uint64_t records_count, uint64_t restored);

#endif
