/* SPDX-License-Identifier: Apache-2.0
 *
 * A file behind the table of base/disk.h, for the journal of a master. Appended bytes wait in a
 * queue of chunks, until sync asks the thread to write them at the end of the file and to call
 * fdatasync. Invariants:
 *
 * - durable_bytes <= written_bytes <= asked_bytes <= appended_bytes. The queue has the bytes from
 *   written_bytes to appended_bytes. The thread reads only those before asked_bytes, without the
 *   mutex; the owner appends only behind them, without it too. The list of chunks is under it.
 * - A chunk whose bytes are written is used again, the last first: its memory is in the cache.
 * - The first failure stays. In particular a failed fdatasync is not tried again: the kernel may
 *   have dropped the pages that it could not write, and the next fdatasync would report success.
 * - The file is made longer in large steps, and is cut to its real size at close. A sync is cheaper
 *   when the file keeps its size: half as long on the machine where it was measured.
 * - In a child of fork() there is no thread, and the file is the parent's: close only frees.
 * - Close drops bytes that were not synced: whoever needs them awaits them first.
 */
#include "record/disk_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/fork_guard.h"
#include "base/time.h"

#define STEP_BYTES ((uint64_t)4 << 20)
/* Of a chunk; many that are written by one call; more than these are not kept for later. */
#define CHUNK_BYTES ((size_t)256 << 10)
#define PARTS_MAX 16
#define SPARES_MAX 64
/* A lock is asked for so often, with this pause. */
#define LOCK_TRIES 20
#define LOCK_PAUSE_NS (100 * MWI_NS_PER_MS)
/* How often a file is opened that is no more at its path when it is locked. */
#define OPEN_TRIES 10
/* In place of an errno: the file is not what was written any more. */
#define REMOVED (-1)

struct chunk {
    struct chunk *next;
    unsigned char data[CHUNK_BYTES];
};

struct disk_file {
    int fd, told_fd;
    pid_t pid; /* of the process that has opened it */
    char *path;
    uint64_t appended_bytes; /* this and the next two are the owner's */
    struct chunk *last;      /* has room for CHUNK_BYTES - last_size bytes more; NULL: none */
    size_t last_size;
    atomic_bool has_ended; /* set with `error`: nothing is appended any more */
    uint64_t room_bytes;   /* the size of the file, preallocated bytes included; the thread's */
    bool can_allocate;     /* likewise */
    bool has_thread;
    pthread_t thread;
    pthread_mutex_t mutex; /* protects all that follows */
    pthread_cond_t changed;
    struct chunk *first; /* of the queue */
    size_t first_done;   /* bytes of it that are written */
    struct chunk *spares;
    size_t spares_count;
    bool has_unsynced; /* sync_ns is when a sync is to begin at the latest */
    int64_t sync_ns;
    uint64_t asked_bytes, written_bytes, durable_bytes;
    mw_error error;
    mw_reason why;
    bool is_closing;
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

/* The monotonic clock, on which `changed` waits (see pthread_condattr_setclock). */
static int64_t now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * MWI_NS_PER_S + time.tv_nsec;
}

static void tell(struct disk_file *file)
{
    const uint64_t one = 1;
    ssize_t ignored = write(file->told_fd, &one, sizeof one);
    (void)ignored;
}

/* With the mutex. The first failure stays. */
static void fail(struct disk_file *file, mw_error error, int number)
{
    if (file->error != MW_OK)
        return;
    atomic_store_explicit(&file->has_ended, true, memory_order_relaxed);
    file->error = error;
    if (error == MW_ENOMEM)
        (void)fail_memory(&file->why, file->path);
    else if (number == REMOVED)
        snprintf(file->why.text, sizeof file->why.text,
                 "%.300s: somebody has removed it or cut it off", file->path);
    else
        (void)fail_io(&file->why, file->path, number);
}

/* In the thread: whether the file still has a name, and all that was written. Somebody may have
 * removed it or cut it off. */
static bool is_intact(const struct disk_file *file, uint64_t size)
{
    struct stat status;
    return fstat(file->fd, &status) != 0 ||
           (status.st_nlink > 0 && (uint64_t)status.st_size >= size);
}

/* Makes the file longer, so that it has room for `end_bytes`. Where that cannot be done, writing
 * makes it longer. */
static void make_room(struct disk_file *file, uint64_t end_bytes)
{
    if (!file->can_allocate || end_bytes <= file->room_bytes)
        return;
    uint64_t room = (end_bytes / STEP_BYTES + 1) * STEP_BYTES;
    file->can_allocate =
        fallocate(file->fd, 0, (off_t)file->room_bytes, (off_t)(room - file->room_bytes)) == 0;
    if (file->can_allocate)
        file->room_bytes = room;
}

/* With the mutex. */
static void recycle_chunk(struct disk_file *file, struct chunk *chunk)
{
    if (file->spares_count == SPARES_MAX) {
        free(chunk);
        return;
    }
    chunk->next = file->spares;
    file->spares = chunk;
    file->spares_count++;
}

/* With the mutex: takes these bytes, which are written, out of the queue. */
static void leave_behind(struct disk_file *file, size_t size)
{
    file->written_bytes += size;
    file->first_done += size;
    while (file->first_done >= CHUNK_BYTES) {
        struct chunk *chunk = file->first;
        file->first = chunk->next;
        file->first_done -= CHUNK_BYTES;
        recycle_chunk(file, chunk);
    }
}

/* With the mutex: sets `parts` to the bytes that are to be written next, and returns how many. */
static size_t find_parts(const struct disk_file *file, struct iovec parts[PARTS_MAX], int *count)
{
    uint64_t left = file->asked_bytes - file->written_bytes;
    size_t at = file->first_done, sum = 0;
    struct chunk *chunk = file->first;
    for (*count = 0; left > 0 && *count < PARTS_MAX; chunk = chunk->next) {
        size_t size = left < CHUNK_BYTES - at ? (size_t)left : CHUNK_BYTES - at;
        parts[(*count)++] = (struct iovec){chunk->data + at, size};
        left -= size;
        sum += size;
        at = 0;
    }
    return sum;
}

/* Lets the disk begin with many bytes that were just written, while the next ones are: the sync
 * then has less to wait for. With few bytes it would only have more to do. */
static void begin_transfer(const struct disk_file *file, uint64_t offset, ssize_t size)
{
    if (size < (ssize_t)CHUNK_BYTES)
        return;
    int ignored = sync_file_range(file->fd, (off_t)offset, size, SYNC_FILE_RANGE_WRITE);
    (void)ignored;
}

/* In the thread, with the mutex, which is released meanwhile: writes bytes of the queue. */
static void write_queue(struct disk_file *file)
{
    struct iovec parts[PARTS_MAX];
    int count;
    size_t size = find_parts(file, parts, &count);
    uint64_t offset = file->written_bytes;
    pthread_mutex_unlock(&file->mutex);
    bool is_there = is_intact(file, offset);
    make_room(file, offset + size);
    ssize_t done = pwritev(file->fd, parts, count, (off_t)offset);
    int number = done < 0 && errno != EINTR ? errno : 0;
    begin_transfer(file, offset, done);
    pthread_mutex_lock(&file->mutex);
    if (number != 0 || !is_there)
        fail(file, MW_EIO, is_there ? number : REMOVED);
    else if (done > 0)
        leave_behind(file, (size_t)done);
}

/* The same: makes durable what was written. Bytes that came meanwhile are due, too. */
static void sync_written(struct disk_file *file)
{
    uint64_t end_bytes = file->written_bytes;
    file->has_unsynced = file->asked_bytes > end_bytes;
    pthread_mutex_unlock(&file->mutex);
    int number = fdatasync(file->fd) == 0 ? 0 : errno;
    if (number == 0 && !is_intact(file, end_bytes))
        number = REMOVED;
    pthread_mutex_lock(&file->mutex);
    if (number != 0)
        fail(file, MW_EIO, number);
    else
        file->durable_bytes = end_bytes;
}

/* Waits until there is something to do, or the time for a sync has come. */
static void wait_for_work(struct disk_file *file)
{
    if (!file->has_unsynced) {
        pthread_cond_wait(&file->changed, &file->mutex);
        return;
    }
    struct timespec until = {.tv_sec = file->sync_ns / MWI_NS_PER_S,
                             .tv_nsec = file->sync_ns % MWI_NS_PER_S};
    (void)pthread_cond_timedwait(&file->changed, &file->mutex, &until);
}

static void *run_thread(void *context)
{
    struct disk_file *file = context;
    pthread_mutex_lock(&file->mutex);
    while (!file->is_closing && file->error == MW_OK) {
        bool is_due = file->has_unsynced && now_ns() >= file->sync_ns;
        bool has_more = file->asked_bytes > file->written_bytes;
        if (has_more)
            write_queue(file);
        if (is_due && file->error == MW_OK)
            sync_written(file);
        if (!has_more && !is_due)
            wait_for_work(file);
        if (is_due || file->error != MW_OK)
            tell(file);
    }
    pthread_mutex_unlock(&file->mutex);
    return NULL;
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

/* Locks the file. A master that was killed may need a moment to let it go. */
static mw_error lock(struct disk_file *file, mw_reason *why)
{
    const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int status = -1;
    for (int i = 0; i < LOCK_TRIES && status != 0; i++) {
        if (i > 0)
            nanosleep(&pause, NULL);
        status = fcntl(file->fd, F_OFD_SETLK, &whole);
        if (status != 0 && errno != EAGAIN && errno != EACCES)
            return fail_io(why, file->path, errno);
    }
    if (status == 0)
        return MW_OK;
    snprintf(why->text, sizeof why->text, "%.300s: another process has it", file->path);
    return MW_ESTATE;
}

/* Whether the path still leads to the file; with AT_SYMLINK_NOFOLLOW, and not by a link. */
static bool is_at_path(const struct disk_file *file, int flags)
{
    struct stat there, here;
    return fstatat(AT_FDCWD, file->path, &there, flags) == 0 && fstat(file->fd, &here) == 0 &&
           there.st_ino == here.st_ino && there.st_dev == here.st_dev;
}

/* Does not wait for somebody at the other end of a FIFO, which is refused later. */
static mw_error open_and_lock(struct disk_file *file, mw_reason *why)
{
    mwi_fork_guard_begin();
    file->fd = mwi_fork_guard_opened(
        open(file->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600));
    return file->fd < 0 ? fail_io(why, file->path, errno) : lock(file, why);
}

/* The file has that many bytes, all of them durable. */
static void set_size(struct disk_file *file, uint64_t size)
{
    file->appended_bytes = file->asked_bytes = size;
    file->written_bytes = file->durable_bytes = file->room_bytes = size;
}

/* Opens the file that the path leads to once it is locked: another one may have taken its place, or
 * somebody may have removed it, while this process waited for the lock. */
static mw_error open_at_path(struct disk_file *file, mw_reason *why)
{
    for (int i = 0; i < OPEN_TRIES; i++) {
        mw_error error = open_and_lock(file, why);
        if (error != MW_OK || is_at_path(file, 0))
            return error;
        mwi_fork_guard_close(file->fd);
        file->fd = -1;
    }
    snprintf(why->text, sizeof why->text, "%.300s: it is replaced again and again", file->path);
    return MW_EIO;
}

/* Makes the bytes and the name durable that an earlier process may have left unsynced when it died.
 * Only a regular file keeps them. */
static mw_error open_path(struct disk_file *file, mw_reason *why)
{
    struct stat found;
    mw_error error = open_at_path(file, why);
    if (error != MW_OK)
        return error;
    if (fstat(file->fd, &found) != 0)
        return fail_io(why, file->path, errno);
    if (!S_ISREG(found.st_mode)) {
        snprintf(why->text, sizeof why->text, "%.300s: it is no regular file", file->path);
        return MW_EIO;
    }
    if ((found.st_size > 0 && fdatasync(file->fd) != 0) || sync_folder(file->path) != 0)
        return fail_io(why, file->path, errno);
    set_size(file, (uint64_t)found.st_size);
    file->can_allocate = true;
    return MW_OK;
}

/* The thread must not take a signal that is meant for the program. */
static mw_error start_thread(struct disk_file *file, mw_reason *why)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int number = pthread_create(&file->thread, NULL, run_thread, file);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    file->has_thread = number == 0;
    return number == 0 ? MW_OK : fail_io(why, file->path, number);
}

static void init_file(struct disk_file *file, const char *path)
{
    pthread_condattr_t attributes;
    *file = (struct disk_file){.fd = -1, .told_fd = -1, .path = strdup(path), .pid = getpid()};
    pthread_mutex_init(&file->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&file->changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

static void stop_thread(struct disk_file *file)
{
    pthread_mutex_lock(&file->mutex);
    file->is_closing = true;
    pthread_cond_signal(&file->changed);
    pthread_mutex_unlock(&file->mutex);
    pthread_join(file->thread, NULL);
}

/* Cuts off what was preallocated. A file that has failed is left as it is. */
static void trim_file(const struct disk_file *file)
{
    if (file->room_bytes <= file->written_bytes || file->error != MW_OK)
        return;
    int ignored = ftruncate(file->fd, (off_t)file->written_bytes);
    (void)ignored;
}

/* In the process that has opened the file. In a child of fork() the mutex may be held for ever. */
static void end_file(struct disk_file *file)
{
    if (file->has_thread)
        stop_thread(file);
    trim_file(file);
    pthread_mutex_destroy(&file->mutex);
    pthread_cond_destroy(&file->changed);
}

static void free_chunks(struct chunk *chunk)
{
    while (chunk != NULL) {
        struct chunk *next = chunk->next;
        free(chunk);
        chunk = next;
    }
}

static void destroy_file(struct disk_file *file)
{
    if (file->pid == getpid())
        end_file(file);
    if (file->fd >= 0)
        mwi_fork_guard_close(file->fd);
    if (file->told_fd >= 0)
        close(file->told_fd);
    free_chunks(file->first);
    free_chunks(file->spares);
    free(file->path);
    free(file);
}

static mw_error disk_open(void **disk, const char *path, void *environment, mw_reason *why)
{
    assert(environment == NULL);
    struct disk_file *file = malloc(sizeof *file);
    if (file == NULL)
        return fail_memory(why, path);
    init_file(file, path);
    mw_error error = file->path == NULL ? fail_memory(why, path) : open_path(file, why);
    if (error == MW_OK) {
        file->told_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        error = file->told_fd < 0 ? fail_io(why, path, errno) : start_thread(file, why);
    }
    if (error != MW_OK) {
        destroy_file(file);
        return error;
    }
    *disk = file;
    return MW_OK;
}

static uint64_t disk_size(void *disk)
{
    return ((struct disk_file *)disk)->appended_bytes;
}

static mw_error disk_read(void *disk, uint64_t offset, void *data, size_t size, mw_reason *why)
{
    const struct disk_file *file = disk;
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

/* The thread has nothing to do yet, but may be looking for it. */
static mw_error disk_truncate(void *disk, uint64_t size, mw_reason *why)
{
    struct disk_file *file = disk;
    assert(file->appended_bytes == file->durable_bytes && size <= file->durable_bytes);
    if (ftruncate(file->fd, (off_t)size) != 0 || fsync(file->fd) != 0)
        return fail_io(why, file->path, errno);
    pthread_mutex_lock(&file->mutex);
    set_size(file, size);
    pthread_mutex_unlock(&file->mutex);
    return MW_OK;
}

/* With the mutex: a spare chunk, or a new one; NULL out of memory. */
static struct chunk *take_chunk(struct disk_file *file)
{
    struct chunk *chunk = file->spares;
    if (chunk == NULL)
        chunk = malloc(sizeof *chunk);
    else
        file->spares = chunk->next;
    file->spares_count -= file->spares_count > 0;
    if (chunk != NULL)
        chunk->next = NULL;
    return chunk;
}

/* Puts a chunk at the end of the queue; false out of memory, or after a failure. */
static bool add_chunk(struct disk_file *file)
{
    pthread_mutex_lock(&file->mutex);
    struct chunk *chunk = file->error == MW_OK ? take_chunk(file) : NULL;
    if (chunk == NULL)
        fail(file, MW_ENOMEM, 0);
    else if (file->first == NULL)
        file->first = chunk;
    else
        file->last->next = chunk;
    pthread_mutex_unlock(&file->mutex);
    file->last = chunk;
    file->last_size = 0;
    return chunk != NULL;
}

static void disk_append(void *disk, const void *data, size_t size)
{
    struct disk_file *file = disk;
    for (const unsigned char *from = data; size > 0;) {
        size_t room = file->last == NULL ? 0 : CHUNK_BYTES - file->last_size;
        size_t part = size < room ? size : room;
        bool has_ended = atomic_load_explicit(&file->has_ended, memory_order_relaxed);
        if (has_ended || (room == 0 && !add_chunk(file)))
            return;
        memcpy(file->last->data + file->last_size, from, part);
        file->last_size += part;
        file->appended_bytes += part;
        from += part;
        size -= part;
    }
}

static void disk_sync(void *disk, int64_t within_ns)
{
    struct disk_file *file = disk;
    pthread_mutex_lock(&file->mutex);
    if (file->error == MW_OK && file->appended_bytes > file->durable_bytes) {
        int64_t sync_ns = mwi_time_after(now_ns(), within_ns);
        file->asked_bytes = file->appended_bytes;
        if (!file->has_unsynced || sync_ns < file->sync_ns)
            file->sync_ns = sync_ns;
        file->has_unsynced = true;
        pthread_cond_signal(&file->changed);
    }
    pthread_mutex_unlock(&file->mutex);
}

static int disk_descriptor(void *disk)
{
    return ((struct disk_file *)disk)->told_fd;
}

static struct mwi_disk_progress disk_done(void *disk)
{
    struct disk_file *file = disk;
    uint64_t count;
    ssize_t ignored = read(file->told_fd, &count, sizeof count);
    (void)ignored;
    pthread_mutex_lock(&file->mutex);
    assert(file->durable_bytes <= file->written_bytes && file->written_bytes <= file->asked_bytes &&
           file->asked_bytes <= file->appended_bytes);
    struct mwi_disk_progress progress = {
        .durable_bytes = file->durable_bytes, .error = file->error, .why = file->why.text};
    pthread_mutex_unlock(&file->mutex);
    return progress;
}

static void disk_close(void *disk)
{
    if (disk != NULL)
        destroy_file(disk);
}

static mw_error disk_await(void *disk, mw_reason *why)
{
    struct disk_file *file = disk;
    uint64_t end_bytes = disk_size(disk);
    disk_sync(disk, 0);
    for (;;) {
        struct mwi_disk_progress progress = disk_done(disk);
        if (progress.error != MW_OK)
            snprintf(why->text, sizeof why->text, "%s", progress.why);
        if (progress.error != MW_OK || progress.durable_bytes >= end_bytes)
            return progress.error;
        (void)poll(&(struct pollfd){.fd = file->told_fd, .events = POLLIN}, 1, -1);
    }
}

mw_error mwi_disk_file_replace(void *disk, void *by, mw_reason *why)
{
    struct disk_file *file = disk, *fresh = by;
    struct stat status;
    assert(fresh->durable_bytes == disk_size(by));
    if (fstat(file->fd, &status) != 0 || fchmod(fresh->fd, status.st_mode & 0777) != 0)
        return fail_io(why, fresh->path, errno);
    if (!is_at_path(file, AT_SYMLINK_NOFOLLOW)) {
        snprintf(why->text, sizeof why->text, "%.300s: it is a link", file->path);
        return MW_EIO;
    }
    if (rename(fresh->path, file->path) != 0 || sync_folder(file->path) != 0)
        return fail_io(why, file->path, errno);
    return MW_OK;
}

const struct mwi_disk_api mwi_disk_file_api = {
    .open = disk_open,
    .size = disk_size,
    .read = disk_read,
    .truncate = disk_truncate,
    .append = disk_append,
    .sync = disk_sync,
    .await = disk_await,
    .descriptor = disk_descriptor,
    .done = disk_done,
    .close = disk_close,
};
