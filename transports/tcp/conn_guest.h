/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections that others begin: guests of the porch (porch.h) until they are admitted.
 */
#ifndef MWI_TCP_CONN_GUEST_H
#define MWI_TCP_CONN_GUEST_H

#include "conn.h"

/* Takes a socket that connected to us. When the other end is proved, it gets a peer number, and the
 * up event is called with `name`; if the proof fails, the stranger event. Only in a poll. Out of
 * memory, the socket is closed without an event. */
void mwi_tcp_conn_guest_accept(struct mwi_tcp_hub *hub, int fd, const char *name);

/* As mw_transport_api.admit. */
void mwi_tcp_conn_guest_admit(struct mwi_tcp_conn *conn);

#endif
