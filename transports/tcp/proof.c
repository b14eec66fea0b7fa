/* SPDX-License-Identifier: Apache-2.0
 *
 * OpenSSL makes the handshake, between two pieces of memory. Its kind is fixed: TLS 1.3, a
 * pre-shared key together with a fresh Diffie-Hellman exchange (psk_dhe_ke), no certificates, no
 * tickets, no early data. The master and the slaves set everything themselves, whatever the
 * machine's openssl.cnf says.
 *
 * Invariants: it is done only if the other end has proved the key. For a listening end that is when
 * the Finished of the other end is verified, since a first flight can be repeated by somebody who
 * saw one. A connecting end accepts no certificate in place of the key. After the end, session, key
 * and secrets are wiped here. OpenSSL frees its early secret, which is as good as the pre-shared
 * key, without overwriting it, and lets nobody else do so (docs/security.md, cores).
 * The callbacks of OpenSSL find the proof at its SSL, so that several threads may make proofs.
 */
#include "proof.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/sslerr.h>

#include "derive.h"

#define SUITES "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256"
/* Keys that one ClientHello may offer; others are not looked at. */
#define OFFERS_MAX 4
/* OpenSSL's errors from here on say that an alert has come. */
#define ALERT_REASONS 1000

struct mwi_tcp_proof {
    struct mwi_tcp_proof_kit *proofs;
    SSL *ssl;
    BIO *input; /* belongs to ssl, like output */
    BIO *output;
    SSL_SESSION *own; /* of the key that a connecting end proves; NULL in a listening one */
    bool is_server;
    bool has_failed;
    bool has_known_key; /* the other end offered one that is known here */
    unsigned offers_count;
    unsigned suite;
    unsigned char client_secret[MWI_TCP_SECRET_BYTES];
    unsigned char server_secret[MWI_TCP_SECRET_BYTES];
    bool has_client_secret;
    bool has_server_secret;
    char name[MW_TCP_KEY_NAME_BYTES];
    const char *problem;
    mw_reason why; /* of the environment */
};

/* Makes a session that holds the pre-shared key; NULL out of memory. */
static SSL_SESSION *make_session(struct mwi_tcp_proof *proof, const mw_tcp_key *key)
{
    static const unsigned char suite[] = {0x13, 0x01};
    unsigned char psk[MWI_TCP_SECRET_BYTES];
    SSL_SESSION *session = SSL_SESSION_new();
    bool is_made =
        session != NULL &&
        mwi_tcp_derive_psk(proof->proofs->kit->hkdf, key, proof->proofs->environment->farm, psk) &&
        SSL_SESSION_set1_master_key(session, psk, sizeof psk) == 1 &&
        SSL_SESSION_set_cipher(session, SSL_CIPHER_find(proof->ssl, suite)) == 1 &&
        SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) == 1;
    OPENSSL_cleanse(psk, sizeof psk);
    if (is_made)
        return session;
    SSL_SESSION_free(session);
    return NULL;
}

/* Whether the bytes can be the name of a key. They come from a stranger. */
static bool take_name(const unsigned char *bytes, size_t size, char name[MW_TCP_KEY_NAME_BYTES])
{
    if (size == 0 || size >= MW_TCP_KEY_NAME_BYTES)
        return false;
    for (size_t i = 0; i < size; i++)
        if (bytes[i] < ' ' || bytes[i] > '~')
            return false;
    memcpy(name, bytes, size);
    name[size] = '\0';
    return true;
}

/* OpenSSL asks a listening end for the key of this name. 0 would make it tell the other end. */
static int find_session(SSL *ssl, const unsigned char *identity, size_t size, SSL_SESSION **session)
{
    struct mwi_tcp_proof *proof = SSL_get_app_data(ssl);
    const mw_tcp_environment *environment = proof->proofs->environment;
    char name[MW_TCP_KEY_NAME_BYTES];
    mw_tcp_key key;
    *session = NULL;
    if (++proof->offers_count > OFFERS_MAX || environment->find_key == NULL ||
        !take_name(identity, size, name) ||
        !environment->find_key(environment->context, name, &key))
        return 1;
    proof->has_known_key = true;
    *session = make_session(proof, &key);
    OPENSSL_cleanse(&key, sizeof key);
    return 1;
}

/* OpenSSL asks a connecting end for its key: before it has chosen a hash, and once more if the
 * other end wants another group. The session goes to OpenSSL. */
static int use_session(SSL *ssl, const EVP_MD *hash, const unsigned char **identity, size_t *size,
                       SSL_SESSION **session)
{
    struct mwi_tcp_proof *proof = SSL_get_app_data(ssl);
    (void)hash;
    *session = NULL;
    if (SSL_SESSION_up_ref(proof->own) != 1)
        return 0;
    *session = proof->own;
    *identity = (const unsigned char *)proof->name;
    *size = strlen(proof->name);
    return 1;
}

static unsigned hex_digit(char digit)
{
    return digit <= '9' ? (unsigned)(digit - '0') : (unsigned)((digit | 0x20) - 'a' + 10);
}

/* Reads the secret that ends the line, if the line is of this label. */
static void take_secret(const char *line, const char *label, unsigned char *secret, bool *has)
{
    size_t length = strlen(line);
    if (strncmp(line, label, strlen(label)) != 0 || length < 2 * MWI_TCP_SECRET_BYTES)
        return;
    const char *digits = line + length - 2 * (size_t)MWI_TCP_SECRET_BYTES;
    for (size_t i = 0; i < MWI_TCP_SECRET_BYTES; i++)
        secret[i] = (unsigned char)(hex_digit(digits[2 * i]) << 4 | hex_digit(digits[2 * i + 1]));
    *has = true;
}

/* OpenSSL tells the secrets of the handshake as lines of the form "LABEL RANDOM SECRET". */
static void on_secret(const SSL *ssl, const char *line)
{
    struct mwi_tcp_proof *proof = SSL_get_app_data(ssl);
    take_secret(line, "CLIENT_TRAFFIC_SECRET_0 ", proof->client_secret, &proof->has_client_secret);
    take_secret(line, "SERVER_TRAFFIC_SECRET_0 ", proof->server_secret, &proof->has_server_secret);
}

/* A FIPS provider has no X25519, and OpenSSL refuses a list with a name that it does not know. */
static bool set_groups(SSL_CTX *context)
{
    return SSL_CTX_set1_groups_list(context, "X25519:P-256") == 1 ||
           SSL_CTX_set1_groups_list(context, "P-256") == 1;
}

static bool set_suites(SSL_CTX *context)
{
    return SSL_CTX_set_ciphersuites(context, SUITES) == 1 ||
           SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256") == 1;
}

static bool set_up(SSL_CTX *context)
{
    SSL_CTX_clear_options(context, ~(uint64_t)0);
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
                                     SSL_OP_NO_COMPRESSION | SSL_OP_NO_QUERY_MTU);
    (void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_security_level(context, 2);
    SSL_CTX_set_psk_find_session_callback(context, find_session);
    SSL_CTX_set_psk_use_session_callback(context, use_session);
    SSL_CTX_set_keylog_callback(context, on_secret);
    return SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1 && set_suites(context) &&
           set_groups(context) && SSL_CTX_set_num_tickets(context, 0) == 1 &&
           SSL_CTX_set_max_early_data(context, 0) == 1 &&
           SSL_CTX_set_recv_max_early_data(context, 0) == 1;
}

bool mwi_tcp_proof_kit_init(struct mwi_tcp_proof_kit *proofs, const mw_tcp_environment *environment,
                            const struct mwi_tcp_record_kit *kit)
{
    *proofs = (struct mwi_tcp_proof_kit){.environment = environment, .kit = kit};
    proofs->context = SSL_CTX_new(TLS_method());
    bool is_set_up = proofs->context != NULL && set_up(proofs->context);
    ERR_clear_error();
    return is_set_up;
}

void mwi_tcp_proof_kit_fini(struct mwi_tcp_proof_kit *proofs)
{
    SSL_CTX_free(proofs->context);
    *proofs = (struct mwi_tcp_proof_kit){0};
}

static void fail(struct mwi_tcp_proof *proof, const char *problem)
{
    proof->has_failed = true;
    proof->problem = problem;
}

/* Asks for the key that a connecting end proves. False out of memory. */
static bool take_own_key(struct mwi_tcp_proof *proof)
{
    const mw_tcp_environment *environment = proof->proofs->environment;
    mw_tcp_key key;
    if (environment->own_key == NULL) {
        fail(proof, "this end has no key to prove");
        return true;
    }
    if (!environment->own_key(environment->context, &key, &proof->why)) {
        fail(proof, proof->why.text);
        return true;
    }
    memcpy(proof->name, key.name, sizeof proof->name);
    proof->own = make_session(proof, &key);
    OPENSSL_cleanse(&key, sizeof key);
    return proof->own != NULL;
}

static bool make_ssl(struct mwi_tcp_proof *proof)
{
    proof->ssl = SSL_new(proof->proofs->context);
    proof->input = BIO_new(BIO_s_mem());
    proof->output = BIO_new(BIO_s_mem());
    if (proof->ssl == NULL || proof->input == NULL || proof->output == NULL) {
        BIO_free(proof->input);
        BIO_free(proof->output);
        return false;
    }
    (void)BIO_set_mem_eof_return(proof->input, -1);
    SSL_set_bio(proof->ssl, proof->input, proof->output);
    if (SSL_set_app_data(proof->ssl, proof) != 1)
        return false;
    if (proof->is_server)
        SSL_set_accept_state(proof->ssl);
    else
        SSL_set_connect_state(proof->ssl);
    /* By default a connecting end takes a certificate of anybody in place of the key. This one
     * trusts no certificate. */
    if (!proof->is_server)
        SSL_set_verify(proof->ssl, SSL_VERIFY_PEER, NULL);
    return true;
}

struct mwi_tcp_proof *mwi_tcp_proof_begin(struct mwi_tcp_proof_kit *proofs, bool is_server)
{
    struct mwi_tcp_proof *proof = calloc(1, sizeof *proof);
    if (proof == NULL)
        return NULL;
    proof->proofs = proofs;
    proof->is_server = is_server;
    bool is_made = make_ssl(proof) && (is_server || take_own_key(proof));
    ERR_clear_error();
    if (is_made)
        return proof;
    mwi_tcp_proof_destroy(proof);
    return NULL;
}

/* OpenSSL counts the users of a session and may still have one, so the secret is overwritten. */
static void wipe_session(SSL_SESSION *session)
{
    static const unsigned char zeros[MWI_TCP_SECRET_BYTES];
    if (session != NULL)
        (void)SSL_SESSION_set1_master_key(session, zeros, sizeof zeros);
}

void mwi_tcp_proof_destroy(struct mwi_tcp_proof *proof)
{
    if (proof == NULL)
        return;
    if (proof->ssl != NULL)
        wipe_session(SSL_get_session(proof->ssl));
    wipe_session(proof->own);
    SSL_SESSION_free(proof->own);
    SSL_free(proof->ssl);
    OPENSSL_cleanse(proof, sizeof *proof);
    free(proof);
}

/* Why a connecting end's handshake failed, by OpenSSL's reason. */
static const char *client_problem(int reason)
{
    if (reason >= ALERT_REASONS)
        return "the other end refused the key: it has another key, or another --mw-member-id";
    if (reason == SSL_R_UNSUPPORTED_PROTOCOL || reason == SSL_R_WRONG_SSL_VERSION)
        return "the other end does not speak TLS 1.3";
    if (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_UNEXPECTED_MESSAGE)
        return "the other end does not speak TLS";
    return "the other end did not prove that it has the key";
}

static const char *server_problem(const struct mwi_tcp_proof *proof, int reason)
{
    if (reason >= ALERT_REASONS)
        return "it broke off the proof: the key does not satisfy it";
    if (reason == SSL_R_UNSUPPORTED_PROTOCOL || reason == SSL_R_UNKNOWN_PROTOCOL ||
        reason == SSL_R_VERSION_TOO_LOW)
        return "it does not speak TLS 1.3";
    if (reason == SSL_R_BINDER_DOES_NOT_VERIFY)
        return "it has another key of the same name, or another --mw-member-id";
    if (proof->offers_count > 0 && !proof->has_known_key)
        return "its key is not known here";
    if (proof->offers_count == 0)
        return "it offers no key";
    return "its proof is broken";
}

static void fail_by_reason(struct mwi_tcp_proof *proof)
{
    int reason = ERR_GET_REASON(ERR_peek_error());
    fail(proof, proof->is_server ? server_problem(proof, reason) : client_problem(reason));
}

/* OpenSSL has finished; whether it did what it was set up for. */
static bool is_proved(struct mwi_tcp_proof *proof)
{
    SSL *ssl = proof->ssl;
    proof->suite = SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(ssl));
    return SSL_is_init_finished(ssl) == 1 && SSL_session_reused(ssl) == 1 &&
           SSL_version(ssl) == TLS1_3_VERSION && SSL_get_negotiated_group(ssl) != 0 &&
           SSL_get0_peer_certificate(ssl) == NULL && proof->has_client_secret &&
           proof->has_server_secret && (proof->suite == 0x1301 || proof->suite == 0x1303);
}

/* SSL_get_error takes an error that the program has left in the queue for one of this handshake, so
 * the queue is empty before. SSL_want_read alone still says yes after an alert. */
static enum mwi_tcp_proof_state move_on(struct mwi_tcp_proof *proof)
{
    ERR_clear_error();
    int result = SSL_do_handshake(proof->ssl);
    if (result == 1) {
        if (!is_proved(proof))
            fail(proof, "the other end did not prove that it has the key");
    } else if (SSL_get_error(proof->ssl, result) == SSL_ERROR_WANT_READ) {
        return MWI_TCP_PROOF_GOES_ON;
    } else {
        fail_by_reason(proof);
    }
    ERR_clear_error();
    return proof->has_failed ? MWI_TCP_PROOF_FAILED : MWI_TCP_PROOF_DONE;
}

enum mwi_tcp_proof_state mwi_tcp_proof_take(struct mwi_tcp_proof *proof, const void *bytes,
                                            size_t size)
{
    size_t written;
    if (!proof->has_failed && size > 0 && BIO_write_ex(proof->input, bytes, size, &written) != 1)
        fail(proof, "out of memory");
    return proof->has_failed ? MWI_TCP_PROOF_FAILED : move_on(proof);
}

static size_t take_out(BIO *bio, void *to, size_t room)
{
    size_t size;
    return BIO_read_ex(bio, to, room, &size) == 1 ? size : 0;
}

size_t mwi_tcp_proof_output(struct mwi_tcp_proof *proof, void *to, size_t room)
{
    return proof->has_failed ? 0 : take_out(proof->output, to, room);
}

size_t mwi_tcp_proof_rest(struct mwi_tcp_proof *proof, void *to, size_t room)
{
    assert(!proof->has_failed);
    return take_out(proof->input, to, room);
}

bool mwi_tcp_proof_make_keys(const struct mwi_tcp_proof *proof, struct mwi_tcp_record_key *sends,
                             struct mwi_tcp_record_key *receives)
{
    const struct mwi_tcp_record_kit *kit = proof->proofs->kit;
    const unsigned char *own = proof->is_server ? proof->server_secret : proof->client_secret;
    const unsigned char *other = proof->is_server ? proof->client_secret : proof->server_secret;
    if (!mwi_tcp_record_key_init(sends, kit, proof->suite, own, true))
        return false;
    if (mwi_tcp_record_key_init(receives, kit, proof->suite, other, false))
        return true;
    mwi_tcp_record_key_fini(sends);
    return false;
}

bool mwi_tcp_proof_has_known_key(const struct mwi_tcp_proof *proof)
{
    return proof->has_known_key;
}

const char *mwi_tcp_proof_problem(const struct mwi_tcp_proof *proof)
{
    assert(proof->has_failed && proof->problem != NULL);
    return proof->problem;
}
