/* SPDX-License-Identifier: Apache-2.0
 *
 * The life of tasks at the master: submitting, coming back from a lost slave, being cancelled, and
 * being handed to the user. Their end is in task_ends.h.
 */
#ifndef MWI_LIFECYCLE_H
#define MWI_LIFECYCLE_H

#include "engine/master_state.h"

/* How tasks come back from a slave. */
enum mwi_lifecycle_return {
    MWI_RETURN_GIVEN_BACK, /* by the slave, which has begun none of them */
    MWI_RETURN_EXCUSED,    /* the slave was lost, and had said that it would leave: this costs no
                              attempt, but a task may have been begun */
    MWI_RETURN_LOST
};

/* The tasks that the slave has, or (ordered) that wait for it, come back, by its loss or otherwise:
 * first those that are given up, in order, then the others, from the last to the first because each
 * goes to the front of the pool. A task that another slave has, too, goes on there. `fate` says who
 * was lost and how; it goes into the history of each task for which that counts as an attempt. */
void mwi_lifecycle_return_copies(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                                 enum mwi_lifecycle_return how, const char *reason,
                                 const char *fate);
/* An attempt at a task of an isolated slave has failed, and the slave goes on. The copy is gone
 * afterwards. */
void mwi_lifecycle_crash(struct mwi_master_engine *engine, struct mwi_copy *copy,
                         const char *reason, const char *fate);

void mwi_lifecycle_return_ordered(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                                  const char *reason);

/* An ordered task that waits for the slave goes to the pool, for this reason. */
void mwi_lifecycle_unbind_task(struct mwi_master_engine *engine,
                               const struct mwi_slave_entry *slave, struct mwi_task_entry *task,
                               const char *reason);

/* A task as the user submits it, with the algorithm's name and the policy translated. */
struct mwi_lifecycle_task {
    uint16_t algorithm;
    struct mwi_task_policy policy;
    int64_t tag;
    struct mwi_tag *tag_bytes; /* malloc'd, in place of tag; NULL: none */
    struct mwi_payload payload;
    bool is_borrowed; /* the payload's data is copied; else it is malloc'd, and is taken */
    bool is_usual;    /* the next one of this policy may be entered by mwi_tasks_append_alike */
};

/* Enters a task; takes the tag's bytes, and the payload's data unless it is borrowed. *id is its
 * number. A task may be unrunnable at once. MW_ENOMEM, and then data and bytes stay the caller's.
 *
 * This function and those below may leave effects, which must be carried out before the next
 * step. */
mw_error mwi_lifecycle_submit(struct mwi_master_engine *engine,
                              const struct mwi_lifecycle_task *submission, uint64_t *id);

/* Enters a task that ends at once with a result that an earlier run has recorded, and adds a
 * reference to its block. Otherwise as mwi_lifecycle_submit. */
mw_error mwi_lifecycle_submit_replayed(struct mwi_master_engine *engine,
                                       const struct mwi_lifecycle_task *submission,
                                       struct mwi_block *block, const struct mwi_message_item *item,
                                       uint64_t *id);

/* Enters a task that is unrunnable, with this history; otherwise as mwi_lifecycle_submit. */
mw_error mwi_lifecycle_submit_unrunnable(struct mwi_master_engine *engine,
                                         const struct mwi_lifecycle_task *submission,
                                         const char *history, size_t history_size, uint64_t *id);

/* Cancels a task: after MW_OK nothing is ever handed out for it. MW_ESTATE: the task has ended or
 * is unrunnable, or there is no such task. MW_ENOMEM, with nothing changed. */
mw_error mwi_lifecycle_cancel(struct mwi_master_engine *engine, uint64_t id);

/* How many tasks wait, of one algorithm or (MWI_TARGET_GENERAL) of all. */
size_t mwi_lifecycle_pending(const struct mwi_master_engine *engine, size_t algorithm);

/* The most bytes that the payload of a task may have. */
size_t mwi_lifecycle_payload_bytes_max(const struct mwi_master_engine *engine);

/* Takes the oldest result out of the queue, with the reference to its block and its tag; false if
 * there is none. */
bool mwi_lifecycle_take_result(struct mwi_master_engine *engine, struct mwi_finished *result);

/* A task that became unrunnable, as it is handed out: all that it owned is the taker's. */
struct mwi_lifecycle_unrunnable {
    uint64_t id;
    uint32_t sid; /* the last slave that had it; MWI_NO_SID: none */
    uint16_t algorithm;
    struct mwi_payload payload;
    struct mwi_block *block; /* a reference that holds the payload, or NULL: its data is malloc'd */
    int64_t tag;             /* unless there are tag_bytes */
    struct mwi_tag *tag_bytes; /* malloc'd, or NULL */
    char *history;             /* malloc'd; NULL if there was no memory for it */
};

/* Takes the oldest unrunnable task out of the store, which forgets it; false if there is none. */
bool mwi_lifecycle_take_unrunnable(struct mwi_master_engine *engine,
                                   struct mwi_lifecycle_unrunnable *taken);

#endif
