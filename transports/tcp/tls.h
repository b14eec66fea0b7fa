/* SPDX-License-Identifier: Apache-2.0
 *
 * The stream that encrypts: TLS 1.3 with a key that both ends hold.
 */
#ifndef MWI_TCP_TLS_H
#define MWI_TCP_TLS_H

#include <mw/transport.h>

#include "stream.h"

/* The parts that the encrypted streams of one hub share. */
struct mwi_tcp_tls;

/* Makes it; the environment is borrowed until destroy, and has a key for one side at least. NULL
 * out of memory. */
struct mwi_tcp_tls *mwi_tcp_tls_create(const mw_tcp_environment *environment);

/* No stream of it may be open. NULL is legal. */
void mwi_tcp_tls_destroy(struct mwi_tcp_tls *tls);

/* A mwi_tcp_stream_open_fn; the context is a struct mwi_tcp_tls. A socket that the caller gave gets
 * a plain stream. */
struct mwi_tcp_stream *mwi_tcp_tls_open(void *context, int fd, bool is_server, bool is_given);

#endif
