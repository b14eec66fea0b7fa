/* SPDX-License-Identifier: Apache-2.0
 *
 * Puts a file in the place of the descriptors 1 and 2, and the old ones back at the end. mw_main
 * does it between the welcome of a slave, which gives the slave its name, and the end of its slave
 * algorithm. So the file has the output of tasks and of the commands that they start. Each line is
 * written at once, so that the file has the last lines of a task that crashes.
 *
 * Invariant: the copies of the old descriptors are known to the fork guard, so a process that a
 * task forks off does not keep them. For other names of the file see options/file_pattern.
 */
#include "loop/redirect.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fork_guard.h"
#include "options/file_pattern.h"

#define OPTION "--mw-slave-output"

/* Opens with O_NONBLOCK, since otherwise open would wait for a reader of a FIFO. Then takes
 * O_NONBLOCK away, since tasks expect writes that wait. */
static int open_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0644);
    if (fd >= 0)
        (void)fcntl(fd, F_SETFL, O_APPEND);
    return fd;
}

static mw_error make_path(char **path, const char *text, const char *member_id, const char *node,
                          mw_reason *why)
{
    struct mwi_file_pattern pattern;
    mw_error error = mwi_file_pattern_init(&pattern, OPTION, text, member_id, why);
    if (error != MW_OK)
        return error;
    *path = mwi_file_pattern_expand(&pattern, node);
    mwi_file_pattern_fini(&pattern);
    if (*path != NULL)
        return MW_OK;
    snprintf(why->text, sizeof why->text, OPTION ": out of memory");
    return MW_ENOMEM;
}

static void flush_streams(void)
{
    fflush(stdout);
    fflush(stderr);
}

/* Makes `number` a copy of `fd`, and *saved a copy of what it was; -1 if that is not possible. */
static bool put(int fd, int number, int *saved)
{
    *saved = fcntl(number, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    return *saved >= 0 && mwi_fork_guard_note(*saved) && dup2(fd, number) == number;
}

static void put_back(int number, int *saved)
{
    if (*saved < 0)
        return;
    (void)dup2(*saved, number);
    mwi_fork_guard_close(*saved);
    *saved = -1;
}

mw_error mwi_redirect_open(struct mwi_redirect *redirect, const char *pattern,
                           const char *member_id, const char *node, mw_reason *why)
{
    char *path;
    *redirect = (struct mwi_redirect){-1, -1};
    if (pattern == NULL)
        return MW_OK;
    mw_error error = make_path(&path, pattern, member_id, node, why);
    if (error != MW_OK)
        return error;
    flush_streams();
    int fd = open_file(path);
    bool is_put = fd >= 0 && put(fd, STDOUT_FILENO, &redirect->output) &&
                  put(fd, STDERR_FILENO, &redirect->error);
    int problem = errno;
    if (is_put)
        (void)setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    else
        mwi_redirect_close(redirect);
    if (fd >= 0)
        close(fd);
    if (!is_put)
        snprintf(why->text, sizeof why->text, OPTION " %.300s: %s", path, strerror(problem));
    free(path);
    return is_put ? MW_OK : MW_EIO;
}

void mwi_redirect_close(struct mwi_redirect *redirect)
{
    flush_streams();
    put_back(STDOUT_FILENO, &redirect->output);
    put_back(STDERR_FILENO, &redirect->error);
}
