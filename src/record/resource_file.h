/* SPDX-License-Identifier: Apache-2.0
 *
 * The resource file, which is always whole: it is written beside its place and then renamed. Only
 * its owner may read it, since it has the farm's key; see record/private_file.h.
 */
#ifndef MWI_RESOURCE_FILE_H
#define MWI_RESOURCE_FILE_H

#include <stdbool.h>
#include <sys/types.h>

#include "record/resource.h"

/* Finds where the resource file that the user calls `path` is to be written, once for the whole
 * run: see mwi_private_file_locate, whose errors it has; and MW_EIO if a device, a folder or the
 * like is there. */
mw_error mwi_resource_file_locate(const char *path, char **located, mw_reason *why) MW_USE_RESULT;

/* As mwi_private_file_warn: whether a group may replace the file. */
bool mwi_resource_file_warn(const char *path, mw_reason *warning);

/* Replaces the file at `path` by a file of mode 0600. Readers see the old or the new file, nothing
 * between. `path` is from mwi_resource_file_locate: a symbolic link would be replaced itself.
 * Everything is borrowed for the call. On failure the old file is as it was and nothing else is
 * left behind. Errors, with a sentence that names the file: MW_EIO, as for a folder
 * that everybody may write and that has no sticky bit; and those of mwi_resource_format. */
mw_error mwi_resource_file_write(const char *path, const struct mwi_resource *resource,
                                 mw_reason *why) MW_USE_RESULT;

/* A writing that a signal handler can do. All zero: there is none. */
struct mwi_resource_file_last {
    char *path, *temporary;
    struct mwi_secret text;
    size_t size;
    char *timestamp; /* in the text: as many digits as the time has */
    dev_t device;    /* of the file that it replaces */
    ino_t inode;
};

/* Prepares the writing of the resource to `path`, where this master has just written its file.
 * Copies. The timestamp of the resource has as many digits as the time of the writing will have.
 * Errors, with a sentence: MW_EIO, and those of mwi_resource_format. */
mw_error mwi_resource_file_prepare(struct mwi_resource_file_last *last, const char *path,
                                   const struct mwi_resource *resource,
                                   mw_reason *why) MW_USE_RESULT;

/* This master has written its file again, so that it is another one now. */
void mwi_resource_file_note(struct mwi_resource_file_last *last);

/* Writes it with the time of now, unless the file is not this master's any more. Safe in a signal
 * handler. */
void mwi_resource_file_write_last(const struct mwi_resource_file_last *last);

void mwi_resource_file_fini_last(struct mwi_resource_file_last *last);

/* Reads the file at `path` into *resource, which the caller ends with mwi_resource_fini; never
 * waits for a writer. Errors, with a sentence that names the file: those of mwi_private_file_read
 * and of mwi_resource_parse. */
mw_error mwi_resource_file_read(const char *path, struct mwi_resource *resource,
                                mw_reason *why) MW_USE_RESULT;

#endif
