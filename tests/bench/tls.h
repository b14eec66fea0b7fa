/* SPDX-License-Identifier: Apache-2.0
 *
 * TLS 1.3 with a key that both ends hold, as mw's tcp transport speaks it, for the programs here
 * that do without the library.
 */
#ifndef MWT_TLS_H
#define MWT_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <openssl/ssl.h>

/* The key that both ends prove, and its name. */
struct mwt_tls_psk {
    char name[64];
    unsigned char bytes[32];
};

/* Sets the bytes of `psk`, whose name is set, to those that mw makes of a farm's key and member
 * id. */
void mwt_tls_psk_derive(struct mwt_tls_psk *psk, const unsigned char key[32],
                        const char *member_id);

/* Makes a context that borrows `psk`. On failure, as all functions here, it prints a message and
 * exits with 1. */
SSL_CTX *mwt_tls_open(bool is_server, struct mwt_tls_psk *psk);

/* Makes one end of a connection of a socket, which stays the caller's. The handshake runs in the
 * first calls of receive and transmit. */
SSL *mwt_tls_attach(SSL_CTX *context, bool is_server, int fd);

/* As recv and send: the number of bytes; 0 if the other end has closed; -1 with EAGAIN. A
 * handshake can make each wait for the other direction; transmit then waits until something can be
 * received. */
ssize_t mwt_tls_receive(SSL *tls, void *data, size_t size);
ssize_t mwt_tls_transmit(SSL *tls, const void *data, size_t size);

#endif
