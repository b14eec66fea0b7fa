/* SPDX-License-Identifier: Apache-2.0
 *
 * The journal of a master: a file with the results of all runs of a program, by the contents of
 * their tasks. Opening it finds the results of earlier runs; they are read when they are asked for.
 * Results of this run are appended, and written in the background.
 */
#ifndef MWI_JOURNAL_H
#define MWI_JOURNAL_H

#include "base/block.h"
#include "record/journal_form.h"
#include "record/journal_items.h"

struct mwi_journal;

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
    uint64_t torn_bytes;                /* of an end that was not whole, and was cut off */
    uint64_t file_bytes, dead_bytes;    /* how much is of no use any more, estimated */
    bool is_checkpoint_damaged;         /* the newest; an older one is used */
    mw_reason difference;               /* how the program differs from the file's, if it was
                                           accepted; "": it does not */
};

/* Opens the file, or makes it. All is borrowed for the call. Errors, with a sentence that names the
 * file: MW_ESTATE if another process has it; MW_EUSAGE if it is of another program; MW_EFORMAT,
 * MW_EIO, MW_ENOMEM. */
mw_error mwi_journal_open(struct mwi_journal **journal, const struct mwi_journal_settings *settings,
                          struct mwi_journal_findings *findings, mw_reason *why) MW_USE_RESULT;

/* Frees all without waiting; bytes that are not durable yet may be lost. NULL is legal. */
void mwi_journal_close(struct mwi_journal *journal);

/* Appends a result of this run, or of another one that is named (an offered one). Copies. */
void mwi_journal_add_result(struct mwi_journal *journal, const char *algorithm,
                            const struct mwi_journal_result *result);

/* The same with a result of another run, which a slave had kept. */
void mwi_journal_add_result_of(struct mwi_journal *journal, uint64_t run, const char *algorithm,
                               const struct mwi_journal_result *result);

/* Whether an earlier run has recorded the result of this key, run and task. Also true if that
 * cannot be found out: a result must not be recorded twice. */
bool mwi_journal_knows(struct mwi_journal *journal, struct mwi_digest key, uint64_t run,
                       uint64_t id);

/* Tasks of these keys are sent to a slave that may return. */
void mwi_journal_add_sent(struct mwi_journal *journal, const struct mwi_digest *keys, size_t count);

/* Whether an earlier run has sent a task of this key, and no run has recorded its result. Each such
 * task is reported once. */
bool mwi_journal_take_sent(struct mwi_journal *journal, struct mwi_digest key);

/* Whether there are such tasks. */
bool mwi_journal_has_sent(const struct mwi_journal *journal);

/* The end of all that was appended: wait for it by mwi_journal_is_durable. */
uint64_t mwi_journal_mark(struct mwi_journal *journal);

/* Appends that a task of this run, which may not run twice, is going to be sent. */
void mwi_journal_add_begun(struct mwi_journal *journal, struct mwi_digest key, uint64_t id);

/* Whether an earlier run has appended that of a task of this key which has no result; takes one. */
bool mwi_journal_take_begun(struct mwi_journal *journal, struct mwi_digest key);

/* Appends the bytes that a task of this run has saved. Copies. */
void mwi_journal_add_saved(struct mwi_journal *journal, struct mwi_digest key, uint64_t id,
                           const void *data, size_t size);

/* Appends a record of another kind. Copies. */
void mwi_journal_add(struct mwi_journal *journal, enum mwi_journal_kind kind,
                     const struct mwi_journal_piece *pieces, size_t count);

/* Lets all that was appended be written now, and become durable in time. Costs little if nothing
 * was. To be called at the end of each turn. */
void mwi_journal_flush(struct mwi_journal *journal);

/* Whether the disk has fallen behind by so much, at the last flush, that the memory that it takes
 * must be bounded: no results should be asked for until it has caught up. */
bool mwi_journal_is_behind(const struct mwi_journal *journal);

/* The same as flush, and all is to become durable as soon as possible. Returns a mark for
 * is_durable. */
uint64_t mwi_journal_hurry(struct mwi_journal *journal);

/* Whether mwi_journal_status must be asked although the descriptor says nothing: memory has run out
 * for a record, or the disk has told of a failure already. Nothing counts as durable then. */
bool mwi_journal_is_broken(const struct mwi_journal *journal);

/* Whether all that was appended before the mark was given is durable. False once the disk has
 * failed: what was appended since may be missing. */
bool mwi_journal_is_durable(struct mwi_journal *journal, uint64_t mark);

/* MW_OK, or why nothing is recorded any more, with the sentence in *why; see mwi_disk_api.done. */
mw_error mwi_journal_status(struct mwi_journal *journal, mw_reason *why);

/* See mwi_disk_api.descriptor. */
int mwi_journal_descriptor(const struct mwi_journal *journal);

/* A result of an earlier run. */
struct mwi_journal_replay {
    uint64_t duration_ns;
    uint8_t form;
    unsigned char *data; /* in the block */
    size_t size;
    struct mwi_block *block; /* with a reference, which is the caller's */
};

/* Ends the records of a checkpoint, which were added before, with the program's bytes. It is whole
 * when they are durable. Copies. */
void mwi_journal_add_state(struct mwi_journal *journal, const void *data, size_t size);

/* A result of an earlier run, which a slave had kept and was appended, has ended a task: the next
 * checkpoint has it. */
void mwi_journal_note_used(struct mwi_journal *journal, struct mwi_digest key);

/* Whether an earlier run has left a checkpoint that is whole. */
bool mwi_journal_has_checkpoint(const struct mwi_journal *journal);

/* Goes on from that checkpoint: calls `take` with each record TASKS and GONE of it, in their order,
 * and forgets the results that belong to its state. *state is the program's bytes, whose block is
 * the caller's. Only before any result was taken. Errors, with a sentence, after which nothing may
 * be taken: MW_EIO, MW_ENOMEM. */
mw_error mwi_journal_restore(struct mwi_journal *journal,
                             bool (*take)(void *context, const struct mwi_journal_record *record),
                             void *context, struct mwi_journal_replay *state,
                             mw_reason *why) MW_USE_RESULT;

/* Whether results of earlier runs were not taken yet, or saved bytes. */
bool mwi_journal_has_replays(const struct mwi_journal *journal);

/* Takes the next result of this key. MW_OK; MW_ESTATE: there is none; MW_EIO, MW_ENOMEM with a
 * sentence: it cannot be read. */
mw_error mwi_journal_take(struct mwi_journal *journal, struct mwi_digest key,
                          struct mwi_journal_replay *replay, mw_reason *why) MW_USE_RESULT;

/* The same with the bytes that a task of this key has saved last, whose result is not there. */
mw_error mwi_journal_take_saved(struct mwi_journal *journal, struct mwi_digest key,
                                struct mwi_journal_replay *replay, mw_reason *why) MW_USE_RESULT;

#endif
