/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds the program that slaves run, for local.c, which starts it, and for announce.c, which writes
 * its path into the resource file.
 *
 * Invariant: a path that the user asked for is passed on and not checked, since it may be a path of
 * another machine; local.c reports if it cannot be run. Only Linux's /proc is known here: another
 * system needs another way to find this program's own path.
 */
#include "loop/executable.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A symbolic link of the kernel's that leads to the file even if its path is gone. */
#define OWN_FILE "/proc/self/exe"

char *mwi_executable_path(const char *asked)
{
    char path[PATH_MAX];
    if (asked != NULL)
        return strdup(asked);
    ssize_t size = readlink(OWN_FILE, path, sizeof path - 1);
    path[size < 0 ? 0 : size] = '\0';
    return strdup(path);
}

char *mwi_executable_to_start(const char *asked)
{
    char *path = mwi_executable_path(asked);
    if (asked != NULL || path == NULL || access(path, X_OK) == 0)
        return path;
    free(path);
    return strdup(OWN_FILE);
}
