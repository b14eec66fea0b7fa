/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds hosts that died while data was on its way to them.
 */
#ifndef MWI_TCP_WATCH_H
#define MWI_TCP_WATCH_H

#include "hub.h"

/* Looks at all connections and fails those whose host does not answer. To be called every
 * MWI_TCP_SILENCE_LOOK_MS. */
void mwi_tcp_watch_look(struct mwi_tcp_hub *hub);

#endif
