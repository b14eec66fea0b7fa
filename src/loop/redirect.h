/* SPDX-License-Identifier: Apache-2.0
 *
 * Sends standard output and standard error of a slave to a file while the slave runs tasks. Only
 * mw_main calls this: an embedded slave leaves the streams of its process alone.
 */
#ifndef MWI_REDIRECT_H
#define MWI_REDIRECT_H

#include <mw/error.h>

struct mwi_redirect {
    int output, error; /* copies of the old descriptors; -1: nothing is redirected */
};

/* From now on both streams are appended to the file whose name is `pattern` with its placeholders
 * filled in by mwi_file_pattern_expand. `node` is the name of the slave, NULL for a slave without a
 * number. The strings are borrowed for the call. Does nothing if `pattern` is NULL. Errors, with a
 * sentence that names --mw-slave-output, after which the streams are as they were: MW_EUSAGE for
 * the pattern, MW_EIO, MW_ENOMEM. Call mwi_redirect_close afterwards in any case. */
mw_error mwi_redirect_open(struct mwi_redirect *redirect, const char *pattern,
                           const char *member_id, const char *node, mw_reason *why) MW_USE_RESULT;

/* Puts the streams back. */
void mwi_redirect_close(struct mwi_redirect *redirect);

#endif
