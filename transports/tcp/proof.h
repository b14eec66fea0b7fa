/* SPDX-License-Identifier: Apache-2.0
 *
 * The handshake of TLS 1.3 in which two ends prove to each other that they hold the same key. It
 * knows no sockets: the caller brings what has come and sends what is to go.
 */
#ifndef MWI_TCP_PROOF_H
#define MWI_TCP_PROOF_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/types.h>

#include <mw/transport.h>

#include "record.h"

/* The parts that all proofs of one hub share. All zero before init. */
struct mwi_tcp_proof_kit {
    const mw_tcp_environment *environment;
    const struct mwi_tcp_record_kit *kit;
    SSL_CTX *context;
};

struct mwi_tcp_proof;

enum mwi_tcp_proof_state {
    MWI_TCP_PROOF_GOES_ON,
    MWI_TCP_PROOF_DONE,  /* both ends hold the key */
    MWI_TCP_PROOF_FAILED /* mwi_tcp_proof_problem says why */
};

/* Makes the parts that all proofs need; both pointers are borrowed until fini. False out of memory,
 * or if this OpenSSL cannot do it. fini is called in both cases. */
bool mwi_tcp_proof_kit_init(struct mwi_tcp_proof_kit *proofs, const mw_tcp_environment *environment,
                            const struct mwi_tcp_record_kit *kit);
void mwi_tcp_proof_kit_fini(struct mwi_tcp_proof_kit *proofs);

/* Begins a proof. A connecting end asks for its key here, and the first call of take fails if it
 * has none. NULL out of memory. */
struct mwi_tcp_proof *mwi_tcp_proof_begin(struct mwi_tcp_proof_kit *proofs, bool is_server);

/* Wipes and frees it. NULL is legal. */
void mwi_tcp_proof_destroy(struct mwi_tcp_proof *proof);

/* Takes bytes from the other end, and moves the proof on; a connecting end's first call brings
 * none. Not after it is done or has failed. */
enum mwi_tcp_proof_state mwi_tcp_proof_take(struct mwi_tcp_proof *proof, const void *bytes,
                                            size_t size);

/* Whether the other end has named a key that is known here, which proves nothing yet. */
bool mwi_tcp_proof_has_known_key(const struct mwi_tcp_proof *proof);

/* Takes out up to `room` bytes that are to be sent, and returns their number. If the proof has
 * failed there are none: what OpenSSL would tell the other end is not for strangers. */
size_t mwi_tcp_proof_output(struct mwi_tcp_proof *proof, void *to, size_t room);

/* After it is done: takes out up to `room` bytes of those that came behind the proof. */
size_t mwi_tcp_proof_rest(struct mwi_tcp_proof *proof, void *to, size_t room);

/* After it is done: makes the keys of both directions. False out of memory; then none is made. */
bool mwi_tcp_proof_make_keys(const struct mwi_tcp_proof *proof, struct mwi_tcp_record_key *sends,
                             struct mwi_tcp_record_key *receives);

/* After it has failed: a sentence that says why, without words of the other end; valid until
 * destroy. */
const char *mwi_tcp_proof_problem(const struct mwi_tcp_proof *proof);

#endif
