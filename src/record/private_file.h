/* SPDX-License-Identifier: Apache-2.0
 *
 * Small files that only their owner may read: the resource file and the key file. `what` names the
 * kind of the file in sentences, such as "key file"; sentences begin with it and the path.
 *
 * Everything is borrowed for the call. Errors, with a sentence: MW_EUNAVAILABLE if there is no such
 * file, perhaps not yet; MW_EIO if the file, or its folder, is not as it must be, or cannot be read
 * or written; MW_ENOMEM.
 */
#ifndef MWI_PRIVATE_FILE_H
#define MWI_PRIVATE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include <mw/error.h>

#include "base/secret.h"

/* Room for the name of a temporary file, beside the file that it will replace. */
#define MWI_PRIVATE_FILE_NAME_BYTES 48

/* Finds where the file that the user calls `path` is to be read or written: an absolute path
 * without links, so that neither a change of the working directory nor one of a link moves the
 * file. If `path` is a symbolic link, the place is that of the link's target, which need not exist
 * yet; a link of another user than this one or root is an error. *located is malloc'd. */
mw_error mwi_private_file_locate(const char *what, const char *path, char **located,
                                 mw_reason *why) MW_USE_RESULT;

/* Reads the file into content->data, *size bytes and a NUL behind them; the caller ends *content.
 * Refuses a file that is larger than size_max, is no regular file, belongs to another user than
 * this one or root, or can be read or written by others; a folder that everybody may write and that
 * has no sticky bit; and links as locate does. Never waits for a writer. */
mw_error mwi_private_file_read(const char *what, const char *path, size_t size_max,
                               struct mwi_secret *content, size_t *size,
                               mw_reason *why) MW_USE_RESULT;

/* Replaces the file by a new one of mode 0600, or makes it. Readers see the old or the new file,
 * nothing between. `path` is from mwi_private_file_locate: a symbolic link would be replaced
 * itself. On failure the old file is as it was, and nothing else is left behind. */
mw_error mwi_private_file_replace(const char *what, const char *path, const void *data, size_t size,
                                  mw_reason *why) MW_USE_RESULT;

/* The same if there is no such file; if there is one, it stays, and *is_new is false. Of several
 * processes that do this at once, one makes the file. Readers see no file or the whole one; on file
 * systems that know neither hard links nor renaming without replacing, they may see a part. */
mw_error mwi_private_file_create(const char *what, const char *path, const void *data, size_t size,
                                 bool *is_new, mw_reason *why) MW_USE_RESULT;

/* Writes a sentence to *warning if other users may replace or remove the file, as its folder can be
 * written by a group and has no sticky bit. Returns whether it did. */
bool mwi_private_file_warn(const char *what, const char *path, mw_reason *warning);

/* The steps of replace for a signal handler, which cannot make the random name: the name is made
 * before, and the file is written in a folder that a call of replace has found good. Returns 0 or
 * an errno. The second one is safe in a signal handler. */
int mwi_private_file_name(char name[MWI_PRIVATE_FILE_NAME_BYTES]);
int mwi_private_file_put(const char *path, const char *temporary, const void *data, size_t size);

/* Writes a sentence that begins with the file's kind and path, and returns the error. */
mw_error mwi_private_file_fail(mw_reason *why, mw_error error, const char *what, const char *path,
                               const char *format, ...) MW_PRINTF(5, 6);

#endif
