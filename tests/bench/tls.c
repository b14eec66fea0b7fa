/* SPDX-License-Identifier: Apache-2.0
 *
 * TLS 1.3 with a key that both ends hold; see tls.h. OpenSSL takes such a key as the session of an
 * earlier connection, so the callbacks make one.
 */
#include "tls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/kdf.h>

#include "bench.h"

#define SALT "mw tls psk 1"
#define CIPHERS "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256"
#define GROUPS "X25519:P-256"

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "tls: %s: ", what);
    ERR_print_errors_fp(stderr);
    fprintf(stderr, "\n");
    exit(1);
}

void mwt_tls_psk_derive(struct mwt_tls_psk *psk, const unsigned char key[32], const char *member_id)
{
    char info[sizeof psk->name + 256];
    int length = snprintf(info, sizeof info, "%s%c%s", psk->name, '\0', member_id);
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *derivation = EVP_KDF_CTX_new(kdf);
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char[]){"SHA256"}, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (char[]){SALT}, strlen(SALT)),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)key, sizeof psk->bytes),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, (size_t)length),
        OSSL_PARAM_construct_end()};
    if (EVP_KDF_derive(derivation, psk->bytes, sizeof psk->bytes, parameters) != 1)
        die("HKDF");
    EVP_KDF_CTX_free(derivation);
    EVP_KDF_free(kdf);
}

static SSL_SESSION *make_session(SSL *tls, const struct mwt_tls_psk *psk)
{
    static const unsigned char aes_128_gcm_sha256[] = {0x13, 0x01};
    SSL_SESSION *session = SSL_SESSION_new();
    if (session == NULL ||
        SSL_SESSION_set1_master_key(session, psk->bytes, sizeof psk->bytes) != 1 ||
        SSL_SESSION_set_cipher(session, SSL_CIPHER_find(tls, aes_128_gcm_sha256)) != 1 ||
        SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) != 1)
        die("session");
    return session;
}

static const struct mwt_tls_psk *psk_of(SSL *tls)
{
    return SSL_CTX_get_app_data(SSL_get_SSL_CTX(tls));
}

static int use_psk(SSL *tls, const EVP_MD *digest, const unsigned char **id, size_t *id_size,
                   SSL_SESSION **session)
{
    const struct mwt_tls_psk *psk = psk_of(tls);
    (void)digest;
    *id = (const unsigned char *)psk->name;
    *id_size = strlen(psk->name);
    *session = make_session(tls, psk);
    return 1;
}

static int find_psk(SSL *tls, const unsigned char *id, size_t id_size, SSL_SESSION **session)
{
    const struct mwt_tls_psk *psk = psk_of(tls);
    bool is_known = id_size == strlen(psk->name) && memcmp(id, psk->name, id_size) == 0;
    *session = is_known ? make_session(tls, psk) : NULL;
    return 1;
}

SSL_CTX *mwt_tls_open(bool is_server, struct mwt_tls_psk *psk)
{
    SSL_CTX *context = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
    if (context == NULL || SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_ciphersuites(context, CIPHERS) != 1 ||
        SSL_CTX_set1_groups_list(context, GROUPS) != 1 || SSL_CTX_set_num_tickets(context, 0) != 1)
        die("context");
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_clear_options(context, SSL_OP_ENABLE_MIDDLEBOX_COMPAT);
    SSL_CTX_set_psk_use_session_callback(context, use_psk);
    SSL_CTX_set_psk_find_session_callback(context, find_psk);
    SSL_CTX_set_app_data(context, psk);
    return context;
}

SSL *mwt_tls_attach(SSL_CTX *context, bool is_server, int fd)
{
    SSL *tls = SSL_new(context);
    if (tls == NULL || SSL_set_fd(tls, fd) != 1)
        die("connection");
    if (is_server)
        SSL_set_accept_state(tls);
    else
        SSL_set_connect_state(tls);
    return tls;
}

/* Turns the result of SSL_read or SSL_write into that of recv or send. */
static ssize_t outcome(SSL *tls, int result)
{
    if (result > 0)
        return result;
    switch (SSL_get_error(tls, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        errno = EAGAIN;
        return -1;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_SYSCALL:
        if (errno == 0 || errno == ECONNRESET)
            return 0;
        mwt_bench_die("tls");
    default:
        die("connection");
    }
}

ssize_t mwt_tls_receive(SSL *tls, void *data, size_t size)
{
    errno = 0;
    return outcome(tls, SSL_read(tls, data, (int)size));
}

ssize_t mwt_tls_transmit(SSL *tls, const void *data, size_t size)
{
    errno = 0;
    return outcome(tls, SSL_write(tls, data, (int)size));
}
