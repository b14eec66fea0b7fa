/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes and reads the file around a resource. loop/announce writes it for a master,
 * face/slave_search reads it for a slave. The form of the text belongs to resource.c.
 *
 * Invariants: a reader finds the whole old file or the whole new file, because the new one is
 * written to PATH.PID.tmp and renamed into its place. A failure leaves the old file as it was. A
 * master that is killed in between leaves at worst PATH.PID.tmp, which no slave reads. A master
 * finds its place once, so that all writings of a run meet in one file.
 *
 * To publish a resource elsewhere, such as over HTTP, write a file beside this one that takes the
 * text from mwi_resource_format.
 */
#include "record/resource_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/path.h"

/* As many symbolic links as the kernel follows. */
#define LINKS_MAX 40

/* Reads at most `size` bytes and returns their number, -1 with errno set. */
static ssize_t read_whole(int fd, char *data, size_t size)
{
    size_t used = 0;
    while (used < size) {
        ssize_t length = read(fd, data + used, size - used);
        if (length == 0)
            break;
        if (length > 0)
            used += (size_t)length;
        else if (errno != EINTR)
            return -1;
    }
    return (ssize_t)used;
}

/* A file on a network file system may be replaced while we read it. It is there again soon. */
static mw_error fail_read(mw_reason *why, const char *path, int error)
{
    bool is_missing = error == ENOENT || error == ESTALE;
    return mwi_resource_fail(why, is_missing ? MW_EUNAVAILABLE : MW_EIO, path, "%s",
                             strerror(error));
}

static mw_error read_fd(int fd, const char *path, struct mwi_resource *resource, mw_reason *why)
{
    char *data = malloc(MWI_RESOURCE_BYTES_MAX + 1);
    if (data == NULL)
        return mwi_resource_fail(why, MW_ENOMEM, path, "out of memory");
    ssize_t size = read_whole(fd, data, MWI_RESOURCE_BYTES_MAX + 1);
    mw_error error = size < 0 ? fail_read(why, path, errno)
                              : mwi_resource_parse(data, (size_t)size, path, resource, why);
    free(data);
    return error;
}

static mw_error check_regular(int fd, const char *path, mw_reason *why)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return fail_read(why, path, errno);
    if (!S_ISREG(status.st_mode))
        return mwi_resource_fail(why, MW_EIO, path, "it is not a regular file");
    return MW_OK;
}

mw_error mwi_resource_file_read(const char *path, struct mwi_resource *resource, mw_reason *why)
{
    /* A FIFO without a writer would block the open, or the read, for ever. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return fail_read(why, path, errno);
    mw_error error = check_regular(fd, path, why);
    if (error == MW_OK)
        error = read_fd(fd, path, resource, why);
    close(fd);
    return error;
}

/* Writes everything. Returns 0 or an errno. */
static int write_whole(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, data, size);
        if (written < 0 && errno != EINTR)
            return errno;
        if (written > 0) {
            data += written;
            size -= (size_t)written;
        }
    }
    return 0;
}

/* Some file systems cannot sync, which is no reason to give up the file. */
static int sync_file(int fd)
{
    return fsync(fd) == 0 || errno == EINVAL || errno == ENOSYS ? 0 : errno;
}

/* Makes a new file with this text. Returns 0 or an errno. It never opens an existing file in its
 * place, which a process with the same pid, or another user of a shared folder, may have left. */
static int write_temporary(const char *path, const char *text)
{
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return errno;
    int error = write_whole(fd, text, strlen(text));
    if (error == 0)
        error = sync_file(fd);
    if (close(fd) != 0 && error == 0)
        error = errno;
    return error;
}

/* Renaming over a device or a folder would do harm, or fail late. */
static mw_error check_replaceable(const char *path, mw_reason *why)
{
    struct stat status;
    if (stat(path, &status) != 0 || S_ISREG(status.st_mode))
        return MW_OK;
    return mwi_resource_fail(why, MW_EIO, path, "it is there, and not a regular file");
}

/* Reads a symbolic link into the malloc'd *target; NULL for any other file. Another user's link
 * could make this user write where that user may not. */
static mw_error read_link(const char *path, char **target, mw_reason *why)
{
    struct stat status;
    char text[PATH_MAX];
    *target = NULL;
    if (lstat(path, &status) != 0 || !S_ISLNK(status.st_mode))
        return MW_OK;
    if (status.st_uid != geteuid() && status.st_uid != 0)
        return mwi_resource_fail(why, MW_EIO, path, "it is a symbolic link of another user");
    ssize_t size = readlink(path, text, sizeof text - 1);
    if (size < 0)
        return mwi_resource_fail(why, MW_EIO, path, "%s", strerror(errno));
    text[size] = '\0';
    *target = mwi_path_beside(path, text);
    return *target == NULL ? mwi_resource_fail(why, MW_ENOMEM, path, "out of memory") : MW_OK;
}

/* Replaces the malloc'd *path by what it leads to, link by link. */
static mw_error follow_links(char **path, mw_reason *why)
{
    for (int i = 0; i < LINKS_MAX; i++) {
        char *target;
        mw_error error = read_link(*path, &target, why);
        if (error != MW_OK || target == NULL)
            return error;
        free(*path);
        *path = target;
    }
    return mwi_resource_fail(why, MW_EIO, *path, "%s", strerror(ELOOP));
}

mw_error mwi_resource_file_locate(const char *path, char **located, mw_reason *why)
{
    mw_error error = check_replaceable(path, why);
    if (error != MW_OK)
        return error;
    char *followed = mwi_path_absolute(path);
    if (followed == NULL)
        return mwi_resource_fail(why, MW_ENOMEM, path, "out of memory");
    error = follow_links(&followed, why);
    char *settled = error == MW_OK ? mwi_path_settled(followed) : NULL;
    free(followed);
    if (error != MW_OK)
        return error;
    if (settled == NULL)
        return mwi_resource_fail(why, MW_ENOMEM, path, "out of memory");
    *located = settled;
    return MW_OK;
}

static mw_error replace_file(const char *path, const char *text, mw_reason *why)
{
    mw_error replaceable = check_replaceable(path, why);
    if (replaceable != MW_OK)
        return replaceable;
    char *temporary;
    if (asprintf(&temporary, "%s.%ld.tmp", path, (long)getpid()) < 0)
        return mwi_resource_fail(why, MW_ENOMEM, path, "out of memory");
    int error = write_temporary(temporary, text);
    if (error == 0 && rename(temporary, path) != 0)
        error = errno;
    if (error != 0)
        unlink(temporary);
    free(temporary);
    return error == 0 ? MW_OK : mwi_resource_fail(why, MW_EIO, path, "%s", strerror(error));
}

mw_error mwi_resource_file_write(const char *path, const struct mwi_resource *resource,
                                 mw_reason *why)
{
    char *text;
    mw_error error = mwi_resource_format(resource, path, &text, why);
    if (error != MW_OK)
        return error;
    error = replace_file(path, text, why);
    free(text);
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

mw_error mwi_resource_file_prepare(struct mwi_resource_file_last *last, const char *path,
                                   const struct mwi_resource *resource, mw_reason *why)
{
    static const char key[] = "\"timestamp\": ";
    struct mwi_resource_file_last prepared = {.path = strdup(path)};
    mw_error error = mwi_resource_format(resource, path, &prepared.text, why);
    if (error == MW_OK)
        prepared.timestamp = strstr(prepared.text, key);
    if (error == MW_OK && (prepared.path == NULL || prepared.timestamp == NULL ||
                           asprintf(&prepared.temporary, "%s.%ld.tmp", path, (long)getpid()) < 0))
        error = mwi_resource_fail(why, MW_ENOMEM, path, "out of memory");
    if (error != MW_OK) {
        mwi_resource_file_fini_last(&prepared);
        return error;
    }
    prepared.timestamp += sizeof key - 1;
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

void mwi_resource_file_write_last(const struct mwi_resource_file_last *last)
{
    struct stat status;
    if (last->path == NULL || stat(last->path, &status) != 0 || status.st_dev != last->device ||
        status.st_ino != last->inode)
        return;
    put_time(last->timestamp);
    if (write_temporary(last->temporary, last->text) != 0 ||
        rename(last->temporary, last->path) != 0)
        unlink(last->temporary);
}

void mwi_resource_file_fini_last(struct mwi_resource_file_last *last)
{
    /* A signal may come between any two of these steps. */
    char *volatile *path = &last->path;
    char *old_path = *path;
    *path = NULL;
    free(old_path);
    free(last->temporary);
    free(last->text);
    *last = (struct mwi_resource_file_last){0};
}
