/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether a function dies of an assertion, tried in a process of its own. All code is in this
 * header, so that a test needs no other source for it.
 */
#ifndef MWT_DEATH_H
#define MWT_DEATH_H

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static inline bool mwt_dies(void (*function)(void *context), void *context)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGABRT, SIG_DFL);
        close(STDERR_FILENO);
        function(context);
        _exit(EXIT_SUCCESS);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
           WTERMSIG(status) == SIGABRT;
}

#endif
