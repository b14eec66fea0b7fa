/* SPDX-License-Identifier: Apache-2.0
 *
 * The proof of an encrypted stream.
 */
#ifndef MWI_TCP_TLS_PROOF_H
#define MWI_TCP_TLS_PROOF_H

#include "stream.h"

/* As mwi_tcp_stream_api.prove, for a stream that is a struct mwi_tcp_tls_stream. */
int mwi_tcp_tls_proof_step(struct mwi_tcp_stream *stream);

#endif
