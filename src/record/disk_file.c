/* SPDX-License-Identifier: Apache-2.0
 *
 * A file behind the table of base/disk.h. Nothing in the library opens one yet: a journal of the
 * master's tasks would. Appended bytes wait in a queue; sync writes the queue at the end of the
 * file and calls fdatasync. Invariants:
 *
 * - durable_bytes <= written_bytes; the queue follows behind the written bytes.
 * - The first failure stays. In particular a failed fdatasync is not tried again: the kernel may
 *   have dropped the pages that it could not write, and the next fdatasync would report success.
 *
 * To sync in the background, hand the queue to a thread in disk_sync and let disk_done ask it how
 * far it is. To halve the cost of a sync, preallocate with fallocate in write_queue.
 */
#include "record/disk_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"

struct disk_file {
    int fd;
    char *path;
    struct mwi_buffer queue;
    uint64_t written_bytes, durable_bytes;
    mw_error error;
    mw_reason why;
};

static mw_error fail_io(mw_reason *why, const char *path, int number)
{
    snprintf(why->text, sizeof why->text, "%.300s: %s", path, strerror(number));
    return MW_EIO;
}

static mw_error fail_memory(mw_reason *why, const char *path)
{
    snprintf(why->text, sizeof why->text, "%.300s: out of memory", path);
    return MW_ENOMEM;
}

static void destroy_file(struct disk_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    mwi_buffer_fini(&file->queue);
    free(file->path);
    free(file);
}

/* Makes the name of the file durable, which a sync of the file itself does not. */
static int sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash == NULL ? strdup(".") : strndup(path, (size_t)(slash - path) + 1);
    int fd = folder != NULL ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    free(folder);
    if (fd < 0)
        return -1;
    int status = fsync(fd);
    int number = errno;
    close(fd);
    errno = number;
    return status;
}

/* Makes the bytes durable that an earlier process may have left unsynced when it died. */
static mw_error open_path(struct disk_file *file, mw_reason *why)
{
    struct stat found;
    file->fd = open(file->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
    if (file->fd < 0 || fstat(file->fd, &found) != 0)
        return fail_io(why, file->path, errno);
    if (found.st_size > 0 ? fdatasync(file->fd) != 0 : sync_folder(file->path) != 0)
        return fail_io(why, file->path, errno);
    file->written_bytes = (uint64_t)found.st_size;
    file->durable_bytes = file->written_bytes;
    return MW_OK;
}

static mw_error disk_open(void **disk, const char *path, void *environment, mw_reason *why)
{
    assert(environment == NULL);
    struct disk_file *file = malloc(sizeof *file);
    if (file == NULL)
        return fail_memory(why, path);
    *file = (struct disk_file){.fd = -1, .path = strdup(path)};
    mwi_buffer_init(&file->queue);
    mw_error error = file->path == NULL ? fail_memory(why, path) : open_path(file, why);
    if (error != MW_OK) {
        destroy_file(file);
        return error;
    }
    *disk = file;
    return MW_OK;
}

static uint64_t disk_size(void *disk)
{
    const struct disk_file *file = disk;
    return file->written_bytes + file->queue.size;
}

static mw_error disk_read(void *disk, uint64_t offset, void *data, size_t size, mw_reason *why)
{
    const struct disk_file *file = disk;
    assert(offset <= file->durable_bytes && size <= file->durable_bytes - offset);
    for (size_t done = 0; done < size;) {
        ssize_t count = pread(file->fd, (char *)data + done, size - done, (off_t)(offset + done));
        if (count < 0 && errno != EINTR)
            return fail_io(why, file->path, errno);
        if (count == 0)
            return fail_io(why, file->path, EIO); /* somebody else has cut the file off */
        done += count > 0 ? (size_t)count : 0;
    }
    return MW_OK;
}

static mw_error disk_truncate(void *disk, uint64_t size, mw_reason *why)
{
    struct disk_file *file = disk;
    assert(file->queue.size == 0 && size <= file->durable_bytes);
    if (ftruncate(file->fd, (off_t)size) != 0 || fsync(file->fd) != 0)
        return fail_io(why, file->path, errno);
    file->written_bytes = size;
    file->durable_bytes = size;
    return MW_OK;
}

static void disk_append(void *disk, const void *data, size_t size)
{
    struct disk_file *file = disk;
    if (file->error != MW_OK)
        return;
    mwi_buffer_append(&file->queue, data, size);
    if (file->queue.has_failed)
        file->error = fail_memory(&file->why, file->path);
}

static bool write_queue(struct disk_file *file)
{
    for (size_t done = 0; done < file->queue.size;) {
        ssize_t count = pwrite(file->fd, file->queue.data + done, file->queue.size - done,
                               (off_t)(file->written_bytes + done));
        if (count < 0 && errno != EINTR)
            return false;
        done += count > 0 ? (size_t)count : 0;
    }
    file->written_bytes += file->queue.size;
    mwi_buffer_clear(&file->queue);
    return true;
}

static void disk_sync(void *disk)
{
    struct disk_file *file = disk;
    if (file->error != MW_OK || disk_size(file) == file->durable_bytes)
        return;
    if (!write_queue(file) || fdatasync(file->fd) != 0)
        file->error = fail_io(&file->why, file->path, errno);
    else
        file->durable_bytes = file->written_bytes;
}

static struct mwi_disk_progress disk_done(void *disk)
{
    const struct disk_file *file = disk;
    assert(file->durable_bytes <= file->written_bytes);
    return (struct mwi_disk_progress){
        .durable_bytes = file->durable_bytes, .error = file->error, .why = file->why.text};
}

static void disk_close(void *disk)
{
    if (disk != NULL)
        destroy_file(disk);
}

const struct mwi_disk_api mwi_disk_file_api = {
    .open = disk_open,
    .size = disk_size,
    .read = disk_read,
    .truncate = disk_truncate,
    .append = disk_append,
    .sync = disk_sync,
    .done = disk_done,
    .close = disk_close,
};
