/* SPDX-License-Identifier: Apache-2.0
 *
 * One process that a local master starts: a slave at the other end of a socket that nobody else can
 * reach. It cannot outlive the process that started it.
 */
#ifndef MWI_CHILD_H
#define MWI_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include <mw/error.h>

struct mwi_child {
    pid_t pid;
    int channel; /* our end of the socket; close-on-exec */
};

/* The variable that tells a child the pid of the master that started it. */
#define MWI_CHILD_VARIABLE "MW_STARTED_BY"

/* Starts `path` with the arguments, which end with NULL and of which number `channel_index` becomes
 * "--mw-channel=N" for the time of the call. The child reads nothing from the terminal, and is
 * killed when its parent dies. Errors: MW_EIO with a sentence. */
mw_error mwi_child_start(struct mwi_child *child, const char *path, char **arguments,
                         size_t channel_index, mw_reason *why);

/* Whether this very process was started by mwi_child_start. */
bool mwi_child_is_one(void);

/* Whether the process has ended; then it is reaped and *why says how. Never waits. */
bool mwi_child_has_ended(const struct mwi_child *child, mw_reason *why);

#endif
