/* SPDX-License-Identifier: Apache-2.0
 *
 * The process from which an isolated slave gets the processes that run its tasks, one at a time,
 * called children. It is forked off before MPI is initialised, and before the slave has a
 * connection, a key or a thread; it stays without them, so each child begins as the program was
 * then. It waits for the child, ends what the child has started, and says how the child ended. When
 * the slave ends, in whatever way, so do zygote and child.
 *
 * For mw_main alone: the child returns from mw_main as the program does, and the zygote takes in
 * the orphans of the child (PR_SET_CHILD_SUBREAPER).
 */
#ifndef MWI_ZYGOTE_H
#define MWI_ZYGOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <mw/error.h>

struct mwi_zygote_plan {
    size_t memory_bytes_max; /* of a child, with the processes that it has started; 0: no limit */
    int closed_fd;           /* the zygote closes it, since it is the slave's alone; -1: none */
    size_t page_bytes;       /* of the memory that slave and children share */
};

struct mwi_zygote {
    pid_t pid;
    int socket;
    void *page; /* zero at first */
    struct mwi_zygote_plan plan;
};

/* The process in which mwi_zygote_open has returned. */
enum mwi_zygote_side { MWI_ZYGOTE_OF_SLAVE, MWI_ZYGOTE_OF_CHILD };

/* Forks a zygote. Returns in this process, and once in each child, where *channel is the socket
 * that the slave has given it. `page` is set on both sides. Errors, on the first side alone: MW_EIO
 * with a sentence. */
mw_error mwi_zygote_open(struct mwi_zygote *zygote, const struct mwi_zygote_plan *plan,
                         enum mwi_zygote_side *side, int *channel, mw_reason *why) MW_USE_RESULT;

/* Ends zygote and child, and waits for that. */
void mwi_zygote_close(struct mwi_zygote *zygote);

/* Asks for a child, which gets the descriptor as its channel. `channel` is borrowed for the call.
 * There is no child now. False: the zygote is gone. */
bool mwi_zygote_start(struct mwi_zygote *zygote, int channel);

/* Kills the child with all that it has started. */
void mwi_zygote_kill(struct mwi_zygote *zygote);

/* The news that can be read from `socket`, which is readable then. */
enum mwi_zygote_news {
    MWI_ZYGOTE_NOTHING,
    MWI_ZYGOTE_ENDED, /* the child has ended, or could not be started */
    MWI_ZYGOTE_GONE   /* the zygote itself has ended */
};

/* Reads without waiting. With ENDED, *how continues a sentence about the child's process, and
 * *status is its exit status, -1 if it has none. */
enum mwi_zygote_news mwi_zygote_read(struct mwi_zygote *zygote, mw_reason *how, int *status);

#endif
