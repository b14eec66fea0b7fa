/* SPDX-License-Identifier: Apache-2.0
 *
 * OpenSSL makes the handshake (proof.c), and this file the records after it, by OpenSSL's ciphers.
 * That is what the kernel does with TLS sockets, too: the bytes on the wire are those of TLS 1.3,
 * and any TLS 1.3 that sends no tickets is a fit peer. Three things are not to be had from
 * OpenSSL's own records. Its write allocates, so that no signal handler may call it. Its
 * connections hold tens of kilobytes, and secrets that are as good as the key, as long as they
 * live. And it copies each byte twice.
 *
 * Invariants: a key encrypts no two records under one nonce, which is the iv and the count of the
 * records. Content that was not the next one of the other end is never handed out, though it is
 * decrypted where it would lie. mwi_tcp_record_seal calls only what neither allocates nor locks.
 */
#include "record.h"

#include <assert.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>

#define SUITE_AES 0x1301
#define SUITE_CHACHA 0x1303
#define KEY_BYTES_MAX 32
/* Content up to here is copied and encrypted in one go with its kind. */
#define TINY_BYTES 512

bool mwi_tcp_record_kit_init(struct mwi_tcp_record_kit *kit)
{
    kit->hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    kit->aes = EVP_CIPHER_fetch(NULL, "AES-128-GCM", NULL);
    kit->chacha = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL);
    /* Some builds of OpenSSL have no ChaCha20; then no handshake chooses it. */
    return kit->hkdf != NULL && kit->aes != NULL;
}

void mwi_tcp_record_kit_fini(struct mwi_tcp_record_kit *kit)
{
    EVP_KDF_free(kit->hkdf);
    EVP_CIPHER_free(kit->aes);
    EVP_CIPHER_free(kit->chacha);
    *kit = (struct mwi_tcp_record_kit){0};
}

/* Makes the key and the iv of the secret. The cipher and its direction stay as they are if `cipher`
 * is NULL. */
static bool load_secret(struct mwi_tcp_record_key *key, const EVP_CIPHER *cipher, int encrypts)
{
    unsigned char bytes[KEY_BYTES_MAX];
    const EVP_CIPHER *used = cipher != NULL ? cipher : EVP_CIPHER_CTX_get0_cipher(key->cipher);
    size_t size = (size_t)EVP_CIPHER_get_key_length(used);
    assert(size <= sizeof bytes && EVP_CIPHER_get_iv_length(used) == sizeof key->iv);
    bool is_loaded =
        mwi_tcp_derive_label(key->kit->hkdf, key->secret, "key", bytes, size) &&
        mwi_tcp_derive_label(key->kit->hkdf, key->secret, "iv", key->iv, sizeof key->iv) &&
        EVP_CipherInit_ex2(key->cipher, cipher, bytes, NULL, encrypts, NULL) == 1;
    OPENSSL_cleanse(bytes, sizeof bytes);
    key->records_count = 0;
    return is_loaded;
}

bool mwi_tcp_record_key_init(struct mwi_tcp_record_key *key, const struct mwi_tcp_record_kit *kit,
                             unsigned suite, const unsigned char *secret, bool is_for_sending)
{
    assert(suite == SUITE_AES || suite == SUITE_CHACHA);
    *key = (struct mwi_tcp_record_key){.kit = kit, .cipher = EVP_CIPHER_CTX_new()};
    memcpy(key->secret, secret, sizeof key->secret);
    if (key->cipher != NULL &&
        load_secret(key, suite == SUITE_AES ? kit->aes : kit->chacha, is_for_sending ? 1 : 0))
        return true;
    mwi_tcp_record_key_fini(key);
    return false;
}

bool mwi_tcp_record_key_update(struct mwi_tcp_record_key *key)
{
    unsigned char next[MWI_TCP_SECRET_BYTES];
    if (!mwi_tcp_derive_label(key->kit->hkdf, key->secret, "traffic upd", next, sizeof next))
        return false;
    memcpy(key->secret, next, sizeof next);
    OPENSSL_cleanse(next, sizeof next);
    return load_secret(key, NULL, -1);
}

void mwi_tcp_record_key_fini(struct mwi_tcp_record_key *key)
{
    EVP_CIPHER_CTX_free(key->cipher);
    OPENSSL_cleanse(key, sizeof *key);
}

static void make_nonce(const struct mwi_tcp_record_key *key, unsigned char nonce[12])
{
    uint64_t count = key->records_count;
    memcpy(nonce, key->iv, 12);
    for (int i = 11; i >= 4; i--, count >>= 8)
        nonce[i] ^= (unsigned char)count;
}

/* Begins the record of this header, which is authenticated with its content. */
static bool begin(struct mwi_tcp_record_key *key, const unsigned char *header)
{
    int size;
    unsigned char nonce[12];
    make_nonce(key, nonce);
    key->records_count++;
    return EVP_CipherInit_ex2(key->cipher, NULL, NULL, nonce, -1, NULL) == 1 &&
           EVP_CipherUpdate(key->cipher, NULL, &size, header, MWI_TCP_RECORD_HEADER_BYTES) == 1;
}

static bool encrypt(struct mwi_tcp_record_key *key, unsigned char **at, const void *from,
                    size_t size)
{
    int written;
    bool is_done = EVP_EncryptUpdate(key->cipher, *at, &written, from, (int)size) == 1;
    assert(!is_done || (size_t)written == size);
    *at += size;
    return is_done;
}

/* The next bytes of the pieces that lie together, at most `size`: moves the place behind them. */
static const unsigned char *next_part(struct mwi_tcp_record_place *from, size_t *size)
{
    while (from->used == from->piece->iov_len) {
        from->piece++;
        from->used = 0;
    }
    const unsigned char *part = (const unsigned char *)from->piece->iov_base + from->used;
    size_t left = from->piece->iov_len - from->used;
    *size = *size < left ? *size : left;
    from->used += *size;
    return part;
}

/* Copies the content to its place first. */
static bool encrypt_tiny(struct mwi_tcp_record_key *key, struct mwi_tcp_record_place *from,
                         size_t size, unsigned char kind, unsigned char **at)
{
    size_t done = 0;
    while (done < size) {
        size_t part_size = size - done;
        const unsigned char *part = next_part(from, &part_size);
        memcpy(*at + done, part, part_size);
        done += part_size;
    }
    (*at)[size] = kind;
    return encrypt(key, at, *at, size + 1);
}

static bool encrypt_pieces(struct mwi_tcp_record_key *key, struct mwi_tcp_record_place *from,
                           size_t size, unsigned char kind, unsigned char **at)
{
    while (size > 0) {
        size_t part_size = size;
        const unsigned char *part = next_part(from, &part_size);
        if (!encrypt(key, at, part, part_size))
            return false;
        size -= part_size;
    }
    return encrypt(key, at, &kind, 1);
}

bool mwi_tcp_record_seal(struct mwi_tcp_record_key *key, enum mwi_tcp_record_kind kind,
                         struct mwi_tcp_record_place *from, size_t size, unsigned char *record)
{
    assert(size <= MWI_TCP_RECORD_CONTENT_BYTES);
    size_t length = size + 1 + MWI_TCP_RECORD_TAG_BYTES;
    unsigned char *at = record + MWI_TCP_RECORD_HEADER_BYTES;
    int written;
    record[0] = MWI_TCP_RECORD_DATA;
    record[1] = 3;
    record[2] = 3;
    record[3] = (unsigned char)(length >> 8);
    record[4] = (unsigned char)length;
    bool is_done = begin(key, record);
    if (size <= TINY_BYTES)
        is_done = is_done && encrypt_tiny(key, from, size, (unsigned char)kind, &at);
    else
        is_done = is_done && encrypt_pieces(key, from, size, (unsigned char)kind, &at);
    return is_done && EVP_EncryptFinal_ex(key->cipher, at, &written) == 1 &&
           EVP_CIPHER_CTX_ctrl(key->cipher, EVP_CTRL_AEAD_GET_TAG, MWI_TCP_RECORD_TAG_BYTES, at) ==
               1;
}

size_t mwi_tcp_record_size(const unsigned char *bytes, size_t count)
{
    if (count == 0)
        return 0;
    if (bytes[0] != MWI_TCP_RECORD_DATA)
        return SIZE_MAX;
    if (count < MWI_TCP_RECORD_HEADER_BYTES)
        return 0;
    size_t size = MWI_TCP_RECORD_HEADER_BYTES + ((size_t)bytes[3] << 8 | bytes[4]);
    if (size > MWI_TCP_RECORD_BYTES_MAX ||
        size <= MWI_TCP_RECORD_HEADER_BYTES + MWI_TCP_RECORD_TAG_BYTES)
        return SIZE_MAX;
    return size <= count ? size : 0;
}

/* The content ends before the last byte that is not 0, which is its kind. */
static ssize_t take_kind(const unsigned char *content, size_t size, unsigned *kind)
{
    while (size > 0 && content[size - 1] == 0)
        size--;
    if (size == 0)
        return -1;
    *kind = content[size - 1];
    return size - 1 <= MWI_TCP_RECORD_CONTENT_BYTES ? (ssize_t)(size - 1) : -1;
}

ssize_t mwi_tcp_record_open(struct mwi_tcp_record_key *key, const unsigned char *record,
                            size_t size, unsigned char *content, unsigned *kind)
{
    int written;
    assert(size > MWI_TCP_RECORD_HEADER_BYTES + MWI_TCP_RECORD_TAG_BYTES);
    size_t inner = size - MWI_TCP_RECORD_HEADER_BYTES - MWI_TCP_RECORD_TAG_BYTES;
    unsigned char tag[MWI_TCP_RECORD_TAG_BYTES];
    memcpy(tag, record + size - sizeof tag, sizeof tag);
    if (!begin(key, record) ||
        EVP_DecryptUpdate(key->cipher, content, &written, record + MWI_TCP_RECORD_HEADER_BYTES,
                          (int)inner) != 1 ||
        EVP_CIPHER_CTX_ctrl(key->cipher, EVP_CTRL_AEAD_SET_TAG, sizeof tag, tag) != 1 ||
        EVP_DecryptFinal_ex(key->cipher, content + inner, &written) != 1)
        return -1;
    return take_kind(content, inner, kind);
}
