/* SPDX-License-Identifier: Apache-2.0
 *
 * Ends of TLS of the tests' own making, with OpenSSL alone: friends who know a farm's key, and foes
 * who know another or none. They share no code with the transport, so that both must keep to
 * docs/protocol.md.
 *
 * They work on blocking sockets. A peer that is silent for MWT_WAIT_S ends a wait.
 */
#ifndef MWT_TLS_H
#define MWT_TLS_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/ssl.h>

#define MWT_TLS_KEY_BYTES 32

/* A key, and the member id of the farm for which it is proved. Both texts are borrowed. */
struct mwt_tls_key {
    const char *name;
    unsigned char bytes[MWT_TLS_KEY_BYTES];
    const char *member_id;
};

/* How an end differs from an honest one. All zero: not at all. */
struct mwt_tls_ways {
    int version;          /* the only version that it speaks; 0: TLS 1.3 */
    const char *groups;   /* of key exchange; NULL: X25519 */
    bool has_no_dh;       /* offers to prove the key without a key exchange, too */
    bool has_certificate; /* a server shows a certificate that it has signed itself */
};

/* The secret of TLS that is made of the key, for the farm. */
void mwt_tls_derive(const struct mwt_tls_key *key, unsigned char secret[MWT_TLS_KEY_BYTES]);

/* Makes a client or server at a connected socket, which it does not take. `key` is borrowed; NULL:
 * it has none. `ways` may be NULL. Never NULL; freed by mwt_tls_close. */
SSL *mwt_tls_open(int fd, bool is_server, const struct mwt_tls_key *key,
                  const struct mwt_tls_ways *ways);
void mwt_tls_close(SSL *ssl);

/* Whether the handshake came to an end, and the other end has proved the key if there is one. */
bool mwt_tls_greet(SSL *ssl);

/* Makes a client whose bytes go through memory: mwt_tls_say takes the bytes that it has to send,
 * and mwt_tls_hear gives it bytes of the other end, and lets it go on. */
SSL *mwt_tls_open_apart(const struct mwt_tls_key *key, const struct mwt_tls_ways *ways);
size_t mwt_tls_say(SSL *ssl, unsigned char *bytes, size_t size);
void mwt_tls_hear(SSL *ssl, const unsigned char *bytes, size_t size);

#endif
