/* SPDX-License-Identifier: Apache-2.0
 *
 * The resource file, which is always whole: it is written beside its place and then renamed.
 */
#ifndef MWI_RESOURCE_FILE_H
#define MWI_RESOURCE_FILE_H

#include <sys/types.h>

#include "record/resource.h"

/* Finds where the resource file that the user calls `path` is to be written, once for the whole
 * run: an absolute path without links, so that neither a change of the working directory nor one
 * of a link moves the file. If `path` is a symbolic link, the place is that of the link's target,
 * which need not exist yet. *located is malloc'd. Errors, with a sentence: MW_EIO if a link is
 * neither this user's own nor root's, or the file is there and not a regular file; MW_ENOMEM. */
mw_error mwi_resource_file_locate(const char *path, char **located, mw_reason *why) MW_USE_RESULT;

/* Replaces the file at `path` by a file of mode 0644. Readers see the old or the new file, nothing
 * between. `path` is from mwi_resource_file_locate: a symbolic link would be replaced itself.
 * Everything is borrowed for the call. On failure the old file is as it was and nothing else is
 * left behind. Errors, with a sentence that names the file: MW_EIO, and those of
 * mwi_resource_format. */
mw_error mwi_resource_file_write(const char *path, const struct mwi_resource *resource,
                                 mw_reason *why) MW_USE_RESULT;

/* A writing that a signal handler can do. All zero: there is none. */
struct mwi_resource_file_last {
    char *path, *temporary, *text;
    char *timestamp; /* in the text: as many digits as the time has */
    dev_t device;    /* of the file that it replaces */
    ino_t inode;
};

/* Prepares the writing of the resource to `path`, where this master has just written its file.
 * Copies. The timestamp of the resource has as many digits as the time of the writing will have.
 * Errors, with a sentence: those of mwi_resource_format. */
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
 * waits for a writer. Errors, with a sentence that names the file: those of mwi_resource_parse;
 * MW_EUNAVAILABLE if there is no such file, perhaps not yet; MW_EIO if it cannot be read, or is not
 * a regular file. */
mw_error mwi_resource_file_read(const char *path, struct mwi_resource *resource,
                                mw_reason *why) MW_USE_RESULT;

#endif
