/* SPDX-License-Identifier: Apache-2.0
 *
 * What a turn does to connections.
 */
#ifndef MWI_TCP_CONN_TURN_H
#define MWI_TCP_CONN_TURN_H

#include <stdbool.h>
#include <stdint.h>

#include "conn.h"

/* A turn of the hub's poller, as mwi_tcp_poller_turn, and of the connections in hub->again. */
bool mwi_tcp_conn_turn(struct mwi_tcp_hub *hub, int64_t wait_ns);

/* A `ready` of mwi_tcp_awaited; the context is a connection. One that another one's event has ended
 * in this turn is dead here. */
void mwi_tcp_conn_turn_ready(void *context, uint32_t events);

#endif
