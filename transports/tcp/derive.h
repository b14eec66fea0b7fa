/* SPDX-License-Identifier: Apache-2.0
 *
 * Secrets from secrets, by HKDF with SHA-256 (RFC 5869).
 */
#ifndef MWI_TCP_DERIVE_H
#define MWI_TCP_DERIVE_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/types.h>

#include <mw/transport.h>

/* Of every secret of TLS 1.3 with SHA-256. */
#define MWI_TCP_SECRET_BYTES 32

/* Writes the pre-shared key of TLS, MWI_TCP_SECRET_BYTES, that two ends of this farm make of the
 * key. It differs for each key, name and farm. The caller wipes it. False if OpenSSL fails. */
bool mwi_tcp_derive_psk(EVP_KDF *hkdf, const mw_tcp_key *key, const char *farm, unsigned char *psk);

/* HKDF-Expand-Label of TLS 1.3 (RFC 8446, 7.1) with an empty context: writes the secret of this
 * label, `size` bytes and at most MWI_TCP_SECRET_BYTES. The label has at most 16 characters. False
 * if OpenSSL fails; its errors are then in the thread's queue. */
bool mwi_tcp_derive_label(EVP_KDF *hkdf, const unsigned char *secret, const char *label,
                          unsigned char *out, size_t size);

#endif
