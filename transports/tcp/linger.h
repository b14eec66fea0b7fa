/* SPDX-License-Identifier: Apache-2.0
 *
 * The end of a connection that this side gives up.
 */
#ifndef MWI_TCP_LINGER_H
#define MWI_TCP_LINGER_H

#include "conn.h"

/* UP to LINGERING: forgets the peer and throws away what is still queued, but keeps the socket
 * until the other end has all that was written to it; for a short time only. */
void mwi_tcp_linger_begin(struct mwi_tcp_conn *conn);

/* For close: takes all connections, hands over what is queued, and returns when the other ends
 * have it or after about a second, with every connection dead. No event is called. */
void mwi_tcp_linger_end_all(struct mwi_tcp_hub *hub);

#endif
