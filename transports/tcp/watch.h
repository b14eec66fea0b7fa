/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds hosts that died while something was on its way to them.
 */
#ifndef MWI_TCP_WATCH_H
#define MWI_TCP_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "hub.h"

#define MWI_TCP_WATCH_LOOK_MS 5000

/* All zero is a connection of which nothing is owed. */
struct mwi_tcp_silence {
    uint32_t looks_count; /* in a row, that found something owed and no answer since the first */
};

/* One look: whether the host is to be given up. `is_owed` if something was sent again and has not
 * been answered since; `last_answer_ms` is the time since anything was. */
bool mwi_tcp_watch_is_lost(struct mwi_tcp_silence *silence, bool is_owed, uint32_t last_answer_ms);

/* Looks at all connections from time to time, from now until the event is freed, and takes down
 * those whose host does not answer. NULL if memory is out. */
struct event *mwi_tcp_watch_begin(struct mwi_tcp_hub *hub);

#endif
