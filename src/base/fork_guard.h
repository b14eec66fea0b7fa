/* SPDX-License-Identifier: Apache-2.0
 *
 * A process that is made by fork() has copies of all descriptors, and they keep the parent's
 * connections and listeners open when the parent has died. Close-on-exec does not help if the child
 * never calls exec. So this room has a list of the process: if an algorithm forks, the descriptors
 * in the list lead to /dev/null in the child, and the owners of farms are told in the child that
 * the farms are not theirs. A child that is made at another time, such as a daemon, keeps all.
 *
 * All functions may be called from several threads. Processes that are made by clone, or by vfork
 * and functions like it, are left alone.
 */
#ifndef MWI_FORK_GUARD_H
#define MWI_FORK_GUARD_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/list.h"

/* Embedded in what must be told. */
struct mwi_fork_guard {
    struct mwi_list link;
    const bool *is_closed;
    void (*lose)(void *context);
    void *context;
};

/* Enters *guard in the list of the process, where it stays until fini. While *is_closed is true, a
 * child that is made by fork() loses all descriptors that are noted, and `lose` is called in it for
 * every guard. `lose` may call only functions that are safe in a signal handler. Both pointers may
 * be NULL; all is borrowed until fini. */
void mwi_fork_guard_init(struct mwi_fork_guard *guard, const bool *is_closed,
                         void (*lose)(void *context), void *context);
void mwi_fork_guard_fini(struct mwi_fork_guard *guard);

/* Surround the call that makes a descriptor: no thread forks in between. The second one notes the
 * descriptor and returns it; -1 is passed through with its errno. If memory runs out the descriptor
 * is closed, and the result is -1 with ENOMEM. */
void mwi_fork_guard_begin(void);
int mwi_fork_guard_opened(int fd);

/* Notes a descriptor that was made elsewhere; false if memory runs out. It may be noted already. */
bool mwi_fork_guard_note(int fd);

/* Closes a descriptor, noted or not. Returns 0 or the errno of close, and keeps errno itself. */
int mwi_fork_guard_close(int fd);

/* fork() for a child that may keep everything: it calls exec soon, or it was forked before the farm
 * had a descriptor or a key (loop/zygote). */
pid_t mwi_fork_guard_fork(void);

#endif
