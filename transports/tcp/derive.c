/* SPDX-License-Identifier: Apache-2.0
 *
 * Two derivations. The first binds a key to its name, to the farm and to this use of it, before it
 * becomes the pre-shared key of TLS: RFC 9257, 4 asks for that, since a key that serves for
 * several ends or protocols could be turned against one of them. The second is that of TLS 1.3
 * itself, for the keys of records.
 *
 * Invariant: nothing secret stays behind here; OpenSSL wipes its own copies.
 */
#include "derive.h"

#include <assert.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#define SALT "mw tls psk 1"
/* A longer label would not fit into its byte of length. */
#define LABEL_BYTES_MAX 16

/* One piece of what goes into a derivation. OSSL_PARAM is not const where OpenSSL only reads. */
static OSSL_PARAM piece(const char *name, const void *data, size_t size)
{
    union {
        const void *from;
        void *to;
    } base = {data};
    return OSSL_PARAM_construct_octet_string(name, base.to, size);
}

static bool run(EVP_KDF *hkdf, const OSSL_PARAM *params, unsigned char *out, size_t size)
{
    EVP_KDF_CTX *context = EVP_KDF_CTX_new(hkdf);
    bool is_done = context != NULL && EVP_KDF_derive(context, out, size, params) == 1;
    EVP_KDF_CTX_free(context);
    return is_done;
}

static OSSL_PARAM sha256(void)
{
    static char name[] = "SHA256";
    return OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, name, 0);
}

bool mwi_tcp_derive_psk(EVP_KDF *hkdf, const mw_tcp_key *key, const char *farm, unsigned char *psk)
{
    assert(strnlen(key->name, sizeof key->name) < sizeof key->name);
    const OSSL_PARAM params[] = {
        sha256(),
        piece(OSSL_KDF_PARAM_KEY, key->bytes, sizeof key->bytes),
        piece(OSSL_KDF_PARAM_SALT, SALT, strlen(SALT)),
        /* Pieces of the same name are joined. The zero byte parts the name from the farm. */
        piece(OSSL_KDF_PARAM_INFO, key->name, strlen(key->name) + 1),
        piece(OSSL_KDF_PARAM_INFO, farm, strlen(farm)),
        OSSL_PARAM_construct_end(),
    };
    return run(hkdf, params, psk, MWI_TCP_SECRET_BYTES);
}

bool mwi_tcp_derive_label(EVP_KDF *hkdf, const unsigned char *secret, const char *label,
                          unsigned char *out, size_t size)
{
    int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
    unsigned char info[4 + sizeof "tls13 " + LABEL_BYTES_MAX] = {0, (unsigned char)size};
    size_t length = sizeof "tls13 " - 1 + strlen(label);
    assert(strlen(label) <= LABEL_BYTES_MAX && size <= MWI_TCP_SECRET_BYTES);
    info[2] = (unsigned char)length;
    memcpy(info + 3, "tls13 ", sizeof "tls13 " - 1);
    memcpy(info + 3 + sizeof "tls13 " - 1, label, strlen(label));
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
        sha256(),
        piece(OSSL_KDF_PARAM_KEY, secret, MWI_TCP_SECRET_BYTES),
        piece(OSSL_KDF_PARAM_INFO, info, 4 + length),
        OSSL_PARAM_construct_end(),
    };
    return run(hkdf, params, out, size);
}
