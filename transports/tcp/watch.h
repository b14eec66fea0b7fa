/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds hosts that died while data was on its way to them.
 */
#ifndef MWI_TCP_WATCH_H
#define MWI_TCP_WATCH_H

#include "hub.h"

/* Looks at all connections every MWI_TCP_SILENCE_LOOK_MS, from now until the caller frees the
 * returned event, and fails those whose host does not answer. Borrows the hub until then. NULL out
 * of memory. */
struct event *mwi_tcp_watch_begin(struct mwi_tcp_hub *hub);

#endif
