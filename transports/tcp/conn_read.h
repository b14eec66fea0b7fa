/* SPDX-License-Identifier: Apache-2.0
 *
 * How a connection that is UP or ENDING is read.
 */
#ifndef MWI_TCP_CONN_READ_H
#define MWI_TCP_CONN_READ_H

#include <stdbool.h>

#include "conn.h"

/* Reads what is there, up to a bound. UP: delivers the frames that are whole; if the other end has
 * closed, or sends what it may not, the connection goes down. ENDING: throws the input away. Then
 * writes what the stream did not take before it was read. Only in a poll, or while the transport
 * closes. */
void mwi_tcp_conn_read(struct mwi_tcp_conn *conn);

/* Reads the hub's only connection without asking whether it is readable; false if there are others,
 * or it is not up, or a guest. */
bool mwi_tcp_conn_read_only(struct mwi_tcp_hub *hub);

#endif
