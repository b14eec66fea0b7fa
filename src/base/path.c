/* SPDX-License-Identifier: Apache-2.0
 *
 * Makes paths that can be used again later. Rooms that are opened with a path of the user's, and
 * use it more than once, call this when they are opened: record/resource_file, loop/executable and
 * options/file_pattern.
 *
 * Invariant: a path that cannot be improved is handed back as it was, so that the call that uses it
 * reports why it fails.
 */
#include "base/path.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Joins both with one slash. */
static char *join(const char *folder, size_t folder_size, const char *name)
{
    char *path;
    while (folder_size > 0 && folder[folder_size - 1] == '/')
        folder_size--;
    return asprintf(&path, "%.*s/%s", (int)folder_size, folder, name) < 0 ? NULL : path;
}

char *mwi_path_absolute(const char *path)
{
    if (path[0] == '/')
        return strdup(path);
    char *folder = getcwd(NULL, 0);
    if (folder == NULL)
        return errno == ENOMEM ? NULL : strdup(path);
    char *absolute = join(folder, strlen(folder), path);
    free(folder);
    return absolute;
}

char *mwi_path_beside(const char *path, const char *name)
{
    const char *slash = strrchr(path, '/');
    if (name[0] == '/' || slash == NULL)
        return strdup(name);
    return join(path, (size_t)(slash - path), name);
}

const char *mwi_path_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

char *mwi_path_settled(const char *path)
{
    char *beside = mwi_path_beside(path, ".");
    char *folder = beside == NULL ? NULL : realpath(beside, NULL);
    bool is_out_of_memory = beside == NULL || (folder == NULL && errno == ENOMEM);
    free(beside);
    if (is_out_of_memory)
        return NULL;
    char *settled =
        folder == NULL ? strdup(path) : join(folder, strlen(folder), mwi_path_name(path));
    free(folder);
    return settled;
}
