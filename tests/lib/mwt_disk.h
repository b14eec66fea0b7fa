/* SPDX-License-Identifier: Apache-2.0
 *
 * The disk of base/disk.h on bytes in memory, which a test may change between two openings. Its
 * environment is the struct mwt_disk; the path is ignored. Appended bytes are durable at once.
 */
#ifndef MWT_DISK_H
#define MWT_DISK_H

#include <stdlib.h>
#include <string.h>

#include "base/disk.h"

/* All zero: an empty file. */
struct mwt_disk {
    unsigned char *bytes; /* malloc'd */
    size_t size, capacity;
};

static inline mw_error mwt_disk_open(void **disk, const char *path, void *environment,
                                     mw_reason *why)
{
    (void)path, (void)why;
    *disk = environment;
    return MW_OK;
}

static inline uint64_t mwt_disk_size(void *disk)
{
    return ((struct mwt_disk *)disk)->size;
}

static inline mw_error mwt_disk_read(void *disk, uint64_t offset, void *data, size_t size,
                                     mw_reason *why)
{
    const struct mwt_disk *file = disk;
    (void)why;
    if (offset > file->size || size > file->size - offset)
        abort();
    if (size > 0)
        memcpy(data, file->bytes + offset, size);
    return MW_OK;
}

static inline mw_error mwt_disk_truncate(void *disk, uint64_t size, mw_reason *why)
{
    (void)why;
    ((struct mwt_disk *)disk)->size = (size_t)size;
    return MW_OK;
}

static inline void mwt_disk_append(void *disk, const void *data, size_t size)
{
    struct mwt_disk *file = disk;
    if (file->size + size > file->capacity) {
        file->capacity = 2 * (file->size + size);
        file->bytes = realloc(file->bytes, file->capacity);
        if (file->bytes == NULL)
            abort();
    }
    if (size > 0)
        memcpy(file->bytes + file->size, data, size);
    file->size += size;
}

static inline void mwt_disk_sync(void *disk, int64_t within_ns)
{
    (void)disk, (void)within_ns;
}

static inline mw_error mwt_disk_await(void *disk, mw_reason *why)
{
    (void)disk, (void)why;
    return MW_OK;
}

static inline int mwt_disk_descriptor(void *disk)
{
    (void)disk;
    return -1;
}

static inline struct mwi_disk_progress mwt_disk_done(void *disk)
{
    return (struct mwi_disk_progress){.durable_bytes = mwt_disk_size(disk), .why = ""};
}

static inline void mwt_disk_close(void *disk)
{
    (void)disk;
}

static const struct mwi_disk_api mwt_disk_api = {.open = mwt_disk_open,
                                                 .size = mwt_disk_size,
                                                 .read = mwt_disk_read,
                                                 .truncate = mwt_disk_truncate,
                                                 .append = mwt_disk_append,
                                                 .sync = mwt_disk_sync,
                                                 .await = mwt_disk_await,
                                                 .descriptor = mwt_disk_descriptor,
                                                 .done = mwt_disk_done,
                                                 .close = mwt_disk_close};

static inline void mwt_disk_fini(struct mwt_disk *disk)
{
    free(disk->bytes);
    *disk = (struct mwt_disk){0};
}

#endif
