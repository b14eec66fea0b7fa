/* SPDX-License-Identifier: Apache-2.0
 *
 * A file that only grows, and that becomes durable in the background: a table of functions, so that
 * a journal runs alike on a real file (record/disk_file) and on a simulated one (sim/sim_disk).
 * Bytes are appended, a sync asks for all of them to become durable, and `done` tells how far that
 * has come. Only open, read, truncate and await may wait for the disk; the others return at once,
 * or may do the work themselves if there is nothing to do it in the background.
 *
 * After a crash of the machine all bytes up to the last `durable_bytes` are there. Of the bytes
 * behind, any may be there, be missing, or read as zeros, in any order: whoever reads them needs
 * checksums. A file that was not closed may have zeros at its end.
 *
 * Every member must be set. One thread per disk. To add a disk, fill in such a table and run
 * tests/sim/test_disk.c on it.
 */
#ifndef MWI_DISK_H
#define MWI_DISK_H

#include <stddef.h>
#include <stdint.h>

#include <mw/error.h>

struct mwi_disk_progress {
    uint64_t durable_bytes; /* from the start of the file; never falls */
    mw_error error;         /* MW_OK, or the first failure, which stays */
    const char *why;        /* its sentence, empty if there is none; borrowed until close */
};

struct mwi_disk_api {
    /* Opens the file at `path`, copied, or makes an empty one; the bytes that it has are durable
     * then. `environment` is borrowed until close: NULL for a real file, the struct mwi_sim_disk
     * for a simulated one. The file stays locked until close, or until the process is gone; while
     * another has it, open waits for two seconds. *disk is set on success only. With a sentence in
     * why: MW_ESTATE if the file is locked, MW_EIO, MW_ENOMEM. */
    mw_error (*open)(void **disk, const char *path, void *environment, mw_reason *why);

    /* The size of the file in bytes, all that was appended included: where the next append goes. */
    uint64_t (*size)(void *disk);

    /* Reads `size` bytes from `offset` on. They must all be durable. MW_EIO. */
    mw_error (*read)(void *disk, uint64_t offset, void *data, size_t size, mw_reason *why);

    /* Cuts the file off after `size` bytes, durably. Only before the first append; `size` must not
     * be more than the file has. MW_EIO. */
    mw_error (*truncate)(void *disk, uint64_t size, mw_reason *why);

    /* Copies the bytes and puts them at the end of the file. A failure is told by `done`. */
    void (*append)(void *disk, const void *data, size_t size);

    /* Asks that all bytes that were appended so far are written at once, so that they survive this
     * process, and become durable: the sync begins within within_ns nanoseconds, or after one that
     * is under way. A failure is told by `done`: MW_EIO for a full disk or one that cannot be
     * written, MW_ENOMEM. After it nothing is written any more, and append and sync do nothing. */
    void (*sync)(void *disk, int64_t within_ns);

    /* Writes all bytes that were appended so far, and waits until they are durable. Only while
     * nobody waits for the caller, as at the opening of a file. The errors of sync, which `done`
     * tells, too. */
    mw_error (*await)(void *disk, mw_reason *why);

    /* A descriptor that is readable when `done` may tell something new, until `done` is called; -1
     * if the disk has none, and wakes its host by itself. */
    int (*descriptor)(void *disk);

    /* How far the bytes are durable. */
    struct mwi_disk_progress (*done)(void *disk);

    /* Frees all without waiting: bytes that are not durable yet may be lost. NULL is legal. */
    void (*close)(void *disk);
};

#endif
