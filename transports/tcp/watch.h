/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds hosts that died while something was on its way to them.
 */
#ifndef MWI_TCP_WATCH_H
#define MWI_TCP_WATCH_H

#include "hub.h"

/* Looks at all connections from time to time, from now until the event is freed, and takes down
 * those whose host does not answer. NULL if memory is out. */
struct event *mwi_tcp_watch_begin(struct mwi_tcp_hub *hub);

#endif
