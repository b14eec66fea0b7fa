/* SPDX-License-Identifier: Apache-2.0
 *
 * Tells the journal of a master what its tasks have returned and saved, and hands out what earlier
 * runs have recorded.
 */
#ifndef MWI_JOURNALING_H
#define MWI_JOURNALING_H

#include "engine/lifecycle.h"
#include "engine/master_state.h"

/* Records a result that the task is about to end with. Failures, and tasks whose results mean
 * nothing to another run, are not recorded. Only with a journal. */
void mwi_journaling_note_task(struct mwi_master_engine *engine, const struct mwi_task_entry *task,
                              const struct mwi_message_item *item);

/* The same for the range's next `count` tasks, whose results begin at the cursor. */
void mwi_journaling_note_range(struct mwi_master_engine *engine, const struct mwi_copy *range,
                               const struct mwi_message_cursor *cursor, uint32_t count);

/* Records a result of another run that a slave had kept, of the task of this key and of this id in
 * that run. */
void mwi_journaling_note_offered(struct mwi_master_engine *engine, struct mwi_digest key,
                                 uint64_t run, const struct mwi_message_item *item);

/* The tasks of the slave's copies from `link` on are going to be sent to it. Records their keys if
 * the slave may return; and those of them that may not run twice. If there are any of these,
 * messages to the slave are withheld until the record is durable. Only with a journal. */
void mwi_journaling_note_sent(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                              const struct mwi_list *link);

/* The slave gives its tasks back, and has begun none of them. Records those that may not run twice:
 * the next run may run them. Does nothing without a journal. */
void mwi_journaling_note_given_back(struct mwi_master_engine *engine,
                                    const struct mwi_slave_entry *slave);

/* Records the bytes that a task has saved. */
void mwi_journaling_note_saved(struct mwi_master_engine *engine, const struct mwi_task_entry *task,
                               const void *data, size_t size);

/* Whether a task that is submitted now may be more than a task that nobody has ever seen. */
bool mwi_journaling_has_replays(const struct mwi_master_engine *engine);

/* Enters a task as mwi_lifecycle_submit does. If an earlier run has recorded a result of the same
 * content, the task ends with it at once; if it has saved bytes, they are its. A task that may not
 * run twice, and that an earlier run has sent, is unrunnable. Another one that an earlier run has
 * sent, and whose slave may come back, is late. A record that cannot be read is passed over, with a
 * sentence in *why, which is empty otherwise. */
mw_error mwi_journaling_submit(struct mwi_master_engine *engine,
                               const struct mwi_lifecycle_task *submission, uint64_t *id,
                               mw_reason *why);

#endif
