/* SPDX-License-Identifier: Apache-2.0
 *
 * The resource file, which is always whole: it is written beside its place and then renamed.
 */
#ifndef MWI_RESOURCE_FILE_H
#define MWI_RESOURCE_FILE_H

#include "record/resource.h"

/* Replaces the file at `path` by a file of mode 0644. Readers see the old or the new file, nothing
 * between. If `path` is a symbolic link, the file replaces the link and not the file behind it.
 * Everything is borrowed for the call. On failure the old file is as it was and nothing else is
 * left behind. Errors, with a sentence that names the file: MW_EIO, and those of
 * mwi_resource_format. */
mw_error mwi_resource_file_write(const char *path, const struct mwi_resource *resource,
                                 mw_reason *why) MW_USE_RESULT;

/* Reads the file at `path` into *resource, which the caller ends with mwi_resource_fini; never
 * waits for a writer. Errors, with a sentence that names the file: those of mwi_resource_parse;
 * MW_EUNAVAILABLE if there is no such file, perhaps not yet; MW_EIO if it cannot be read, or is not
 * a regular file. */
mw_error mwi_resource_file_read(const char *path, struct mwi_resource *resource,
                                mw_reason *why) MW_USE_RESULT;

#endif
