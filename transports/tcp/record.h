/* SPDX-License-Identifier: Apache-2.0
 *
 * The records of TLS 1.3 after its handshake (RFC 8446, 5): encrypts and decrypts them, with keys
 * that the handshake has left behind. It knows no sockets.
 */
#ifndef MWI_TCP_RECORD_H
#define MWI_TCP_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <openssl/types.h>

#include "derive.h"

#define MWI_TCP_RECORD_HEADER_BYTES 5
/* The most that one record carries. */
#define MWI_TCP_RECORD_CONTENT_BYTES ((size_t)16384)
#define MWI_TCP_RECORD_TAG_BYTES 16
/* The bytes of a record besides its content: header, kind and tag. */
#define MWI_TCP_RECORD_EXTRA_BYTES (MWI_TCP_RECORD_HEADER_BYTES + 1 + MWI_TCP_RECORD_TAG_BYTES)
/* The longest record that another end may send. */
#define MWI_TCP_RECORD_BYTES_MAX                                                                   \
    (MWI_TCP_RECORD_HEADER_BYTES + MWI_TCP_RECORD_CONTENT_BYTES + (size_t)256)

/* A key is good for 2^24.5 records of full size (RFC 8446, 5.5). */
#define MWI_TCP_RECORDS_PER_KEY ((uint64_t)1 << 23)

/* Kinds of content. */
enum mwi_tcp_record_kind {
    MWI_TCP_RECORD_ALERT = 21,
    MWI_TCP_RECORD_HANDSHAKE = 22,
    MWI_TCP_RECORD_DATA = 23
};

/* The functions of OpenSSL that records need, which the streams of one hub share. */
struct mwi_tcp_record_kit {
    EVP_KDF *hkdf;
    EVP_CIPHER *aes;
    EVP_CIPHER *chacha;
};

/* False out of memory, or if this OpenSSL lacks one; fini is called in both cases. */
bool mwi_tcp_record_kit_init(struct mwi_tcp_record_kit *kit);
void mwi_tcp_record_kit_fini(struct mwi_tcp_record_kit *kit);

/* The key of one direction. All zero is one that was never made, for fini. */
struct mwi_tcp_record_key {
    const struct mwi_tcp_record_kit *kit;
    EVP_CIPHER_CTX *cipher;
    uint64_t records_count; /* with this key */
    unsigned char iv[12];
    unsigned char secret[MWI_TCP_SECRET_BYTES];
};

/* Makes the key of a traffic secret, for a cipher suite of TLS, 0x1301 or 0x1303. The kit is
 * borrowed until fini. False if it cannot; fini is then not needed. */
bool mwi_tcp_record_key_init(struct mwi_tcp_record_key *key, const struct mwi_tcp_record_kit *kit,
                             unsigned suite, const unsigned char *secret, bool is_for_sending);

/* Replaces the key by the next one, as a KeyUpdate says. False if OpenSSL fails. */
bool mwi_tcp_record_key_update(struct mwi_tcp_record_key *key);

/* Wipes and frees it. */
void mwi_tcp_record_key_fini(struct mwi_tcp_record_key *key);

/* A place in a list of pieces. */
struct mwi_tcp_record_place {
    const struct iovec *piece;
    size_t used; /* bytes of *piece before the place */
};

/* Encrypts the next `size` bytes of the pieces, at most MWI_TCP_RECORD_CONTENT_BYTES, and moves the
 * place behind them. Writes a record of size + MWI_TCP_RECORD_EXTRA_BYTES bytes to `record`. False
 * if OpenSSL fails. May be called in a signal handler that has interrupted no call with this
 * key. */
bool mwi_tcp_record_seal(struct mwi_tcp_record_key *key, enum mwi_tcp_record_kind kind,
                         struct mwi_tcp_record_place *from, size_t size, unsigned char *record);

/* The number of bytes of the record that begins here, header included; 0 if fewer than that many
 * are there; SIZE_MAX if it is no record of encrypted data. */
size_t mwi_tcp_record_size(const unsigned char *bytes, size_t count);

/* Decrypts a record of `size` bytes to `content`, which has room for `size` -
 * MWI_TCP_RECORD_HEADER_BYTES - MWI_TCP_RECORD_TAG_BYTES, and may be `record` itself plus its
 * header. Returns the size of the content and sets *kind; -1 if it is not one that the other end
 * has sent as the next. */
ssize_t mwi_tcp_record_open(struct mwi_tcp_record_key *key, const unsigned char *record,
                            size_t size, unsigned char *content, unsigned *kind);

#endif
