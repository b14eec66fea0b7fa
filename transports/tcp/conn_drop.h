/* SPDX-License-Identifier: Apache-2.0
 *
 * How this end parts with a peer.
 */
#ifndef MWI_TCP_CONN_DROP_H
#define MWI_TCP_CONN_DROP_H

#include "conn.h"

/* As mw_transport_api.drop. */
void mwi_tcp_conn_drop(struct mwi_tcp_conn *conn);

/* For the close of the transport: UP becomes ENDING; a connection that cannot write is buried. */
void mwi_tcp_conn_drop_when_written(struct mwi_tcp_conn *conn);

#endif
