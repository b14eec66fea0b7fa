/* SPDX-License-Identifier: Apache-2.0
 *
 * One process that a local master starts: a slave at the other end of a socket that no other
 * process can reach. It is killed when the thread that started it ends.
 */
#ifndef MWI_CHILD_H
#define MWI_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <mw/error.h>

struct mwi_child {
    pid_t pid;
    /* Both close on exec, and whoever has started the child closes them. */
    int channel; /* our end of the socket */
    int end_fd;  /* readable once the process has ended; -1: the kernel has no such descriptor */
    bool is_group_killed; /* as in the plan */
};

struct mwi_child_plan {
    const char *path;
    char **arguments;     /* end with NULL; arguments[channel_index] is replaced by */
    size_t channel_index; /* "--mw-channel=N" for the time of the call */
    int folder;           /* the working directory; -1: this process's */
    const char *mark;     /* the newest of its marks, see loop/family.h */
    bool has_own_session; /* the process leads a session, and so a group */
    /* The group is killed when the process ends or is killed. Only with has_own_session. */
    bool is_group_killed;
};

/* Starts a process as planned. It reads nothing from the terminal, and is killed when the thread
 * that started it ends. The plan is borrowed for the call. Errors: MW_EIO with a sentence. */
mw_error mwi_child_start(struct mwi_child *child, const struct mwi_child_plan *plan,
                         mw_reason *why);

/* Whether this very process was started by mwi_child_start. */
bool mwi_child_is_one(void);

/* How a process has ended. `how` continues a sentence about the process. */
struct mwi_child_end {
    mw_reason how; /* "was killed by signal 9 (Killed)", "exited with status 3" */
    int signal;    /* the signal that killed it; 0: none, or it is not known */
};

/* Sets *end from a status of waitpid. */
void mwi_child_describe_end(int status, struct mwi_child_end *end);

/* Whether the process has ended. Then it is reaped, and *end is set: do not call it again. Never
 * waits. */
bool mwi_child_has_ended(const struct mwi_child *child, struct mwi_child_end *end);

/* Whether the process was stopped, or continued, by a signal since the last call. Then *is_stopped
 * says which. Never waits. */
bool mwi_child_has_halted(const struct mwi_child *child, bool *is_stopped);

/* Waits until the process has ended, but at most `timeout_ms`; may return early. */
void mwi_child_wait(const struct mwi_child *child, int timeout_ms);

/* Sends SIGKILL to the process, which is reaped later, and to its group if is_group_killed. */
void mwi_child_send_kill(const struct mwi_child *child);

/* Kills the process, and reaps it, unless it hangs in the kernel for longer than a second. */
void mwi_child_kill(const struct mwi_child *child);

#endif
