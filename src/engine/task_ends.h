/* SPDX-License-Identifier: Apache-2.0
 *
 * The end of tasks: with the result that a slave returns, or as failed, because no slave can be
 * sent them. Tasks that are given up or cancelled end in lifecycle.h.
 */
#ifndef MWI_TASK_ENDS_H
#define MWI_TASK_ENDS_H

#include "engine/master_state.h"

/* Records in the audit trail that a task failed on `slave`; `text` is the algorithm's message. */
void mwi_task_ends_audit_failure(struct mwi_master_engine *engine,
                                 const struct mwi_slave_entry *slave,
                                 const struct mwi_task_entry *task, const struct mwi_payload *text);

/* A slave has returned the result `item` of a task. Removes the copy and ends the task; if the task
 * was cancelled, the result is not kept. `item` points into `block`, which gets another reference
 * if the result is kept. False out of memory: the engine has failed, and task and copy stay. */
bool mwi_task_ends_finish_copy(struct mwi_master_engine *engine, struct mwi_copy *copy,
                               struct mwi_block *block, const struct mwi_message_item *item);

/* The same for a failure, whose text is made printable for the user and the trail, and which is
 * recorded in the trail. */
bool mwi_task_ends_finish_failed(struct mwi_master_engine *engine, struct mwi_copy *copy,
                                 struct mwi_block *block, const struct mwi_message_item *item);

/* The same for several tasks at the front of a range: compares the results from the cursor on with
 * the range's tasks, and ends tasks up to the first result that is of another task, a failure, or
 * unreadable. Moves the cursor behind these results, adds to *ran_ns how long the tasks ran, and
 * returns their number. 0: finish_copy must take the next result, or out of memory. */
uint32_t mwi_task_ends_finish_range(struct mwi_master_engine *engine, struct mwi_copy *range,
                                    struct mwi_block *block, struct mwi_message_cursor *cursor,
                                    uint64_t *ran_ns);

/* Ends a task that waits, or that others run, with a result that was kept. `slave` has offered it;
 * NULL: it has gone since. Results that other slaves return for the task are not taken then. False
 * out of memory: the engine has failed, and the task stays. */
bool mwi_task_ends_finish_offered(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                                  struct mwi_task_entry *task, struct mwi_block *block,
                                  const struct mwi_message_item *item);

/* Ends a task that was not sent: the user gets it as failed with this text (mwi_outgoing_note).
 * `slave` is the only slave that may run the task, and accepts no message as large; NULL: no slave
 * does. */
void mwi_task_ends_fail_task(struct mwi_master_engine *engine, const struct mwi_slave_entry *slave,
                             struct mwi_task_entry *task, const char *text);

#endif
