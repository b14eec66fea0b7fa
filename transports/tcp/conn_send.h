/* SPDX-License-Identifier: Apache-2.0
 *
 * The queue of a connection, and how it is written.
 */
#ifndef MWI_TCP_CONN_SEND_H
#define MWI_TCP_CONN_SEND_H

#include <stdbool.h>
#include <stddef.h>

#include "conn.h"

/* As mw_transport_api.send and send_now; the caller has looked up the peer. */
mw_error mwi_tcp_conn_send(struct mwi_tcp_conn *conn, void *frame, size_t size,
                           const mw_body *body);
bool mwi_tcp_conn_send_now(struct mwi_tcp_conn *conn, void *frame, size_t size);

/* Writes the queued frames of the connections in hub->dirty. */
void mwi_tcp_conn_send_dirty(struct mwi_tcp_hub *hub);

/* Hands over as much of the queue as the stream takes, and waits for the rest if there is one.
 * Returns 0, or an errno if writing has ended for good; it must not have ended before. */
int mwi_tcp_conn_send_queued(struct mwi_tcp_conn *conn);

/* The same; if writing has ended, the connection fails. */
void mwi_tcp_conn_send_or_fail(struct mwi_tcp_conn *conn);

#endif
