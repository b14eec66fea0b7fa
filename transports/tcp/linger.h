/* SPDX-License-Identifier: Apache-2.0
 *
 * The end of a socket whose peer was dropped: it stays open for a short time, so that the other end
 * gets the frame that was written last.
 */
#ifndef MWI_TCP_LINGER_H
#define MWI_TCP_LINGER_H

#include <stdbool.h>

#include "hub.h"

struct mwi_tcp_linger;

/* Takes the stream of a TCP socket, whose events have been freed. Shuts the socket down for writing
 * and reads it empty, past the stream, until the other end closes, 2 s have passed or 4 MiB have
 * come. Then closes the stream. Out of memory it is closed at once. */
void mwi_tcp_linger_begin(struct mwi_tcp_hub *hub, struct mwi_tcp_stream *stream);

/* Closes the sockets whose other end has acknowledged all bytes; all of them if `is_last`. */
void mwi_tcp_linger_end(struct mwi_tcp_hub *hub, bool is_last);

#endif
