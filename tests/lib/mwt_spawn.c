/* SPDX-License-Identifier: Apache-2.0
 *
 * Prepares a process between fork and exec: the variables, descriptors and signals that it gets
 * from the test program, and those that it does not get.
 */
#include "mwt_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static bool is_foreign(const char *variable)
{
    static const char *const prefixes[] = {"MW_", "OMPI_", "PMIX_", "PMI_", "SLURM_STEP"};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (strncmp(variable, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return false;
}

static void set_environment(const char *const *added)
{
    static const char *const open_mpi[] = {"OMPI_ALLOW_RUN_AS_ROOT=1",
                                           "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1",
                                           "OMPI_MCA_rmaps_base_oversubscribe=1", NULL};
    for (char **variable = environ; *variable != NULL;) {
        if (!is_foreign(*variable)) {
            variable++;
            continue;
        }
        /* A copy of the name, because unsetenv looks for "NAME=" in the variable: it must stay
         * whole. */
        char *name = strndup(*variable, strcspn(*variable, "="));
        unsetenv(name);
        free(name);
        variable = environ;
    }
    for (size_t i = 0; open_mpi[i] != NULL; i++)
        putenv((char *)(uintptr_t)open_mpi[i]);
#ifdef MWT_WITHOUT_TLS
    putenv((char *)(uintptr_t) "MW_INSECURE=1");
#endif
    for (; added != NULL && *added != NULL; added++)
        putenv((char *)(uintptr_t)*added);
}

static void set_descriptors(const struct mwt_start *start, const int ends[2])
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    dup2(null, STDIN_FILENO);
    dup2(ends[MWT_OUT], STDOUT_FILENO);
    dup2(ends[MWT_ERR], STDERR_FILENO);
    for (int fd = STDIN_FILENO; start->closed != NULL && fd <= STDERR_FILENO; fd++)
        if (strchr(start->closed, '0' + fd) != NULL)
            close(fd);
    /* The process inherits no descriptor of the test program. */
    close_range(STDERR_FILENO + 1, UINT_MAX, 0);
}

static _Noreturn void become(const struct mwt_start *start, pid_t parent, const int ends[2])
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    if (start->has_own_group)
        setpgid(0, 0);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        _exit(126);
    set_environment(start->environment);
    set_descriptors(start, ends);
    execvp(start->argv[0], (char *const *)(uintptr_t)start->argv);
    dprintf(STDERR_FILENO, "%s: %s\n", start->argv[0], strerror(errno));
    _exit(127);
}

pid_t mwt_spawn(const struct mwt_start *start, const int ends[2])
{
    pid_t parent = getpid();
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        become(start, parent, ends);
    /* The parent sets the group too: it must exist before anybody sends it a signal. */
    if (pid > 0 && start->has_own_group)
        setpgid(pid, pid);
    return pid;
}
