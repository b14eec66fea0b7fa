/* SPDX-License-Identifier: Apache-2.0
 *
 * Standard output and standard error of a slave that go to a file of its own while it runs tasks.
 * mw_main is the one user: an embedded slave changes nothing of its process.
 */
#ifndef MWI_REDIRECT_H
#define MWI_REDIRECT_H

#include <mw/error.h>

struct mwi_redirect {
    int output, error; /* copies of the old descriptors; -1: nothing is redirected */
};

/* Appends both streams to the file of the pattern, for this node, from now on. The strings are
 * borrowed for the call. `pattern` may be NULL: nothing happens. Errors, with a sentence that names
 * --mw-slave-output, after which the streams are as they were: MW_EUSAGE for the pattern, MW_EIO,
 * MW_ENOMEM. End with mwi_redirect_close in any case. */
mw_error mwi_redirect_open(struct mwi_redirect *redirect, const char *pattern,
                           const char *member_id, const char *node, mw_reason *why) MW_USE_RESULT;

/* Puts the streams back. */
void mwi_redirect_close(struct mwi_redirect *redirect);

#endif
