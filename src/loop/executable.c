/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds the program that slaves run, for local.c, which starts it, and for announce.c, which writes
 * its path into the resource file. A path that the user asked for is taken as it is: whether it can
 * be run shows when it is run.
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
