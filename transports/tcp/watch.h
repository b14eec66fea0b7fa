/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds hosts that died while data was on its way to them, peers that send a frame too slowly, and
 * listening ends that do not prove the key.
 */
#ifndef MWI_TCP_WATCH_H
#define MWI_TCP_WATCH_H

#include <stdbool.h>

#include "hub.h"

/* Looks at all connections. Fails those whose host does not answer, those whose frame comes too
 * slowly, and those of this side whose proof takes longer than 10 to 15 s. To be called every
 * MWI_TCP_SILENCE_LOOK_MS. `is_late` says that the call comes late: this process was away, so a
 * frame that has not come further may be its own doing. */
void mwi_tcp_watch_look(struct mwi_tcp_hub *hub, bool is_late);

#endif
