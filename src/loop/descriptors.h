/* SPDX-License-Identifier: Apache-2.0
 *
 * The descriptors that a loop waits for besides its transports, any number of them: the pipe of the
 * signals, the ends of local slaves. They are one set, which has one descriptor of its own for the
 * transports to wait for (mw_transport_config.wake_fd).
 */
#ifndef MWI_DESCRIPTORS_H
#define MWI_DESCRIPTORS_H

#include <mw/error.h>

struct mwi_descriptors;

/* A descriptor that is waited for. Its owner keeps the struct where it is while it is in a set. */
struct mwi_watch {
    int fd;
    /* `fd` is readable. Read from it until it is not, or remove the watch: the loop does not wait
     * while it is. Called by mwi_descriptors_dispatch; may add and remove watches, its own too. */
    void (*ready)(void *context);
    void *context;
};

/* Makes an empty set at *descriptors. Errors, with a sentence: MW_EIO, MW_ENOMEM. */
mw_error mwi_descriptors_open(struct mwi_descriptors **descriptors, mw_reason *why) MW_USE_RESULT;

/* Frees the set; the watches that are still in it stay their owners'. NULL is legal. */
void mwi_descriptors_close(struct mwi_descriptors *descriptors);

/* The descriptor of the set: readable while one of its watches is. -1 if `descriptors` is NULL. */
int mwi_descriptors_fd(const struct mwi_descriptors *descriptors);

/* Adds a watch, which is borrowed until it is removed or the set is closed. Errors: MW_EUNAVAILABLE
 * if `descriptors` is NULL; MW_EIO for a descriptor that cannot be waited for; MW_ENOMEM. */
mw_error mwi_descriptors_add(struct mwi_descriptors *descriptors,
                             struct mwi_watch *watch) MW_USE_RESULT;

/* Removes a watch that is in the set; its descriptor must still be open. `ready` is not called any
 * more. */
void mwi_descriptors_remove(struct mwi_descriptors *descriptors, struct mwi_watch *watch);

/* Calls `ready` of watches whose descriptors are readable, at most 16 of them; a later call has the
 * others. Does not wait. One system call. */
void mwi_descriptors_dispatch(struct mwi_descriptors *descriptors);

#endif
