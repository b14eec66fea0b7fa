/* SPDX-License-Identifier: Apache-2.0
 *
 * How a connection that we begin comes to its socket: looks up the name, tries the addresses in
 * turn, or takes over a descriptor. The outcome is mwi_tcp_conn_start or mwi_tcp_conn_down, both
 * in a later poll.
 */
#ifndef MWI_TCP_DIAL_H
#define MWI_TCP_DIAL_H

#include "address.h"
#include "conn.h"

/* Begins, for a connection in STARTING, which then owns the dial. MW_ENOMEM. */
mw_error mwi_tcp_dial_begin(struct mwi_tcp_conn *conn, const struct mwi_tcp_address *address);

/* Gives up, if there is still something to give up. NULL is legal. */
void mwi_tcp_dial_destroy(struct mwi_tcp_dial *dial);

#endif
