/* SPDX-License-Identifier: Apache-2.0
 *
 * Processes for tests of what farms leave behind: each has marks in its environment, and holds a
 * pipe open as long as it lives.
 */
#ifndef MWT_MARKED_H
#define MWT_MARKED_H

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CUnit/CUnit.h>

#include "loop/family.h"

struct mwt_marked {
    pid_t pid;
    int end; /* at its end when the process and its children have ended */
};

/* Starts `sleep` with these marks, perhaps in a session of its own. Returns when it runs. */
static inline void mwt_marked_start(struct mwt_marked *marked, const char *marks, bool has_session)
{
    int ends[2];
    uint64_t serial;
    char variable[512], sleep[] = "sleep", duration[] = "1000";
    char *arguments[] = {sleep, duration, NULL}, *environment[] = {variable, NULL};
    snprintf(variable, sizeof variable, MWI_FAMILY_VARIABLE "=%.400s started:1", marks);
    CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
    marked->pid = fork();
    if (marked->pid == 0) {
        close(ends[0]);
        if (has_session)
            setsid();
        execve("/bin/sleep", arguments, environment);
        _exit(127);
    }
    close(ends[1]);
    marked->end = ends[0];
    while (!mwi_family_is_marked(marked->pid, "started", &serial))
        usleep(1000);
}

/* Waits until the process has ended, and reaps it. */
static inline void mwt_marked_await(const struct mwt_marked *marked)
{
    char byte;
    CU_ASSERT_EQUAL(read(marked->end, &byte, 1), 0);
    CU_ASSERT_EQUAL(waitpid(marked->pid, NULL, 0), marked->pid);
    close(marked->end);
}

static inline bool mwt_marked_is_alive(const struct mwt_marked *marked)
{
    return waitpid(marked->pid, NULL, WNOHANG) == 0;
}

static inline void mwt_marked_end(const struct mwt_marked *marked)
{
    kill(marked->pid, SIGKILL);
    mwt_marked_await(marked);
}

#endif
