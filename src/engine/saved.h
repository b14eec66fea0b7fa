/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes that a task saves for its next attempt. A slave and the relay of an isolated slave both
 * send them to the master while the task runs. They come back with the task.
 */
#ifndef MWI_SAVED_H
#define MWI_SAVED_H

#include "engine/effects.h"
#include "farm/savings.h"

/* Drops the reference. */
void mwi_saved_forget(struct mwi_saved *saved);

/* Sends the bytes of this task, from where they lie. Only if there are some. Out of memory, the
 * effects fail. */
void mwi_saved_send(const struct mwi_saved *saved, struct mwi_effects *effects, mw_peer peer,
                    uint64_t task_id);

/* The bytes of the task that runs, on their way to the master. All zero at first. If bytes wait
 * until those before them have left, at most two pieces of memory are held for a master that does
 * not read. */
struct mwi_saved_outbox {
    struct mwi_saved unsent; /* newer than those in `sent` */
    struct mwi_block *sent;  /* that the transport has, or had, until the next are sent */
};

void mwi_saved_outbox_fini(struct mwi_saved_outbox *outbox);

/* Takes the bytes, in place of those that were not sent. */
void mwi_saved_outbox_put(struct mwi_saved_outbox *outbox, const struct mwi_saved *saved);

/* Whether there are bytes that were not sent. */
bool mwi_saved_outbox_has_unsent(const struct mwi_saved_outbox *outbox);

/* Forgets them: the task has ended. */
void mwi_saved_outbox_clear(struct mwi_saved_outbox *outbox);

/* Whether the transport still has bytes that were sent. If it has none, they are freed. */
bool mwi_saved_outbox_is_sending(struct mwi_saved_outbox *outbox);

/* Sends the bytes that were not sent. Only if there are some. */
void mwi_saved_outbox_send(struct mwi_saved_outbox *outbox, struct mwi_effects *effects,
                           mw_peer peer, uint64_t task_id);

#endif
