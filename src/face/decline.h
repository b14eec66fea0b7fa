/* SPDX-License-Identifier: Apache-2.0
 *
 * The collective call that a rank owes to the other ranks of its communicator when it cannot open a
 * master or a slave there.
 */
#ifndef MWI_DECLINE_H
#define MWI_DECLINE_H

#include <stdbool.h>

/* Takes part in the collective call of a communicator (NULL: there is none, and nothing to do), so
 * that the other ranks are not left waiting. `has_joined` says that the call was made already.
 * Returns whether the call is still owed, because there is no mpi module that could make it: the
 * user must then make it, see mw_options_must_decline. */
bool mwi_decline(void *communicator, bool has_joined);

#endif
