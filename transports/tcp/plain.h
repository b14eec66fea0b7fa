/* SPDX-License-Identifier: Apache-2.0
 *
 * The stream that passes bytes as they are.
 */
#ifndef MWI_TCP_PLAIN_H
#define MWI_TCP_PLAIN_H

#include "stream.h"

/* A mwi_tcp_stream_open_fn; it needs no context. */
struct mwi_tcp_stream *mwi_tcp_plain_open(void *context, int fd, bool is_server, bool is_given);

#endif
