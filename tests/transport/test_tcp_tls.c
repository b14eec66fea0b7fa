/* SPDX-License-Identifier: Apache-2.0
 *
 * The stream that encrypts, and its parts. The known answers of derive.c were computed with
 * Python's hmac, those of record.c with Python's cryptography; the first record is from RFC 8448,
 * section 3. Streams have as their other end a proof and two keys, so that a test sends what it
 * likes.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/kdf.h>

#ifdef MWT_COUNTS_MEMORY
#include "mwt_memory.h"
#endif
#include "derive.h"
#include "mwt_random.h"
#include "mwt_run.h"
#include "proof.h"
#include "record.h"
#include "tcp_keys.h"
#include "tls.h"

#define SUITE_AES 0x1301
#define SUITE_CHACHA 0x1303
#define TURNS_MAX 100

static const unsigned char client_secret[MWI_TCP_SECRET_BYTES] = {
    0x9e, 0x40, 0x64, 0x6c, 0xe7, 0x9a, 0x7f, 0x9d, 0xc0, 0x5a, 0xf8, 0x88, 0x9b, 0xce, 0x65, 0x52,
    0x87, 0x5a, 0xfa, 0x0b, 0x06, 0xdf, 0x00, 0x87, 0xf7, 0x92, 0xeb, 0xb7, 0xc1, 0x75, 0x04, 0xa5};

static bool is_hex(const unsigned char *bytes, size_t size, const char *hex)
{
    char digits[3];
    if (strlen(hex) != 2 * size)
        return false;
    for (size_t i = 0; i < size; i++) {
        snprintf(digits, sizeof digits, "%02x", bytes[i]);
        if (memcmp(digits, hex + 2 * i, 2) != 0)
            return false;
    }
    return true;
}

/* ---- derivations ---- */

/* The pre-shared key is the one that others compute, and a byte that moves from the name to the
 * farm makes another one. */
static void test_psk(void)
{
    static const struct {
        const char *name, *farm, *psk;
    } cases[] = {
        {"key:0123456789abcdef", "some-member-id",
         "fc0949460285c0f180afee692f972f8eae896438842d02f3c3fa9639f1a3eb63"},
        {"a", "bc", "6d632172691afcd40d6ad0ad6b2268ed6cefa97253d16a3e7fe0e4f389c9b8e7"},
        {"ab", "c", "214ff946b7f22e0bd5103d7e7b482609461ee3574a7372631cbd86a652d2bc26"},
        {"a", "", "86d5ee6723ac068daf80665f6e6c8fc7558755f869aedda0d8fdf6a9fdbb1565"},
    };
    EVP_KDF *hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned char psk[MWI_TCP_SECRET_BYTES];
        mw_tcp_key key = {.name = ""};
        snprintf(key.name, sizeof key.name, "%s", cases[i].name);
        for (size_t j = 0; j < sizeof key.bytes; j++)
            key.bytes[j] = (unsigned char)j;
        CU_ASSERT_TRUE(mwi_tcp_derive_psk(hkdf, &key, cases[i].farm, psk));
        CU_ASSERT_TRUE(is_hex(psk, sizeof psk, cases[i].psk));
    }
    EVP_KDF_free(hkdf);
}

/* Key and iv of RFC 8448, and the secret after an update. */
static void test_labels(void)
{
    static const struct {
        const char *label, *secret;
    } cases[] = {
        {"key", "17422dda596ed5d9acd890e3c63f5051"},
        {"iv", "5b78923dee08579033e523d9"},
        {"traffic upd", "fcdfcc72725aaee48bf64e4fd8b749cdbdbab39d90da0b26e2245ca6ea167207"},
    };
    EVP_KDF *hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned char out[MWI_TCP_SECRET_BYTES];
        size_t size = strlen(cases[i].secret) / 2;
        CU_ASSERT_TRUE(mwi_tcp_derive_label(hkdf, client_secret, cases[i].label, out, size));
        CU_ASSERT_TRUE(is_hex(out, size, cases[i].secret));
    }
    EVP_KDF_free(hkdf);
}

/* ---- records ---- */

/* Both directions of one key. */
struct keys {
    struct mwi_tcp_record_kit kit;
    struct mwi_tcp_record_key sends;
    struct mwi_tcp_record_key receives;
};

static void make_keys(struct keys *keys, unsigned suite)
{
    CU_ASSERT_TRUE_FATAL(mwi_tcp_record_kit_init(&keys->kit));
    CU_ASSERT_TRUE_FATAL(
        mwi_tcp_record_key_init(&keys->sends, &keys->kit, suite, client_secret, true));
    CU_ASSERT_TRUE_FATAL(
        mwi_tcp_record_key_init(&keys->receives, &keys->kit, suite, client_secret, false));
}

static void end_keys(struct keys *keys)
{
    mwi_tcp_record_key_fini(&keys->sends);
    mwi_tcp_record_key_fini(&keys->receives);
    mwi_tcp_record_kit_fini(&keys->kit);
}

/* Encrypts the bytes as two pieces; returns the size of the record. */
static size_t seal(struct mwi_tcp_record_key *key, enum mwi_tcp_record_kind kind,
                   unsigned char *bytes, size_t size, unsigned char *record)
{
    const struct iovec pieces[] = {{bytes, size / 3}, {bytes + size / 3, size - size / 3}};
    struct mwi_tcp_record_place from = {.piece = pieces};
    CU_ASSERT_TRUE(mwi_tcp_record_seal(key, kind, &from, size, record));
    return size + MWI_TCP_RECORD_EXTRA_BYTES;
}

static void check_known(unsigned suite, const char *const records[3])
{
    unsigned char content[50], record[100];
    struct keys keys;
    size_t size;
    make_keys(&keys, suite);
    for (size_t i = 0; i < sizeof content; i++)
        content[i] = (unsigned char)i;

    size = seal(&keys.sends, MWI_TCP_RECORD_DATA, content, sizeof content, record);
    CU_ASSERT_TRUE(is_hex(record, size, records[0]));
    unsigned char alert[] = {1, 0};
    size = seal(&keys.sends, MWI_TCP_RECORD_ALERT, alert, suite == SUITE_AES ? 2 : 0, record);
    CU_ASSERT_TRUE(is_hex(record, size, records[1]));
    unsigned char text[] = {'m', 'w'};
    CU_ASSERT_TRUE(mwi_tcp_record_key_update(&keys.sends));
    size = seal(&keys.sends, MWI_TCP_RECORD_DATA, text, sizeof text, record);
    CU_ASSERT_TRUE(is_hex(record, size, records[2]));
    end_keys(&keys);
}

/* The first record, the second, and the first after an update of the key, of each suite. */
static void test_known_records(void)
{
    static const char *const aes[] = {("1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66b"
                                       "cab3f2b9819a8a5b46b395bd54a9a20"
                                       "441e2b62974e1f5a6292a2977014bd1e3deae63aeebb21694915e4"),
                                      "1703030013c9872760655666b74d7ff1153efd6db6d0b0e3",
                                      "170303001365aca635b6754cfc8f8641e95551553e6d79ae"};
    static const char *const chacha[] = {("17030300431fd0486e9713f060eaebc04aadd9df0a5448b51a6675c2"
                                          "deacc5c3f774203c979cf2e49f999bcf33"
                                          "e553e632e48ba372130aed733b75a8db3a214bd3cadf535cc92bd5"),
                                         "170303001143987ca9b2322ee9c0deabe126ea70596c",
                                         "170303001380bb27bf9c32638948548caa4d63b2d74f71f9"};
    check_known(SUITE_AES, aes);
    check_known(SUITE_CHACHA, chacha);
}

/* Contents of all sizes around the limits come back, and no record is taken twice. */
static void test_sizes(void)
{
    static const size_t sizes[] = {0, 1, 2, 511, 512, 513, 16383, 16384};
    static unsigned char content[16384], record[MWI_TCP_RECORD_BYTES_MAX], opened[17000];
    for (size_t i = 0; i < sizeof content; i++)
        content[i] = (unsigned char)(i * 7 + 3);
    for (unsigned suite = SUITE_AES; suite <= SUITE_CHACHA; suite += 2) {
        struct keys keys;
        unsigned kind;
        make_keys(&keys, suite);
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            size_t size = seal(&keys.sends, MWI_TCP_RECORD_DATA, content, sizes[i], record);
            CU_ASSERT_EQUAL(mwi_tcp_record_size(record, size), size);
            CU_ASSERT_EQUAL(mwi_tcp_record_size(record, size - 1), 0);
            CU_ASSERT_EQUAL(mwi_tcp_record_open(&keys.receives, record, size, opened, &kind),
                            (ssize_t)sizes[i]);
            CU_ASSERT_EQUAL(kind, MWI_TCP_RECORD_DATA);
            CU_ASSERT_EQUAL(memcmp(opened, content, sizes[i]), 0);
        }
        size_t size = seal(&keys.sends, MWI_TCP_RECORD_DATA, content, 10, record);
        CU_ASSERT_EQUAL(mwi_tcp_record_open(&keys.receives, record, size, opened, &kind), 10);
        CU_ASSERT_EQUAL(mwi_tcp_record_open(&keys.receives, record, size, opened, &kind), -1);
        end_keys(&keys);
    }
}

/* A record with one wrong byte is not taken, wherever the byte is. */
static void test_damage(void)
{
    unsigned char content[20] = {0}, record[100], opened[100];
    size_t total = sizeof content + MWI_TCP_RECORD_EXTRA_BYTES;
    for (size_t i = 0; i < total; i++) {
        struct keys keys;
        unsigned kind;
        make_keys(&keys, i % 2 == 0 ? SUITE_AES : SUITE_CHACHA);
        seal(&keys.sends, MWI_TCP_RECORD_DATA, content, sizeof content, record);
        record[i] ^= 1;
        CU_ASSERT_EQUAL(mwi_tcp_record_open(&keys.receives, record, total, opened, &kind), -1);
        end_keys(&keys);
    }
}

/* ---- streams ---- */

/* A stream, and its other end by hand. */
struct ends {
    struct mwt_tcp_keys keys;
    struct mwi_tcp_tls *tls;
    struct mwi_tcp_stream *stream;
    struct mwi_tcp_record_kit kit;
    struct mwi_tcp_proof_kit proofs;
    struct mwi_tcp_record_key sends;
    struct mwi_tcp_record_key receives;
    int fd; /* of the other end */
};

/* Moves the other end's proof on; true if it is done. */
static bool move_other(int fd, struct mwi_tcp_proof *proof)
{
    unsigned char bytes[8192];
    ssize_t got = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    enum mwi_tcp_proof_state state = mwi_tcp_proof_take(proof, bytes, got > 0 ? (size_t)got : 0);
    size_t size = mwi_tcp_proof_output(proof, bytes, sizeof bytes);
    CU_ASSERT_NOT_EQUAL_FATAL(state, MWI_TCP_PROOF_FAILED);
    CU_ASSERT_EQUAL(send(fd, bytes, size, 0), (ssize_t)size);
    return state == MWI_TCP_PROOF_DONE;
}

static void prove(struct ends *ends, bool is_server)
{
    struct mwi_tcp_proof *proof = mwi_tcp_proof_begin(&ends->proofs, !is_server);
    CU_ASSERT_PTR_NOT_NULL_FATAL(proof);
    bool is_proved = false, is_other_done = false;
    for (int i = 0; i < TURNS_MAX && (!is_proved || !is_other_done); i++) {
        int error = is_proved ? 0 : ends->stream->api->prove(ends->stream);
        CU_ASSERT_TRUE_FATAL(error == 0 || error == EAGAIN);
        is_proved = error == 0;
        is_other_done = is_other_done || move_other(ends->fd, proof);
    }
    CU_ASSERT_TRUE_FATAL(is_proved && is_other_done);
    CU_ASSERT_TRUE_FATAL(mwi_tcp_proof_make_keys(proof, &ends->sends, &ends->receives));
    mwi_tcp_proof_destroy(proof);
}

static void open_ends(struct ends *ends, bool is_server)
{
    int fds[2];
    memset(ends, 0, sizeof *ends);
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
                          0);
    ends->fd = fds[1];
    mwt_tcp_keys_init(&ends->keys, 1);
    ends->tls = mwi_tcp_tls_create(&ends->keys.environment);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ends->tls);
    ends->stream = mwi_tcp_tls_open(ends->tls, fds[0], is_server, false);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ends->stream);
    CU_ASSERT_TRUE_FATAL(mwi_tcp_record_kit_init(&ends->kit));
    CU_ASSERT_TRUE_FATAL(
        mwi_tcp_proof_kit_init(&ends->proofs, &ends->keys.environment, &ends->kit));
    prove(ends, is_server);
}

static void close_ends(struct ends *ends)
{
    ends->stream->api->close(ends->stream);
    mwi_tcp_tls_destroy(ends->tls);
    mwi_tcp_record_key_fini(&ends->sends);
    mwi_tcp_record_key_fini(&ends->receives);
    mwi_tcp_proof_kit_fini(&ends->proofs);
    mwi_tcp_record_kit_fini(&ends->kit);
    close(ends->fd);
}

static void tell(struct ends *ends, enum mwi_tcp_record_kind kind, const void *bytes, size_t size)
{
    unsigned char content[64], record[64 + MWI_TCP_RECORD_EXTRA_BYTES];
    memcpy(content, bytes, size);
    size_t total = seal(&ends->sends, kind, content, size, record);
    CU_ASSERT_EQUAL(send(ends->fd, record, total, 0), (ssize_t)total);
}

/* Takes the next record; returns the size of its content, -1 if there is none, or a wrong one. */
static ssize_t hear(struct ends *ends, unsigned *kind, unsigned char content[100])
{
    unsigned char record[100];
    ssize_t got = recv(ends->fd, record, MWI_TCP_RECORD_HEADER_BYTES, MSG_DONTWAIT);
    if (got != MWI_TCP_RECORD_HEADER_BYTES || record[3] != 0 || record[4] > 80)
        return -1;
    got = recv(ends->fd, record + got, record[4], MSG_DONTWAIT);
    if (got != record[4])
        return -1;
    return mwi_tcp_record_open(&ends->receives, record, (size_t)got + MWI_TCP_RECORD_HEADER_BYTES,
                               content, kind);
}

static ssize_t read_some(struct ends *ends, char *bytes, size_t size)
{
    const struct iovec piece = {bytes, size};
    return ends->stream->api->read(ends->stream, &piece, 1);
}

static ssize_t write_text(struct mwi_tcp_stream *stream, const char *text)
{
    char bytes[64];
    snprintf(bytes, sizeof bytes, "%s", text);
    const struct iovec piece = {bytes, strlen(bytes)};
    return stream->api->write(stream, &piece, 1, piece.iov_len);
}

static void check_heard(struct ends *ends, const char *text)
{
    unsigned char content[100];
    unsigned kind = 0;
    ssize_t size = hear(ends, &kind, content);
    CU_ASSERT_EQUAL(size, (ssize_t)strlen(text));
    CU_ASSERT_EQUAL(kind, MWI_TCP_RECORD_DATA);
    CU_ASSERT_TRUE(size >= 0 && memcmp(content, text, (size_t)size) == 0);
}

/* Bytes pass both ways, also if a read takes them one by one, and records may be empty. */
static void test_both_ways(void)
{
    for (int i = 0; i < 2; i++) {
        struct ends ends;
        char byte;
        open_ends(&ends, i == 1);
        CU_ASSERT_EQUAL(write_text(ends.stream, "from the stream"), 15);
        check_heard(&ends, "from the stream");
        tell(&ends, MWI_TCP_RECORD_DATA, "", 0);
        tell(&ends, MWI_TCP_RECORD_DATA, "ab", 2);
        tell(&ends, MWI_TCP_RECORD_DATA, "c", 1);
        for (const char *text = "abc"; *text != '\0'; text++) {
            CU_ASSERT_EQUAL(read_some(&ends, &byte, 1), 1);
            CU_ASSERT_EQUAL(byte, *text);
        }
        CU_ASSERT_EQUAL(read_some(&ends, &byte, 1), -1);
        CU_ASSERT_EQUAL(errno, EAGAIN);
        CU_ASSERT_EQUAL(ends.stream->api->wants(ends.stream), 0);
        close_ends(&ends);
    }
}

/* An end that asks for a new key gets one once, with the next bytes, however often it asks. */
static void test_update(void)
{
    static const unsigned char update[] = {24, 0, 0, 1, 1};
    struct ends ends;
    char bytes[10];
    unsigned char content[100];
    unsigned kind = 0;
    open_ends(&ends, true);
    for (int i = 0; i < 3; i++) {
        tell(&ends, MWI_TCP_RECORD_HANDSHAKE, update, sizeof update);
        CU_ASSERT_TRUE(mwi_tcp_record_key_update(&ends.sends));
    }
    tell(&ends, MWI_TCP_RECORD_DATA, "ab", 2);
    CU_ASSERT_EQUAL(read_some(&ends, bytes, sizeof bytes), 2);
    CU_ASSERT_FALSE(ends.stream->api->can_write_in_handler(ends.stream));

    CU_ASSERT_EQUAL(write_text(ends.stream, "answer"), 6);

    CU_ASSERT_EQUAL(hear(&ends, &kind, content), 5);
    CU_ASSERT_EQUAL(kind, MWI_TCP_RECORD_HANDSHAKE);
    CU_ASSERT_EQUAL(memcmp(content, "\x18\0\0\1\0", 5), 0);
    CU_ASSERT_TRUE(mwi_tcp_record_key_update(&ends.receives));
    check_heard(&ends, "answer");
    CU_ASSERT_TRUE(ends.stream->api->can_write_in_handler(ends.stream));
    close_ends(&ends);
}

static void check_broken(struct ends *ends)
{
    char bytes[10];
    CU_ASSERT_EQUAL(read_some(ends, bytes, sizeof bytes), -1);
    CU_ASSERT_EQUAL(errno, EPROTO);
    CU_ASSERT_PTR_NOT_NULL(ends->stream->problem);
    CU_ASSERT_EQUAL(write_text(ends->stream, "more"), -1);
    CU_ASSERT_FALSE(ends->stream->api->can_write_in_handler(ends->stream));
}

/* An end that changes its key without cause, again and again, is given up. */
static void test_update_flood(void)
{
    static const unsigned char update[] = {24, 0, 0, 1, 0};
    struct ends ends;
    open_ends(&ends, true);
    for (int i = 0; i < 40; i++) {
        tell(&ends, MWI_TCP_RECORD_HANDSHAKE, update, sizeof update);
        CU_ASSERT_TRUE(mwi_tcp_record_key_update(&ends.sends));
    }
    check_broken(&ends);
    close_ends(&ends);
}

/* After the proof nothing but records of frames, updates and a close_notify is taken. */
static void test_rules(void)
{
    static const struct {
        enum mwi_tcp_record_kind kind;
        const char *bytes;
        size_t size;
    } wrong[] = {
        {MWI_TCP_RECORD_HANDSHAKE, "\x18\0\0\1\2", 5}, {MWI_TCP_RECORD_HANDSHAKE, "\x18\0\0\1", 4},
        {MWI_TCP_RECORD_HANDSHAKE, "\4\0\0\1\0", 5},   {MWI_TCP_RECORD_HANDSHAKE, "", 0},
        {MWI_TCP_RECORD_ALERT, "\2\x28", 2},           {MWI_TCP_RECORD_ALERT, "\1", 1},
        {(enum mwi_tcp_record_kind)20, "\1", 1},       {(enum mwi_tcp_record_kind)24, "\1", 1},
    };
    static const char *const plain[] = {"\x15\3\3\0\2\2\x28", "\x16\3\3\0\1\1",   "\x17\3\3\0\0",
                                        "\x17\3\3\0\x10",     "\x17\3\3\xff\xff", "\x14\3\3\0\1\1"};
    struct ends ends;
    char bytes[10];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        open_ends(&ends, i % 2 == 0);
        tell(&ends, wrong[i].kind, wrong[i].bytes, wrong[i].size);
        check_broken(&ends);
        close_ends(&ends);
    }
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        open_ends(&ends, i % 2 == 0);
        CU_ASSERT_EQUAL(send(ends.fd, plain[i], 6, 0), 6);
        check_broken(&ends);
        close_ends(&ends);
    }
    open_ends(&ends, true);
    tell(&ends, MWI_TCP_RECORD_ALERT, "\1\0", 2);
    CU_ASSERT_EQUAL(read_some(&ends, bytes, sizeof bytes), 0);
    close_ends(&ends);
}

/* Fills `bytes` with what a stranger sends; the first part looks like a beginning. */
static size_t choose_bytes(struct mwt_random *random, bool is_first, unsigned char bytes[1000])
{
    static const unsigned char firsts[] = {0x16, 0x16, 0x16, 0x15, 0x17, 0, 'G'};
    static const unsigned char hello[] = {3, 1, 0, 200, 1, 0, 0, 196, 3, 3};
    size_t size = 1 + mwt_random_below(random, 1000);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)mwt_random_next(random);
    if (is_first)
        bytes[0] = firsts[mwt_random_below(random, sizeof firsts)];
    if (is_first && size > sizeof hello)
        memcpy(bytes + 1, hello, sizeof hello);
    return size;
}

static void meet_stranger(struct mwi_tcp_tls *tls, struct mwt_random *random)
{
    int fds[2], error = EAGAIN;
    unsigned char bytes[1000];
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
                          0);
    bool is_server = mwt_random_below(random, 4) > 0;
    struct mwi_tcp_stream *stream = mwi_tcp_tls_open(tls, fds[0], is_server, false);
    CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
    for (int part = 0; part < TURNS_MAX && error == EAGAIN; part++) {
        size_t size = choose_bytes(random, part == 0, bytes);
        CU_ASSERT_EQUAL(send(fds[1], bytes, size, MSG_NOSIGNAL), (ssize_t)size);
        error = stream->api->prove(stream);
    }
    CU_ASSERT_EQUAL(error, EPROTO);
    CU_ASSERT_PTR_NOT_NULL(stream->problem);
    stream->api->close(stream);
    close(fds[1]);
}

/* A stranger's bytes, at random, in random parts: they prove nothing, and a stranger who goes on is
 * given up. */
static void test_strangers(void)
{
    struct mwt_random random;
    struct mwt_tcp_keys keys;
    mwt_random_start(&random);
    mwt_tcp_keys_init(&keys, 1);
    struct mwi_tcp_tls *tls = mwi_tcp_tls_create(&keys.environment);
    CU_ASSERT_PTR_NOT_NULL_FATAL(tls);
    for (int i = 0; i < 2000; i++)
        meet_stranger(tls, &random);
    mwi_tcp_tls_destroy(tls);
}

/* ---- forks ---- */

/* A child of fork() that writes first owns the connection from then on: its parent writes and reads
 * no more. So a farm that becomes a daemon goes on. */
static void test_child_owns(void)
{
    struct ends ends;
    int status = -1;
    open_ends(&ends, true);
    CU_ASSERT_EQUAL(write_text(ends.stream, "before"), 6);
    pid_t pid = fork();
    if (pid == 0)
        _exit(write_text(ends.stream, "child") == 5 ? 0 : 1);
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT_EQUAL(status, 0);

    CU_ASSERT_EQUAL(write_text(ends.stream, "parent"), -1);

    CU_ASSERT_PTR_NOT_NULL(ends.stream->problem);
    check_heard(&ends, "before");
    check_heard(&ends, "child");
    tell(&ends, MWI_TCP_RECORD_DATA, "ab", 2);
    check_broken(&ends);
    close_ends(&ends);
}

/* A child of fork() writes nothing on the connection of a parent that goes on with it. */
static void test_parent_owns(void)
{
    struct ends ends;
    int status = -1, go[2];
    char byte;
    open_ends(&ends, false);
    CU_ASSERT_EQUAL_FATAL(pipe(go), 0);
    pid_t pid = fork();
    if (pid == 0) {
        bool is_right = read(go[0], &byte, 1) == 1 &&
                        !ends.stream->api->can_write_in_handler(ends.stream) &&
                        write_text(ends.stream, "child") == -1 && ends.stream->problem != NULL;
        _exit(is_right ? 0 : 1);
    }
    CU_ASSERT_EQUAL(write_text(ends.stream, "parent"), 6);
    CU_ASSERT_EQUAL(write(go[1], "", 1), 1);
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT_EQUAL(status, 0);

    CU_ASSERT_EQUAL(write_text(ends.stream, "again"), 5);

    check_heard(&ends, "parent");
    check_heard(&ends, "again");
    close(go[0]);
    close(go[1]);
    close_ends(&ends);
}

/* ---- signal handlers ---- */

#ifdef MWT_COUNTS_MEMORY
static struct mwi_tcp_stream *handler_stream;
static ssize_t handler_wrote;

static void on_signal(int number)
{
    (void)number;
    if (handler_stream->api->can_write_in_handler(handler_stream))
        handler_wrote = write_text(handler_stream, "from the handler");
}

/* A write in a signal handler allocates and frees nothing, be it the first or a later one. */
static void test_handler(void)
{
    struct ends ends;
    open_ends(&ends, false);
    handler_stream = ends.stream;
    CU_ASSERT_NOT_EQUAL(signal(SIGUSR1, on_signal), SIG_ERR);
    for (int i = 0; i < 3; i++) {
        long before = mwt_memory_blocks();
        handler_wrote = -1;
        mwt_memory_fail(1, true);
        (void)raise(SIGUSR1);
        bool has_allocated = mwt_memory_has_failed();
        mwt_memory_fail(0, false);
        CU_ASSERT_FALSE(has_allocated);
        CU_ASSERT_EQUAL(mwt_memory_blocks(), before);
        CU_ASSERT_EQUAL(handler_wrote, 16);
        check_heard(&ends, "from the handler");
    }
    (void)signal(SIGUSR1, SIG_DFL);
    close_ends(&ends);
}

/* The same for a record of each suite. */
static void test_seal_memory(void)
{
    static unsigned char content[16384], record[MWI_TCP_RECORD_BYTES_MAX];
    for (unsigned suite = SUITE_AES; suite <= SUITE_CHACHA; suite += 2) {
        struct keys keys;
        make_keys(&keys, suite);
        long before = mwt_memory_blocks();
        mwt_memory_fail(1, true);
        seal(&keys.sends, MWI_TCP_RECORD_DATA, content, 10, record);
        seal(&keys.sends, MWI_TCP_RECORD_DATA, content, sizeof content, record);
        bool has_allocated = mwt_memory_has_failed();
        mwt_memory_fail(0, false);
        CU_ASSERT_FALSE(has_allocated);
        CU_ASSERT_EQUAL(mwt_memory_blocks(), before);
        end_keys(&keys);
    }
}
#endif

int main(void)
{
    CU_TestInfo tests[] = {
        {"pre-shared keys", test_psk},
        {"labels", test_labels},
        {"known records", test_known_records},
        {"sizes of records", test_sizes},
        {"damaged records", test_damage},
        {"both ways", test_both_ways},
        {"update", test_update},
        {"flood of updates", test_update_flood},
        {"rules", test_rules},
        {"strangers", test_strangers},
        {"child owns", test_child_owns},
        {"parent owns", test_parent_owns},
#ifdef MWT_COUNTS_MEMORY
        {"write in a handler", test_handler},
        {"memory of records", test_seal_memory},
#endif
        CU_TEST_INFO_NULL,
    };
#ifdef MWT_COUNTS_MEMORY
    return mwt_memory_run("tcp: tls", tests);
#else
    return mwt_run("tcp: tls", tests);
#endif
}
