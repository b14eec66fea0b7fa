/* SPDX-License-Identifier: Apache-2.0
 *
 * The end of tasks: with the result that a slave returns, or as failed, since no slave can run
 * them.
 */
#ifndef MWI_TASK_ENDS_H
#define MWI_TASK_ENDS_H

#include "engine/master_state.h"

/* Records in the trail that a task failed with this text of its algorithm. */
void mwi_task_ends_audit_failure(struct mwi_master_engine *engine,
                                 const struct mwi_slave_entry *slave,
                                 const struct mwi_task_entry *task, const struct mwi_payload *text);

/* A slave returns a task, and the copy is gone: the task ends with this result, unless the result
 * is not wanted any more. `block` gets another reference if the result is kept. False out of
 * memory, with nothing changed. */
bool mwi_task_ends_finish_copy(struct mwi_master_engine *engine, struct mwi_copy *copy,
                               struct mwi_block *block, const struct mwi_message_item *item);

/* The same for as many of the range's next tasks as the next results of the message are for, as
 * long as they are done and can be read. Moves the cursor, adds to *ran_ns how long the tasks ran,
 * and returns how many they are. 0: the next result is another, or out of memory. */
uint32_t mwi_task_ends_finish_range(struct mwi_master_engine *engine, struct mwi_copy *range,
                                    struct mwi_block *block, struct mwi_message_cursor *cursor,
                                    uint64_t *ran_ns);

/* A task that waits can never be sent to `slave`, which would have got it next, or (NULL) to any:
 * it ends as failed with this text, a note of outgoing.h. */
void mwi_task_ends_fail_task(struct mwi_master_engine *engine, const struct mwi_slave_entry *slave,
                             struct mwi_task_entry *task, const char *text);

#endif
