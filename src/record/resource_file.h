/* SPDX-License-Identifier: Apache-2.0
 *
 * The resource file, which is always whole: it is written beside its place and then renamed.
 */
#ifndef MWI_RESOURCE_FILE_H
#define MWI_RESOURCE_FILE_H

#include "record/resource.h"

/* Replaces the file at `path`, or the symbolic link, by a file of mode 0644, in one step for its
 * readers. Everything is borrowed for the call. On failure the old file is as it was and nothing
 * else is left behind. Errors, with a sentence that names the file: MW_EIO, and those of
 * mwi_resource_format. */
mw_error mwi_resource_file_write(const char *path, const struct mwi_resource *resource,
                                 mw_reason *why) MW_USE_RESULT;

/* Reads the file at `path` into *resource, as mwi_resource_parse; never waits for a writer.
 * Errors, with a sentence that names the file: those of mwi_resource_parse; MW_EUNAVAILABLE if
 * there is no such file, not yet perhaps; MW_EIO if it cannot be read, or is no regular file. */
mw_error mwi_resource_file_read(const char *path, struct mwi_resource *resource,
                                mw_reason *why) MW_USE_RESULT;

#endif
