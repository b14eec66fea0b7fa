/* SPDX-License-Identifier: Apache-2.0
 *
 * The end of all connections, when a transport is closed.
 */
#ifndef MWI_TCP_ENDING_H
#define MWI_TCP_ENDING_H

#include "hub.h"

/* Hands over the queued frames of all connections, and returns when the other ends have them or
 * after about a second. All connections are then dead and all lingers are gone. Calls no event. */
void mwi_tcp_ending_run(struct mwi_tcp_hub *hub);

#endif
