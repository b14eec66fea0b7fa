/* SPDX-License-Identifier: Apache-2.0
 *
 * The way of a connection from its socket to the up event.
 */
#ifndef MWI_TCP_CONN_START_H
#define MWI_TCP_CONN_START_H

#include <stdbool.h>
#include <stdint.h>

#include "conn.h"

/* STARTING to PROVING: takes the socket. `ready` is called with the connection when the socket is
 * ready, as that of mwi_tcp_awaited. An end with nothing to wait for begins the proof at once, so
 * this may call the up event, or end the connection with an event. Only in a poll. False out of
 * memory; the connection then has the socket, or it is closed. */
bool mwi_tcp_conn_start(struct mwi_tcp_conn *conn, int fd, const char *name,
                        void (*ready)(void *context, uint32_t events));

/* Moves the proof on, and from PROVING to UP with the up event when it is over. If it fails, the
 * connection ends with an event. Only in a poll. */
void mwi_tcp_conn_start_prove(struct mwi_tcp_conn *conn);

#endif
