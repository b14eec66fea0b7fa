/* SPDX-License-Identifier: Apache-2.0
 *
 * The journal of a master: a file with the results of all runs of a program, by the contents of
 * their tasks. journal_open.h opens it. Results of this run are appended here, and written in the
 * background. Those of earlier runs are taken by journal_take.h, checkpoints by journal_restore.h.
 */
#ifndef MWI_JOURNAL_H
#define MWI_JOURNAL_H

#include "record/journal_form.h"
#include "record/journal_items.h"

struct mwi_journal;

/* Frees all without waiting; bytes that are not durable yet may be lost. NULL is legal. */
void mwi_journal_close(struct mwi_journal *journal);

/* Appends a result of this run, or of another one that is named (an offered one). Copies. */
void mwi_journal_add_result(struct mwi_journal *journal, const char *algorithm,
                            const struct mwi_journal_result *result);

/* The same with a result of another run, which a slave had kept. */
void mwi_journal_add_result_of(struct mwi_journal *journal, uint64_t run, const char *algorithm,
                               const struct mwi_journal_result *result);

/* Tasks of these keys are sent to a slave that may return. */
void mwi_journal_add_sent(struct mwi_journal *journal, const struct mwi_digest *keys, size_t count);

/* Whether there are tasks that an earlier run has sent, and no run has recorded their results. */
bool mwi_journal_has_sent(const struct mwi_journal *journal);

/* The end of all that was appended: wait for it by mwi_journal_is_durable. */
uint64_t mwi_journal_mark(struct mwi_journal *journal);

/* Appends that a task of this run, which may not run twice, is going to be sent. */
void mwi_journal_add_begun(struct mwi_journal *journal, struct mwi_digest key, uint64_t id);

/* Appends that the task was given back by its slave, which has not begun it. */
void mwi_journal_add_unbegun(struct mwi_journal *journal, struct mwi_digest key, uint64_t id);

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

/* Ends the records of a checkpoint, which were added before, with the program's bytes. It is whole
 * when they are durable. Copies. */
void mwi_journal_add_state(struct mwi_journal *journal, const void *data, size_t size);

/* A result of an earlier run, which a slave had kept and was appended, has ended a task: the next
 * checkpoint has it. */
void mwi_journal_note_used(struct mwi_journal *journal, struct mwi_digest key);

/* Whether an earlier run has left a checkpoint that is whole. */
bool mwi_journal_has_checkpoint(const struct mwi_journal *journal);

/* Whether results of earlier runs were not taken yet, or saved bytes. */
bool mwi_journal_has_replays(const struct mwi_journal *journal);

#endif
