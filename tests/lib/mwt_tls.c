/* SPDX-License-Identifier: Apache-2.0
 *
 * The ends of TLS of mwt_tls.h. Each has a context of its own, with the key as an external
 * pre-shared key, as docs/protocol.md says.
 */
#include "mwt_tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/x509.h>

#define SALT "mw tls psk 1"

static void insist(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "the test cannot go on: %s\n", what);
    exit(EXIT_FAILURE);
}

void mwt_tls_derive(const struct mwt_tls_key *key, unsigned char secret[MWT_TLS_KEY_BYTES])
{
    unsigned char info[512];
    size_t name_size = strlen(key->name) + 1, id_size = strlen(key->member_id);
    size_t size = MWT_TLS_KEY_BYTES;
    insist(name_size + id_size <= sizeof info, "names");
    memcpy(info, key->name, name_size);
    memcpy(info + name_size, key->member_id, id_size);
    EVP_PKEY_CTX *derivation = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, NULL);
    insist(derivation != NULL && EVP_PKEY_derive_init(derivation) > 0 &&
               EVP_PKEY_CTX_set_hkdf_md(derivation, EVP_sha256()) > 0 &&
               EVP_PKEY_CTX_set1_hkdf_salt(derivation, (const unsigned char *)SALT,
                                           sizeof SALT - 1) > 0 &&
               EVP_PKEY_CTX_set1_hkdf_key(derivation, key->bytes, sizeof key->bytes) > 0 &&
               EVP_PKEY_CTX_add1_hkdf_info(derivation, info, (int)(name_size + id_size)) > 0 &&
               EVP_PKEY_derive(derivation, secret, &size) > 0 && size == MWT_TLS_KEY_BYTES,
           "HKDF");
    EVP_PKEY_CTX_free(derivation);
}

static SSL_SESSION *make_session(SSL *ssl, const struct mwt_tls_key *key)
{
    static const unsigned char aes_128_gcm_sha256[] = {0x13, 0x01};
    unsigned char secret[MWT_TLS_KEY_BYTES];
    mwt_tls_derive(key, secret);
    SSL_SESSION *session = SSL_SESSION_new();
    insist(session != NULL && SSL_SESSION_set1_master_key(session, secret, sizeof secret) == 1 &&
               SSL_SESSION_set_cipher(session, SSL_CIPHER_find(ssl, aes_128_gcm_sha256)) == 1 &&
               SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) == 1,
           "SSL_SESSION");
    return session;
}

static int use_session(SSL *ssl, const EVP_MD *digest, const unsigned char **id, size_t *size,
                       SSL_SESSION **session)
{
    const struct mwt_tls_key *key = SSL_get_app_data(ssl);
    (void)digest;
    *session = key == NULL ? NULL : make_session(ssl, key);
    *id = key == NULL ? NULL : (const unsigned char *)key->name;
    *size = key == NULL ? 0 : strlen(key->name);
    return 1;
}

static int find_session(SSL *ssl, const unsigned char *id, size_t size, SSL_SESSION **session)
{
    const struct mwt_tls_key *key = SSL_get_app_data(ssl);
    bool is_known = key != NULL && strlen(key->name) == size && memcmp(key->name, id, size) == 0;
    *session = is_known ? make_session(ssl, key) : NULL;
    return 1;
}

static void add_certificate(SSL_CTX *context)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    insist(key != NULL && certificate != NULL, "a certificate");
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    insist(X509_sign(certificate, key, EVP_sha256()) > 0 &&
               SSL_CTX_use_certificate(context, certificate) == 1 &&
               SSL_CTX_use_PrivateKey(context, key) == 1,
           "a certificate");
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static SSL_CTX *make_context(bool is_server, const struct mwt_tls_ways *ways)
{
    int version = ways->version == 0 ? TLS1_3_VERSION : ways->version;
    SSL_CTX *context = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
    insist(context != NULL && SSL_CTX_set_min_proto_version(context, version) == 1 &&
               SSL_CTX_set_max_proto_version(context, version) == 1 &&
               SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256") == 1 &&
               SSL_CTX_set1_groups_list(context, ways->groups == NULL ? "X25519" : ways->groups),
           "SSL_CTX");
    SSL_CTX_set_psk_use_session_callback(context, use_session);
    SSL_CTX_set_psk_find_session_callback(context, find_session);
    SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_clear_options(context, SSL_OP_ENABLE_MIDDLEBOX_COMPAT);
    if (ways->has_no_dh)
        SSL_CTX_set_options(context, SSL_OP_ALLOW_NO_DHE_KEX);
    if (ways->has_certificate)
        add_certificate(context);
    return context;
}

static SSL *open_end(bool is_server, const struct mwt_tls_key *key, const struct mwt_tls_ways *ways)
{
    static const struct mwt_tls_ways honest;
    SSL_CTX *context = make_context(is_server, ways == NULL ? &honest : ways);
    SSL *ssl = SSL_new(context);
    insist(ssl != NULL, "SSL_new");
    SSL_CTX_free(context);
    SSL_set_app_data(ssl, (char *)(uintptr_t)key);
    if (is_server)
        SSL_set_accept_state(ssl);
    else
        SSL_set_connect_state(ssl);
    return ssl;
}

SSL *mwt_tls_open(int fd, bool is_server, const struct mwt_tls_key *key,
                  const struct mwt_tls_ways *ways)
{
    SSL *ssl = open_end(is_server, key, ways);
    insist(SSL_set_fd(ssl, fd) == 1, "SSL_set_fd");
    return ssl;
}

void mwt_tls_close(SSL *ssl)
{
    SSL_free(ssl);
}

bool mwt_tls_greet(SSL *ssl)
{
    bool has_ended = SSL_do_handshake(ssl) == 1;
    return has_ended && (SSL_get_app_data(ssl) == NULL || SSL_session_reused(ssl) == 1);
}

SSL *mwt_tls_open_apart(const struct mwt_tls_key *key, const struct mwt_tls_ways *ways)
{
    SSL *ssl = open_end(false, key, ways);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    insist(in != NULL && out != NULL, "BIO_new");
    SSL_set_bio(ssl, in, out);
    SSL_do_handshake(ssl);
    return ssl;
}

size_t mwt_tls_say(SSL *ssl, unsigned char *bytes, size_t size)
{
    int got = BIO_read(SSL_get_wbio(ssl), bytes, (int)size);
    return got > 0 ? (size_t)got : 0;
}

void mwt_tls_hear(SSL *ssl, const unsigned char *bytes, size_t size)
{
    insist(BIO_write(SSL_get_rbio(ssl), bytes, (int)size) == (int)size, "BIO_write");
    SSL_do_handshake(ssl);
}
