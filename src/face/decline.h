/* SPDX-License-Identifier: Apache-2.0
 *
 * The collective call that a rank owes to the other ranks of its communicator when it cannot open a
 * master or a slave there.
 */
#ifndef MWI_DECLINE_H
#define MWI_DECLINE_H

#include <stdbool.h>

#include <mw/embed.h>

/* Takes part in the collective call of the options' communicator, if they have one, so that the
 * other ranks are not left waiting. `has_joined` says that the call was made already. If no mpi
 * module can make it, the options say that the user must: see mw_options_must_decline. */
void mwi_decline(mw_options *options, bool has_joined);

#endif
