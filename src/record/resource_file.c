/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes and reads the file around a resource. loop/announce writes it for a master,
 * face/slave_search reads it for a slave, and record/keyring for a key that was lost with a fork.
 * The form of the text belongs to resource.c, the ways of the file to private_file.c.
 *
 * Invariants: a reader finds the whole old file or the whole new file, and only its owner can read
 * it. A failure leaves the old file as it was. A master finds its place once, so that all writings
 * of a run meet in one file. The text, which has the farm's key, is always in a secret.
 *
 * To publish a resource elsewhere, such as over HTTP, write a file beside this one that takes the
 * text from mwi_resource_format, without the key.
 */
#include "record/resource_file.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/path.h"
#include "record/private_file.h"

mw_error mwi_resource_file_read(const char *path, struct mwi_resource *resource, mw_reason *why)
{
    struct mwi_secret content;
    size_t size;
    mw_error error = mwi_private_file_read(MWI_RESOURCE_KIND, path, MWI_RESOURCE_BYTES_MAX,
                                           &content, &size, why);
    if (error != MW_OK)
        return error;
    error = mwi_resource_parse(content.data, size, path, resource, why);
    mwi_secret_fini(&content);
    return error;
}

/* A master is not to run for hours before it hears that its file cannot be written. */
mw_error mwi_resource_file_locate(const char *path, char **located, mw_reason *why)
{
    struct stat status;
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
        return mwi_private_file_fail(why, MW_EIO, MWI_RESOURCE_KIND, path,
                                     "it is there, and not a regular file");
    return mwi_private_file_locate(MWI_RESOURCE_KIND, path, located, why);
}

bool mwi_resource_file_warn(const char *path, mw_reason *warning)
{
    return mwi_private_file_warn(MWI_RESOURCE_KIND, path, warning);
}

mw_error mwi_resource_file_write(const char *path, const struct mwi_resource *resource,
                                 mw_reason *why)
{
    struct mwi_secret text;
    mw_error error = mwi_resource_format(resource, path, &text, why);
    if (error != MW_OK)
        return error;
    error = mwi_private_file_replace(MWI_RESOURCE_KIND, path, text.data, strlen(text.data), why);
    mwi_secret_fini(&text);
    return error;
}

void mwi_resource_file_note(struct mwi_resource_file_last *last)
{
    struct stat status;
    if (last->path == NULL || stat(last->path, &status) != 0)
        return;
    last->device = status.st_dev;
    last->inode = status.st_ino;
}

/* Sets the path of the temporary file beside the file's own. Returns 0 or an errno. */
static int name_temporary(struct mwi_resource_file_last *last)
{
    char name[MWI_PRIVATE_FILE_NAME_BYTES];
    int number = mwi_private_file_name(name);
    if (number != 0)
        return number;
    last->temporary = mwi_path_beside(last->path, name);
    return last->temporary == NULL ? ENOMEM : 0;
}

mw_error mwi_resource_file_prepare(struct mwi_resource_file_last *last, const char *path,
                                   const struct mwi_resource *resource, mw_reason *why)
{
    static const char key[] = "\"timestamp\": ";
    struct mwi_resource_file_last prepared = {.path = strdup(path)};
    mw_error error = mwi_resource_format(resource, path, &prepared.text, why);
    if (error == MW_OK) {
        int number = prepared.path == NULL ? ENOMEM : name_temporary(&prepared);
        if (number != 0)
            error = mwi_private_file_fail(why, number == ENOMEM ? MW_ENOMEM : MW_EIO,
                                          MWI_RESOURCE_KIND, path, "%s", strerror(number));
    }
    if (error != MW_OK) {
        mwi_resource_file_fini_last(&prepared);
        return error;
    }
    prepared.size = strlen(prepared.text.data);
    prepared.timestamp = strstr(prepared.text.data, key) + sizeof key - 1;
    mwi_resource_file_note(&prepared);
    *last = prepared;
    return MW_OK;
}

static void put_time(char *digits)
{
    size_t count = 0;
    time_t now = time(NULL);
    while (digits[count] >= '0' && digits[count] <= '9')
        count++;
    for (; count > 0; now /= 10)
        digits[--count] = (char)('0' + now % 10);
}

/* In a child of fork() the text is lost, and the file is not the child's either. */
void mwi_resource_file_write_last(const struct mwi_resource_file_last *last)
{
    struct stat status;
    if (last->path == NULL || mwi_secret_is_lost(&last->text) || stat(last->path, &status) != 0 ||
        status.st_dev != last->device || status.st_ino != last->inode)
        return;
    put_time(last->timestamp);
    (void)mwi_private_file_put(last->path, last->temporary, last->text.data, last->size);
}

void mwi_resource_file_fini_last(struct mwi_resource_file_last *last)
{
    /* A signal may come between any two of these steps. */
    char *volatile *path = &last->path;
    char *old_path = *path;
    *path = NULL;
    free(old_path);
    free(last->temporary);
    mwi_secret_fini(&last->text);
    *last = (struct mwi_resource_file_last){.path = NULL};
}
