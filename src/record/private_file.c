/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads and writes files that hold keys: record/resource_file and record/key_file are its callers.
 *
 * Invariants: a file is open to its owner alone from its first byte, under any umask. Each step
 * works on descriptors, so that nobody puts another file in the place of the one that was checked;
 * nothing is changed by path. A new file has a random name, is opened only if there is no such
 * file, and then gets its place in one step. A process that is killed in between leaves at worst
 * a file ".mw-....tmp", which nobody reads.
 */
#include "record/private_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"

/* As many symbolic links as the kernel follows. */
#define LINKS_MAX 40

/* A file on a network file system may be replaced while it is opened or read. */
#define READS_MAX 4

#define MODE_PRIVATE 0600
#define MODE_OF_OTHERS 077

/* A file in a folder that is open: all steps see one and the same folder. */
struct place {
    const char *what, *path;
    int folder;
    const char *name; /* in the folder; borrowed from the path */
    mw_reason *why;
};

mw_error mwi_private_file_fail(mw_reason *why, mw_error error, const char *what, const char *path,
                               const char *format, ...)
{
    int length = snprintf(why->text, sizeof why->text, "%s \"%.120s\": ", what, path);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why->text + length, sizeof why->text - (size_t)length, format, arguments);
    va_end(arguments);
    return error;
}

static mw_error fail_memory(mw_reason *why, const char *what, const char *path)
{
    return mwi_private_file_fail(why, MW_ENOMEM, what, path, "out of memory");
}

static mw_error fail_place(const struct place *place, const char *problem)
{
    return mwi_private_file_fail(place->why, MW_EIO, place->what, place->path, "%s", problem);
}

static mw_error fail_system(const struct place *place, int number)
{
    bool is_missing = number == ENOENT || number == ESTALE;
    return mwi_private_file_fail(place->why, is_missing ? MW_EUNAVAILABLE : MW_EIO, place->what,
                                 place->path, "%s", strerror(number));
}

static bool is_trusted(uid_t user)
{
    return user == geteuid() || user == 0;
}

/* Reads a symbolic link into the malloc'd *target; NULL for any other file. Another user's link
 * could make this user read or write somewhere else than intended. */
static mw_error read_link(const char *what, const char *path, char **target, mw_reason *why)
{
    struct stat status;
    char text[PATH_MAX];
    *target = NULL;
    int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0 || !S_ISLNK(status.st_mode)) {
        if (fd >= 0)
            close(fd);
        return MW_OK;
    }
    ssize_t size = readlinkat(fd, "", text, sizeof text - 1);
    int number = errno;
    close(fd);
    if (!is_trusted(status.st_uid))
        return mwi_private_file_fail(why, MW_EIO, what, path,
                                     "it is a symbolic link of another user");
    if (size < 0)
        return mwi_private_file_fail(why, MW_EIO, what, path, "%s", strerror(number));
    text[size] = '\0';
    *target = mwi_path_beside(path, text);
    return *target == NULL ? fail_memory(why, what, path) : MW_OK;
}

/* Replaces the malloc'd *path by what it leads to, link by link. */
static mw_error follow_links(const char *what, char **path, mw_reason *why)
{
    for (int i = 0; i < LINKS_MAX; i++) {
        char *target;
        mw_error error = read_link(what, *path, &target, why);
        if (error != MW_OK || target == NULL)
            return error;
        free(*path);
        *path = target;
    }
    return mwi_private_file_fail(why, MW_EIO, what, *path, "%s", strerror(ELOOP));
}

mw_error mwi_private_file_locate(const char *what, const char *path, char **located, mw_reason *why)
{
    char *followed = mwi_path_absolute(path);
    if (followed == NULL)
        return fail_memory(why, what, path);
    mw_error error = follow_links(what, &followed, why);
    char *settled = error == MW_OK ? mwi_path_settled(followed) : NULL;
    free(followed);
    if (error != MW_OK)
        return error;
    if (settled == NULL)
        return fail_memory(why, what, path);
    *located = settled;
    return MW_OK;
}

/* Whether others may rename and remove all files of the folder. */
static bool is_writable_by(const struct stat *folder, mode_t bit)
{
    return (folder->st_mode & bit) != 0 && (folder->st_mode & S_ISVTX) == 0;
}

static mw_error check_folder(const struct place *place)
{
    struct stat status;
    if (fstat(place->folder, &status) != 0)
        return fail_system(place, errno);
    if (is_writable_by(&status, S_IWOTH))
        return fail_place(place, "everybody may replace it, since its folder can be written by all "
                                 "and has no sticky bit: use another folder, or chmod o-w it");
    return MW_OK;
}

/* Opens the folder of the file, which ends with close_place. */
static mw_error open_place(struct place *place, const char *what, const char *path, mw_reason *why)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash == NULL ? strdup(".") : strndup(path, (size_t)(slash - path) + 1);
    if (folder == NULL)
        return fail_memory(why, what, path);
    int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int number = errno;
    free(folder);
    *place = (struct place){
        .what = what, .path = path, .folder = fd, .name = mwi_path_name(path), .why = why};
    if (fd < 0)
        return fail_system(place, number);
    mw_error error = check_folder(place);
    if (error != MW_OK)
        close(fd);
    return error;
}

static void close_place(struct place *place)
{
    close(place->folder);
}

bool mwi_private_file_warn(const char *what, const char *path, mw_reason *warning)
{
    struct place place;
    struct stat status;
    mw_reason ignored;
    if (open_place(&place, what, path, &ignored) != MW_OK)
        return false;
    bool is_shared = fstat(place.folder, &status) == 0 && is_writable_by(&status, S_IWGRP);
    close_place(&place);
    if (is_shared)
        mwi_private_file_fail(warning, MW_OK, what, path,
                              "a group may replace it, since its folder can be written by the "
                              "group (mode %04o)",
                              (unsigned)(status.st_mode & 07777));
    return is_shared;
}

static mw_error check_file(const struct place *place, const struct stat *status)
{
    if (!S_ISREG(status->st_mode))
        return fail_place(place, "it is not a regular file");
    if (!is_trusted(status->st_uid))
        return mwi_private_file_fail(place->why, MW_EIO, place->what, place->path,
                                     "it belongs to the user %ld, and is only used if it belongs "
                                     "to root or to the user that this process runs as, "
                                     "%ld: name another one",
                                     (long)status->st_uid, (long)geteuid());
    if ((status->st_mode & MODE_OF_OTHERS) != 0)
        return mwi_private_file_fail(place->why, MW_EIO, place->what, place->path,
                                     "others may read or write it (mode %04o): chmod 600 %.120s",
                                     (unsigned)(status->st_mode & 07777), place->path);
    return MW_OK;
}

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

/* Reads a checked file. It has room for a byte more than the file has, which shows that it grew. */
static mw_error read_fd(const struct place *place, int fd, size_t size_max, size_t expected,
                        struct mwi_secret *content, size_t *size)
{
    if (expected > size_max)
        return mwi_private_file_fail(place->why, MW_EIO, place->what, place->path,
                                     "it is larger than %zu bytes", size_max);
    if (!mwi_secret_init(content, expected + 1))
        return fail_memory(place->why, place->what, place->path);
    ssize_t length = read_whole(fd, content->data, expected + 1);
    int number = length < 0 ? errno : ESTALE;
    if (length >= 0 && (size_t)length <= expected) {
        *size = (size_t)length;
        return MW_OK;
    }
    mwi_secret_fini(content);
    return fail_system(place, number);
}

static mw_error read_place(const struct place *place, size_t size_max, struct mwi_secret *content,
                           size_t *size)
{
    struct stat status;
    /* A FIFO without a writer would block the open, or the read, for ever. */
    int fd = openat(place->folder, place->name,
                    O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return fail_system(place, errno);
    mw_error error =
        fstat(fd, &status) == 0 ? check_file(place, &status) : fail_system(place, errno);
    if (error == MW_OK)
        error = read_fd(place, fd, size_max, (size_t)status.st_size, content, size);
    close(fd);
    return error;
}

mw_error mwi_private_file_read(const char *what, const char *path, size_t size_max,
                               struct mwi_secret *content, size_t *size, mw_reason *why)
{
    struct place place;
    char *located;
    mw_error error = mwi_private_file_locate(what, path, &located, why);
    if (error != MW_OK)
        return error;
    error = open_place(&place, what, located, why);
    if (error == MW_OK) {
        error = MW_EUNAVAILABLE;
        for (int i = 0; i < READS_MAX && error == MW_EUNAVAILABLE; i++)
            error = read_place(&place, size_max, content, size);
        close_place(&place);
    }
    free(located);
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

/* Sets the mode once more, because the umask may take away the owner's own bits. Returns 0 or an
 * errno: ENOTSUP on a file system without modes, such as vfat. */
static int keep_private(int fd)
{
    struct stat status;
    bool is_kept = fchmod(fd, MODE_PRIVATE) == 0 && fstat(fd, &status) == 0 &&
                   (status.st_mode & MODE_OF_OTHERS) == 0;
    return is_kept ? 0 : ENOTSUP;
}

/* Makes the file, which must not be there, with this content. Returns 0 or an errno; removes an
 * incomplete file. */
static int write_new(int folder, const char *name, const void *data, size_t size)
{
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY,
                    MODE_PRIVATE);
    if (fd < 0)
        return errno;
    int number = keep_private(fd);
    if (number == 0)
        number = write_whole(fd, data, size);
    if (number == 0)
        number = sync_file(fd);
    if (close(fd) != 0 && number == 0)
        number = errno;
    if (number != 0)
        unlinkat(folder, name, 0);
    return number;
}

int mwi_private_file_name(char name[MWI_PRIVATE_FILE_NAME_BYTES])
{
    unsigned char random[16];
    char digits[2 * sizeof random];
    if (!mwi_secret_fill(random, sizeof random))
        return errno;
    mwi_secret_to_hex(random, sizeof random, digits);
    snprintf(name, MWI_PRIVATE_FILE_NAME_BYTES, ".mw-%.*s.tmp", (int)sizeof digits, digits);
    return 0;
}

int mwi_private_file_put(const char *path, const char *temporary, const void *data, size_t size)
{
    int number = write_new(AT_FDCWD, temporary, data, size);
    if (number != 0)
        return number;
    if (rename(temporary, path) == 0)
        return 0;
    number = errno;
    unlink(temporary);
    return number;
}

/* Renaming over a device or a folder would do harm, or fail late. */
static mw_error check_replaceable(const struct place *place)
{
    struct stat status;
    if (fstatat(place->folder, place->name, &status, 0) != 0 || S_ISREG(status.st_mode))
        return MW_OK;
    return fail_place(place, "it is there, and not a regular file");
}

/* Opens the place for writing. A folder that is missing is not "not yet there" for a writer. */
static mw_error open_writable(struct place *place, const char *what, const char *path,
                              mw_reason *why)
{
    mw_error error = open_place(place, what, path, why);
    if (error == MW_OK) {
        error = check_replaceable(place);
        if (error != MW_OK)
            close_place(place);
    }
    return error == MW_EUNAVAILABLE ? MW_EIO : error;
}

static mw_error end_writing(struct place *place, int number)
{
    close_place(place);
    if (number == ENOTSUP)
        return fail_place(place, "its file system cannot keep it from others: use another folder");
    return number == 0 ? MW_OK : fail_place(place, strerror(number));
}

mw_error mwi_private_file_replace(const char *what, const char *path, const void *data, size_t size,
                                  mw_reason *why)
{
    struct place place;
    char name[MWI_PRIVATE_FILE_NAME_BYTES];
    mw_error error = open_writable(&place, what, path, why);
    if (error != MW_OK)
        return error;
    int number = mwi_private_file_name(name);
    if (number == 0)
        number = write_new(place.folder, name, data, size);
    if (number == 0 && renameat(place.folder, name, place.folder, place.name) != 0) {
        number = errno;
        unlinkat(place.folder, name, 0);
    }
    return end_writing(&place, number);
}

/* A server of a network file system may have made the link although its answer was lost. */
static bool has_link(const struct place *place, const char *name)
{
    struct stat status;
    return fstatat(place->folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && status.st_nlink == 2;
}

/* Gives the new file its place unless the place is taken. Not all file systems know links. Returns
 * 0, EEXIST if the place is taken, or another errno; then the file system can do neither. */
static int settle(const struct place *place, const char *name)
{
    if (linkat(place->folder, name, place->folder, place->name, 0) == 0)
        return 0;
    int number = errno;
    if (has_link(place, name))
        return 0;
    if (number == EEXIST)
        return EEXIST;
    bool is_renamed =
        renameat2(place->folder, name, place->folder, place->name, RENAME_NOREPLACE) == 0;
    return is_renamed ? 0 : errno;
}

/* Returns 0 or an errno: EEXIST if the place is taken. */
static int create_in(const struct place *place, const void *data, size_t size)
{
    char name[MWI_PRIVATE_FILE_NAME_BYTES];
    int number = mwi_private_file_name(name);
    if (number == 0)
        number = write_new(place->folder, name, data, size);
    if (number != 0)
        return number;
    number = settle(place, name);
    unlinkat(place->folder, name, 0);
    if (number != 0 && number != EEXIST)
        number = write_new(place->folder, place->name, data, size);
    return number;
}

mw_error mwi_private_file_create(const char *what, const char *path, const void *data, size_t size,
                                 bool *is_new, mw_reason *why)
{
    struct place place;
    mw_error error = open_writable(&place, what, path, why);
    if (error != MW_OK)
        return error;
    int number = create_in(&place, data, size);
    error = end_writing(&place, number == EEXIST ? 0 : number);
    if (error == MW_OK)
        *is_new = number == 0;
    return error;
}
